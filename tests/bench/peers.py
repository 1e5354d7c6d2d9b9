"""What homeport is beside. Each is set up as its documentation says, and for speed where it says
how; keys are made for the run, and nothing of the user's is read.
"""
import os
import pathlib
import re

from place import certificate
from stage import Missing, answers, family, find, free_ports
from ways import USER

CIPHER = "aes128-gcm@openssh.com"
BORE_PORT = 7835  # it takes no other


def _serves(place, ports):
    """Whether all these ports are open in public."""
    with place.public.inside():
        return all(answers(port, place.public.address) for port in ports if port)


class Peer:
    """Takes two ports in public: bulk and, if there is a web service, web."""
    udp = None

    def __init__(self, place, services, build):
        self.place, self.services, self.build = place, services, build
        self.stage, self.address = place.home.stage, place.public.address
        self.folder, self.label = place.folder, place.folder.name
        with place.public.inside():
            self.link, self.link_web, self.bulk, self.web = free_ports(4, self.address)
        if not services.web:
            self.link_web = self.web = None
        self.start()

    def pairs(self):
        """(port in public, port of the service, port between) of what is there."""
        found = [(self.bulk, self.services.bulk, self.link)]
        if self.web:
            found.append((self.web, self.services.web, self.link_web))
        return found

    def up(self, process):
        self.stage.wait(process, lambda: _serves(self.place, [self.bulk, self.web]), self.name)

    def program(self, name):
        """Where scripts/install-peers puts them, or on the path."""
        return find(name, self.build / "peers/bin")

    def pids(self):
        """At home, in public."""
        return family(self.home.pid), family(self.public.pid)


