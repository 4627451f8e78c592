"""What a backend refuses for good is written to OTLP/JSON lines."""
import grpc
import pytest

import support
from signals import ITEMS, SIGNALS, SignalsBackend, items, ordered, parse_json
from sut import otlp
from sut.backends import HttpBackend
from sut.clients import Sender
from test_storage import numbered

pytestmark = pytest.mark.ours


def appliance(folder, *ids, size=4):
    path = folder / "appliance.conf"
    entries = ", ".join(f'{{ kind = "exporter"; id = "{i}"; dead_letter = {{ path = "{folder}/dead"; '
                        f'size_mib = {size}; }}; }}' for i in ids)
    path.write_text(f"components = ( {entries} );\n", encoding="utf-8")
    return {"SPANWEIR_APPLIANCE": str(path)}


def total(gateway, name):
    return sum(v for k, v in gateway.metrics("/metrics/all").items() if k.startswith(name))


def letters(folder, exporter, signal):
    path = folder / "dead" / f"{exporter}-{signal}.jsonl"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def refusing(start, kind):
    if kind == "grpc":
        backend = start.backend(SignalsBackend)
        backend.answer = lambda signal, request: (grpc.StatusCode.INVALID_ARGUMENT, "no")
        return "otlp_grpc", {"otlp_grpc": support.otlp_to(backend)}
    backend = start.backend(HttpBackend)
    backend.answer = lambda arrival: (400, {}, b"")
    return "otlp_http", {"otlp_http": {"endpoint": f"http://{backend.address}"}}


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_what_is_refused_for_good_is_written(start, tmp_path, kind):
    exporter, exporters = refusing(start, kind)
    gateway = start.simple(exporters, pipelines=SIGNALS, environment=appliance(tmp_path, exporter))
    for s in SIGNALS:
        with Sender(gateway.grpc, otlp.EXPORTS[s]) as sender:
            for number in range(5):
                assert sender.send(numbered(s, number)) == (0, "")
    assert support.wait_for(lambda: total(gateway, "spanweir_exporter_dead_letter_items") == 45)
    assert total(gateway, "spanweir_exporter_dead_letter_failed_items") == 0
    for s in SIGNALS:
        assert total(gateway, f"otelcol_exporter_send_failed_{ITEMS[s]}") == 15
        found = [i for line in letters(tmp_path, exporter, s) for i in items(s, parse_json(s, line))]
        sent = [i for number in range(5)
                for i in items(s, otlp.REQUESTS[s].FromString(numbered(s, number)))]
        assert ordered(found) == ordered(sent)
    assert gateway.program.stop() == 0


def test_what_may_succeed_later_is_no_dead_letter(start, tmp_path):
    backend = start.backend(SignalsBackend)
    backend.answer = lambda signal, request: (grpc.StatusCode.UNAVAILABLE, "busy")
    retry = {"initial_interval": "10ms", "max_interval": "10ms", "max_elapsed_time": "100ms"}
    gateway = start.simple({"otlp_grpc": support.otlp_to(backend, retry_on_failure=retry)},
                           environment=appliance(tmp_path, "otlp_grpc"))
    with Sender(gateway.grpc) as sender:
        assert sender.send(numbered("traces", 1)) == (0, "")
    assert support.wait_for(lambda: total(gateway, "otelcol_exporter_send_failed_spans") == 3)
    assert not letters(tmp_path, "otlp_grpc", "traces")


def test_the_files_stay_below_their_size(start, tmp_path):
    exporter, exporters = refusing(start, "grpc")
    gateway = start.simple(exporters, environment=appliance(tmp_path, exporter, size=1))
    with Sender(gateway.grpc) as sender:
        for number in range(120):
            assert sender.send(numbered("traces", number, 100)) == (0, "")
    assert support.wait_for(lambda: total(gateway, "spanweir_exporter_dead_letter_items") == 12000)
    sizes = [f.stat().st_size for f in (tmp_path / "dead").iterdir()]
    assert len(sizes) == 4 and sum(sizes) <= 1 << 20


def test_at_the_end_they_are_written_too(start, tmp_path):
    exporter, exporters = refusing(start, "grpc")
    gateway = start.simple(exporters, environment=appliance(tmp_path, exporter))
    with Sender(gateway.grpc) as sender:
        for number in range(20):
            assert sender.send(numbered("traces", number)) == (0, "")
    assert gateway.program.stop() == 0
    assert len(letters(tmp_path, exporter, "traces")) == 20


@pytest.mark.parametrize("setting, words", [
    ("dead_letter = 5;", "dead_letter must be a group"), ("dead_letter = { size_mib = 4; };", "dead_letter needs path"),
    ('dead_letter = { path = "/tmp/x"; size_mib = 0; };', "dead_letter.size_mib must be a number"),
    ('dead_letter = { path = "/tmp/x"; colour = 1; };', "setting dead_letter.colour is not supported here"),
])
def test_settings_are_checked(start, tmp_path, setting, words):
    _, exporters = refusing(start, "grpc")
    path = tmp_path / "appliance.conf"
    path.write_text(f'components = ( {{ kind = "exporter"; id = "otlp_grpc"; {setting} }} );\n', encoding="utf-8")
    with pytest.raises(Exception, match=words):
        start.simple(exporters, environment={"SPANWEIR_APPLIANCE": str(path)})
