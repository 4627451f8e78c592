"""Name servers that fail, lie and exaggerate: what comes of it is bounded, counted and said; nothing is lost."""
import pathlib
import random

import pytest

import netns
import support
from dns_tier import AGENT, NAME, NAME_SERVER, Cluster, changed, quick
from hostile_dns import NXDOMAIN, REFUSED, SERVFAIL, TRUNCATED, A, HostileDns

pytestmark = pytest.mark.ours

SUCCESS = 'otelcol_loadbalancer_num_resolutions{resolver="dns",success="true"}'
FAILURE = 'otelcol_loadbalancer_num_resolutions{resolver="dns",success="false"}'
BACKENDS = 'otelcol_loadbalancer_num_backends{resolver="dns"}'
UPDATES = "otelcol_loadbalancer_num_backend_updates"
LEFT_OUT = "spanweir_loadbalancer_addresses_left_out"
ADDRESSES_MAX = 1024


@pytest.fixture
def cluster(start, tmp_path):
    """Two gateways, and a name server that names them until it is told otherwise."""
    netns.skip_without()
    cluster = Cluster(start, tmp_path)
    for number in (1, 2):
        cluster.gateway(number)
    cluster.good = [cluster.ip(1), cluster.ip(2)]
    cluster.dns = start.backend(HostileDns, cluster.pods, NAME_SERVER)
    cluster.dns.answer = lambda question: question.reply(addresses=cluster.good)
    cluster.front = cluster.seed_agent(quick(tmp_path, interval="100ms", timeout="300ms"))
    return cluster


def count(cluster, family):
    return sum(value for name, value in cluster.front.metrics("/metrics/all").items() if name.startswith(family))


def more(cluster, family, number=2):
    """Waits until a counter has grown by so much."""
    before = count(cluster, family)
    return support.wait_for(lambda: count(cluster, family) >= before + number, 20)


def rss_mib(process):
    pages = pathlib.Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096 / 1024 / 1024


def garbage(question):
    return bytes(random.Random(question.id).randbytes(300))


def endless_name(question):
    """A pointer to itself in the place of the name."""
    return question.reply(number=1) + b"\xc0" + bytes([12 + len(question.section)]) + b"\0" * 14


FAILING = {
    "no such name": lambda q: q.reply(NXDOMAIN),
    "server failure": lambda q: q.reply(SERVFAIL),
    "refused": lambda q: q.reply(REFUSED),
    "silence": lambda q: None,
    "no addresses": lambda q: q.reply(),
    "garbage": garbage,
    "half a header": lambda q: q.reply(addresses=["10.9.9.9"])[:7],
    "cut in a record": lambda q: q.reply(addresses=["10.9.9.9"])[:-3],
    "more announced than there": lambda q: q.reply(addresses=["10.9.9.9"], number=50),
    "a name without an end": endless_name,
    "somebody else's answer": lambda q: q.reply(addresses=["10.9.9.9"], question_id=q.id ^ 0x5555),
    "truncated, TCP closes": lambda q: b"" if q.tcp else q.reply(addresses=["10.9.9.9"], flags=TRUNCATED),
    "truncated, TCP lies": lambda q: garbage(q) if q.tcp else q.reply(flags=TRUNCATED),
}


def test_bad_answers_leave_the_ring_alone(cluster):
    load = cluster.traffic()
    load.wait_more(100)
    updates = count(cluster, UPDATES)
    for name, answer in FAILING.items():
        cluster.dns.answer = answer
        assert more(cluster, FAILURE), name
        assert cluster.front.alive, name
        assert count(cluster, BACKENDS) == 2, name
        load.wait_more(50)
    cluster.dns.answer = lambda question: question.reply(addresses=cluster.good)
    assert more(cluster, SUCCESS)
    cluster.check(load.stop())
    assert set(cluster.sink.counts()) == {"gw-1", "gw-2"}
    assert count(cluster, UPDATES) == updates


def test_failing_lookups_are_said_once(cluster):
    cluster.dns.answer = FAILING["server failure"]
    assert more(cluster, FAILURE, 20)
    assert said(cluster) == ["Looking up the backends fails, those that are known stay in use"]


