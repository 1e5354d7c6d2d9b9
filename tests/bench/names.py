#!/usr/bin/python3
"""homeport, ddclient and inadyn beside each other at the same scripted provider (dyndns2), for some minutes.

Usage, as root: names.py HOMEPORT [MINUTES]

Each client has one name for each answer that the provider may give, checks its address once a minute where it
polls (ddclient cannot do that more often), and is given another address after 145 s. Printed: requests
for each answer, the time from the change to the request, private memory. homeport speaks HTTPS only: it gets
a certificate of ours in a mount namespace of its own.
"""
import http.server
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ANSWERS = ["good", "nochg", "badauth", "abuse", "911"]
FIRST, SECOND = "8.8.4.4", "8.8.4.5"
CHANGE_AT = 145


class Provider:
    """One port: one client's requests, all with the same answer."""

    def __init__(self, answer, certificate=None):
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.requests.append((time.monotonic(), handler.path))
                address = SECOND if SECOND in handler.path else FIRST
                body = f"{answer} {address}" if answer in ("good", "nochg") else answer
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Client:
    def __init__(self, name, folder, certificate=None):
        self.name, self.folder = name, folder / name
        self.folder.mkdir()
        self.providers = {answer: Provider(answer, certificate) for answer in ANSWERS}
        self.processes = []

    def run(self, *words):
        log = open(self.folder / "log", "ab")
        self.processes.append(subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True))

    def memory(self):
        """KiB of all its processes that no other shares."""
        total = 0
        for process in self.processes:
            pids = [process.pid] + [int(p) for p in subprocess.run(
                ["pgrep", "-g", str(process.pid)], text=True, capture_output=True).stdout.split()]
            for pid in set(pids):
                try:
                    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                except OSError:
                    continue
                total += sum(int(l.split()[1]) for l in text.splitlines() if l.startswith("Private_Dirty"))
        return total

    def alive(self):
        return sum(p.poll() is None for p in self.processes)

    def stop(self):
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


class Ddclient(Client):
    def start(self, address):
        (self.folder / "address").write_text(address + "\n")
        for answer, provider in self.providers.items():
            config = self.folder / f"{answer}.conf"
            config.write_text(f"use=cmd, cmd='cat {self.folder}/address'\nssl=no\nprotocol=dyndns2\n"
                              f"server=127.0.0.1:{provider.port}\nlogin=me\npassword=secret \n"
                              f"{answer}.example.org\n")
            config.chmod(0o600)
            self.run("ddclient", "-foreground", "-daemon", "60", "-file", config, "-cache",
                     self.folder / f"{answer}.cache", "-pid", self.folder / f"{answer}.pid")

    def change(self, address):
        (self.folder / "address").write_text(address + "\n")


class Inadyn(Client):
    def start(self, address):
        (self.folder / "address").write_text(address + "\n")
        for answer, provider in self.providers.items():
            config = self.folder / f"{answer}.conf"
            config.write_text(f'period = 60\ncustom {answer} {{\nssl = false\nusername = me\npassword = secret\n'
                              f'checkip-command = "cat {self.folder}/address"\n'
                              f'ddns-server = 127.0.0.1:{provider.port}\n'
                              f'ddns-path = "/nic/update?hostname=%h&myip=%i"\nhostname = {answer}.example.org\n}}\n')
            cache = self.folder / f"{answer}.cache"
            cache.mkdir()
            self.run("inadyn", "-n", "--no-pidfile", "-f", config, f"--cache-dir={cache}")

    change = Ddclient.change


class Homeport(Client):
    program = authorities = None

    def write(self, address):
        (self.folder / "secret").write_text("secret\n")
        (self.folder / "secret").chmod(0o600)
        # Names below localhost need no name server. An account each: a wrong password is one account's.
        (self.folder / "homeport.conf").write_text("".join(
            f"[dns {answer}]\nname = {answer}.localhost\nprovider = dyndns2\nserver = localhost:{provider.port}\n"
            f"user = {answer}\npassword-file = {self.folder}/secret\naddress = {address}\n"
            for answer, provider in self.providers.items()))

    def start(self, address):
        self.write(address)
        self.run("unshare", "-m", "sh", "-c",
                 f"mount --bind {self.authorities} /etc/ssl/certs && exec {self.program} "
                 f"--config {self.folder}/homeport.conf --state {self.folder}/state up")

    def change(self, address):
        self.write(address)
        for process in self.processes:
            os.kill(process.pid, signal.SIGHUP)


def main():
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory(prefix="homeport-names-") as name:
        folder = pathlib.Path(name)
        certificate = (folder / "cert", folder / "key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                        certificate[1], "-out", certificate[0]], check=True, capture_output=True)
        hashed = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", certificate[0]], check=True, text=True,
                                capture_output=True).stdout.strip()
        authorities = folder / "authorities"
        authorities.mkdir()
        for file in f"{hashed}.0", "ca-certificates.crt":
            (authorities / file).write_bytes(certificate[0].read_bytes())
        Homeport.program, Homeport.authorities = os.path.abspath(sys.argv[1]), authorities
        clients = [Homeport("homeport", folder, certificate), Ddclient("ddclient", folder), Inadyn("inadyn", folder)]
        began = time.monotonic()
        try:
            for client in clients:
                client.start(FIRST)
            time.sleep(CHANGE_AT)
            changed = time.monotonic()
            for client in clients:
                client.change(SECOND)
            time.sleep(max(0, minutes * 60 - CHANGE_AT))
            print(f"| {minutes:g} minutes | " + " | ".join(c.name for c in clients) + " |")
            print("|---|" + "---:|" * len(clients))
            for answer in ANSWERS:
                print(f"| requests, the answer is `{answer}` | " + " | ".join(
                    str(len(c.providers[answer].requests)) for c in clients) + " |")
            cells = []
            for c in clients:
                at = [t for t, path in c.providers["good"].requests if SECOND in path]
                cells.append(f"{at[0] - changed:.1f} s" if at else "never")
            print("| another address: first request after | " + " | ".join(cells) + " |")
            print("| private memory, for five names | " + " | ".join(f"{c.memory()} KiB" for c in clients) + " |")
            print("| processes alive at the end | " + " | ".join(f"{c.alive()}" for c in clients) + " |")
        finally:
            for client in clients:
                client.stop()
            for client in clients:
                print(f"\n{client.name}, the end of its log:", file=sys.stderr)
                print("\n".join((client.folder / "log").read_text().splitlines()[-12:]), file=sys.stderr)
        print(f"\nafter {time.monotonic() - began:.0f} s", file=sys.stderr)


main()
