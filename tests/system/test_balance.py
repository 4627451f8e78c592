"""Agents that balance over a list of gateways, some of which die, hang or refuse."""
import base64
import collections
import signal
import socket
import threading
import time

import pytest
from google.protobuf import duration_pb2

import support
from sut.backends import FrameBackend
from sut.clients import Sender
from sut.program import run
from tier import QUICK_RETRY, Tier, appliance, split_traces, traffic


@pytest.fixture
def tier(start):
    return Tier(start)


@pytest.fixture(params=[1, 2], ids=["one-worker", "two-workers"])
def workers(request, is_ours):
    if not is_ours and request.param > 1:
        pytest.skip("a Collector has no workers")
    return request.param


def up(tier, numbers):
    for number in numbers:
        tier.gateway(number)


def digests(front):
    return {name.partition('digest="')[2].partition('"')[0] for name, value in
            front.metrics("/metrics/all").items() if name.startswith("spanweir_peer_ring_info") and value == 1}


def test_every_span_once_and_no_trace_split(tier, start, workers, tmp_path, is_ours):
    up(tier, range(1, 4))
    agents = [tier.agent([1, 2, 3], environment=appliance(tmp_path, workers=workers) if is_ours else None)
              for _ in range(2)]
    # Both agents get the spans of each trace.
    bodies = [[support.span(1000 * r + t, n) for t in range(50) for n in (2 * half, 2 * half + 1)]
              for r in range(1, 21) for half in (0, 1)]
    accepted = set()
    for number, spans in enumerate(bodies):
        with Sender(agents[number % 2].grpc) as sender:
            assert sender.send(support.request(spans)) == (0, "")
        accepted.update(support.sent_ids(spans))
    where = tier.check(accepted)
    ring = tier.ring([1, 2, 3])
    assert all(name == ring.owner(trace) for (trace, _), arrivals in where.items() for name, _ in arrivals)
    assert set(tier.sink.counts()) == {"gw-1", "gw-2", "gw-3"}
    for agent in agents:
        page = agent.metrics()
        assert page['otelcol_loadbalancer_num_backends{resolver="static"}'] == 3
        assert page['otelcol_loadbalancer_num_backend_updates{resolver="static"}'] == 1
        assert page['otelcol_loadbalancer_num_resolutions{resolver="static",success="true"}'] == 1
        for number in range(1, 4):
            address = tier.address(number)[1]
            labels = f'endpoint="{address}",success="true"'
            assert page[f"otelcol_loadbalancer_backend_outcome{{{labels}}}"] > 0
            assert page[f'otelcol_loadbalancer_backend_latency_count{{endpoint="{address}"}}'] > 0
        assert page['otelcol_exporter_sent_spans{exporter="load_balancing"}'] == 2000
    if is_ours:
        assert len(digests(agents[0])) == 1 and digests(agents[0]) == digests(agents[1])
        told_by_route(tier, agents[0], where)


def told_by_route(tier, agent, where):
    """`spanweir route` names the gateway that has the trace."""
    config = str(agent.program.folder / "config.yaml")
    for (trace, _), arrivals in list(where.items())[::997]:
        code, text, trouble = run(tier.start.binary, ["route", f"{trace:032x}", "--config", config])
        assert code == 0, trouble
        assert tier.addresses[arrivals[0][0]] in text, text


@pytest.mark.ours
def test_killed_gateway_that_comes_back_gets_its_share(tier, start, workers, tmp_path):
    up(tier, range(1, 4))
    agent = tier.agent([1, 2, 3], environment=appliance(tmp_path, workers=workers))
    load = traffic(start, agent)
    load.wait_more(300)
    tier.kill(2)
    load.wait_more(600)
    tier.gateway(2)
    load.wait_more(300)
    where = tier.check(load.stop())
    # The list is fixed and nobody else may have them: whoever owns a trace has all of it.
    assert not split_traces(where)


@pytest.mark.ours
def test_next_owner_takes_over_and_gives_back(tier, start, workers, tmp_path):
    up(tier, range(1, 4))
    environment = appliance(tmp_path, workers=workers, failover="next_owner")
    agents = [tier.agent([1, 2, 3], environment=environment) for _ in range(2)]
    loads = [traffic(start, agent) for agent in agents]
    for load in loads:
        load.wait_more(200)
    answers = threading.Event()
    tier.sink.answer = lambda *_: answers.wait(20) and None
    for load in loads:
        load.wait_more(200)
    tier.kill(2)                                                         # parts are under way to it, others wait
    for agent in agents:
        assert support.wait_for(lambda agent=agent: "refuses connections" in agent.program.log())
    answers.set()
    for load in loads:
        load.wait_more(400)
        during = set(load.accepted)
        assert support.wait_for(lambda keys=during: tier.sink.has(keys)), "waits for the one that is down"
    for agent in agents:
        assert sum(value for name, value in agent.metrics("/metrics/all").items()
                   if name.startswith("spanweir_loadbalancer_rerouted_spans")) > 0
    tier.gateway(2)
    for agent in agents:
        assert support.wait_for(lambda agent=agent: "is back" in agent.program.log())
    back = tier.sink.counts()["gw-2"]
    for load in loads:
        load.wait_more(400)
    tier.check(set().union(*(load.stop() for load in loads)))
    assert tier.sink.counts()["gw-2"] > back


