"""The three signals: paths, messages, and items (spans, data points, log records) that can be compared."""
import json
from concurrent import futures

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

import support
from sut import otlp
from sut.backends import Arrival, Backend, HttpBackend

SIGNALS = ("traces", "metrics", "logs")
# What configs/agent-signals.yaml takes, and the resource attributes that it makes of them.
AGENT_VARIABLES = {"NODE_NAME": "node-7", "DEPLOYMENT_ENVIRONMENT": "test"}
OF_THE_AGENT = {"deployment.environment.name": "test", "host.name": "node-7"}
RESPONSES = {"traces": trace_service_pb2.ExportTraceServiceResponse,
             "metrics": metrics_service_pb2.ExportMetricsServiceResponse,
             "logs": logs_service_pb2.ExportLogsServiceResponse}
# Where a signal's name stands inside the name of a metric.
ITEMS = {"traces": "spans", "metrics": "metric_points", "logs": "log_records"}

_LEVELS = {"traces": ("resourceSpans", "scopeSpans", "spans"), "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
           "logs": ("resourceLogs", "scopeLogs", "logRecords")}
_DATA = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


def signal_of(path):
    """Of a request's path, gRPC or HTTP."""
    return next(s for s in SIGNALS if path in (otlp.EXPORTS[s], f"/v1/{s}"))


def message(arrival):
    """The request of an arrival of any signal."""
    return otlp.REQUESTS[signal_of(arrival.path)].FromString(arrival.body)


def parse_json(signal, text):
    """A request from OTLP/JSON: identifiers are hex there."""
    return otlp.from_json(json.loads(text), otlp.REQUESTS[signal])


def _data_points(metric):
    """Each data point with what its metric says about it."""
    kind = next((k for k in _DATA if k in metric), None)
    about = {k: v for k, v in metric.items() if k != kind}
    more = {k: v for k, v in metric.get(kind, {}).items() if k != "dataPoints"}
    for point in metric.get(kind, {}).get("dataPoints", []):
        yield {"metric": about, "kind": kind, **more, "point": point}


def items(signal, request):
    """Every span, data point or record of a request with its resource and scope, as plain values."""
    resources, scopes, leaves = _LEVELS[signal]
    found = []
    for resource in otlp.to_json(request).get(resources, []):
        for scope in resource.get(scopes, []):
            for leaf in scope.get(leaves, []):
                for item in _data_points(leaf) if signal == "metrics" else [leaf]:
                    found.append(otlp.normal({"resource": resource.get("resource", {}),
                                              "scope": scope.get("scope", {}), "item": item}))
    return found


def count(signal, request):
    return len(items(signal, request))


def ordered(found):
    """Items as texts, sorted: batches have no order."""
    return sorted(json.dumps(item, sort_keys=True) for item in found)


def arrived(backend, signal):
    """Items of one signal at a backend."""
    return [item for a in list(backend.arrivals) if signal_of(a.path) == signal for item in items(signal, message(a))]


def wait_items(backend, signal, number, limit=30):
    """True as soon as so many items of a signal are there."""
    return support.wait_for(lambda: len(arrived(backend, signal)) >= number, limit)


def with_resource(found, added):
    """Items as they are after a processor that puts attributes into their resource."""
    attributes = {k: {"stringValue": v} for k, v in added.items()}
    out = []
    for item in found:
        resource = item["resource"]
        out.append({**item, "resource": {**resource, "attributes": {**resource.get("attributes", {}), **attributes}}})
    return out


class SignalsBackend(Backend):
    """A grpcio server for three signals; `answer` maps (signal, request) to None, a response or (code, text)."""

    def __init__(self, port=0, unix=None):
        super().__init__()
        self.answer = lambda signal, request: None
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        for signal in SIGNALS:
            handler = grpc.unary_unary_rpc_method_handler(
                self._handler(signal), request_deserializer=otlp.REQUESTS[signal].FromString,
                response_serializer=RESPONSES[signal].SerializeToString)
            service = otlp.EXPORTS[signal].strip("/").split("/")[0]
            self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Export": handler})])
        self.port = self._server.add_insecure_port(f"unix:{unix}" if unix else f"127.0.0.1:{port}")
        self.address = f"unix://{unix}" if unix else f"127.0.0.1:{self.port}"
        self._server.start()

    def _handler(self, signal):
        def export(request, context):
            verdict = self.answer(signal, request)
            if isinstance(verdict, tuple):
                context.abort(*verdict)
            body = request.SerializeToString()
            self.add(Arrival(otlp.EXPORTS[signal], list(context.invocation_metadata()), body, body))
            return verdict or RESPONSES[signal]()

        return export

    def close(self, grace=0):
        self._server.stop(grace).wait()


class JsonBackend(HttpBackend):
    """Keeps what it gets as protobuf, so that all backends can be compared."""

    def add(self, arrival):
        assert dict(arrival.headers)["Content-Type"] == "application/json"
        arrival.body = parse_json(signal_of(arrival.path), arrival.body).SerializeToString()
        super().add(arrival)


def behind_gateway(stage, environment=None, before_agent=lambda gateway: gateway):
    """An agent, its gateway, and that one's backends: gRPC, HTTP with protobuf, HTTP with JSON.

    `before_agent` makes of the gateway what the agent is to send to."""
    backends = [stage.backend(kind) for kind in (SignalsBackend, HttpBackend, JsonBackend)]
    gateway = stage.gateway(support.HERE / "configs" / "gateway-signals.yaml", {
        "BACKEND": backends[0].address, "BACKEND_HTTP": backends[1].address,
        "BACKEND_JSON": backends[2].address, **(environment or {})})
    agent = stage.agent(before_agent(gateway), {**AGENT_VARIABLES, **(environment or {})},
                        support.HERE / "configs" / "agent-signals.yaml")
    return agent, gateway, backends


def pass_through(stage, environment):
    """Three pipelines into one gRPC backend; what the backend says reaches the client."""
    backend = stage.backend(SignalsBackend)
    gateway = stage.simple({"otlp_grpc": support.otlp_to(
        backend, sending_queue={"enabled": False}, retry_on_failure={"enabled": False})},
        environment=environment, pipelines=SIGNALS)
    return gateway, backend


# --- small requests as OTLP/JSON -----------------------------------------------------------------


def small(signal, number, service="test"):
    """A request tree of one resource with `number` items."""
    start = 1_760_000_000_000_000_000
    leaves = {
        "traces": lambda n: {"traceId": f"{7:032x}", "spanId": f"{n + 1:016x}", "name": "work", "kind": 2,
                             "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + n),
                             "attributes": [{"key": "n", "value": {"intValue": str(n)}}]},
        "metrics": lambda n: {"name": f"m{n}", "unit": "By", "sum": {
            "aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [
                {"startTimeUnixNano": str(start), "timeUnixNano": str(start + n), "asInt": str(n + 1),
                 "attributes": [{"key": "room", "value": {"stringValue": "ä"}}]}]}},
        "logs": lambda n: {"timeUnixNano": str(start + n), "severityNumber": 9, "severityText": "INFO",
                           "traceId": f"{8:032x}", "spanId": f"{n + 1:016x}", "body": {"stringValue": f"line {n} 日本"}},
    }[signal]
    resources, scopes, name = _LEVELS[signal]
    return {resources: [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        scopes: [{"scope": {"name": "system"}, name: [leaves(n) for n in range(number)]}]}]}
