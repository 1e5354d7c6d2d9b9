"""The services that visitors come for, and two ways to them: none but TCP, and homeport's.

A way has ports in public for bulk, web and (or None) udp, and the processes it consists of. What
it is beside is in peers.py.
"""
import json
import os
import pwd
import re
import socket

from stage import Failed, answers, fetch, find, free_ports, free_range

USER = pwd.getpwuid(os.getuid()).pw_name

# What a crowd behind one address, which the load is, would run into; all else is as installed.
RAISED = {"new-per-source": 1000000, "new-per-agent": 1000000, "connections-per-source": 100000}


class Services:
    """A source and sink of bytes and one of datagrams, and a web server with a page of 1 KiB and a
    file of 1 MiB."""

    def __init__(self, place, build):
        stage = place.home.stage
        tools = build / "tests/bench"
        bulk = stage.start("bulk", tools / "bulk", "serve")
        self.bulk = int(stage.wait(bulk, lambda: stage.log("bulk").strip(), "the bulk service"))
        datagrams = stage.start("datagrams", tools / "datagrams", "serve")
        self.udp = int(stage.wait(datagrams, lambda: stage.log("datagrams").strip(),
                                  "the datagram service"))
        self.web = free_ports(1)[0]
        self.folder = place.folder / "www"
        self.folder.mkdir()
        (self.folder / "index.html").write_bytes(b"x" * 1024)
        (self.folder / "large.bin").write_bytes(os.urandom(1024 * 1024))
        config = place.folder / "nginx.conf"
        config.write_text(self._nginx(place.folder))
        nginx = stage.start("nginx", find("nginx"), "-p", place.folder, "-e", "stderr", "-c", config)
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
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	server {{ listen 127.0.0.1:{self.web} backlog=4096; root {self.folder}; }}
}}
"""


class LineServices:
    """The source and sink of bytes alone, at home."""

    def __init__(self, place, build):
        stage = place.home.stage
        bulk = place.home.start("line-bulk", build / "tests/bench/bulk", "serve", "0.0.0.0")
        self.bulk = int(stage.wait(bulk, lambda: stage.log("line-bulk").strip(), "the bulk service"))
        self.web = self.udp = None


class Direct:
    name = "direct"

    def __init__(self, place, services, build):
        self.address = place.home.address
        self.bulk, self.web, self.udp = services.bulk, services.web, services.udp

    def pids(self):
        """At home, in public."""
        return [], []


class Homeport:
    """A gateway, and an agent with TCP and UDP services on ports of the gateway's range, and one
    for HTTP with a name."""
    name = "homeport"
    carriers = 2
    host = "web.localhost"

    def __init__(self, place, services, build):
        self.place, self.build = place, build
        stage, self.address = place.home.stage, place.public.address
        with place.public.inside():
            self.https, self.http = free_ports(2, self.address)
            self.bulk = free_range(3, self.address)
        self.web = self.bulk + 1 if services.web else None
        self.udp = self.bulk + 2 if services.udp else None
        self.config = place.folder / "gateway.conf"
        self.config.write_text(self._gateway_config())
        self.gateway = place.public.start(f"{place.folder.name}-gateway", *self._gateway("run"))
        stage.wait(self.gateway, self._is_up, "the gateway")
        self.join("agent", *([self.host] if self.web else []))
        config = place.folder / "agent.conf"
        config.write_text(self._agent_config(services))
        self.agent = place.home.start(f"{place.folder.name}-agent",
                                      *self.homeport("agent", "--config", config, "up"))
        stage.wait(self.agent, self._serves, "homeport up")

    def _is_up(self):
        with self.place.public.inside():
            return answers(self.http, self.address)

    def _serves(self):
        with self.place.public.inside():
            if not self.web:
                return answers(self.bulk, self.address)
            return fetch(self.web) == 200 and fetch(self.http, self.host) == 200

    def _gateway_config(self):
        limits = "\n".join(f"{key} = {value}" for key, value in RAISED.items())
        return f"""\
[gateway]
domain = localhost
address = {self.address}:{self.https}

[listen]
https = {self.address}:{self.https}
http = {self.address}:{self.http}
ports = {self.bulk}-{self.bulk + 2}

[limits]
{limits}
"""

    def _agent_config(self, services):
        config = f"""\
[gateway]
carriers = {self.carriers}

[service bulk]
to = tcp://127.0.0.1:{services.bulk}
port = {self.bulk}
"""
        if self.web:
            config += f"""
[service web]
to = tcp://127.0.0.1:{services.web}
port = {self.web}

[service site]
to = http://127.0.0.1:{services.web}
name = {self.host}
"""
        if self.udp:
            config += f"""
[service datagrams]
to = udp://127.0.0.1:{services.udp}
port = {self.udp}
"""
        return config

    def _gateway(self, *args):
        return [self.build / "src/homeport-gateway", "--config", self.config,
                "--state", self.place.folder / "gateway", *args]

    def homeport(self, agent, *args):
        """A command line; each agent has its state in a folder of its name."""
        return [self.build / "src/homeport", "--state", self.place.folder / agent, *args]

    def join(self, agent, *names):
        """Pair a new agent."""
        options = [word for name in names for word in ("--name", name)]
        said = self.place.public.run(*self._gateway("invite", agent, *options))
        self.place.home.run(*self.homeport(agent, "join"),
                            stdin=re.search(r"hp1:\S+", said)[0] + "\n")

    def invite_many(self, first, n):
        """Pairing codes for so many new agents, over one connection to the control socket."""
        codes = []
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.place.folder / "gateway/gateway.sock"))
            with s.makefile("rw") as lines:
                for i in range(first, first + n):
                    print(json.dumps({"command": "invite", "agent": f"idle-{i}"}), file=lines,
                          flush=True)
                    answer = json.loads(lines.readline())
                    if not answer["ok"]:
                        raise Failed(f"invite {i}: {answer['error']}")
                    codes.append(answer["code"])
        return codes

    def limits(self):
        """{limit: what it is unless somebody sets it}"""
        config = self.place.folder / "as-installed.conf"
        config.write_text("[gateway]\ndomain = localhost\n")
        said = self.place.public.run(self.build / "src/homeport-gateway", "--config", config,
                                     "config")
        return dict(re.findall(r"^# default: ([\w-]+) = (\d+)$", said.partition("[limits]")[2], re.M))

    def pids(self):
        return [self.agent.pid], [self.gateway.pid]


class OneCarrier(Homeport):
    name = "homeport, one carrier"
    carriers = 1
