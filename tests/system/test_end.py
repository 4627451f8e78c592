"""The orderly end: not ready, everything owned is handed on, exit code 0."""
import signal
import threading
import time

import grpc
import pytest

import support
from sut.backends import GrpcBackend
from sut.clients import Sender

LONG_WAIT = {"SAMPLING_PERCENTAGE": "100", "DECISION_WAIT": "60s"}


class Load(threading.Thread):
    """Sends small requests until it is refused for good; remembers what was acknowledged."""

    def __init__(self, address, first):
        super().__init__(daemon=True)
        self.address, self.first, self.acknowledged, self.done = address, first, [], threading.Event()

    def run(self):
        trace = self.first
        with Sender(self.address) as sender:
            while not self.done.is_set():
                spans = [support.span(trace + i, n) for i in range(5) for n in range(3)]
                trace += 5
                code, _ = sender.send(support.request(spans), timeout=2)
                if code == 0:
                    self.acknowledged += support.sent_ids(spans)


def test_sigterm_hands_on_what_waits_for_its_decision(start, appliance):
    backend = start.backend(GrpcBackend)
    gateway = start.gateway(support.EXAMPLES / "gateway.yaml",
                            {"BACKEND": backend.address, **LONG_WAIT, **appliance})
    spans = [support.span(t, n) for t in range(1, 301) for n in range(3)]
    with Sender(gateway.grpc) as sender:
        assert sender.send(support.request(spans)) == (0, "")
    assert not backend.arrivals
    assert gateway.program.stop() == 0, gateway.program.log_tail()
    assert sorted(support.ids(backend)) == sorted(support.sent_ids(spans))


def test_sigterm_under_load_loses_nothing_acknowledged(start, appliance):
    backend = start.backend(GrpcBackend)
    gateway = start.gateway(support.EXAMPLES / "gateway.yaml",
                            {"BACKEND": backend.address, **LONG_WAIT, **appliance})
    loads = [Load(gateway.grpc, 1 + 1_000_000 * n) for n in range(4)]
    for load in loads:
        load.start()
    time.sleep(1.5)
    exit_code = gateway.program.stop()
    for load in loads:
        load.done.set()
    for load in loads:
        load.join()
    assert exit_code == 0, gateway.program.log_tail()
    acknowledged = {i for load in loads for i in load.acknowledged}
    arrived = support.ids(backend)
    assert len(acknowledged) > 100
    assert not acknowledged - set(arrived), "acknowledged and lost"
    assert len(arrived) == len(set(arrived)), "sent twice"


def test_sigterm_of_an_agent_flushes_its_batch(start):
    backend = start.backend(GrpcBackend)
    front = start.simple({"otlp": support.otlp_to(backend)},
                         processors={"batch": {"timeout": "60s", "send_batch_size": 100000}})
    spans = [support.span(t, 0) for t in range(1, 1001)]
    with Sender(front.grpc) as sender:
        assert sender.send(support.request(spans)) == (0, "")
    assert front.program.stop() == 0, front.program.log_tail()
    assert sorted(support.ids(backend)) == sorted(support.sent_ids(spans))


def slow_backend(start, seconds):
    backend = start.backend(GrpcBackend)
    backend.answer = lambda message: time.sleep(seconds)
    return backend


def test_health_says_503_while_it_ends(start):
    backend = slow_backend(start, 3)
    front = start.simple({"otlp": support.otlp_to(backend, timeout="20s")})
    assert front.program.health_status() == 200
    with Sender(front.grpc) as sender:
        assert sender.send(support.request([support.span(1, 0)])) == (0, "")
    front.program.signal(signal.SIGTERM)
    seen = set()
    while front.program.alive:
        seen.add(front.program.health_status())
        time.sleep(0.02)
    assert front.program.wait() == 0, front.program.log_tail()
    assert 503 in seen
    assert support.ids(backend) == [(1, 1 << 16)]


@pytest.mark.ours
def test_second_sigterm_forces_the_end(start):
    backend = slow_backend(start, 30)
    front = start.simple({"otlp": support.otlp_to(backend, timeout="60s")})
    with Sender(front.grpc) as sender:
        assert sender.send(support.request([support.span(1, 0)])) == (0, "")
    front.program.signal(signal.SIGTERM)
    time.sleep(1)
    assert front.program.alive, "it waits for the answer that is under way"
    front.program.signal(signal.SIGTERM)
    assert front.program.wait(timeout=10) not in (0, -signal.SIGKILL)


@pytest.mark.ours
def test_notice_keeps_serving_while_not_ready(start, tmp_path):
    (tmp_path / "appliance.conf").write_text('drain = { notice = "3s"; };\n', encoding="utf-8")
    backend = start.backend(GrpcBackend)
    front = start.simple({"otlp": support.otlp_to(backend)},
                         environment={"SPANWEIR_APPLIANCE": str(tmp_path / "appliance.conf")})
    front.program.signal(signal.SIGTERM)
    deadline = time.monotonic() + 10
    while front.program.health_status() == 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert front.program.health_status() == 503
    with Sender(front.grpc) as sender:                       # a new connection
        assert sender.send(support.request([support.span(1, 0)])) == (0, "")
    assert front.program.wait() == 0
    assert support.ids(backend) == [(1, 1 << 16)]


def test_parts_that_wait_for_a_retry_do_not_delay_the_end(start):
    backend = start.backend(GrpcBackend)
    backend.answer = lambda message: (grpc.StatusCode.UNAVAILABLE, "not now")
    front = start.simple({"otlp": support.otlp_to(backend, retry_on_failure={"initial_interval": "300s",
                                                                          "max_interval": "300s"})})
    with Sender(front.grpc) as sender:
        assert sender.send(support.request([support.span(1, 0)])) == (0, "")
    time.sleep(1)                                            # the first attempt has failed
    assert front.program.stop(timeout=50) == 0, front.program.log_tail()
