"""homeport-gateway by itself: start and stop, its commands, what it grants, and strangers.

The agent is a foreign one (foreign.py), so that nothing here depends on homeport's own.
"""
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import time

import pytest

from foreign import PAGE, ForeignAgent
from harness import ROOT, Gateway, connect, exchange, free_port, read_all, visit, wait_until

HELLO = "hello.localhost"


def status(gateway):
    return json.loads(gateway.command("status", "--json").stdout)


@pytest.fixture
def foreign(gateway):
    """A paired foreign agent that may use hello.localhost."""
    agent = ForeignAgent(gateway.home.path)
    assert agent.join(gateway.invite("laptop", HELLO))["type"] == "joined"
    return agent


def web(*names, service="web"):
    return {"id": service, "kind": "http", "names": list(names)}


# ---- start and stop

def test_start_and_stop(gateway):
    gateway.process.wait_line(r"gateway for localhost, key( [0-9a-f]{4}){16}$")
    log = gateway.process.text("err")
    assert f"listening on 127.0.0.1:{gateway.https} (https, agents)" in log
    assert f"listening on 127.0.0.1:{gateway.http} (http)" in log
    answer = status(gateway)
    assert answer["pid"] == gateway.process.pid
    assert [x["kind"] for x in answer["listeners"]] == ["https", "http"]
    gateway.process.stop()


def test_stop_in_the_middle_of_the_start(run):
    """Whoever sees anything of it can stop it in good order."""
    gateway = Gateway(run)
    process = run.start(*gateway.argv("run"), env=gateway.home.env)
    wait_until((gateway.state / "gateway.sock").exists, "the control socket is there")
    process.stop()
    assert not (gateway.state / "gateway.sock").exists()


def test_second_signal_ends_at_once(gateway, foreign):
    with foreign.link([web(HELLO)], answer=lambda head: b"HTTP/1.1 200 OK\r\n\r\n") as link:
        link.welcome
        with connect(gateway.http) as waiting:
            waiting.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n")  # half a head
            with connect(gateway.http) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
                s.recv(1)  # the visitor is there, and stays
                gateway.process.send_signal(signal.SIGTERM)
                gateway.process.wait_line("no new visitors")
                assert link.message("drain")
                gateway.process.stop()


def test_same_key_after_restart(gateway):
    before = status(gateway)["key"]
    gateway.process.stop()
    gateway.start()
    assert status(gateway)["key"] == before


def test_kill_and_restart(gateway, foreign):
    gateway.process.kill()
    gateway.start()
    with foreign.link([web(HELLO)]) as link:
        assert link.welcome["services"][0]["granted"]
        assert visit(gateway.http, HELLO).body == PAGE


def test_next_key_is_announced(gateway, foreign):
    gateway.process.stop()
    (gateway.state / "link-key-next.pem").write_bytes(foreign.key.read_bytes())
    gateway.start()
    with foreign.link([]) as link:
        assert re.fullmatch("[0-9a-f]{64}", link.welcome["next_key"])


# ---- what can go wrong at the start

def start_fails(gateway, *words, expect=1):
    error = gateway.command("run", expect=expect).stderr
    for word in words:
        assert word in error, error


def test_port_in_use(run):
    gateway = Gateway(run)
    with socket.create_server(("127.0.0.1", gateway.http)):
        start_fails(gateway, "[listen] http", f"127.0.0.1:{gateway.http}", "another program")


def test_port_shared_with_another_gateway(run, gateway):
    """SO_REUSEPORT must not let a second gateway take half of the visitors."""
    other = Gateway(run)
    other.config.write_text(other.config.read_text()
                            .replace(str(other.https), str(gateway.https))
                            .replace("[gateway]", "[gateway]\nworkers = 2"))
    start_fails(other, "[listen] https", "another program")


def test_already_running(gateway):
    start_fails(gateway, "a gateway is running already", str(gateway.process.pid))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_state_not_writable(run):
    gateway = Gateway(run)
    gateway.state.mkdir(mode=0o500)
    start_fails(gateway, "cannot be written", "--state")


