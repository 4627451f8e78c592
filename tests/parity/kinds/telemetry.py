"""The page of our own metrics after a scripted input. One process for each case."""
import contextlib
import re
import time
import urllib.request

from sut import clients, otlp
from sut.backends import FrameBackend, HttpBackend
from sut.ports import free_ports
from sut.program import fill, merge

from . import answers, bodies

# Values, or the number of series, depend on time, memory or encoding: only type and label names count.
VOLATILE = re.compile(r"(^otelcol_process_|_duration|_latency|_execution_time|_bytes|_age(_|$)|_uptime|^target_info$"
                      r"|_body_size|in_flight|_timer_)")
IGNORED = re.compile(r"^(go_|promhttp_)")
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def observe(world, group):
    out = {}
    for name, case in group["cases"].items():
        try:
            out[name] = _case(world, merge(group.get("defaults", {}), case))
        except Exception as error:  # noqa: BLE001 - the next case has to run
            out[name] = error
    return out


def _case(world, case):
    grpc, http, page = free_ports(3)
    page = case.get("port", page)
    over_http, over_grpc = HttpBackend(), FrameBackend()
    over_http.answer = answers.constant(case.get("backend_http"), True)
    over_grpc.answer = answers.constant(case.get("backend_grpc"), False)
    names = {"grpc": f"127.0.0.1:{grpc}", "http": f"127.0.0.1:{http}", "page": page,
             "sink_http": over_http.address, "sink_grpc": over_grpc.address}
    try:
        with world.start(_whole_numbers(fill(case["config"], names), page), own_page=True) as program:
            with contextlib.ExitStack() as senders:
                replies = _play(case["steps"], names, senders)
            time.sleep(case.get("settle", 1.0))
            with urllib.request.urlopen(f"http://127.0.0.1:{page}/metrics", timeout=5) as answer:
                text, kind = answer.read().decode(), answer.headers["content-type"]
            program.stop()
    finally:
        over_http.close()
        over_grpc.close()
    ports = {names["sink_http"].rpartition(":")[2]: "SINK_HTTP", names["sink_grpc"].rpartition(":")[2]: "SINK_GRPC",
             str(grpc): "GRPC", str(http): "HTTP"}
    return {"replies": replies, "content_type": kind, "families": parse(text, ports)}


def _play(steps, names, senders):
    """One connection for each signal, as clients have: each worker fills batches of its own."""
    replies, channels = [], {}
    for step in steps:
        signal = step.get("signal", "traces")
        if "sleep" in step:
            time.sleep(step["sleep"])
            continue
        if "raw" not in step and signal not in channels:
            channels[signal] = senders.enter_context(clients.Sender(names["grpc"], otlp.EXPORTS[signal]))
        replies.append(_step(step, names, channels.get(signal)))
    return replies


def _step(step, names, sender):
    """What the sender was answered: a gRPC code or an HTTP status."""
    if "raw" in step:
        data, _ = clients.raw_http(names["http"], fill(step["raw"], names).encode().replace(b"\n", b"\r\n"))
        return clients.parse_answers(data)[0].status
    return sender.send(bodies.build(step, step.get("signal", "traces")))[0]


def _whole_numbers(value, page):
    """The page's port must be a number in YAML."""
    if isinstance(value, dict):
        return {k: page if k == "port" and v == str(page) else _whole_numbers(v, page) for k, v in value.items()}
    return [_whole_numbers(v, page) for v in value] if isinstance(value, list) else value


def _name_port(label, ports):
    """Ports chosen at run time become names, alone or behind an address."""
    head, colon, last = label.rpartition(":")
    return head + colon + ports.get(last, last)


def parse(text, ports):
    """Page -> {family: {type, series}}; histograms keep sum, count and the buckets."""
    families, kinds = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            kinds[name] = kind
        if line.startswith("#") or not line:
            continue
        name, labels, value = SAMPLE.match(line).groups()
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        family = base if kinds.get(base) == "histogram" else name
        if IGNORED.match(family):
            continue
        pairs = {k: _name_port(v, ports) for k, v in LABEL.findall(labels or "")}
        entry = families.setdefault(family, {"type": kinds.get(family, "untyped")})
        bound = pairs.pop("le", None)
        if VOLATILE.search(family):
            entry["labels"] = sorted(pairs)
            continue
        key = ",".join(f"{k}={v}" for k, v in sorted(pairs.items()))
        series = entry.setdefault("series", {})
        if entry["type"] != "histogram":
            series[key] = float(value)
        elif bound is not None:
            series.setdefault(key, {}).setdefault("buckets", []).append(f"{bound}:{value}")
        else:
            series.setdefault(key, {})[name[len(family) + 1:]] = float(value)
    return dict(sorted(families.items()))
