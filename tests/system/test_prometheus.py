"""The metrics page in the hands of Prometheus: scraped, linted, and asked for what dashboards show."""
import json
import subprocess
import urllib.parse
import urllib.request

import pytest

import signals
import support
from sut import otlp
from sut.clients import Sender
from sut.ports import free_ports

MODES = ("bare", "suffixed")
READERS = {"bare": {}, "suffixed": {"without_units": False, "without_type_suffix": False}}

# What promtool says about names that are a Collector's; in the other mode all of them have their suffix.
ALLOWED = {"bare": 'counter metrics should have "_total" suffix', "suffixed": None}

# What the dashboards and alerts people import ask for, of the components that are built in:
# {bare name: (suffix, labels)}. {signal} stands for spans, metric_points, log_records. A Collector's page has
# no otelcol_receiver_requests either, unless a feature gate (off by default) is on.
ALL = "{signal}"
DASHBOARDS = {
    "otelcol_process_uptime": ("_seconds_total", ()),
    "otelcol_process_cpu_seconds": ("_total", ()),
    "otelcol_process_memory_rss": ("_bytes", ()),
    "otelcol_process_runtime_heap_alloc_bytes": ("", ()),
    "otelcol_process_runtime_total_alloc_bytes": ("_total", ()),
    "otelcol_process_runtime_total_sys_memory_bytes": ("", ()),
    "otelcol_receiver_accepted_{signal}": ("_total", ("receiver", "transport")),
    "otelcol_receiver_refused_{signal}": ("_total", ("receiver", "transport")),
    "otelcol_receiver_failed_{signal}": ("_total", ("receiver", "transport")),
    "otelcol_processor_incoming_items": ("_total", ("processor", "otel_signal")),
    "otelcol_processor_outgoing_items": ("_total", ("processor", "otel_signal")),
    "otelcol_processor_memory_limiter_accepted_{signal}": ("_total", ("processor",)),
    "otelcol_processor_memory_limiter_refused_{signal}": ("_total", ("processor",)),
    "otelcol_processor_batch_batch_send_size_bucket": ("", ("processor", "le")),
    "otelcol_processor_batch_batch_send_size_sum": ("", ("processor",)),
    "otelcol_processor_batch_batch_send_size_count": ("", ("processor",)),
    "otelcol_processor_batch_batch_send_size_bytes_bucket": ("", ("processor", "le")),
    "otelcol_processor_batch_batch_size_trigger_send": ("_total", ("processor",)),
    "otelcol_processor_batch_timeout_trigger_send": ("_total", ("processor",)),
    "otelcol_processor_batch_metadata_cardinality": ("", ("processor",)),
    "otelcol_exporter_sent_{signal}": ("_total", ("exporter",)),
    "otelcol_exporter_send_failed_{signal}": ("_total", ("exporter",)),
    "otelcol_exporter_enqueue_failed_{signal}": ("_total", ("exporter",)),
    "otelcol_exporter_queue_size": ("", ("exporter", "data_type")),
    "otelcol_exporter_queue_capacity": ("", ("exporter", "data_type")),
    "otelcol_exporter_in_flight_requests": ("", ("exporter", "data_type")),
    "otelcol_exporter_queue_batch_send_size_bucket": ("", ("exporter", "le")),
    "otelcol_exporter_enqueue_size_bucket": ("", ("exporter", "le")),
    "target_info": ("", ("service_name", "service_version", "service_instance_id")),
}


def tree(mode, ports, backend, dead):
    """Every way for an item to go: sent, failed, refused by a full queue, refused for want of memory."""
    grpc, http, tight, full, page, health = ports
    failing = {"endpoint": f"127.0.0.1:{dead}", "tls": {"insecure": True}}
    pipelines = {}
    for signal in signals.SIGNALS:
        pipelines[signal] = {"receivers": ["otlp"], "processors": ["memory_limiter", "batch"],
                             "exporters": ["otlp_grpc/good", "otlp_grpc/failing"]}
        pipelines[f"{signal}/full"] = {"receivers": ["otlp/full"], "exporters": ["otlp_grpc/full"]}
        pipelines[f"{signal}/tight"] = {"receivers": ["otlp/tight"], "processors": ["memory_limiter/tight"],
                                        "exporters": ["otlp_grpc/good"]}
    return {
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}, "http": {"endpoint": f"127.0.0.1:{http}"}}},
            "otlp/tight": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{tight}"}}},
            "otlp/full": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{full}"}}}},
        "processors": {
            "memory_limiter": {"check_interval": "1s", "limit_mib": 500},
            "memory_limiter/tight": {"check_interval": "10ms", "limit_mib": 1, "spike_limit_mib": 0},
            "batch": {"timeout": "50ms", "send_batch_size": 20}},
        "exporters": {
            "otlp_grpc/good": support.otlp_to(backend, sending_queue={"batch": {"flush_timeout": "50ms"}}),
            "otlp_grpc/failing": {**failing, "retry_on_failure": {"enabled": False}},
            "otlp_grpc/full": {**failing, "sending_queue": {"queue_size": 1, "num_consumers": 1},
                               "retry_on_failure": {"initial_interval": "60s", "max_interval": "60s"}}},
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
        "service": {
            "extensions": ["health_check"], "pipelines": pipelines,
            "telemetry": {"metrics": {"level": "detailed", "readers": [{"pull": {"exporter": {"prometheus": {
                "host": "127.0.0.1", "port": page, **READERS[mode]}}}}]}}},
    }


