"""The agent-gateway pattern as it runs in a cluster: pods with addresses of their own, a name server, a headless name."""
import contextlib

import yaml

import netns
import signals
import support
from sut import otlp
from sut.program import merge, save_yaml
from tier import GATEWAY, Sink, Tier, Traffic

# The agent of the post "How to Set Up High-Availability Collector Deployments with Agent-Gateway Pattern"
# by nawazdhandala, byte for byte.
SEED = support.HERE / "configs" / "seed-agent.yaml"
NAME = "otel-gateway-headless.observability.svc.cluster.local"
AGENT, NAME_SERVER = "10.77.0.1", "10.77.0.2"


class Cluster(Tier):
    """A host for the agent, one for gateways and the name server, and a link."""

    def __init__(self, start, folder):
        super().__init__(start, start.backend(Sink, unix=str(folder / "backend.sock")))
        self.folder = folder
        resolver = folder / "resolv.conf"
        resolver.write_text(f"nameserver {NAME_SERVER}\noptions timeout:1\n", encoding="ascii")
        self.agents = start.backend(netns.Host, resolver)
        self.pods = start.backend(netns.Host)
        self.agents.connect(self.pods, f"{AGENT}/24", f"{NAME_SERVER}/24")
        for number in range(1, 21):
            self.pods.add_address(f"{self.ip(number)}/24")
        self.dns = start.backend(netns.Dnsmasq, self.pods, NAME_SERVER, NAME, folder)

    @staticmethod
    def ip(number):
        return f"10.77.0.{100 + number}"

    def address(self, number):
        return f"gw-{number}", f"{self.ip(number)}:4317"

    def gateway(self, number, binary=None):
        name, address = self.address(number)
        health = (self.ip(number), 13133)
        program = netns.Guest(self.pods, binary or self.start.binary, GATEWAY, health, environment={
            "GATEWAY_GRPC": address, "GATEWAY_NAME": name, "GATEWAY_HEALTH": f"{health[0]}:{health[1]}",
            "BACKEND": self.sink.address})
        self.started(name, program)
        return program

    def seed_agent(self, config=SEED, environment=None, binary=None):
        """Whoever reads the file is ready as soon as its HTTP receiver answers."""
        return self.start.enter_context(netns.Guest(
            self.agents, binary or self.start.binary, config, ("127.0.0.1", 4318),
            environment={"K8S_NODE_NAME": "node-7", **(environment or {})}))

    def publish(self, *numbers):
        self.dns.set([self.ip(number) for number in numbers])

    def traffic(self, **keywords):
        load = Traffic(netns.HttpSender(self.agents).send, **keywords)
        self.start.callback(load.stop)
        return load


# Instead of a queue for each gateway: one before all of them, which routes again with each attempt.
QUEUE_IN_FRONT = {
    "timeout": "5s",
    "sending_queue": {"enabled": True},
    "retry_on_failure": {"enabled": True, "initial_interval": "100ms", "max_interval": "500ms", "multiplier": 1.5,
                         "randomization_factor": 0.5, "max_elapsed_time": "0s"},
    "protocol": {"otlp": {"sending_queue": {"enabled": False}, "retry_on_failure": {"enabled": False}}},
}


def quick(folder, *, processors=("memory_limiter", "resource", "batch"), exporter=None, **dns):
    """The seed's agent with short intervals, so that a test does not wait for them; `exporter` has more keys."""
    tree = yaml.safe_load(SEED.read_text(encoding="utf-8"))
    tree = merge(tree, {
        "processors": {"batch": {"timeout": "50ms"}},
        "exporters": {"loadbalancing": {
            "protocol": {"otlp": {"compression": "none", "retry_on_failure": {"initial_interval": "200ms",
                                                                             "max_interval": "500ms"}}},
            "resolver": {"dns": {"interval": "200ms", "timeout": "500ms", **dns}}}}})
    tree = merge(tree, {"exporters": {"loadbalancing": exporter or {}}})
    for pipeline in tree["service"]["pipelines"].values():
        pipeline["processors"] = list(processors)
    path = folder / "quick-agent.yaml"
    save_yaml(path, tree)
    return path


def other_signals(cluster):
    """One request of metrics and one of logs over HTTP; {signal: items sent}"""
    sent = {}
    sender = netns.HttpSender(cluster.agents)
    for name in ("metrics", "logs"):
        message = otlp.from_json(signals.small(name, 20), otlp.REQUESTS[name])
        sent[name] = signals.count(name, message)
        assert sender.send(message.SerializeToString(), name) == (0, "")
    return sent


@contextlib.contextmanager
def changed(cluster, agent):
    """Waits until the agent's exporters, one for each signal, have taken over the change of DNS made inside."""
    family = 'otelcol_loadbalancer_num_backend_updates{resolver="dns"}'
    before = agent.metrics().get(family, 0)
    yield
    assert support.wait_for(lambda: agent.metrics().get(family, 0) >= before + len(signals.SIGNALS)), \
        "the ring did not change"
