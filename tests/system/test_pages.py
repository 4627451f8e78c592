"""What a running program tells about itself: metrics page, health, log."""
import json
import re
import urllib.error
import urllib.request

import pytest

import support
from sut.backends import GrpcBackend
from sut.clients import Sender
from sut.program import save_yaml

SPANS = [support.span(t, n) for t in range(1, 11) for n in range(3)]


def fetch(url, **headers):
    """(status, content type, text)"""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read().decode()


def page(gateway, **headers):
    return fetch(f"http://127.0.0.1:{gateway.page}/metrics", **headers)


def types(text):
    """{family: type} without the families that only one of the programs under test has."""
    found = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE "))
    return {name: kind for name, kind in found.items() if not name.startswith(("spanweir_", "promhttp_"))}


def send(front, backend):
    with Sender(front.grpc) as sender:
        assert sender.send(support.request(SPANS)) == (0, "")
    assert backend.wait_spans(len(SPANS))
    backend.wait_quiet(0.5)


def with_reader(start, backend, reader, logs=None):
    """A front whose page is set up by `reader`."""
    (grpc, number) = support.free_ports(2)
    tree = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}}}},
        "exporters": {"otlp_grpc": support.otlp_to(backend)},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp_grpc"]}},
            "telemetry": {"logs": logs or {}, "metrics": {"readers": [{"pull": {"exporter": {
                "prometheus": {"host": "127.0.0.1", "port": number, **reader}}}}]}},
        },
    }
    return support.Gateway(start.program(tree, own_page=True), f"127.0.0.1:{grpc}", page=number)


def test_page_has_the_names_and_types_of_a_collector(start):
    backend = start.backend(GrpcBackend)
    front = start.simple({"otlp_grpc": support.otlp_to(backend)},
                         processors={"memory_limiter": {"check_interval": "1s", "limit_mib": 500},
                                     "batch": {"timeout": "100ms"}})
    send(front, backend)
    status, kind, text = page(front)
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
    assert types(text) == {
        "otelcol_exporter_in_flight_requests": "gauge",
        "otelcol_exporter_queue_capacity": "gauge",
        "otelcol_exporter_queue_size": "gauge",
        "otelcol_exporter_sent_spans": "counter",
        "otelcol_process_cpu_seconds": "counter",
        "otelcol_process_memory_rss": "gauge",
        "otelcol_process_runtime_heap_alloc_bytes": "gauge",
        "otelcol_process_runtime_total_alloc_bytes": "counter",
        "otelcol_process_runtime_total_sys_memory_bytes": "gauge",
        "otelcol_process_uptime": "counter",
        "otelcol_processor_batch_batch_send_size": "histogram",
        "otelcol_processor_batch_metadata_cardinality": "gauge",
        "otelcol_processor_batch_timeout_trigger_send": "counter",
        "otelcol_processor_incoming_items": "counter",
        "otelcol_processor_memory_limiter_accepted_spans": "counter",
        "otelcol_processor_outgoing_items": "counter",
        "otelcol_receiver_accepted_spans": "counter",
        "otelcol_receiver_failed_spans": "counter",
        "otelcol_receiver_refused_spans": "counter",
        "target_info": "gauge",
    }
    values = front.metrics()
    assert values['otelcol_receiver_accepted_spans{receiver="otlp",transport="grpc"}'] == len(SPANS)
    assert values['otelcol_processor_batch_batch_send_size_sum{processor="batch"}'] == len(SPANS)


def test_suffixes_come_with_the_readers_flags(start):
    backend = start.backend(GrpcBackend)
    front = with_reader(start, backend, {"without_units": False, "without_type_suffix": False})
    send(front, backend)
    names = types(page(front)[2])
    assert {"otelcol_receiver_accepted_spans_total", "otelcol_process_uptime_seconds_total",
            "otelcol_process_memory_rss_bytes", "otelcol_process_runtime_total_alloc_bytes_total"} <= set(names)
    assert "otelcol_receiver_accepted_spans" not in names


def test_resource_attributes_stand_on_series_that_ask_for_them(start):
    backend = start.backend(GrpcBackend)
    front = with_reader(start, backend, {"with_resource_constant_labels": {"included": ["service.name"]}})
    send(front, backend)
    text = page(front)[2]
    assert re.search(r'^otelcol_process_uptime\{service_name="[^"]+"\} ', text, re.M)


def test_only_the_page_is_served_there(start):
    backend = start.backend(GrpcBackend)
    front = with_reader(start, backend, {})
    assert fetch(f"http://127.0.0.1:{front.page}/")[::2] == (404, "404 page not found\n")
    accept = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1"
    assert page(front, Accept=accept)[1].endswith("escaping=allow-utf-8")


