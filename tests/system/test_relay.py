"""What visitors get through gateway and link, byte for byte."""
import contextlib
import os
import socket
import threading
import urllib.parse

import pytest

from harness import Agent, Gateway, connect, exchange, free_port, read_all, visit, wait_until
from peers import (HELLO, Visitor, echo, http_server, read_chunk, read_head, receive, request, reset,
                   response, self_signed, sha256, tcp_server, up)

MB10 = os.urandom(10 << 20)


def shared(agent, port, *args):
    """`homeport share` of a local HTTP server as hello.localhost."""
    return agent.share(port, "--name", HELLO, *args)


# ---- a folder

@pytest.fixture
def folder(agent):
    """A folder with what a folder must not give away."""
    home = agent.home.path / "home"
    folder = home / "site"
    (folder / "sub").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / ".git").mkdir()
    for name, text in {"index.html": "<h1>front</h1>", "sub/index.html": "<h1>sub</h1>",
                       "ten": "0123456789", "Grüße aus Köln.txt": "Grüße", "100% & mehr?.txt": "mehr",
                       "a+b.txt": "plus", ".htpasswd": "SECRET", ".git/config": "SECRET",
                       "../outside": "SECRET"}.items():
        (folder / name).write_text(text)
    (folder / "inside-link").symlink_to("ten")
    (folder / "outside-link").symlink_to("../outside")
    (folder / "absolute-link").symlink_to(home / "outside")
    (folder / "up-link").symlink_to("..")
    return folder


def test_names_of_a_folder(gateway, agent, folder):
    share = agent.share(folder, "--name", HELLO)
    with Visitor(gateway.http) as visitor:
        for path, status, body in [
                ("/", 200, "<h1>front</h1>"),
                ("/sub/", 200, "<h1>sub</h1>"),
                ("/sub", 301, None),
                ("/ten?query=1", 200, "0123456789"),
                ("/inside-link", 200, "0123456789"),
                (urllib.parse.quote("/Grüße aus Köln.txt"), 200, "Grüße"),
                (urllib.parse.quote("/100% & mehr?.txt"), 200, "mehr"),
                ("/a+b.txt", 200, "plus"),
                ("/%74en", 200, "0123456789"),
                ("/no-such-page", 404, None),
                ("/ten/", 404, None)]:
            answer = visitor.get(path)
            assert answer.status == status, path
            assert body is None or answer.body.decode() == body, path
        listing = visitor.get("/empty/")
        assert listing.status == 200 and "text/html" in listing.get("Content-Type")
    share.stop()


def test_what_a_folder_hides(gateway, agent, folder):
    (folder / "index.html").unlink()
    share = agent.share(folder, "--name", HELLO)
    with Visitor(gateway.http) as visitor:
        listing = visitor.get("/").body.decode()
        assert "inside-link" in listing and urllib.parse.quote("Grüße") in listing
        for name in ".htpasswd", ".git", "outside", "absolute-link", "up-link":
            assert name not in listing
    for path in [
            "/.htpasswd", "/%2ehtpasswd", "/.git/config", "/.git/",
            "/outside-link", "/absolute-link", "/up-link/", "/up-link/outside", "/up-link/site/ten",
            "/../outside", "/sub/../../outside", "/sub/../ten", "/%2e%2e/outside", "/..%2foutside",
            "/sub/%2e%2e/%2e%2e/outside", "/..%5coutside", "/....//outside", "//../outside",
            "/%c0%ae%c0%ae/outside", "/" + "a/" * 3000 + "../" * 3001 + "outside",
            "/%00", "/ten%00.txt", "/%", "/%zz"]:
        answer = exchange(gateway.http, request(path, HELLO, "GET", "Connection: close"))
        assert b"SECRET" not in answer and answer.split()[1] in (b"400", b"403", b"404"), path
    share.stop()


