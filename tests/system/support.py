"""Set-ups of the system tests: an agent and a gateway between a client and a backend."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import urllib.request

from sut import otlp
from sut.ports import free_ports
from sut.program import Program, run

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXAMPLES = ROOT / "deploy" / "examples"
JS = HERE / "js"


def is_spanweir(binary):
    code, text, _ = run(binary, ["--version"])
    return code == 0 and "spanweir" in text


class Gateway:
    """A running program with its addresses."""

    def __init__(self, program, grpc, http=None, page=None):
        self.program, self.grpc, self.http, self.page = program, grpc, http, page

    def metrics(self, path="/metrics"):
        """The metrics page as {name{labels}: value}; spanweir's own families are at /metrics/all."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page}{path}", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (
            line.rpartition(" ") for line in lines if line and not line.startswith("#"))}


class Stage(contextlib.ExitStack):
    """Starts things; leaving it ends them."""

    def __init__(self, binary):
        super().__init__()
        self.binary = binary

    def backend(self, kind, *arguments, **keywords):
        backend = kind(*arguments, **keywords)
        self.callback(backend.close)
        return backend

    def program(self, config, **keywords):
        return self.enter_context(Program(self.binary, config, **keywords))

    def gateway(self, config, environment):
        """deploy/examples/gateway.yaml or another file that takes the same variables."""
        grpc, health, page = free_ports(3)
        program = self.program(config, health=health, environment={
            "GATEWAY_GRPC": f"127.0.0.1:{grpc}", "GATEWAY_HEALTH": f"127.0.0.1:{health}",
            "GATEWAY_METRICS": str(page), "DECISION_WAIT": "1s", **environment})
        return Gateway(program, f"127.0.0.1:{grpc}", page=page)

    def agent(self, gateway, environment):
        grpc, http, health, page = free_ports(4)
        program = self.program(EXAMPLES / "agent.yaml", health=health, environment={
            "AGENT_GRPC": f"127.0.0.1:{grpc}", "AGENT_HTTP": f"127.0.0.1:{http}",
            "AGENT_HEALTH": f"127.0.0.1:{health}", "AGENT_METRICS": str(page), "GATEWAY": gateway.grpc,
            **environment})
        return Gateway(program, f"127.0.0.1:{grpc}", f"127.0.0.1:{http}", page)

    def simple(self, exporters, *, processors=None, environment=None, receiver=None, **keywords):
        """One pipeline: otlp receiver, `processors`, all of `exporters`. {name: configuration} each."""
        grpc, http = free_ports(2)
        processors = processors or {}
        tree = {
            "receivers": {"otlp": receiver or {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"},
                                                             "http": {"endpoint": f"127.0.0.1:{http}"}}}},
            "exporters": exporters,
            "service": {"pipelines": {"traces": {"receivers": ["otlp"], "processors": list(processors),
                                                 "exporters": list(exporters)}}},
        }
        if processors:
            tree["processors"] = processors
        (page,) = free_ports(1)
        tree["service"]["telemetry"] = {"metrics": {"readers": [
            {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": page}}}}]}}
        program = self.program(tree, environment=environment, own_page=True, **keywords)
        return Gateway(program, f"127.0.0.1:{grpc}", f"127.0.0.1:{http}", page)


def otlp_to(backend, **more):
    """An exporter's configuration for a gRPC backend."""
    return {"endpoint": backend.address, "tls": {"insecure": True}, **more}


def request(spans, service="test"):
    """An export request (bytes) of spans given as OTLP/JSON."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return otlp.from_json({"resourceSpans": [{"resource": resource, "scopeSpans": [
        {"scope": {"name": "system"}, "spans": spans}]}]}).SerializeToString()


def span(trace, number, *, error=False, name="work", milliseconds=5):
    """A small span; `trace` and `number` make its identifiers."""
    start = 1_760_000_000_000_000_000
    return {"traceId": f"{trace:032x}", "spanId": f"{(trace << 16) + number:016x}", "name": name, "kind": 2,
            "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + milliseconds * 1_000_000),
            "status": {"code": 2 if error else 0}}


def ids(backend):
    """(trace, span) identifiers of everything that arrived, in order; repeats stay."""
    return [(int(s.trace_id.hex(), 16), int(s.span_id.hex(), 16)) for _, _, s in backend.spans()]


def sent_ids(spans):
    return [(int(s["traceId"], 16), int(s["spanId"], 16)) for s in spans]


class JsBackend:
    """tests/system/js/backend.js: a grpc-js server that prints every span as a line of JSON."""

    def __init__(self):
        self._process = subprocess.Popen(["node", str(JS / "backend.js")], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, text=True, env={**os.environ})
        self.address = f"127.0.0.1:{json.loads(self._process.stdout.readline())['port']}"

    def finish(self):
        """Ends it; every span that it took."""
        self._process.send_signal(signal.SIGTERM)
        text, _ = self._process.communicate(timeout=20)
        return [json.loads(line) for line in text.splitlines()]

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
