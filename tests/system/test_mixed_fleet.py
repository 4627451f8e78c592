"""A real Collector and spanweir in one tier, both kinds as agents and as gateways: what belongs together stays together."""
import collections
import json
import os

import pytest

import signals
import support
from sut import otlp
from sut.clients import Sender
from tier import Tier, gateway_of, split_traces, traffic

pytestmark = pytest.mark.ours
RIVAL = os.environ.get("SPANWEIR_RIVAL", str(support.ROOT / ".cache" / "rivals" / "otelcol"))


@pytest.fixture
def tier(start):
    """Four gateways: odd ones are ours, even ones Collectors."""
    if not os.access(RIVAL, os.X_OK):
        pytest.skip("there is no Collector: perf/rivals/build makes it, or SPANWEIR_RIVAL names it")
    tier = Tier(start)
    for number in range(1, 5):
        tier.gateway(number, None if number % 2 else RIVAL)
    return tier


def agents(tier, pipelines=("traces",), **more):
    return [tier.agent([1, 2, 3, 4], binary=binary, pipelines=pipelines, **more) for binary in (None, RIVAL)]


def test_no_trace_is_split(tier, start):
    """Each agent has half of each trace's spans; a gateway of either kind dies and comes back."""
    fleet = agents(tier)
    accepted = set()
    for half, agent in enumerate(fleet):
        with Sender(agent.grpc) as sender:
            for number in range(1, 21):
                spans = [support.span(1000 * number + t, 2 * half + n) for t in range(50) for n in range(2)]
                assert sender.send(support.request(spans)) == (0, "")
                accepted.update(support.sent_ids(spans))
    loads = [traffic(start, agent) for agent in fleet]
    for number, binary in ((1, None), (2, RIVAL)):
        for load in loads:
            load.wait_more(100)
        tier.kill(number)
        for load in loads:
            load.wait_more(100)
        tier.gateway(number, binary)
    for load in loads:
        load.wait_more(200)
        accepted |= load.stop()
    where = tier.check(accepted)
    assert not split_traces(where)
    assert set(tier.sink.counts()) == {"gw-1", "gw-2", "gw-3", "gw-4"}
    ring = tier.ring([1, 2, 3, 4])
    assert all(name == ring.owner(trace) for (trace, _), arrivals in where.items() for name, _ in arrivals)


def service(item):
    return item["resource"]["attributes"]["service.name"]


KEYS = {
    ("traces", "service"): service,
    ("metrics", ""): service,
    ("metrics", "metric"): lambda item: item["item"]["metric"]["name"],
    ("metrics", "resource"): lambda item: item["resource"],
    ("metrics", "streamID"): lambda item: (item["resource"], item["scope"], item["item"]["metric"],
                                           item["item"]["point"]["attributes"]),
    ("logs", ""): service,
    ("logs", "traceID"): lambda item: item["item"]["traceId"],
}


def request(signal, number):
    """A message of five items; services, names and trace IDs come again in other messages."""
    tree = signals.small(signal, 5, service=f"service-{number % 12}")
    if signal != "metrics":
        resources, scopes, leaves = otlp.LEVELS[signal]
        for index, leaf in enumerate(tree[resources][0][scopes][0][leaves]):
            leaf["traceId"] = f"{1 + (7 * number + index) % 40:032x}"
    return otlp.from_json(tree, otlp.REQUESTS[signal]).SerializeToString()


@pytest.mark.parametrize("signal, key", KEYS)
def test_other_keys_agree(tier, signal, key):
    sent = 0
    for agent in agents(tier, (signal,), **({"routing_key": key} if key else {})):
        with Sender(agent.grpc, otlp.EXPORTS[signal]) as sender:
            for number in range(40):
                assert sender.send(request(signal, number)) == (0, "")
                sent += 5
    assert signals.wait_items(tier.sink, signal, sent)
    owners = collections.defaultdict(set)
    for arrival in list(tier.sink.arrivals):
        for item in signals.items(signal, signals.message(arrival)):
            owners[json.dumps(KEYS[signal, key](item), sort_keys=True)].add(gateway_of(arrival))
    assert not {text: names for text, names in owners.items() if len(names) > 1}
    assert len(set().union(*owners.values())) > 1
