"""Requests that two parsers could understand differently, through the gateway and with --lan, in front
of two local servers which tell what they saw: what is refused reaches neither, nor does what is
smuggled behind it; what is let through is the same for both."""
import collections
import contextlib
import json
import os
import re
import shutil
import types

import pytest

from harness import Agent, connect, free_port, read_all, wait_until
from peers import HELLO, http_server, response

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: @\r\n\r\n"
FIELDS = ["content-length", "transfer-encoding", "x-test"]

# What a local server saw: the fields are those of FIELDS that were there.
Seen = collections.namedtuple("Seen", "method target fields length")


# ---- local servers: each has a port, and entries(): what it saw, {"complete": whether to its end}

NODE = """
const http = require("http");
const tell = (q, length, complete) => console.log(JSON.stringify(
	{method: q.method, target: q.url, fields: q.headers, length, complete}));
const server = http.createServer((q, a) => {
	let length = 0;
	q.on("data", data => { length += data.length; });
	q.on("end", () => { tell(q, length, true); a.end(`${q.method} ${q.url}\\n`); });
	q.on("aborted", () => tell(q, length, false));
	q.on("error", () => {});
});
server.on("clientError", (e, s) => {
	if (String(e.code).startsWith("HPE_"))
		tell({method: "?", url: e.code, headers: {}}, 0, false);
	s.destroy();
});
server.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
"""

NGINX = """
daemon off;
master_process off;
pid {path}/nginx.pid;
error_log stderr crit;
events {{}}
http {{
	{temporary}
	ignore_invalid_headers off;
	underscores_in_headers on;
	client_body_buffer_size 64k;
	log_format seen escape=json '{{"method":"$request_method","target":"$request_uri",'
		'"status":$status,"body":"$request_body","fields":{{{fields}}}}}';
	server {{
		listen 127.0.0.1:{port};
		access_log /dev/stdout seen;
		location / {{ proxy_pass http://127.0.0.1:{inner}; }}
	}}
	server {{
		listen 127.0.0.1:{inner};
		access_log off;
		location / {{ return 200 "$request_method $request_uri\\n"; }}
	}}
}}
"""


def lines_of(process):
    return [json.loads(line) for line in process.text("out").splitlines() if line.startswith("{")]


