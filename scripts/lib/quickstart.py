"""The part of scripts/quickstart that comes after the build. Standard library only."""
import argparse
import collections
import ctypes
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "deploy" / "examples"
OUT = ROOT / "build" / "quickstart"
TICKS = os.sysconf("SC_CLK_TCK")
DECISION_WAIT = 3
LATE_BY = DECISION_WAIT + 3                       # late means: after the decision
READY_WITHIN = 10
KEEP_MINUTES = 60                                # what was sent is recorded: 0.5 GB in that time
PR_SET_PDEATHSIG = 1


class Problem(Exception):
    """Ends the show with a text for the user."""


def free_ports(count):
    """Free ports below the range that the kernel takes for outgoing connections."""
    found = set()
    while len(found) < count:
        port = random.randrange(15000, 32000)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
                found.add(port)
            except OSError:
                pass
    return list(found)


def fetch(port, path, timeout=2):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as answer:
        return answer.read().decode()


class Child:
    """A process that ends with us, whatever happens to us."""

    def __init__(self, name, arguments, environment=None):
        self.name = name
        self.log = OUT / f"{name}.log"
        libc = ctypes.CDLL(None)
        with open(self.log, "wb") as log:
            # A session of its own: Ctrl-C comes to us alone, and we end things in order.
            self.process = subprocess.Popen(
                [str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})}, start_new_session=True,
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        self.cpu = 0.0

    @property
    def alive(self):
        return self.process.poll() is None

    def look(self):
        """Updates CPU seconds; (CPU seconds, RSS in MiB)."""
        try:
            fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
            fields = fields.rpartition(")")[2].split()
            self.cpu = (int(fields[11]) + int(fields[12])) / TICKS
            return self.cpu, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024
        except OSError:
            return self.cpu, 0

    def last_words(self):
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
        return "".join(f"    {line}\n" for line in lines)

    def stop(self, number=signal.SIGTERM, patience=20):
        """Ends it; the exit code."""
        self.look()
        if self.alive:
            self.process.send_signal(number)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def wait_for(child, what, ready):
    """Until ready() is true; its value."""
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end:
        if not child.alive:
            break
        try:
            if value := ready():
                return value
        except OSError:
            pass
        time.sleep(0.05)
    how = "is not ready" if child.alive else f"ended with code {child.process.returncode}"
    raise Problem(f"{what} {how}; its last words ({child.log}):\n{child.last_words()}")


def connects(address):
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout=1):
        return True


# --- a configuration of the user's ---------------------------------------------------------------


def scalars(text):
    """(path, value) for the scalars of a printed configuration: block style, as print-config writes it."""
    stack = []
    for line in text.splitlines():
        bare = line.lstrip()
        depth = len(line) - len(bare)
        while bare.startswith("- "):
            stack = [level for level in stack if level[0] < depth] + [(depth, "-")]
            depth, bare = depth + 2, bare[2:]
        key, colon, value = bare.partition(":")
        if not colon:
            continue
        stack = [level for level in stack if level[0] < depth] + [(depth, key.strip("\"'"))]
        if value.strip():
            yield tuple(name for _, name in stack), value.strip().strip("\"'")


def addresses_of(binary, path, environment):
    """(gRPC endpoint of the otlp receiver, port of the metrics page or None)"""
    done = subprocess.run([binary, "print-config", "--config", str(path)], capture_output=True, text=True,
                          check=False, env={**os.environ, **environment})
    if done.returncode != 0:
        raise Problem(f"{path} is refused:\n{done.stderr.strip() or done.stdout.strip()}")
    grpc = page = None
    for names, value in scalars(done.stdout):
        if names[0] == "receivers" and names[2:] == ("protocols", "grpc", "endpoint"):
            grpc = grpc or value
        if names[:3] == ("service", "telemetry", "metrics") and names[-2:] == ("prometheus", "port"):
            page = page or int(value)
    if grpc is None:
        raise Problem(f"{path} has no otlp receiver with gRPC, and that is how the agent sends")
    return grpc.replace("0.0.0.0:", "127.0.0.1:", 1), page


# --- the show ------------------------------------------------------------------------------------


