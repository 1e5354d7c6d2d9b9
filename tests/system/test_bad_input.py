"""What can be wrong, with the programs together: each time a sentence that says what and what to do,
and whoever need not act need not start anything again. (Options and files: test_commands.py,
test_gateway.py and tests/conf.)"""
import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import threading
import time

import h2.config
import h2.connection
import h2.events
import pytest

from foreign import ForeignAgent, identity_of
from harness import HOMEPORT, HOMEPORT_GATEWAY, Agent, Gateway, command, free_port, visit, wait_until
from peers import HELLO, Visitor, http_server, response, self_signed, tcp_server, up


def control(gateway, **request):
    """What the gateway's own commands ask it."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(gateway.state / "gateway.sock"))
        s.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(s.makefile().readline())


def hello(to):
    return f"[service hello]\nto = {to}\nname = {HELLO}\n"


def says(text, *words):
    for word in words:
        assert re.search(word, text), f"{word!r} is not in: {text}"


def up_says(agent, config, *words):
    """`homeport up` warns in one line that has all the words, and goes on."""
    process = agent.up(config)
    says(process.wait_line(f"warning: .*{words[0]}.*")[0], *words)
    assert process.running
    return process


# ---- which gateway

def test_a_gateway_name_that_does_not_resolve(gateway, agent, site):
    """It may be the network: no end. And it may be a mistake: corrected without a restart."""
    process = up_says(agent, "[gateway]\naddress = no-such-gateway.invalid\n" + hello(site),
                      "no-such-gateway.invalid", "trying again in [0-9.]+ m?s",
                      "is it in the DNS|is this machine online")
    agent.config.write_text(hello(site))
    process.send_signal(1)
    process.wait_line(f"service hello: http://{HELLO}")
    process.stop()


def test_the_gateway_has_another_key(gateway, agent, site):
    process = up(agent, hello(site))
    before = gateway.process.wait_line(r"gateway for localhost, key (.{19})")[1]
    gateway.process.stop()
    shutil.rmtree(gateway.state)
    gateway.start()
    now = gateway.process.wait_line(r"gateway for localhost, key (.{19})")[1]
    line = process.wait_line("warning: .* another key .*", 20)[0]
    says(line, f"now {now}", f"pinned {before}", "somebody is in between", "homeport join",
         "[Tt]rying again in 60 s")
    assert process.running
    text = agent.command("status").stdout
    says(text, "refused", "another key")
    agent.join(gateway.invite("laptop", HELLO))  # what it said
    wait_until(lambda: visit(gateway.http, HELLO).status == 200, "served again")
    process.stop()


# ---- pairing codes

def test_a_code_of_another_machine(run, gateway, agent):
    other, code = Agent(run), gateway.invite("nas")
    other.join(code)
    error = agent.join(code, expect=1).stderr
    says(error, "used by another machine", "homeport-gateway invite")
    assert code not in error


def test_a_code_that_has_expired(run, gateway):
    code = control(gateway, command="invite", agent="tv", valid_s=1)["code"]
    expires = time.time() + 1.1
    wait_until(lambda: time.time() > expires, "the code has expired")
    says(Agent(run).join(code, expect=1).stderr, "expired", "24 hours", "homeport-gateway invite")


def test_a_damaged_code(run, gateway):
    code = gateway.invite("tv")
    head, secret = code[:-4], code[-4:]
    says(Agent(run).join(head + ("AAAA" if secret != "AAAA" else "BBBB"), expect=1).stderr,
         "does not know this pairing code", "homeport-gateway invite")
    says(Agent(run).join(code[:-3], expect=1).stderr, "pairing code")
    says(Agent(run).join(re.sub("/....", "/AAAA", code), expect=1).stderr, "another key",
         "the code is of another gateway")


# ---- names of somebody else

@pytest.fixture
def nas(run, gateway):
    """Another machine, which has nas.example.org."""
    nas = Agent(run)
    nas.join(gateway.invite("nas", "nas.example.org"))
    return nas


def test_share_with_a_name_of_somebody_else(gateway, agent, nas, site):
    error = agent.command("share", site, "--name", "nas.example.org", expect=1).stderr
    says(error, "nas.example.org", "belongs to another agent", "choose another name")


def test_up_with_a_name_of_somebody_else(gateway, agent, nas, site):
    """The others are served, and this one too once the name is free."""
    process = up_says(agent, hello(site) + f"[service nas]\nto = {site}\nname = nas.example.org\n",
                      "service nas is not public", "nas.example.org", "another agent", "name-taken")
    wait_until(lambda: visit(gateway.http, HELLO).status == 200, "the other service")
    service, = [s for s in json.loads(agent.command("status", "--json").stdout)["services"]
                if s["id"] == "nas"]
    assert (service["granted"], service["reason"]) == (False, "name-taken")
    process.stop()


# ---- another version of the protocol

def test_an_agent_of_the_future(gateway, tmp_path):
    agent = ForeignAgent(tmp_path)
    agent.join(gateway.invite("laptop"))
    with agent.link([], version=99) as link:
        refused = link.message("refused")
        assert (refused["reason"], refused["versions"]) == ("version", [1])
        says(refused["text"], "version 1")
        assert link.closed.wait(10)
    with agent.link([]) as link:  # nothing stays behind
        assert link.welcome["version"] == 1


class ForeignGateway:
    """A gateway in another language: answers `join` and `hello` with the messages it is given."""

    def __init__(self, folder, **answers):
        self.answers = answers
        _, self._context, _ = self_signed(folder, "gateway")
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.set_alpn_protocols(["homeport/1"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        certificate = ssl.PEM_cert_to_DER_cert((folder / "cert.pem").read_text())
        code = base64.urlsafe_b64encode(identity_of(certificate) + bytes(16)).decode()
        self.code = f"hp1:127.0.0.1:{self._listener.getsockname()[1]}/{code}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                s, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        line = b""
        with contextlib.suppress(OSError), self._context.wrap_socket(s, server_side=True) as s:
            conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
            conn.initiate_connection()
            conn.send_headers(1, [(":method", "POST"), (":scheme", "https"), (":authority", "homeport"),
                                  (":path", "/homeport/v1/control"),
                                  ("content-type", "application/x-ndjson")])
            s.sendall(conn.data_to_send())
            while data := s.recv(65536):
                for event in conn.receive_data(data):
                    line += event.data if isinstance(event, h2.events.DataReceived) else b""
                if line.endswith(b"\n"):
                    answer = self.answers[json.loads(line)["type"]]
                    conn.send_data(1, json.dumps(answer).encode() + b"\n")
                    line = b""
                s.sendall(conn.data_to_send())


JOINED = {"type": "joined", "version": 1, "agent": "laptop", "domain": "localhost", "names": [HELLO]}
FUTURE = {"type": "refused", "reason": "version", "versions": [7, 8],
          "text": "this gateway speaks versions 7 and 8 of the link protocol"}


def test_a_gateway_of_the_future(run, site, tmp_path):
    with ForeignGateway(tmp_path, join=JOINED, hello=FUTURE) as gateway:
        agent = Agent(run)
        agent.join(gateway.code)
        says(agent.command("share", site, "--name", HELLO, expect=1).stderr, "versions 7 and 8")
        process = up_says(agent, hello(site), "versions 7 and 8")
        process.stop()


def test_joining_a_gateway_of_the_future(run, tmp_path):
    with ForeignGateway(tmp_path, join=FUTURE) as gateway:
        says(Agent(run).join(gateway.code, expect=1).stderr, "versions 7 and 8")


def test_what_to_do_about_a_gateway_of_the_future(run, site, tmp_path):
    with ForeignGateway(tmp_path, join=JOINED, hello=FUTURE) as gateway:
        agent = Agent(run)
        agent.join(gateway.code)
        says(agent.command("share", site, "--name", HELLO, expect=1).stderr.split(":", 1)[1],
             "[Uu]p(date|grade)|newer homeport")


# ---- what is shared goes away

def test_a_shared_folder_deleted(gateway, agent):
    folder = agent.home.path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("here")
    share = agent.share(folder, "--name", HELLO)
    assert visit(gateway.http, HELLO).text == "here"
    shutil.rmtree(folder)
    answer = visit(gateway.http, HELLO)
    assert answer.status == 503
    says(answer.text, "folder behind this name is not there")
    share.wait_line(r"GET /  503  .*site")
    share.wait_line("site.*; visitors get an error page until that changes")
    assert visit(gateway.http, HELLO).status == 503
    folder.mkdir()
    (folder / "index.html").write_text("again")
    share.wait_line("site is there now")
    assert visit(gateway.http, HELLO).text == "again"
    share.stop()


def test_a_local_server_that_is_not_there_yet(gateway, agent):
    port = free_port()
    share = agent.share(port, "--name", HELLO)
    share.wait_line(rf"nothing listens on 127\.0\.0\.1:{port} yet; visitors get an error page")
    answer = visit(gateway.http, HELLO)
    assert answer.status == 502
    says(answer.text, "service behind this name is not answering")
    share.wait_line(rf"GET /  502  .*127\.0\.0\.1:{port}.*refused")
    with http_server(lambda request: response(200, b"here"), port):
        share.wait_line("answers now")
        assert visit(gateway.http, HELLO).text == "here"
    share.stop()


def test_a_local_tcp_server_that_is_not_there(run):
    """There is no page to show: the visitor's connection ends, at once."""
    public, port = free_port(), free_port()
    gateway = Gateway(run, extra=f"ports = {public}\n")
    gateway.start()
    agent = Agent(run)
    agent.join(gateway.invite("laptop"))
    share = agent.share(f"tcp://127.0.0.1:{port}", ready=f"tcp://localhost:{public}")
    with Visitor(public) as visitor:
        assert visitor.ended()
    share.wait_line(rf"127\.0\.0\.1  connection  0 B in, 0 B out  .*127\.0\.0\.1:{port}.*refused")
    with tcp_server(lambda s: s.sendall(b"here"), port):
        with Visitor(public) as visitor:
            assert visitor.file.read() == b"here"
    share.stop()