def send(signal, address, number):
    """True when it was taken."""
    with Sender(address, otlp.EXPORTS[signal]) as sender:
        body = signals.parse_json(signal, json.dumps(signals.small(signal, number))).SerializeToString()
        return sender.send(body)[0] == 0


@pytest.fixture(scope="module")
def fronts(binary):
    """{mode: a program through which everything has gone}, and one Prometheus that scrapes both."""
    with support.Stage(binary) as stage:
        backend, found = stage.backend(signals.SignalsBackend), {}
        (dead,) = free_ports(1)
        for mode in MODES:
            ports = free_ports(6)
            program = stage.program(tree(mode, ports, backend, dead), own_page=True, health=ports[5])
            grpc, http, tight, full = (f"127.0.0.1:{port}" for port in ports[:4])
            found[mode] = support.Gateway(program, grpc, http, ports[4])
            for signal in signals.SIGNALS:
                assert all(send(signal, grpc, number) for number in (20, 20, 20, 1))   # batches by size, by time
                assert not send(signal, tight, 1)
                assert not all(send(signal, full, 1) for _ in range(5)), "more than a queue of one holds"
        yield found


@pytest.fixture(scope="module")
def prometheus(fronts):
    """ask(query): what a Prometheus that scrapes both programs answers."""
    (port,) = free_ports(1)
    jobs = "".join(f"  - job_name: {mode}\n    static_configs: [{{targets: ['127.0.0.1:{front.page}']}}]\n"
                   for mode, front in fronts.items())
    server = support.Daemon(
        "prometheus", {"config.yaml": f"global: {{scrape_interval: 1s}}\nscrape_configs:\n{jobs}"},
        ["--config.file=@dir@/config.yaml", "--storage.tsdb.path=@dir@/data", f"--web.listen-address=127.0.0.1:{port}"],
        [port])

    def is_ready():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=10) as answer:
                return answer.status == 200
        except OSError:                                      # 503 while it starts
            return False

    def ask(query):
        url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    try:
        assert support.wait_for(is_ready), server.log()
        yield ask
    finally:
        server.close()


def wanted_of(mode):
    """(name, labels) of all that dashboards ask for."""
    for bare, (suffix, labels) in DASHBOARDS.items():
        for item in signals.ITEMS.values() if ALL in bare else [""]:
            yield bare.replace(ALL, item) + (suffix if mode == "suffixed" else ""), labels


@pytest.mark.parametrize("mode", MODES)
def test_prometheus_has_all_that_dashboards_ask_for(prometheus, mode):
    missing = []
    for name, labels in wanted_of(mode):
        found = support.wait_for(lambda name=name: prometheus(f'{name}{{job="{mode}"}}'), limit=15)
        if not found or not any(set(labels) <= set(series["metric"]) for series in found):
            missing.append((name, found))
    assert not missing
    assert prometheus(f'up{{job="{mode}"}}')[0]["value"][1] == "1"


@pytest.mark.parametrize("mode", MODES)
def test_prometheus_reads_the_numbers_that_were_sent(prometheus, mode):
    total = "_total" if mode == "suffixed" else ""
    for item in signals.ITEMS.values():
        for query, number in (
                (f'sum(otelcol_receiver_accepted_{item}{total}{{job="{mode}",receiver="otlp"}})', "61"),
                (f'sum(otelcol_receiver_refused_{item}{total}{{job="{mode}",receiver="otlp/tight"}})', "1"),
                (f'sum(otelcol_exporter_sent_{item}{total}{{job="{mode}",exporter="otlp_grpc/good"}})', "61")):
            assert support.wait_for(lambda query=query, number=number: [
                s for s in prometheus(query) if s["value"][1] == number], limit=15), (query, prometheus(query))


@pytest.mark.parametrize("mode", MODES)
def test_promtool_finds_nothing_but_a_collectors_names(fronts, mode):
    with urllib.request.urlopen(f"http://127.0.0.1:{fronts[mode].page}/metrics", timeout=5) as answer:
        text = answer.read()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert done.returncode in (0, 3), done.stderr.decode()   # 3: it has read everything, and has something to say
    lines = (done.stdout + done.stderr).decode().splitlines()
    assert not [line for line in lines if line.partition(" ")[2] != ALLOWED[mode]], lines