class Show:
    def __init__(self, options):
        self.options = options
        self.binary = os.path.abspath(os.environ.get("SPANWEIR_BINARY") or ROOT / "build" / "spanweir")
        self.tools = pathlib.Path(os.environ.get("SPANWEIR_PERF") or ROOT / "build" / "perf")
        self.children = []
        self.page = None
        self.begin = 0.0

    def child(self, *arguments, **keywords):
        child = Child(*arguments, **keywords)
        self.children.append(child)
        return child

    def start(self):
        OUT.mkdir(parents=True, exist_ok=True)
        for old in ("sent.bin", "kept.bin", "kept-traces.txt", "load.json"):
            (OUT / old).unlink(missing_ok=True)
        self.start_sink()
        ports = free_ports(7)
        self.environment = {
            "BACKEND": f"127.0.0.1:{self.sink_port}", "DECISION_WAIT": f"{DECISION_WAIT}s",
            "GATEWAY_GRPC": f"127.0.0.1:{ports[0]}", "GATEWAY_HEALTH": f"127.0.0.1:{ports[1]}",
            "GATEWAY_METRICS": str(ports[2]), "AGENT_GRPC": f"127.0.0.1:{ports[3]}",
            "AGENT_HTTP": f"127.0.0.1:{ports[4]}", "AGENT_HEALTH": f"127.0.0.1:{ports[5]}",
            "AGENT_METRICS": str(ports[6])}
        grpc, ready = self.start_gateway()
        self.environment["GATEWAY"] = grpc
        self.agent = self.child("agent", [self.binary, "--config", EXAMPLES / "agent.yaml"],
                                environment=self.environment)
        agent_ready = f"http://{self.environment['AGENT_HEALTH']}/"
        wait_for(self.agent, "the agent", lambda: urllib.request.urlopen(agent_ready, timeout=1).status == 200)
        print(f"  backend   127.0.0.1:{self.sink_port}   (sw-sink)")
        print(f"  gateway   {grpc}   {ready}")
        print(f"  agent     {self.environment['AGENT_GRPC']} and, over HTTP, {self.environment['AGENT_HTTP']}   "
              "health 200")
        if self.page:
            print(f"  metrics   http://127.0.0.1:{self.page}/metrics")

    def start_sink(self):
        self.sink = self.child("backend", [self.tools / "sw-sink", "--record", OUT / "kept.bin", "--control",
                                           "127.0.0.1:0", "127.0.0.1:0"])

        def ports():
            line = self.sink.log.read_text(encoding="utf-8").partition("\n")
            return json.loads(line[0]) if line[1] else None

        ports = wait_for(self.sink, "the backend", ports)
        self.sink_port, self.sink_control = ports["listening"], ports["control"]

    @staticmethod
    def window():
        """The example's appliance file, its window in a folder of this run."""
        text = (EXAMPLES / "gateway.conf").read_text(encoding="utf-8")
        path = OUT / "gateway.conf"
        path.write_text(text.replace("/dev/shm/spanweir", str(OUT / "window")), encoding="utf-8")
        return path

    def start_gateway(self):
        """(address, what its health check says)"""
        path = self.options.config or EXAMPLES / "gateway.yaml"
        if self.options.config:
            grpc, self.page = addresses_of(self.binary, path, self.environment)
        else:
            grpc, self.page = self.environment["GATEWAY_GRPC"], int(self.environment["GATEWAY_METRICS"])
        appliance = [] if self.options.config else ["--appliance", self.window()]
        self.gateway = self.child("gateway", [self.binary, "--config", path, *appliance],
                                  environment=self.environment)
        wait_for(self.gateway, "the gateway", lambda: connects(grpc))
        if self.options.config:
            return grpc, str(path)
        url = f"http://{self.environment['GATEWAY_HEALTH']}/"
        wait_for(self.gateway, "the gateway", lambda: urllib.request.urlopen(url, timeout=1).status == 200)
        return grpc, "health 200"

    def traffic(self):
        """Sends, with a live line, until the time is over or Ctrl-C."""
        length = f"{KEEP_MINUTES}m" if self.options.keep else f"{self.options.seconds}s"
        self.load = self.child("load", [
            self.tools / "sw-loadgen", "--duration", length, "--rate", self.options.rate, "--request", "50",
            "--per-trace", "8", "--errors", "3%", "--slow", "2%", "--late", "2%", "--late-by", f"{LATE_BY}s",
            "--scatter", "5", "--on-refusal", "retry", "--seed", random.randrange(1, 1 << 32),
            "--record", OUT / "sent.bin", "--summary", OUT / "load.json", "--progress", "500ms",
            self.environment["AGENT_GRPC"]])
        how = "until Ctrl-C, an hour at most" if self.options.keep else f"{self.options.seconds} s, and late spans after it"
        print(f"\nTraffic: {self.options.rate} spans a second, {how}")
        self.begin = time.monotonic()
        shown = 0.0
        while self.load.alive:
            self.alive_or_problem()
            if sys.stdout.isatty() or time.monotonic() - shown > 3:
                shown = time.monotonic()
                self.live_line()
            time.sleep(0.5)
        if self.load.process.returncode != 0:
            raise Problem(f"the load generator ended with code {self.load.process.returncode}:\n"
                          f"{self.load.last_words()}")
        self.settle()

    def alive_or_problem(self):
        for child in (self.sink, self.gateway, self.agent):
            if not child.alive:
                raise Problem(f"the {child.name} ended with code {child.process.returncode}:\n{child.last_words()}")

    def live_line(self):
        sent = 0
        for line in reversed(self.load.log.read_text(encoding="utf-8").splitlines()):
            try:
                sent = json.loads(line)["acked"]
                break
            except (ValueError, KeyError):
                continue
        counts = json.loads(fetch(self.sink_control, "/counts"))
        parts = [f"{time.monotonic() - self.begin:5.0f} s", f"sent {sent:,} spans", f"kept {counts['spans']:,}"]
        for child in (self.agent, self.gateway):
            cpu, rss = child.look()
            parts.append(f"{child.name} {cpu:.2f} s CPU, {rss:.0f} MiB")
        text = "  " + "   ".join(parts)
        if sys.stdout.isatty():
            print(f"\r{text}\033[K", end="", flush=True)
        else:
            print(text, flush=True)

    def settle(self):
        """Until what was held has been decided and has arrived."""
        self.live_line()
        seen, quiet_since = -1, time.monotonic()
        end = time.monotonic() + 4 * DECISION_WAIT + 10
        while time.monotonic() < end and time.monotonic() - quiet_since < DECISION_WAIT + 2.5:
            spans = json.loads(fetch(self.sink_control, "/counts"))["spans"]
            if spans != seen:
                seen, quiet_since = spans, time.monotonic()
            time.sleep(0.25)
        self.live_line()
        if sys.stdout.isatty():
            print()

    def finish(self):
        """Reads the metrics, ends everything in the order of the flow; numbers for the summary."""
        metrics = self.metrics()
        codes = {child.name: child.stop() for child in (self.agent, self.gateway)}
        self.sink.stop()
        load = json.loads((OUT / "load.json").read_text(encoding="utf-8"))
        sink = json.loads(self.sink.log.read_text(encoding="utf-8").splitlines()[-1])
        return metrics, codes, load, sink

    def metrics(self):
        """{policy: traces it sampled}, traces not sampled"""
        policies, rest = collections.Counter(), None
        try:
            lines = fetch(self.page, "/metrics").splitlines() if self.page else []
        except OSError:
            lines = []
        for line in lines:
            name, _, value = line.rpartition(" ")
            name, _, labels = name.partition("{")
            name = name.removesuffix("_total")
            if name == "otelcol_processor_tail_sampling_count_traces_sampled" and 'sampled="true"' in labels:
                policy = labels.partition('policy="')[2].partition('"')[0]
                policies[policy] += int(float(value))
            if name == "otelcol_processor_tail_sampling_global_count_traces_sampled" and 'sampled="false"' in labels:
                rest = (rest or 0) + int(float(value))
        return policies, rest

    def end(self):
        """Nothing stays behind."""
        for child in reversed(self.children):
            if child.alive:
                child.stop(patience=3)


