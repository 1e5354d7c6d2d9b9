"""Fixtures of the system tests; what they hand out is described in harness.py."""
import signal

import pytest

from harness import ROOT, Agent, Gateway, Runner

TEST_LIMIT_S = 120  # a test that hangs ends here, with a traceback


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out by ./check --quick")


@pytest.fixture(autouse=True)
def limit():
    def expired(number, frame):
        raise TimeoutError(f"the test took more than {TEST_LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(TEST_LIMIT_S)
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
