"""otlp receiver: raw requests, their answers, and what reached the backend.

Each group is one process: otlp receiver, an exporter without queue and retry, and a backend that
answers as the case says.
"""
import base64
import json
import struct
import time

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from sut import clients, codings, otlp
from sut.backends import FrameBackend, HttpBackend
from sut.ports import free_ports
from sut.program import fill, merge

from . import answers, bodies

COMPARED = {"content-type", "content-encoding", "retry-after", "allow", "connection", "location", "vary",
            "www-authenticate"}
DIRECT = {"sending_queue": {"enabled": False}, "retry_on_failure": {"enabled": False}, "compression": "none"}


def _configuration(group, names, http_backend):
    if http_backend:
        component, target = "otlp_http", {"endpoint": f"http://{names['sink']}"}
    else:
        component, target = "otlp_grpc", {"endpoint": names["sink"], "tls": {"insecure": True}, "timeout": "3s"}
    pipeline = {"receivers": ["otlp"], "exporters": [component]}
    protocols = {"grpc": {"endpoint": names["grpc"]}, "http": {"endpoint": names["http"]}}
    return merge({
        "receivers": {"otlp": {"protocols": protocols}},
        "exporters": {component: {**target, **DIRECT}},
        "service": {"pipelines": {signal: dict(pipeline) for signal in group.get("signals", otlp.REQUESTS)}},
    }, fill(group.get("config", {}), names))


def observe(world, group):
    grpc, http = free_ports(2)
    http_backend = group.get("exporter", "otlp_http") == "otlp_http"
    backend = HttpBackend() if http_backend else FrameBackend()
    names = {"grpc": f"127.0.0.1:{grpc}", "http": f"127.0.0.1:{http}", "sink": backend.address}
    out = dict.fromkeys(group["cases"], RuntimeError("not run, the program had ended"))
    try:
        with world.start(_configuration(group, names, http_backend)) as program:
            time.sleep(group.get("settle", 0))
            for name, case in group["cases"].items():
                backend.answer = answers.constant(case.get("backend"), http_backend)
                backend.take()
                out[name] = _case(case, names, backend)
                if not program.alive:
                    out[name] = RuntimeError(f"the program ended: {program.log_tail()}")
                    break
    finally:
        backend.close()
    return out


def _case(case, names, backend):
    try:
        value = {}
        if "http" in case:
            value["http"] = _http(case, names, backend)
        if "grpc" in case:
            value["grpc"] = _grpc(case, names, backend)
        return value
    except Exception as error:  # noqa: BLE001 - the next case has to run
        return error


def _arrived(backend):
    time.sleep(0.03)                                        # what should not come may still be on its way
    return [item for arrival in backend.take() for item in otlp.items(arrival.message())]


def _chunked(body, size, last):
    chunks = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + last.encode()


def _http_bytes(request, names):
    """(bytes to send, path, method)"""
    path, method = request.get("path", "/v1/traces"), request.get("method", "POST")
    if "raw" in request:
        raw = fill(request["raw"], names).encode().replace(b"\n", b"\r\n")
        return raw + bodies.build(request.get("body")), path, method
    headers = {"Host": names["http"], "Content-Type": "application/x-protobuf", **request.get("headers", {})}
    as_json = "json" in (headers["Content-Type"] or "").lower()
    body = bodies.build(request.get("body"), otlp.signal_of_path(path), as_json)
    if "chunks" in request:
        headers["Transfer-Encoding"] = "chunked"
        body = _chunked(body, request["chunks"], request.get("last_chunk", "0\r\n\r\n"))
    elif "Content-Length" not in headers and (body or method == "POST"):
        headers["Content-Length"] = len(body)
    lines = [f"{method} {path} HTTP/{request.get('version', '1.1')}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
    whole = "\r\n".join([*lines, "", ""]).encode() + body
    return whole * request.get("repeat", 1), path, method


def _http(case, names, backend):
    request = case["http"]
    data, path, method = _http_bytes(request, names)
    split = data.index(b"\r\n\r\n") + 4 if request.get("pause_after_header") else None
    got, closed = clients.raw_http(names["http"], data, split=split, half_close=request.get("half_close", False),
                                   silence=request.get("timeout", 3.0))
    responses = []
    for answer in clients.parse_answers(got, method):
        body = _decoded(answer, otlp.signal_of_path(path))
        if case.get("text") == "free" and isinstance(body, dict) and "text" in body:
            body = {"~text": body["text"]}
        shown = {name: value for name, value in answer.headers.items()
                 if name in COMPARED or name.startswith("access-control-")}
        responses.append({"status": answer.status, "headers": shown, "body": body})
    return {"responses": responses, "closed": closed, "arrived": _arrived(backend)}


def _decoded(answer, signal):
    """A response body as a value that can be compared; texts of errors are only shown."""
    if not answer.body:
        return ""
    kind = answer.headers.get("content-type", "")
    text = {"text": answer.body.decode(errors="replace").strip()}
    try:
        if kind.startswith("application/x-protobuf"):
            return _status_value(answer.body) if answer.status >= 400 else otlp.to_json(
                otlp.RESPONSES[signal].FromString(answer.body))
        if kind.startswith("application/json"):
            value = json.loads(answer.body)
            if answer.status >= 400 and "message" in value:
                value["~message"] = value.pop("message")
            return value
    except (DecodeError, ValueError):
        pass                                                # a text under a wrong name
    return text


def _status_value(body):
    message = status_pb2.Status.FromString(body)
    value = {"code": message.code, "~message": message.message}
    if message.details:
        value["details"] = [detail.type_url for detail in message.details]
    return value


def _grpc_bytes(request):
    """DATA of the call: `frame` as it is, else a message behind its five bytes."""
    if "frame" in request:
        return bytes.fromhex(request["frame"])
    message = bodies.build(request.get("body", {"sample": True}), request.get("signal", "traces"))
    flag = request.get("flag", 1 if request.get("encode") else 0)
    return struct.pack(">BI", flag, request.get("length", len(message))) + message


def _grpc(case, names, backend):
    request = case["grpc"] or {}
    path = request.get("path", otlp.EXPORTS[request.get("signal", "traces")])
    call = clients.raw_grpc(names["grpc"], path, _grpc_bytes(request), headers=request.get("headers", {}).items(),
                            replace=request.get("replace"), method=request.get("method", "POST"))
    final = call.final
    out = {"http_status": call.headers.get(":status"), "content_type": call.headers.get("content-type"),
           "status": final.get("grpc-status"), "encoding": final.get("grpc-encoding"), "reset": call.reset,
           "arrived": _arrived(backend)}
    key = "message" if case.get("text") == "exact" else "~message"
    out[key] = clients.percent_decode(final.get("grpc-message", ""))
    if "grpc-status-details-bin" in final:
        out["details"] = _details(final["grpc-status-details-bin"])
    if call.data:
        coding = call.headers.get("grpc-encoding", "") if call.data[0] else ""
        message = codings.unpack(coding, call.data[5:], framed=True)
        out["response"] = otlp.to_json(otlp.RESPONSES[request.get("signal", "traces")].FromString(message))
    return out


def _details(packed):
    message = status_pb2.Status.FromString(base64.b64decode(packed + "=" * (-len(packed) % 4)))
    out = []
    for detail in message.details:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            out.append({"retry_delay": info.retry_delay.seconds + info.retry_delay.nanos / 1e9})
        else:
            out.append({"type": detail.type_url})
    return out
