"""`spanweir queue`: what a stopped process left, shown, verified, exported and sent."""
import hashlib
import json
import signal
import subprocess

import pytest

import support
from signals import SIGNALS, SignalsBackend, items, ordered, parse_json
from sut import otlp
from sut.backends import HttpBackend
from sut.clients import Sender
from sut.program import run
from test_storage import UNAVAILABLE_STATUS, Box, INVALID_STATUS, numbered, numbers, queued

pytestmark = pytest.mark.ours
COUNT = 12


def left_behind(start, tmp_path, count=COUNT, **options):
    """A store with requests of three signals that a dead backend did not take, its process killed."""
    backend = start.backend(SignalsBackend)
    backend.answer = lambda s, request: (UNAVAILABLE_STATUS, "down")
    box = Box(start, tmp_path / "queue", backend, {"create_directory": True}, **options)
    gateway = box.gateway()
    for s in SIGNALS:
        with Sender(gateway.grpc, otlp.EXPORTS[s]) as sender:
            for number in range(count):
                assert sender.send(numbered(s, number)) == (0, "")
    gateway.program.signal(signal.SIGKILL)
    gateway.program.wait()
    return box, backend


def command(binary, *arguments):
    code, out, error = run(binary, ["queue", *map(str, arguments)])
    return code, out, error


