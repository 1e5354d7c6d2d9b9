"""`homeport import` of whole files, compared with what is stored here, and `homeport dns providers`.

The files NAME.out and NAME.err are what it printed; HOMEPORT_GOLDEN=1 writes them anew, to be read.
"""
import base64
import fcntl
import json
import os
import re
import socket
import stat
import struct
import subprocess
import threading
import urllib.parse

import pytest

from harness import ROOT, Agent, command

FILES = ROOT / "tests/system/import"
SECRETS = ["a # b", "cloudflare-token", "duck-token", "comma,", "google-secret", "hover-secret", "sk1", 'dyn "secret"',
           "own-secret", "strange-secret", "noip-secret"]


@pytest.fixture
def lone(run):
    return Agent(run)


def golden(name, text, lone):
    text = text.replace(str(lone.state.resolve()), "STATE").replace(str(FILES) + "/", "")
    path = FILES / name
    if os.environ.get("HOMEPORT_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def imported(lone, *args, **options):
    done = lone.command("import", *args, **options)
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr
    return done


def secrets(lone, folder=None):
    folder = folder or lone.state / "secrets"
    files = sorted(folder.iterdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    return {file.name: file.read_text() for file in files}


def ledger(lone):
    return json.loads((lone.state / "dns.json").read_text())["names"]


def noip2(request, last_ip=b"198.51.100.9", program=b"", order="<"):
    """no-ip2.conf, as noip2 writes it."""
    request, program = base64.b64encode(request.encode()), base64.b64encode(program)
    magic = struct.pack(order + "IHHBBBB16s", 0x414A324C, len(request), len(program), 1, 1, 1, 0, b"eth0")
    check = sum(magic + request + program) & 0xFFFF
    return struct.pack(order + "16sHH", last_ip, 30, check) + magic + request + program


# ---- the three formats

def test_ddclient(lone):
    done = imported(lone, FILES / "ddclient.conf", "--cache", FILES / "ddclient.cache")
    golden("ddclient.out", done.stdout, lone)
    golden("ddclient.err", done.stderr, lone)
    assert secrets(lone) == {
        "home.example.org.secret": 'a # b, "c"\n',
        "www.example.net.secret": "cloudflare-token\n",
        "ann.duckdns.org.secret": "duck-token\n",
        "ann.ddns.net.secret": "comma,\n",
        "old.example.com.secret": "google-secret\n",
        "odd.example.com.secret": "hover-secret,\n",
        "a.example.dev.secret": "sk1\n",
    }
    names = ledger(lone)
    assert {key: (entry["published"], entry["confirmed"]) for key, entry in names.items()} == {
        "dyn home.example.org A": ("198.51.100.7", 1799999000),
        "noip ann.ddns.net A": ("198.51.100.7", 1799998000),
        "noip ann.ddns.net AAAA": ("2001:db8:7::1", 1799998000),
    }
    assert all(entry["state"] == "IDLE" and entry["sure"] for entry in names.values())


def test_inadyn(lone, tmp_path):
    for name, address in [("dyndns.org-home.example.org", "198.51.100.7"), ("default@duckdns.org-ann.duckdns.org", "x")]:
        (tmp_path / f"{name}.cache").write_text(address)
        os.utime(tmp_path / f"{name}.cache", (1799999000, 1799999000))
    done = imported(lone, FILES / "inadyn.conf", "--cache", tmp_path)
    golden("inadyn.out", done.stdout, lone)
    golden("inadyn.err", done.stderr, lone)
    assert secrets(lone)["home.example.org.secret"] == 'dyn "secret"\n'
    assert secrets(lone)["ann.duckdns.org.secret"] == "duck-token\n"
    assert {key: (entry["published"], entry["confirmed"]) for key, entry in ledger(lone).items()} == {
        "dyn home.example.org A": ("198.51.100.7", 1799999000)}


@pytest.mark.parametrize("order", "<>")
def test_noip2(lone, tmp_path, order):
    who = urllib.parse.quote("ann@example.org")
    (tmp_path / "old").write_bytes(noip2(f"username={who}&pass=noip-secret&h[]=ann.ddns.net&g[]=family", order=order))
    os.utime(tmp_path / "old", (1799999000, 1799999000))
    done = imported(lone, tmp_path / "old")
    golden("noip2.out", done.stdout, lone)
    golden("noip2.err", done.stderr.replace(str(tmp_path) + "/", ""), lone)
    assert secrets(lone) == {"ann.ddns.net.secret": "noip-secret\n"}
    assert {key: (entry["published"], entry["confirmed"]) for key, entry in ledger(lone).items()} == {
        "noip ann.ddns.net A": ("198.51.100.9", 1799999000), "noip family A": ("198.51.100.9", 1799999000)}


@pytest.mark.parametrize("client", ["ddclient", "inadyn"])
def test_the_result_is_a_configuration(lone, client):
    imported(lone, FILES / f"{client}.conf", "--output", lone.config)
    text = lone.config.read_text()
    shown = lone.command("config").stdout
    names = re.findall(r"^\[dns (.*)\]$", text, re.MULTILINE)
    assert len(names) >= 5 and re.findall(r"^\[dns (.*)\]$", shown, re.MULTILINE) == names
    # and so are those that are comments only, once somebody has mended what is said
    assert re.search(r"^# line \d+, provider .*: .*\n# \[dns ", text, re.MULTILINE)


def test_whose_file_it_is(lone, tmp_path):
    """By its content when the name says nothing; --from decides."""
    for client in "ddclient", "inadyn":
        copy = tmp_path / f"copy-{client[:2]}"
        copy.write_text((FILES / f"{client}.conf").read_text())
        done = imported(lone, copy, "--secrets", tmp_path / client)
        assert done.stderr.endswith(f"Stop {client} before homeport keeps them.\n")
    done = lone.command("import", "--from", "inadyn", FILES / "ddclient.conf", expect=1)
    assert re.fullmatch(rf"homeport import: {FILES}/ddclient.conf: line \d+: .*\n", done.stderr)
    assert "must be ddclient, inadyn or noip2" in lone.command("import", "--from", "x", copy, expect=1).stderr


# ---- files

def test_nothing_is_overwritten(lone, tmp_path):
    output = tmp_path / "dns.conf"
    argv = [FILES / "ddclient.conf", "--cache", FILES / "ddclient.cache", "--output", output]
    assert imported(lone, *argv).stdout == ""
    golden("ddclient.out", output.read_text(), lone)
    before = output.stat()

    done = imported(lone, *argv, expect=1)
    assert f"{output} is there already (--force overwrites it)" in done.stderr
    assert output.stat() == before
    imported(lone, *argv[:3])  # the same secrets are no obstacle

    secret = lone.state / "secrets/ann.ddns.net.secret"
    secret.write_text("changed by hand\n")
    entry = ledger(lone)["dyn home.example.org A"]
    (lone.state / "dns.json").write_text(json.dumps(
        {"version": 1, "names": {"dyn home.example.org A": entry | {"published": "198.51.100.99"}}}))
    done = imported(lone, *argv[:3], expect=1)
    assert f"{secret} is there already with another secret" in done.stderr
    assert (done.stdout, secret.read_text()) == ("", "changed by hand\n")

    imported(lone, *argv[:3], "--secrets", tmp_path / "elsewhere")
    assert ledger(lone)["dyn home.example.org A"]["published"] == "198.51.100.99"
    assert "noip ann.ddns.net A" in ledger(lone)

    imported(lone, *argv, "--force")
    assert secret.read_text() == "comma,\n" and stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert ledger(lone)["dyn home.example.org A"]["published"] == "198.51.100.7"
    assert not list(tmp_path.glob("*.tmp")) and not list(lone.state.rglob("*.tmp"))


def test_a_secret_that_others_can_read_is_no_secret(lone):
    argv = [FILES / "ddclient.conf"]
    imported(lone, *argv)
    (lone.state / "secrets/ann.ddns.net.secret").chmod(0o644)
    assert "is there already" in imported(lone, *argv, expect=1).stderr


def test_another_folder_for_secrets(lone, tmp_path):
    done = imported(lone, FILES / "ddclient.conf", "--secrets", tmp_path / "a/b")
    assert f"password-file = {tmp_path}/a/b/home.example.org.secret\n" in done.stdout
    assert secrets(lone, tmp_path / "a/b")["www.example.net.secret"] == "cloudflare-token\n"
    assert not (lone.state / "secrets").exists()


def test_nothing_published_leaves_no_trace(lone):
    imported(lone, FILES / "ddclient.conf")
    assert not (lone.state / "dns.json").exists()


def test_a_damaged_ledger(lone):
    argv = [FILES / "ddclient.conf", "--cache", FILES / "ddclient.cache"]
    lone.state.mkdir()
    (lone.state / "dns.json").write_text("{")
    assert "dns.json is damaged" in imported(lone, *argv, expect=1).stderr
    assert (lone.state / "dns.json").read_text() == "{"
    imported(lone, *argv, "--force")
    assert len(ledger(lone)) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_imports_for_the_service(lone):
    """The state folder is the service's own: it must be able to read what root put there."""
    lone.state.mkdir()
    os.chown(lone.state, 4321, 4321)
    imported(lone, FILES / "ddclient.conf", "--cache", FILES / "ddclient.cache")
    made = [path for path in lone.state.rglob("*")]
    assert {path.name for path in made} >= {"secrets", "dns.json", "www.example.net.secret"}
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(4321, 4321)}


@pytest.mark.parametrize("content, says", [
    (None, "No such file"),
    ("", "no names are in it"),
    ("provider dyndns.org {\n", "line 2: a name or \"}\" is missing"),
    ("x" * (256 * 1024 + 1), "longer than 256 KiB"),
])
def test_no_file_of_theirs(lone, tmp_path, content, says):
    path = tmp_path / "file"
    if content is not None:
        path.write_text(content)
    done = lone.command("import", path, expect=1)
    assert says in done.stderr and str(path) in done.stderr
    assert done.stdout == "" and not lone.state.exists()


def test_wrong_paths(lone, tmp_path):
    assert "is a folder" in lone.command("import", tmp_path, expect=1).stderr
    done = lone.command("import", FILES / "ddclient.conf", "--cache", tmp_path / "none", expect=1)
    assert f"cache of ddclient: {tmp_path}/none: No such file" in done.stderr
    (tmp_path / "no-ip2.conf").write_bytes(noip2("username=a&pass=noip-secret&h[]=ann.ddns.net"))
    done = imported(lone, tmp_path / "no-ip2.conf", "--cache", tmp_path, expect=1)
    assert "--cache: noip2 keeps that in FILE itself" in done.stderr


def test_odd_files_of_a_cache(lone, tmp_path):
    """Each costs itself only, and a pipe holds nobody up."""
    (tmp_path / "home.example.org.cache").write_text("198.51.100.7")
    (tmp_path / "folder.cache").mkdir()
    os.mkfifo(tmp_path / "pipe.cache")
    (tmp_path / "nowhere.cache").symlink_to(tmp_path / "none")
    (tmp_path / "large.cache").write_bytes(b"1" * (256 * 1024 + 1))
    done = imported(lone, FILES / "inadyn.conf", "--cache", tmp_path)
    for says in "folder.cache is a folder", "pipe.cache is no ordinary file", "nowhere.cache: No such", "large.cache: longer":
        assert done.stderr.count(f"inadyn.conf: {tmp_path}/{says}") == 1
    assert set(ledger(lone)) == {"dyn home.example.org A"}
    done = imported(lone, FILES / "ddclient.conf", "--cache", tmp_path / "pipe.cache", expect=1)
    assert "pipe.cache is no ordinary file" in done.stderr


def test_what_inadyn_conf_includes(lone, tmp_path):
    path, more, pipe = tmp_path / "inadyn.conf", lone.home.path / ".duck.pw", tmp_path / "pipe"
    more.write_text("username = duck-token\npassword = unused\n")
    os.mkfifo(pipe)
    path.write_text(f'provider duckdns {{ include("~/.duck.pw") include("{pipe}") hostname = ann.duckdns.org }}\n')
    done = imported(lone, path)
    assert secrets(lone) == {"ann.duckdns.org.secret": "duck-token\n"}
    assert "1 of 1 names" in done.stderr and f"include: {pipe} is no ordinary file" in done.stderr


def test_links_are_not_followed(lone, tmp_path):
    output, elsewhere = tmp_path / "dns.conf", tmp_path / "elsewhere"
    output.symlink_to(elsewhere)
    assert "dns.conf: File exists" in imported(lone, FILES / "ddclient.conf", "--output", output, expect=1).stderr
    assert output.is_symlink() and not elsewhere.exists()
    imported(lone, FILES / "ddclient.conf", "--output", output, "--force")
    assert not output.is_symlink() and not elsewhere.exists()
    assert {path.name for path in tmp_path.iterdir()} >= {"dns.conf"} and not list(tmp_path.glob("*.tmp"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("name, content", [
    ("ddclient.conf", "cache={folder}/x.cache, protocol=noip, login=ann, password=duck-token Ann.Ddns.net\n"),
    ("no-ip.conf", "provider no-ip.com {{ username = ann password = duck-token hostname = Ann.Ddns.net }}\n"),
])
def test_the_cache_of_an_installed_file(lone, tmp_path, name, content):
    """Where the file says, or where that client has it."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "inadyn").mkdir()
    (tmp_path / "etc" / name).write_text(content.format(folder=tmp_path))
    (tmp_path / "x.cache").write_text("ip=198.51.100.7,mtime=1799999000,status=good ann.ddns.net\n")
    (tmp_path / "inadyn/ann.ddns.net.cache").write_text("198.51.100.7")
    os.utime(tmp_path / "inadyn/ann.ddns.net.cache", (1799999000, 1799999000))
    done = subprocess.run(["unshare", "-m", "sh", "-ec", """
        mount --bind "$0/etc" /usr/local/etc
        mkdir -p /var/cache && mount -t tmpfs none /var/cache && cp -pr "$0/inadyn" /var/cache
        exec "$@" """, tmp_path, *(str(a) for a in lone.argv("import", f"/usr/local/etc/{name}"))],
        capture_output=True, text=True, env=lone.home.env, timeout=20)
    assert (done.returncode, "1 of 1 names" in done.stderr) == (0, True), done.stderr
    assert {key: (entry["published"], entry["confirmed"]) for key, entry in ledger(lone).items()} == {
        "noip ann.ddns.net A": ("198.51.100.7", 1799999000)}


def test_nothing_turns_a_line_around(lone, tmp_path):
    path = tmp_path / "ddclient.conf"
    path.write_bytes("login=a\u202eb, password=duck-token a\u202egro.example,\xff.example.org,\x1b[2J.example.org\n"
                     .encode("latin-1", "replace").replace(b"?", "\u202e".encode()))
    done = subprocess.run([str(a) for a in lone.argv("import", path)], capture_output=True, env=lone.home.env, timeout=20)
    for text in done.stdout, done.stderr:
        assert "\u202e" not in text.decode() and "\x1b" not in text.decode() and b"\\xe2\\x80\\xae" in text
    assert b"0 of 3 names" in done.stderr


def test_a_running_agent_keeps_its_own_record(lone):
    lone.state.mkdir()
    with open(lone.state / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = imported(lone, FILES / "ddclient.conf", "--cache", FILES / "ddclient.cache")
    assert "an agent is running" in done.stderr
    assert not (lone.state / "dns.json").exists()


# ---- providers

def test_providers(lone):
    report = json.loads(lone.command("dns", "providers", "--json").stdout)["providers"]
    rows = {row["name"]: row for row in report}
    assert len(rows) == len(report) > 50
    text = lone.command("dns", "providers").stdout
    table, notes = text.split("\nNotes\n")
    listed = {line.split()[0]: line for line in table.splitlines()[1:]}
    assert set(listed) == {name for name, row in rows.items() if not row["closed"]}
    for name, row in rows.items():
        assert row["title"]
        if row["closed"]:
            assert f"  {name}: {row['closed']}\n" in notes.split("\nClosed\n")[1]
            assert not (row["ipv4"] or row["ipv6"] or row["settings"])
            continue
        assert (row["ipv4"] or row["ipv6"]) and row["interval_s"] >= 1 and row["source"]
        if row["host"]:
            assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]+", row["host"]) and row["host"] in listed[name]
        else:
            assert "server" in row["settings"]
        assert row["note"] is None or f"  {name}: {row['note']}\n" in notes


def test_some_providers(lone):
    rows = {row["name"]: row for row in json.loads(lone.command("dns", "providers", "--json").stdout)["providers"]}

    def says(name):
        row = rows[name]
        return row["host"], row["protocol"], row["ipv4"], row["ipv6"], row["prefix"], row["txt"], row["settings"]

    both = ["user", "password-file"]
    assert says("dyn") == ("members.dyndns.org", "dyndns2", True, True, False, False, both)
    assert says("namecheap") == ("dynamicdns.park-your-domain.com", "http", True, False, False, False,
                                 ["password-file", "zone"])
    assert says("dynv6") == ("dynv6.com", "http", True, True, True, True, ["password-file"])
    assert says("duckdns") == ("www.duckdns.org", "http", True, True, False, True, ["password-file"])
    assert says("cloudflare") == ("api.cloudflare.com", "api", True, True, False, True, ["password-file", "zone"])
    assert says("rfc2136") == (None, "rfc2136", True, True, False, True, [*both, "zone", "server"])
    assert says("dyndns2") == (None, "dyndns2", True, True, False, False, [*both, "server"])
    assert says("ovh-api")[6] == [*both, "key", "zone"]
    assert says("route53")[6] == [*both, "key"]
    assert rows["inwx"]["both_only"] and not rows["dyn"]["both_only"]
    assert (rows["zoneedit"]["interval_s"], rows["desec"]["per_day"], rows["noip"]["remind_days"]) == (600, 300, 23)
    line = next(x for x in lone.command("dns", "providers").stdout.splitlines() if x.startswith("desec "))
    assert re.split(r"\s{2,}", line) == ["desec", "update.dedyn.io", "yes", "yes", "-", "yes", "http", "1 min, 300 a day",
                                         "password-file"]


def test_an_agent_that_says_too_much(lone):
    """The status is lines of a table, whatever the program on the socket has to say."""
    name = {"host": "home.example.org", "answer": "911", "meaning": "x" * 5000, "why": "\u202e" + "y" * 5000,
            "retry_s": 60, "confirm": True, "family": "ipv4"}
    lone.state.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(lone.state / "agent.sock"))
        listening.listen()

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(json.dumps({"ok": True, "names": [name]}).encode() + b"\n")

        agent = threading.Thread(target=answer)
        agent.start()
        done = lone.command("dns", "status")
        agent.join()
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and "xxx; \\xe2\\x80\\xaeyyy" in lines[1] and len(lines[1]) < 500
    assert "\u202e" not in done.stdout


def test_wrong_verbs(lone):
    assert "is none of: " in lone.command("dns", "provider", expect=2).stderr
    assert "usage: homeport dns providers" in lone.command("dns", "providers", "dyn", expect=2).stderr
    lone.command("dns", expect=2)


def test_a_full_disk_is_an_error(lone):
    with open("/dev/full", "w") as full:
        for words in ["dns", "providers"], ["dns", "providers", "--json"], ["import", FILES / "ddclient.conf"]:
            done = subprocess.run([str(a) for a in lone.argv(*words)], stdout=full, stderr=subprocess.PIPE, text=True,
                                  env=lone.home.env, timeout=10)
            assert (done.returncode, "could not be written" in done.stderr) == (1, True)
