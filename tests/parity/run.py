#!/usr/bin/env python3
"""Compares a program with recorded answers of an OpenTelemetry Collector v0.159.

  tests/parity/run.py --binary build/spanweir
  tests/parity/run.py --binary build/spanweir --workers 2 --kind sampling -v
  tests/parity/run.py --binary build/spanweir --only receiver/grpc/gzip

--only takes a part of a name or a pattern. The last line is "N passed, N failed"; the exit code is
0 only when nothing failed. README.md tells the format of the cases.
"""
import argparse
import fnmatch
import importlib
import json
import pathlib
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]

import yaml  # noqa: E402

from sut import otlp  # noqa: E402
from sut.program import NotReady, Program  # noqa: E402

KINDS = ["config", "receiver", "exporter", "loadbalancing", "sampling", "telemetry"]


class World:
    """What a kind needs: the binary and how it is started, the recorded inputs."""

    def __init__(self, binary, environment):
        self.binary, self.environment = binary, environment

    def start(self, config, arguments=(), environment=None, own_page=False):
        return Program(self.binary, config, arguments=arguments, own_page=own_page,
                       environment={**self.environment, **(environment or {})})

    def input(self, name):
        """(request bodies, steps or None)"""
        script = HERE / "inputs" / f"{name}.yaml"
        steps = yaml.safe_load(script.read_text(encoding="utf-8")).get("steps") if script.exists() else None
        return otlp.read_input(HERE / "inputs" / f"{name}.pb.gz"), steps


def differences(expected, got, path=""):
    """Lines that say what differs. Keys that begin with ~ are for people and are not compared."""
    if isinstance(expected, dict) and isinstance(got, dict):
        lines = []
        for key in sorted({*expected, *got}, key=str):
            here = f"{path}.{key}" if path else str(key)
            if str(key).startswith("~"):
                continue
            if key not in got:
                lines.append(f"{here}: missing, expected {short(expected[key])}")
            elif key not in expected:
                lines.append(f"{here}: not expected: {short(got[key])}")
            else:
                lines += differences(expected[key], got[key], here)
        return lines
    if isinstance(expected, list) and isinstance(got, list):
        lines = [] if len(expected) == len(got) else [f"{path}: {len(got)} elements, expected {len(expected)}"]
        for index, (left, right) in enumerate(zip(expected, got)):
            lines += differences(left, right, f"{path}[{index}]")
        return lines
    if same(expected, got):
        return []
    return [f"{path}: {short(got)}, expected {short(expected)}"]


def same(expected, got):
    numbers = [isinstance(v, (int, float)) and not isinstance(v, bool) for v in (expected, got)]
    if all(numbers) and float in (type(expected), type(got)):
        return abs(expected - got) <= 1e-9 * max(abs(expected), abs(got))
    return type(expected) is type(got) and expected == got


def short(value):
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


def load(kind, path, patterns):
    """A group with the cases that are wanted; where they form a sequence, all or none."""
    group = yaml.safe_load(path.read_text(encoding="utf-8"))
    cases = {name: case or {} for name, case in group["cases"].items()}
    wanted = {}
    for name, case in cases.items():
        full = f"{kind}/{path.stem}/{name}"
        if not patterns or any(p in full or fnmatch.fnmatch(full, p) for p in patterns):
            wanted[name] = case
    return {**group, "cases": cases if wanted and group.get("sequence") else wanted}


def observe(world, kind, group):
    """{case: value or exception}; a group that could not start fails with all its cases."""
    module = importlib.import_module(f"kinds.{kind}")
    for _attempt in range(3):
        try:
            return module.observe(world, group)
        except NotReady as error:
            results = dict.fromkeys(group["cases"], error)
            if not error.port_taken:
                break
        except Exception as error:  # noqa: BLE001 - the next group has to run
            return dict.fromkeys(group["cases"], error)
    return results


class Report:
    def __init__(self, options):
        self.options, self.passed, self.failed = options, 0, 0

    def case(self, name, expected, value):
        if isinstance(value, Exception):
            lines = [f"{type(value).__name__}: {value}"]
        elif expected is None:
            lines = ["nothing is recorded for it"]
        else:
            lines = differences(expected, value)
        if lines:
            self.failed += 1
            rest = len(lines) - self.options.lines
            more = f" (and {rest} more)" if rest > 0 else ""
            print(f"FAIL {name}: " + "; ".join(lines[:self.options.lines]) + more, flush=True)
        else:
            self.passed += 1
            if self.options.verbose:
                print(f"ok   {name}", flush=True)


def environment_of(options, folder):
    """The appliance file for a number of workers."""
    if options.workers is None:
        return {}
    path = pathlib.Path(folder) / "appliance.conf"
    path.write_text(f"workers = {options.workers};\n", encoding="utf-8")
    return {"SPANWEIR_APPLIANCE": str(path)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="started as BINARY --config FILE")
    parser.add_argument("--workers", type=int, help="worker cores, by an appliance file")
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print names and end")
    parser.add_argument("--lines", type=int, default=6, help="differences shown for a case")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what passed, and times")
    options = parser.parse_args()
    if not options.binary and not options.list:
        parser.error("--binary is needed")
    return options


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that programs under test are ended
    report = Report(options)
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        world = World(options.binary and str(pathlib.Path(options.binary).resolve()),
                      environment_of(options, folder))
        for kind in options.kind or KINDS:
            for path in sorted((HERE / kind).glob("*.yaml")):
                group = load(kind, path, options.only)
                names = {name: f"{kind}/{path.stem}/{name}" for name in group["cases"]}
                if options.list:
                    print("\n".join(names.values()) if names else "", end="\n" if names else "")
                elif names:
                    begin = time.monotonic()
                    expected = json.loads((path.parent / f"{path.stem}.expected.json").read_text(encoding="utf-8"))
                    for name, value in observe(world, kind, group).items():
                        report.case(names[name], expected.get(name), value)
                    if options.verbose:
                        print(f"     {kind}/{path.stem}: {time.monotonic() - begin:.1f} s", flush=True)
    if not options.list:
        print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
