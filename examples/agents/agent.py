#!/usr/bin/python3
"""An agent in Python, from docs/protocol.md: one HTTP/2 library is all it takes.

	homeport-gateway invite pi | tail -1 | ./agent.py join FOLDER	once; FOLDER keeps key and gateway
	./agent.py serve FOLDER [NAME...]				until Ctrl-C

Needs python3-h2 and the openssl command (Debian: apt-get install python3-h2 openssl). It answers
every request with the same page; put yours into page(). Sections in comments are the protocol's.
"""
import base64
import contextlib
import hashlib
import json
import pathlib
import random
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions


def page(head, forwarded):
    """The answer to a visitor's request: its head (bytes) and who he is (RFC 7239)."""
    path = head.split(b" ", 2)[1] if head.count(b" ") >= 2 else b"/"
    body = b"Hello from Python. You asked for " + path + b".\n"
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" \
        % len(body) + body


# ---- identity (1.2): a key, and the SHA-256 of what others see of it

def openssl(*args, data=None):
    return subprocess.run(["openssl", *map(str, args)], input=data, check=True, capture_output=True).stdout


def identity_of(certificate):
    public = openssl("x509", "-inform", "der", "-noout", "-pubkey", data=certificate)
    return hashlib.sha256(openssl("pkey", "-pubin", "-outform", "der", data=public)).hexdigest()


