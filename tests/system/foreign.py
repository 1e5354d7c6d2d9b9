"""An agent in another language, written from docs/protocol.md alone: Python's ssl and h2.

	agent = ForeignAgent(folder)
	agent.join(code)					as `homeport join` would
	with agent.link([{"id": "web", "kind": "http", "names": ["hello.localhost"]}]) as link:
		link.welcome["services"]			what the gateway granted
"""
import base64
import contextlib
import hashlib
import json
import re
import secrets
import socket
import ssl
import subprocess
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings

from harness import DEADLINE_S, wait_until

PAGE = b"from the foreign agent\n"


def page(head):
    """What a visitor's request (its head) gets."""
    return (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            % len(PAGE)) + PAGE


def run(*argv, data=None):
    return subprocess.run(argv, input=data, check=True, capture_output=True).stdout


def identity_of(certificate):
    """SHA-256 of the SubjectPublicKeyInfo of a DER certificate."""
    pem = run("openssl", "x509", "-inform", "der", "-noout", "-pubkey", data=certificate)
    return hashlib.sha256(run("openssl", "pkey", "-pubin", "-outform", "der", data=pem)).digest()


class Link:
    """One carrier: a thread that answers visitors until it is closed."""

    SETTINGS = {}  # besides h2's own

    def __init__(self, agent, first, answer=page):
        self.answer = answer
        self.messages = []  # of the gateway, in order
        self.visitors = []  # the forwarded header of each
        self.closed = threading.Event()
        self._first = first
        self._control = None
        self._lock = threading.RLock()
        self._heads = {}
        self._line = b""
        self._sock = agent.dial()
        self._conn = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_inbound_headers=False))
        self._conn.local_settings.update(self.SETTINGS)
        self._conn.local_settings.acknowledge()
        self._conn.initiate_connection()
        self._flush()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def message(self, kind):
        """The newest message of that type; waits for the first one."""
        def find():
            return next((m for m in reversed(self.messages) if m["type"] == kind), None)
        return wait_until(find, f"message {kind}, got {self.messages}")

    @property
    def welcome(self):
        return self.message("welcome")

    @property
    def unanswered(self):
        """What each visitor without an answer has sent so far."""
        with self._lock:
            return list(self._heads.values())

    def send(self, **message):
        with self._lock:
            self._conn.send_data(self._control, json.dumps(message).encode() + b"\n")
            self._flush()

    def close(self):
        self._shut()
        self.closed.wait(DEADLINE_S)

    def _shut(self):
        """The reading thread finds the end then, and closes."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def _flush(self):
        data = self._conn.data_to_send()
        if data:
            self._sock.sendall(data)

    def _run(self):
        try:
            while data := self._sock.recv(65536):
                with self._lock:
                    for event in self._conn.receive_data(data):
                        self._on_event(event)
                    self._flush()
        except OSError:
            pass
        self._sock.close()
        self.closed.set()

    def _on_event(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self._on_request(event.stream_id, dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            self._conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id == self._control:
                self._on_control(event.data)
            else:
                self._on_visitor(event.stream_id, event.data)
        elif isinstance(event, h2.events.StreamEnded) and event.stream_id == self._control:
            self._shut()

    def _on_request(self, stream, headers):
        if headers[":method"] == "CONNECT":
            self.visitors.append(headers["forwarded"])
            self._heads[stream] = b""
            self._conn.send_headers(stream, [(":status", "200")])
            return
        assert headers[":path"] == "/homeport/v1/control", headers
        self._control = stream
        self._conn.send_headers(stream, [(":status", "200"), ("content-type", "application/x-ndjson")])
        self.send(**self._first)

    def _on_control(self, data):
        *lines, self._line = (self._line + data).split(b"\n")
        self.messages += [json.loads(line) for line in lines]

    def _on_visitor(self, stream, data):
        if stream not in self._heads:
            return
        self._heads[stream] += data
        if b"\r\n\r\n" in self._heads[stream]:
            answer = self.answer(self._heads.pop(stream))
            self._conn.send_data(stream, answer, end_stream=True)


class ForeignAgent:
    def __init__(self, folder):
        self.key = folder / "foreign-key.pem"
        self.certificate = folder / "foreign.pem"
        self.instance = secrets.token_hex(16)
        self.gateway = None  # (host, port), identity
        self._revision = 0
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=foreign", "-keyout", self.key, "-out", self.certificate)

    def dial(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the key is what counts
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["homeport/1"])
        context.load_cert_chain(self.certificate, self.key)
        (host, port), identity = self.gateway
        sock = context.wrap_socket(socket.create_connection((host, port), DEADLINE_S))
        assert sock.selected_alpn_protocol() == "homeport/1"
        assert identity_of(sock.getpeercert(binary_form=True)) == identity, "another gateway"
        sock.settimeout(None)
        return sock

    def join(self, code):
        """The gateway's answer: `joined` or `refused`."""
        host, port, rest = re.fullmatch(r"hp1:\[?([^]]*?)\]?:(\d+)/(\S{64})", code).groups()
        both = base64.urlsafe_b64decode(rest)
        self.gateway = (host, int(port)), both[:32]
        secret = base64.urlsafe_b64encode(both[32:]).decode().rstrip("=")
        with Link(self, {"type": "join", "version": 1, "secret": secret}) as link:
            return wait_until(lambda: link.messages and link.messages[0], "an answer to join")

    def link(self, services, carrier=0, answer=page, **fields):
        self._revision += 1
        return Link(self, {"type": "hello", "version": 1, "instance": self.instance,
                           "carrier": carrier, "revision": self._revision, "services": services,
                           **fields}, answer)
