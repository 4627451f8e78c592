"""Proxies in the middle: nginx and haproxy, once before the agent and once before the gateway."""
import os

import pytest

import signals
import support
import test_clients
import test_signals
from sut.ports import free_ports

# A connection ends after a few requests: the other side must find a new one without a loss.
NGINX = """\
{user}
worker_processes 1;
daemon off;
pid @dir@/pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path @dir@/body;
    proxy_temp_path @dir@/proxy;
    fastcgi_temp_path @dir@/fastcgi;
    uwsgi_temp_path @dir@/uwsgi;
    scgi_temp_path @dir@/scgi;
    client_max_body_size 64m;
    keepalive_requests 5;
    upstream http_side {{ server {http}; keepalive 4; }}
    upstream grpc_side {{ server {grpc}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{http_port};
        location / {{
            proxy_pass http://http_side;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
    server {{
        listen 127.0.0.1:{grpc_port} http2;
        location / {{ grpc_pass grpc://grpc_side; }}
    }}
}}
"""

HAPROXY = """\
global
    maxconn 256
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend http
    bind 127.0.0.1:{http_port}
    default_backend http
frontend grpc
    bind 127.0.0.1:{grpc_port} proto h2
    default_backend grpc
backend http
    server one {http}
backend grpc
    server one {grpc} proto h2
"""


def nginx(grpc, http, grpc_port, http_port):
    text = NGINX.format(user="user root;" if os.geteuid() == 0 else "", grpc=grpc, http=http, grpc_port=grpc_port,
                        http_port=http_port)
    return support.Daemon("nginx", {"nginx.conf": text}, ["-p", "@dir@", "-e", "stderr", "-c", "@dir@/nginx.conf"],
                          [grpc_port, http_port])


def haproxy(grpc, http, grpc_port, http_port):
    text = HAPROXY.format(grpc=grpc, http=http, grpc_port=grpc_port, http_port=http_port)
    return support.Daemon("haproxy", {"haproxy.cfg": text}, ["-db", "-f", "@dir@/haproxy.cfg"], [grpc_port, http_port])


def before(stage, kind, part):
    """The addresses of a proxy before `part`."""
    grpc_port, http_port = free_ports(2)
    stage.backend(kind, part.grpc, part.http or part.grpc, grpc_port, http_port)
    return support.Gateway(None, f"127.0.0.1:{grpc_port}", f"127.0.0.1:{http_port}")


@pytest.fixture(scope="module", params=[nginx, haproxy], ids=lambda kind: kind.__name__)
def path(request, binary):
    """SDK, proxy, agent, proxy, gateway, backends."""
    with support.Stage(binary) as stage:
        agent, _, backends = signals.behind_gateway(
            stage, before_agent=lambda gateway: before(stage, request.param, gateway))
        yield before(stage, request.param, agent), backends[0]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("signal", ["metrics", "logs"])
def test_metrics_and_logs_pass_proxies(path, signal, protocol):
    front, backend = path
    backend.take()
    sent = [item for request in test_signals.send_with_python(signal, protocol, "gzip", front)
            for item in signals.items(signal, request)]
    assert signals.wait_items(backend, signal, len(sent))
    backend.wait_quiet(0.3)
    wanted = signals.with_resource(sent, signals.OF_THE_AGENT)
    assert signals.ordered(signals.arrived(backend, signal)) == signals.ordered(wanted)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("sdk", ["python", "js"])
def test_spans_pass_proxies(path, sdk, protocol):
    front, backend = path
    backend.take()
    sent = test_clients.SENDERS[sdk](protocol, "gzip", front)
    assert backend.wait_spans(len(sent))
    backend.wait_quiet(0.3)
    test_clients.check(sent, test_clients.arrivals(backend), f"{sdk}-shop")
