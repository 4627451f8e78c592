"""Backends that remember every request and answer as they are told.

HttpBackend and FrameBackend (gRPC, on frame level) can answer anything, for the parity cases.
GrpcBackend is a real grpcio server, for the system tests.
"""
import http.server
import json
import socket
import struct
import threading
import time
from concurrent import futures
from dataclasses import dataclass, field

import grpc
import h2.config
import h2.connection
import h2.events
import h2.exceptions

from . import codings, otlp


@dataclass
class Arrival:
    """One request as it came."""
    path: str
    headers: list
    raw: bytes                            # as sent; gRPC without the five bytes before the message
    body: bytes                           # decompressed
    at: float = field(default_factory=time.monotonic)

    def message(self):
        request = otlp.REQUESTS[otlp.signal_of_path(self.path)]
        kind = next((value for name, value in self.headers if name.lower() == "content-type"), "")
        if kind.startswith("application/json"):
            return otlp.from_json(json.loads(self.body), request)
        return request.FromString(self.body)


class Backend:
    """The list of arrivals, and waiting for them."""

    def __init__(self):
        self.arrivals = []
        self._news = threading.Condition()
        self._last = time.monotonic()

    def add(self, arrival):
        with self._news:
            self.arrivals.append(arrival)
            self._last = time.monotonic()
            self._news.notify_all()

    def take(self):
        with self._news:
            taken, self.arrivals = self.arrivals, []
        return taken

    def spans(self):
        """(resource, scope, span) of everything so far."""
        return [item for arrival in list(self.arrivals) for item in otlp.spans(arrival.message())]

    def wait_requests(self, number, limit):
        with self._news:
            self._news.wait_for(lambda: len(self.arrivals) >= number, limit)

    def wait_spans(self, number, limit=20):
        """True as soon as so many spans are there."""
        with self._news:
            return self._news.wait_for(
                lambda: sum(otlp.count(a.message()) for a in self.arrivals) >= number, limit)

    def wait_quiet(self, seconds, limit=60):
        """Until nothing came for so long."""
        begin = time.monotonic()
        while time.monotonic() - begin < limit and time.monotonic() - max(begin, self._last) < seconds:
            time.sleep(0.05)


class HttpBackend(Backend):
    """HTTP/1.1; `answer` maps an Arrival to (status, headers, body)."""

    def __init__(self, port=0):
        super().__init__()
        self.answer = lambda arrival: (200, {"Content-Type": "application/x-protobuf"}, b"")
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self._read()
                body = codings.unpack(self.headers.get("Content-Encoding", ""), raw)
                arrival = Arrival(self.path, list(self.headers.items()), raw, body)
                backend.add(arrival)
                status, headers, text = backend.answer(arrival)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def _read(self):
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = []
                while size := int(self.rfile.readline().partition(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class FrameBackend(Backend):
    """gRPC by hand over h2; `answer` maps an Arrival to (code, message, more trailers)."""

    def __init__(self, port=0, host="127.0.0.1"):
        super().__init__()
        self.answer = lambda arrival: (0, "", [])
        self._listener = socket.create_server((host, port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.address = f"{host}:{self.port}"
        self._connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        conn.initiate_connection()
        open_calls = {}
        with sock:
            try:
                sock.sendall(conn.data_to_send())
                while data := sock.recv(1 << 16):
                    for event in conn.receive_data(data):
                        self._event(conn, open_calls, event)
                    sock.sendall(conn.data_to_send())
            except (OSError, h2.exceptions.ProtocolError):
                pass

    def _event(self, conn, open_calls, event):
        if isinstance(event, h2.events.RequestReceived):
            open_calls[event.stream_id] = (event.headers, bytearray())
        elif isinstance(event, h2.events.DataReceived):
            open_calls[event.stream_id][1].extend(event.data)
            conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self._reply(conn, event.stream_id, *open_calls.pop(event.stream_id))

    def _reply(self, conn, stream, headers, data):
        named = dict(headers)
        raw = bytes(data[5:])
        coding = named.get("grpc-encoding", "") if data[:1] == b"\x01" else ""
        arrival = Arrival(named[":path"], headers, raw, codings.unpack(coding, raw, framed=True))
        self.add(arrival)
        code, message, more = self.answer(arrival)
        trailers = [("grpc-status", str(code)), *([("grpc-message", message)] if message else []), *more]
        conn.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        if code == 0:
            conn.send_data(stream, struct.pack(">BI", 0, 0))
        conn.send_headers(stream, trailers, end_stream=True)

    def close(self):
        for sock in [self._listener, *self._connections]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()


class GrpcBackend(Backend):
    """A grpcio server with the generated messages; `answer` maps a request to None or (code, text)."""

    def __init__(self, port=0):
        super().__init__()
        self.answer = lambda message: None
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        export = grpc.unary_unary_rpc_method_handler(
            self._export, request_deserializer=otlp.Request.FromString,
            response_serializer=otlp.Response.SerializeToString)
        service = otlp.EXPORT.strip("/").split("/")[0]
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Export": export})])
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"
        self._server.start()

    def _export(self, message, context):
        verdict = self.answer(message)
        if verdict is not None:
            context.abort(*verdict)
        body = message.SerializeToString()
        self.add(Arrival(otlp.EXPORT, list(context.invocation_metadata()), body, body))
        return otlp.Response()

    def close(self, grace=0):
        self._server.stop(grace).wait()
