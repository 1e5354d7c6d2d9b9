"""A place to run programs in, and what the kernel tells of them."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
TICKS = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """A program that this machine does not have."""


class Failed(Exception):
    """A program that did not do what it is there for."""


class Stage:
    """A temporary folder and the processes that run in it; ends both, each process by its pid."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="hp-bench-"))
        self.env = {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOME": str(self.path),
            "XDG_STATE_HOME": str(self.path / "state"),
            "XDG_CONFIG_HOME": str(self.path / "config"),
            "XDG_RUNTIME_DIR": str(self.path / "run"),
        }
        (self.path / "run").mkdir(mode=0o700)
        self.running = []
        self.made = []  # folders elsewhere

    def make(self, folder):
        """A folder that a program insists on; removed at the end if it was not there."""
        if not folder.exists():
            folder.mkdir(mode=0o755)
            self.made.append(folder)

    def start(self, name, *argv, stdin=subprocess.DEVNULL):
        """Start a program; what it says goes to NAME.log."""
        with open(self.path / f"{name}.log", "ab") as log:
            process = subprocess.Popen([str(a) for a in argv], env=self.env, cwd=self.path,
                                       stdin=stdin, stdout=log, stderr=log)
        process.name = name
        self.running.append(process)
        return process

    def run(self, *argv, stdin="", seconds=30, both=False):
        """Run a program to its end; returns its stdout, or both that and its stderr."""
        try:
            done = subprocess.run([str(a) for a in argv], env=self.env, cwd=self.path, input=stdin,
                                  text=True, capture_output=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{argv[0]} {argv[1]}: no end within {seconds} s") from None
        if done.returncode:
            raise Failed(f"{argv[0]} {argv[1]}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout + (done.stderr if both else "")

    def log(self, name):
        return (self.path / f"{name}.log").read_text(errors="replace")

    def wait(self, process, condition, what, seconds=15):
        """Poll until the condition holds, as long as the process lives."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            if process.poll() is not None:
                raise Failed(f"{process.name} ended:\n{self.log(process.name)}")
            if time.monotonic() > end:
                raise Failed(f"{what}: not within {seconds} s\n{self.log(process.name)}")
            time.sleep(0.01)
        return value

    def stop(self, process):
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.running.remove(process)

    def done(self):
        for process in reversed(self.running[:]):
            self.stop(process)
        for folder in self.made:
            folder.rmdir()
        shutil.rmtree(self.path, ignore_errors=True)


def find(program, *first):
    """Where it is: in one of these folders, or on the path."""
    path = shutil.which(program, path=":".join([*map(str, first), PATH]))
    if not path:
        raise Missing(f"{program} is not installed")
    return path


# ---- ports

def free_ports(n, address="127.0.0.1"):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((address, 0))) for _ in range(n)]
        return [s.getsockname()[1] for s in sockets]


def free_range(n, address="127.0.0.1"):
    """n ports in a row that nobody has, below those the kernel gives to outgoing connections."""
    for first in range(20000, 32000 - n, n):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + n):
                stack.enter_context(socket.create_server((address, port)))
            return first
    raise Failed(f"no {n} free ports in a row")


def answers(port, address="127.0.0.1"):
    with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False


def fetch(port, host="localhost"):
    """The status of a GET; 0: no answer."""
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    with contextlib.suppress(OSError, ValueError, IndexError):
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            s.sendall(request.encode())
            return int(s.recv(64).split()[1])
    return 0


# ---- /proc

def _stat(pid):
    """The fields of /proc/PID/stat from number 3 on (proc(5))."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def family(pid):
    """This process and what descends from it."""
    children = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(folder.name)[1]), []).append(int(folder.name))
    found = [pid]
    for p in found:
        found += children.get(p, [])
    return found


def cpu_s(pids):
    """Processor time that these processes have used."""
    return sum(int(ticks) for pid in pids for ticks in _stat(pid)[11:13]) / TICKS


def private_kib(pids):
    """Memory that these processes have for themselves alone and wrote to."""
    return sum(int(re.search(r"^Private_Dirty:\s+(\d+)",
                             pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
               for pid in pids)