def dial(folder):
    """TCP, TLS 1.3 and the gateway's pinned key (1.1, 1.2)."""
    gateway = json.loads((folder / "gateway.json").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only the key in it counts
    context.set_alpn_protocols(["homeport/1"])
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    tcp = socket.create_connection((gateway["host"], gateway["port"]), 5)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = context.wrap_socket(tcp, server_hostname=gateway["host"])
    if identity_of(tls.getpeercert(binary_form=True)) != gateway["identity"]:
        sys.exit(f"{gateway['host']} shows another key than the one this agent was paired with")
    return tls


class Link(threading.Thread):
    """One connection: its control channel (2) and its visitors (3)."""

    def __init__(self, folder, first):
        super().__init__(daemon=True)
        self.first = first  # our first message
        self.answer = None  # the gateway's
        self.welcome, self.over = threading.Event(), threading.Event()
        self.lock = threading.RLock()
        self.control, self.line = None, b""
        self.asked, self.leaving = False, False
        self.visitors = {}  # stream -> what we know of him
        self.tls = dial(folder)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8",
            validate_inbound_headers=False))  # h2 wants :path and :scheme on CONNECT too; RFC 9113 8.5 does not
        self.h2.initiate_connection()
        self.start()

    def run(self):
        self.tls.settimeout(5)
        try:
            self.flush()
            while not (self.leaving and not self.visitors):
                try:
                    data = self.tls.recv(65536)
                    if not data:
                        break
                    self.asked = False
                except TimeoutError:  # liveness (4): ask after 5 s, gone after 10
                    if self.asked:
                        break
                    self.asked, data = True, b""
                with self.lock:
                    if data:
                        for event in self.h2.receive_data(data):
                            self.on_event(event)
                    else:
                        self.h2.ping(bytes(8))
                    self.flush()
        except (OSError, h2.exceptions.ProtocolError) as why:
            print("connection:", why, file=sys.stderr, flush=True)
        with contextlib.suppress(OSError):
            self.tls.unwrap()  # so that the other side knows that this was all
        self.tls.close()
        self.over.set()

    def flush(self):
        """Visitors' bytes as far as the windows allow (3.5), then everything onto the line."""
        for stream, visitor in list(self.visitors.items()):
            while visitor["out"]:
                n = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size,
                        len(visitor["out"]))
                if n <= 0:
                    break
                self.h2.send_data(stream, visitor["out"][:n])
                visitor["out"] = visitor["out"][n:]
            if visitor["end"] and not visitor["out"]:
                self.h2.end_stream(stream)
                del self.visitors[stream]
        self.tls.sendall(self.h2.data_to_send())

    def say(self, message):
        self.h2.send_data(self.control, json.dumps(message).encode() + b"\n")

    def go(self):
        """For good: no services any more (2.5), and the end."""
        with self.lock, contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            self.say({"type": "services", "revision": self.first["revision"] + 1, "services": []})
            self.h2.close_connection()
            self.flush()

    def on_event(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.on_request(event.stream_id, dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id == self.control:
                *lines, self.line = (self.line + event.data).split(b"\n")
                for line in lines:
                    self.on_message(json.loads(line))
            elif event.stream_id in self.visitors:
                self.on_bytes(self.visitors[event.stream_id], event.data)
        elif isinstance(event, h2.events.StreamEnded) and event.stream_id in self.visitors:
            self.visitors[event.stream_id]["end"] = True  # he is done asking; we may still be answering
        elif isinstance(event, h2.events.StreamReset):
            self.visitors.pop(event.stream_id, None)  # he has left

    def on_request(self, stream, headers):
        if headers.get(":path") == "/homeport/v1/control":  # 2.1
            self.control = stream
            self.h2.send_headers(stream, [(":status", "200"), ("content-type", "application/x-ndjson")])
            self.say(self.first)
        elif headers[":method"] == "CONNECT" and headers[":authority"] == "web":  # 3.1
            self.visitors[stream] = {"forwarded": headers["forwarded"], "head": b"", "out": b"", "end": False}
            self.h2.send_headers(stream, [(":status", "200")])
        else:
            self.h2.send_headers(stream, [(":status", "404")], end_stream=True)

    def on_bytes(self, visitor, data):
        if visitor["end"]:
            return
        visitor["head"] = (visitor["head"] + data)[:16384]
        if b"\r\n\r\n" in visitor["head"]:
            print(visitor["forwarded"], visitor["head"].split(b"\r\n")[0].decode("latin-1"), flush=True)
            visitor["out"], visitor["end"] = page(visitor["head"], visitor["forwarded"]), True

    def on_message(self, message):
        if message["type"] in ("welcome", "joined", "refused", "replaced"):
            self.answer = message
        if message["type"] == "welcome":
            self.welcome.set()
        if message["type"] in ("drain", "replaced", "refused"):
            self.over.set()
        if message["type"] == "notice":
            print(message["text"], flush=True)
        # Other types are of no interest here, or not known yet.


def join(folder):
    """Pairing (6)."""
    match = re.fullmatch(r"hp1:\[?([^\]/]*?)\]?:(\d+)/([\w-]{64})\s*", sys.stdin.read())
    if not match:
        sys.exit("no pairing code on standard input")
    both = base64.urlsafe_b64decode(match[3])
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / "key.pem").exists():  # the key is the identity: never replaced
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 36500,
                "-subj", "/CN=homeport", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem")
    (folder / "gateway.json").write_text(json.dumps(
        {"host": match[1], "port": int(match[2]), "identity": both[:32].hex()}))
    secret = base64.urlsafe_b64encode(both[32:]).decode().rstrip("=")
    link = Link(folder, {"type": "join", "version": 1, "secret": secret, "software": "agent.py"})
    link.over.wait()
    if not link.answer or link.answer["type"] != "joined":
        sys.exit(f"the gateway refuses: {link.answer}")
    print("joined as", link.answer["agent"] + "." + link.answer["domain"])


def serve(folder, names):
    hello = {"type": "hello", "version": 1, "instance": secrets.token_hex(16), "revision": 1,
             "software": "agent.py", "services": [{"id": "web", "kind": "http", "names": names}]}
    old, pause = None, 0.7
    while True:
        try:
            link = Link(folder, hello)
            while not (link.welcome.wait(0.1) or link.over.is_set()):
                pass
            if link.welcome.is_set():
                pause = 0.7
                for service in link.answer["services"]:
                    print(*service.get("urls", [service.get("text")]), flush=True)
            if old:  # its successor is welcome: no new visitors come there, and it may end (2.5, 2.6)
                old.leaving = True
            link.over.wait()  # the connection is lost, or is going to be
        except OSError as why:
            print("dialling:", why, file=sys.stderr, flush=True)
            link = None
        except KeyboardInterrupt:
            return link and link.go()
        if link and link.answer and link.answer["type"] in ("refused", "replaced"):
            sys.exit(f"{link.answer['type']}: {link.answer['text']}")
        old = link if link and link.is_alive() else None
        if not old:  # redial (5)
            time.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(2 * pause, 10)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    if len(sys.argv) < 3 or sys.argv[1] not in ("join", "serve"):
        sys.exit(__doc__)
    if sys.argv[1] == "join":
        join(pathlib.Path(sys.argv[2]))
    else:
        serve(pathlib.Path(sys.argv[2]), sys.argv[3:])
