"""Set-ups of the system tests: an agent and a gateway between a client and a backend."""
import contextlib
import json
import os
import pathlib
import signal
import shutil
import socket
import subprocess
import tempfile
import time
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


def wait_for(what, limit=30):
    """The first truth that `what` answers; its last answer when there is none for so long."""
    end = time.monotonic() + limit
    while not (answer := what()) and time.monotonic() < end:
        time.sleep(0.05)
    return answer


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

    def agent(self, gateway, environment, config=EXAMPLES / "agent.yaml"):
        """deploy/examples/agent.yaml or another file that takes the same variables."""
        grpc, http, health, page = free_ports(4)
        program = self.program(config, health=health, environment={
            "AGENT_GRPC": f"127.0.0.1:{grpc}", "AGENT_HTTP": f"127.0.0.1:{http}",
            "AGENT_HEALTH": f"127.0.0.1:{health}", "AGENT_METRICS": str(page), "GATEWAY": gateway.grpc,
            **environment})
        return Gateway(program, f"127.0.0.1:{grpc}", f"127.0.0.1:{http}", page)

    def simple(self, exporters, *, processors=None, environment=None, receiver=None, pipelines=("traces",),
               reader=None, **keywords):
        """otlp receiver, `processors`, all of `exporters` in each pipeline. {name: configuration} each."""
        grpc, http = free_ports(2)
        processors = processors or {}
        tree = {
            "receivers": {"otlp": receiver or {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"},
                                                             "http": {"endpoint": f"127.0.0.1:{http}"}}}},
            "exporters": exporters,
            "service": {"pipelines": {name: {"receivers": ["otlp"], "processors": list(processors),
                                             "exporters": list(exporters)} for name in pipelines}},
        }
        if processors:
            tree["processors"] = processors
        (page,) = free_ports(1)
        tree["service"]["telemetry"] = {"metrics": {"readers": [
            {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": page, **(reader or {})}}}}]}}
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


class Daemon:
    """A program from a Debian package, in a folder of its own; ready as soon as all `ports` are open."""

    def __init__(self, name, files, arguments, ports):
        self._folder = tempfile.TemporaryDirectory(prefix=f"{name}-")
        self.folder = pathlib.Path(self._folder.name)
        for file, text in files.items():
            (self.folder / file).write_text(text.replace("@dir@", str(self.folder)), encoding="utf-8")
        # Debian's servers are in sbin, which is not on everybody's PATH.
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        assert path, f"there is no {name}; scripts/setup --tests installs it"
        self._log = open(self.folder / "log", "wb")
        self._process = subprocess.Popen([path, *(a.replace("@dir@", str(self.folder)) for a in arguments)],
                                         stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT)
        if not all(wait_for(lambda port=port: self._is_open(port)) for port in ports):
            text = self.log()
            self.close()
            raise RuntimeError(f"{name} did not start: {text[-900:]}")

    def _is_open(self, port):
        if self._process.poll() is not None:
            return False
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0

    def log(self):
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def close(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()
        self._folder.cleanup()


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
