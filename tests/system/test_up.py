"""homeport up: several services, reload as a difference, status, stop."""
import contextlib
import json
import os
import signal
import time

import pytest

from harness import Agent, Gateway, connect, free_port, visit, wait_until

HELLO = "hello.localhost"
HOST = "Host: hello.localhost\r\n"


def hello(site, extra=""):
    return f"[service hello]\nto = {site}\nname = {HELLO}\n{extra}"


def served(gateway, host):
    return visit(gateway.http, host).status == 200


def status(agent):
    return json.loads(agent.command("status", "--json").stdout)


def reload(up, agent, config, line="read again"):
    agent.config.write_text(config)
    after = len(up.lines)
    up.send_signal(signal.SIGHUP)
    up.wait_line(line, after=after)


@contextlib.contextmanager
def visitor(gateway):
    """A keep-alive connection that has had its first page."""
    with connect(gateway.http) as s:
        s.sendall(f"GET /style.css HTTP/1.1\r\n{HOST}\r\n".encode())
        read_response(s)
        yield s


def read_response(s):
    head = b""
    while b"\r\n\r\n" not in head:
        data = s.recv(65536)
        assert data, "the connection ended"
        head += data
    head, _, body = head.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += s.recv(65536)
    return body


def test_several_services(gateway, agent, site):
    port = free_port()
    up = agent.up(hello(site) + f"[service files]\nto = {site}\n"
                  f"[service dead]\nto = 127.0.0.1:{port}\n", ready="service dead: http")
    up.wait_line(rf"service dead: nothing listens on 127\.0\.0\.1:{port}")
    wait_until(lambda: served(gateway, HELLO), "hello")
    assert served(gateway, "files.laptop.localhost")
    assert not served(gateway, "dead.laptop.localhost")
    answer = status(agent)
    assert answer["agent"] == "laptop"
    assert answer["link"]["state"] == "up"
    assert {s["id"]: s["reachable"] for s in answer["services"]} == {
        "hello": True, "files": True, "dead": False}
    assert answer["services"][0]["requests"] >= 1
    text = agent.command("status").stdout
    assert f"nothing listens on 127.0.0.1:{port}" in text
    up.stop()


def test_two_carriers(gateway, agent, site):
    up = agent.up(hello(site), ready="connected")
    wait_until(lambda: status(agent)["link"]["carriers"] == 2, "two carriers")
    up.stop()


def test_a_name_that_is_not_ours_does_not_stop_the_others(gateway, agent, site):
    up = agent.up(hello(site) + f"[service other]\nto = {site}\nname = bank.example\n", ready=HELLO)
    up.wait_line(r"warning: service other is not public: .*bank\.example")
    assert served(gateway, HELLO)
    service = status(agent)["services"][1]
    assert service["granted"] is False
    assert service["reason"] == "name-not-allowed"
    up.stop()


def test_reload_keeps_what_did_not_change(gateway, agent, site):
    up = agent.up(hello(site) + f"[service old]\nto = {site}\n", ready="service old: http")
    with visitor(gateway) as s:
        reload(up, agent, hello(site) + f"[service new]\nto = {site}\n")
        up.wait_line("service new: http")
        wait_until(lambda: served(gateway, "new.laptop.localhost"), "the new service")
        wait_until(lambda: not served(gateway, "old.laptop.localhost"), "the old one is gone")
        s.sendall(f"GET /style.css HTTP/1.1\r\n{HOST}\r\n".encode())
        assert read_response(s) == (site / "style.css").read_bytes()
    up.stop()


