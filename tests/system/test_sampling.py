"""What a gateway keeps, and that late spans follow the decision."""
import time

import support
from sut.backends import GrpcBackend
from sut.clients import Sender

ERRORS_ONLY = {"SAMPLING_PERCENTAGE": "0", "DECISION_WAIT": "1s"}


def send(sender, spans):
    assert sender.send(support.request(spans)) == (0, "")


def test_errors_and_slow_traces_are_kept_whole_and_nothing_else(start, appliance):
    backend = start.backend(GrpcBackend)
    gateway = start.gateway(support.EXAMPLES / "gateway.yaml",
                            {"BACKEND": backend.address, **ERRORS_ONLY, **appliance})
    spans = []
    for trace in range(1, 601):
        kind = trace % 3                                     # 0: nothing special, 1: an error, 2: slow
        spans += [support.span(trace, n, error=kind == 1 and n == 4, milliseconds=900 if kind == 2 and n == 0 else 5)
                  for n in range(6)]
    wanted = sorted(i for i in support.sent_ids(spans) if i[0] % 3)
    with Sender(gateway.grpc) as sender:
        # Spans of a trace come in different requests, on one connection after the other.
        for first in range(6):
            send(sender, spans[first::6])
    assert backend.wait_spans(len(wanted)), f"{len(support.ids(backend))} of {len(wanted)}"
    backend.wait_quiet(2)
    assert sorted(support.ids(backend)) == wanted


def test_late_spans_follow_the_decision(start, appliance):
    backend = start.backend(GrpcBackend)
    gateway = start.gateway(support.EXAMPLES / "gateway.yaml",
                            {"BACKEND": backend.address, **ERRORS_ONLY, **appliance})
    early = [support.span(t, 0, error=t % 2 == 1) for t in range(1, 101)]
    late = [support.span(t, 1) for t in range(1, 101)]
    with Sender(gateway.grpc) as sender:
        send(sender, early)
        assert backend.wait_spans(50)
        time.sleep(2.5)                                      # the others have been decided as well
        assert {t % 2 for t, _ in support.ids(backend)} == {1}
        backend.take()
        send(sender, late)
        assert backend.wait_spans(50)
        backend.wait_quiet(2.5)
    assert sorted(support.ids(backend)) == sorted(i for i in support.sent_ids(late) if i[0] % 2)


def test_late_error_does_not_turn_a_decision(start):
    backend = start.backend(GrpcBackend)
    gateway = start.gateway(support.EXAMPLES / "gateway.yaml", {"BACKEND": backend.address, **ERRORS_ONLY})
    with Sender(gateway.grpc) as sender:
        send(sender, [support.span(8, 0), support.span(9, 0, error=True)])
        assert backend.wait_spans(1)
        time.sleep(1.5)
        send(sender, [support.span(8, 1, error=True), support.span(9, 1)])
        assert backend.wait_spans(2)
        backend.wait_quiet(2.5)
    assert sorted(t for t, _ in support.ids(backend)) == [9, 9]