def test_state_is_a_file(run):
    gateway = Gateway(run)
    gateway.state.write_text("")
    start_fails(gateway, str(gateway.state))


def test_damaged_key(run):
    gateway = Gateway(run)
    gateway.state.mkdir()
    (gateway.state / "link-key.pem").write_text("not a key")
    start_fails(gateway, "link-key.pem")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen on every port")
def test_no_right_to_443(run):
    gateway = Gateway(run)
    gateway.config.write_text("[gateway]\ndomain = localhost\n[listen]\nhttps = 127.0.0.1:443\n")
    start_fails(gateway, "127.0.0.1:443", "CAP_NET_BIND_SERVICE")


def test_configuration(run):
    gateway = Gateway(run, extra="htps = 443\n")
    start_fails(gateway, f"{gateway.config}:8: unknown key", '"https"', expect=2)
    gateway.config.unlink()
    start_fails(gateway, str(gateway.config), expect=2)


def test_usage(gateway):
    assert '"--name"' in gateway.command("invite", "x", "--nme", "y", expect=2).stderr
    assert '"invite"' in gateway.command("invte", expect=2).stderr
    for command in "run", "invite", "agents", "revoke", "names", "status", "config":
        assert "Example:" in gateway.command(command, "--help").stdout


def test_no_gateway_runs(run):
    gateway = Gateway(run)
    for command in ["status"], ["invite", "x"], ["agents"], ["names"], ["revoke", "x"]:
        assert "homeport-gateway run" in gateway.command(*command, expect=1).stderr


def test_example_configuration(run):
    gateway = Gateway(run)
    gateway.config.write_text((ROOT / "examples/homeport-gateway.conf").read_text())
    assert "domain = home.example.org" in gateway.command("config").stdout


# ---- pairing

def test_invite_prints_the_code_alone(gateway):
    done = gateway.command("invite", "laptop", "--name", HELLO)
    assert re.fullmatch(rf"hp1:127\.0\.0\.1:{gateway.https}/[\w-]{{64}}\n", done.stdout)
    answer = json.loads(gateway.command("invite", "nas", "--json").stdout)
    assert answer["code"].startswith("hp1:") and answer["valid_s"] == 24 * 3600


def test_a_code_has_the_port_of_https(run):
    gateway = Gateway(run)
    gateway.config.write_text(gateway.config.read_text().replace(
        f"address = 127.0.0.1:{gateway.https}", "address = 127.0.0.1"))
    gateway.start()
    assert f"hp1:127.0.0.1:{gateway.https}/" in gateway.command("invite", "laptop").stdout
    assert "address = 127.0.0.1\n" in gateway.command("config").stdout


def test_invite_refused(gateway):
    assert "not a host name" in gateway.command("invite", "x", "--name", "a..b", expect=1).stderr
    gateway.command("invite", "not_a_label!", expect=1)
    for words in (["invite", "\udcff"], ["invite", "x", "--name", "\udcff"], ["revoke", "\udcff"]):
        assert "UTF-8" in gateway.command(*words, expect=1).stderr
    gateway.command("invite", "laptop", "--name", HELLO)
    assert "laptop" in gateway.command("invite", "nas", "--name", HELLO, expect=1).stderr


