"""The gateway of the article that users start from, as it stands there: only endpoints, the directory and the port of
the metrics page are set from outside, the wait for decisions is shortened, and more traces than its 50,000 may wait."""
import json
import os
import random
import signal
import time

import grpc
import pytest

import support
from signals import SIGNALS, SignalsBackend, message
from sut import otlp
from sut.clients import Sender
from sut.program import run
from test_storage import RESOURCES, Senders, numbered, numbers, queued, unbalanced

CONFIG = support.HERE / "configs" / "seed-gateway.yaml"
pytestmark = pytest.mark.ours

ROUNDS = int(os.environ.get("SEED_ROUNDS", "50"))
BUSY = (grpc.StatusCode.UNAVAILABLE, "busy")
_BACKENDS = {"traces": "otlp/traces", "metrics": "otlp/metrics", "logs": "otlp/logs"}


class Seed:
    """Gateways one after the other, with ports that stay."""

    def __init__(self, start, folder, wait="1s", window=None):
        self.start = start
        grpc, http, self.health, self.page, self.backend_port = support.free_ports(5)
        self.address = f"127.0.0.1:{grpc}"
        sets = {
            "receivers.otlp.protocols.grpc.endpoint": self.address,
            "receivers.otlp.protocols.http.endpoint": f"127.0.0.1:{http}",
            "extensions.health_check.endpoint": f"127.0.0.1:{self.health}",
            "extensions.file_storage.directory": folder,
            "service.telemetry.metrics.address": f"127.0.0.1:{self.page}",
            "processors.tail_sampling.decision_wait": wait,
            "processors.tail_sampling.num_traces": "1000000",
            **{f"exporters.{name}.endpoint": f"127.0.0.1:{self.backend_port}" for name in _BACKENDS.values()},
        }
        self.arguments = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
        self.environment = {}
        if window:
            appliance = window / "appliance.conf"
            appliance.write_text('components = ({ kind = "processor"; id = "tail_sampling"; '
                                 f'window = {{ directory = "{window}"; size_mib = 64; }}; }});\n', encoding="utf-8")
            self.environment = {"SPANWEIR_APPLIANCE": str(appliance)}

    def gateway(self):
        program = self.start.program(CONFIG, health=self.health, arguments=self.arguments,
                                     environment=self.environment)
        return support.Gateway(program, self.address, page=self.page)


