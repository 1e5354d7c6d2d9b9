"""Real name servers that take signed updates, each with the same zones, on loopback.

	server = Bind(run, tmp_path)		or Knot, PowerDns
	server.record("AAAA", "a.homes.example")	what it says

`homes.example` and the signed `signed.example`. The key KEY (hmac-sha256, SECRET) may set A, AAAA and TXT of every
name below them, with BIND not of ns; ONLY4 (hmac-sha512) only A of only4.homes.example. PowerDNS has no such rules:
a key may do all in its zone, and ONLY4 nothing.
"""
import os
import pathlib
import shutil
import sqlite3
import subprocess

from harness import BUILD, free_port, wait_until

KEY, ONLY4 = "homeport", "only4"
SECRET = "c2VjcmV0IG9mIGEgdGVzdCwgbm90IG9mIGFueWJvZHk="
ZONES = "homes.example", "signed.example"

ZONE = """\
{zone}. 60 SOA ns.{zone}. admin.{zone}. 1 3600 600 86400 60
{zone}. 60 NS ns.{zone}.
ns.{zone}. 60 {kind} {address}
alias.{zone}. 60 CNAME ns.{zone}.
"""


def program(name):
    """Its path, or None. Debian's servers are in /usr/sbin, which not everybody has in his PATH."""
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")


class NameServer:
    needs = ()  # programs

    def __init__(self, run, folder, address="127.0.0.1", port=None, ahead_s=0):
        """ahead_s: its clock is not ours."""
        self.address, self.port = address, port or free_port(address)
        self.folder = folder / type(self).__name__
        self.folder.mkdir()
        self._environment = dict(os.environ)
        if ahead_s:
            self._environment |= {"LD_PRELOAD": str(BUILD / "tests/shifted_clock.so"), "SHIFTED_CLOCK_S": str(ahead_s)}
        kind = "AAAA" if ":" in address else "A"
        for zone in ZONES:
            (self.folder / zone).write_text(ZONE.format(zone=zone, kind=kind, address=address))
        self.process = run.start(*self.configure(), env=self._environment, cwd=self.folder)
        for zone in ZONES:
            wait_until(lambda: self.record(kind, f"ns.{zone}"), f"{self.process.name} answers")

    @classmethod
    def missing(cls):
        """Why it cannot be here; None: it can."""
        names = [name for name in cls.needs if not program(name)]
        return f"needs {', '.join(names)}" if names else None

    @property
    def server(self):
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def ask(self, kind, name, *options):
        done = subprocess.run([program("kdig"), "+time=1", "+tcp", *options, f"@{self.address}", "-p", str(self.port),
                               name, kind], text=True, capture_output=True)
        return done.stdout if done.returncode == 0 else ""

    def records(self, kind, name):
        return self.ask(kind, name, "+short").split()

    def record(self, kind, name):
        found = self.records(kind, name)
        return found[0] if found else None

    def serial(self, zone=ZONES[0]):
        """It grows with each message that changes something."""
        return int(self.records("SOA", zone)[2])


class Bind(NameServer):
    needs = "named", "kdig"

    def configure(self):
        (self.folder / "named.conf").write_text(f"""\
key "{KEY}" {{ algorithm hmac-sha256; secret "{SECRET}"; }};
key "{ONLY4}" {{ algorithm hmac-sha512; secret "{SECRET}"; }};
controls {{ }};
options {{
	directory "{self.folder}";
	managed-keys-directory "{self.folder}";
	listen-on port {self.port} {{ {self.address}; }};
	listen-on-v6 {{ none; }};
	pid-file none;
	session-keyfile none;
	recursion no;
	dnssec-validation no;
	notify no;
}};
dnssec-policy csk {{ keys {{ csk lifetime unlimited algorithm ecdsap256sha256; }}; }};
zone "homes.example" {{
	type primary;
	file "homes.example";
	update-policy {{
		deny {KEY} name ns.homes.example;
		grant {KEY} subdomain homes.example A AAAA TXT;
		grant {ONLY4} name only4.homes.example A;
	}};
}};
zone "signed.example" {{
	type primary;
	file "signed.example";
	dnssec-policy csk;
	inline-signing yes;
	update-policy {{ grant {KEY} subdomain signed.example A AAAA TXT; }};
}};
""")
        return program("named"), "-g", "-n", "1", "-c", self.folder / "named.conf"


class Knot(NameServer):
    needs = "knotd", "kdig"

    def configure(self):
        (self.folder / "knot.conf").write_text(f"""\
server:
  listen: {self.address}@{self.port}
  rundir: {self.folder}
  tcp-workers: 1
  udp-workers: 1
  background-workers: 1
database:
  storage: {self.folder}
key:
  - id: {KEY}
    algorithm: hmac-sha256
    secret: {SECRET}
  - id: {ONLY4}
    algorithm: hmac-sha512
    secret: {SECRET}
acl:
  - id: below
    key: {KEY}
    action: update
    update-type: [A, AAAA, TXT]
    update-owner: zone
    update-owner-match: sub
  - id: only4
    key: {ONLY4}
    action: update
    update-type: A
    update-owner: name
    update-owner-name: only4
template:
  - id: default
    storage: {self.folder}
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: changes
    acl: [below, only4]
zone:
  - domain: homes.example
    file: homes.example
  - domain: signed.example
    file: signed.example
    dnssec-signing: on
""")
        return program("knotd"), "-c", self.folder / "knot.conf"


class PowerDns(NameServer):
    needs = "pdns_server", "pdnsutil", "kdig"

    @classmethod
    def _schema(cls):
        return pathlib.Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")

    @classmethod
    def missing(cls):
        return super().missing() or (None if cls._schema().exists() else "needs pdns-backend-sqlite3")

    def configure(self):
        # Without a server to ask whether it is up to date: that would be somebody on the internet.
        (self.folder / "pdns.conf").write_text(f"""\
launch=gsqlite3
gsqlite3-database={self.folder}/zones.sqlite3
gsqlite3-dnssec=yes
local-address={self.address}
local-port={self.port}
socket-dir={self.folder}
security-poll-suffix=
zone-cache-refresh-interval=0
dnsupdate=yes
""")
        with sqlite3.connect(self.folder / "zones.sqlite3") as zones:
            zones.executescript(self._schema().read_text())
        self._set("import-tsig-key", KEY, "hmac-sha256", SECRET)
        for zone in ZONES:
            self._set("load-zone", zone, self.folder / zone)
            self._set("set-meta", zone, "TSIG-ALLOW-DNSUPDATE", KEY)
            self._set("set-meta", zone, "SOA-EDIT-DNSUPDATE", "INCREASE")
        self._set("secure-zone", ZONES[1])
        return program("pdns_server"), f"--config-dir={self.folder}", "--daemon=no", "--guardian=no"

    def _set(self, *words):
        subprocess.run([program("pdnsutil"), f"--config-dir={self.folder}", *[str(word) for word in words]], check=True,
                       capture_output=True)
