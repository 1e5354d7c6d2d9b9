"""The services that visitors come for, and the ways to them, each with ports for bulk and web."""
import os
import pathlib
import pwd
import re

from stage import answers, family, fetch, find, free_ports, free_range

USER = pwd.getpwuid(os.getuid()).pw_name
CIPHER = "aes128-gcm@openssh.com"

# What a crowd behind one address, which the load is, would run into; all else is as installed.
RAISED = {"new-per-source": 1000000, "new-per-agent": 1000000}


class Services:
    """A source and sink, and a web server with one page of 1 KiB."""

    def __init__(self, stage, tool):
        bulk = stage.start("bulk", tool, "serve")
        self.bulk = int(stage.wait(bulk, lambda: stage.log("bulk").strip(), "the bulk service"))
        self.web = free_ports(1)[0]
        self.folder = stage.path / "www"
        self.folder.mkdir()
        (self.folder / "index.html").write_bytes(b"x" * 1024)
        config = stage.path / "nginx.conf"
        config.write_text(self._nginx(stage.path))
        nginx = stage.start("nginx", find("nginx"), "-p", stage.path, "-e", "stderr", "-c", config)
        stage.wait(nginx, lambda: fetch(self.web) == 200, "nginx")

    def _nginx(self, path):
        temporary = "\n".join(f"\t{what}_temp_path {path}/nginx-{what};"
                              for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""\
{f"user {USER};" if os.geteuid() == 0 else ""}
worker_processes 1;
daemon off;
pid {path}/nginx.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
{temporary}
	access_log off;
	keepalive_requests 1000000000;
	server {{ listen 127.0.0.1:{self.web} backlog=4096; root {self.folder}; }}
}}
"""


class Direct:
    name = "direct"

    def __init__(self, stage, services, build):
        self.bulk, self.web = services.bulk, services.web

    def pids(self):
        """At home, in public."""
        return [], []


class Ssh:
    """ssh -R to an sshd of our own: keys made for this run, nothing of the user's read."""
    name = "ssh -R"

    def __init__(self, stage, services, build):
        sshd, ssh, keygen = find("sshd"), find("ssh"), find("ssh-keygen")
        folder = stage.path / "ssh"
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            stage.make(pathlib.Path("/run/sshd"))  # where root's sshd changes its root to
        for key in ("host", "user"):
            stage.run(keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
        port, self.bulk, self.web = free_ports(3)
        (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
        (folder / "sshd.conf").write_text(f"""\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Ciphers {CIPHER}
LogLevel ERROR
""")
        self.sshd = stage.start("sshd", sshd, "-D", "-e", "-f", folder / "sshd.conf")
        stage.wait(self.sshd, lambda: answers(port), "sshd")
        options = ["IdentitiesOnly=yes", "BatchMode=yes", f"UserKnownHostsFile={folder}/known",
                   "StrictHostKeyChecking=yes", "ExitOnForwardFailure=yes"]
        self.ssh = stage.start(
            "ssh", ssh, "-F", "none", "-N", "-T", "-p", port, "-i", folder / "user", "-c", CIPHER,
            *(word for option in options for word in ("-o", option)),
            "-R", f"127.0.0.1:{self.bulk}:127.0.0.1:{services.bulk}",
            "-R", f"127.0.0.1:{self.web}:127.0.0.1:{services.web}", f"{USER}@127.0.0.1")
        stage.wait(self.ssh, lambda: fetch(self.web) == 200, "ssh -R")

    def pids(self):
        return [self.ssh.pid], family(self.sshd.pid)


class Homeport:
    """A gateway, and an agent with two TCP services on ports of the gateway's range."""
    name = "homeport"

    def __init__(self, stage, services, build):
        self.stage, self.build = stage, build
        self.https, self.http = free_ports(2)
        self.bulk = free_range(2)
        self.web = self.bulk + 1
        self.config = stage.path / "gateway.conf"
        self.config.write_text(self._gateway_config())
        self.gateway = stage.start("gateway", *self._gateway("run"))
        stage.wait(self.gateway, lambda: answers(self.http), "the gateway")
        self.join("agent")
        config = stage.path / "agent.conf"
        config.write_text(f"""\
[service bulk]
to = tcp://127.0.0.1:{services.bulk}
port = {self.bulk}

[service web]
to = tcp://127.0.0.1:{services.web}
port = {self.web}
""")
        self.agent = stage.start("agent", *self.homeport("agent", "--config", config, "up"))
        stage.wait(self.agent, lambda: fetch(self.web) == 200, "homeport up")

    def _gateway_config(self):
        limits = "\n".join(f"{key} = {value}" for key, value in RAISED.items())
        return f"""\
[gateway]
domain = localhost
address = 127.0.0.1:{self.https}

[listen]
https = 127.0.0.1:{self.https}
http = 127.0.0.1:{self.http}
ports = {self.bulk}-{self.web}

[limits]
{limits}
"""

    def _gateway(self, *args):
        return [self.build / "src/homeport-gateway", "--config", self.config,
                "--state", self.stage.path / "gateway", *args]

    def homeport(self, agent, *args):
        """A command line; each agent has its state in a folder of its name."""
        return [self.build / "src/homeport", "--state", self.stage.path / agent, *args]

    def join(self, agent, *names):
        """Pair a new agent."""
        options = [word for name in names for word in ("--name", name)]
        said = self.stage.run(*self._gateway("invite", agent, *options))
        self.stage.run(*self.homeport(agent, "join"), stdin=re.search(r"hp1:\S+", said)[0] + "\n")

    def pids(self):
        return [self.agent.pid], [self.gateway.pid]


WAYS = [Direct, Ssh, Homeport]
