"""Hosts of a test: network namespaces with one link between them and a resolv.conf of their own. Needs root.

A namespace lives as long as the process that holds it, and that one ends with us: nothing stays behind.
Processes are started without preexec_fn: that would be a real fork, which grpcio's threads do not survive.
"""
import contextlib
import ctypes
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import support
from sut.program import NotReady, Program

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


class Host:
    """A network namespace, and a mount namespace where /etc/resolv.conf is `resolver`."""

    def __init__(self, resolver=None):
        script = "ip link set lo up && "
        if resolver is not None:
            script += f"mount --bind '{resolver}' /etc/resolv.conf && "
        script += "echo up && exec cat"
        self._holder = subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", script], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self._holder.stdout.readline() != b"up\n":
            raise OSError(self._holder.communicate()[1].decode(errors="replace").strip())
        self.pid = self._holder.pid
        self.prefix = ("nsenter", f"--net=/proc/{self.pid}/ns/net", f"--mount=/proc/{self.pid}/ns/mnt", "--")

    def run(self, *command):
        subprocess.run([*self.prefix, *command], check=True, capture_output=True)

    def connect(self, other, address, peer_address):
        """A link to another host with one address at each end."""
        self.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(other.pid))
        for host, own in ((self, address), (other, peer_address)):
            host.add_address(own)
            host.run("ip", "link", "set", "eth0", "up")

    def add_address(self, address):
        more = ("nodad",) if ":" in address else ()
        self.run("ip", "address", "add", address, "dev", "eth0", *more)

    @contextlib.contextmanager
    def inside(self):
        """The calling thread's new sockets are this host's."""
        with open("/proc/thread-self/ns/net", "rb") as own, open(f"/proc/{self.pid}/ns/net", "rb") as there:
            _setns(there)
            try:
                yield
            finally:
                _setns(own)

    def close(self):
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()
        self._holder.stderr.close()


def _setns(file):
    if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def skip_without():
    """Skips a test where namespaces are not to be had."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for network namespaces")
    missing = [name for name in ("ip", "unshare", "nsenter") if which(name) is None]
    if missing:
        pytest.skip(f"there is no {', '.join(missing)}")
    try:
        Host().close()
    except OSError as error:
        pytest.skip(f"network namespaces are not allowed here: {error}")


def which(name):
    # Debian's servers are in sbin, which is not on everybody's PATH.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Guest(Program):
    """A program on a host; ready when `ready` (address, port) answers HTTP, whatever it says."""

    def __init__(self, host, binary, config, ready, **keywords):
        self.host, self.ready = host, ready
        super().__init__(binary, config, prefix=host.prefix, health=0, **keywords)

    def wait_ready(self):
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            if not self.alive:
                raise NotReady(f"exit code {self.process.returncode}: {self.log_tail()}")
            if self.get(*self.ready, "/") is not None:
                return self
            time.sleep(0.02)
        raise NotReady(f"not ready after {self.timeout} s: {self.log_tail()}")

    def get(self, address, port, path):
        """The body of a page, None when nobody answers."""
        with self.host.inside():
            connection = http.client.HTTPConnection(address, port, timeout=3)
            try:
                connection.request("GET", path)
                return connection.getresponse().read().decode()
            except (OSError, http.client.HTTPException):
                return None
            finally:
                connection.close()

    def metrics(self, path="/metrics", address="127.0.0.1", port=8888):
        """The metrics page as {name{labels}: value}."""
        text = self.get(address, port, path) or ""
        return {name: float(value) for name, _, value in (
            line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))}


class HttpSender:
    """Sends bodies over HTTP/1.1 from a host to itself; one connection for each thread."""

    def __init__(self, host, port=4318):
        self._host, self._port, self._own = host, port, threading.local()

    def send(self, body, signal_name="traces"):
        """(0, "") or (HTTP status, text); an exception where it is unknown whether it was taken."""
        if getattr(self._own, "connection", None) is None:
            self._own.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection = self._own.connection
        with self._host.inside():
            connection.request("POST", f"/v1/{signal_name}", body, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        return (0, "") if answer.status == 200 else (answer.status, text)


class Dnsmasq:
    """Debian's dnsmasq on a host; knows one name."""

    def __init__(self, host, address, name, folder):
        self._host, self._address, self._name = host, address, name
        self._hosts = pathlib.Path(folder) / "hosts"
        self._log = open(pathlib.Path(folder) / "dnsmasq.log", "ab")
        self._process = None
        self.addresses = []
        self.set([])

    def set(self, addresses):
        """From now on the name has these addresses."""
        self.addresses = list(addresses)
        new = self._hosts.with_suffix(".new")
        new.write_text("".join(f"{a} {self._name}\n" for a in addresses), encoding="ascii")
        new.chmod(0o644)
        new.rename(self._hosts)
        self.signal(signal.SIGHUP)                                       # reads the file, forgets all else

    def signal(self, number):
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def start(self):
        self._process = subprocess.Popen(
            [*self._host.prefix, "setpriv", "--pdeathsig", "KILL", which("dnsmasq"), "--keep-in-foreground",
             "--conf-file=/dev/null", "--no-resolv", "--no-hosts", f"--addn-hosts={self._hosts}",
             f"--listen-address={self._address}", "--bind-interfaces", "--port=53", "--user=root", "--pid-file=",
             "--log-facility=-", f"--local=/{self._name}/"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        assert support.wait_for(self._answers, 10), "dnsmasq does not listen"
        return self

    def _answers(self):
        with self._host.inside(), socket.socket() as sock:
            sock.settimeout(1)
            return sock.connect_ex((self._address, 53)) == 0

    def kill(self):
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def close(self):
        self.kill()
        self._log.close()
