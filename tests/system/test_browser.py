"""A real browser as the visitor: pages, many requests at once, uploads, events, WebSockets, ranges, a service that is away."""
import asyncio
import contextlib
import http.server
import json
import queue
import shutil
import subprocess
import threading

import pytest
import websockets

from harness import Agent, visit, wait_until

BROWSER = shutil.which("chromium")
pytestmark = pytest.mark.skipif(not BROWSER, reason="there is no chromium here (Debian: chromium)")

HELLO, FILES, CHAT = "hello.localhost", "files.localhost", "chat.localhost"
PATIENCE_S = 60  # a browser starts slowly on a busy machine

# What the page in the browser does; each answer is told to the service that the page came from.
PAGE = """<!doctype html><title>homeport</title><script>
const tell = (what) => fetch("/told", {method: "POST", body: JSON.stringify(what)});
const events = () => new Promise((done) => {
  const got = [], source = new EventSource("/events");
  source.onmessage = (event) => { got.push(event.data); if (got.length == 5) { source.close(); done(got); } };
});
const chat = () => new Promise((done) => {
  const socket = new WebSocket(CHAT), got = [];
  socket.onopen = () => { for (const text of ["one", "two", "x".repeat(200000)]) socket.send(text); };
  socket.onmessage = (event) => { got.push(event.data.length); if (got.length == 3) socket.close(); };
  socket.onclose = (event) => done([got, event.wasClean]);
});
const abort = async () => {
  const stop = new AbortController(), answer = await fetch("/endless", {signal: stop.signal});
  await answer.body.getReader().read();
  stop.abort();
  return await (await fetch("/number/7")).text();
};
(async () => {
  const numbers = [...Array(60).keys()].map((n) => fetch("/number/" + n).then((answer) => answer.text()));
  const upload = await fetch("/length", {method: "POST", body: new Uint8Array(3000000)});
  await tell({
    numbers: (await Promise.all(numbers)).map(Number), uploaded: Number(await upload.text()),
    events: await events(), chat: await chat(), after_abort: await abort(),
    host: location.host,
  });
})().catch((error) => tell({error: String(error)}));
</script>"""

FOLDER_PAGE = """<!doctype html><script>
(async () => {
  const part = await fetch("big.bin", {headers: {Range: "bytes=100-199"}});
  const whole = await (await fetch("big.bin")).arrayBuffer();
  const listing = await (await fetch("more/")).text();
  const links = [...new DOMParser().parseFromString(listing, "text/html").links].map((link) => link.getAttribute("href"));
  const linked = await (await fetch("more/" + links.at(-1))).text();
  const image = new Image();
  image.src = "dot.svg";
  await image.decode();
  return {status: part.status, part: (await part.arrayBuffer()).byteLength, whole: whole.byteLength, linked,
          width: image.width, missing: (await fetch("nothing-here")).status};
})().catch((error) => ({error: String(error)})).then(
  (told) => fetch(TOLD, {method: "POST", mode: "no-cors", body: JSON.stringify(told)}));
</script>"""


@contextlib.contextmanager
def local_server(page):
    """The service at home; what the page tells comes through the queue."""
    told = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, body, kind="text/plain"):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def stream(self, kind, pieces):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with contextlib.suppress(OSError):  # the page leaves when it has what it wants
                for piece in pieces:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")

        def do_GET(self):
            if self.path == "/":
                self.answer(page.encode(), "text/html")
            elif self.path == "/events":
                self.stream("text/event-stream", (b"data: %d\n\n" % n for n in range(5)))
            elif self.path == "/endless":
                self.stream("application/octet-stream", (bytes(65536) for _ in range(10000)))
            elif self.path.startswith("/number/"):
                self.answer(self.path.rpartition("/")[2].encode())
            else:
                self.send_error(404)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/told":
                told.put(json.loads(body))
            self.answer(str(len(body)).encode())

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server.server_port, told
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def echo_server():
    """A WebSocket server; yields its port."""
    loop, port = asyncio.new_event_loop(), queue.Queue()

    async def echo(socket, *_):
        async for text in socket:
            await socket.send(text)

    async def serve():
        async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
            port.put(server.sockets[0].getsockname()[1])
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        yield port.get(timeout=PATIENCE_S)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_S)
        loop.close()


def browser(folder, url, *options):
    """The browser's argv: a profile of its own, and no host but those of the test."""
    return [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost", f"--user-data-dir={folder}", *options, url]


@contextlib.contextmanager
def open_in_browser(folder, url):
    with subprocess.Popen(browser(folder, url), env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def shown(folder, url):
    """The page as the browser has it when it is loaded."""
    return subprocess.run(browser(folder, url, "--dump-dom"), env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          timeout=PATIENCE_S, check=True).stdout


def test_a_page_that_does_all_at_once(gateway, run, tmp_path):
    agent = Agent(run)
    agent.join(gateway.invite("browsed", HELLO, CHAT))
    page = PAGE.replace("CHAT", json.dumps(f"ws://{CHAT}:{gateway.http}/"))
    with local_server(page) as (port, told), echo_server() as chat:
        agent.up(f"""\
[service hello]
to = http://127.0.0.1:{port}
name = {HELLO}

[service chat]
to = http://127.0.0.1:{chat}
name = {CHAT}
""")
        wait_until(lambda: visit(gateway.http, HELLO).status == 200, "the page")
        with open_in_browser(tmp_path, f"http://{HELLO}:{gateway.http}/"):
            assert told.get(timeout=PATIENCE_S) == {
                "numbers": list(range(60)), "uploaded": 3000000, "events": ["0", "1", "2", "3", "4"],
                "chat": [[3, 3, 200000], True], "after_abort": "7", "host": f"{HELLO}:{gateway.http}"}


def test_a_folder_in_a_browser(gateway, run, tmp_path):
    agent = Agent(run)
    agent.join(gateway.invite("browsed", HELLO, FILES))
    folder = tmp_path / "site"
    (folder / "more").mkdir(parents=True)
    (folder / "more/ä & <b>.txt").write_text("odd name")
    (folder / "big.bin").write_bytes(bytes(5_000_000))
    (folder / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>')
    with local_server("") as (port, told):
        (folder / "index.html").write_text(
            FOLDER_PAGE.replace("TOLD", json.dumps(f"http://{HELLO}:{gateway.http}/told")))
        agent.up(f"""\
[service hello]
to = http://127.0.0.1:{port}
name = {HELLO}

[service files]
to = {folder}
name = {FILES}
""")
        wait_until(lambda: visit(gateway.http, FILES).status == 200, "the folder")
        with open_in_browser(tmp_path / "profile", f"http://{FILES}:{gateway.http}/"):
            answer = told.get(timeout=PATIENCE_S)
    assert answer == {"status": 206, "part": 100, "whole": 5_000_000, "linked": "odd name", "width": 9,
                      "missing": 404}


def test_what_a_browser_shows_of_a_service_that_is_away(gateway, agent, site, tmp_path):
    share = agent.share(site, "--name", HELLO)
    wait_until(lambda: visit(gateway.http, HELLO).status == 200, "the page")
    share.kill()
    wait_until(lambda: visit(gateway.http, HELLO).status == 503, "the page for a service that is away")
    text = shown(tmp_path, f"http://{HELLO}:{gateway.http}/")
    assert "offline since" in text and HELLO in text, text
