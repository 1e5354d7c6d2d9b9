"""The other ends: servers at home, visitors that watch every byte, and a network that can break.

	with tcp_server(echo) as port:			serve(socket), each connection on a thread
	with http_server(answer) as port:		answer(request) gives the response's bytes
	with Visitor(gateway.http, HELLO) as visitor:	one connection, one request after the other
	with Line(gateway.https) as line:		between agent and gateway: line.port
"""
import collections
import contextlib
import ctypes
import hashlib
import re
import socket
import socketserver
import ssl
import struct
import subprocess
import threading

import pytest

from harness import DEADLINE_S, connect

HELLO = "hello.localhost"

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27


def up(agent, config):
    """`homeport up`, once every service of this configuration is public."""
    process = agent.up(config, ready="connected to the gateway")
    for service in re.findall(r"^\[service (\S+)\]", config, re.M):
        process.wait_line(rf"service {service}: (http|https|tcp|udp)://")
    return process


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def reset(s):
    """Close so that the other side sees a reset."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def receive(s, n):
    """Exactly n bytes."""
    data = bytearray()
    while len(data) < n:
        more = s.recv(min(n - len(data), 1 << 20))
        assert more, f"the end after {len(data)} of {n} bytes"
        data += more
    return bytes(data)


def client_hello(name):
    """A ClientHello of a little less than 16 KiB: half of it a session ticket or the like."""
    def vector(size, data):
        return len(data).to_bytes(size, "big") + data

    def extension(number, data):
        return number.to_bytes(2, "big") + vector(2, data)

    names = vector(2, b"\0" + vector(2, name.encode()))
    extensions = extension(35, bytes(15000)) + extension(0, names)
    body = b"\3\3" + bytes(32) + b"\0" + vector(2, b"\x13\1") + vector(1, b"\0") + vector(2, extensions)
    return b"\x16\3\1" + vector(2, b"\1" + vector(3, body))


# ---- HTTP/1.1, read byte by byte as it is on the wire

Message = collections.namedtuple("Message", "start fields body")


class Head(Message):
    """A request or an answer: start line, fields as [(name, value)], body."""

    @property
    def status(self):
        return int(self.start.split()[1])

    @property
    def method(self):
        return self.start.split()[0]

    @property
    def target(self):
        return self.start.split()[1]

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        assert len(values) < 2, f"{name} stands there {len(values)} times: {self.fields}"
        return values[0] if values else None


def read_head(file):
    """The next head; None: the connection has ended."""
    start = file.readline()
    if not start:
        return None
    fields = []
    while line := file.readline().rstrip(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(":")
        fields.append((name, value.strip()))
    return Head(start.decode("latin-1").rstrip("\r\n"), fields, b"")


def read_chunk(file):
    """The next chunk; empty: the last one, and its trailers are read too."""
    size = int(file.readline().split(b";")[0], 16)
    data = file.read(size)
    assert len(data) == size, "cut off within a chunk"
    while file.readline().strip() and size == 0:
        pass
    return data


def read_body(file, head, until_end):
    if head.get("Transfer-Encoding") == "chunked":
        return b"".join(iter(lambda: read_chunk(file), b""))
    length = head.get("Content-Length")
    if length is None:
        return file.read() if until_end else b""
    body = file.read(int(length))
    assert len(body) == int(length), f"cut off after {len(body)} of {length} bytes"
    return body


def response(status, body=b"", *fields):
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def request(path="/", host=HELLO, method="GET", *fields, body=None):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class Visitor:
    """A connection through the gateway. `source`: his own address."""

    def __init__(self, port, host=HELLO, address="127.0.0.1", source=None, tls=None, rcvbuf=None):
        self.host = host
        if rcvbuf:
            self.socket = socket.socket()
            self.socket.settimeout(DEADLINE_S)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            self.socket.connect((address, port))
        else:
            self.socket = connect(port, address, source)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def reset(self):
        self.file.close()
        reset(self.socket)

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, path="/", method="GET", *fields, body=None):
        self.send(request(path, self.host, method, *fields, body=body))

    def head(self):
        """The head of the next answer (1xx as well); its body is for the caller to read."""
        return read_head(self.file)

    def answer(self, method="GET"):
        head = self.head()
        assert head, "the connection has ended"
        empty = method == "HEAD" or head.status < 200 or head.status in (204, 304)
        return head if empty else head._replace(body=read_body(self.file, head, True))

    def get(self, path="/", *fields):
        self.ask(path, "GET", *fields)
        return self.answer()

    def ended(self):
        """Whether the other side closes; waits for it."""
        with contextlib.suppress(ConnectionResetError):
            return self.file.read(1) == b""
        return True


# ---- servers at home

@contextlib.contextmanager
def tcp_server(serve, port=0, address="127.0.0.1"):
    """Each connection is given to serve(socket) on a thread of its own, and closed after it."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.settimeout(2 * DEADLINE_S)
            with contextlib.suppress(OSError):
                serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 256

    with Server((address, port), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def http_server(answer, port=0, context=None):
    """Keeps connections; answer(request) may run on many threads at once."""
    def serve(s):
        if context:
            s = context.wrap_socket(s, server_side=True)
        with s, s.makefile("rb") as file:
            while head := read_head(file):
                s.sendall(answer(head._replace(body=read_body(file, head, False))))

    return tcp_server(serve, port)


def echo(s):
    while data := s.recv(65536):
        s.sendall(data)


def self_signed(folder, name):
    """A certificate for this name: (file, ssl context of its server, ssl context that trusts it)."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return certificate, server, ssl.create_default_context(cafile=certificate)


# ---- a network that can break

def deaf(s):
    """From now on what the kernel gets for this socket is thrown away unseen, and not acknowledged:
    what a dead line is like."""
    nothing = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0
    program = struct.pack("@HP", 1, ctypes.addressof(nothing))  # struct sock_fprog
    s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def hearing(s):
    s.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def _filters_missing():
    """Why sockets cannot be made deaf here; None: they can."""
    with socket.socket() as s:
        try:
            deaf(s)
        except OSError as error:
            return f"needs root here (socket filters: {error.strerror})"


needs_filters = pytest.mark.skipif(_filters_missing() is not None, reason=str(_filters_missing()))


class Line:
    """What is between the agent and the gateway's port. Connections are pairs of sockets, in the
    order in which they came."""

    def __init__(self, to):
        self.to = to
        self.pairs = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                pair = self._listener.accept()[0], None
                try:
                    pair = pair[0], socket.create_connection(("127.0.0.1", self.to), DEADLINE_S)
                except OSError:
                    reset(pair[0])
                    continue
                self.pairs.append(pair)
                for one, other in pair, pair[::-1]:
                    one.settimeout(None)
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for s in one, other:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def cut(self, *numbers):
        """Close these connections (all) at both ends."""
        for i in numbers or range(len(self.pairs)):
            for s in self.pairs[i]:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)

    def silence(self, *numbers):
        """These connections (all) stay as they are, but nothing passes any more."""
        for i in numbers or range(len(self.pairs)):
            for s in self.pairs[i]:
                deaf(s)

    def refuse_new(self):
        """New connections are not answered at all."""
        deaf(self._listener)

    def take_new(self):
        hearing(self._listener)
