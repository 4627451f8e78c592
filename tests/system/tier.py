"""A tier of gateways behind agents that balance: traffic, the backend that says who sent what, the books."""
import bisect
import collections
import contextlib
import itertools
import pathlib
import struct
import threading
import time
import zlib

import grpc

import signals
import support
from sut import otlp
from sut.clients import Sender
from sut.ports import free_ports
from sut.program import Program

GATEWAY = support.HERE / "configs" / "tier-gateway.yaml"
QUICK_RETRY = {"initial_interval": "100ms", "max_interval": "300ms", "max_elapsed_time": "0s"}
# Long enough for an answer to be on its way when a gateway is killed, on a busy machine.
ANSWER_S = 2.0


class Sink(signals.SignalsBackend):
    """The backend of all gateways; knows each span's gateways and when it was taken."""

    def __init__(self, port=0, unix=None):
        self.where = collections.defaultdict(list)           # {(trace, span): [(gateway, seconds), …]}
        super().__init__(port, unix)

    def add(self, arrival):
        if arrival.path == otlp.EXPORT:
            gateway = gateway_of(arrival)
            keys = [(int.from_bytes(span.trace_id, "big"), int.from_bytes(span.span_id, "big"))
                    for _, _, span in otlp.spans(arrival.message())]
            with self._news:
                for key in keys:
                    self.where[key].append((gateway, arrival.at))
        super().add(arrival)

    def has(self, keys):
        with self._news:
            return keys <= self.where.keys()

    def books(self):
        with self._news:
            return {key: list(arrivals) for key, arrivals in self.where.items()}

    def counts(self):
        """{gateway: spans}"""
        return collections.Counter(name for arrivals in self.books().values() for name, _ in arrivals)


def gateway_of(arrival):
    return next((value for name, value in arrival.headers if name == "gateway"), "")


_first_trace = itertools.count(1)


class Traffic(threading.Thread):
    """Sends without a pause to speak of until it is told to stop; remembers what was accepted.

    The spans of a trace are spread over two requests. `send` maps a body to (code, text), 0 being success;
    refused requests are sent again, as clients do. Where it is unknown what became of one, the traffic ends.
    """

    def __init__(self, send, *, pause=0.02, traces=8):
        super().__init__(daemon=True)
        self.accepted, self.refused, self.trouble = set(), 0, None
        self._send, self._pause, self._traces = send, pause, traces
        self._next = next(_first_trace) * 10_000_000
        self._done = threading.Event()
        self.start()

    def run(self):
        try:
            while not self._done.is_set():
                traces = [_scattered(self._next + n) for n in range(self._traces)]
                self._next += self._traces
                for half in range(2):
                    self._request([support.span(trace, 2 * half + n) for trace in traces for n in range(2)])
                    self._done.wait(self._pause)
        except Exception as error:                                       # noqa: BLE001, shown by stop
            self.trouble = error

    def _request(self, spans):
        body = support.request(spans)
        while (answer := self._send(body))[0] != 0:
            self.refused += 1
            if answer[0] == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]:
                raise TimeoutError(answer[1])
            if self._done.wait(0.05):
                return
        self.accepted.update(support.sent_ids(spans))

    def stop(self):
        """Ends it; what was accepted."""
        self._done.set()
        self.join(60)
        assert self.trouble is None, self.trouble
        return self.accepted

    def wait_more(self, spans, limit=30):
        """Until so many more were accepted."""
        aim = len(self.accepted) + spans
        assert support.wait_for(lambda: len(self.accepted) >= aim or self.trouble, limit), \
            f"{len(self.accepted)} accepted of {aim}, {self.refused} requests refused"


def _scattered(number):
    """Numbers in no order; each once, as the factor is odd."""
    return number * 0x9E3779B97F4B & (1 << 48) - 1


