"""Decisions of gateways that are peers: late spans follow them where they come now (docs/peer-protocol.md)."""
import pytest

import support
from sut.clients import Sender
from test_peers import TRACES, Tier, round_robin

pytestmark = pytest.mark.ours


def decision(trace, verdict):
    inner = b"\x0a\x10" + trace.to_bytes(16, "big") + b"\x10" + bytes([verdict])
    return b"\x0a" + bytes([len(inner)]) + inner


@pytest.mark.parametrize("cache", [None, {"sampled_cache_size": 1000, "non_sampled_cache_size": 1000}],
                         ids=["table", "caches"])
@pytest.mark.parametrize("workers", [1, 2])
def test_spans_follow_decisions_of_others(start, tmp_path, cache, workers):
    tier = Tier(start, tmp_path, count=1, workers=workers, cache=cache,
                policy={"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}})
    tier.begin()
    with Sender(tier.addresses[0]) as sender:                # these wait for their own decision
        for trace in range(1, 11):
            assert sender.send(support.request([support.span(trace, 0)])) == (0, "")
    with Sender(tier.addresses[0], "/spanweir.peer.v1.Peer/Decisions") as sender:
        message = b"".join(decision(trace, 1 if trace % 2 else 2) for trace in range(1, 21))
        message += decision(30, 9) + b"\x12\x03new"           # of a later version
        assert sender.send(message, [("spanweir-pipeline", "traces")]) == (0, "")
    with Sender(tier.addresses[0]) as sender:
        for trace in range(11, 21):
            assert sender.send(support.request([support.span(trace, 1, error=trace % 2 == 0)])) == (0, "")
    arrived = tier.wait(10)
    assert {trace for trace, _ in arrived[0]} == set(range(1, 21, 2))
    taken = {series: value for series, value in tier.gateways[0].metrics("/metrics/all").items()
             if series.startswith("spanweir_peer_decisions_taken") and value}
    assert sum(taken.values()) == 20
    assert sorted(taken.values()) == [10, 10], taken


def test_decisions_of_a_gateway_that_ends_reach_the_next_owner(start, tmp_path):
    tier = Tier(start, tmp_path, wait="60s")
    tier.begin()
    tier.connect()
    traces = range(1, TRACES + 1)
    round_robin(tier, traces)
    sent_before = tier.total("spanweir_peer_decisions_taken")
    assert tier.gateways[0].program.stop() == 0, tier.gateways[0].program.log_tail()
    owned = {trace for trace, _ in tier.arrived()[0]}
    assert owned
    taken = support.wait_for(lambda: tier.total("spanweir_peer_decisions_taken") - sent_before)
    assert taken == len(owned)
    # Late spans of its traces follow at the next owners, which hold all others for a minute.
    tier.gateways = tier.gateways[1:]
    survivors = [Sender(gateway.grpc) for gateway in tier.gateways]
    late = [support.span(trace, 9) for trace in sorted(owned)]
    for sender in survivors:
        assert sender.send(support.request(late)) == (0, "")
    followed = support.wait_for(lambda: {t for b in tier.backends[1:] for t, _ in support.ids(b)} >= owned, 10)
    assert followed
    for sender in survivors:
        sender.close()
