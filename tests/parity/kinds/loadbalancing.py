"""load_balancing: which backend each trace, service or metric reaches. One process for each case.

The ring is made of the backends' texts, so they listen where the case says, on addresses of loopback.
"""
import collections
import time

from sut import clients, otlp
from sut.backends import FrameBackend
from sut.ports import free_ports
from sut.program import merge

from . import bodies

CLIENT = {"otlp": {"timeout": "2s", "compression": "none", "tls": {"insecure": True},
                   "sending_queue": {"enabled": False}, "retry_on_failure": {"enabled": False}}}
DEFAULT_PORT = 4317
SETTLE = 0.3


def observe(world, group):
    out = {}
    for name, case in group["cases"].items():
        try:
            out[name] = _case(world, merge(group.get("defaults", {}), case))
        except Exception as error:  # noqa: BLE001 - the next case has to run
            out[name] = error
    return out


def _listen(case):
    """{address: backend} of those that are alive; a name without a port has the default one."""
    backends = {}
    wanted = case.get("backends") or [h if ":" in h else f"{h}:{DEFAULT_PORT}" for h in case["hostnames"]]
    try:
        for address in sorted(set(wanted) - set(case.get("dead", []))):
            host, port = address.rsplit(":", 1)
            backends[address] = FrameBackend(int(port), host)
    except OSError:
        _close(backends)
        raise
    return backends


def _close(backends):
    for backend in backends.values():
        backend.close()


def _configuration(case, signal, port):
    name = case.get("component", "load_balancing")
    exporter = merge({"protocol": CLIENT, "resolver": {"static": {"hostnames": case["hostnames"]}}},
                     case.get("exporter", {}))
    if case.get("routing_key") is not None:
        exporter["routing_key"] = case["routing_key"]
    return {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {name: exporter},
        "service": {"pipelines": {signal: {"receivers": ["otlp"], "exporters": [name]}}},
    }


def _requests(world, case, signal):
    if "input" in case:
        requests = world.input(case["input"])[0]
    else:
        requests = [bodies.build({"otlp": body}, signal) for body in case["requests"]]
    # Messages behind each other are one message.
    return [b"".join(requests)] if case.get("one_request") else requests


def _send(requests, case, signal, port):
    codes = collections.Counter()
    with clients.Sender(f"127.0.0.1:{port}", otlp.EXPORTS[signal]) as sender:
        for request in requests:
            code = sender.send(request)[0]
            codes[str(code)] += 1
            if code != 0 and case.get("stop_on_error"):
                break
    return dict(sorted(codes.items()))


def _case(world, case):
    signal = case.get("signal", "traces")
    (port,) = free_ports(1)
    backends = _listen(case)
    try:
        with world.start(_configuration(case, signal, port)):
            codes = _send(_requests(world, case, signal), case, signal, port)
            time.sleep(SETTLE)
    finally:
        _close(backends)
    identify = IDENTIFY[case.get("identify", "trace")]
    return {"answers": codes, "reached": {
        address: dict(sorted(collections.Counter(
            identify(item) for arrival in backend.take() for item in otlp.items(arrival.message())).items()))
        for address, backend in backends.items()}}


def _leaf(item):
    return next(item[name] for name in ("spans", "metrics", "logRecords") if name in item)


def _service(item):
    return item["resource"].get("attributes", {}).get("service.name", {}).get("stringValue", "")


IDENTIFY = {
    "trace": lambda item: _leaf(item).get("traceId") or "0" * 32,
    "service": _service,
    "name": lambda item: _leaf(item).get("name", ""),
    "body": lambda item: _leaf(item).get("body", {}).get("stringValue", ""),
}