def control(gateway, **request):
    """A question on the control socket, as the commands ask it."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(gateway.state / "gateway.sock"))
        s.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(s.makefile().readline())


def test_code_used_expired_unknown(gateway, foreign, tmp_path):
    code = gateway.invite("nas")
    one, other = ForeignAgent(tmp_path), ForeignAgent(gateway.home.path)
    assert one.join(code)["type"] == "joined"
    assert one.join(code)["type"] == "joined"  # the answer may have been lost
    assert other.join(code)["reason"] == "code-used"
    unknown = code[:-1] + ("A" if code[-1] != "A" else "Q")
    assert other.join(unknown)["reason"] == "code-unknown"
    short = control(gateway, command="invite", agent="tv", valid_s=1)["code"]
    expires = time.time() + 1.1
    wait_until(lambda: time.time() > expires, "the code has expired")
    assert other.join(short)["reason"] == "code-expired"


def test_unknown_key(gateway):
    agent = ForeignAgent(gateway.home.path)
    code = gateway.invite("laptop")
    agent.join(code[:-4] + "AAAA")
    with agent.link([web()]) as link:
        assert link.message("refused")["reason"] == "unknown-key"


def test_revoke(gateway, foreign):
    with foreign.link([web(HELLO)]) as link:
        link.welcome
        assert visit(gateway.http, HELLO).status == 200
        gateway.command("revoke", "laptop")
        assert link.message("refused")["reason"] == "revoked"
        assert visit(gateway.http, HELLO).status == 421
        assert link.closed.wait(10)
    with foreign.link([web(HELLO)]) as link:
        assert link.message("refused")["reason"] == "revoked"
    assert foreign.join(gateway.invite("laptop2"))["reason"] == "revoked"
    assert "no agent laptop" in gateway.command("revoke", "laptop", expect=1).stderr
    assert "revoked" in gateway.command("agents").stdout


# ---- what an agent gets

def test_a_visitor(gateway, foreign):
    with foreign.link([web(HELLO)]) as link:
        grant = link.welcome["services"][0]
        assert grant["urls"] == [f"http://{HELLO}:{gateway.http}/"]
        assert visit(gateway.http, HELLO).body == PAGE
        assert re.fullmatch(r'for="127\.0\.0\.1:\d+";host="?hello\.localhost"?;proto=http',
                            link.visitors[0])
        assert visit(gateway.http, "other.localhost").status == 421
        wait_until(lambda: status(gateway)["visitors"]["now"] == 0, "the visitor is gone")
        assert status(gateway)["visitors"]["total"] == 1
    wait_until(lambda: status(gateway)["agents"]["online"] == 0, "the agent is offline")
    away = visit(gateway.http, HELLO)
    assert away.status == 503 and away.headers["Retry-After"]


def test_tls_passes_untouched(gateway, foreign):
    hello = client_hello(HELLO, "h2")
    with foreign.link([{"id": "web", "kind": "tls", "names": [HELLO]}]) as link:
        assert link.welcome["services"][0]["urls"] == [f"https://{HELLO}:{gateway.https}/"]
        with connect(gateway.https) as s:
            for i in range(0, len(hello), 100):  # it may come in pieces
                s.sendall(hello[i:i + 100])
            wait_until(lambda: link.unanswered == [hello], "the hello as it was sent")
        assert link.visitors[0].endswith("proto=https")
        alert = exchange(gateway.https, client_hello("other.localhost", "h2"))
        assert alert[0] == 21 and alert[-2:] == b"\x02\x70"  # fatal, unrecognized_name
        redirect = visit(gateway.http, HELLO, "/a?b")
        assert redirect.status == 308
        assert redirect.headers["Location"] == f"https://{HELLO}:{gateway.https}/a?b"


def test_ipv6(run):
    gateway = Gateway(run, address="::1")
    gateway.start()
    agent = ForeignAgent(gateway.home.path)
    agent.join(gateway.invite("laptop"))
    with agent.link([web()]) as link:
        assert link.welcome["observed"].startswith("[::1]:")
        assert visit(gateway.http, "web.laptop.localhost", address="::1").body == PAGE
        assert link.visitors[0].startswith('for="[::1]:')


def test_any_port(run):
    """Port 0: the kernel's choice, the same for all workers."""
    gateway = Gateway(run)
    gateway.config.write_text("[gateway]\ndomain = localhost\nworkers = 2\n"
                              "[listen]\nhttps = 127.0.0.1:0\nhttp = 127.0.0.1:0\n")
    gateway.process = run.start(*gateway.argv("run"), env=gateway.home.env)
    gateway.process.wait_line("gateway for localhost")
    https, http = (int(x["address"].split(":")[1]) for x in status(gateway)["listeners"])
    assert f"hp1:localhost:{https}/" in gateway.command("invite", "laptop").stdout
    assert all(visit(http, HELLO).status == 421 for _ in range(10))


