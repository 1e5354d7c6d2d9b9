"""One agent's crowd leaves room for the others'."""
import contextlib
import json

from harness import Agent, Gateway, connect, free_port, visit, wait_until
from peers import up


def two_agents(run, limits):
    """A gateway with these limits, and two agents with a page of 20 bytes each."""
    gateway = Gateway(run, extra=f"ports = {free_port()}\n[limits]\n{limits}\n")
    gateway.start()
    agents = [Agent(run), Agent(run)]
    for agent, name in zip(agents, ("crowded", "quiet")):
        agent.join(gateway.invite(name))
        folder = agent.home.path / "site"
        folder.mkdir()
        (folder / "page").write_text("hello")
        up(agent, f"[service site]\nto = {folder}\n")
    return gateway, agents


def counted(gateway, name):
    agents = json.loads(gateway.command("agents", "--json").stdout)["agents"]
    return next(agent for agent in agents if agent["name"] == name)


def test_visitors_at_once(run):
    gateway, agents = two_agents(run, "visitors-per-agent = 3")
    crowded = "site.crowded.localhost"
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            s = stack.enter_context(connect(gateway.http))
            s.sendall(f"GET /page HTTP/1.1\r\nHost: {crowded}\r\n\r\n".encode())
            assert b" 200 " in s.recv(4096)
        answer = visit(gateway.http, crowded, "/page")
        assert answer.status == 503 and answer.headers.get("Retry-After") == "30"
        assert visit(gateway.http, "site.quiet.localhost", "/page").text == "hello"
        of = counted(gateway, "crowded")
        assert (of["visitors"], of["visitors_total"], of["refused_full"], of["refused_fast"]) == (3, 3, 1, 0)
    wait_until(lambda: counted(gateway, "crowded")["visitors"] == 0, "they have left")
    assert visit(gateway.http, crowded, "/page").text == "hello"


def test_new_visitors(run):
    gateway, agents = two_agents(run, "new-per-agent = 1")
    answers = [visit(gateway.http, "site.crowded.localhost", "/page").status for _ in range(30)]
    assert 10 <= answers.count(200) < 25 and answers.count(503) == 30 - answers.count(200), answers
    assert visit(gateway.http, "site.quiet.localhost", "/page").text == "hello"
    of = counted(gateway, "crowded")
    assert (of["refused_full"], of["refused_fast"]) == (0, answers.count(503))
