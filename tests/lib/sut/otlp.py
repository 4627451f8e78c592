"""OTLP messages: from and to JSON, and in a form in which equal meanings are equal values."""
import base64
import gzip
import json
import zlib

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

Request = trace_service_pb2.ExportTraceServiceRequest
Response = trace_service_pb2.ExportTraceServiceResponse
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS_EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS_EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

REQUESTS = {"traces": Request, "logs": logs_service_pb2.ExportLogsServiceRequest,
            "metrics": metrics_service_pb2.ExportMetricsServiceRequest}
RESPONSES = {"traces": Response, "logs": logs_service_pb2.ExportLogsServiceResponse,
             "metrics": metrics_service_pb2.ExportMetricsServiceResponse}
# What holds a signal's items: resources, scopes, and the items.
LEVELS = {"traces": ("resourceSpans", "scopeSpans", "spans"), "logs": ("resourceLogs", "scopeLogs", "logRecords"),
          "metrics": ("resourceMetrics", "scopeMetrics", "metrics")}
EXPORTS = {"traces": EXPORT, "logs": LOGS_EXPORT, "metrics": METRICS_EXPORT}

IDS = ("traceId", "spanId", "parentSpanId")
LONGEST_TEXT = 2000


def signal_of_path(path):
    """The signal that a gRPC method or an HTTP path carries; traces where it names none."""
    return next((signal for signal in ("metrics", "logs") if signal in path.lower()), "traces")


def _signal_of(message):
    return next(signal for signal, request in REQUESTS.items() if isinstance(message, request))


def _with_ids(value, convert):
    if isinstance(value, dict):
        return {k: convert(v) if k in IDS and isinstance(v, str) else _with_ids(v, convert) for k, v in value.items()}
    return [_with_ids(v, convert) for v in value] if isinstance(value, list) else value


def from_json(tree, message=Request):
    """OTLP/JSON has identifiers in hex, protobuf's JSON has them in base64."""
    tree = _with_ids(tree, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    return json_format.ParseDict(tree, message())


def to_json(message):
    tree = json_format.MessageToDict(message, use_integers_for_enums=True)
    return _with_ids(tree, lambda text: base64.b64decode(text).hex())


def _attributes(pairs):
    """Order has no meaning; a key that stands there twice has one."""
    out = {}
    for pair in pairs:
        key, value = pair.get("key", ""), normal(pair.get("value", {}))
        out[key] = {"repeated": [out[key], value]} if key in out else value
    return out


def normal(value):
    """Takes away what may differ without a difference: attribute order, empty parts, IDs of zeros."""
    if isinstance(value, list):
        return [normal(v) for v in value]
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"<{len(value)} characters, CRC-32 {zlib.crc32(value.encode()):08x}>"
    if not isinstance(value, dict):
        return value
    out = {}
    for key, inner in value.items():
        zero_id = key in IDS and isinstance(inner, str) and not inner.strip("0")
        empty = inner == {} and key in ("status", "negative", "positive")
        if not zero_id and not empty:
            is_list = key in ("attributes", "filteredAttributes") and isinstance(inner, list)
            out[key] = _attributes(inner) if is_list else normal(inner)
    return out


def items(message):
    """Every span, metric or record with its resource and scope as plain values, in an order of their own."""
    resources, scopes, leaves = LEVELS[_signal_of(message)]
    out = []
    for resource in to_json(message).get(resources, []):
        for scope in resource.get(scopes) or [{}]:
            for item in scope.get(leaves, []):
                out.append(normal({
                    "resource": resource.get("resource", {}), "resourceSchemaUrl": resource.get("schemaUrl", ""),
                    "scope": scope.get("scope", {}), "scopeSchemaUrl": scope.get("schemaUrl", ""), leaves: item}))
    return sorted(out, key=lambda item: json.dumps(item, sort_keys=True))


def spans(message):
    """(resource, scope, span) for every span, as messages."""
    for resource in message.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield resource.resource, scope.scope, span


def count(message):
    """Spans, data points or log records."""
    signal = _signal_of(message)
    if signal == "traces":
        return sum(1 for _ in spans(message))
    if signal == "logs":
        return sum(len(s.log_records) for r in message.resource_logs for s in r.scope_logs)
    metrics = (m for r in message.resource_metrics for s in r.scope_metrics for m in s.metrics)
    return sum(len(getattr(m, m.WhichOneof("data")).data_points) for m in metrics if m.WhichOneof("data"))


def attributes(pairs):
    """KeyValue messages as a dict of plain values."""
    out = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind) if kind else None
        out[pair.key] = [getattr(v, v.WhichOneof("value")) for v in value.values] if kind == "array_value" else value
    return out


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def read_input(path):
    """Request bodies of a recorded input: gzip of messages, each behind its length as a varint."""
    data, at, bodies = gzip.decompress(path.read_bytes()), 0, []
    while at < len(data):
        size, at = _varint(data, at)
        bodies.append(data[at:at + size])
        at += size
    return bodies
