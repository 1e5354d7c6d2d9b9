"""Sockets that are answered while the test does something else."""
import heapq
import itertools
import selectors
import socket
import threading
import time


class Loop:
    """A thread that calls handler(socket) when one has something, and what was asked for later."""

    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._later = []  # (when, order, what to call)
        self._order = itertools.count()
        self.failures = []  # what a handler has raised
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, s, handler):
        with self._lock:
            self._selector.register(s, selectors.EVENT_READ, handler)
        self._wake.send(b"+")

    def remove(self, s):
        with self._lock:
            self._selector.unregister(s)
        s.close()

    def after(self, seconds, call):
        with self._lock:
            heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), call))
        self._wake.send(b"+")

    def _due(self):
        """Calls what is due; returns the seconds until the next."""
        while True:
            with self._lock:
                if not self._later:
                    return None
                left = self._later[0][0] - time.monotonic()
                if left > 0:
                    return left
                call = heapq.heappop(self._later)[2]
            self.guarded(call)

    def guarded(self, call, *args):
        """For other threads of whoever has the loop, too: what they raise is told by close()."""
        try:
            call(*args)
        except OSError:
            pass  # whoever asked has gone
        except Exception as failure:
            self.failures.append(failure)

    def _run(self):
        while True:
            for key, _ in self._selector.select(self._due()):
                if key.fileobj is self._woken:
                    if b"." in self._woken.recv(64):
                        return
                elif key.fileobj.fileno() >= 0:
                    self.guarded(key.data, key.fileobj)

    def close(self):
        """Ends the thread and closes what was added; fails if a handler has failed."""
        self._wake.send(b".")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        self._wake.close()
        if self.failures:
            raise self.failures[0]
