"""scripts/quickstart --kill-gateway: an agent and three gateways, one of which is killed and comes back.

Standard library only."""
import argparse
import collections
import json
import random
import signal
import sys
import time
import urllib.request

from quickstart import EXAMPLES, OUT, Problem, RECEIVED, SENT, Show, connects, fetch, free_ports, interrupted, \
    records, wait_for

GATEWAYS = (1, 2, 3)
KILLED = 2
# Of the traffic's time: when the gateway is killed, and when it is started again.
KILL_AT, BACK_AT = 0.3, 0.6
# Longer than an agent waits before it tries a connection again.
QUIET_S, SETTLE_S = 3, 60


class TierShow(Show):
    """Each gateway has a backend of its own, so that one sees what came through which."""

    def start(self):
        OUT.mkdir(parents=True, exist_ok=True)
        for old in [OUT / "sent.bin", OUT / "load.json", *OUT.glob("delivered-*.bin")]:
            old.unlink(missing_ok=True)
        ports = free_ports(4 + 2 * len(GATEWAYS))
        self.sinks, self.gateways, self.addresses = {}, {}, {}
        for number in GATEWAYS:
            self.start_backend(number)
            self.addresses[number] = (f"127.0.0.{number}:{ports.pop()}", f"127.0.0.1:{ports.pop()}")
            self.start_gateway(number)
        self.environment = {"AGENT_GRPC": f"127.0.0.1:{ports[0]}", "AGENT_HTTP": f"127.0.0.1:{ports[1]}",
                            "AGENT_HEALTH": f"127.0.0.1:{ports[2]}", "AGENT_METRICS": str(ports[3]),
                            **{f"GATEWAY_{n}": grpc for n, (grpc, _) in self.addresses.items()}}
        self.page = ports[3]
        self.agent = self.child("agent", [self.binary, "--config", EXAMPLES / "agent-balance.yaml", "--appliance",
                                          EXAMPLES / "agent-balance.conf"], environment=self.environment)
        url = f"http://{self.environment['AGENT_HEALTH']}/"
        wait_for(self.agent, "the agent", lambda: urllib.request.urlopen(url, timeout=1).status == 200)
        for number, (grpc, _) in self.addresses.items():
            print(f"  gateway {number}   {grpc}, and a backend of its own")
        print(f"  agent       {self.environment['AGENT_GRPC']}")
        print(f"  metrics     http://127.0.0.1:{self.page}/metrics")

    def start_backend(self, number):
        child = self.child(f"backend-{number}", [
            self.tools / "sw-sink", "--record", OUT / f"delivered-{number}.bin", "--control", "127.0.0.1:0",
            "127.0.0.1:0"])

        def ports():
            line = child.log.read_text(encoding="utf-8").partition("\n")
            return json.loads(line[0]) if line[1] else None

        found = wait_for(child, f"backend {number}", ports)
        self.sinks[number] = (child, found["listening"], found["control"])

    def start_gateway(self, number):
        grpc, health = self.addresses[number]
        self.gateways[number] = child = self.child(
            f"gateway-{number}", [self.binary, "--config", EXAMPLES / "gateway-relay.yaml"],
            environment={"GATEWAY_GRPC": grpc, "GATEWAY_HEALTH": health,
                         "BACKEND": f"127.0.0.1:{self.sinks[number][1]}"})
        wait_for(child, f"gateway {number}", lambda: connects(grpc))

    def traffic(self):
        seconds = self.options.seconds
        self.load = self.child("load", [
            self.tools / "sw-loadgen", "--duration", f"{seconds}s", "--rate", self.options.rate, "--request", "50",
            "--per-trace", "8", "--scatter", "5", "--on-refusal", "retry", "--seed", random.randrange(1, 1 << 32),
            "--record", OUT / "sent.bin", "--summary", OUT / "load.json", "--progress", "500ms",
            self.environment["AGENT_GRPC"]])
        print(f"\nTraffic: {self.options.rate} spans a second for {seconds} s; it never stops")
        self.begin = time.monotonic()
        acts = [(KILL_AT * seconds, self.kill), (BACK_AT * seconds, self.bring_back)]
        shown = -10.0
        while self.load.alive:
            now = time.monotonic() - self.begin
            if acts and now >= acts[0][0]:
                self.live_line()
                acts.pop(0)[1]()
                shown = now
            elif now - shown > (0.5 if sys.stdout.isatty() else 2):
                shown = now
                self.live_line()
            self.alive_or_problem()
            time.sleep(0.1)
        if self.load.process.returncode != 0:
            raise Problem(f"the load generator ended with code {self.load.process.returncode}:\n"
                          f"{self.load.last_words()}")
        for _, act in acts:
            act()
        self.settle()

    def kill(self):
        self.gateways[KILLED].process.kill()
        self.gateways[KILLED].process.wait()
        self.say(f"gateway {KILLED} is killed (SIGKILL)")

    def bring_back(self):
        self.start_gateway(KILLED)
        self.say(f"gateway {KILLED} is started again")

    def say(self, text):
        end = "\n" if sys.stdout.isatty() else ""
        print(f"{end}  --> {time.monotonic() - self.begin:4.0f} s  {text}", flush=True)

    def alive_or_problem(self):
        down = self.gateways[KILLED].process.returncode == -signal.SIGKILL
        for child in [self.agent, *self.gateways.values(), *(sink for sink, _, _ in self.sinks.values())]:
            if not child.alive and not (down and child is self.gateways[KILLED]):
                raise Problem(f"the {child.name} ended with code {child.process.returncode}:\n{child.last_words()}")

    def delivered(self):
        return {number: json.loads(fetch(control, "/counts"))["spans"]
                for number, (_, _, control) in self.sinks.items()}

    def live_line(self):
        counts = self.delivered()
        parts = [f"{time.monotonic() - self.begin:5.0f} s", f"delivered {sum(counts.values()):,} spans:"]
        parts += [f"gateway {number} {count:,}" for number, count in counts.items()]
        text = "  " + "   ".join(parts)
        if sys.stdout.isatty():
            print(f"\r{text}\033[K", end="", flush=True)
        else:
            print(text, flush=True)

    def settle(self):
        """Until nothing more arrives."""
        seen, quiet_since = {}, time.monotonic()
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end and time.monotonic() - quiet_since < QUIET_S:
            counts = self.delivered()
            if counts != seen:
                seen, quiet_since = counts, time.monotonic()
            time.sleep(0.25)
        self.live_line()
        if sys.stdout.isatty():
            print()

    def finish(self):
        page = fetch(self.page, "/metrics/all").splitlines()
        codes = {child.name: child.stop() for child in [self.agent, *self.gateways.values()]}
        for sink, _, _ in self.sinks.values():
            sink.stop()
        return page, codes


