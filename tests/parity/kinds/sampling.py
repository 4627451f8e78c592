"""tail_sampling: which traces are kept.

All cases of a group run in one process: one receiver, and for each case a pipeline with a
tail_sampling/<case> of its own and an otlp_http/<case> whose path tells the case.
"""
import collections
import time

from google.protobuf import json_format

from sut import clients, otlp
from sut.backends import HttpBackend
from sut.ports import free_ports
from sut.program import merge


def observe(world, group):
    if group.get("alone"):
        out = {}
        for name, case in group["cases"].items():
            out |= _process(world, group, {name: case})
        return out
    return _process(world, group, group["cases"])


def _configuration(group, cases, grpc, backend):
    tree = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}}}},
        "processors": {"batch": {"timeout": "300ms", "send_batch_size": 4000}},
        "exporters": {},
        "service": {"pipelines": {}},
    }
    for name, case in cases.items():
        sampler, exporter = f"tail_sampling/{name}", f"otlp_http/{name}"
        tree["processors"][sampler] = merge(group.get("defaults", {}), case["config"])
        tree["exporters"][exporter] = {"endpoint": f"http://{backend.address}/{name}", "compression": "none"}
        tree["service"]["pipelines"][f"traces/{name}"] = {
            "receivers": ["otlp"], "processors": [sampler, "batch"], "exporters": [exporter]}
    return merge(tree, group.get("extra", {}))


def _image(resource, scope, span):
    """Content of a span with its surroundings: an empty status equals none, an ID of zeros an empty one."""
    if not any(span.trace_id):
        span.trace_id = b""
    if span.HasField("status") and not span.status.ByteSize():
        span.ClearField("status")
    return tuple(part.SerializeToString(deterministic=True) for part in (resource, scope, span))


def _process(world, group, cases):
    bodies, steps = world.input(group["input"])
    steps = group.get("steps", steps)
    sent = collections.defaultdict(set)
    for body in bodies:
        for resource, scope, span in otlp.spans(otlp.Request.FromString(body)):
            sent[span.span_id].add(_image(resource, scope, span))
    (grpc,) = free_ports(1)
    backend = HttpBackend()
    try:
        config = _configuration(group, cases, grpc, backend)
        with world.start(config, group.get("arguments", ())) as program:
            clients.play(f"127.0.0.1:{grpc}", bodies, steps)
            time.sleep(group.get("settle", 2.5))
            backend.wait_quiet(0.7)
            exit_code = program.stop()                     # what is still held comes out now
        arrivals = backend.take()
    finally:
        backend.close()
    return {name: _outcome(case, sent, exit_code, [a for a in arrivals if a.path == f"/{name}/v1/traces"])
            for name, case in cases.items()}


def _outcome(case, sent, exit_code, arrivals):
    kept, names, marks, altered = collections.Counter(), collections.Counter(), collections.Counter(), 0
    for arrival in arrivals:
        for resource, scope, span in otlp.spans(arrival.message()):
            kept[span.trace_id.hex() or "0" * 32] += 1
            names[span.name] += 1
            marks.update(f"{pair.key}={json_format.MessageToDict(pair.value)}" for pair in scope.attributes
                         if pair.key.startswith("tailsampling."))
            altered += _image(resource, scope, span) not in sent[span.span_id]
    out = {"traces": len(kept), "spans": kept.total(), "altered_spans": altered, "exit_code": exit_code}
    if marks:                                              # gate recordpolicy
        out["spans_by_scope_attribute"] = dict(marks)
    if case.get("count_only"):                             # which of several equal traces is a matter of chance
        out["spans_by_name"] = dict(names)
    else:
        out["kept"] = dict(kept)
    return out
