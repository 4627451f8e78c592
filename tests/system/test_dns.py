"""The agent of the pattern looks its gateways up in DNS, while they die, roll, scale, and while DNS has trouble."""
import random
import signal
import time

import pytest

import netns
import signals
import support
from dns_tier import QUEUE_IN_FRONT, Cluster, changed, other_signals, quick

pytestmark = pytest.mark.ours


@pytest.fixture
def cluster(start, tmp_path):
    netns.skip_without()
    if netns.which("dnsmasq") is None:
        pytest.skip("there is no dnsmasq; scripts/setup --tests installs it")
    return Cluster(start, tmp_path)


@pytest.fixture
def three(cluster):
    """Three gateways that DNS knows."""
    for number in (1, 2, 3):
        cluster.gateway(number)
    cluster.dns.start()
    cluster.publish(1, 2, 3)
    return cluster


def test_seed_agent_survives_its_story(three):
    """The file as it is: a gateway is killed, DNS changes, it comes back; traffic never stops."""
    agent = three.seed_agent()
    sent = other_signals(three)
    load = three.traffic(pause=0.05)
    load.wait_more(200)
    assert support.wait_for(lambda: set(three.sink.counts()) == {"gw-1", "gw-2", "gw-3"})
    three.kill(2)
    load.wait_more(150)
    with changed(three, agent):
        three.publish(1, 3)
    load.wait_more(150)
    before = three.sink.counts()["gw-2"]
    with changed(three, agent):
        three.gateway(2)
        three.publish(1, 2, 3)
    load.wait_more(300)
    three.check(load.stop())
    assert three.sink.counts()["gw-2"] > before
    for name, count in sent.items():
        assert signals.wait_items(three.sink, name, count)
        assert len(signals.arrived(three.sink, name)) == count
    for name in signals.SIGNALS:
        nodes = [item["resource"]["attributes"]["k8s.node.name"] for item in signals.arrived(three.sink, name)]
        assert set(map(str, nodes)) == {"{'stringValue': 'node-7'}"}
    assert agent.stop() == 0, agent.log_tail()


def test_ring_stays_while_dns_is_away(three, tmp_path):
    agent = three.seed_agent(quick(tmp_path))
    load = three.traffic()
    load.wait_more(200)
    three.dns.signal(signal.SIGSTOP)                                     # asks and gets no answer
    failed = 'otelcol_loadbalancer_num_resolutions{resolver="dns",success="false"}'
    assert support.wait_for(lambda: agent.metrics().get(failed, 0) >= 3)
    load.wait_more(300)
    three.kill(2)                                                        # nobody can tell that it left
    load.wait_more(200)
    three.gateway(2)
    load.wait_more(200)
    three.dns.signal(signal.SIGCONT)
    three.dns.kill()                                                     # asks and is refused
    before = agent.metrics()[failed]
    assert support.wait_for(lambda: agent.metrics().get(failed, 0) >= before + 3)
    load.wait_more(200)
    assert agent.metrics()['otelcol_loadbalancer_num_backends{resolver="dns"}'] == 3
    three.dns.start()
    three.gateway(4)
    with changed(three, agent):
        three.publish(1, 2, 3, 4)
    load.wait_more(300)
    three.check(load.stop())
    assert load.refused == 0
    assert three.sink.counts()["gw-4"] > 0


def test_agent_that_starts_before_dns(cluster, tmp_path):
    """Without a batch in between the sender hears that there is nobody yet, and keeps what it has."""
    for number in (1, 2):
        cluster.gateway(number)
    cluster.publish(1, 2)
    cluster.seed_agent(quick(tmp_path, processors=["memory_limiter"]))
    load = cluster.traffic()
    assert support.wait_for(lambda: load.refused >= 3)
    assert not load.accepted
    cluster.dns.start()
    load.wait_more(200)
    cluster.check(load.stop())


def take_a_while(cluster):
    """Something is always under way to each gateway."""
    cluster.sink.answer = lambda *_: time.sleep(0.02)


def test_flapping_dns_loses_and_doubles_nothing(three, tmp_path):
    take_a_while(three)
    agent = three.seed_agent(quick(tmp_path, interval="50ms"))
    load = three.traffic()
    updates = 'otelcol_loadbalancer_num_backend_updates{resolver="dns"}'
    lists = [(1, 3), (1, 2, 3), (2,), (1, 2), (), (2, 3)]
    for turn in range(120):
        three.publish(*lists[turn % len(lists)])
        time.sleep(0.07)
        if agent.metrics().get(updates, 0) >= 30:
            break
    assert agent.metrics()[updates] >= 10
    three.publish(1, 2, 3)
    load.wait_more(200)
    three.check(load.stop())                                             # nobody was killed: nothing came twice


@pytest.mark.parametrize("exporter", [None, QUEUE_IN_FRONT], ids=["queue-for-each", "queue-in-front"])
def test_rolling_restart_races_dns(cluster, tmp_path, exporter):
    """Ten pods are replaced by ten with other addresses. DNS hears of it before, while or after they end."""
    chance = random.Random(5)
    take_a_while(cluster)
    alive = list(range(1, 11))
    for number in alive:
        cluster.gateway(number)
    cluster.dns.start()
    cluster.publish(*alive)
    agent = cluster.seed_agent(quick(tmp_path, exporter=exporter))
    load = cluster.traffic()
    load.wait_more(200)
    for number in range(1, 11):
        cluster.gateway(number + 10)
        alive.append(number + 10)
        alive.remove(number)
        first = chance.random() < 0.5
        if first:
            cluster.publish(*alive)
            time.sleep(chance.random() * 0.3)
        cluster.gateways[f"gw-{number}"].signal(signal.SIGTERM)
        if not first:
            time.sleep(chance.random() * 0.3)
            cluster.publish(*alive)
    load.wait_more(300)
    cluster.check(load.stop())                                           # each answered what it had taken
    for number in range(1, 11):
        assert cluster.gateways[f"gw-{number}"].wait() == 0
    assert cluster.sink.counts()["gw-20"] > 0
    assert agent.stop() == 0, agent.log_tail()


def test_scaling_up_and_down(three, tmp_path):
    take_a_while(three)
    agent = three.seed_agent(quick(tmp_path))
    load = three.traffic()
    load.wait_more(200)
    for number in range(4, 11):
        three.gateway(number)
    with changed(three, agent):
        three.publish(*range(1, 11))
    load.wait_more(600)
    with changed(three, agent):
        three.publish(1, 2, 3)
    for number in range(4, 11):
        three.gateways[f"gw-{number}"].signal(signal.SIGTERM)
    load.wait_more(300)
    three.check(load.stop())
    assert load.refused == 0
    assert len(three.sink.counts()) == 10
    for number in range(4, 11):
        assert three.gateways[f"gw-{number}"].wait() == 0
    assert agent.metrics()['otelcol_loadbalancer_num_backends{resolver="dns"}'] == 3