class Tier:
    """Gateways with their names, and what they and their agents are started with."""

    def __init__(self, start, sink=None):
        self.start = start
        self.sink = sink or start.backend(Sink)
        self.gateways = {}                                               # name: Program
        self.addresses = {}
        self.killed = {}                                                 # name: [[killed, started again], …]
        self.appliance = {}

    def address(self, number):
        """Each gateway has an address of its own: all of 127/8 is loopback."""
        name = f"gw-{number}"
        if name not in self.addresses:
            self.addresses[name] = f"127.0.0.{10 + number}:{free_ports(1)[0]}"
        return name, self.addresses[name]

    def gateway(self, number, binary=None):
        """Starts one, or starts it again."""
        name, address = self.address(number)
        (health,) = free_ports(1)
        program = Program(binary or self.start.binary, GATEWAY, health=health, environment={
            "GATEWAY_GRPC": address, "GATEWAY_NAME": name, "GATEWAY_HEALTH": f"127.0.0.1:{health}",
            "BACKEND": self.sink.address})
        self.started(name, program)
        return program

    def started(self, name, program):
        for times in self.killed.get(name, [])[-1:]:
            times[1] = time.monotonic()
        self.gateways[name] = self.start.enter_context(program)

    def kill(self, number):
        name = f"gw-{number}"
        self.killed.setdefault(name, []).append([time.monotonic(), float("inf")])
        self.gateways[name].process.kill()
        self.gateways[name].process.wait()

    def agent(self, numbers, *, protocol=None, environment=None, binary=None, pipelines=("traces",), **more):
        """An agent with a list of gateways; `more` are keys of its exporter."""
        exporter = {"resolver": {"static": {"hostnames": [self.address(n)[1] for n in numbers]}},
                    "protocol": {"otlp": {"tls": {"insecure": True}, "compression": "none",
                                          "retry_on_failure": QUICK_RETRY, **(protocol or {})}}, **more}
        stage = contextlib.nullcontext(self.start) if binary is None else _other(self.start, binary)
        with stage as start:
            return start.simple({"load_balancing": exporter}, environment=environment, pipelines=pipelines)

    def ring(self, numbers):
        return Ring({address: name for name, address in map(self.address, numbers)})

    def settle(self, accepted, limit=60):
        """Until everything accepted has arrived; then {(trace, span): arrivals}."""
        support.wait_for(lambda: self.sink.has(accepted), limit)
        self.sink.wait_quiet(0.3)
        return self.sink.books()

    def check(self, accepted, limit=60):
        """The books: nothing is lost; a span came twice only where a killed gateway had it and may not have answered."""
        where = self.settle(accepted, limit)
        lost = accepted - where.keys()
        assert not lost, f"{len(lost)} of {len(accepted)} spans were accepted and lost"
        twice = {key: arrivals for key, arrivals in where.items() if len(arrivals) > 1}
        wrong = {key: arrivals for key, arrivals in twice.items() if not self._is_excused(arrivals)}
        assert not wrong, f"{len(wrong)} spans came twice: {dict(itertools.islice(wrong.items(), 3))}"
        return where

    def _is_excused(self, arrivals):
        """All but one came over a gateway that was killed about then. The backend may be slower than the end."""
        cut = [name for name, at in arrivals if any(killed - ANSWER_S < at < back
                                                     for killed, back in self.killed.get(name, []))]
        return len(cut) >= len(arrivals) - 1


@contextlib.contextmanager
def _other(stage, binary):
    """The stage with another program under test."""
    own, stage.binary = stage.binary, binary
    try:
        yield stage
    finally:
        stage.binary = own


class Ring:
    """The Collector's ring as v0.159 has it, by another hand than the product's; endpoints {text: name}."""
    POSITIONS, POINTS, PROBES = 131071, 200, 10

    def __init__(self, endpoints):
        points = sorted((h % self.POSITIONS, h, text) for text in map(str.encode, endpoints) for h in
                        (zlib.crc32(text + struct.pack("<I", i)) for i in range(self.POINTS)))
        owners = {}
        for position, _, text in points:
            free = (p % self.POSITIONS for p in range(position, position + self.PROBES))
            if (place := next((p for p in free if p not in owners), None)) is not None:
                owners[place] = endpoints[text.decode()]
        self._positions = sorted(owners)
        self._owners = owners

    def owner(self, trace):
        position = zlib.crc32(trace.to_bytes(16, "big")) % self.POSITIONS
        index = bisect.bisect_left(self._positions, position) % len(self._positions)
        return self._owners[self._positions[index]]


def traffic(start, front, **keywords):
    """Traffic over gRPC to a program, stopped at the end of the test."""
    sender = start.enter_context(Sender(front.grpc))
    load = Traffic(lambda body: sender.send(body, timeout=10), **keywords)
    start.callback(load.stop)
    return load


def split_traces(where):
    """{trace: gateways} of those that more than one gateway has."""
    gateways = collections.defaultdict(set)
    for (trace, _), arrivals in where.items():
        gateways[trace].update(name for name, _ in arrivals)
    return {trace: names for trace, names in gateways.items() if len(names) > 1}


def appliance(folder, exporter="load_balancing", workers=1, **settings):
    """Environment with settings of ours for the exporter."""
    path = pathlib.Path(folder) / f"appliance-{workers}-{'-'.join(settings)}.conf"
    text = " ".join(f'{name} = "{value}";' for name, value in settings.items())
    part = f'components = ( {{ kind = "exporter"; id = "{exporter}"; {text} }} );\n' if settings else ""
    path.write_text(f"workers = {workers};\n{part}", encoding="utf-8")
    return {"SPANWEIR_APPLIANCE": str(path)}
