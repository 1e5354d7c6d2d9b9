"""PROXY protocol, version 2: to local servers at home, and from load balancers in front of a gateway."""
import contextlib
import re
import shutil
import socket
import struct

import pytest

from harness import Agent, Gateway, connect, exchange, free_port, read_all, visit, wait_until
from peers import HELLO, receive, reset, tcp_server, up

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def proxy_header(source, command=1, tlvs=b""):
    """A header as a load balancer sends it; source: (address, port)."""
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    body = socket.inet_pton(family, source[0]) + socket.inet_pton(family, "::1" if family == socket.AF_INET6 else
                                                                  "192.0.2.1")
    body += struct.pack(">HH", source[1], 443) + tlvs
    return SIGNATURE + bytes([0x20 | command, 0x21 if family == socket.AF_INET6 else 0x11]) + \
        struct.pack(">H", len(body)) + body


def needs(program):
    return pytest.mark.skipif(shutil.which(program, path="/usr/sbin:/usr/bin:/bin") is None,
                              reason=f"{program} is not installed")


# ---- at home

@contextlib.contextmanager
def nginx(run):
    """A local server that wants PROXY headers, and answers with what they say."""
    home, port = run.home(), free_port()
    (home.path / "nginx.conf").write_text(f"""\
daemon off; worker_processes 1; pid {home.path}/pid; error_log stderr info;
events {{ worker_connections 64; }}
http {{
	access_log off; client_body_temp_path {home.path}/1; proxy_temp_path {home.path}/2;
	fastcgi_temp_path {home.path}/3; uwsgi_temp_path {home.path}/4; scgi_temp_path {home.path}/5;
	server {{
		listen 127.0.0.1:{port} proxy_protocol;
		location / {{ return 200 "$proxy_protocol_addr"; }}
	}}
}}
""")
    process = run.start(shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", home.path / "nginx.conf",
                        "-e", "stderr")
    wait_until(lambda: b"9.8.7.6" in exchange(
        port, b"PROXY TCP4 9.8.7.6 1.2.3.4 5 6\r\nGET / HTTP/1.0\r\n\r\n") if process.running and listens(port) else False,
        "nginx answers")
    yield port, process
    process.stop()


def listens(port):
    with contextlib.suppress(OSError):
        connect(port).close()
        return True


@needs("nginx")
def test_nginx_learns_who_the_visitor_is(run, gateway, agent):
    with nginx(run) as (port, server):
        share = agent.share(f"tcp://127.0.0.1:{port}", "--proxy-protocol", ready="tcp://localhost")
        public = int(share.wait_line(r"tcp://localhost:(\d+)")[1])
        for source in "127.0.0.1", "127.0.0.9":
            assert visit(public, "any", source=source).text == source
        share.stop()
        process = up(agent, f"[service web]\nto = tcp://127.0.0.1:{port}\nproxy-protocol = yes\n")
        public = int(process.wait_line(r"tcp://localhost:(\d+)")[1])
        assert visit(public, "any", source="127.0.0.7").text == "127.0.0.7"
        # What a visitor says himself comes behind, where it is garbage.
        answer = exchange(public, proxy_header(("6.6.6.6", 1)) + b"GET / HTTP/1.0\r\n\r\n")
        assert b"6.6.6.6" not in answer and b" 400 " in answer.split(b"\n")[0]
        assert "broken header" not in server.text()  # the looks of homeport itself had one, too
        process.stop()


@needs("nginx")
def test_nginx_with_lan_and_loan(run, gateway, agent):
    """Whoever serves the visitor writes the header, and once."""
    with nginx(run) as (port, _):
        share = Agent(run).share(f"tcp://127.0.0.1:{port}", "--proxy-protocol", "--lan", ready="tcp://")
        public = int(share.wait_line(r"tcp://localhost:(\d+)")[1])
        assert visit(public, "any", source="127.0.0.9").text == "127.0.0.9"
        share.stop()
        process = agent.up("", ready="connected to the gateway")
        share = agent.share(f"tcp://127.0.0.1:{port}", "--proxy-protocol", ready="tcp://localhost")
        public = int(share.wait_line(r"tcp://localhost:(\d+)")[1])
        assert visit(public, "any", source="127.0.0.9").text == "127.0.0.9"
        share.stop()
        process.stop()


def test_not_for_http(run):
    done = Agent(run).command("share", "8000", "--proxy-protocol", expect=2)
    assert "--proxy-protocol is for tcp:// and https:// servers" in done.stderr