def test_own_names(gateway, foreign):
    with foreign.link([web(), web("x.laptop.localhost", service="x")]) as link:
        assert link.welcome["services"][0]["names"] == ["web.laptop.localhost"]
        assert visit(gateway.http, "web.laptop.localhost").body == PAGE
        assert visit(gateway.http, "x.laptop.localhost").body == PAGE


def test_refused_names(gateway, foreign, tmp_path):
    nas = ForeignAgent(tmp_path)
    nas.join(gateway.invite("nas", "nas.example.org"))
    wanted = [web("nas.example.org", service="a"), web("other.example.org", service="b"),
              web("a.nas.localhost", service="c"), web(HELLO, service="d"),
              web(HELLO, service="e")]
    with foreign.link(wanted) as link:
        grants = {g["id"]: g for g in link.welcome["services"]}
        assert grants["a"]["reason"] == "name-taken"
        assert grants["b"]["reason"] == "name-not-allowed"
        assert "invite laptop --name other.example.org" in grants["b"]["text"]
        assert grants["c"]["reason"] == "name-taken"
        assert grants["d"]["granted"]
        assert grants["e"]["reason"] == "name-taken"


def free_range(n):
    """A range of n ports nobody listens on now."""
    first = free_port()
    for port in range(first, first + n):
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            continue
        return free_range(n)
    return first


def raw_gateway(run, n):
    first = free_range(n)
    gateway = Gateway(run, extra=f"ports = {first}-{first + n - 1}\n")
    gateway.start()
    foreign = ForeignAgent(gateway.home.path)
    foreign.join(gateway.invite("laptop"))
    return gateway, foreign, first


def test_raw_ports(run):
    gateway, foreign, first = raw_gateway(run, 3)
    ssh, git = {"id": "ssh", "kind": "tcp"}, {"id": "git", "kind": "tcp", "port": first + 2}
    with foreign.link([ssh, git]) as link:
        grants = {g["id"]: g for g in link.welcome["services"]}
        assert grants["ssh"]["urls"] == [f"tcp://localhost:{first}"]
        assert grants["git"]["urls"] == [f"tcp://localhost:{first + 2}"]
        assert exchange(first, b"\r\n\r\n").endswith(PAGE)
        link.send(type="services", revision=2, services=[ssh, {"id": "far", "kind": "tcp", "port": 22}])
        answer = link.message("services")
        assert answer["services"][0]["granted"]
        assert answer["services"][1]["reason"] == "port-not-allowed"
        with pytest.raises(ConnectionRefusedError):
            connect(first + 2)
    foreign.instance = foreign.instance[::-1]
    with foreign.link([{"id": "web2", "kind": "tcp"}, ssh]) as link:  # a new process, another order
        grants = {g["id"]: g for g in link.welcome["services"]}
        assert grants["ssh"]["urls"] == [f"tcp://localhost:{first}"]
    gateway.process.stop()
    gateway.start()
    with foreign.link([{"id": "new", "kind": "tcp"}, ssh]) as link:  # a new gateway, too
        grants = {g["id"]: g for g in link.welcome["services"]}
        assert grants["ssh"]["urls"] == [f"tcp://localhost:{first}"]


def test_raw_port_of_another_program(run):
    gateway, foreign, first = raw_gateway(run, 2)
    with socket.create_server(("127.0.0.1", first)):
        with foreign.link([{"id": "a", "kind": "tcp"}]) as link:
            assert link.welcome["services"][0]["urls"] == [f"tcp://localhost:{first + 1}"]
            link.send(type="services", revision=2,
                      services=[{"id": "a", "kind": "tcp"}, {"id": "b", "kind": "tcp", "port": first}])
            assert link.message("services")["services"][1]["reason"] == "port-taken"
            link.send(type="services", revision=3,
                      services=[{"id": "a", "kind": "tcp"}, {"id": "c", "kind": "tcp"}])
            wait_until(lambda: link.message("services")["revision"] == 3, "revision 3")
            assert link.message("services")["services"][1]["reason"] == "no-ports"


