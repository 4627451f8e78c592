"""Spans of real SDKs, through an agent and a gateway, into real backends: each arrives once, as it was."""
import json
import subprocess
import threading

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

import support
from sut import otlp
from sut.backends import GrpcBackend, HttpBackend

TRACES = 150
EVERYTHING = {"SAMPLING_PERCENTAGE": "100", "NODE_NAME": "node-7", "DEPLOYMENT_ENVIRONMENT": "test"}
OF_THE_AGENT = {"deployment.environment.name": "test", "host.name": "node-7"}


class Counting:
    """An exporter in front of another that remembers failures; the SDK would only log them."""

    def __init__(self, exporter):
        self._exporter, self.failures, self._lock = exporter, 0, threading.Lock()

    def export(self, spans):
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            with self._lock:
                self.failures += 1
        return result

    def shutdown(self):
        self._exporter.shutdown()

    def force_flush(self, timeout_millis=30000):
        return self._exporter.force_flush(timeout_millis)


def python_exporter(protocol, compression, agent):
    if protocol == "grpc":
        kind = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
        return GrpcExporter(endpoint=agent.grpc, insecure=True, compression=kind)
    kind = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    return HttpExporter(endpoint=f"http://{agent.http}/v1/traces", compression=kind)


def send_with_python(protocol, compression, agent):
    """{span ID: (trace ID, name, attributes)} of what was sent."""
    exporter = Counting(python_exporter(protocol, compression, agent))
    provider = TracerProvider(resource=Resource.create({"service.name": "python-shop", "service.version": "1.2.3"}))
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=100000, max_export_batch_size=64))
    tracer = provider.get_tracer("python-system-test", "0.1")
    sent = {}

    def span(name, kind, attributes, parent=None):
        made = tracer.start_span(name, context=parent and set_span_in_context(parent), kind=kind, attributes=attributes)
        context = made.get_span_context()
        sent[f"{context.span_id:016x}"] = (f"{context.trace_id:032x}", name, attributes)
        return made

    for i in range(TRACES):
        root = span("GET /items", SpanKind.SERVER, {
            "http.route": f"/items/{i}", "number": i, "huge": 2**62 + i, "ratio": i + 0.5, "flag": i % 2 == 0,
            "list": ["ä", "日本", ""], "empty": ""})
        inner = span("query", SpanKind.CLIENT, {"db.statement": "SELECT " + "x" * (7 * i)}, root)
        inner.add_event("retry", {"attempt": 1})
        inner.end()
        if i % 5 == 0:
            root.set_status(Status(StatusCode.ERROR, "broken"))
        root.end()
    provider.force_flush()
    provider.shutdown()
    assert exporter.failures == 0
    return sent


def send_with_js(protocol, compression, agent):
    address = agent.grpc if protocol == "grpc" else agent.http
    done = subprocess.run(["node", str(support.JS / "send.js"), protocol, compression, address, str(TRACES)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["spanId"]: (line["traceId"], line["name"], line["attributes"]) for line in lines}


SENDERS = {"python": send_with_python, "js": send_with_js}


def check(sent, arrived, service):
    """`arrived`: (span ID, trace ID, name, attributes, resource attributes) of every span."""
    assert len(arrived) == len(sent), "as many spans as were sent"
    assert {item[0] for item in arrived} == set(sent), "each of them once"
    for span_id, trace_id, name, attributes, resource in arrived:
        assert (trace_id, name, attributes) == sent[span_id]
        assert resource["service.name"] == service
        assert OF_THE_AGENT.items() <= resource.items(), "what the agent's resource processor adds"


def arrivals(backend):
    return [(span.span_id.hex(), span.trace_id.hex(), span.name, otlp.attributes(span.attributes),
             otlp.attributes(resource.attributes)) for resource, _, span in backend.spans()]


@pytest.fixture(scope="module")
def path(binary, appliance):
    """Agent, tail-sampling gateway and a grpcio backend, shared by the tests that only send."""
    with support.Stage(binary) as stage:
        backend = stage.backend(GrpcBackend)
        gateway = stage.gateway(support.EXAMPLES / "gateway.yaml",
                                {"BACKEND": backend.address, **EVERYTHING, **appliance})
        agent = stage.agent(gateway, {**EVERYTHING, **appliance})
        yield agent, gateway, backend


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("sdk", ["python", "js"])
def test_sdk_spans_arrive_once_and_whole(path, sdk, protocol, compression):
    agent, _, backend = path
    backend.take()
    sent = SENDERS[sdk](protocol, compression, agent)
    assert len(sent) == 2 * TRACES
    assert backend.wait_spans(len(sent)), f"{len(backend.spans())} of {len(sent)} spans arrived"
    backend.wait_quiet(0.5)
    check(sent, arrivals(backend), f"{sdk}-shop")


def test_events_and_status_survive(path):
    agent, _, backend = path
    backend.take()
    sent = send_with_python("grpc", "gzip", agent)
    assert backend.wait_spans(len(sent))
    spans = [span for _, _, span in backend.spans()]
    assert sum(span.status.code == 2 and span.status.message == "broken" for span in spans) == TRACES // 5
    assert [e.name for span in spans for e in span.events if span.name == "query"] == ["retry"] * TRACES
    assert all(otlp.attributes(e.attributes) == {"attempt": 1} for span in spans for e in span.events)


@pytest.mark.ours
def test_the_books_balance_after_all_that(path):
    agent, gateway, _ = path
    for part in (agent, gateway):
        errors = {k: v for k, v in part.metrics("/metrics/all").items() if k.startswith("spanweir_balance_error")}
        assert errors and not any(errors.values()), errors


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_http_backend_gets_each_span_once(start, compression):
    backend = start.backend(HttpBackend)
    gateway = start.gateway(support.HERE / "configs" / "gateway-http.yaml",
                            {"BACKEND": backend.address, "COMPRESSION": compression})
    agent = start.agent(gateway, EVERYTHING)
    sent = send_with_python("http", compression, agent)
    assert backend.wait_spans(len(sent))
    backend.wait_quiet(0.5)
    check(sent, arrivals(backend), "python-shop")
    coded = {dict(a.headers).get("Content-Encoding", "none") for a in backend.arrivals}
    assert coded == {compression}


@pytest.mark.parametrize("sdk", ["python", "js"])
def test_js_backend_gets_each_span_once(start, sdk):
    backend = start.backend(support.JsBackend)
    gateway = start.gateway(support.EXAMPLES / "gateway.yaml", {"BACKEND": backend.address, **EVERYTHING})
    agent = start.agent(gateway, EVERYTHING)
    sent = SENDERS[sdk]("grpc", "none", agent)
    agent.program.stop()
    gateway.program.stop()                                   # both hand on what they hold
    arrived = [(s["spanId"], s["traceId"], s["name"], s["attributes"], s["resource"]) for s in backend.finish()]
    if sdk == "python":                                      # JavaScript has no integers of 64 bits
        for attributes in [item[3] for item in arrived] + [item[2] for item in sent.values()]:
            attributes.pop("huge", None)
    check(sent, arrived, f"{sdk}-shop")
