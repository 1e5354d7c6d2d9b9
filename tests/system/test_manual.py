"""What is made from the tables when homeport is built: man pages and completion in real shells."""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from harness import BUILD, DEADLINE_S, HOMEPORT, HOMEPORT_GATEWAY, ROOT, command

MAN = BUILD / "man"
EXAMPLES = {"homeport.conf.5": "homeport.conf", "homeport-gateway.conf.5": "homeport-gateway.conf"}
PAGES = ["homeport.1", "homeport-gateway.1", *EXAMPLES]
PROGRAMS = {"homeport": HOMEPORT, "homeport-gateway": HOMEPORT_GATEWAY}

needs_mandoc = pytest.mark.skipif(not shutil.which("mandoc"), reason="needs mandoc")
needs_zsh = pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")


def tool(*argv, **options):
    return subprocess.run([str(a) for a in argv], text=True, capture_output=True, timeout=DEADLINE_S,
                          stdin=subprocess.DEVNULL, **options)


def rendered(page):
    """As people read it, without bold and line breaks."""
    text = tool("mandoc", "-T", "utf8", "-O", "width=200", MAN / page).stdout
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", text))


def commands(program):
    text = tool(PROGRAMS[program], "--help").stdout
    return re.findall(r"^  (\w+)  ", text.split("Commands:")[1].split("Options:")[0], re.MULTILINE)


def options(program, *words):
    text = tool(PROGRAMS[program], *words, "--help").stdout
    return re.findall(r"^  (?:-., |    )(--[\w-]+)", text, re.MULTILINE)


# ---- man pages

@needs_mandoc
@pytest.mark.parametrize("page", PAGES)
def test_lint(page):
    done = tool("mandoc", "-T", "lint", "-W", "style", MAN / page)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@needs_mandoc
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_and_option_is_told(program):
    text = rendered(f"{program}.1")
    assert len(commands(program)) >= 5
    for name in commands(program):
        assert f" {program} {name} [OPTION]..." in text
        section = text.split(f" {program} {name} [OPTION]...")[1]
        for option in options(program, name):
            assert re.search(rf"{option}\b", section), f"{program} {name} {option}"
    assert "--version" in text


@needs_mandoc
@pytest.mark.parametrize("page", EXAMPLES)
def test_every_directive_is_told(page):
    text = rendered(page)
    example = ROOT / "examples" / EXAMPLES[page]
    program = page.removesuffix(".conf.5")
    dump = command(PROGRAMS[program], "--config", example, "config", env=os.environ).stdout
    keys = re.findall(r"^(?:# default: |# unset: )?([a-z-]+)(?: =.*)?$", dump, re.MULTILINE)
    assert len(keys) >= 6
    for key in keys:
        assert f" {key} = " in text
    for key, value in re.findall(r"^# default: ([a-z-]+) = (.*)$", dump, re.MULTILINE):
        assert re.search(rf" {key} = .*?Default: {re.escape(value)}\.", text), key
    for line in example.read_text().splitlines():
        assert re.sub(r"\s+", " ", line) in text  # the whole example


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_made_alike(page):
    example = [ROOT / "examples" / EXAMPLES[page]] if page in EXAMPLES else []
    again = tool(MAN / "homeport-generate", "page", ROOT / "man" / f"{page}.in", *example)
    assert again.returncode == 0, again.stderr
    assert again.stdout == (MAN / page).read_text()


@pytest.mark.parametrize("line", ["@nothing homeport", "@commands ssh", "@example"])
def test_a_mistake_in_a_template_ends_the_build(line, tmp_path):
    (tmp_path / "page.in").write_text(f".SH NAME\n{line}\n")
    done = tool(MAN / "homeport-generate", "page", tmp_path / "page.in")
    assert done.returncode == 1
    assert done.stderr.startswith("generate: ")


# ---- bash