@contextlib.contextmanager
def nginx(run):
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if not program:
        pytest.skip("nginx is not installed (scripts/install-deps check)")
    home = run.home()
    port, inner = free_port(), free_port()
    temporary = " ".join(f"{what}_temp_path {home.path}/{what};"
                         for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    fields = ",".join(f'"{name}":"$http_{name.replace("-", "_")}"' for name in FIELDS)
    config = home.path / "nginx.conf"
    config.write_text(NGINX.format(path=home.path, port=port, inner=inner, temporary=temporary, fields=fields))
    process = run.start(program, "-p", home.path, "-e", "stderr", "-c", config, env=home.env)

    def listens():
        assert process.running, process.text()
        with contextlib.suppress(OSError):
            connect(port).close()
            return True

    wait_until(listens, "nginx listens")

    def entries():
        for entry in lines_of(process):
            entry["length"] = len(entry["body"].encode())
            entry["complete"] = entry["status"] == 200
            yield entry

    yield types.SimpleNamespace(port=port, entries=entries)


@contextlib.contextmanager
def node(run):
    process = run.start(shutil.which("node"), "-e", NODE, env=run.home().env)
    port = int(process.wait_line(r"port (\d+)")[1])
    yield types.SimpleNamespace(port=port, entries=lambda: lines_of(process))


@contextlib.contextmanager
def python(run):
    """Where there is no node."""
    seen = []

    def answer(got):
        seen.append({"method": got.method, "target": got.target, "length": len(got.body), "complete": True,
                     "fields": {name.lower(): value for name, value in got.fields}})
        return response(200, f"{got.method} {got.target}\n".encode())

    with http_server(answer) as port:
        yield types.SimpleNamespace(port=port, entries=lambda: list(seen))


# ---- the table

def head(*lines, method=b"POST", target=b"/refused", version=b"HTTP/1.1", host=b"Host: @\r\n"):
    return method + b" " + target + b" " + version + b"\r\n" + host + b"".join(
        line + b"\r\n" for line in lines) + b"\r\n"


def chunked(body):
    return head(b"Transfer-Encoding: chunked") + body


TE, CL = b"Transfer-Encoding: chunked", b"Content-Length: 5"
LAST_CHUNK = b"0\r\n\r\n"

REFUSED_HEADS = {
    "length and chunked": head(CL, TE) + LAST_CHUNK,
    "chunked and length": head(TE, CL) + LAST_CHUNK,
    "chunked and no length": head(TE, b"Content-Length: 0") + LAST_CHUNK,
    "two lengths": head(CL, b"Content-Length: 6") + b"hello!",
    "two equal lengths": head(CL, CL) + b"hello",
    "a list of lengths": head(b"Content-Length: 5, 5") + b"hello",
    "a length with a sign": head(b"Content-Length: +5") + b"hello",
    "a negative length": head(b"Content-Length: -5") + b"hello",
    "a hexadecimal length": head(b"Content-Length: 0x5") + b"hello",
    "a length in two words": head(b"Content-Length: 5 0") + b"hello",
    "a length with a fraction": head(b"Content-Length: 5.0") + b"hello",
    "an empty length": head(b"Content-Length:") + b"hello",
    "a huge length": head(b"Content-Length: 18446744073709551621") + b"hello",
    "space before the colon": head(b"Content-Length : 5") + b"hello",
    "tab before the colon": head(b"Transfer-Encoding\t: chunked") + LAST_CHUNK,
    "a folded field": head(b"X-Test: a", b" b"),
    "a folded length": head(b"Content-Length:", b" 5") + b"hello",
    "a folded coding": head(b"Transfer-Encoding:", b"\tchunked") + LAST_CHUNK,
    "a first line that is a continuation": head(b" X-Test: a", host=b""),
    "bare LF throughout": b"POST /refused HTTP/1.1\nHost: @\nContent-Length: 5\n\nhello",
    "a bare LF in a field": head(b"X-Test: a\nContent-Length: 5") + b"hello",
    "a bare LF for the blank line": b"POST /refused HTTP/1.1\r\nHost: @\r\nContent-Length: 0\r\n\n",
    "a bare CR in a field": head(b"X-Test: a\rContent-Length: 5") + b"hello",
    "a bare CR at the end": head(b"X-Test: a\r"),
    "NUL in a value": head(b"X-Test: a\0b"),
    "NUL in a name": head(b"Content-Length\0: 5") + b"hello",
    "no colon": head(b"Content-Length 5") + b"hello",
    "no name": head(b": a"),
    "two hosts": head(b"Host: other.example"),
    "two equal hosts": head(b"Host: @"),
    "no host": head(host=b""),
    "an empty host": head(host=b"Host:\r\n"),
    "a host with a path": head(host=b"Host: @/x\r\n"),
    "another host in the target": head(target=b"http://other.example/refused"),
    "chunked in 1.0": head(TE, version=b"HTTP/1.0") + LAST_CHUNK,
    "two codings": head(b"Transfer-Encoding: gzip, chunked") + LAST_CHUNK,
    "chunked twice": head(b"Transfer-Encoding: chunked, chunked") + LAST_CHUNK,
    "two coding fields": head(TE, TE) + LAST_CHUNK,
    "a coding behind chunked": head(TE, b"Transfer-Encoding: identity") + LAST_CHUNK,
    "identity": head(b"Transfer-Encoding: identity", CL) + b"hello",
    "xchunked": head(b"Transfer-Encoding: xchunked") + LAST_CHUNK,
    "chunked with a parameter": head(b"Transfer-Encoding: chunked;a=b") + LAST_CHUNK,
    "chunked in quotes": head(b'Transfer-Encoding: "chunked"') + LAST_CHUNK,
    "chunked behind a vertical tab": head(b"Transfer-Encoding: \x0bchunked") + LAST_CHUNK,
    "chunked behind a byte": head(b"Transfer-Encoding: \xffchunked") + LAST_CHUNK,
    "an empty coding": head(b"Transfer-Encoding:", CL) + b"hello",
    "an empty line in front": b"\r\n" + head(),
    "two spaces": head(target=b" /refused"),
    "a space behind the version": head(version=b"HTTP/1.1 "),
    "a space in the target": head(target=b"/refused /x"),
    "a tab in the target": head(target=b"/refused\t/x"),
    "a fragment": head(target=b"/refused#x"),
    "no version": b"GET /refused\r\n\r\n",
    "another version": head(version=b"HTTP/1.2"),
    "CONNECT": head(method=b"CONNECT", target=b"@:80"),
    "a bad method": head(method=b"PO(ST"),
    "a long list in Connection": head(b"Connection: " + b"a," * 33 + b"close"),
}

TOO_LARGE_HEADS = {
    "over 32 KiB": head(b"X-Test: " + b"a" * 33000),
    "more than 100 fields": head(*[b"X-%d: a" % i for i in range(101)]),
}

# Their heads are good: a local server may have seen them, but no end of the request.
REFUSED_BODIES = {
    "a size with 0x": chunked(b"0x5\r\nhello\r\n" + LAST_CHUNK),
    "a size with a sign": chunked(b"+5\r\nhello\r\n" + LAST_CHUNK),
    "a negative size": chunked(b"-5\r\nhello\r\n" + LAST_CHUNK),
    "a space behind the size": chunked(b"5 \r\nhello\r\n" + LAST_CHUNK),
    "a space before the size": chunked(b" 5\r\nhello\r\n" + LAST_CHUNK),
    "an empty size": chunked(b"\r\nhello\r\n" + LAST_CHUNK),
    "a size of 64 bits": chunked(b"ffffffffffffffff\r\nhello\r\n" + LAST_CHUNK),
    "a size that wraps to 5": chunked(b"10000000000000005\r\nhello\r\n" + LAST_CHUNK),
    "a size with many zeros": chunked(b"0" * 300 + b"5\r\nhello\r\n" + LAST_CHUNK),
    "a long extension": chunked(b"5;" + b"a" * 300 + b"\r\nhello\r\n" + LAST_CHUNK),
    "a bare LF behind the size": chunked(b"5\nhello\r\n" + LAST_CHUNK),
    "a bare LF in an extension": chunked(b"5;a\nhello\r\n" + LAST_CHUNK),
    "a bare CR in an extension": chunked(b"5;a\rb\r\nhello\r\n" + LAST_CHUNK),
    "a bare LF behind the data": chunked(b"5\r\nhello\n" + LAST_CHUNK),
    "more data than the size": chunked(b"5\r\nhello!\r\n" + LAST_CHUNK),
    "less data than the size": chunked(b"5\r\nhell\r\n" + LAST_CHUNK),
    "a bare LF at the end": chunked(b"0\r\n\n"),
    "a folded trailer": chunked(b"0\r\n X-Test: a\r\n\r\n"),
    "a long trailer": chunked(b"0\r\nX-Test: " + b"a" * 9000 + b"\r\n\r\n"),
}


def seen(method, target, length=0, **fields):
    return Seen(method, target, {name.replace("_", "-"): value for name, value in fields.items()}, length)


ALIKE = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"  # the bytes of a request, as a body

ACCEPTED = {
    "plain": (head(method=b"GET", target=b"/a"), [seen("GET", "/a")]),
    "a body": (head(CL, target=b"/a") + b"hello", [seen("POST", "/a", 5, content_length="5")]),
    "a body of a GET": (head(CL, method=b"GET", target=b"/a") + b"hello",
                        [seen("GET", "/a", 5, content_length="5")]),
    "leading zeros": (head(b"Content-Length: 005", target=b"/a") + b"hello",
                      [seen("POST", "/a", 5, content_length="5")]),
    "chunks": (head(b"Transfer-Encoding:\tChunked ", target=b"/a")
               + b"2;a=b\r\nhe\r\n00003\r\nllo\r\n0;c\r\nContent-Length: 7\r\n\r\n",
               [seen("POST", "/a", 5, transfer_encoding="chunked")]),
    "a request as a body": (head(b"Content-Length: %d" % len(ALIKE), target=b"/a") + ALIKE,
                            [seen("POST", "/a", len(ALIKE), content_length=str(len(ALIKE)))]),
    "a request as a chunk": (head(TE, target=b"/a") + b"%x\r\n%s\r\n" % (len(ALIKE), ALIKE) + LAST_CHUNK,
                             [seen("POST", "/a", len(ALIKE), transfer_encoding="chunked")]),
    "one behind the other": (head(CL, target=b"/a") + b"hello" + head(TE, target=b"/b") + LAST_CHUNK
                             + head(method=b"GET", target=b"/c"),
                             [seen("POST", "/a", 5, content_length="5"),
                              seen("POST", "/b", 0, transfer_encoding="chunked"), seen("GET", "/c")]),
    "the same host in the target": (head(method=b"GET", target=b"http://@/a?b"), [seen("GET", "/a?b")]),
    "the framing named in Connection": (
        head(b"Connection: Content-Length, X-Test", CL, b"X-Test: a", target=b"/a") + b"hello",
        [seen("POST", "/a", 5, content_length="5")]),
    "a field between others": (head(b"X-Test: a:b", method=b"GET", target=b"/a"),
                               [seen("GET", "/a", x_test="a:b")]),
    "what some read as framing": (
        head(b"Content_Length: 5", b"Transfer_Encoding: chunked", method=b"GET", target=b"/a"),
        [seen("GET", "/a")]),
}


# ---- the ways in

@pytest.fixture(params=["relay", "lan"])
def way(request, run):
    """Where visitors connect, and the host that is served."""
    def share(server):
        if request.param == "lan":
            port = free_port()
            Agent(run).share(server.port, "--lan", "--port", port, ready=rf"localhost:{port}")
            return types.SimpleNamespace(port=port, host=b"localhost")
        agent, gateway = request.getfixturevalue("agent"), request.getfixturevalue("gateway")
        agent.share(server.port, "--name", HELLO)
        return types.SimpleNamespace(port=gateway.http, host=HELLO.encode())

    return share


@pytest.fixture(params=["nginx", "node"])
def server(request, run):
    with {"nginx": nginx, "node": node if shutil.which("node") else python}[request.param](run) as server:
        yield server


class Round:
    """Sends to one server on one way, and knows what the server saw of it."""

    def __init__(self, server, way):
        self.server, self.way = server, way(server)
        self.before, self.number = 0, 0

    def send(self, data):
        """The answer to bytes on one connection; '@' stands for the host."""
        with connect(self.way.port) as s:
            with contextlib.suppress(OSError):  # refused before all of it was sent
                s.sendall(data.replace(b"@", self.way.host))
            return read_all(s)

    def entries(self):
        """What the server saw since the last time."""
        self.number += 1
        mark = f"/mark{self.number}"
        self.send(head(b"Connection: close", method=b"GET", target=mark.encode()))
        wait_until(lambda: mark in [entry["target"] for entry in self.server.entries()], mark)
        entries = list(self.server.entries())
        new, self.before = entries[self.before:], len(entries)
        return [entry for entry in new if entry["target"] != mark]

    def seen(self, entry):
        fields = {name.replace("_", "-"): value for name, value in entry["fields"].items()}
        fields = {name: value for name, value in fields.items() if name in FIELDS and value}
        return Seen(entry["method"], entry["target"], fields, entry["length"])


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", answer)]


GOOD = head(method=b"GET", target=b"/good")


@pytest.mark.parametrize("table, status, head_is_good", [
    (REFUSED_HEADS, 400, False), (TOO_LARGE_HEADS, 431, False), (REFUSED_BODIES, 400, True)],
    ids=["heads", "large", "bodies"])
def test_refused(server, way, table, status, head_is_good):
    """Also as the second request of a connection, which the gateway does not look at."""
    round = Round(server, way)
    for name, data in table.items():
        for first in b"", GOOD:
            answer = round.send(first + data + SMUGGLED)
            assert statuses(answer) == ([200, status] if first else [status]), (name, answer)
            entries = round.entries()
            if head_is_good:
                entries = [entry for entry in entries if entry["complete"]]
            targets = [entry["target"] for entry in entries]
            assert targets == (["/good"] if first else []), name


def test_let_through(server, way):
    """Every server sees the same, and what it was is what was answered."""
    round = Round(server, way)
    last = head(b"Connection: close", method=b"GET", target=b"/last")
    for name, (data, want) in ACCEPTED.items():
        answer = round.send(data + last)
        entries = round.entries()
        assert all(entry["complete"] for entry in entries), name
        got = [round.seen(entry) for entry in entries]
        assert got == [*want, seen("GET", "/last")], name
        assert statuses(answer) == [200] * len(got), (name, answer)
        lines = re.findall(r"^((?:GET|POST) /\S*)$", answer.decode("latin-1"), re.M)
        assert lines == [f"{one.method} {one.target}" for one in got], name
