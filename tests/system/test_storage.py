"""Queues in a store on disk: kill -9, restarts, full stores and disks, damage."""
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import grpc
import pytest

import support
from signals import ITEMS, SIGNALS, SignalsBackend, message
from sut import otlp
from sut.clients import Sender
from sut.program import run

pytestmark = pytest.mark.ours

ROUNDS = int(os.environ.get("STORAGE_ROUNDS", "50"))
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]
UNAVAILABLE_STATUS, INVALID_STATUS = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INVALID_ARGUMENT
RESOURCES = {"traces": "resource_spans", "metrics": "resource_metrics", "logs": "resource_logs"}


def numbered(signal_, number, items=3):
    """A request of any signal whose resource carries a number."""
    resource = {"attributes": [{"key": "number", "value": {"intValue": str(number)}}]}
    now = "1760000000000000000"
    tree = {
        "traces": lambda: {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [
            support.span(number + 1, n) for n in range(items)]}]}]},
        "metrics": lambda: {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [
            {"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": now, "asInt": str(n)} for n in range(items)]}}]}]}]},
        "logs": lambda: {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [
            {"timeUnixNano": now, "body": {"stringValue": f"line {n}"}} for n in range(items)]}]}]},
    }[signal_]()
    return otlp.from_json(tree, otlp.REQUESTS[signal_]).SerializeToString()


def numbers(backend, signal_):
    """The numbers that arrived, in order; repeats stay."""
    found = []
    for arrival in list(backend.arrivals):
        if arrival.path == otlp.EXPORTS[signal_]:
            for resource in getattr(message(arrival), RESOURCES[signal_]):
                found += [a.value.int_value for a in resource.resource.attributes if a.key == "number"]
    return found


class Senders:
    """One client for each signal that sends as fast as it is answered; remembers what was acknowledged."""

    def __init__(self, first=0, make=numbered):
        self.acknowledged = {s: [] for s in SIGNALS}
        self.refused = {s: 0 for s in SIGNALS}
        self._next = {s: first for s in SIGNALS}
        self._make = make
        self._threads, self._stop = [], threading.Event()

    def _run(self, signal_, address):
        with Sender(address, otlp.EXPORTS[signal_]) as sender:
            while not self._stop.is_set():
                number = self._next[signal_]
                self._next[signal_] += 1
                code, _ = sender.send(self._make(signal_, number), timeout=1)
                if code == 0:
                    self.acknowledged[signal_].append(number)
                else:
                    self.refused[signal_] += 1

    def start(self, address):
        self._stop.clear()
        self._threads = [threading.Thread(target=self._run, args=(s, address), daemon=True) for s in SIGNALS]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def exporter(backend, **queue):
    return {"endpoint": backend.address, "tls": {"insecure": True}, "compression": "none",
            "retry_on_failure": {"initial_interval": "50ms", "max_interval": "200ms", "max_elapsed_time": "0s"},
            "sending_queue": {"storage": "file_storage", "queue_size": 100000, "num_consumers": 4, **queue}}


class Box:
    """Gateways one after the other over one store; an exporter for each signal, ports that stay."""

    def __init__(self, start, folder, backend, storage=None, queue=None, pipelines=SIGNALS, environment=None):
        self.start, self.folder = start, pathlib.Path(folder)
        port, self.health, self.page = support.free_ports(3)
        self.address = f"127.0.0.1:{port}"
        self.environment = environment
        self.tree = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": self.address}}}},
            "exporters": {f"otlp_grpc/{s}": exporter(backend, **(queue or {})) for s in pipelines},
            "extensions": {"file_storage": {"directory": str(self.folder), **(storage or {})},
                           "health_check": {"endpoint": f"127.0.0.1:{self.health}"}},
            "service": {
                "extensions": ["file_storage", "health_check"],
                "telemetry": {"metrics": {"readers": [{"pull": {"exporter": {"prometheus": {
                    "host": "127.0.0.1", "port": self.page}}}}]}},
                "pipelines": {s: {"receivers": ["otlp"], "exporters": [f"otlp_grpc/{s}"]} for s in pipelines}},
        }

    def gateway(self):
        program = self.start.program(self.tree, health=self.health, own_page=True, environment=self.environment)
        return support.Gateway(program, self.address, page=self.page)