def bash(program, line, cwd):
    """What bash offers for the last word of this line, cut up as bash cuts it."""
    words = re.findall(r"[^\s=]+|=", line) + ([""] if line[-1].isspace() else [])
    done = tool("bash", "--norc", "-c", 'source "$1"; shift; COMP_WORDS=("$@"); '
                f'COMP_CWORD=$(($# - 1)); _{program.replace("-", "_")}; '
                'printf "%s\\n" "${COMPREPLY[@]}"', "bash", MAN / f"{program}.bash", *words, cwd=cwd)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "some.conf").write_text("")
    return tmp_path


@pytest.mark.parametrize("program", PROGRAMS)
def test_bash_knows_every_command_and_option(program, folder):
    assert bash(program, f"{program} ", folder) == {*commands(program), "help"}
    assert bash(program, f"{program} --", folder) == set(options(program))
    assert bash(program, f"{program} help ", folder) == set(commands(program))
    for name in commands(program):
        assert bash(program, f"{program} {name} -", folder) == set(options(program, name))


@pytest.mark.parametrize("line, offers", [
    ("homeport sh", {"share"}),
    ("homeport share --l", {"--lan"}),
    ("homeport map ", {"list", "probe", "delete"}),
    ("homeport share --host ", {"preserve", "local"}),
    ("homeport share --host=l", {"local"}),
    ("homeport share --host=", {"preserve", "local"}),
    ("homeport share --name ", set()),
    ("homeport share --port 8", set()),
    ("homeport share ", {"photos"}),
    ("homeport share --lan ph", {"photos"}),
    ("homeport --config ", {"photos", "some.conf"}),
    ("homeport -c some", {"some.conf"}),
    ("homeport up --state ", {"photos"}),
    ("homeport --config share sta", {"status"}),
    ("homeport --config=some.conf -s photos sta", {"status"}),
    ("homeport status ", set()),
    ("homeport nonsense ", set()),
    ("homeport-gateway revoke ", set()),
    ("homeport-gateway -c some.conf inv", {"invite"}),
])
def test_bash(line, offers, folder):
    assert bash(line.split()[0], line, folder) == offers


# ---- zsh

class Zsh:
    """A shell on a terminal of its own, as somebody types into it."""

    def __init__(self, folder):
        functions = folder / "functions"
        functions.mkdir()
        for program in PROGRAMS:
            shutil.copy(MAN / f"_{program}", functions)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(TERM="dumb", HOME=str(folder), PS1="", LANG="C.UTF-8", COLUMNS="200")
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.type("unsetopt zle_bracketed_paste prompt_cr prompt_sp; PS1=; stty -echo; "
                  f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D; "
                  "LISTMAX=10000; setopt no_beep no_auto_menu; echo rea''dy\n")
        self.read_until("ready")

    def type(self, text):
        os.write(self.fd, text.encode())

    def read_until(self, *words):
        """What it shows until all of the words were there."""
        end, text = time.monotonic() + DEADLINE_S, ""
        while not all(word in text for word in words):
            assert time.monotonic() < end, f"no {words} in {text!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                text += os.read(self.fd, 65536).decode(errors="replace")
        return text

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def zsh(folder):
    shell = Zsh(folder)
    yield shell
    shell.close()


@needs_zsh
@pytest.mark.parametrize("program", PROGRAMS)
def test_zsh_knows_every_command(program, zsh):
    zsh.type(f"{program} \t")
    zsh.read_until(*commands(program), "help")


@needs_zsh
@pytest.mark.parametrize("program", PROGRAMS)
def test_zsh_knows_every_option(program, zsh):
    for name in commands(program):
        zsh.type(f"{program} {name} --\t\t")
        text = zsh.read_until(*options(program, name))
        assert "_arguments" not in text, text  # its complaints begin so
        zsh.type("\x15")  # the line away


@needs_zsh
@pytest.mark.parametrize("typed, shows", [
    ("homeport share --host \t\t", ["preserve", "local"]),
    ("homeport share ph\t", ["photos/"]),
    ("homeport --config so\t", ["some.conf"]),
    ("homeport-gateway -c some.conf inv\t", ["invite"]),
    ("homeport -c some.conf up --st\t", ["--state"]),
])
def test_zsh(typed, shows, zsh):
    zsh.type(typed)
    zsh.read_until(*shows)
