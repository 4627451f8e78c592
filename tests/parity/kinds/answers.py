"""What a backend answers, as case files describe it."""
import base64

from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2


def status(spec):
    """google.rpc.Status, with RetryInfo if there is a `retry_delay`."""
    message = status_pb2.Status(code=spec.get("code", 0), message=spec.get("message", ""))
    if "retry_delay" in spec:
        whole, rest = divmod(spec["retry_delay"], 1)
        delay = duration_pb2.Duration(seconds=int(whole), nanos=round(rest * 1e9))
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        message.details.append(detail)
    return message


def over_http(spec):
    """(status, headers, body)"""
    kind = "text/plain" if "text" in spec else "application/x-protobuf"
    body = spec.get("text", "").encode()
    if "status_body" in spec:
        body = status(spec["status_body"]).SerializeToString()
    return spec.get("http", 200), {"Content-Type": kind, **spec.get("headers", {})}, body


def over_grpc(spec):
    """(code, message, more trailers)"""
    more = []
    if "retry_delay" in spec:
        packed = base64.b64encode(status(spec).SerializeToString()).decode().rstrip("=")
        more = [("grpc-status-details-bin", packed)]
    return spec.get("code", 0), spec.get("message", ""), more


def constant(spec, http):
    """An `answer` for a backend that always says the same."""
    reply = (over_http if http else over_grpc)(spec or {})
    return lambda arrival: reply


def in_turn(specs, http):
    """An `answer` that goes through a list and stays at its last."""
    left = list(specs) or [{}]

    def answer(_arrival):
        spec = left.pop(0) if len(left) > 1 else left[0]
        return (over_http if http else over_grpc)(spec)

    return answer
