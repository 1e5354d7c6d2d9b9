"""PROXY protocol, version 2: to local servers at home, and from load balancers in front of a gateway."""
import contextlib
import re
import shutil
import signal
import socket
import ssl
import struct
import threading

import pytest

from harness import Agent, Gateway, connect, exchange, free_port, read_all, visit, wait_until
from peers import HELLO, tcp_server, up

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


# ---- at the gateway

def trusting(run, *networks):
    """A gateway that trusts these, with one raw port."""
    gateway = Gateway(run, extra=f"ports = {free_port()}\ntrust-proxy = {' '.join(networks)}\n")
    gateway.start()
    return gateway


@pytest.fixture
def server():
    """A local HTTP server that answers with X-Forwarded-For."""
    def serve(s):
        while head := s.recv(65536):
            seen = re.search(rb"X-Forwarded-For: ([^\r]*)", head, re.I)[1]
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(seen), seen))

    with tcp_server(serve) as port:
        yield port


GET = f"GET / HTTP/1.1\r\nHost: {HELLO}\r\nConnection: close\r\n\r\n".encode()


def test_a_load_balancer_names_the_visitor(run, server):
    gateway = trusting(run, "127.0.0.9", "127.0.1.0/24")
    agent = Agent(run)
    agent.join(gateway.invite("laptop", HELLO))
    process = up(agent, f"[service web]\nto = {server}\nname = {HELLO}\n")
    checksummed = bytes.fromhex("0d0a0d0a000d0a515549540a21110026c6336407c0000201c82201bb"
                                "020010626c6f672e6578616d706c652e6f7267030004018207a5")
    for header, source, seen in [
            (proxy_header(("198.51.100.7", 51234)), "127.0.0.9", b"198.51.100.7"),
            (proxy_header(("2001:db8::7", 51234)), "127.0.1.250", b"2001:db8::7"),
            (proxy_header(("198.51.100.7", 1), tlvs=b"\x01\0\x02h2\x04\0\0"), "127.0.0.9", b"198.51.100.7"),
            (checksummed, "127.0.0.9", b"198.51.100.7"),
            (SIGNATURE + b"\x20\0\0\0", "127.0.0.9", b"127.0.0.9")]:
        answer = exchange(gateway.http, header + GET, source=source)
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\n" + seen), answer
    # Without a header, with one of version 1, with a wrong checksum: nothing at all.
    for data in (GET, b"PROXY TCP4 198.51.100.7 192.0.2.1 1 2\r\n" + GET, checksummed[:-1] + b"!" + GET):
        assert exchange(gateway.http, data, source="127.0.0.9") == b""
    # A stranger's header names nobody.
    assert exchange(gateway.http, proxy_header(("198.51.100.7", 1)) + GET).startswith(b"HTTP/1.1 400")
    assert visit(gateway.http, HELLO, source="127.0.0.8").text == "127.0.0.8"
    assert '"refused_proxy": 3' in gateway.command("status", "--json").stdout
    process.stop()


def test_the_agent_behind_a_load_balancer(run, server):
    """The link, too: what the gateway observes is what the header says."""
    gateway = trusting(run, "127.0.0.1")
    with tcp_server(lambda s: to_gateway(s, gateway.https)) as balancer:
        code = gateway.invite("laptop", HELLO).replace(f":{gateway.https}/", f":{balancer}/")
        agent = Agent(run)
        agent.join(code)
        process = up(agent, f"[service web]\nto = {server}\nname = {HELLO}\n")
        assert visit_via(gateway.http) == b"203.0.113.5"
        assert '"observed": "203.0.113.5:4711"' in agent.command("status", "--json").stdout
        process.stop()


def visit_via(port):
    return exchange(port, proxy_header(("203.0.113.5", 80)) + GET).split(b"\r\n\r\n")[1]


def to_gateway(s, port):
    """A load balancer's work, in Python."""
    with connect(port) as t:
        t.sendall(proxy_header(("203.0.113.5", 4711)))
        threading.Thread(target=copy, args=(s, t), daemon=True).start()
        copy(t, s)


def copy(a, b):
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)


@needs("haproxy")
def test_haproxy_in_front(run, server):
    """Visitors of both web ports and of a raw port, and HAProxy's own health checks."""
    gateway = trusting(run, "127.0.0.99")
    agent = Agent(run)
    agent.join(gateway.invite("laptop", HELLO))

    def hello(s):
        s.sendall(b"raw")

    with tcp_server(hello) as raw:
        process = up(agent, f"[service web]\nto = {server}\nname = {HELLO}\n"
                     f"[service raw]\nto = tcp://127.0.0.1:{raw}\n")
        public = int(process.wait_line(r"tcp://localhost:(\d+)")[1])
        ports = {target: free_port() for target in (gateway.http, gateway.https, public)}
        config = run.home().path / "haproxy.cfg"
        config.write_text("defaults\n\tmode tcp\n\ttimeout connect 5s\n\ttimeout client 20s\n"
                          "\ttimeout server 20s\n" + "".join(
                              f"listen port{port}\n\tbind 127.0.0.1:{port}\n"
                              f"\tserver gateway 127.0.0.1:{target} source 127.0.0.99 send-proxy-v2 check "
                              f"check-send-proxy inter 200ms{options}\n"
                              for (target, port), options in
                              zip(ports.items(), ("", " proxy-v2-options crc32c,unique-id", ""))))
        haproxy = run.start(shutil.which("haproxy", path="/usr/sbin:/usr/bin"), "-db", "-f", config)
        wait_until(lambda: all(listens(port) for port in ports.values()), "HAProxy listens")
        for source in "127.0.0.1", "127.0.0.44":
            assert visit(ports[gateway.http], HELLO, source=source).text == source
            with connect(ports[public], source=source) as s:
                assert read_all(s) == b"raw"
        # TLS: a name that nobody has gets its alert through both.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"), connect(ports[gateway.https]) as s:
            context.wrap_socket(s, server_hostname="nobody.example")
        assert '"refused_proxy": 0' in gateway.command("status", "--json").stdout
        haproxy.stop(signal.SIGUSR1)
        process.stop()