# --- the summary ---------------------------------------------------------------------------------

HEADER = struct.Struct("<8sQIIQ32x")                # perf/loadgen/record.h
SENT = struct.Struct("<16s8sBBHHH")
RECEIVED = struct.Struct("<16s8s")
ERROR, SLOW, LATE = 1, 2, 4


def records(path, kind):
    data = path.read_bytes()[HEADER.size:]
    return kind.iter_unpack(data[:len(data) // kind.size * kind.size])


def sent_traces():
    """{trace ID: flags of its spans together}, acknowledged spans only."""
    traces = collections.defaultdict(int)
    for trace, _, state, flags, *_ in records(OUT / "sent.bin", SENT):
        if state == 0:
            traces[trace] |= flags
    return traces


def write_kept(sent):
    """kept-traces.txt: one line a trace. {trace: spans}"""
    kept = collections.Counter(trace for trace, _ in records(OUT / "kept.bin", RECEIVED))
    words = {0: "share of the rest", ERROR: "error", SLOW: "slow", ERROR | SLOW: "error, slow"}
    with open(OUT / "kept-traces.txt", "w", encoding="utf-8") as file:
        for trace, spans in kept.items():
            flags = sent.get(trace, 0)
            late = ", with late spans" if flags & LATE else ""
            file.write(f"{trace.hex()}  {spans:3d} spans  {words[flags & (ERROR | SLOW)]}{late}\n")
    return kept


def size(count):
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def summary(show, metrics, codes, load, sink):
    sent = sent_traces()
    kept = write_kept(sent)
    flags = collections.Counter()
    for value in sent.values():
        for flag in (ERROR, SLOW, LATE):
            flags[flag] += bool(value & flag)
    policies, rest = metrics
    print("\nWhat happened")
    print(f"  sent          {len(sent):>9,} traces   {load['acked']:,} spans, {size(load['body_bytes'])}; "
          f"{flags[ERROR]:,} with an error, {flags[SLOW]:,} slow, {flags[LATE]:,} with late spans")
    if load["refused"] or load["unknown"] or load["not_sent"]:
        print(f"  not taken     {load['refused'] + load['unknown'] + load['not_sent']:>9,} spans")
    print(f"  kept          {len(kept):>9,} traces   {sink['spans']:,} spans, {size(sink['body_bytes'])} "
          "(compressed) at the backend")
    for policy, count in policies.most_common():
        print(f"    by policy   {count:>9,}   {policy}")
    if sum(policies.values()) > len(kept):
        print("                            (a trace may count for several policies)")
    if rest is not None:
        print(f"  not sampled   {rest:>9,} traces")
    spans = max(load["acked"], 1)
    for child in (show.agent, show.gateway):
        print(f"  CPU           {child.cpu:>7.2f} s   {child.name} ({child.cpu * 1e6 / spans:.2f} s a million spans)")
    latency = load["latency_ms"]
    print(f"  answers       p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms")
    print(f"  kept traces   {(OUT / 'kept-traces.txt').relative_to(ROOT)}")
    bad = {name: code for name, code in codes.items() if code != 0}
    lost = [trace for trace, value in sent.items() if value & (ERROR | SLOW) and trace not in kept]
    if not show.options.config and lost:
        print(f"  MISSING       {len(lost)} traces with errors or slow ones did not arrive")
    for name, code in bad.items():
        print(f"  the {name} ended with code {code}; see {OUT / (name + '.log')}")
    print("\nKeep it running: scripts/quickstart --keep.  Your own configuration: scripts/quickstart --config MY.yaml")
    print(f"By hand: build/spanweir --config {EXAMPLES.relative_to(ROOT)}/gateway.yaml, and agent.yaml beside it.")
    return 1 if bad or (lost and not show.options.config) else 0


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/quickstart", description=__doc__)
    parser.add_argument("--config", type=pathlib.Path, metavar="MY.yaml")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=4000)
    parser.add_argument("--yes", "-y", action="store_true")
    return parser.parse_args()


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    show = Show(arguments())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        print("\nAgent and gateway on loopback")
        show.start()
        try:
            show.traffic()
        except KeyboardInterrupt:
            # The first Ctrl-C ends the traffic, not the show: what was sent gets its summary.
            print("\nEnding; once more Ctrl-C ends at once")
            if not getattr(show, "load", None):
                return 130
            show.load.stop(signal.SIGINT)
            show.settle()
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