def test_the_same_list_disturbs_nobody(run):
    gateway, foreign, first = raw_gateway(run, 1)
    ssh = {"id": "ssh", "kind": "tcp"}
    with foreign.link([ssh], answer=lambda head: head) as link:
        link.welcome
        with connect(first) as s:
            wait_until(lambda: link.visitors, "a visitor")
            link.send(type="services", revision=2, services=[ssh, web()])
            assert link.message("services")["services"][1]["granted"]
            s.sendall(b"still here\r\n\r\n")
            assert read_all(s) == b"still here\r\n\r\n"


def test_names_and_agents(gateway, foreign):
    with foreign.link([web(HELLO), web(service="x")]) as link:
        link.welcome
        names = json.loads(gateway.command("names", "--json").stdout)["names"]
        assert [(n["name"], n["service"], n["state"]) for n in names] == [
            (HELLO, "web", "online"), ("x.laptop.localhost", "x", "online")]
        agent, = json.loads(gateway.command("agents", "--json").stdout)["agents"]
        assert agent["name"] == "laptop" and agent["state"] == "online"
        assert agent["names"] == [HELLO]
        assert "online since" in gateway.command("agents").stdout
        assert re.search(rf"{HELLO}\s+laptop\s+web\s+http\s+online",
                         gateway.command("names").stdout)


def test_offline_after_restart(gateway, foreign):
    """Names are known at once, before their agent is back."""
    gateway.process.stop()
    gateway.start()
    assert visit(gateway.http, HELLO).status == 503
    assert visit(gateway.http, "any.laptop.localhost").status == 503
    assert visit(gateway.http, "any.other.localhost").status == 421


def test_two_machines_with_one_key(gateway, foreign, tmp_path):
    links = []
    for i in range(4):
        foreign.instance = f"{i:032x}"
        links.append(foreign.link([web(HELLO)]))
        links[-1].welcome
    gateway.process.wait_line("the key of agent laptop is used by two machines")
    assert links[2].message("replaced")
    for link in links:
        link.close()


# ---- several workers

@pytest.fixture
def two_workers(run):
    gateway = Gateway(run)
    gateway.config.write_text(gateway.config.read_text().replace("[gateway]", "[gateway]\nworkers = 2"))
    gateway.start()
    return gateway


def test_two_workers(two_workers, tmp_path):
    gateway = two_workers
    agents = []
    for i in range(3):  # of both workers
        folder = tmp_path / str(i)
        folder.mkdir()
        agents.append(ForeignAgent(folder))
        assert agents[i].join(gateway.invite(f"a{i}"))["type"] == "joined"
    with contextlib.ExitStack() as stack:
        for agent in agents:
            for carrier in range(2):
                link = stack.enter_context(agent.link([web()], carrier=carrier))
                assert link.welcome["services"][0]["granted"]
        for _ in range(20):
            for i in range(3):
                assert visit(gateway.http, f"web.a{i}.localhost").body == PAGE
        answer = status(gateway)
        assert answer["agents"]["online"] == 3 and answer["links"] == 6
        assert answer["visitors"]["total"] == 60
        gateway.command("revoke", "a1")
        assert visit(gateway.http, "web.a1.localhost").status == 421
        assert visit(gateway.http, "web.a2.localhost").body == PAGE
    gateway.process.stop()


# ---- strangers

GARBAGE = [b"\0" * 100, b"\xff" * 5000, b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\n\r\n",
           b"\x16\x03\x01\xff\xff" + b"\x01" * 40000, b"GET / HTTP/1.1\r\nHost: " + b"x" * 70000,
           b"POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"]


