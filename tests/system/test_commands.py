"""The command line of homeport where no gateway is needed: configuration, errors, help."""
import json
import os
import re
import subprocess

import pytest

import harness
from harness import HOMEPORT, ROOT, Agent, command


@pytest.fixture
def lone(run):
    return Agent(run)


def test_the_example_is_good(lone):
    done = command(HOMEPORT, "--config", ROOT / "examples/homeport.conf", "config", env=lone.home.env)
    assert done.stderr == ""
    assert "[service blog]" in done.stdout


def test_the_effective_configuration_can_be_read_again(lone):
    lone.config.write_text("[service blog]\nto = 8000\nname = a.b\n")
    first = lone.command("config").stdout
    assert "# default: host = preserve" in first
    lone.config.write_text(first)
    assert lone.command("config").stdout == first


def test_a_mistake_is_told_with_file_and_line(lone):
    lone.config.write_text("[service blog]\nto = 8000\nnmae = a.b\n")
    for words in (["config"], ["up"], ["share", "8000"]):
        lone.state.mkdir(exist_ok=True)
        done = lone.command(*words, expect=2)
        assert f"{lone.config}:3: unknown key \"nmae\"" in done.stderr
        assert "did you mean \"name\"" in done.stderr


def test_a_missing_file_is_told(lone):
    done = command(HOMEPORT, "--config", "/nowhere.conf", "config", env=lone.home.env, expect=1)
    assert "/nowhere.conf" in done.stderr


@pytest.mark.parametrize("words", [["share"], ["join"], ["up"], ["status"], ["ip"], ["config"]])
def test_help_has_an_example(lone, words):
    done = lone.command(*words, "--help")
    assert f"homeport {words[0]}" in done.stdout
    assert "Example" in done.stdout


@pytest.mark.parametrize("words, nearest", [
    (["shaer", "8000"], "share"),
    (["share", "--prot", "8000", "."], "--port"),
    (["share", "--lan", "--nmae", "x", "."], "--name"),
])
def test_unknown_words_name_the_nearest(lone, words, nearest):
    done = lone.command(*words, expect=2)
    assert f"did you mean \"{nearest}\"" in done.stderr


@pytest.mark.parametrize("words, says", [
    (["share", "70000"], "port from 1 to 65535"),
    (["share", "sctp://127.0.0.1:53"], "must be http, https, tcp or udp"),
    (["share", "--lan", "udp://127.0.0.1:53"], "--lan is not for udp://"),
    (["share", "--name", "a.b", "udp://127.0.0.1:53"], "found by its port"),
    (["share", "http://127.0.0.1:8000/app"], "not a path of it"),
    (["share", "--port", "80", "8000"], "--port is for"),
    (["share", "--lan", "--host", "local", "."], "local HTTP servers"),
    (["map", "delete", "8000", "--ipv4", "--ipv6"], "one of them"),
    (["map", "list", "8000", "--ipv6"], "of IPv4 only"),
])
def test_wrong_usage(lone, words, says):
    assert says in lone.command(*words, expect=2).stderr


def test_what_is_not_there(lone):
    done = lone.command("share", "--lan", "no-such-folder", expect=1)
    assert "no-such-folder: no such folder" in done.stderr
    done = lone.command("share", "--lan", ROOT / "check", expect=1)
    assert "share the folder that it is in" in done.stderr


@pytest.mark.parametrize("words", [["share", "8000"], ["up"], ["status"]])
def test_without_a_gateway_it_says_how_to_join(lone, words):
    done = lone.command(*words, expect=1)
    assert "homeport-gateway invite" in done.stderr
    assert "homeport join" in done.stderr
    if words[0] == "share":
        assert "--lan" in done.stderr


def test_where_a_gateway_was_looked_for(lone):
    for words in (["share", "8000"], ["up"], ["status"]):
        assert f"none in {lone.state}" in lone.command(*words, expect=1).stderr