def queued(gateway):
    return sum(v for k, v in gateway.metrics().items() if k.startswith("otelcol_exporter_queue_size"))


def unbalanced(gateway):
    return {k: v for k, v in gateway.metrics("/metrics/all").items() if k.startswith("spanweir_balance_error") and v}


def check_arrived(backend, senders, duplicates_most):
    for s in SIGNALS:
        acknowledged, arrived = set(senders.acknowledged[s]), numbers(backend, s)
        assert acknowledged, s
        assert not acknowledged - set(arrived), f"{s}: acknowledged and lost"
        assert len(arrived) - len(set(arrived)) <= duplicates_most, s


@pytest.mark.parametrize("fsync", [False, True], ids=["plain", "fsync"])
def test_kill_9_loses_nothing_acknowledged(start, tmp_path, fsync, appliance):
    backend = start.backend(SignalsBackend)
    dice = random.Random(7)
    backend.answer = lambda s, request: (UNAVAILABLE_STATUS, "busy") if dice.random() < 0.3 else None
    box = Box(start, tmp_path, backend, {"fsync": fsync}, environment=appliance)
    senders = Senders()
    rounds = -(-ROUNDS // 4)
    for _ in range(rounds):
        gateway = box.gateway()
        senders.start(gateway.grpc)
        time.sleep(dice.uniform(0.1, 0.5))
        gateway.program.signal(signal.SIGKILL)
        assert gateway.program.wait() == -signal.SIGKILL
        senders.stop()
    backend.answer = lambda s, request: None
    gateway = box.gateway()
    assert support.wait_for(lambda: queued(gateway) == 0), gateway.program.log_tail()
    assert not unbalanced(gateway)
    # At a kill each signal has four calls under way, and perhaps some whose end is not committed.
    check_arrived(backend, senders, rounds * 8)
    assert gateway.program.stop() == 0, gateway.program.log_tail()


def test_what_a_dead_backend_left_is_sent_after_a_restart(start, tmp_path):
    backend = start.backend(SignalsBackend)
    backend.answer = lambda s, request: (UNAVAILABLE_STATUS, "down")
    box = Box(start, tmp_path, backend)
    gateway = box.gateway()
    senders = Senders()
    senders.start(gateway.grpc)
    time.sleep(1)
    senders.stop()
    total = sum(len(a) for a in senders.acknowledged.values())
    assert queued(gateway) == total
    began = time.monotonic()
    assert gateway.program.stop() == 0, gateway.program.log_tail()
    assert time.monotonic() - began < 10
    assert "Dropping data" not in gateway.program.log()
    gateway = box.gateway()
    assert queued(gateway) == total
    assert "Requests were kept from before the start" in gateway.program.log()
    backend.answer = lambda s, request: None
    assert support.wait_for(lambda: queued(gateway) == 0)
    check_arrived(backend, senders, 0)
    for s in SIGNALS:
        sent = sum(v for k, v in gateway.metrics().items() if k.startswith(f"otelcol_exporter_sent_{ITEMS[s]}"))
        assert sent == 3 * len(senders.acknowledged[s])
    assert gateway.program.stop() == 0


def test_what_is_refused_for_good_does_not_stay(start, tmp_path):
    backend = start.backend(SignalsBackend)
    backend.answer = lambda s, request: (INVALID_STATUS, "no")
    box = Box(start, tmp_path, backend)
    gateway = box.gateway()
    with Sender(gateway.grpc) as sender:
        assert sender.send(numbered("traces", 1)) == (0, "")
    assert support.wait_for(lambda: queued(gateway) == 0)
    gateway.program.signal(signal.SIGKILL)
    gateway.program.wait()
    assert queued(box.gateway()) == 0


def send_until_refused(address, first, size=200):
    """Numbers that were acknowledged, until one was not."""
    taken = []
    with Sender(address) as sender:
        while True:
            code, text = sender.send(numbered("traces", first + len(taken), size), timeout=5)
            if code:
                assert code == UNAVAILABLE, text
                return taken, text
            taken.append(first + len(taken))


def test_a_full_store_refuses_and_recovers(start, tmp_path):
    backend = start.backend(SignalsBackend)
    backend.answer = lambda s, request: (UNAVAILABLE_STATUS, "down")
    box = Box(start, tmp_path, backend, {"max_size": 4 << 20}, pipelines=("traces",))
    gateway = box.gateway()
    taken, text = send_until_refused(gateway.grpc, 0)
    assert "storage is full" in text
    assert len(taken) > 50
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) < 6 << 20
    backend.answer = lambda s, request: None
    assert support.wait_for(lambda: queued(gateway) == 0)
    with Sender(gateway.grpc) as sender:
        assert support.wait_for(lambda: sender.send(numbered("traces", 100000)) == (0, ""))
    assert support.wait_for(lambda: 100000 in numbers(backend, "traces"))
    assert not set(taken) - set(numbers(backend, "traces"))