@pytest.mark.ours
def test_next_owner_is_the_same_for_every_agent(tier, start, tmp_path):
    up(tier, (1, 3, 4))
    tier.address(2)                                                      # nobody is there from the start
    environment = appliance(tmp_path, failover="next_owner")
    agents = [tier.agent([1, 2, 3, 4], environment=environment) for _ in range(2)]
    for half, agent in enumerate(agents):
        with Sender(agent.grpc) as sender:
            for number in range(1, 40):
                assert sender.send(support.request([support.span(number, half)])) == (0, "")
        assert support.wait_for(lambda agent=agent: "refuses connections" in agent.program.log())
    accepted = set()
    for half, agent in enumerate(agents):
        with Sender(agent.grpc) as sender:
            for number in range(10):
                spans = [support.span(1000 * (number + 1) + t, half + 1) for t in range(40)]
                assert sender.send(support.request(spans)) == (0, "")
                accepted.update(support.sent_ids(spans))
    tier.check(accepted)
    where = {key: arrivals for key, arrivals in tier.sink.books().items() if key in accepted}
    assert not split_traces(where)


@pytest.mark.ours
def test_silent_gateway_costs_only_its_share(tier, start, workers, tmp_path):
    up(tier, (1, 3))
    _, address = tier.address(2)
    host, _, port = address.rpartition(":")
    silent = socket.create_server((host, int(port)))                     # connects, and says nothing for ever
    agent = tier.agent([1, 2, 3], environment=appliance(tmp_path, workers=workers),
                       protocol={"timeout": "500ms"})
    load = traffic(start, agent)
    load.wait_more(1000)
    assert load.refused == 0
    ring = tier.ring([1, 2, 3])
    healthy = {key for key in set(load.accepted) if ring.owner(key[0]) != "gw-2"}
    assert len(healthy) > 300
    assert support.wait_for(lambda: tier.sink.has(healthy)), "the others' share waits for the silent one"
    silent.close()
    tier.gateway(2)
    where = tier.check(load.stop())
    assert not split_traces(where)
    assert tier.sink.counts()["gw-2"] > 0


@pytest.mark.ours
def test_stopped_gateway_that_goes_on(tier, start, tmp_path):
    """It holds connections and requests, and answers nothing until it is let go on."""
    up(tier, range(1, 4))
    agent = tier.agent([1, 2, 3], environment=appliance(tmp_path), protocol={"timeout": "500ms"})
    load = traffic(start, agent)
    load.wait_more(300)
    tier.gateways["gw-2"].signal(signal.SIGSTOP)
    load.wait_more(600)
    assert load.refused == 0
    tier.gateways["gw-2"].signal(signal.SIGCONT)
    load.wait_more(300)
    accepted = load.stop()
    where = tier.settle(accepted)
    assert not accepted - where.keys(), "accepted and lost"
    assert not split_traces(where)
    # What it took in and answered too late may come again, and nothing else.
    assert {name for a in where.values() if len(a) > 1 for name, _ in a} <= {"gw-2"}


@pytest.mark.ours
def test_agent_without_cpu_a_second_at_a_time(tier, start, workers, tmp_path):
    """As one that a limit of its container throttles."""
    up(tier, range(1, 4))
    agent = tier.agent([1, 2, 3], environment=appliance(tmp_path, workers=workers))
    load = traffic(start, agent)
    for _ in range(4):
        load.wait_more(200)
        agent.program.signal(signal.SIGSTOP)
        time.sleep(1)
        agent.program.signal(signal.SIGCONT)
    load.wait_more(200)
    assert load.refused == 0
    assert not split_traces(tier.check(load.stop()))


def retry_after(milliseconds):
    """grpc-status-details-bin with google.rpc.RetryInfo."""
    delay = duration_pb2.Duration(nanos=milliseconds * 1_000_000).SerializeToString()
    info = b"\x0a" + bytes([len(delay)]) + delay
    kind = b"type.googleapis.com/google.rpc.RetryInfo"
    detail = b"\x0a" + bytes([len(kind)]) + kind + b"\x12" + bytes([len(info)]) + info
    return base64.b64encode(b"\x08\x0e\x1a" + bytes([len(detail)]) + detail).decode().rstrip("=")


@pytest.mark.ours
def test_gateway_that_says_when_to_come_back(tier, start, workers, tmp_path):
    up(tier, (1, 3))
    name, address = tier.address(2)
    busy = start.backend(BusyGateway, address, retry_after(400))
    agent = tier.agent([1, 2, 3], environment=appliance(tmp_path, workers=workers),
                       protocol={"retry_on_failure": {**QUICK_RETRY, "initial_interval": "1ms"}})
    load = traffic(start, agent)
    assert support.wait_for(lambda: len(busy.refused) >= 3)
    load.wait_more(400)
    busy.open.set()
    load.wait_more(400)
    accepted = load.stop()
    support.wait_for(lambda: tier.sink.has(accepted - set(support.ids(busy))), 60)
    tier.sink.wait_quiet(0.3)
    busy.wait_quiet(0.3)
    arrived = collections.Counter(support.ids(busy)) + collections.Counter(
        key for key, arrivals in tier.sink.books().items() for _ in arrivals)
    assert not accepted - arrived.keys(), "accepted and lost"
    assert not [key for key, count in arrived.items() if count > 1], "sent twice"
    for times in busy.refused.values():
        assert all(later - sooner >= 0.39 for sooner, later in zip(times, times[1:])), (name, times)


class BusyGateway(FrameBackend):
    """Refuses with RetryInfo until it is `open`; keeps only what it took."""

    def __init__(self, address, details):
        self.open = threading.Event()
        self.refused = collections.defaultdict(list)                     # {body: [seconds, …]}
        self._details = details
        host, _, port = address.rpartition(":")
        super().__init__(int(port), host)
        self.answer = self._verdict

    def add(self, arrival):
        pass                                                             # as long as nothing is decided

    def _verdict(self, arrival):
        if self.open.is_set():
            super().add(arrival)
            return 0, "", []
        self.refused[arrival.body].append(arrival.at)
        return 14, "busy", [("grpc-status-details-bin", self._details)]
