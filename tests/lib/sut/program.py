"""One run of the program under test."""
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import yaml

from .ports import free_ports

TICKS = os.sysconf("SC_CLK_TCK")


class NotReady(Exception):
    """The program ended or stayed silent; the text has its last words."""

    @property
    def port_taken(self):
        return "already in use" in str(self).lower()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def merge(under, over):
    """Maps are merged key by key; everything else of `over` wins."""
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    return {**under, **{key: merge(under.get(key), value) for key, value in over.items()}}


def fill(value, names):
    """`@name@` becomes its text, in keys and values of a whole tree."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"@{name}@", str(text))
        return value
    if isinstance(value, dict):
        return {fill(key, names): fill(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, names) for inner in value]
    return value


def save_yaml(path, tree):
    with open(path, "w", encoding="utf-8") as file:
        yaml.dump(tree, file, _Dumper, sort_keys=False, allow_unicode=True)


class Program:
    """A running binary. As a context manager it is ready inside, and gone afterwards.

    config      a tree, or the path of a file
    health      port of its health_check; a tree without that extension gets one
    own_page    True: the tree's telemetry is left alone; else the metrics page is off
    prefix      what stands before the binary, to start it somewhere else
    """

    def __init__(self, binary, config, *, arguments=(), environment=None, health=None, timeout=15.0,
                 own_page=False, prefix=()):
        self._folder = tempfile.TemporaryDirectory(prefix="sut-")
        self.folder = pathlib.Path(self._folder.name)
        self.health = health
        self.timeout = timeout
        if isinstance(config, dict):
            config = self._complete(config, own_page)
        self.log_path = self.folder / "log"
        self._log = open(self.log_path, "wb")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*prefix, binary, "--config", str(config), *arguments], stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})

    def _complete(self, tree, own_page):
        tree = fill(tree, {"dir": str(self.folder)})
        if self.health is None:
            (self.health,) = free_ports(1)
            tree = merge(tree, {"extensions": {"health_check": {"endpoint": f"127.0.0.1:{self.health}"}},
                                "service": {"extensions": ["health_check"]}})
        if not own_page:
            tree = merge({"service": {"telemetry": {"metrics": {"level": "none"}}}}, tree)
        path = self.folder / "config.yaml"
        save_yaml(path, tree)
        return path

    def __enter__(self):
        try:
            return self.wait_ready()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    @property
    def alive(self):
        return self.process.poll() is None

    def health_status(self):
        """HTTP status of the health page, None when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/", timeout=2) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def wait_ready(self):
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            if not self.alive:
                raise NotReady(f"exit code {self.process.returncode}: {self.log_tail()}")
            if self.health_status() == 200:
                return self
            time.sleep(0.02)
        raise NotReady(f"not ready after {self.timeout} s: {self.log_tail()}")

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, size=900):
        return self.log()[-size:]

    def cpu_seconds(self):
        """User and system time so far."""
        text = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def signal(self, number=signal.SIGTERM):
        if self.alive:
            self.process.send_signal(number)

    def wait(self, timeout=30):
        """Exit code; a program that does not end is killed and answers -9."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def stop(self, timeout=30):
        self.signal()
        return self.wait(timeout)

    def close(self):
        self.stop()
        self._log.close()
        self._folder.cleanup()


def run(binary, arguments, environment=None, timeout=30):
    """A command that ends by itself: (exit code or "timeout", standard output, standard error)."""
    try:
        done = subprocess.run([binary, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=timeout, env={**os.environ, **(environment or {})})
    except subprocess.TimeoutExpired:
        return "timeout", "", ""
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
