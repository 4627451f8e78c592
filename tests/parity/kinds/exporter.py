"""Exporters and the processors before them: what a backend sees. One process for each case."""
import re
import time

from sut import clients, otlp
from sut.backends import FrameBackend, HttpBackend
from sut.ports import free_ports
from sut.program import fill, merge

from . import answers, bodies

# Headers that depend on the connection or that every HTTP library writes in its own way.
LEFT_OUT = {"host", "content-length", "date", "accept-encoding", ":authority", ":scheme", ":method", ":path",
            "grpc-timeout", "grpc-accept-encoding", "x-forwarded-for"}
USER_AGENT = re.compile(r"^[^()]*/\S+ \([a-z0-9]+/[a-z0-9]+\)( \S+)?$")   # <name>/<version> (<os>/<architecture>)
CLOCK_SLACK = 0.02


def observe(world, group):
    out = {}
    for name, case in group["cases"].items():
        try:
            out[name] = _case(world, merge(group.get("defaults", {}), case))
        except Exception as error:  # noqa: BLE001 - the next case has to run
            out[name] = error
    return out


def _configuration(case, signal, component, grpc, backend, http):
    names = {"sink": backend.address}
    target = {"endpoint": f"http://{backend.address}"} if http else \
        {"endpoint": backend.address, "tls": {"insecure": True}}
    processors = fill(case.get("processors", {}), names)
    tree = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}", "include_metadata": True}}}},
        "exporters": {component: merge(target, fill(case.get("config") or {}, names))},
        "service": {"pipelines": {signal: {
            "receivers": ["otlp"], "processors": list(processors), "exporters": [component]}}},
    }
    return {**tree, "processors": processors} if processors else tree


def _send(case, signal, grpc):
    replies = []
    with clients.Sender(f"127.0.0.1:{grpc}", otlp.EXPORTS[signal]) as sender:
        for spec in case.get("requests", [{"sample": True}]):
            if "sleep" in spec:
                time.sleep(spec["sleep"])
                continue
            metadata = list(spec.get("metadata", {}).items()) or None
            replies.append(sender.send(bodies.build(spec, signal), metadata)[0])
    return replies


def _case(world, case):
    signal, component = case.get("signal", "traces"), case.get("exporter", "otlp_http")
    http = component.startswith(("otlp_http", "otlphttp"))
    (grpc,) = free_ports(1)
    backend = HttpBackend() if http else FrameBackend()
    backend.answer = answers.in_turn(case.get("backend", []), http)
    try:
        with world.start(_configuration(case, signal, component, grpc, backend, http)) as program:
            replies = _send(case, signal, grpc)
            backend.wait_requests(case.get("wait_for", 1), case.get("wait_limit", 6))
            time.sleep(case.get("settle", 0.3))
            before_stop = len(backend.arrivals)
            exit_code = program.stop() if case.get("stop") else None
    finally:
        backend.close()
    arrivals = backend.take()
    out = {"replies": replies}
    for view in case.get("observe", ["headers", "data"]):
        out |= _view(view, case, arrivals)
    if "stop" in case.get("observe", []):
        out |= {"exit_code": exit_code, "before_stop": before_stop}
    return out


def _view(view, case, arrivals):
    if view == "headers":
        return {"requests": [_headers(arrival, case.get("user_agent")) for arrival in arrivals]}
    if view == "data":
        lists = [otlp.items(arrival.message()) for arrival in arrivals]
        return {"data": lists if case.get("keep_requests") else sorted(sum(lists, []), key=str)}
    sizes = [otlp.count(arrival.message()) for arrival in arrivals]
    if view == "sizes":
        return {"sizes": sizes}
    if view == "total":
        return {"total": sum(sizes)}
    if view == "attempts":
        return {"attempts": len(arrivals)}
    if view == "gaps":
        gaps = [after.at - before.at for before, after in zip(arrivals, arrivals[1:])]
        return {"gaps_respected": [gap >= least - CLOCK_SLACK for gap, least in zip(gaps, case["at_least"])]}
    return {}


def _headers(arrival, user_agent):
    shown = {}
    for name, value in arrival.headers:
        name = name.lower()
        if name == "user-agent":
            shown["~user-agent"] = value
            shown["user_agent_ok"] = user_agent in value if user_agent else bool(USER_AGENT.match(value))
        elif name not in LEFT_OUT:
            shown[name] = value
    return {"path": arrival.path, "compressed": arrival.raw != arrival.body, "headers": shown}
