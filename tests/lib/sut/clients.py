"""Clients: a real gRPC one, and raw bytes over HTTP/1.1 and HTTP/2 for what no library would send."""
import http.client
import io
import re
import socket
import time
from dataclasses import dataclass, field

import grpc
import h2.config
import h2.connection
import h2.events
import h2.exceptions

from . import otlp


class Sender:
    """grpcio with ready-made bodies."""

    def __init__(self, address, path=otlp.EXPORT):
        self._channel = grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])
        self._call = self._channel.unary_unary(path)

    def send(self, body, metadata=None, timeout=30):
        """(code, message)"""
        try:
            self._call(body, timeout=timeout, metadata=metadata, wait_for_ready=True)
            return 0, ""
        except grpc.RpcError as error:
            return error.code().value[0], error.details()

    def close(self):
        self._channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def play(address, bodies, steps):
    """Steps of an input: `send: [first, last]` or `sleep: seconds`; everything at once without them."""
    with Sender(address) as sender:
        for step in steps or [{"send": [0, len(bodies) - 1]}]:
            if "sleep" in step:
                time.sleep(step["sleep"])
                continue
            first, last = step["send"]
            for body in bodies[first:last + 1]:
                code, text = sender.send(body)
                if code:
                    raise RuntimeError(f"the receiver refused an input: {code} {text}")


# --- HTTP/1.1 ------------------------------------------------------------------------------------


@dataclass
class HttpAnswer:
    status: int
    headers: dict
    body: bytes


class _Bytes:
    """As much of a socket as http.client.HTTPResponse asks for."""

    def __init__(self, data):
        self._data = data

    def makefile(self, *_, **__):
        return io.BytesIO(self._data)


def parse_answers(data, method="POST"):
    """All responses in `data`; ValueError or HTTPException while the last one is incomplete."""
    answers = []
    while data:
        head, blank, rest = data.partition(b"\r\n\r\n")
        if not blank:
            raise ValueError(f"header without an end: {data[:80]!r}")
        status = int(head.split(b" ", 2)[1])
        if status < 200:
            answers.append(HttpAnswer(status, {}, b""))
            data = rest
            continue
        response = http.client.HTTPResponse(_Bytes(data), method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = response.read()
        if method == "HEAD":
            used = len(head) + 4
        elif "chunked" in headers.get("transfer-encoding", ""):
            used = len(data)
        else:
            used = len(head) + 4 + int(headers.get("content-length", len(rest)))
        answers.append(HttpAnswer(status, headers, body))
        data = data[used:]
    return answers


def _whole(data):
    try:
        return bool(parse_answers(data))
    except (http.client.HTTPException, ValueError):
        return False


def raw_http(address, data, *, split=None, half_close=False, silence=3.0):
    """Sends bytes, with a pause at `split`; returns (bytes that came back, did the server close).

    Reads until the server closes or says nothing more: `silence` seconds, less once an answer is whole.
    """
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=silence) as sock:
        try:
            sock.sendall(data[:split] if split else data)
            if split:
                time.sleep(0.3)
                sock.sendall(data[split:])
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass                                   # refused while we wrote: the answer may be there
        got = b""
        while True:
            try:
                chunk = sock.recv(1 << 16)
            except TimeoutError:
                return got, False
            except OSError:
                return got, True
            if not chunk:
                return got, True
            got += chunk
            if _whole(got):
                sock.settimeout(0.15)


# --- gRPC on frame level -------------------------------------------------------------------------


@dataclass
class Call:
    """What came back for one call."""
    headers: dict = field(default_factory=dict)
    trailers: dict = field(default_factory=dict)
    data: bytes = b""
    reset: object = None                            # error code, "goaway", "closed" or an exception's name

    @property
    def final(self):
        """Trailers, or the headers of an answer that has nothing else."""
        return {**self.headers, **self.trailers}


def raw_grpc(address, path, data, *, headers=(), replace=None, method="POST", timeout=10.0):
    """One call with these DATA bytes; `replace` changes or (None) removes standard headers."""
    host, port = address.rsplit(":", 1)
    config = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False)
    conn = h2.connection.H2Connection(config)
    conn.initiate_connection()
    standard = {":method": method, ":scheme": "http", ":path": path, ":authority": address,
                "content-type": "application/grpc", "te": "trailers", **(replace or {})}
    call = Call()
    with socket.create_connection((host, int(port)), timeout=timeout) as sock:
        stream = conn.get_next_available_stream_id()
        head = [(name, value) for name, value in standard.items() if value is not None]
        conn.send_headers(stream, head + list(headers), end_stream=not data)
        try:
            _converse(sock, conn, stream, data, call, time.monotonic() + timeout)
        except (OSError, h2.exceptions.H2Error) as error:
            call.reset = call.reset or type(error).__name__
    return call


def _converse(sock, conn, stream, pending, call, deadline):
    while time.monotonic() < deadline:
        while pending:
            room = min(conn.local_flow_control_window(stream), conn.max_outbound_frame_size)
            if room <= 0:
                break
            conn.send_data(stream, pending[:room], end_stream=len(pending) <= room)
            pending = pending[room:]
        sock.sendall(conn.data_to_send())
        data = sock.recv(1 << 16)
        if not data:
            call.reset = call.reset or "closed"
            return
        # A generator: what comes after the end of the call does not count.
        if any(_take(conn, call, event) for event in conn.receive_data(data)):
            return


def _take(conn, call, event):
    """Adds an event to the call; True when it was the last."""
    if isinstance(event, h2.events.ResponseReceived):
        call.headers = dict(event.headers)
    elif isinstance(event, h2.events.TrailersReceived):
        call.trailers = dict(event.headers)
    elif isinstance(event, h2.events.DataReceived):
        call.data += event.data
        conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    elif isinstance(event, h2.events.StreamEnded):
        return True
    elif isinstance(event, h2.events.StreamReset):
        # A server that has answered may reset what is left of the request (RFC 9113, 8.1).
        call.reset = event.error_code
        return True
    elif isinstance(event, h2.events.ConnectionTerminated):
        call.reset = "goaway"
        return True
    return False


def percent_decode(text):
    """grpc-message."""
    return re.sub(r"(?:%[0-9A-Fa-f]{2})+",
                  lambda m: bytes.fromhex(m.group(0).replace("%", "")).decode(errors="replace"), text)