def test_health_tells_since_when(start):
    backend = start.backend(GrpcBackend)
    front = with_reader(start, backend, {})
    status, kind, text = fetch(f"http://127.0.0.1:{front.program.health}/any/path")
    assert (status, kind) == (200, "application/json")
    told = json.loads(text)
    assert list(told) == ["status", "upSince", "uptime"] and told["status"] == "Server available"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", told["upSince"])
    assert re.fullmatch(r"(\d+m)?[\d.]+(ms|s|µs)", told["uptime"])


def test_health_has_its_path_and_bodies(start, tmp_path):
    backend = start.backend(GrpcBackend)
    grpc, health, other = support.free_ports(3)
    path = tmp_path / "config.yaml"
    save_yaml(path, {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}}}},
        "exporters": {"otlp_grpc": support.otlp_to(backend)},
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}, "health_check/2": {
            "endpoint": f"127.0.0.1:{other}", "path": "/up",
            "response_body": {"healthy": "fine", "unhealthy": "bad"}}},
        "service": {"extensions": ["health_check", "health_check/2"], "telemetry": {"metrics": {"level": "none"}},
                    "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp_grpc"]}}},
    })
    start.program(path, health=health)
    assert fetch(f"http://127.0.0.1:{other}/up") == (200, "text/plain; charset=utf-8", "fine")
    assert fetch(f"http://127.0.0.1:{other}/")[0] == 404


@pytest.mark.parametrize("encoding", ["console", "json"])
def test_log_has_the_collectors_shape(start, encoding):
    backend = start.backend(GrpcBackend)
    front = with_reader(start, backend, {}, {"encoding": encoding})
    ready = "Everything is ready. Begin running and processing data."
    (line,) = [text for text in front.program.log().splitlines() if ready in text]
    if encoding == "json":
        told = json.loads(line)
        assert list(told)[:4] == ["level", "ts", "caller", "msg"]
        level, time, caller, message, resource = told["level"], told["ts"], told["caller"], told["msg"], \
            told["resource"]
    else:
        time, level, caller, message, fields = line.split("\t")
        resource = json.loads(fields)["resource"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d{4})", time)
    assert (level, message) == ("info", ready)
    assert re.fullmatch(r"[^/]+/[^/]+:\d+", caller)
    assert set(resource) == {"service.instance.id", "service.name", "service.version"}


@pytest.mark.ours
def test_repeated_lines_are_thinned_out(start):
    """Fifty refusals of one kind within a tick of the sampler: ten lines."""
    front = start.simple({"otlp_grpc": {"endpoint": "127.0.0.1:1", "tls": {"insecure": True}, "timeout": "100ms",
                                        "sending_queue": {"enabled": False},
                                        "retry_on_failure": {"enabled": False}}})
    with Sender(front.grpc) as sender:
        for number in range(50):
            assert sender.send(support.request([support.span(1, number)]))[0] != 0
    assert front.program.stop() == 0
    assert front.program.log().count("Exporting failed. Rejecting data.") == 10


@pytest.mark.ours
def test_own_families_stand_beside_the_collectors_on_a_page_of_their_own(start):
    backend = start.backend(GrpcBackend)
    front = start.simple({"otlp_grpc": support.otlp_to(backend)})
    send(front, backend)
    plain, whole = (set(front.metrics(path)) for path in ("/metrics", "/metrics/all"))
    assert not any(name.startswith("spanweir_") for name in plain)
    assert plain <= whole and any(name.startswith("spanweir_balance_items") for name in whole)


@pytest.mark.ours
def test_zpages_show_what_runs(start):
    grpc, number, health = support.free_ports(3)
    tree = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}}}},
        "exporters": {"nop": None},
        "extensions": {"zpages": {"endpoint": f"127.0.0.1:{number}"}, "pprof": None,
                       "health_check/own": {"endpoint": f"127.0.0.1:{health}"}},
        "service": {"extensions": ["zpages", "pprof", "health_check/own"],
                    "pipelines": {"traces/in": {"receivers": ["otlp"], "exporters": ["nop"]}}},
    }
    program = start.program(tree, health=health).wait_ready()
    status, kind, text = fetch(f"http://127.0.0.1:{number}/debug/pipelinez")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert "<td>traces/in</td><td>traces</td><td>otlp</td><td></td><td>nop</td>" in text
    _, _, text = fetch(f"http://127.0.0.1:{number}/debug/extensionz")
    assert [e for e in ("zpages", "pprof", "health_check/own") if f"<td>{e}</td>" in text] == \
        ["zpages", "pprof", "health_check/own"]
    assert fetch(f"http://127.0.0.1:{number}/debug/nothing")[0] == 404
    assert "extensions::pprof: has no effect here" in program.log()