def test_garbage(gateway, foreign):
    with foreign.link([web(HELLO)]) as link:
        link.welcome
        for data in GARBAGE:
            for port in gateway.http, gateway.https:
                with contextlib.suppress(OSError):
                    exchange(port, data, half_close=True)
                assert visit(gateway.http, HELLO).body == PAGE
        refused = status(gateway)["connections"]
        assert refused["refused_invalid"] > 0
        assert not link.closed.is_set()


def test_silence(gateway, foreign):
    """Silent strangers, also those who stop within a TLS handshake, are closed after 5 s and hold up
    nobody meanwhile."""
    hello = client_hello(None, "homeport/1")
    with foreign.link([web(HELLO)]) as link, contextlib.ExitStack() as stack:
        link.welcome
        silent = [stack.enter_context(connect(port)) for port in (gateway.http, gateway.https) * 10]
        for s in silent[1::2]:
            s.sendall(hello)
        for _ in range(20):
            assert visit(gateway.http, HELLO).body == PAGE
        for s in silent:
            read_all(s)  # ends
        assert visit(gateway.http, HELLO).body == PAGE


def client_hello(name, alpn):
    """What a TLS client says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def test_link_without_certificate(gateway):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["homeport/1"])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with context.wrap_socket(connect(gateway.https)) as s:
            s.sendall(b"x")
            while s.recv(100):
                pass
            raise ConnectionError("closed")
    assert status(gateway)["links"] == 0


def test_limits_by_source(run):
    gateway = Gateway(run, extra="ports = none\n[limits]\nconnections-per-source = 5\n")
    gateway.start()
    foreign = ForeignAgent(gateway.home.path)
    foreign.join(gateway.invite("laptop", HELLO))
    with foreign.link([web(HELLO)]) as link, contextlib.ExitStack() as stack:
        link.welcome
        for _ in range(10):
            with contextlib.suppress(ConnectionResetError):
                stack.enter_context(connect(gateway.http, source="127.0.0.9"))
        assert visit(gateway.http, HELLO).body == PAGE
        assert status(gateway)["connections"]["refused_limit"] >= 5


def test_lists_come_too_fast(gateway, foreign):
    """Not each is decided, but the newest always."""
    with foreign.link([web(HELLO)]) as link:
        link.welcome
        for revision in range(2, 202):
            link.send(type="services", revision=revision, services=[web(HELLO)])
        wait_until(lambda: link.message("services")["revision"] == 201, "the newest is answered")
        answers = [x for x in link.messages if x["type"] == "services"]
        assert len(answers) < 40, len(answers)
        assert visit(gateway.http, HELLO).body == PAGE


def test_twenty_lists_one_after_the_other(gateway, foreign):
    """Nobody waits for the limit who sends no more than a person makes."""
    with foreign.link([web(HELLO)]) as link:
        link.welcome
        start = time.monotonic()
        for revision in range(2, 22):
            link.send(type="services", revision=revision, services=[web(HELLO)])
            wait_until(lambda: any(m.get("revision") == revision for m in link.messages), "the answer")
        assert time.monotonic() - start < 2


def test_a_name_changes_hands(run, gateway, foreign):
    """What an invite gives to another agent is his at once."""
    name = "web.laptop.localhost"
    with foreign.link([web(name), web(HELLO, service="hello")]) as laptop:
        assert laptop.welcome["services"][0]["granted"]
        home = run.home()
        nas = ForeignAgent(home.path)
        assert nas.join(gateway.invite("nas", name))["type"] == "joined"
        grants = laptop.message("services")["services"]
        assert [g["granted"] for g in grants] == [False, True], grants
        with nas.link([web(name)], answer=lambda head: PAGE_OF_NAS) as link:
            assert link.welcome["services"][0]["granted"]
            assert visit(gateway.http, name).body == b"nas"


PAGE_OF_NAS = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nnas"