def test_parts_and_conditions(gateway, agent, folder):
    share = agent.share(folder, "--name", HELLO)
    with Visitor(gateway.http) as visitor:
        whole = visitor.get("/ten")
        etag, modified = whole.get("ETag"), whole.get("Last-Modified")
        assert whole.get("Content-Length") == "10"
        for fields, status, body in [
                (["Range: bytes=2-5"], 206, b"2345"),
                (["Range: bytes=-3"], 206, b"789"),
                (["Range: bytes=7-"], 206, b"789"),
                (["Range: bytes=10-"], 416, None),
                (["Range: bytes=2-5", f"If-Range: {etag}"], 206, b"2345"),
                (["Range: bytes=2-5", 'If-Range: "other"'], 200, b"0123456789"),
                ([f"If-None-Match: {etag}"], 304, b""),
                (['If-None-Match: "other"'], 200, b"0123456789"),
                ([f"If-Modified-Since: {modified}"], 304, b""),
                (["If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"], 200, b"0123456789"),
                (['If-Match: "other"'], 412, None)]:
            answer = visitor.get("/ten", *fields)
            assert answer.status == status, fields
            assert body is None or answer.body == body, fields
        assert visitor.get("/ten", "Range: bytes=2-5").get("Content-Range") == "bytes 2-5/10"
        visitor.ask("/ten", "HEAD")
        head = visitor.answer("HEAD")
        assert (head.status, head.get("Content-Length"), head.get("ETag")) == (200, "10", etag)
        assert visitor.get("/ten").body == b"0123456789"  # nothing followed the HEAD
        visitor.ask("/ten", "DELETE")
        assert visitor.answer().status == 405
    share.stop()


def test_64_mib_beside_a_slow_visitor(gateway, agent, folder):
    """Who does not read holds up nobody, and misses nothing."""
    data = os.urandom(64 << 20)
    (folder / "big").write_bytes(data)
    share = agent.share(folder, "--name", HELLO)
    with Visitor(gateway.http, rcvbuf=4096) as slow, Visitor(gateway.http) as fast:
        slow.ask("/big")
        head = slow.head()
        slow.file.read(1000)
        assert sha256(fast.get("/big").body) == sha256(data)
        assert fast.get("/ten").body == b"0123456789"
        assert slow.file.read(int(head.get("Content-Length")) - 1000) == data[1000:]
    share.stop()


# ---- a local HTTP server

@pytest.fixture
def seen():
    return []


@pytest.fixture
def server(seen):
    """Remembers requests and answers with their path."""
    def answer(got):
        seen.append(got)
        return response(200, got.target.encode(), 'Alt-Svc: h3=":443"', "X-Kept: yes")

    with http_server(answer) as port:
        yield port


SPOOFED = ["X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 6.6.6.6", "X_Forwarded_For: 6.6.6.6",
           "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.org", "X-Forwarded-Server: evil.org",
           "X-Forwarded-Port: 1", "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "X_REAL_IP: 6.6.6.6",
           "Connection: X-Forwarded-For, X-Mine", "X-Mine: of the connection", "X-Kept: yes"]


def test_who_the_visitor_is(gateway, agent, server, seen):
    """On every request of a connection, and what he says of himself does not count."""
    share = shared(agent, server)
    with Visitor(gateway.http, f"{HELLO}:{gateway.http}", source="127.0.0.9") as visitor:
        for path in "/1", "/2", "/3":
            answer = visitor.get(path, *SPOOFED)
            assert answer.status == 200 and answer.body.decode() == path
            assert answer.get("X-Kept") == "yes" and answer.get("Alt-Svc") is None
    assert [got.target for got in seen] == ["/1", "/2", "/3"]
    for got in seen:
        assert got.get("X-Forwarded-For") == "127.0.0.9"
        assert got.get("X-Forwarded-Proto") == "http"
        assert got.get("X-Forwarded-Host") == got.get("Host") == f"{HELLO}:{gateway.http}"
        assert got.get("X-Kept") == "yes"
        names = [name.lower().replace("_", "-") for name, _ in got.fields]
        assert "6.6.6.6" not in str(got) and "evil" not in str(got)
        assert not {"forwarded", "x-real-ip", "x-forwarded-port", "x-mine"} & set(names)
    share.stop()


