"""Request bodies as case files describe them."""
import base64
import json

from sut import codings, otlp

START = 1_760_000_000_000_000_000
TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"

_SHOP = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
_TRACES = {"resourceSpans": [{"resource": _SHOP, "scopeSpans": [{
    "scope": {"name": "lib", "version": "1.0"},
    "spans": [{"traceId": TRACE, "spanId": SPAN, "parentSpanId": "eee19b7ec3c1b173", "name": "GET /cart", "kind": 2,
               "startTimeUnixNano": str(START), "endTimeUnixNano": str(START + 7_500_000),
               "attributes": [{"key": "http.status_code", "value": {"intValue": "200"}},
                              {"key": "ok", "value": {"boolValue": True}}],
               "status": {"code": 1}}]}]}]}
_LOGS = {"resourceLogs": [{"resource": _SHOP, "scopeLogs": [{
    "scope": {},
    "logRecords": [{"timeUnixNano": str(START), "observedTimeUnixNano": str(START + 1), "severityNumber": 17,
                    "severityText": "ERROR", "body": {"stringValue": "it broke"},
                    "traceId": TRACE, "spanId": SPAN}]}]}]}
_METRICS = {"resourceMetrics": [{"resource": _SHOP, "scopeMetrics": [{"scope": {"name": "lib"}, "metrics": [
    {"name": "hits", "unit": "1", "description": "number of hits",
     "sum": {"aggregationTemporality": 2, "isMonotonic": True,
             "dataPoints": [{"startTimeUnixNano": str(START), "timeUnixNano": str(START + 10), "asInt": "42"}]}},
    {"name": "temperature",
     "gauge": {"dataPoints": [{"timeUnixNano": str(START), "asDouble": 21.5,
                               "attributes": [{"key": "room", "value": {"stringValue": "a"}}]}]}},
    {"name": "latency",
     "histogram": {"aggregationTemporality": 1,
                   "dataPoints": [{"timeUnixNano": str(START), "count": "3", "sum": 6.5, "min": 0.5, "max": 3,
                                   "bucketCounts": ["1", "2", "0"], "explicitBounds": [1, 5]}]}}]}]}]}
SAMPLES = {"traces": _TRACES, "metrics": _METRICS, "logs": _LOGS}


def _spans(spans, resource=None, scope=None):
    tree = {"resourceSpans": [{"resource": resource or {}, "scopeSpans": [{"scope": scope or {}, "spans": spans}]}]}
    return otlp.from_json(tree).SerializeToString()


def _big(size):
    """One span with a text attribute of so many bytes. No empty resource or scope: sizes matter here."""
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "big",
            "attributes": [{"key": "fill", "value": {"stringValue": "x" * size}}]}
    return otlp.from_json({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).SerializeToString()


def _many(spec, signal):
    """`items: N` small spans, data points of one sum, or log records."""
    name, first = spec.get("name", "item"), spec.get("from", 0)
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": spec.get("service", "s")}}]}
    numbers = range(first, first + spec["items"])
    if signal == "traces":
        return _spans([{"traceId": f"{i + 1:032x}", "spanId": f"{i + 1:016x}", "name": f"{name} {i}"}
                       for i in numbers], resource, {"name": "g"})
    if signal == "logs":
        records = [{"timeUnixNano": str(i + 1), "body": {"stringValue": f"{name} {i}"}} for i in numbers]
        tree = {"resourceLogs": [{"resource": resource, "scopeLogs": [
            {"scope": {"name": "g"}, "logRecords": records}]}]}
    else:
        points = [{"timeUnixNano": str(i + 1), "asInt": str(i)} for i in numbers]
        tree = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {"name": "g"}, "metrics": [
            {"name": name, "description": "d", "unit": "1",
             "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": points}}]}]}]}
    return otlp.from_json(tree, otlp.REQUESTS[signal]).SerializeToString()


def build(spec, signal="traces", as_json=False):
    """Bytes of a body: how it is made, then `encode`, `cut` (bytes off its end) and `append` (hex).

    as_json: a sample is OTLP/JSON."""
    if spec is None:
        return b""
    if isinstance(spec, str):
        spec = {"text": spec}
    if "sample" in spec:
        name = signal if spec["sample"] is True else spec["sample"]
        data = json.dumps(SAMPLES[name]).encode() if as_json else \
            otlp.from_json(SAMPLES[name], otlp.REQUESTS[name]).SerializeToString()
    elif "otlp" in spec:
        data = otlp.from_json(spec["otlp"], otlp.REQUESTS[signal]).SerializeToString()
    elif "json" in spec:
        data = json.dumps(spec["json"], ensure_ascii=False).encode()
    elif "items" in spec:
        data = _many(spec, signal)
    elif "big" in spec:
        data = _big(spec["big"])
    elif "hex" in spec:
        data = bytes.fromhex(spec["hex"])
    elif "base64" in spec:
        data = base64.b64decode(spec["base64"])
    elif unknown := set(spec) - {"text", "encode", "cut", "append"}:
        raise ValueError(f"this runner makes no body of {sorted(unknown)}")
    else:
        data = spec.get("text", "").encode()
    if "encode" in spec:
        data = codings.pack(spec["encode"], data)
    if "cut" in spec:
        data = data[:-spec["cut"]]
    return data + bytes.fromhex(spec.get("append", ""))
