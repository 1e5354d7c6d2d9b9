"""homeport share --lan: a folder or a local server for the own network, without a gateway."""
import contextlib
import fcntl
import http.client
import http.server
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import threading
import time

import pytest

from harness import Agent, connect, exchange, free_port, read_all, visit, wait_until


@pytest.fixture
def lone(run):
    """homeport without a gateway."""
    return Agent(run)


def lan(lone, what, *args, port=None):
    """A running `share --lan`; returns the process and its port."""
    port = port or free_port()
    process = lone.share(what, "--lan", "--port", port, *args, ready=rf"localhost:{port}")
    return process, port


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{self.path} for {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server6(http.server.HTTPServer):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def local_server(port, address="127.0.0.1", handler=Page):
    kind = Server6 if ":" in address else http.server.HTTPServer
    server = kind((address, port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


# ---- a folder

def test_a_folder(lone, site):
    share, port = lan(lone, site)
    answer = visit(port, f"localhost:{port}")
    assert answer.status == 200
    assert answer.body == (site / "index.html").read_bytes()
    share.wait_line(r"^\d\d:\d\d:\d\d  127\.0\.0\.1  GET /  200  .*B  .* m?s$")
    assert visit(port, "whatever", "/no-such-page").status == 404
    share.wait_line(r"GET /no-such-page  404")
    share.stop()


def test_both_families(lone, site):
    share, port = lan(lone, site)
    assert visit(port, f"localhost:{port}", address="::1").status == 200
    share.wait_line(r"  ::1  GET /  200")
    share.stop()


def test_addresses_are_told(lone, site):
    share, port = lan(lone, site)
    urls = re.findall(r"^http://\S+$", share.text("out"), re.M)
    assert urls[-1] == f"http://localhost:{port}/"
    for url in urls[:-1]:
        host = re.match(r"http://(.*):\d+/$", url)[1].strip("[]")
        assert visit(port, f"localhost:{port}", address=host).status == 200
    assert "█" not in share.text("out") and "▄" not in share.text("out")  # no QR code in a pipe
    share.stop()


def test_json(lone, site):
    share, port = lan(lone, site, "--json")
    visit(port, f"localhost:{port}", "/a%20b?x=%22")
    share.wait_line('"event":"request"')
    events = [json.loads(line) for line in share.text("out").splitlines()]
    assert {"event": "url", "service": "lan", "url": f"http://localhost:{port}/"} in events
    request = next(e for e in events if e["event"] == "request")
    assert (request["method"], request["target"], request["status"]) == ("GET", "/a%20b?x=%22", 404)
    assert request["visitor"] == "127.0.0.1"
    assert request["host"] == "localhost"
    assert request["duration_ms"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", request["time"])
    share.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_closes_it(lone, site, number):
    share, port = lan(lone, site)
    with connect(port) as idle:
        share.stop(number)
        assert read_all(idle) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(port)


def test_ready_soon(lone, site):
    port = free_port()
    start = time.monotonic()
    lone.share(site, "--lan", "--port", port, ready=None)

    def served():
        with contextlib.suppress(OSError):
            return visit(port, f"localhost:{port}").status == 200

    wait_until(served, "the first page")
    took = time.monotonic() - start
    print(f"from start to the first page: {took * 1000:.0f} ms")
    assert took < 3  # 0.3 s without sanitizers and on a quiet machine


def test_a_folder_that_goes_and_comes_back(lone):
    folder = lone.home.path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("one")
    share, port = lan(lone, folder)
    assert visit(port, "x").text == "one"
    moved = folder.rename(lone.home.path / "elsewhere")
    visit(port, "x", "/other")
    share.wait_line(r"visitors get an error page until that changes")
    moved.rename(folder)
    share.wait_line(r"is there now")
    assert visit(port, "x").text == "one"
    share.stop()


# ---- strangers

def test_names_it_is_asked_for_by(lone, site):
    share, port = lan(lone, site, "--name", "photos.example")
    me = socket.gethostname()
    for host in ("127.0.0.1", f"192.168.1.7:{port}", f"[::1]:{port}", "localhost", "nas", me,
                 me.split(".")[0] + ".local", "photos.example"):
        assert visit(port, host).status == 200, host
    for host in ("rebinding.example", "localhost.example", "127.0.0.1.example", "other.local"):
        assert visit(port, host).status == 421, host
    share.stop()


def test_one_neighbour_does_not_take_all_places(lone, site):
    share, port = lan(lone, site)
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(connect(port, source="127.0.0.9")) for _ in range(256)]
        with connect(port, source="127.0.0.9") as late:
            assert read_all(late) == b""
        assert visit(port, "localhost", source="127.0.0.8").status == 200
        for s in many[:10]:
            s.close()
        wait_until(lambda: answers(port, "127.0.0.9"), "places are free again")
    share.stop()


def answers(port, source):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return visit(port, "localhost", source=source).status == 200


# ---- a local server

def test_a_local_server(lone):
    port = free_port()
    with local_server(port):
        share, public = lan(lone, port)
        assert visit(public, "laptop:8080", "/x").text == "/x for laptop:8080"
        share.wait_line(r"GET /x  200")
        share.stop()


def test_host_local(lone):
    port = free_port()
    with local_server(port):
        share, public = lan(lone, f"127.0.0.1:{port}", "--host", "local")
        assert visit(public, "laptop:8080", "/x").text == f"/x for 127.0.0.1:{port}"
        share.stop()


def test_nothing_listens_yet(lone):
    port = free_port()
    share, public = lan(lone, port)
    share.wait_line(rf"nothing listens on 127\.0\.0\.1:{port} yet; visitors get an error page")
    assert visit(public, "x").status in (502, 503)
    share.wait_line(r"GET /  50[23]")
    with local_server(port):
        share.wait_line(r"answers now")
        assert visit(public, "x").status == 200
    visit(public, "x")  # notices that it is gone
    share.wait_line(rf"nothing listens on 127\.0\.0\.1:{port} any more")
    share.stop()


def test_localhost_on_ipv6_only(lone):
    port = free_port("::1")
    with local_server(port, "::1"):
        share, public = lan(lone, f"localhost:{port}")

        def served():
            return visit(public, "x").status == 200

        wait_until(served, "the server on ::1")
        share.stop()


def test_a_server_on_a_unix_socket(lone):
    class UnixServer(socketserver.UnixStreamServer):
        def get_request(self):
            request, _ = super().get_request()
            return request, ("unix", 0)

    path = lone.home.path / "app.sock"
    with UnixServer(str(path), Page) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        share, public = lan(lone, f"http://unix:{path}")
        assert visit(public, "laptop", "/x").text == "/x for laptop"
        share.stop()
        server.shutdown()


def test_a_tcp_server(lone):
    class Echo(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(65536):
                self.request.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        share, public = lan(lone, f"tcp://127.0.0.1:{server.server_address[1]}")
        assert exchange(public, b"\x00\xffhello", half_close=True) == b"\x00\xffhello"
        share.wait_line(r"  127\.0\.0\.1  connection  7 B in, 7 B out")
        share.stop()
        server.shutdown()


# ---- trouble

@pytest.mark.parametrize("what", ["192.0.2.77:80", "tcp://192.0.2.77:22", "nas.invalid:80"])
def test_a_server_that_does_not_answer_holds_nobody_up(lone, what):
    share, port = lan(lone, what)
    with connect(port):
        start = time.monotonic()
        share.stop()
        assert time.monotonic() - start < 4


def test_a_port_in_use(lone, site):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = lone.command("share", site, "--lan", "--port", port, expect=1)
        assert str(port) in done.stderr
        assert "--port" in done.stderr


def test_the_default_port_gives_way(lone, site):
    shares = [lone.share(site, "--lan", ready=r"http://localhost:\d+/") for _ in range(2)]
    ports = [re.search(r"http://localhost:(\d+)/", share.text("out"))[1] for share in shares]
    assert ports[0] != ports[1]
    for port in ports:
        assert visit(int(port), "x").status == 200
    for share in shares:
        share.stop()


def test_a_service_that_trusts_this_machine(lone):
    share, _ = lan(lone, "tcp://localhost:6379")
    share.wait_line(r"^warning: Redis \(port 6379\) usually trusts")
    share.stop()


def test_garbage_is_survived(lone, site):
    share, port = lan(lone, site)
    for garbage in (b"\x16\x03\x01\x02\x00", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 70000):
        exchange(port, garbage, half_close=True)
    assert visit(port, "x").status == 200
    share.stop()


# ---- nobody reads what it tells

def unread(lone, *args):
    """A share whose stdout is a small pipe that nobody reads; and the pipe."""
    there, here = os.pipe()
    fcntl.fcntl(here, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen([str(a) for a in lone.argv("share", *args)], env=lone.home.env,
                               stdin=subprocess.DEVNULL, stdout=here, stderr=subprocess.PIPE)
    os.close(here)
    return process, open(there, "rb")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_output_that_nobody_reads(lone, site, number):
    port = free_port()
    share, pipe = unread(lone, site, "--lan", "--port", port, "--json")
    with contextlib.closing(share.stderr), pipe:
        def visits(n):
            browser = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            with contextlib.closing(browser):
                for _ in range(n):
                    browser.request("GET", "/" + "x" * 240)
                    browser.getresponse().read()

        def answers():
            with contextlib.suppress(OSError):
                visits(1)
                return True

        wait_until(answers, "the share answers")
        visits(1000)
        share.send_signal(number)
        first = pipe.readline()  # so that there is room again
        lines = [first, *pipe.read().splitlines()]
        assert share.wait(10) == 0, share.stderr.read()
    assert len(lines) < 1000
    assert all(json.loads(line) for line in lines)


def test_lines_left_out_are_counted(lone, site):
    port = free_port()
    share, pipe = unread(lone, site, "--lan", "--port", port, "--json")
    with contextlib.closing(share.stderr), pipe:
        def answers():
            with contextlib.suppress(OSError):
                return visit(port, "x", "/0").status == 404

        wait_until(answers, "the share answers")
        browser = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(browser):
            for n in range(1000):
                browser.request("GET", f"/{n}" + "x" * 240)
                browser.getresponse().read()
        told = 0
        for line in pipe:
            event = json.loads(line)
            told += event["event"] == "request"
            if event["event"] == "left-out":
                assert told + event["lines"] == 1001
                break
        share.send_signal(signal.SIGTERM)
        assert share.wait(10) == 0, share.stderr.read()
