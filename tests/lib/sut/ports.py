"""Free ports on loopback."""
import random
import socket

# Below the kernel's range for outgoing connections, so that no client's own port takes one of them
# between the choice and the start of the program.
RANGE = range(15000, 32000)
_given = set()


def is_free(port, host="127.0.0.1"):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count):
    """`count` ports, never the same twice in this process."""
    found = []
    while len(found) < count:
        port = random.choice(RANGE)
        if port not in _given and is_free(port):
            _given.add(port)
            found.append(port)
    return found
