"""Metrics and logs of real SDKs, through an agent and a gateway, into real backends: all as it was sent."""
import subprocess
import threading

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import set_span_in_context

import signals
import support

COUNT = 60
KINDS = {("metrics", "grpc"): GrpcMetrics, ("metrics", "http"): HttpMetrics, ("logs", "grpc"): GrpcLogs,
         ("logs", "http"): HttpLogs}
ENCODE = {"metrics": encode_metrics, "logs": encode_logs}


def python_exporter(signal, protocol, compression, agent, sent):
    """An SDK's exporter that notes what was taken (as requests) and how often it failed."""
    class Noting(KINDS[signal, protocol]):
        failures = 0
        lock = threading.Lock()

        def export(self, data, *arguments, **keywords):
            result = super().export(data, *arguments, **keywords)
            with self.lock:
                if result.name == "SUCCESS":
                    sent.append(ENCODE[signal](data))
                else:
                    self.failures += 1
            return result

    if protocol == "grpc":
        kind = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
        return Noting(endpoint=agent.grpc, insecure=True, compression=kind)
    kind = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    return Noting(endpoint=f"http://{agent.http}/v1/{signal}", compression=kind)


def python_metrics(exporter, resource):
    # Nothing by the clock: the one export is that of the shutdown.
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False, views=[
        View(instrument_name="sizes", aggregation=ExponentialBucketHistogramAggregation())])
    meter = provider.get_meter("python-system-test", "0.1")
    meter.create_observable_gauge("temperature", [lambda _: [Observation(i - 0.25, {"room": f"r{i}"})
                                                             for i in range(COUNT)]])
    orders, open_ = meter.create_counter("orders", "{order}", "Bestellungen – ä"), meter.create_up_down_counter("open")
    latency, sizes = meter.create_histogram("latency", "ms"), meter.create_histogram("sizes", "By")
    for i in range(COUNT):
        attributes = {"route": f"/items/{i}", "flag": i % 2 == 0, "list": ["ä", "日本", ""], "huge": 2**62 + i}
        orders.add(2**53 + i, attributes)
        open_.add(-i if i % 2 else i + 0.5, attributes)
        for k in range(5):
            latency.record(i * 3 + k, attributes)
        sizes.record(2.0 ** (i % 40), attributes)
    return provider


def python_logs(exporter, resource):
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=100000,
                                                              max_export_batch_size=64))
    logger = provider.get_logger("python-system-test", "0.1")
    span = TracerProvider(shutdown_on_exit=False).get_tracer("spans").start_span("around")
    for i in range(COUNT):
        logger.emit(LogRecord(
            timestamp=1_760_000_000_000_000_000 + i, context=set_span_in_context(span) if i % 2 else None,
            severity_text="INFO" if i % 2 else "ERROR",
            severity_number=SeverityNumber.INFO if i % 2 else SeverityNumber.ERROR,
            body=f"line {i} – ä 日本 " + "x" * (7 * i) if i % 3 else {"text": "structured", "list": [1, 2, 3], "n": i},
            attributes={"number": i, "ratio": i + 0.5, "bytes": b"\x00\xff"}, event_name=None if i % 4 else "shop.event"))
    return provider


def send_with_python(signal, protocol, compression, agent):
    """The requests that were sent."""
    sent = []
    exporter = python_exporter(signal, protocol, compression, agent, sent)
    resource = Resource.create({"service.name": "python-shop", "service.version": "1.2.3"})
    (python_metrics if signal == "metrics" else python_logs)(exporter, resource).shutdown()
    assert exporter.failures == 0
    return sent


def send_with_js(signal, protocol, compression, agent):
    address = agent.grpc if protocol == "grpc" else agent.http
    done = subprocess.run(
        ["node", str(support.JS / "signals.js"), signal, protocol, compression, address, str(COUNT)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [signals.parse_json(signal, line) for line in done.stdout.splitlines()]


SENDERS = {"python": send_with_python, "js": send_with_js}


@pytest.fixture(scope="module")
def path(binary, appliance):
    """An agent and a gateway with a backend of each kind."""
    with support.Stage(binary) as stage:
        yield signals.behind_gateway(stage, appliance)


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("signal", ["metrics", "logs"])
@pytest.mark.parametrize("sdk", ["python", "js"])
def test_sdk_items_arrive_once_and_whole(path, sdk, signal, protocol, compression):
    agent, _, backends = path
    for backend in backends:
        backend.take()
    sent = [item for request in SENDERS[sdk](signal, protocol, compression, agent)
            for item in signals.items(signal, request)]
    assert len(sent) == (5 * COUNT if signal == "metrics" else COUNT)
    wanted = signals.ordered(signals.with_resource(sent, signals.OF_THE_AGENT))
    for backend in backends:
        assert signals.wait_items(backend, signal, len(sent))
        backend.wait_quiet(0.2)
        assert signals.ordered(signals.arrived(backend, signal)) == wanted


@pytest.mark.ours
def test_the_books_balance_after_all_that(path):
    for part in path[:2]:
        errors = {k: v for k, v in part.metrics("/metrics/all").items() if k.startswith("spanweir_balance_error")}
        assert errors and not any(errors.values()), errors
