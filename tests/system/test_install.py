"""`make install` without make: what it puts where, that the units fit, that nothing stays behind."""
import os
import re
import shutil
import subprocess

import pytest

from harness import BUILD, ROOT

UNITS = ["homeport.service", "homeport-gateway.service"]
EXPOSURE_MOST = 2.0  # of systemd-analyze security, 0 to 10

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


def build_tool(*argv, dest):
    done = subprocess.run([*map(str, argv)], text=True, capture_output=True, timeout=100,
                          env=os.environ | {"DESTDIR": str(dest)})
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def install(folder):
    """Into this DESTDIR; returns the prefix below it."""
    build_tool("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", dest=folder)
    return next(p.parent.parent for p in folder.rglob("homeport") if p.parent.name == "bin")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(tmp_path_factory.mktemp("dest"))


def test_what_is_installed(installed):
    found = files(installed)
    examples = [f for f in found if f.startswith("share/doc/homeport/examples/")]
    assert sorted(set(found) - set(examples)) == sorted([
        "bin/homeport",
        "bin/homeport-gateway",
        "lib/systemd/system/homeport-gateway.service",
        "lib/systemd/system/homeport.service",
        "lib/sysusers.d/homeport-gateway.conf",
        "lib/sysusers.d/homeport.conf",
        "share/bash-completion/completions/homeport-gateway.bash",
        "share/bash-completion/completions/homeport.bash",
        "share/man/man1/homeport-gateway.1",
        "share/man/man1/homeport.1",
        "share/man/man5/homeport-gateway.conf.5",
        "share/man/man5/homeport.conf.5",
        "share/zsh/site-functions/_homeport",
        "share/zsh/site-functions/_homeport-gateway",
    ])
    assert "share/doc/homeport/examples/homeport.conf" in examples
    assert "share/doc/homeport/examples/site/index.html" in examples


def test_uninstall_leaves_nothing(tmp_path):
    install(tmp_path / "dest")
    build_tool("ninja", "-C", BUILD, "uninstall", dest=tmp_path / "dest")
    assert not (tmp_path / "dest").exists()


def test_units_start_the_installed_programs(installed):
    for unit in UNITS:
        text = (installed / "lib/systemd/system" / unit).read_text()
        path = re.search(r"^ExecStart=(/\S+/bin/homeport\S*) (run|up)$", text, re.MULTILINE)[1]
        assert f"{installed}".endswith(path.rsplit("/bin/")[0])
        assert (installed / "bin" / path.rsplit("/")[-1]).exists()
        user = re.search(r"^User=(.*)$", text, re.MULTILINE)[1]
        users = (installed / "lib/sysusers.d" / unit.replace(".service", ".conf")).read_text()
        assert f"\nu {user} " in "\n" + users


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_units_are_good_and_fenced_in(installed, unit, tmp_path):
    text = (installed / "lib/systemd/system" / unit).read_text()
    copy = tmp_path / unit
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], text=True,
                          capture_output=True, timeout=30)
    assert unit not in done.stderr, done.stderr  # what is wrong with others is not our business
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", copy],
                          text=True, capture_output=True, timeout=30)
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)[1])
    assert exposure <= EXPOSURE_MOST, done.stdout


def test_the_gateway_gets_back_what_it_gives_away(installed):
    """FileDescriptorStoreMax is enough for every socket of the usual configuration."""
    text = (installed / "lib/systemd/system/homeport-gateway.service").read_text()
    most = int(re.search(r"^FileDescriptorStoreMax=(\d+)$", text, re.MULTILINE)[1])
    workers = int(re.search(r"#define GATEWAY_WORKERS_MAX\s+(\d+)",
                            (ROOT / "src/gateway/config.h").read_text())[1])
    assert most >= workers * 4  # two ports, IPv4 and IPv6


def test_versions_agree():
    """Of the Debian package and of the program."""
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
    assert (ROOT / "debian/changelog").read_text().startswith(f"homeport ({version})")