def test_a_full_disk_refuses_and_recovers(start, tmp_path):
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)],
                                      capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small file system here")
    start.callback(subprocess.run, ["umount", "-l", str(tmp_path)], check=False)
    backend = start.backend(SignalsBackend)
    backend.answer = lambda s, request: (UNAVAILABLE_STATUS, "down")
    box = Box(start, tmp_path, backend, pipelines=("traces",))
    gateway = box.gateway()
    ballast = tmp_path / "ballast"
    ballast.write_bytes(b"x" * (2 << 20))
    taken, text = send_until_refused(gateway.grpc, 0)
    assert "storage is full" in text
    ballast.unlink()
    more, _ = send_until_refused(gateway.grpc, len(taken))
    assert more, "room that somebody made is not used"
    gateway.program.signal(signal.SIGKILL)
    gateway.program.wait()
    backend.answer = lambda s, request: None
    gateway = box.gateway()
    assert support.wait_for(lambda: queued(gateway) == 0), gateway.program.log_tail()
    assert not set(taken + more) - set(numbers(backend, "traces"))
    with Sender(gateway.grpc) as sender:
        assert support.wait_for(lambda: sender.send(numbered("traces", 100000)) == (0, ""))


def shell(*words):
    try:
        return subprocess.run([str(w) for w in words], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def test_a_disk_that_becomes_read_only_refuses_and_recovers(start, tmp_path):
    disk, folder = tmp_path / "disk", tmp_path / "queue"
    folder.mkdir()
    disk.write_bytes(b"")
    os.truncate(disk, 64 << 20)
    if os.geteuid() or not (shell("mkfs.ext4", "-q", disk) and shell("mount", "-o", "loop", disk, folder)):
        pytest.skip("cannot mount a file system of its own here")
    start.callback(shell, "umount", "-l", folder)
    backend = start.backend(SignalsBackend)
    backend.answer = lambda s, request: (UNAVAILABLE_STATUS, "down")
    box = Box(start, folder, backend, {"fsync": True}, pipelines=("traces",))
    gateway = box.gateway()
    with Sender(gateway.grpc) as sender:
        for number in range(50):
            assert sender.send(numbered("traces", number)) == (0, "")
        shell("mount", "-o", "remount,abort", folder)  # what the system does after an error of the disk
        with pytest.raises(OSError, match="Read-only"):
            (folder / "probe").write_bytes(b"x")
        for number in range(50, 60):
            code, text = sender.send(numbered("traces", number), timeout=5)
            assert code == UNAVAILABLE, text
    assert gateway.program.process.poll() is None, "it ended"
    gateway.program.signal(signal.SIGKILL)
    gateway.program.wait()
    assert shell("umount", folder)
    shell("e2fsck", "-fy", disk)
    assert shell("mount", "-o", "loop", disk, folder)
    backend.answer = lambda s, request: None
    gateway = box.gateway()
    assert support.wait_for(lambda: queued(gateway) == 0), gateway.program.log_tail()
    assert set(numbers(backend, "traces")) >= set(range(50))
    with Sender(gateway.grpc) as sender:
        assert support.wait_for(lambda: sender.send(numbered("traces", 100)) == (0, ""))
    assert gateway.program.stop() == 0, gateway.program.log_tail()


def test_a_directory_deleted_under_it_does_not_stop_it(start, tmp_path):
    backend = start.backend(SignalsBackend)
    folder = tmp_path / "queue"
    box = Box(start, folder, backend, {"create_directory": True}, pipelines=("traces",))
    gateway = box.gateway()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with Sender(gateway.grpc) as sender:
        assert sender.send(numbered("traces", 1)) == (0, "")
    assert support.wait_for(lambda: numbers(backend, "traces") == [1])
    assert gateway.program.stop() == 0, gateway.program.log_tail()
    assert queued(box.gateway()) == 0


def test_a_second_process_is_refused(start, binary, tmp_path):
    backend = start.backend(SignalsBackend)
    box = Box(start, tmp_path, backend, {"timeout": "200ms"}, pipelines=("traces",))
    gateway = box.gateway()
    path = gateway.program.folder / "config.yaml"
    code, _, error = run(binary, ["--config", str(path), "--set", "receivers.otlp.protocols.grpc.endpoint=127.0.0.1:0",
                                  "--set", "extensions.health_check.endpoint=127.0.0.1:0",
                                  "--set", "service.telemetry.metrics.level=none"])
    assert code == 1
    assert "extension file_storage" in error and "is held by another process" in error


def test_a_damaged_file_is_put_aside_and_searched(start, tmp_path):
    backend = start.backend(SignalsBackend)
    backend.answer = lambda s, request: (UNAVAILABLE_STATUS, "down")
    box = Box(start, tmp_path, backend, pipelines=("traces",))
    gateway = box.gateway()
    with Sender(gateway.grpc) as sender:
        for number in range(50):
            assert sender.send(numbered("traces", number, 50)) == (0, "")
    gateway.program.signal(signal.SIGKILL)
    gateway.program.wait()
    file = tmp_path / "spanweir_file_storage.mdb"
    data = bytearray(file.read_bytes())
    data[:8192] = bytes(8192)
    file.write_bytes(data)
    backend.answer = lambda s, request: None
    gateway = box.gateway()
    assert support.wait_for(lambda: queued(gateway) == 0)
    assert "The file of the queues is damaged" in gateway.program.log()
    assert set(numbers(backend, "traces")) == set(range(50))
    assert list(tmp_path.glob("*.backup"))
    salvaged = gateway.metrics("/metrics/all")
    assert any(v == 50 for k, v in salvaged.items() if k.startswith("spanweir_exporter_queue_salvaged_requests"))


# --- the batch processor in front of stores ------------------------------------------------------


def with_batch(box, **batch):
    """A batch processor at the end of each pipeline."""
    box.tree["processors"] = {"batch": {"timeout": "60s", "send_batch_size": 100000, **batch}}
    for pipeline in box.tree["service"]["pipelines"].values():
        pipeline["processors"] = ["batch"]
    return box


def test_what_waits_in_batch_survives_kill_9(start, tmp_path, appliance):
    backend = start.backend(SignalsBackend)
    box = with_batch(Box(start, tmp_path, backend, environment=appliance))
    gateway = box.gateway()
    for s in SIGNALS:
        with Sender(gateway.grpc, otlp.EXPORTS[s]) as sender:
            for number in range(30):
                assert sender.send(numbered(s, number), timeout=2) == (0, "")
    assert not backend.arrivals
    assert queued(gateway) == 3  # each a part of one batch
    gateway.program.signal(signal.SIGKILL)
    gateway.program.wait()
    gateway = with_batch(box, timeout="500ms").gateway()
    assert support.wait_for(lambda: queued(gateway) == 0)
    for s in SIGNALS:
        assert sorted(numbers(backend, s)) == list(range(30))
    assert not unbalanced(gateway)
    assert gateway.program.stop() == 0


def test_batches_are_as_large_as_the_processor_makes_them(start, tmp_path):
    backend = start.backend(SignalsBackend)
    box = with_batch(Box(start, tmp_path, backend, pipelines=("traces",)), send_batch_size=100, timeout="1s",
                     send_batch_max_size=100)
    gateway = box.gateway()
    with Sender(gateway.grpc) as sender:
        for number in range(100):
            assert sender.send(numbered("traces", number, 10)) == (0, "")
    assert support.wait_for(lambda: queued(gateway) == 0)
    sizes = [otlp.count(message(a)) for a in backend.arrivals]
    assert sum(sizes) == 1000 and max(sizes) == 100
    page = gateway.metrics()
    assert any(k.startswith("otelcol_processor_batch_batch_size_trigger_send") and v >= 8 for k, v in page.items())
    assert page['otelcol_exporter_queue_capacity{data_type="traces",exporter="otlp_grpc/traces"}'] == 100000


# --- the window of tail_sampling -----------------------------------------------------------------


def sampling(start, tmp_path, backend, workers, wait="1s"):
    """Traces wait in a window, kept ones go through batch into a store."""
    appliance = tmp_path / "appliance.conf"
    box = with_batch(Box(start, tmp_path / "queue", backend, {"create_directory": True}, pipelines=("traces",)),
                     timeout="100ms", send_batch_size=1000, send_batch_max_size=1000)
    box.tree["processors"]["tail_sampling"] = {
        "decision_wait": wait, "num_traces": 1000000, "policies": [{"name": "errors", "type": "status_code",
                                             "status_code": {"status_codes": ["ERROR"]}}]}
    box.tree["service"]["pipelines"]["traces"]["processors"] = ["tail_sampling", "batch"]
    box.environment = {"SPANWEIR_APPLIANCE": str(appliance)}

    def configure(count):
        appliance.write_text(f'workers = {count};\ncomponents = ({{ kind = "processor"; id = "tail_sampling"; '
                             f'window = {{ directory = "{tmp_path}/window"; size_mib = 64; }}; }});\n',
                             encoding="utf-8")

    configure(workers)
    box.workers = configure
    return box


def traces(first, count, spans=3):
    """Every other one has an error."""
    return [support.span(t, n, error=t % 2 == 0 and n == 1) for t in range(first, first + count) for n in range(spans)]


class TraceSender(threading.Thread):
    """Whole traces, as fast as they are answered."""

    def __init__(self, address, first):
        super().__init__(daemon=True)
        self.address, self.first, self.acknowledged, self.done = address, first, [], threading.Event()

    def run(self):
        with Sender(self.address) as sender:
            while not self.done.is_set():
                spans = traces(self.first, 10)
                self.first += 10
                if sender.send(support.request(spans), timeout=1)[0] == 0:
                    self.acknowledged += support.sent_ids(spans)
                time.sleep(0.002)


def test_the_window_survives_kill_9(start, tmp_path):
    backend = start.backend(SignalsBackend)
    box = sampling(start, tmp_path, backend, 1)
    dice, acknowledged, first = random.Random(3), [], 1
    for turn in range(max(2, ROUNDS // 7)):
        box.workers(1 + turn % 3)  # what one count of workers left, another takes up
        gateway = box.gateway()
        sender = TraceSender(gateway.grpc, first)
        sender.start()
        time.sleep(dice.uniform(0.3, 3))
        gateway.program.signal(signal.SIGKILL)
        gateway.program.wait()
        sender.done.set()
        sender.join()
        acknowledged += sender.acknowledged
        first = sender.first + 10
    gateway = box.gateway()
    wanted = {i for i in acknowledged if i[0] % 2 == 0}
    refused = {i for i in acknowledged if i[0] % 2 == 1}
    support.wait_for(lambda: not wanted - set(support.ids(backend)), 20)
    arrived = support.ids(backend)
    assert len(wanted) > 100
    assert not wanted - set(arrived), "acknowledged and lost"
    assert not refused & set(arrived), "another verdict after the crash"
    assert not unbalanced(gateway)
    assert gateway.program.stop() == 0, gateway.program.log_tail()
    assert not list((tmp_path / "window").glob("*.window*"))


def test_a_window_waits_for_its_verdict_after_the_crash(start, tmp_path):
    backend = start.backend(SignalsBackend)
    box = sampling(start, tmp_path, backend, 2, wait="4s")
    gateway = box.gateway()
    spans = traces(1, 50)
    with Sender(gateway.grpc) as sender:
        assert sender.send(support.request([s for s in spans if int(s["spanId"], 16) % 3])) == (0, "")
        gateway.program.signal(signal.SIGKILL)
        gateway.program.wait()
    gateway = box.gateway()
    with Sender(gateway.grpc) as sender:  # the rest of the traces comes later
        assert sender.send(support.request([s for s in spans if not int(s["spanId"], 16) % 3])) == (0, "")
    wanted = {i for i in support.sent_ids(spans) if i[0] % 2 == 0}
    assert support.wait_for(lambda: set(support.ids(backend)) == wanted)
    assert len(support.ids(backend)) == len(wanted)
    page = gateway.metrics("/metrics/all")
    assert sum(v for k, v in page.items() if k.startswith("spanweir_processor_tail_sampling_replayed_spans")) == 100
    assert "Spans that waited when an earlier process ended are taken up" in gateway.program.log()


def test_a_damaged_window_does_no_harm(start, tmp_path):
    backend = start.backend(SignalsBackend)
    box = sampling(start, tmp_path, backend, 1)
    gateway = box.gateway()
    with Sender(gateway.grpc) as sender:
        assert sender.send(support.request(traces(1, 200))) == (0, "")
    gateway.program.signal(signal.SIGKILL)
    gateway.program.wait()
    (file,) = (tmp_path / "window").glob("*.window")
    data = bytearray(file.read_bytes())
    dice = random.Random(5)
    for _ in range(400):
        data[dice.randrange(40000)] = dice.randrange(256)
    file.write_bytes(data)
    gateway = box.gateway()
    with Sender(gateway.grpc) as sender:
        assert sender.send(support.request(traces(1001, 10))) == (0, "")
    wanted = {i for i in support.sent_ids(traces(1001, 10)) if i[0] % 2 == 0}
    assert support.wait_for(lambda: not wanted - set(support.ids(backend)))
    assert gateway.program.stop() == 0


@pytest.mark.parametrize("setting, words", [
    ("window = 5;", "window must be a group"), ("window = { size_mib = 1; };", "window.size_mib must be a number"),
    ("window = { colour = 1; };", "setting window.colour is not supported here"), ("evict = 3;", "setting evict"),
])
def test_settings_of_the_window_are_checked(start, binary, tmp_path, setting, words):
    backend = start.backend(SignalsBackend)
    box = sampling(start, tmp_path, backend, 1)
    (tmp_path / "appliance.conf").write_text(
        f'components = ({{ kind = "processor"; id = "tail_sampling"; {setting} }});\n', encoding="utf-8")
    with pytest.raises(Exception, match=words.replace(".", r"\.")):
        box.gateway()


# --- a disk that is slow -------------------------------------------------------------------------

STALL = """
#include <time.h>
int fdatasync(int fd) { nanosleep(&(struct timespec){.tv_sec = 2}, 0); return 0; }
"""


def test_a_slow_sync_holds_up_only_who_waits_for_it(start, tmp_path):
    source, shim = tmp_path / "stall.c", tmp_path / "stall.so"
    source.write_text(STALL, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source], check=True)
    backend = start.backend(SignalsBackend)
    box = Box(start, tmp_path / "queue", backend, {"create_directory": True, "fsync": True}, pipelines=("traces",),
              environment={"LD_PRELOAD": str(shim)})
    box.tree["exporters"]["nop"] = {}
    box.tree["service"]["pipelines"]["logs"] = {"receivers": ["otlp"], "exporters": ["nop"]}
    gateway = box.gateway()
    done = []

    def wait_for_disk():
        with Sender(gateway.grpc) as sender:
            done.append(sender.send(numbered("traces", 1), timeout=30))

    waiting = threading.Thread(target=wait_for_disk)
    with Sender(gateway.grpc, otlp.EXPORTS["logs"]) as sender:
        assert sender.send(numbered("logs", 0)) == (0, "")
        waiting.start()
        time.sleep(0.3)
        for number in range(200):
            assert sender.send(numbered("logs", number)) == (0, "")
        assert not done, "the sync was no wait for whom it should have been"
    waiting.join()
    assert done == [(0, "")]
    assert support.wait_for(lambda: numbers(backend, "traces") == [1])
    steps = {k: v for k, v in gateway.metrics("/metrics/all").items() if k.startswith("spanweir_worker_step_seconds_bucket")}
    whole = max(steps.values())
    assert max((v for k, v in steps.items() if 'le="1"' in k), default=whole) == whole, "a worker's step took a second"