def test_host_of_every_request(gateway, agent, server, seen):
    process = up(agent, f"[service web]\nto = {server}\nname = {HELLO}\n"
                 f"[service other]\nto = {server}\n")
    assert visit(gateway.http, "other.laptop.localhost", "/other").status == 200
    for host in "other.laptop.localhost", "evil.example", "":
        with Visitor(gateway.http) as visitor:
            assert visitor.get("/mine").status == 200
            visitor.send(request("/not-mine", host))
            assert visitor.answer().status in ((421,) if host else (400, 421))
            assert visitor.ended()
    assert "/not-mine" not in [got.target for got in seen]
    process.stop()


def test_host_that_the_server_sees(gateway, agent, server, seen):
    process = up(agent, f"[service a]\nto = {server}\nhost = local\n"
                 f"[service b]\nto = {server}\nhost = app.internal\n[service c]\nto = {server}\n")
    for service in "abc":
        assert visit(gateway.http, f"{service}.laptop.localhost").status == 200
    names = [f"{service}.laptop.localhost" for service in "abc"]
    assert [got.get("Host") for got in seen] == [f"127.0.0.1:{server}", "app.internal", names[2]]
    assert [got.get("X-Forwarded-Host") for got in seen] == names
    process.stop()


def test_pipelining(gateway, agent, server, seen):
    share = shared(agent, server)
    paths = [f"/{i}" for i in range(20)]
    with Visitor(gateway.http) as visitor:
        visitor.send(b"".join(request(path, HELLO, "POST", body=b"x" * 10) for path in paths))
        assert [visitor.answer().body.decode() for _ in paths] == paths
    assert [(got.target, got.body) for got in seen] == [(path, b"x" * 10) for path in paths]
    share.stop()


def test_chunked_both_ways(gateway, agent):
    """And each piece as soon as it is there."""
    got = []

    def serve(s):
        with s.makefile("rb") as file:
            head = read_head(file)
            assert head.get("Transfer-Encoding") == "chunked" and head.get("Content-Length") is None
            s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while chunk := read_chunk(file):
                got.append(chunk)
                s.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            s.sendall(b"0\r\n\r\n")

    with tcp_server(serve) as port:
        share = shared(agent, port)
        with Visitor(gateway.http) as visitor:
            visitor.ask("/", "POST", "Transfer-Encoding: chunked")
            answer = visitor.head()
            assert answer.get("Transfer-Encoding") == "chunked" and answer.get("Content-Length") is None
            for chunk in b"first", b"second", MB10[:100000]:
                visitor.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                back = b""
                while len(back) < len(chunk):  # before the next one is sent
                    back += read_chunk(visitor.file)
                assert back == chunk
            visitor.send(b"0\r\n\r\n")
            assert read_chunk(visitor.file) == b""
        assert b"".join(got) == b"firstsecond" + MB10[:100000]
        share.stop()


def test_expect_100(gateway, agent):
    """The body waits for the server's word, whichever it is."""
    def serve(s):
        with s.makefile("rb") as file:
            while head := read_head(file):
                assert head.get("Expect") == "100-continue"
                if head.target == "/no":
                    s.sendall(response(413, b"too much", "Connection: close"))
                    return
                s.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                s.sendall(response(200, file.read(int(head.get("Content-Length")))))

    with tcp_server(serve) as port:
        share = shared(agent, port)
        with Visitor(gateway.http) as visitor:
            visitor.ask("/yes", "POST", "Expect: 100-continue", "Content-Length: 5")
            assert visitor.answer().status == 100
            visitor.send(b"hello")
            assert visitor.answer().body == b"hello"
            visitor.ask("/no", "POST", "Expect: 100-continue", "Content-Length: 5")
            answer = visitor.answer()
            assert (answer.status, answer.body) == (413, b"too much")
        share.stop()


