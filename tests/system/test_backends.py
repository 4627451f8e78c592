"""Backends that go away, hang, or come back."""
import socket
import time

import grpc
import pytest

import support
from sut.backends import GrpcBackend, HttpBackend
from sut.clients import Sender
from sut.ports import free_ports


def send_all(front, requests, spans_each=5):
    """Numbered requests; all must be accepted. Returns the identifiers."""
    sent = []
    with Sender(front.grpc) as sender:
        for number in range(1, requests + 1):
            spans = [support.span(number, n) for n in range(spans_each)]
            assert sender.send(support.request(spans)) == (0, "")
            sent += support.sent_ids(spans)
    return sent


def test_fan_out_copies_to_every_backend(start, appliance):
    backends = [start.backend(GrpcBackend), start.backend(HttpBackend), start.backend(GrpcBackend)]
    front = start.simple({
        "otlp/a": support.otlp_to(backends[0]),
        "otlp_http/b": {"endpoint": f"http://{backends[1].address}"},
        "otlp/c": support.otlp_to(backends[2], compression="none"),
    }, environment=appliance)
    sent = send_all(front, 100)
    for backend in backends:
        assert backend.wait_spans(len(sent))
        backend.wait_quiet(0.3)
        assert sorted(support.ids(backend)) == sorted(sent)


def test_killed_backend_costs_the_others_nothing(start, appliance):
    left, killed, right = (start.backend(GrpcBackend) for _ in range(3))
    front = start.simple({"otlp/left": support.otlp_to(left), "otlp/killed": support.otlp_to(killed),
                          "otlp/right": support.otlp_to(right)}, environment=appliance)
    before = send_all(front, 20)
    assert killed.wait_spans(len(before))
    killed.close()
    after = send_all(front, 200)
    for backend in (left, right):
        assert backend.wait_spans(len(before) + len(after))
        assert sorted(support.ids(backend)) == sorted(before + after)


def test_hanging_backend_costs_the_others_nothing(start, appliance):
    good = start.backend(GrpcBackend)
    with socket.create_server(("127.0.0.1", 0)) as silent:   # connects, and says nothing for ever
        hanging = f"127.0.0.1:{silent.getsockname()[1]}"
        front = start.simple({
            "otlp/good": support.otlp_to(good),
            "otlp/hanging": {"endpoint": hanging, "tls": {"insecure": True}, "timeout": "60s",
                             "sending_queue": {"queue_size": 10000}},
        }, environment=appliance)
        sent = send_all(front, 300)
        assert good.wait_spans(len(sent))
        assert sorted(support.ids(good)) == sorted(sent)
        front.program.process.kill()                         # it would wait for the silent one


@pytest.mark.parametrize("kind", [GrpcBackend, HttpBackend])
def test_backend_that_comes_later_gets_everything(start, kind):
    (port,) = free_ports(1)
    retry = {"retry_on_failure": {"initial_interval": "200ms", "max_interval": "500ms"}}
    if kind is GrpcBackend:
        exporters = {"otlp": {"endpoint": f"127.0.0.1:{port}", "tls": {"insecure": True}, **retry}}
    else:
        exporters = {"otlp_http": {"endpoint": f"http://127.0.0.1:{port}", **retry}}
    front = start.simple(exporters)
    sent = send_all(front, 20)
    time.sleep(1)
    backend = start.backend(kind, port)
    assert backend.wait_spans(len(sent), limit=40)
    backend.wait_quiet(0.5)
    assert sorted(support.ids(backend)) == sorted(sent)


def test_restarted_backend_is_found_again(start):
    first = start.backend(GrpcBackend)
    front = start.simple({"otlp": support.otlp_to(first, retry_on_failure={"initial_interval": "200ms",
                                                                          "max_interval": "500ms"})})
    before = send_all(front, 10)
    assert first.wait_spans(len(before))
    first.close()
    sent = send_all(front, 10)
    second = start.backend(GrpcBackend, first.port)
    assert second.wait_spans(len(sent), limit=40)
    assert sorted(support.ids(second)) == sorted(sent)


def test_refusals_are_retried_until_taken(start):
    backend = start.backend(GrpcBackend)
    left = [5]

    def answer(_message):
        left[0] -= 1
        return (grpc.StatusCode.UNAVAILABLE, "busy") if left[0] >= 0 else None

    backend.answer = answer
    front = start.simple({"otlp": support.otlp_to(backend, retry_on_failure={"initial_interval": "100ms",
                                                                            "max_interval": "200ms"})})
    sent = send_all(front, 3)
    assert backend.wait_spans(len(sent))
    backend.wait_quiet(0.5)
    assert sorted(support.ids(backend)) == sorted(sent)


def test_without_queue_the_sender_gets_the_backends_answer(start):
    backend = start.backend(GrpcBackend)
    front = start.simple({"otlp": support.otlp_to(backend, sending_queue={"enabled": False},
                                                  retry_on_failure={"enabled": False})})
    with Sender(front.grpc) as sender:
        assert sender.send(support.request([support.span(1, 0)])) == (0, "")
        backend.answer = lambda message: (grpc.StatusCode.INVALID_ARGUMENT, "no such thing")
        code, text = sender.send(support.request([support.span(2, 0)]))
        assert code != 0
        backend.answer = lambda message: (grpc.StatusCode.UNAVAILABLE, "busy")
        code, text = sender.send(support.request([support.span(3, 0)]))
        assert code == grpc.StatusCode.UNAVAILABLE.value[0], text
    assert support.ids(backend) == [(1, 1 << 16)]


def test_full_queue_refuses_to_the_senders_face(start, appliance):
    (port,) = free_ports(1)                                  # nobody listens there
    front = start.simple({"otlp": {
        "endpoint": f"127.0.0.1:{port}", "tls": {"insecure": True},
        "sending_queue": {"queue_size": 3, "num_consumers": 1},
        "retry_on_failure": {"initial_interval": "30s", "max_interval": "30s"}}}, environment=appliance)
    with Sender(front.grpc) as sender:
        codes = [sender.send(support.request([support.span(n, 0)]))[0] for n in range(1, 11)]
    taken = codes.count(0)
    # Three wait; one more is with the consumer, as soon as that has picked it.
    assert taken in (3, 4) and set(codes[4:]) == {grpc.StatusCode.UNAVAILABLE.value[0]}, codes
