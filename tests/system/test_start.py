"""What the command line says about good and bad configurations."""
import pytest

import support
from sut.backends import GrpcBackend
from sut.clients import Sender
from sut.program import NotReady, run

GOOD = """\
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
processors:
  batch:
    timeout: 1s
exporters:
  otlp:
    endpoint: 127.0.0.1:1
    tls:
      insecure: true
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlp]
"""

# What is changed in GOOD, the line (of the changed text) that the error is about, words it has to say.
BAD = {
    "unknown key": (("    timeout: 1s", "    timeouts: 1s"), 8, ["timeouts"]),
    "unknown component": (("  batch:\n", "  butch:\n"), 7, ["butch"]),
    "wrong type": (("    timeout: 1s", "    send_batch_size: many"), 8, ["send_batch_size"]),
    "undefined exporter": (("exporters: [otlp]", "exporters: [nop]"), 20, ["nop"]),
    "bad duration": (("    timeout: 1s", "    timeout: 1 fortnight"), 8, ["timeout"]),
    "broken YAML": (("  batch:\n", "  batch: [\n"), None, []),
}


@pytest.fixture
def file(tmp_path):
    def write(text, name="config.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_validate_takes_the_examples(binary):
    for path in sorted(support.EXAMPLES.glob("*.yaml")):
        code, text, errors = run(binary, ["validate", "--config", str(path)])
        assert code == 0, text + errors


def test_validate_takes_a_good_file(binary, file):
    assert run(binary, ["validate", "--config", file(GOOD)])[0] == 0


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["validate", "start"])
def test_bad_file_is_refused_and_named(binary, file, name, command):
    (old, new), _, words = BAD[name]
    assert GOOD.count(old) == 1
    arguments = ["--config", file(GOOD.replace(old, new))]
    code, text, errors = run(binary, (["validate"] if command == "validate" else []) + arguments)
    assert code not in (0, "timeout")
    assert all(word in text + errors for word in words), text + errors


@pytest.mark.ours
@pytest.mark.parametrize("name", BAD)
def test_error_tells_file_and_line(binary, file, name):
    (old, new), line, _ = BAD[name]
    path = file(GOOD.replace(old, new))
    _, text, errors = run(binary, ["validate", "--config", path])
    wanted = f"{path}:{line}:" if line else path
    assert wanted in text + errors, text + errors


@pytest.mark.ours
def test_commands_answer(binary, file):
    code, text, _ = run(binary, ["--version"])
    assert code == 0 and "spanweir" in text
    code, text, _ = run(binary, ["--help"])
    assert code == 0 and "--config" in text and "--appliance" in text
    code, text, _ = run(binary, ["components"])
    assert code == 0 and all(name in text for name in ("tail_sampling", "memory_limiter", "otlp_grpc", "otlp_http"))
    code, text, _ = run(binary, ["print-config", "--config", file(GOOD)])
    assert code == 0 and "send_batch_size: 8192" in text, "defaults are shown"


@pytest.mark.ours
def test_tls_keys_pass_validation_and_refuse_the_start(binary, file):
    path = file(GOOD.replace("      insecure: true", "      ca_file: /etc/ssl/certs/ca-certificates.crt"))
    assert run(binary, ["validate", "--config", path])[0] == 0
    code, text, errors = run(binary, ["--config", path])
    assert code not in (0, "timeout") and "ca_file" in text + errors


@pytest.mark.ours
def test_bad_appliance_file_is_refused(binary, file):
    config = file(GOOD)
    for text, word in (("worker = 2;\n", "worker"), ("workers = \n", "appliance.conf"), ("workers = -1;\n", "workers")):
        path = file(text, "appliance.conf")
        code, out, errors = run(binary, ["--config", config, "--appliance", path])
        assert code not in (0, "timeout") and word in out + errors, out + errors


def test_taken_port_ends_the_start(start):
    backend = start.backend(GrpcBackend)
    front = start.simple({"otlp": support.otlp_to(backend)})
    with pytest.raises(NotReady) as caught:
        start.simple({"otlp": support.otlp_to(backend)},
                     receiver={"protocols": {"grpc": {"endpoint": front.grpc}}}, timeout=5)
    assert caught.value.port_taken and front.grpc.split(":")[1] in str(caught.value)
    with Sender(front.grpc) as sender:                       # the first one is not disturbed
        assert sender.send(support.request([support.span(1, 0)])) == (0, "")
    assert backend.wait_spans(1)
