"""A service manager's part, for one program: NOTIFY_SOCKET takes what it says and the descriptors it gives away,
and a restart hands those back with LISTEN_FDS.

	manager = Manager(gateway.home)			before the start
	start_with(gateway, manager.fds)		the next process
	manager.close()
"""
import array
import os
import re
import socket
import threading

from harness import wait_until

# Between the manager and the program: puts the descriptors where they belong, and knows its own pid.
LAUNCHER = """
import os, sys
for i, fd in enumerate(map(int, sys.argv[1].split(","))):
    os.dup2(fd, 3 + i)
    os.set_inheritable(fd, False)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """One service's NOTIFY_SOCKET and fd store."""

    def __init__(self, home):
        path = home.path / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.said = []  # every line, in order
        self.fds = []  # (name, descriptor)
        home.env["NOTIFY_SOCKET"] = str(path)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            text, control, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(4))
            if text == b"end":
                return
            fields = dict(line.split("=", 1) for line in text.decode().splitlines())
            fds = array.array("i")
            for _, kind, data in control:
                assert kind == socket.SCM_RIGHTS
                fds.frombytes(data)
            if fields.get("FDSTORE") == "1":
                self.fds += [(fields["FDNAME"], fd) for fd in fds]
            if fields.get("FDSTOREREMOVE") == "1":
                for name, fd in self.fds:
                    if name == fields["FDNAME"]:
                        os.close(fd)
                self.fds = [(name, fd) for name, fd in self.fds if name != fields["FDNAME"]]
            self.said += text.decode().splitlines()

    def wait(self, pattern, count=1):
        """Until it was said so many times; returns the last of them."""
        def found():
            lines = [line for line in self.said if re.search(pattern, line)]
            return lines[-1] if len(lines) >= count else None
        return wait_until(found, f"{pattern!r} {count} times among {self.said}")

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(self.socket.getsockname())
            s.send(b"end")
        self._thread.join()
        self.socket.close()
        for _, fd in self.fds:
            os.close(fd)


def start_with(gateway, fds):
    """As the manager starts a service with (name, descriptor)s in its store."""
    handed = [os.dup2(fd, 200 + i) for i, (_, fd) in enumerate(fds)]
    gateway.process = gateway.run.start(
        "/usr/bin/python3", "-c", LAUNCHER, ",".join(map(str, handed)), *gateway.argv("run"),
        env=gateway.home.env | {"LISTEN_FDS": str(len(fds)),
                                "LISTEN_FDNAMES": ":".join(name for name, _ in fds)},
        pass_fds=handed)
    for fd in handed:
        os.close(fd)
    return gateway.process
