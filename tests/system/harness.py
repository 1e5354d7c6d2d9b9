"""Real programs under test: start them, read what they say, visit them, stop them.

Everything a test must know about command lines and configuration files is in this file, in Gateway
and Agent. Nothing waits for time to pass: every wait is for a condition, with a deadline.
"""
import contextlib
import http.client
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOMEPORT_BUILD", ROOT / "build"))
HOMEPORT = BUILD / "src/homeport"
HOMEPORT_GATEWAY = BUILD / "src/homeport-gateway"

DEADLINE_S = 10  # for anything that normally takes milliseconds
SANITIZER = re.compile(r"(Address|Leak|UndefinedBehavior|Thread)Sanitizer|runtime error:")


def _namespaces_missing():
    """Why network namespaces cannot be made here; None: they can."""
    if os.geteuid() != 0:
        return "needs root (network namespaces)"
    if not shutil.which("ip") or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        return "needs the right to make network namespaces"
    return None


needs_root = pytest.mark.skipif(_namespaces_missing() is not None, reason=str(_namespaces_missing()))


def wait_until(condition, what, seconds=DEADLINE_S):
    """Poll until condition() is true; returns its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)
    return value


def free_port(address="127.0.0.1"):
    """A TCP and UDP port nobody uses now, below those the kernel gives to connections and the gateway
    to services: whoever binds it a moment later must not find it taken by one of the meantime."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in random.sample(range(10000, min(20000, first_ephemeral_port())), 1000):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.bind((address, port))
            with socket.create_server((address, port), family=family):
                return port
    raise AssertionError("no free port")


def first_ephemeral_port():
    try:
        return int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32768