def test_an_answer_without_length(gateway, agent):
    """Old servers end an answer by closing."""
    def serve(s):
        with s.makefile("rb") as file:
            read_head(file)
            s.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + MB10)

    with tcp_server(serve) as port:
        share = shared(agent, port)
        with Visitor(gateway.http) as visitor:
            assert visitor.get("/").body == MB10
            visitor.send(request("/", HELLO).replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert visitor.answer().body == MB10
        share.stop()


def test_a_server_that_breaks_off(gateway, agent):
    """The visitor must see that it is not the whole."""
    def serve(s):
        with s.makefile("rb") as file:
            head = read_head(file)
            if head.target == "/length":
                s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            if head.target == "/chunked":
                s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")

    with tcp_server(serve) as port:
        share = shared(agent, port)
        for path in "/length", "/chunked":
            answer = exchange(gateway.http, request(path))
            assert b"half" in answer and not answer.endswith(b"0\r\n\r\n")
            share.wait_line(rf"GET {path}  200  .*  (cut off|.*127\.0\.0\.1)")
        assert visit(gateway.http, HELLO, "/nothing").status == 502
        share.stop()


WEBSOCKET_SERVER = """
import asyncio, websockets
async def serve(ws):
    headers = ws.request_headers
    await ws.send(headers["X-Forwarded-For"] + " " + headers["Host"] + " " + ws.path)
    async for message in ws:
        await ws.send(message)
async def main():
    async with websockets.serve(serve, "127.0.0.1", 0, max_size=None) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
"""

WEBSOCKET_CLIENT = """
import asyncio, os, sys, websockets
async def main():
    port = int(sys.argv[1])
    async with websockets.connect(f"ws://hello.localhost:{port}/chat?x=1", host="127.0.0.1", port=port,
                                  local_addr=("127.0.0.9", 0), max_size=None) as ws:
        print(await ws.recv(), flush=True)
        for message in "Grüße", b"", os.urandom(1 << 20):
            await ws.send(message)
            assert await ws.recv() == message
        await (await ws.ping())
        async def send():
            for i in range(1000):
                await ws.send(str(i))
        task = asyncio.create_task(send())
        assert [await ws.recv() for _ in range(1000)] == [str(i) for i in range(1000)]
        await task
    print("closed", ws.close_code)
asyncio.run(main())
"""


def test_websocket(run, gateway, agent):
    server = run.start("/usr/bin/python3", "-c", WEBSOCKET_SERVER, env=agent.home.env)
    port = server.wait_line(r"port (\d+)")[1]
    share = shared(agent, port)
    client = run.start("/usr/bin/python3", "-c", WEBSOCKET_CLIENT, gateway.http, env=agent.home.env)
    client.wait_line(f"127.0.0.9 {HELLO}:{gateway.http} /chat")
    client.wait_line("closed 1000")
    assert client.wait() == 0
    share.wait_line(r"127\.0\.0\.9  GET /chat\?x=1  101")
    share.stop()
    server.kill()


def test_200_visitors_at_once(gateway, agent):
    """All of them are within a request at the same moment."""
    together = threading.Barrier(200)

    def answer(got):
        together.wait(60)
        return response(200, got.target.encode())

    with http_server(answer) as port, contextlib.ExitStack() as stack:
        share = shared(agent, port)
        visitors = [stack.enter_context(Visitor(gateway.http, source=f"127.0.1.{1 + i % 20}"))
                    for i in range(200)]
        for i, visitor in enumerate(visitors):
            visitor.socket.settimeout(60)
            visitor.ask(f"/{i}")
        assert [visitor.answer().body.decode() for visitor in visitors] == [f"/{i}" for i in range(200)]
        share.wait_line(r"127\.0\.1\.20  GET /199  200")
        share.stop()


# ---- TLS of the server's own

def test_tls_untouched(gateway, agent, seen):
    """The visitor verifies the local server's certificate: nobody is in between."""
    def answer(got):
        seen.append(got)
        return response(200, got.target.encode())

    certificate, context, trust = self_signed(agent.home.path, HELLO)
    with http_server(answer, context=context) as port:
        share = agent.share(f"https://127.0.0.1:{port}", "--name", HELLO,
                            ready=f"https://{HELLO}:{gateway.https}/")
        with Visitor(gateway.https, tls=trust, source="127.0.0.9") as visitor:
            shown = visitor.socket.getpeercert(binary_form=True)
            assert trust.get_ca_certs(binary_form=True) == [shown]
            for path in "/1", "/2":
                assert visitor.get(path, "X-Forwarded-For: mine").body.decode() == path
        assert [got.get("X-Forwarded-For") for got in seen] == ["mine", "mine"]
        share.wait_line(r"127\.0\.0\.9  connection  ")
        share.stop()


# ---- raw ports

@pytest.fixture
def raw(run):
    """shared(port of a local server) -> its public port, through a gateway with raw ports."""
    public = free_port()
    gateway = Gateway(run, extra=f"ports = {public}\n")
    gateway.start()
    agent = Agent(run)
    agent.join(gateway.invite("laptop"))

    def shared(port):
        agent.share(f"tcp://127.0.0.1:{port}", ready=rf"tcp://localhost:{public}")
        return public

    return shared


def test_half_close_of_the_visitor(raw):
    def serve(s):
        data = b"".join(iter(lambda: s.recv(65536), b""))  # all, to the end
        s.sendall(sha256(data).encode() + MB10)

    with tcp_server(serve) as port:
        answer = exchange(raw(port), MB10, half_close=True)
        assert answer == sha256(MB10).encode() + MB10


def test_half_close_of_the_server(raw):
    got = []

    def serve(s):
        s.sendall(MB10)
        s.shutdown(socket.SHUT_WR)
        got.append(b"".join(iter(lambda: s.recv(65536), b"")))

    with tcp_server(serve) as port:
        with connect(raw(port)) as s:
            assert read_all(s) == MB10
            s.sendall(MB10)
        wait_until(lambda: got, "the server has all")
        assert got[0] == MB10


def test_both_directions_at_once(raw):
    with tcp_server(echo) as port, connect(raw(port)) as s:
        def send():
            s.sendall(MB10)
            s.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert read_all(s) == MB10
        sender.join()


def test_reset_by_the_visitor(raw):
    ends = []

    def serve(s):
        if not s.recv(100):
            return  # homeport looks whether the server is there
        s.sendall(b"hello")
        try:
            ends.append(s.recv(100))
        except ConnectionResetError:
            ends.append("reset")

    with tcp_server(serve) as port:
        public = raw(port)
        for i in range(1, 11):
            s = connect(public)
            s.sendall(b"hi")
            assert receive(s, 5) == b"hello"
            reset(s)
            wait_until(lambda: len(ends) == i, "the server sees the end")
        assert ends == ["reset"] * 10


def test_reset_by_the_server(raw):
    def serve(s):
        s.recv(100)
        reset(s)

    with tcp_server(serve) as port:
        public = raw(port)
        for _ in range(10):
            with connect(public) as s:
                s.sendall(b"hello")
                with pytest.raises(ConnectionResetError):
                    s.recv(100)


# ---- IPv6

def test_both_families(run, seen):
    """Visitors and the link itself, on [::1] as well as on 127.0.0.1."""
    gateway = Gateway(run)
    raw = free_port("::1")
    gateway.config.write_text(
        f"[gateway]\ndomain = localhost\naddress = [::1]:{gateway.https}\n[listen]\n"
        f"https = 127.0.0.1:{gateway.https} [::1]:{gateway.https}\n"
        f"http = 127.0.0.1:{gateway.http} [::1]:{gateway.http}\nports = {raw}\n")
    gateway.start()
    agent = Agent(run)
    agent.join(gateway.invite("laptop", HELLO))

    def answer(got):
        seen.append(got)
        return response(200)

    certificate, context, trust = self_signed(agent.home.path, "tls.laptop.localhost")
    with http_server(answer) as port, http_server(answer, context=context) as tls, \
            tcp_server(echo) as echoes:
        process = up(agent, f"[service web]\nto = {port}\nname = {HELLO}\n"
                     f"[service tls]\nto = https://127.0.0.1:{tls}\n"
                     f"[service raw]\nto = tcp://127.0.0.1:{echoes}\n")
        for address in "127.0.0.1", "::1":
            assert visit(gateway.http, HELLO, address=address).status == 200
            assert seen.pop().get("X-Forwarded-For") == address
            with Visitor(gateway.https, "tls.laptop.localhost", address, tls=trust) as visitor:
                assert visitor.get("/").status == 200
            assert exchange(raw, b"hi", address, half_close=True) == b"hi"
        process.stop()
    assert "online, from [::1]" in gateway.process.text()