@pytest.mark.parametrize("words", [["share", "8000"], ["up"], ["status"], ["join"]])
def test_a_state_folder_too_long_for_a_socket(lone, words):
    lone.state = lone.home.path / ("x" * 100)
    done = lone.command(*words, stdin="hp1:127.0.0.1:1/" + "A" * 64, expect=1)
    assert "too long for a socket (107 bytes at most)" in done.stderr


def test_help_as_a_command(lone):
    lone.config.write_text("")
    for words in (["help"], ["help", "share"]):
        assert "Usage: homeport" in lone.command(*words).stdout
    assert "homeport help COMMAND" in lone.command("help").stdout
    assert 'unknown command "shaer"' in lone.command("help", "shaer", expect=2).stderr


def test_errors_are_json_for_programs(lone):
    done = lone.command("share", "--json", "8000", expect=1)
    assert json.loads(done.stdout)["event"] == "error"
    done = lone.command("status", "--json", expect=1)
    assert json.loads(done.stdout) == {"running": False}


def test_a_code_on_the_command_line_is_refused(lone):
    done = lone.command("join", "hp1:gw.example.org:443/secret", expect=2)
    assert "is a secret" in done.stderr
    assert "hp1:" not in done.stderr


@pytest.mark.parametrize("code", ["", "garbage", "hp1:", "hp1:gw.example.org:443/short"])
def test_a_bad_code_is_not_repeated(lone, code):
    done = lone.join(code, expect=1)
    assert "code" in done.stderr
    assert not code or code == "hp1:" or code not in done.stderr


def test_a_name_that_does_not_resolve(lone):
    done = lone.join("hp1:gw.invalid:443/" + "A" * 64, expect=1, seconds=20)
    assert "gw.invalid" in done.stderr


def test_a_gateway_that_is_not_there(lone):
    port = harness.free_port()
    done = lone.join(f"hp1:127.0.0.1:{port}/" + "A" * 64, expect=1, seconds=20)
    assert f"127.0.0.1:{port}" in done.stderr
    assert "refused" in done.stderr.lower()


def test_a_state_folder_that_cannot_be_written(lone):
    lone.state.write_text("a file in the way")
    done = lone.join("hp1:127.0.0.1:1/" + "A" * 64, expect=1)
    assert str(lone.state) in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_folder_of_somebody_else(lone):
    lone.state.mkdir(mode=0o500)
    done = lone.join("hp1:127.0.0.1:1/" + "A" * 64, expect=1)
    assert "--state" in done.stderr


def test_a_damaged_state_file(lone):
    lone.state.mkdir()
    (lone.state / "gateway.json").write_text("{")
    done = lone.command("up", expect=1)
    assert "damaged" in done.stderr
    assert "homeport join" in done.stderr


def test_the_key_is_nobody_elses(lone):
    port = harness.free_port()
    lone.join(f"hp1:127.0.0.1:{port}/" + "A" * 64, expect=1, seconds=20)
    key = lone.state / "agent-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    lone.join(f"hp1:127.0.0.1:{port}/" + "A" * 64, expect=1, seconds=20)
    assert key.read_bytes() == before


def test_a_damaged_key_is_not_replaced(lone):
    lone.state.mkdir()
    key = lone.state / "agent-key.pem"
    key.write_text("not a key")
    done = lone.join("hp1:127.0.0.1:1/" + "A" * 64, expect=1)
    assert "agent-key.pem" in done.stderr
    assert key.read_text() == "not a key"


def test_versions_agree(lone):
    done = lone.command("--version")
    meson = (ROOT / "meson.build").read_text()
    assert re.search(r"version: '([^']+)'", meson)[1] in done.stdout


def test_a_full_disk_of_output_is_an_error(lone):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(a) for a in lone.argv("config")], stdout=full,
                              stderr=subprocess.PIPE, text=True, env=lone.home.env, timeout=10)
    assert done.returncode == 1
