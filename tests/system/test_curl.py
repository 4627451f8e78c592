"""curl with OTLP/JSON and protobuf, three signals: what a person at a shell gets for an answer."""
import json
import subprocess

import grpc
import pytest
from google.protobuf import json_format

import signals
import support
from sut import otlp
from sut.ports import free_ports

JSON, PROTOBUF = "application/json", "application/x-protobuf"


def curl(url, *arguments, data=None, kind=JSON):
    """(status, content type, body)"""
    form = ["-H", f"Content-Type: {kind}", "--data-binary", "@-"] if data is not None else []
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--write-out",
         "\n%{http_code} %{content_type}", *form, *arguments, url],
        input=data or b"", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    body, _, last = done.stdout.rpartition(b"\n")
    status, _, answered = last.decode().partition(" ")
    return int(status), answered, body


def json_of(signal, number):
    return json.dumps(signals.small(signal, number), ensure_ascii=False).encode()


def proto_of(signal, number):
    return signals.parse_json(signal, json_of(signal, number)).SerializeToString()


def sorted_items(signal, number):
    return signals.ordered(signals.items(signal, signals.parse_json(signal, json_of(signal, number))))


@pytest.fixture(scope="module")
def front(binary, appliance):
    """Three pipelines into one gRPC backend; what the backend says reaches the client."""
    with support.Stage(binary) as stage:
        yield signals.pass_through(stage, appliance)


@pytest.fixture(autouse=True)
def _backend_is_kind_again(front):
    front[1].take()
    front[1].answer = lambda signal, request: None


def url(front, signal):
    return f"http://{front[0].http}/v1/{signal}"


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_json_is_taken_and_answered_in_json(front, signal):
    answer = curl(url(front, signal), data=json_of(signal, 20))
    assert answer == (200, JSON, b'{"partialSuccess":{}}')
    assert signals.ordered(signals.arrived(front[1], signal)) == sorted_items(signal, 20)


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_protobuf_is_taken_and_answered_in_protobuf(front, signal):
    answer = curl(url(front, signal), data=proto_of(signal, 20), kind=PROTOBUF)
    assert answer == (200, PROTOBUF, b"\n\x00")
    assert signals.ordered(signals.arrived(front[1], signal)) == sorted_items(signal, 20)


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_chunks_and_expectations_of_curl(front, signal):
    """Large bodies make curl ask first (100 Continue); a pipe makes it send in chunks."""
    data = json_of(signal, 8000)
    assert len(data) > 1 << 20
    for more in ([], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]):
        front[1].take()
        assert curl(url(front, signal), *more, data=data) == (200, JSON, b'{"partialSuccess":{}}')
        assert len(signals.arrived(front[1], signal)) == 8000


@pytest.mark.parametrize("signal", signals.SIGNALS)
@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
def test_partial_success_of_a_backend_is_no_error(front, signal, kind):
    """The backend took the rest; a receiver's own answer never is partial."""
    rejected = {"traces": "rejectedSpans", "metrics": "rejectedDataPoints", "logs": "rejectedLogRecords"}[signal]
    front[1].answer = lambda _signal, _request: json_format.ParseDict(
        {"partialSuccess": {rejected: "2", "errorMessage": "two were bad"}}, signals.RESPONSES[signal]())
    sent = f'otelcol_exporter_sent_{signals.ITEMS[signal]}{{exporter="otlp_grpc"'
    before = total(front, sent)
    data = json_of(signal, 5) if kind == JSON else proto_of(signal, 5)
    assert curl(url(front, signal), data=data, kind=kind)[:2] == (200, kind)
    assert total(front, sent) == before + 5
    assert support.wait_for(lambda: "two were bad" in front[0].program.log())


def total(front, prefix):
    return sum(value for name, value in front[0].metrics().items() if name.startswith(prefix))


@pytest.mark.parametrize("signal", signals.SIGNALS)
@pytest.mark.parametrize("refusal, status, code", [
    (grpc.StatusCode.UNAVAILABLE, 503, 14), (grpc.StatusCode.INVALID_ARGUMENT, 400, 3),
    (grpc.StatusCode.UNAUTHENTICATED, 401, 16)], ids=lambda v: getattr(v, "name", None))
def test_refusal_of_the_backend_reaches_curl(front, signal, refusal, status, code):
    front[1].answer = lambda _signal, _request: (refusal, "not today")
    told = curl(url(front, signal), data=json_of(signal, 1))
    assert told[:2] == (status, JSON)
    assert json.loads(told[2])["code"] == code and "not today" in json.loads(told[2])["message"]
    told = curl(url(front, signal), data=proto_of(signal, 1), kind=PROTOBUF)
    assert told[:2] == (status, PROTOBUF) and b"not today" in told[2]


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_bad_requests_are_told_what_is_wrong(front, signal):
    told = curl(url(front, signal), data=b'{"resource')
    assert told[:2] == (400, JSON) and json.loads(told[2])["code"] == 3
    assert curl(url(front, signal), data=b"zz", kind=PROTOBUF)[:2] == (400, PROTOBUF)
    assert curl(url(front, signal), data=b"{}", kind="text/plain")[:2] == (415, "text/plain")
    assert curl(url(front, signal))[:2] == (405, "text/plain")
    assert curl(f"http://{front[0].http}/v1/{signal}s", data=b"{}")[0] == 404
    assert not front[1].arrivals


def test_signals_without_a_pipeline_have_no_path(start):
    (port,) = free_ports(1)
    front = start.simple({"nop": None}, pipelines=("logs",), receiver={
        "protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}})
    for signal, wanted in (("traces", 404), ("metrics", 404), ("logs", 200)):
        assert curl(f"http://127.0.0.1:{port}/v1/{signal}", data=json_of(signal, 1))[0] == wanted
    assert front.program.alive


def test_paths_can_be_moved(start):
    (port,) = free_ports(1)
    backend = start.backend(signals.SignalsBackend)
    start.simple({"otlp_grpc": support.otlp_to(backend, sending_queue={"enabled": False})},
                 pipelines=signals.SIGNALS, receiver={"protocols": {"http": {
                     "endpoint": f"127.0.0.1:{port}", "traces_url_path": "/t", "metrics_url_path": "/m",
                     "logs_url_path": "/l"}}})
    for signal in signals.SIGNALS:
        assert curl(f"http://127.0.0.1:{port}/{signal[0]}", data=json_of(signal, 3))[0] == 200
        assert len(signals.arrived(backend, signal)) == 3
    assert {a.path for a in backend.arrivals} == set(otlp.EXPORTS.values())
