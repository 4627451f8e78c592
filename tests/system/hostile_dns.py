"""A name server that answers whatever it is told to, over UDP and TCP."""
import ipaddress
import socket
import struct
import threading

A, AAAA = 1, 28
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
TRUNCATED = 0x0200


class Question:
    def __init__(self, data, tcp):
        self.id, = struct.unpack(">H", data[:2])
        self.tcp = tcp
        end = 12
        while data[end]:
            end += 1 + data[end]
        self.kind, = struct.unpack(">H", data[end + 1:end + 3])
        self.section = data[12:end + 5]

    def reply(self, rcode=NOERROR, addresses=(), *, flags=0, number=None, question_id=None):
        """A whole message; `number` is what its header says about the answers."""
        records = b"".join(record(address) for address in map(ipaddress.ip_address, addresses)
                           if (A if address.version == 4 else AAAA) == self.kind)
        size = 16 if self.kind == A else 28
        count = len(records) // size if number is None else number
        head = struct.pack(">HHHHHH", self.id if question_id is None else question_id,
                           0x8400 | flags | rcode, 1, count, 0, 0)
        return head + self.section + records


def record(address):
    """Of the name in the question."""
    data = address.packed
    return struct.pack(">HHHIH", 0xC00C, A if len(data) == 4 else AAAA, 1, 0, len(data)) + data


class HostileDns:
    """`answer` maps a Question to bytes; None is silence. Over TCP an empty answer closes."""

    def __init__(self, host, address):
        self.answer = lambda question: question.reply(REFUSED)
        self.asked = 0
        with host.inside():
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind((address, 53))
            self._tcp = socket.create_server((address, 53))
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _serve_udp(self):
        while True:
            try:
                data, peer = self._udp.recvfrom(4096)
                if len(data) > 12 and (reply := self._reply(data, False)) is not None:
                    self._udp.sendto(reply, peer)
            except OSError:                                              # closed
                return

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                while len(head := stream.read(2)) == 2:
                    reply = self._reply(stream.read(*struct.unpack(">H", head)), True)
                    if reply == b"":
                        return
                    if reply is not None:
                        connection.sendall(struct.pack(">H", min(len(reply), 65535)) + reply[:65535])
            except OSError:
                pass

    def _reply(self, data, tcp):
        self.asked += 1
        return self.answer(Question(data, tcp))

    def close(self):
        for sock in (self._udp, self._tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