class Ssh(Peer):
    """One connection, and an sshd of its own."""
    name = "ssh -R"
    program_name, version_args, version_pattern = "ssh", ["-V"], r"OpenSSH_([\w.]+)"

    def start(self):
        sshd, ssh, keygen = find("sshd"), find("ssh"), find("ssh-keygen")
        home, public, folder = self.place.home, self.place.public, self.folder
        folder.chmod(0o700)
        if os.geteuid() == 0:
            self.stage.make(pathlib.Path("/run/sshd"))  # where root's sshd changes its root to
        for key in ("host", "user"):
            self.stage.run(keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
        (folder / "known").write_text(
            f"[{self.address}]:{self.link} {(folder / 'host.pub').read_text()}")
        (folder / "sshd.conf").write_text(f"""\
ListenAddress {public.at(self.link)}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
GatewayPorts clientspecified
Ciphers {CIPHER}
LogLevel ERROR
""")
        self.public = public.start(f"{self.label}-sshd", sshd, "-D", "-e", "-f",
                                   folder / "sshd.conf")
        self.stage.wait(self.public, lambda: _serves(self.place, [self.link]), "sshd")
        options = ["IdentitiesOnly=yes", "BatchMode=yes", f"UserKnownHostsFile={folder}/known",
                   "StrictHostKeyChecking=yes", "ExitOnForwardFailure=yes"]
        self.home = home.start(
            f"{self.label}-ssh", ssh, "-F", "none", "-N", "-T", "-p", self.link,
            "-i", folder / "user", "-c", CIPHER,
            *(word for option in options for word in ("-o", option)),
            *(word for port, to, _ in self.pairs()
              for word in ("-R", f"{public.at(port)}:127.0.0.1:{to}")),
            f"{USER}@{self.address}")
        self.up(self.home)


class HAProxy(Peer):
    """Two processes, TLS 1.3 between them, a connection for each visitor. It dials from the public
    side, having no way to dial from home."""
    name = "HAProxy"
    program_name, version_args, version_pattern = "haproxy", ["-v"], r"version ([\w.]+)"

    def start(self):
        haproxy = find("haproxy")
        tls = certificate(self.stage)
        head = """\
global
	nbthread 1
	maxconn 8000
	ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
	ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
defaults
	mode tcp
	timeout connect 10s
	timeout client 1h
	timeout server 1h
"""
        home = public = head
        for port, to, between in self.pairs():
            home += f"""\
listen to-{to}
	bind {self.place.home.at(between)} ssl crt {tls}/both.pem ssl-min-ver TLSv1.3 backlog 4096
	server service 127.0.0.1:{to}
"""
            public += f"""\
listen from-{port}
	bind {self.place.public.at(port)} backlog 4096
	server home {self.place.home.at(between)} ssl verify required ca-file {tls}/certificate.pem \
verifyhost localhost
"""
        (self.folder / "home.cfg").write_text(home)
        (self.folder / "public.cfg").write_text(public)
        self.home = self.place.home.start(f"{self.label}-home", haproxy, "-db", "-f",
                                          self.folder / "home.cfg")
        self.public = self.place.public.start(f"{self.label}-public", haproxy, "-db", "-f",
                                              self.folder / "public.cfg")
        self.up(self.public)


class Nginx(Peer):
    """Its stream module, as HAProxy."""
    name = "nginx"
    program_name, version_args, version_pattern = "nginx", ["-v"], r"nginx/([\w.]+)"
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"

    def start(self):
        nginx = find("nginx")
        tls = certificate(self.stage)
        load = f"load_module {self.module};" if os.path.exists(self.module) else ""
        said = self.stage.run(nginx, "-V", both=True)
        if not load and "--with-stream " not in said:
            raise Missing("nginx has no stream module")
        home = public = ""
        for port, to, between in self.pairs():
            home += f"""\
	server {{
		listen {self.place.home.at(between)} ssl backlog=4096;
		ssl_certificate {tls}/certificate.pem;
		ssl_certificate_key {tls}/key.pem;
		ssl_protocols TLSv1.3;
		ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
		ssl_session_cache shared:bench:1m;
		proxy_pass 127.0.0.1:{to};
	}}
"""
            public += f"""\
	server {{
		listen {self.place.public.at(port)} backlog=4096;
		proxy_ssl on;
		proxy_ssl_protocols TLSv1.3;
		proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
		proxy_ssl_verify on;
		proxy_ssl_trusted_certificate {tls}/certificate.pem;
		proxy_ssl_name localhost;
		proxy_pass {self.place.home.at(between)};
	}}
"""
        ends = {}
        for end, servers in ("home", home), ("public", public):
            path = self.folder / end
            path.mkdir()
            (path / "nginx.conf").write_text(f"""\
{load}
{f"user {USER};" if os.geteuid() == 0 else ""}
worker_processes 1;
daemon off;
pid {path}/nginx.pid;
error_log stderr;
events {{ worker_connections 8192; }}
stream {{
	proxy_buffer_size 64k;
	proxy_half_close on;
	proxy_timeout 1h;
{servers}}}
""")
            spot = getattr(self.place, end)
            ends[end] = spot.start(f"{self.label}-{end}", nginx, "-p", path, "-e", "stderr",
                                   "-c", path / "nginx.conf")
        self.home, self.public = ends["home"], ends["public"]
        self.up(self.public)


class Rathole(Peer):
    """TLS; a connection for each visitor, dialled from home."""
    name = "rathole"
    program_name, version_args, version_pattern = "rathole", ["--version"], r"Version:\s+([\w.]+)"

    def start(self):
        rathole = self.program("rathole")
        tls = certificate(self.stage)
        self.udp = free_ports(1)[0] if self.services.udp else None
        services = [(f"tcp-{port}", "tcp", port, to) for port, to, _ in self.pairs()]
        if self.udp:
            services.append(("udp", "udp", self.udp, self.services.udp))
        server = f"""\
[server]
bind_addr = "{self.place.public.at(self.link)}"
default_token = "bench"
[server.transport]
type = "tls"
[server.transport.tls]
pkcs12 = "{tls}/both.p12"
pkcs12_password = "bench"
"""
        client = f"""\
[client]
remote_addr = "{self.place.public.at(self.link)}"
default_token = "bench"
[client.transport]
type = "tls"
[client.transport.tls]
trusted_root = "{tls}/certificate.pem"
hostname = "localhost"
"""
        for name, kind, port, to in services:
            server += f"""\
[server.services.{name}]
type = "{kind}"
bind_addr = "{self.place.public.at(port)}"
"""
            client += f"""\
[client.services.{name}]
type = "{kind}"
local_addr = "127.0.0.1:{to}"
"""
        (self.folder / "server.toml").write_text(server)
        (self.folder / "client.toml").write_text(client)
        self.public = self.place.public.start(f"{self.label}-server", rathole, "--server",
                                              self.folder / "server.toml")
        self.home = self.place.home.start(f"{self.label}-client", rathole, "--client",
                                          self.folder / "client.toml")
        self.up(self.home)


class Bore(Peer):
    """No encryption, one process for each service."""
    name = "bore"
    program_name, version_args, version_pattern = "bore", ["--version"], r"bore-cli ([\w.]+)"

    def start(self):
        bore = self.program("bore")
        with self.place.public.inside():
            if answers(BORE_PORT, self.address):
                raise Missing(f"somebody listens on port {BORE_PORT}, the only one it takes")
        self.public = self.place.public.start(
            f"{self.label}-server", bore, "server", "--bind-addr", self.address,
            "--secret", "bench")
        self.stage.wait(self.public, lambda: _serves(self.place, [BORE_PORT]), "bore server")
        self.locals = [self.place.home.start(
            f"{self.label}-local-{port}", bore, "local", to, "--to", self.address, "--port", port,
            "--secret", "bench") for port, to, _ in self.pairs()]
        self.up(self.locals[-1])

    def pids(self):
        return [process.pid for process in self.locals], [self.public.pid]


class Frp(Peer):
    """TLS, one connection for all visitors."""
    name = "frp"
    program_name, version_args, version_pattern = "frps", ["--version"], r"([\d.]+)"

    def start(self):
        frps, frpc = self.program("frps"), self.program("frpc")
        tls = certificate(self.stage)
        self.udp = free_ports(1)[0] if self.services.udp else None
        (self.folder / "frps.toml").write_text(f"""\
bindAddr = "{self.address}"
bindPort = {self.link}
auth.token = "bench"
log.level = "error"
transport.tls.force = true
transport.tls.certFile = "{tls}/certificate.pem"
transport.tls.keyFile = "{tls}/key.pem"
""")
        client = f"""\
serverAddr = "{self.address}"
serverPort = {self.link}
auth.token = "bench"
log.level = "error"
transport.tls.enable = true
transport.tls.trustedCaFile = "{tls}/certificate.pem"
transport.tls.serverName = "localhost"
"""
        proxies = [("tcp", port, to) for port, to, _ in self.pairs()]
        if self.udp:
            proxies.append(("udp", self.udp, self.services.udp))
        for kind, port, to in proxies:
            client += f"""
[[proxies]]
name = "{kind}-{port}"
type = "{kind}"
localIP = "127.0.0.1"
localPort = {to}
remotePort = {port}
"""
        (self.folder / "frpc.toml").write_text(client)
        self.public = self.place.public.start(f"{self.label}-frps", frps, "-c",
                                              self.folder / "frps.toml")
        self.stage.wait(self.public, lambda: _serves(self.place, [self.link]), "frps")
        self.home = self.place.home.start(f"{self.label}-frpc", frpc, "-c",
                                          self.folder / "frpc.toml")
        self.up(self.home)


class Chisel(Peer):
    """ssh inside a WebSocket, one connection for all visitors."""
    name = "chisel"
    program_name, version_args, version_pattern = "chisel", ["--version"], r"([\d.]+)"

    def start(self):
        chisel = self.program("chisel")
        key = self.folder / "key"
        self.stage.run(chisel, "server", "--keygen", key)
        self.public = self.place.public.start(
            f"{self.label}-server", chisel, "server", "--reverse", "--host", self.address,
            "--port", self.link, "--keyfile", key)
        self.stage.wait(self.public, lambda: _serves(self.place, [self.link]), "chisel server")
        fingerprint = re.search(r"Fingerprint (\S+)", self.stage.log(self.public.name))[1]
        self.home = self.place.home.start(
            f"{self.label}-client", chisel, "client", "--fingerprint", fingerprint,
            f"http://{self.place.public.at(self.link)}",
            *(f"R:{self.place.public.at(port)}:127.0.0.1:{to}" for port, to, _ in self.pairs()))
        self.up(self.home)


PEERS = [Ssh, HAProxy, Nginx, Rathole, Frp, Bore, Chisel]
