"""Fixtures of the system tests; what they hand out is described in harness.py."""
import os
import signal

import pytest

from harness import ROOT, Agent, Gateway, Runner

TEST_LIMIT_S = 120  # a test that hangs ends here, with a traceback
SOAK_LIMIT_S = 3600  # one with many rounds
SOAK_ROUNDS = int(os.environ.get("SOAK_ROUNDS", 20))
FIGURES = pytest.StashKey()  # what tests have measured, one line each
SHOWN = pytest.StashKey()  # likewise, and to be seen always


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out by ./check --quick")
    config.addinivalue_line("markers", "soak: many rounds; only with -m soak")
    config.stash[FIGURES] = []
    config.stash[SHOWN] = []


def pytest_collection_modifyitems(config, items):
    if "soak" not in config.option.markexpr:
        out = [item for item in items if item.get_closest_marker("soak")]
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=out)


def pytest_terminal_summary(terminalreporter, config):
    figures = config.stash[SHOWN] + (config.stash[FIGURES] if "soak" in config.option.markexpr else [])
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)


class Rounds:
    """How often a test does what it does, and how long things took."""

    def __init__(self, n, soak, figures):
        self.n = n
        self.soak = soak
        self._figures = figures
        self._took = {}  # what -> (seconds of each round, the most it may be)

    def __iter__(self):
        return iter(range(self.n))

    def each(self, short, *others):
        """This value for a short run; all of them, each n times, for a long one."""
        return [value for value in (short, *others) for _ in self] if self.soak else [short]

    def took(self, what, seconds, most):
        self._took.setdefault(what, ([], most))[0].append(seconds)

    def say(self, line):
        print(line)
        self._figures.append(line)

    def finish(self):
        slow = []
        for what, (seconds, most) in self._took.items():
            seconds.sort()
            p50, p99 = (seconds[int(len(seconds) * share)] for share in (0.5, 0.99))
            self.say(f"{what}: {len(seconds)} rounds, p50 {p50:.2f} s, p99 {p99:.2f} s")
            if p99 > most:
                slow.append(f"{what}: {p99:.2f} s, and not {most}")
        assert not slow, slow


@pytest.fixture(params=[1, pytest.param(SOAK_ROUNDS, marks=pytest.mark.soak)], ids=["short", "soak"])
def rounds(request):
    """Once, or SOAK_ROUNDS times with `make soak`."""
    soak = request.node.get_closest_marker("soak") is not None
    rounds = Rounds(request.param, soak, request.config.stash[FIGURES])
    yield rounds
    rounds.finish()


@pytest.fixture
def figure(request):
    """figure(what, value, most): one that the end of the run shows; it must not be more."""
    def tell(what, value, most, unit=" s"):
        shown = f"{value:.2f}" if isinstance(value, float) else value
        request.config.stash[SHOWN].append(f"{what}: {shown}{unit} (at most {most}{unit})")
        assert value <= most, what
    return tell


@pytest.fixture(autouse=True)
def limit(request):
    seconds = SOAK_LIMIT_S if request.node.get_closest_marker("soak") else TEST_LIMIT_S

    def expired(number, frame):
        pytest.fail(f"the test took more than {seconds} s")  # no OSError, which tests may expect

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def run():
    """Starts programs; at the end stops them and fails on a sanitizer's report."""
    runner = Runner()
    yield runner
    runner.finish()


@pytest.fixture
def gateway(run):
    """A running gateway for names under localhost."""
    gateway = Gateway(run)
    gateway.start()
    return gateway


@pytest.fixture
def agent(run, gateway):
    """An agent paired with the gateway, allowed to use hello.localhost."""
    agent = Agent(run)
    agent.join(gateway.invite("laptop", "hello.localhost"))
    return agent


@pytest.fixture
def site():
    """The example folder."""
    return ROOT / "examples/site"