# ---- rights

@pytest.fixture
def ordinary(run):
    """Runs a program as a user without rights: returns its CompletedProcess."""
    home = run.home()

    def run_it(program, *args, stdin=None):
        argv = [program, *args]
        if os.geteuid() == 0:
            home.path.chmod(0o755)
            argv[0] = shutil.copy(program, home.path)  # wherever the build is, this one he may read
            argv[:0] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        return command(*argv, env=home.env, stdin=stdin, expect=1)

    run_it.home = home.path
    return run_it


CONFIG = "[gateway]\ndomain = localhost\n[listen]\nhttps = 127.0.0.1:{}\nhttp = 127.0.0.1:0\n"


def first_ordinary_port():
    return int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())


@pytest.mark.skipif(first_ordinary_port() <= 443, reason="everybody may listen on port 443 here")
def test_no_right_to_443(ordinary):
    state = ordinary.home / "gw"
    config = ordinary.home / "gateway.conf"
    config.write_text(CONFIG.format(443))
    state.mkdir()
    state.chmod(0o777)
    done = ordinary(HOMEPORT_GATEWAY, "--config", config, "--state", state, "run")
    says(done.stderr, "127.0.0.1:443", "CAP_NET_BIND_SERVICE|setcap", "listen")
    done = ordinary(HOMEPORT, "share", "--lan", "--port", "80", ordinary.home)
    says(done.stderr, "80", "port from 1024 on", "--port")


def test_a_state_folder_not_writable(ordinary):
    """Of the gateway, and at home: root's, or read-only for a plain user."""
    state = ordinary.home / "theirs"
    state.mkdir()
    joined = {"host": "localhost", "port": 1, "gateway": "00" * 32, "agent": "a", "domain": "b"}
    (state / "gateway.json").write_text(json.dumps(joined))
    (state / "gateway.json").chmod(0o644)
    state.chmod(0o555)
    config = ordinary.home / "gateway.conf"
    config.write_text(CONFIG.format(0))
    done = ordinary(HOMEPORT_GATEWAY, "--config", config, "--state", state, "run")
    says(done.stderr, str(state), "cannot be written", "--state")
    for words in ["join"], ["up"], ["share", ordinary.home]:
        done = ordinary(HOMEPORT, "--state", state, *words, stdin=f"hp1:127.0.0.1:1/{'A' * 64}\n")
        says(done.stderr, str(state), "cannot be written", "--state")


def test_a_damaged_state_file(agent, site):
    """That is not wrong usage (2)."""
    (agent.state / "gateway.json").write_text("{}")
    for words in ["up"], ["share", site]:
        says(agent.command(*words, expect=1).stderr, "gateway.json is damaged", "homeport join")
