"""Gateways that are peers: whoever gets a span, one gateway has the whole trace (docs/peer-protocol.md)."""
import json
import signal
import socket
import time

import pytest

import support
from sut.backends import GrpcBackend
from sut.clients import Sender
from sut.ports import free_ports

pytestmark = pytest.mark.ours

TRACES = 60
SPANS = 4


class Tier:
    """Gateways with tail_sampling that are each other's peers, a backend behind each."""

    def __init__(self, start, folder, count=3, workers=1, policy=None, wait="1s", cache=None, timeout="2s"):
        self.start, self.folder, self.workers, self.timeout = start, folder, workers, timeout
        self.sampling = {"decision_wait": wait, "num_traces": 10000,
                         "policies": [policy or {"name": "all", "type": "always_sample"}]}
        if cache:
            self.sampling["decision_cache"] = cache
        self.ports = free_ports(count)
        self.addresses = [f"127.0.0.1:{port}" for port in self.ports]
        self.backends = [start.backend(GrpcBackend) for _ in self.ports]
        self.gateways = [None] * count

    def appliance(self, number):
        names = ", ".join(json.dumps(address) for address in self.addresses)
        path = self.folder / f"appliance-{number}.conf"
        path.write_text(f"workers = {self.workers};\n"
                        f"peers = {{ static = {{ hostnames = ( {names} ); }}; timeout = \"{self.timeout}\"; }};\n",
                        encoding="utf-8")
        return {"SPANWEIR_APPLIANCE": str(path)}

    def begin(self, *numbers):
        for number in numbers or range(len(self.ports)):
            receiver = {"protocols": {"grpc": {"endpoint": self.addresses[number]}}}
            gateway = self.start.simple({"otlp": support.otlp_to(self.backends[number])}, receiver=receiver,
                                        processors={"tail_sampling": self.sampling},
                                        environment=self.appliance(number))
            gateway.grpc = self.addresses[number]
            self.gateways[number] = gateway

    def connect(self):
        """All that run have found each other."""
        alive = sum(1 for gateway in self.gateways if gateway and gateway.program.alive)
        wanted = alive * (alive - 1) * self.workers
        assert support.wait_for(lambda: self.total("spanweir_peer_connections") == wanted)

    def total(self, name):
        """Of a metric, over all series and all gateways that are alive."""
        return sum(value for gateway in self.gateways if gateway and gateway.program.alive
                   for series, value in gateway.metrics("/metrics/all").items()
                   if series.split("{")[0].removesuffix("_total") == name)

    def arrived(self):
        return [sorted(support.ids(backend)) for backend in self.backends]

    def wait(self, count, limit=20):
        support.wait_for(lambda: sum(map(len, self.arrived())) >= count, limit)
        time.sleep(0.3)                                      # and not one more
        return self.arrived()


def round_robin(tier, traces, first=0):
    """Each span of a trace to another gateway, as behind a Service. What was sent."""
    senders = [Sender(gateway.grpc) for gateway in tier.gateways if gateway.program.alive]
    sent = []
    for number in range(first, first + SPANS):
        for begin in range(0, len(traces), 5):
            spans = [support.span(trace, number) for trace in traces[begin:begin + 5]]
            sender = senders[(begin // 5 + number) % len(senders)]
            assert sender.send(support.request(spans)) == (0, "")
            sent += support.sent_ids(spans)
    for sender in senders:
        sender.close()
    return sorted(sent)


def split_traces(arrived):
    """Traces of which more than one gateway has spans."""
    owners = {}
    for gateway, spans in enumerate(arrived):
        for trace, _ in spans:
            owners.setdefault(trace, set()).add(gateway)
    return [trace for trace, gateways in owners.items() if len(gateways) > 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_behind_a_round_robin_no_trace_is_split(start, tmp_path, workers):
    tier = Tier(start, tmp_path, workers=workers)
    tier.begin()
    tier.connect()
    sent = round_robin(tier, range(1, TRACES + 1))
    arrived = tier.wait(len(sent))
    assert sorted(sum(arrived, [])) == sent
    assert split_traces(arrived) == []
    assert all(arrived), "each gateway owns some"
    forwarded = tier.total("spanweir_peer_forwarded_spans")
    assert 0 < forwarded < len(sent)
    assert tier.total("spanweir_peer_received_spans") == forwarded
    assert tier.total("spanweir_peer_local_spans") == 0
    assert tier.total("otelcol_receiver_accepted_spans") == len(sent), "each is counted where it came in"
    for gateway in tier.gateways:
        assert gateway.program.stop() == 0, gateway.program.log_tail()


def test_traces_of_a_dead_gateway_are_processed_where_they_arrive(start, tmp_path):
    tier = Tier(start, tmp_path)
    tier.begin()
    tier.connect()
    tier.gateways[2].program.signal(signal.SIGKILL)
    tier.gateways[2].program.wait()
    sent = round_robin(tier, range(1, TRACES + 1))
    arrived = tier.wait(len(sent))
    assert sorted(sum(arrived, [])) == sent
    assert tier.total("spanweir_peer_local_spans") > 0
    tier.begin(2)
    tier.connect()
    before = tier.total("spanweir_peer_local_spans")
    round_robin(tier, range(1001, 1001 + TRACES))
    assert tier.total("spanweir_peer_local_spans") == before, "one that is back gets its traces again"


def test_a_gateway_that_never_answers_costs_its_share_only(start, tmp_path):
    tier = Tier(start, tmp_path, timeout="300ms")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", tier.ports[2]))
        silent.listen(100)
        tier.begin(0, 1)
        tier.gateways = tier.gateways[:2]
        sent = round_robin(tier, range(1, TRACES + 1))
        arrived = tier.wait(len(sent))
    assert sorted(sum(arrived, [])) == sent
    assert tier.total("spanweir_peer_local_spans") > 0


def test_a_stranger_is_left_alone(start, tmp_path):
    """A gateway without peers, or another program, among them: it answers UNIMPLEMENTED."""
    tier = Tier(start, tmp_path)
    tier.begin(0, 1)
    stranger = start.simple({"otlp": support.otlp_to(tier.backends[2])}, receiver={
        "protocols": {"grpc": {"endpoint": tier.addresses[2]}}})
    tier.gateways = tier.gateways[:2]
    sent = round_robin(tier, range(1, TRACES + 1))
    arrived = tier.wait(len(sent))
    assert sorted(sum(arrived, [])) == sent
    assert arrived[2] == [] and stranger.program.alive
    assert tier.total("spanweir_peer_local_spans") > 0


def test_calls_of_peers_are_refused_where_there_are_none(start, tmp_path):
    alone = start.simple({"nop": None})
    for method in ("Forward", "Decisions"):
        with Sender(alone.grpc, f"/spanweir.peer.v1.Peer/{method}") as sender:
            assert sender.send(b"") == (12, "unknown service spanweir.peer.v1.Peer")
    tier = Tier(start, tmp_path, count=1)
    tier.begin()
    for method in ("Forward", "Decisions"):
        with Sender(tier.addresses[0], f"/spanweir.peer.v1.Peer/{method}") as sender:
            assert sender.send(b"") == (12, "unknown pipeline")
            assert sender.send(b"", [("spanweir-pipeline", "traces/other")]) == (12, "unknown pipeline")
            assert sender.send(b"", [("spanweir-pipeline", "traces")]) == (0, "")
            assert sender.send(b"\x0a\x05x", [("spanweir-pipeline", "traces")])[0] == 13
