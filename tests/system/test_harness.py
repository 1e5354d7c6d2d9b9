"""The harness itself: its waits see what happens, and it can fail."""
import socket
import threading

import pytest

from harness import Runner, exchange, free_port, visit


def sh(run, script):
    return run.start("/bin/sh", "-c", script)


def test_waits_for_a_line_that_comes_later(run):
    process = sh(run, "echo first; sleep 0.1; echo port 4711 >&2")
    assert process.wait_line(r"port (\d+)")[1] == "4711"
    assert process.wait() == 0
    assert process.text("out") == "first"


def test_tells_what_was_said_when_the_line_does_not_come(run):
    process = sh(run, "echo something else")
    with pytest.raises(AssertionError, match="something else"):
        process.wait_line("ready")


def test_exit_code_is_checked(run):
    process = sh(run, "trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done")
    process.wait_line("up")
    with pytest.raises(AssertionError, match="exit code 3"):
        process.stop()


def test_sanitizer_report_fails_the_test():
    runner = Runner()
    sh(runner, "echo '==1==ERROR: LeakSanitizer: detected memory leaks' >&2").wait()
    with pytest.raises(AssertionError, match="sanitizer"):
        runner.finish()


def test_leaves_no_process_behind():
    runner = Runner()
    process = sh(runner, "exec sleep 60")
    runner.finish()
    assert not process.running


@pytest.fixture
def answering():
    """A port on which one connection is answered, and the request that came."""
    requests = []
    with socket.create_server(("127.0.0.1", free_port())) as server:
        def serve():
            peer, _ = server.accept()
            with peer:
                requests.append(peer.recv(65536))
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], requests
        thread.join()


def test_visitor_names_the_host(answering):
    port, requests = answering
    answer = visit(port, "hello.localhost", "/x")
    assert (answer.status, answer.text) == (200, "hi")
    assert requests[0].startswith(b"GET /x HTTP/1.1\r\n")
    assert b"\r\nHost: hello.localhost\r\n" in requests[0]


def test_raw_bytes_go_out_unchanged(answering):
    port, requests = answering
    assert exchange(port, b"\x00\xff").endswith(b"hi")
    assert requests == [b"\x00\xff"]