def said(cluster):
    """What the log tells of the name."""
    return [line.split("\t")[3] for line in cluster.front.log().splitlines() if f'"hostname": "{NAME}"' in line]


def test_truncated_answer_is_fetched_over_tcp(cluster):
    cluster.gateway(3)
    cluster.good.append(cluster.ip(3))
    with changed(cluster, cluster.front):
        cluster.dns.answer = lambda q: q.reply(addresses=cluster.good) if q.tcp else q.reply(flags=TRUNCATED)
    load = cluster.traffic()
    load.wait_more(300)
    cluster.check(load.stop())
    assert set(cluster.sink.counts()) == {"gw-1", "gw-2", "gw-3"}


def test_more_addresses_than_anybody_has(cluster):
    """As many as a message holds, in another order each time."""
    many = [f"10.78.{n >> 8}.{n & 255}" for n in range(4000)]

    def answer(question):
        if not question.tcp:
            return question.reply(flags=TRUNCATED)
        return question.reply(addresses=random.sample(many, len(many)))

    load = cluster.traffic()
    load.wait_more(100)
    accepted = set(load.stop())
    cluster.check(accepted)
    with changed(cluster, cluster.front):
        cluster.dns.answer = answer
    assert count(cluster, BACKENDS) == ADDRESSES_MAX
    updates = count(cluster, UPDATES)
    assert more(cluster, SUCCESS, 3)
    assert count(cluster, UPDATES) == updates, "the ring follows their order"
    assert count(cluster, LEFT_OUT) >= 2 * (len(many) - ADDRESSES_MAX)
    assert said(cluster).count("A name has more addresses than are used, the rest is left out") == 1
    load = cluster.traffic()                                             # to nobody, for the time being
    load.wait_more(100)
    assert rss_mib(cluster.front.process) < 256, rss_mib(cluster.front.process)
    with changed(cluster, cluster.front):
        cluster.dns.answer = lambda question: question.reply(addresses=cluster.good)
    load.wait_more(100)
    cluster.check(accepted | load.stop())
    assert cluster.front.stop() == 0, cluster.front.log_tail()


def test_addresses_in_disguise(cluster):
    """Twice, IPv4 as IPv6, and link-local: the last one is a backend that nobody reaches."""
    load = cluster.traffic()
    load.wait_more(100)
    twice = [address for address in cluster.good for _ in range(2)]
    with changed(cluster, cluster.front):
        cluster.dns.answer = lambda question: question.reply(addresses=twice)
    load.wait_more(200)
    mapped = [f"::ffff:{address}" for address in cluster.good]
    with changed(cluster, cluster.front):
        cluster.dns.answer = lambda question: question.reply(addresses=mapped)
    assert count(cluster, BACKENDS) == 2
    load.wait_more(200)
    with changed(cluster, cluster.front):
        cluster.dns.answer = lambda question: question.reply(addresses=[*cluster.good, "fe80::1"])
    assert count(cluster, BACKENDS) == 3
    load.wait_more(200)
    with changed(cluster, cluster.front):
        cluster.dns.answer = lambda question: question.reply(addresses=cluster.good)
    cluster.check(load.stop())


def test_agent_that_is_told_to_send_to_itself(cluster):
    load = cluster.traffic()
    load.wait_more(100)
    with changed(cluster, cluster.front):
        cluster.dns.answer = lambda question: question.reply(
            addresses=[AGENT, *cluster.good] if question.kind == A else [])
    load.wait_more(400)
    with changed(cluster, cluster.front):
        cluster.dns.answer = lambda question: question.reply(addresses=[AGENT])
    load.wait_more(200)
    assert rss_mib(cluster.front.process) < 256
    with changed(cluster, cluster.front):
        cluster.dns.answer = lambda question: question.reply(addresses=cluster.good)
    cluster.check(load.stop())                                           # what went round ends well
    assert cluster.front.alive
    assert said(cluster) == [
        "An address of the backends is our own receiver: what is sent there goes round in circles"]