class Home:
    """A short temporary folder (a Unix socket's path has 107 bytes at most) that is also the HOME
    of what runs in it, so that no test sees the files of the person who runs it."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="hp-"))
        self.env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.path),
            "XDG_STATE_HOME": str(self.path / "state"),
            "XDG_CONFIG_HOME": str(self.path / "config"),
            "XDG_RUNTIME_DIR": str(self.path / "run"),
        }
        self.env |= {key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}
        (self.path / "run").mkdir(mode=0o700)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Process:
    """One running program. Lines of stdout and stderr are collected as they come."""

    def __init__(self, argv, env=None, cwd=None, pass_fds=()):
        self.argv = [str(a) for a in argv]
        self.name = pathlib.Path(self.argv[0]).name
        self.lines = []  # (stream, text), in order of arrival
        self._arrived = threading.Condition()
        self._popen = subprocess.Popen(
            self.argv, env=env, cwd=cwd, text=True, errors="replace", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=pass_fds)
        self._readers = [
            threading.Thread(target=self._read, args=("out", self._popen.stdout), daemon=True),
            threading.Thread(target=self._read, args=("err", self._popen.stderr), daemon=True)]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, pipe):
        for line in pipe:
            with self._arrived:
                self.lines.append((stream, line.rstrip("\n")))
                self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()

    @property
    def pid(self):
        return self._popen.pid

    @property
    def running(self):
        return self._popen.poll() is None

    def text(self, stream=None):
        """All lines so far of "out" or "err", or of both."""
        with self._arrived:
            return "\n".join(text for s, text in self.lines if stream in (None, s))

    def wait_line(self, pattern, seconds=DEADLINE_S, after=0):
        """Wait for a line (from number `after` on) that matches; returns the match."""
        pattern = re.compile(pattern)
        end = time.monotonic() + seconds
        seen = after
        with self._arrived:
            while True:
                for _, line in self.lines[seen:]:
                    if match := pattern.search(line):
                        return match
                seen = max(seen, len(self.lines))
                left = end - time.monotonic()
                if not any(reader.is_alive() for reader in self._readers) and seen == len(self.lines):
                    raise AssertionError(f"{self.name} ended without {pattern.pattern!r}:\n{self._all()}")
                if left <= 0:
                    raise AssertionError(
                        f"{self.name}: no {pattern.pattern!r} in {seconds} s:\n{self._all()}")
                self._arrived.wait(min(left, 0.1))

    def _all(self):
        return "\n".join(f"  {s}| {text}" for s, text in self.lines)

    def wait(self, seconds=DEADLINE_S):
        """Wait for the end; returns the exit code (negative: the signal)."""
        code = self._popen.wait(seconds)
        for reader in self._readers:
            reader.join(seconds)
        return code

    def send_signal(self, number):
        self._popen.send_signal(number)

    def kill(self):
        """kill -9, as a crash would."""
        self._popen.kill()
        return self.wait()

    def stop(self, number=signal.SIGTERM, expect=0):
        """Ask it to end; it must, and with this exit code."""
        if self.running:
            self.send_signal(number)
        code = self.wait()
        assert code == expect, f"{self.name}: exit code {code}, not {expect}\n{self._all()}"

    def finish(self):
        """For teardown: end it whatever its state, and fail on a sanitizer's report."""
        stuck = False
        if self.running:
            self.send_signal(signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                stuck = True
                self.kill()
        print(f"--- {' '.join(self.argv)} (pid {self.pid}, exit code {self._popen.returncode})")
        print(self._all())
        assert not stuck, f"{self.name} did not end on SIGTERM"
        assert not SANITIZER.search(self.text("err")), f"{self.name}: sanitizer report"


class Runner:
    """Starts programs and answers for their end; the `run` fixture."""

    def __init__(self):
        self.processes = []
        self.homes = []

    def home(self):
        self.homes.append(Home())
        return self.homes[-1]

    def start(self, *argv, env=None, cwd=None, pass_fds=()):
        self.processes.append(Process(argv, env, cwd, pass_fds))
        return self.processes[-1]

    def finish(self):
        failures = []
        for process in reversed(self.processes):
            try:
                process.finish()
            except AssertionError as failure:
                failures.append(str(failure))
        for home in self.homes:
            home.remove()
        assert not failures, "\n".join(failures)


def command(*argv, env, stdin=None, expect=0, seconds=DEADLINE_S):
    """Run a program to its end. `expect` is its exit code, None: any. Returns CompletedProcess."""
    done = subprocess.run([str(a) for a in argv], env=env, input=stdin, text=True,
                          capture_output=True, timeout=seconds,
                          **({"stdin": subprocess.DEVNULL} if stdin is None else {}))
    assert not SANITIZER.search(done.stderr), done.stderr
    if expect is not None:
        assert done.returncode == expect, \
            f"{argv}: exit code {done.returncode}, not {expect}\n{done.stdout}{done.stderr}"
    return done


class Gateway:
    """homeport-gateway with a configuration, a state and ports of its own."""

    def __init__(self, run, domain="localhost", address="127.0.0.1", extra=""):
        self.run = run
        self.home = run.home()
        self.address = address
        self.https = free_port(address)
        self.http = free_port(address)
        self.state = self.home.path / "gateway"
        self.config = self.home.path / "gateway.conf"
        host = f"[{address}]" if ":" in address else address
        self.config.write_text(f"""\
[gateway]
domain = {domain}
address = {host}:{self.https}

[listen]
https = {host}:{self.https}
http = {host}:{self.http}
{extra}""")
        self.process = None

    def argv(self, *args):
        return [HOMEPORT_GATEWAY, "--config", self.config, "--state", self.state, *args]

    def start(self):
        self.process = self.run.start(*self.argv("run"), env=self.home.env)
        wait_until(self._listens, "the gateway listens")
        return self.process

    def _listens(self):
        assert self.process.running, self.process.text()
        with contextlib.suppress(OSError):
            connect(self.http, self.address).close()
            connect(self.https, self.address).close()
            return True

    def command(self, *args, **options):
        """invite, agents, revoke, names, status."""
        return command(*self.argv(*args), env=self.home.env, **options)

    def invite(self, agent, *names):
        """The pairing code for an agent that may use these names."""
        options = [word for name in names for word in ("--name", name)]
        done = self.command("invite", agent, *options)
        return re.search(r"hp1:\S+", done.stdout)[0]


class Agent:
    """homeport at one home: its state and what it runs."""

    def __init__(self, run):
        self.run = run
        self.home = run.home()
        self.state = self.home.path / "agent"
        self.config = self.home.path / "homeport.conf"

    def argv(self, *args):
        config = ["--config", self.config] if self.config.exists() else []
        return [HOMEPORT, *config, "--state", self.state, *args]

    def command(self, *args, **options):
        """join, status, config and whatever else ends by itself."""
        return command(*self.argv(*args), env=self.home.env, **options)

    def join(self, code, **options):
        return self.command("join", stdin=code + "\n", **options)

    def share(self, what, *args, ready=r"https?://"):
        """`homeport share`, once it has printed an address; returns the Process."""
        process = self.run.start(*self.argv("share", what, *args), env=self.home.env)
        if ready:
            process.wait_line(ready)
        return process

    def up(self, config, ready=None):
        """`homeport up` with this configuration; `ready`: a line to wait for."""
        self.config.write_text(config)
        process = self.run.start(*self.argv("up"), env=self.home.env)
        if ready:
            process.wait_line(ready)
        return process


# ---- visitors

def connect(port, address="127.0.0.1", source=None, seconds=DEADLINE_S):
    """A TCP connection; `source`: the visitor's own address."""
    return socket.create_connection((address, port), seconds, source and (source, 0))


def read_all(s):
    """What the other side sends until it closes or resets."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := s.recv(65536):
            data += more
    return data


def exchange(port, data, address="127.0.0.1", half_close=False, source=None):
    """Send raw bytes; returns what comes back until the other side closes."""
    with connect(port, address, source) as s:
        s.sendall(data)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        return read_all(s)


class Response:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = answer.headers  # .get() ignores case
        self.body = answer.read()

    @property
    def text(self):
        return self.body.decode()


def visit(port, host, path="/", method="GET", headers=None, body=None, address="127.0.0.1",
          source=None, seconds=DEADLINE_S):
    """One HTTP request as a visitor: to an address, with this Host (names under .localhost do not
    resolve everywhere)."""
    connection = http.client.HTTPConnection(address, port, timeout=seconds,
                                            source_address=source and (source, 0))
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers={"Host": host, **(headers or {})})
        return Response(connection.getresponse())