def summary(show, page, codes):
    accepted = {(trace, span) for trace, span, state, *_ in records(OUT / "sent.bin", SENT) if state == 0}
    delivered, traces = collections.Counter(), collections.defaultdict(set)
    print("\nWhat happened")
    print(f"  accepted     {len(accepted):>9,} spans by the agent")
    for number in GATEWAYS:
        keys = list(records(OUT / f"delivered-{number}.bin", RECEIVED))
        delivered.update(keys)
        for trace, _ in keys:
            traces[trace].add(number)
        print(f"  gateway {number}    {len(keys):>9,} spans delivered"
              f"{', although it was killed and started again' if number == KILLED else ''}")
    lost = accepted - delivered.keys()
    twice = sum(count - 1 for count in delivered.values())
    moved = sum(len(numbers) > 1 for numbers in traces.values())
    rerouted = sum(float(line.rpartition(" ")[2]) for line in page
                   if line.startswith("spanweir_loadbalancer_rerouted_spans"))
    print(f"  delivered    {len(delivered):>9,} spans in all, {twice:,} of them twice, {len(lost):,} lost")
    print(f"  re-routed    {rerouted:>9,.0f} spans that waited for gateway {KILLED} when it was killed")
    print(f"  moved        {moved:>9,} of {len(traces):,} traces have spans at two gateways: "
          "their owner died or came back")
    bad = {name: code for name, code in codes.items() if code != 0}
    for name, code in bad.items():
        print(f"  the {name} ended with code {code}; see {OUT / (name + '.log')}")
    print("\nBy hand: deploy/examples/agent-balance.yaml with agent-balance.conf, and gateway-relay.yaml three times.")
    print("Who owns a trace: build/spanweir route TRACE_ID --config deploy/examples/agent-balance.yaml")
    return 1 if bad or lost else 0


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/quickstart", description=__doc__)
    parser.add_argument("--kill-gateway", action="store_true", required=True)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--rate", type=int, default=4000)
    parser.add_argument("--yes", "-y", action="store_true")
    return parser.parse_args()


def main():
    options = arguments()
    options.config = None
    show = TierShow(options)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        print("\nAn agent and three gateways on loopback")
        show.start()
        show.traffic()
        return summary(show, *show.finish())
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)     # the end is quick; let it finish
        show.end()


if __name__ == "__main__":
    sys.exit(main())