def state(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_looking_changes_nothing_and_tells_all(start, binary, tmp_path):
    box, backend = left_behind(start, tmp_path)
    before = state(box.folder)
    code, out, _ = command(binary, "ls", box.folder, "--format", "json")
    assert code == 0
    queues = {q["exporter"]: q for q in json.loads(out)["queues"]}
    for s in SIGNALS:
        queue = queues[f"otlp_grpc/{s}"]
        assert (queue["signal"], queue["requests"], queue["items"]) == (s, COUNT, 3 * COUNT)
        assert queue["store"] == "file_storage" and 0 < queue["under_way"] <= COUNT
    code, out, _ = command(binary, "ls", box.folder)
    assert code == 0 and "otlp_grpc/logs" in out and "EXPORTER" in out
    code, out, _ = command(binary, "peek", box.folder, "--format=json", "--limit=2", "--queue", "otlp_grpc/traces/traces")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [line["items"] for line in lines] == [3, 3]
    code, out, _ = command(binary, "verify", box.folder, "--format", "json")
    assert code == 0 and json.loads(out) == {"requests": 3 * COUNT, "damaged": [], "damaged_files": []}
    for s in SIGNALS:
        code, out, _ = command(binary, "export", box.folder, "--queue", f"otlp_grpc/{s}/{s}")
        assert code == 0
        found = [i for line in out.splitlines() for i in items(s, parse_json(s, line))]
        sent = [i for n in range(COUNT) for i in items(s, otlp.REQUESTS[s].FromString(numbered(s, n)))]
        assert ordered(found) == ordered(sent)
    assert state(box.folder) == before
    backend.answer = lambda s, request: None
    gateway = box.gateway()
    assert support.wait_for(lambda: queued(gateway) == 0)
    assert all(sorted(set(numbers(backend, s))) == list(range(COUNT)) for s in SIGNALS)


def test_drain_sends_all_over_grpc(start, binary, tmp_path):
    box, _ = left_behind(start, tmp_path)
    other = start.backend(SignalsBackend)
    code, _, error = command(binary, "drain", box.folder, "--endpoint", other.address)
    assert code == 0, error
    assert f"{3 * COUNT} of {3 * COUNT} requests" in error
    assert all(sorted(numbers(other, s)) == list(range(COUNT)) for s in SIGNALS)
    code, out, _ = command(binary, "ls", box.folder, "--format", "json")
    assert all(q["requests"] == 0 for q in json.loads(out)["queues"])


def test_drain_sends_one_queue_over_http(start, binary, tmp_path):
    box, _ = left_behind(start, tmp_path)
    other = start.backend(HttpBackend)
    code, out, error = command(binary, "drain", box.folder, "--endpoint", f"http://{other.address}", "--protocol", "http",
                               "--queue", "otlp_grpc/logs/logs", "--format", "json")
    assert code == 0, error
    assert json.loads(out.splitlines()[-1])["sent"] == COUNT
    assert len(other.arrivals) == COUNT and {a.path for a in other.arrivals} == {"/v1/logs"}
    code, out, _ = command(binary, "ls", box.folder, "--format", "json")
    left = {q["signal"]: q["requests"] for q in json.loads(out)["queues"]}
    assert (left["traces"], left["metrics"], left.get("logs", 0)) == (COUNT, COUNT, 0)


def test_what_is_refused_stays(start, binary, tmp_path):
    box, _ = left_behind(start, tmp_path)
    other = start.backend(SignalsBackend)
    other.answer = lambda s, request: (INVALID_STATUS, "no") if s == "metrics" else None
    code, _, error = command(binary, "drain", box.folder, "--endpoint", other.address)
    assert code == 1
    assert f"{COUNT} requests stay" in error and f"{COUNT} of them were refused" in error
    other.answer = lambda s, request: None
    assert command(binary, "drain", box.folder, "--endpoint", other.address)[0] == 0
    assert all(sorted(numbers(other, s)) == list(range(COUNT)) for s in SIGNALS)


def test_ctrl_c_keeps_the_rest(start, binary, tmp_path):
    box, _ = left_behind(start, tmp_path)
    other = start.backend(SignalsBackend)
    other.answer = lambda s, request: (UNAVAILABLE_STATUS, "busy") if s == "logs" else None
    with subprocess.Popen([binary, "queue", "drain", str(box.folder), "--endpoint", other.address],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert support.wait_for(lambda: all(len(numbers(other, s)) == COUNT for s in ("traces", "metrics")))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 1
        assert f"{COUNT} requests stay" in process.stderr.read().decode()
    other.answer = lambda s, request: None
    assert command(binary, "drain", box.folder, "--endpoint", other.address)[0] == 0
    assert sorted(numbers(other, "logs")) == list(range(COUNT))


def test_damage_is_named(start, binary, tmp_path):
    box, _ = left_behind(start, tmp_path)
    file = box.folder / "spanweir_file_storage.mdb"
    good = file.read_bytes()
    data = bytearray(good)
    at = data.index(b"SWR1")
    data[at + 60] ^= 1
    file.write_bytes(data)
    code, out, _ = command(binary, "verify", box.folder)
    if code == 0:  # it was in a page that is not in use any more: every copy, then
        at = 0
        data = bytearray(good)
        while (at := data.find(b"SWR1", at + 1)) > 0:
            data[at + 60] ^= 1
        file.write_bytes(data)
        code, out, _ = command(binary, "verify", box.folder)
    assert code == 1 and "is damaged" in out
    file.write_bytes(bytes(4096) + good[4096:])
    code, out, error = command(binary, "verify", box.folder)
    assert code == 1 and "page 0" in out and "can be found in it" in out
    assert command(binary, "ls", box.folder)[0] == 1


def test_a_running_process_is_left_alone(start, binary, tmp_path):
    box, backend = left_behind(start, tmp_path)
    box.gateway()
    for words in (["ls", box.folder], ["drain", box.folder, "--endpoint", backend.address]):
        code, _, error = command(binary, *words)
        assert code == 1 and "a running process holds it" in error


@pytest.mark.parametrize("arguments, words", [
    (["peek"], "missing argument"), (["nope", "/tmp"], "unknown command: nope"), (["ls", "/tmp", "--colour=1"], "unknown flag"),
    (["drain", "/tmp"], "--endpoint"), (["ls", "/tmp", "--format", "xml"], "--format is text or json"),
    (["peek", "/tmp", "--limit", "x"], "--limit is a number"),
])
def test_wrong_use_is_told(binary, arguments, words):
    code, _, error = command(binary, *arguments)
    assert code == 2 and words in error


def test_a_folder_without_a_store_is_told(binary, tmp_path):
    code, _, error = command(binary, "ls", tmp_path)
    assert code == 1 and "there is no store" in error
    assert command(binary, "--help")[0] == 0