def test_reload_changes_a_service(gateway, agent, site):
    """Whoever is being served gets his answer to the end, the next one comes from the new folder."""
    folders = [agent.home.path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
        (folder / "index.html").write_text(folder.name)
    with open(folders[0] / "file", "wb") as f:
        f.truncate(64 << 20)
    up = agent.up(hello(folders[0]), ready=HELLO)
    with connect(gateway.http) as s:
        s.sendall(f"GET /file HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode())
        got = len(s.recv(65536))
        reload(up, agent, hello(folders[1]))
        wait_until(lambda: visit(gateway.http, HELLO).text == "other", "the new folder")
        while data := s.recv(1 << 20):
            got += len(data)
        assert got > 64 << 20
    up.stop()


def test_reload_ends_visitors_of_what_is_gone(gateway, agent, site):
    up = agent.up(hello(site), ready=HELLO)
    with visitor(gateway) as s:
        reload(up, agent, "")
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""
    assert not served(gateway, HELLO)
    up.stop()


def test_a_bad_reload_changes_nothing(gateway, agent, site):
    up = agent.up(hello(site), ready=HELLO)
    reload(up, agent, "[service hello]\nto = gopher://x\n", line=r"error: .*homeport\.conf:2: .*")
    assert served(gateway, HELLO)
    reload(up, agent, hello(site))
    up.stop()


def test_a_folder_that_is_not_there_yet(gateway, agent):
    folder = agent.home.path / "later"
    up = agent.up(hello(folder), ready=r"service hello: .*later")
    folder.mkdir()
    (folder / "index.html").write_text("here")
    up.wait_line("service hello: .* is there now")
    wait_until(lambda: served(gateway, HELLO), "the folder")
    up.stop()


def test_one_at_a_time(gateway, agent, site):
    up = agent.up(hello(site), ready=HELLO)
    done = agent.command("up", expect=1)
    assert "runs already" in done.stderr
    assert str(up.pid) in done.stderr
    assert served(gateway, HELLO)
    up.stop()


def test_killed_and_restarted(gateway, agent, site):
    up = agent.up(hello(site), ready=HELLO)
    up.kill()
    start = time.monotonic()
    up = agent.up(hello(site))
    wait_until(lambda: served(gateway, HELLO), "served again")
    print(f"served again {time.monotonic() - start:.2f} s after the start")
    up.stop()


def test_stop_lets_visitors_finish(gateway, agent):
    folder = agent.home.path / "big"
    folder.mkdir()
    with open(folder / "file", "wb") as f:
        f.truncate(64 << 20)
    up = agent.up(hello(folder), ready=HELLO)
    with connect(gateway.http) as s:
        s.sendall(f"GET /file HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode())
        got = len(s.recv(65536))
        up.send_signal(signal.SIGTERM)
        up.wait_line("visitors have 30 s")
        while data := s.recv(1 << 20):
            got += len(data)
        assert got > 64 << 20
    up.stop()


def test_a_second_signal_ends_it_at_once(gateway, agent):
    folder = agent.home.path / "big"
    folder.mkdir()
    with open(folder / "file", "wb") as f:
        f.truncate(1 << 30)
    up = agent.up(hello(folder), ready=HELLO)
    with connect(gateway.http) as s:
        s.sendall(f"GET /file HTTP/1.1\r\n{HOST}\r\n".encode())
        s.recv(1)
        up.send_signal(signal.SIGTERM)
        up.wait_line("visitors have 30 s")
        start = time.monotonic()
        up.stop()
        assert time.monotonic() - start < 5


def test_without_services_it_waits(gateway, agent):
    up = agent.up("", ready="connected to the gateway")
    assert status(agent)["services"] == []
    assert "no services" in agent.command("status").stdout
    up.stop()


def test_joining_anew_is_taken_up(run, gateway, agent, site):
    up = agent.up(hello(site), ready=HELLO)
    other = Gateway(run)
    other.start()
    done = agent.join(other.invite("laptop", HELLO))
    assert "uses it from now on" in done.stderr
    wait_until(lambda: served(other, HELLO), "served by the other gateway")
    up.stop()


def test_the_control_socket_is_ours_alone(gateway, agent, site):
    up = agent.up(hello(site), ready=HELLO)
    assert (agent.state / "agent.sock").stat().st_mode & 0o777 == 0o660
    if os.geteuid() == 0:
        (agent.state).chmod(0o755)
        agent.home.path.chmod(0o755)
        os.chmod(agent.state / "agent.sock", 0o666)
        done = agent.run.start("/usr/bin/python3", "-c", f"""
import os, socket
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
s.connect({str(agent.state / 'agent.sock')!r})
print(s.recv(1000).decode())
""", env=agent.home.env)
        done.wait_line("not allowed")
    up.stop()


def test_a_folder_whose_name_is_not_utf8(gateway, agent):
    folder = os.fsencode(agent.home.path) + b"/caf\xe9"
    os.mkdir(folder)
    agent.config.write_bytes(b"[service hello]\nto = " + folder + b"\n")
    up = agent.run.start(*agent.argv("up"), env=agent.home.env)
    up.wait_line("service hello: http")
    service, = status(agent)["services"]
    assert service["to"].endswith("/caf\\xe9")
    assert "caf\\xe9" in agent.command("status").stdout.replace("\\x5c", "\\")
    os.rmdir(folder)
    visit(gateway.http, "hello.laptop.localhost")
    wait_until(lambda: "caf\\xe9" in status(agent)["services"][0]["why"], "why it is not served")
    up.stop()
