"""Clients in Go, three signals: the OpenTelemetry SDK through an agent and a gateway, and grpcurl, a client without any SDK."""
import base64
import json
import subprocess

import grpc
import pytest
from google.protobuf import descriptor_pb2, json_format

import signals
import support
from sut import otlp
from sut.ports import free_ports

PROGRAMS = support.ROOT / ".cache" / "go"
COUNT = 60
# Spans, data points and records that the client makes of COUNT.
NUMBERS = {"traces": 2 * COUNT, "metrics": 5 * COUNT, "logs": COUNT}
# The schema of an imagined service: OTLP's names, but bytes that are no message, and a method that nobody has.
WRONG = """syntax = "proto3";
package opentelemetry.proto.collector.{signal}.v1;
message Bytes {{ bytes content = 1; }}
message Nothing {{}}
service {service} {{
  rpc Export(Bytes) returns (Nothing);
  rpc Missing(Nothing) returns (Nothing);
}}
service Nobody {{ rpc Export(Nothing) returns (Nothing); }}
"""

pytestmark = pytest.mark.skipif(not (PROGRAMS / "signals").exists() or not (PROGRAMS / "grpcurl").exists(),
                                reason="scripts/setup --tests found no Go to build the clients with")


def send_with_go(signal, protocol, compression, agent):
    """The requests that were sent."""
    address = agent.grpc if protocol == "grpc" else agent.http
    done = subprocess.run([PROGRAMS / "signals", signal, protocol, compression, address, str(COUNT)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [otlp.REQUESTS[signal].FromString(base64.b64decode(line)) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def path(binary, appliance):
    """An agent and a gateway with a gRPC and two HTTP backends; one of those gets JSON."""
    with support.Stage(binary) as stage:
        yield signals.behind_gateway(stage, appliance)


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_go_sdk_items_arrive_once_and_whole(path, signal, protocol, compression):
    agent, _, backends = path
    for backend in backends:
        backend.take()
    sent = [item for request in send_with_go(signal, protocol, compression, agent)
            for item in signals.items(signal, request)]
    assert len(sent) == NUMBERS[signal]
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


# --- grpcurl -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def front(binary, appliance):
    """Three pipelines into one gRPC backend; what the backend says reaches the client."""
    with support.Stage(binary) as stage:
        yield signals.pass_through(stage, appliance)


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    """Arguments that tell grpcurl the messages and services of OTLP."""
    files, found = descriptor_pb2.FileDescriptorSet(), set()

    def add(file):
        if file.name in found:
            return
        found.add(file.name)
        for needed in file.dependencies:
            add(needed)
        file.CopyToProto(files.file.add())

    for request in otlp.REQUESTS.values():
        add(request.DESCRIPTOR.file)
    target = tmp_path_factory.mktemp("schema") / "otlp.protoset"
    target.write_bytes(files.SerializeToString())
    return ["-protoset", str(target)]


@pytest.fixture
def wrong(tmp_path):
    """Of a signal, arguments that tell grpcurl something else."""
    def make(signal):
        service = otlp.EXPORTS[signal].strip("/").split("/")[0].rpartition(".")[2]
        (tmp_path / "wrong.proto").write_text(
            WRONG.format(signal="trace" if signal == "traces" else signal, service=service), encoding="utf-8")
        return ["-import-path", str(tmp_path), "-proto", "wrong.proto"]

    return make


def grpcurl(address, method, arguments=(), data="{}"):
    """The answer as JSON, or (code, text)."""
    done = subprocess.run([PROGRAMS / "grpcurl", "-plaintext", "-max-time", "20", "-format-error", *arguments, "-d", "@",
                           address, method.strip("/")], input=data, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 0:
        return done.stdout
    assert done.returncode > 64, done.stderr
    status = json.loads(done.stderr[done.stderr.index("{"):])
    assert status["code"] == done.returncode - 64
    return status["code"], status["message"]


def json_of(request):
    """protobuf's own JSON, in which identifiers are base64."""
    return json_format.MessageToJson(request)


def is_taken(signal, answer):
    """Nothing was rejected, and the answer says so as a Collector's does, with an empty partial success."""
    response = json_format.Parse(answer, signals.RESPONSES[signal]())
    return response.SerializeToString() == b"\n\x00"


def small(signal, number):
    return signals.parse_json(signal, json.dumps(signals.small(signal, number)))


@pytest.fixture(autouse=True)
def _backend_is_kind_again(request):
    if "front" in request.fixturenames:
        backend = request.getfixturevalue("front")[1]
        backend.take()
        backend.answer = lambda signal, request: None


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_grpcurl_is_taken_and_answered(front, schema, signal):
    sent = small(signal, 20)
    assert is_taken(signal, grpcurl(front[0].grpc, otlp.EXPORTS[signal], schema, json_of(sent)))
    assert signals.ordered(signals.arrived(front[1], signal)) == signals.ordered(signals.items(signal, sent))


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_refusal_of_the_backend_reaches_grpcurl(front, schema, signal):
    front[1].answer = lambda _signal, _request: (grpc.StatusCode.UNAVAILABLE, "not today")
    code, text = grpcurl(front[0].grpc, otlp.EXPORTS[signal], schema, json_of(small(signal, 1)))
    assert code == grpc.StatusCode.UNAVAILABLE.value[0] and "not today" in text


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_bytes_that_are_no_message_are_an_internal_error(front, wrong, signal):
    data = json.dumps({"content": base64.b64encode(b"\xff\xff\xff").decode()})
    code, text = grpcurl(front[0].grpc, otlp.EXPORTS[signal], wrong(signal), data)
    assert code == grpc.StatusCode.INTERNAL.value[0]
    assert text.startswith("grpc: error unmarshalling request: ")
    assert not front[1].arrivals


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_methods_and_services_that_nobody_has_are_unimplemented(front, wrong, signal):
    unimplemented = grpc.StatusCode.UNIMPLEMENTED.value[0]
    service = otlp.EXPORTS[signal].strip("/").split("/")[0]
    nobody = f"{service.rpartition('.')[0]}.Nobody"
    arguments = wrong(signal)
    assert grpcurl(front[0].grpc, f"{service}/Missing", arguments) == (
        unimplemented, f"unknown method Missing for service {service}")
    assert grpcurl(front[0].grpc, f"{nobody}/Export", arguments) == (unimplemented, f"unknown service {nobody}")


def test_signals_without_a_pipeline_have_no_service(start, schema):
    (port,) = free_ports(1)
    start.simple({"nop": None}, pipelines=("logs",), receiver={
        "protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}})
    for signal in ("traces", "metrics"):
        code, text = grpcurl(f"127.0.0.1:{port}", otlp.EXPORTS[signal], schema, json_of(small(signal, 1)))
        assert code == grpc.StatusCode.UNIMPLEMENTED.value[0]
        assert text == f"unknown service {otlp.EXPORTS[signal].strip('/').split('/')[0]}"
    assert is_taken("logs", grpcurl(f"127.0.0.1:{port}", otlp.EXPORTS["logs"], schema, json_of(small("logs", 1))))


def test_there_is_no_reflection(front):
    """As with a Collector, grpcurl has to be told the schema."""
    done = subprocess.run([PROGRAMS / "grpcurl", "-plaintext", "-max-time", "20", front[0].grpc, "list"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "does not support the reflection API" in done.stderr