def errors(number):
    """A trace with an error, which the gateway keeps."""
    spans = [support.span(number + 1, n, error=True) for n in range(3)]
    resource = {"attributes": [{"key": "number", "value": {"intValue": str(number)}}]}
    return otlp.from_json({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
                          ).SerializeToString()


def body(signal_, number):
    return errors(number) if signal_ == "traces" else numbered(signal_, number)


def send(gateway, first, count):
    for s in SIGNALS:
        with Sender(gateway.grpc, otlp.EXPORTS[s]) as sender:
            for number in range(first, first + count):
                assert sender.send(body(s, number)) == (0, "")


def test_validate_takes_it_and_says_what_is_left_out(binary, tmp_path):
    code, _, text = run(binary, ["validate", "--config", str(CONFIG), "--set",
                                 f"extensions.file_storage.directory={tmp_path}"])
    assert code == 0
    assert 'processors::spanmetrics: type "spanmetrics" is not supported yet; nothing uses it' in text
    assert "extensions::file_storage::max_file_size_mib" in text


def test_in_a_pipeline_spanmetrics_is_refused_by_name(binary, tmp_path):
    code, _, text = run(binary, ["--config", str(CONFIG), "--set", f"extensions.file_storage.directory={tmp_path}",
                                 "--set", "service.pipelines.traces.processors=[spanmetrics]"])
    assert code != 0
    assert "processors::spanmetrics" in text and "not supported yet" in text


def test_a_backend_dies_and_returns_and_the_gateway_is_killed(start, tmp_path):
    (tmp_path / "queue").mkdir()
    (tmp_path / "window").mkdir()
    seed = Seed(start, tmp_path / "queue", window=tmp_path / "window")
    total = 0
    for _ in range(3):  # nobody is there to take it
        gateway = seed.gateway()
        send(gateway, total, 20)
        total += 20
        time.sleep(1.3)
        gateway.program.signal(signal.SIGKILL)
        gateway.program.wait()
    gateway = seed.gateway()
    send(gateway, total, 20)
    total += 20
    backend = start.backend(SignalsBackend, port=seed.backend_port)
    assert support.wait_for(lambda: all(len(set(numbers(backend, s))) == total for s in SIGNALS), 60), {
        s: len(set(numbers(backend, s))) for s in SIGNALS}
    for s in SIGNALS:
        assert sorted(set(numbers(backend, s))) == list(range(total))
    assert support.wait_for(lambda: queued(gateway) == 0)
    assert not unbalanced(gateway)
    assert gateway.program.stop() == 0, gateway.program.log_tail()


def repeated(backend, signal_):
    """Requests that bring something which was there before."""
    seen, count = set(), 0
    for arrival in list(backend.arrivals):
        if arrival.path != otlp.EXPORTS[signal_]:
            continue
        items = []
        for resource in getattr(message(arrival), RESOURCES[signal_]):
            number = next(a.value.int_value for a in resource.resource.attributes if a.key == "number")
            items += [(number, item) for item in leaves(signal_, resource)]
        count += len(seen & set(items)) > 0
        seen.update(items)
    return count


def leaves(signal_, resource):
    """What tells the items of a request apart."""
    if signal_ == "traces":
        return [span.span_id for scope in resource.scope_spans for span in scope.spans]
    if signal_ == "metrics":
        return [point.as_int for scope in resource.scope_metrics for metric in scope.metrics
                for point in metric.gauge.data_points]
    return [record.body.string_value for scope in resource.scope_logs for record in scope.log_records]


def redelivered(gateway):
    """Requests that were under way when the one before it was killed."""
    page = gateway.metrics("/metrics/all")
    return {s: sum(v for k, v in page.items() if k.startswith("spanweir_exporter_queue_redelivered_requests")
                   and f'exporter="otlp/{s}"' in k) for s in SIGNALS}


def test_kills_at_any_time_lose_nothing_acknowledged(start, tmp_path):
    (tmp_path / "queue").mkdir()
    (tmp_path / "window").mkdir()
    seed = Seed(start, tmp_path / "queue", window=tmp_path / "window")
    backend = start.backend(SignalsBackend, port=seed.backend_port)
    dice, again = random.Random(11), dict.fromkeys(SIGNALS, 0)
    backend.answer = lambda s, request: BUSY if dice.random() < 0.1 else None
    senders = Senders(make=body)
    for turn in range(ROUNDS):
        gateway = seed.gateway()
        again = {s: again[s] + count for s, count in redelivered(gateway).items()}
        senders.start(gateway.grpc)
        # Undecided traces wait anew after each start: now and then they get their verdict, so that the sampler never
        # holds more than its num_traces, and decided ones wait in batch at a kill.
        time.sleep(3.5 if turn % 5 == 4 else dice.uniform(0.1, 1.5))
        gateway.program.signal(signal.SIGKILL)
        gateway.program.wait()
        senders.stop()
        # What an earlier start left, and this one's own.
        assert sum(f.stat().st_blocks * 512 for f in (tmp_path / "window").iterdir()) <= 2 * 64 << 20
    backend.answer = lambda s, request: None
    gateway = seed.gateway()
    again = {s: again[s] + count for s, count in redelivered(gateway).items()}
    time.sleep(3)  # undecided traces are in no queue
    assert support.wait_for(lambda: queued(gateway) == 0, 90), gateway.program.log_tail()
    for s in SIGNALS:
        arrived, acknowledged = set(numbers(backend, s)), set(senders.acknowledged[s])
        twice = repeated(backend, s)
        print(f"{s}: {len(acknowledged)} acknowledged, {len(arrived)} arrived; {twice} requests came again, "
              f"{again[s]:.0f} were read to be sent at a kill")
        assert len(acknowledged) > 5 * ROUNDS
        assert not acknowledged - arrived, f"{s}: acknowledged and lost"
        assert twice <= again[s], f"{s}: came again, and were not under way"
    assert not unbalanced(gateway)
    assert gateway.program.stop() == 0, gateway.program.log_tail()


def tier(start, tmp_path, count=2, exporters=_BACKENDS.values()):
    """Gateways that know each other, of which each hands over at its end."""
    seeds = []
    for number in range(count):
        (tmp_path / f"queue{number}").mkdir()
        seeds.append(Seed(start, tmp_path / f"queue{number}"))
    hosts = ", ".join(f'"{seed.address}"' for seed in seeds)
    entries = ", ".join(f'{{ kind = "exporter"; id = "{name}"; on_shutdown = "handover"; }}' for name in exporters)
    for number, seed in enumerate(seeds):
        appliance = tmp_path / f"appliance{number}.conf"
        appliance.write_text(f'drain = {{ deadline = "10s"; }};\npeers = {{ static = {{ hostnames = ( {hosts} ); }}; '
                             f'self = ( "{seed.address}" ); }};\ncomponents = ( {entries} );\n', encoding="utf-8")
        seed.environment = {"SPANWEIR_APPLIANCE": str(appliance)}
        for name in _BACKENDS.values():  # all have the same backend
            seed.arguments += ["--set", f"exporters.{name}.endpoint=127.0.0.1:{seeds[0].backend_port}"]
    return seeds


def test_a_pod_that_is_deleted_hands_over_what_it_holds(start, tmp_path, binary):
    first, second = tier(start, tmp_path)
    leaving, staying = first.gateway(), second.gateway()
    send(leaving, 0, 30)
    time.sleep(1.5)
    assert leaving.program.stop(40) == 0, leaving.program.log_tail()
    assert "handed over to other gateways" in leaving.program.log()
    code, out, _ = run(binary, ["queue", "ls", str(tmp_path / "queue0"), "--format", "json"])
    assert code == 0 and all(q["requests"] == 0 for q in json.loads(out)["queues"]), out
    backend = start.backend(SignalsBackend, port=first.backend_port)
    # Traces of either gateway: some were forwarded when they came in.
    assert support.wait_for(lambda: all(len(set(numbers(backend, s))) == 30 for s in SIGNALS), 60), {
        s: len(set(numbers(backend, s))) for s in SIGNALS}
    for s in SIGNALS:
        assert sorted(numbers(backend, s)) == list(range(30))
    assert not unbalanced(staying)
    assert staying.program.stop() == 0


def test_without_another_gateway_it_stays(start, tmp_path, binary):
    first, _ = tier(start, tmp_path)
    leaving = first.gateway()
    send(leaving, 0, 5)
    began = time.monotonic()
    assert leaving.program.stop(40) == 0, leaving.program.log_tail()
    assert time.monotonic() - began < 35
    assert "not all of it was handed over" in leaving.program.log()
    backend = start.backend(SignalsBackend, port=first.backend_port)
    gateway = first.gateway()
    assert support.wait_for(lambda: all(sorted(set(numbers(backend, s))) == list(range(5)) for s in SIGNALS), 60)
    assert gateway.program.stop() == 0


def test_handover_without_peers_is_refused(start, tmp_path):
    (tmp_path / "queue").mkdir()
    seed = Seed(start, tmp_path / "queue")
    appliance = tmp_path / "appliance.conf"
    appliance.write_text('components = ( { kind = "exporter"; id = "otlp/logs"; on_shutdown = "handover"; } );\n',
                         encoding="utf-8")
    seed.environment = {"SPANWEIR_APPLIANCE": str(appliance)}
    with pytest.raises(Exception, match="needs peers in the appliance file"):
        seed.gateway()


def test_whoever_hands_over_to_an_unknown_exporter_is_told(start, tmp_path):
    first, _ = tier(start, tmp_path)
    gateway = first.gateway()
    with Sender(gateway.grpc, otlp.EXPORTS["logs"]) as sender:
        for exporter in ("otlp/none", "otlp/traces"):
            code, text = sender.send(body("logs", 1), metadata=[("spanweir-exporter", exporter)])
            assert (code, text) == (12, "unknown exporter")
        assert sender.send(body("logs", 1), metadata=[("spanweir-exporter", "otlp/logs")]) == (0, "")
