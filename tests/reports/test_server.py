"""The page of a run in browsers of this machine: who gets it, and what else there is not."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from metaqnn.cli import main
from metaqnn.reports.server import serving
from metaqnn.storage import lock_folder
from tests import ROOT
from tests.helpers.recorded import record_run

PAGE = "<p>a page – of a run".encode()


@pytest.fixture
def server():
    """Shows PAGE."""
    with serving(PAGE) as server:
        yield server


def ask(server, path="/", method="GET", **headers):
    """The status, headers and content of an answer."""
    connection = HTTPConnection(*server.server_address, timeout=5)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.headers), answer.read()
    connection.close()
    return found


def test_the_page_is_what_there_is_at_its_address(server):
    with urlopen(server.address, timeout=5) as answer:
        assert answer.read() == PAGE
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
    server.page = b"a later one"
    assert ask(server)[2] == b"a later one"
    status, headers, content = ask(server, method="HEAD")
    assert (status, headers["Content-Length"], content) == (200, "11", b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["/report.html", "/config.toml", "/../config.toml", "//x", "/.", "/%2e%2e/", "/?", "*", "x"],
)
def test_there_is_nothing_else(server, path):
    status, _, content = ask(server, path)
    assert status == 404
    assert b"config.toml" not in content and PAGE not in content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "get"])
def test_it_can_only_be_read(server, method):
    assert ask(server, method=method)[0] == 501


@pytest.mark.parametrize("host", ["localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:8000"])
def test_names_of_this_machine_are_answered(server, host):
    """With any port, as that of a tunnel from elsewhere is another one."""
    assert ask(server, Host=host)[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("evil.example@localhost", "localhost:80:80", "localhost:", " ", "0.0.0.0", None),
    ],
)
def test_other_names_are_refused(server, host):
    """As that of a page from elsewhere whose name was made to point here."""
    for method in ("GET", "HEAD"):
        status, _, content = ask(server, method=method, Host=host)
        assert status == 421 and PAGE not in content


def test_it_listens_on_the_loopback_interface_alone(server):
    address, port = server.server_address
    assert address == "127.0.0.1"
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=5):
        pass


def test_whoever_says_nothing_or_goes_away_keeps_nobody_waiting(server, capfd):
    server.page = b"x" * 10_000_000  # which no socket takes at once
    silent = socket.create_connection(server.server_address)
    hasty = socket.create_connection(server.server_address)
    hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # goes with a reset
    hasty.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    hasty.recv(1)
    hasty.close()
    assert len(ask(server)[2]) == 10_000_000
    silent.close()
    assert capfd.readouterr() == ("", "")


def test_nobody_is_answered_behind_it():
    with serving(PAGE) as server:
        pass
    with pytest.raises(ConnectionRefusedError):
        ask(server)


@pytest.mark.slow
def test_what_a_search_does_is_shown_as_long_as_it_goes_on(tmp_path, monkeypatch):
    run = record_run(tmp_path / "r", [])
    lock = lock_folder(run.path)
    lock.__enter__()
    servers, seen = [], []

    @contextmanager
    def remember(page):
        with serving(page) as server:
            servers.append(server)
            yield server

    def go_on(seconds):
        with urlopen(servers[0].address, timeout=5) as answer:
            seen.append((seconds, answer.read().decode()))
        if len(seen) == 2:
            lock.__exit__(None, None, None)
        if len(seen) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("metaqnn.reports.server.serving", remember)
    monkeypatch.setattr("metaqnn.cli.report.sleep", go_on)
    result = CliRunner().invoke(main, ["report", str(run.path), "--serve", "--every", "7"])
    assert result.exit_code == 0, result.output
    assert [seconds for seconds, _ in seen] == [7] * 4
    refreshed = ['<meta http-equiv="refresh" content="7">' in text for _, text in seen]
    assert refreshed == [True, True, False, False]
    assert (run.path / "report.html").read_text().count("refresh") == 0


@pytest.mark.slow
def test_the_command_tells_the_address_and_ends_with_an_interrupt(finished_run, tmp_path):
    target = tmp_path / "page.html"
    command = [sys.executable, "-m", "metaqnn", "report", str(finished_run), "--serve"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    process = subprocess.Popen(
        [*command, "--html", str(target)],
        cwd=tmp_path,
        env=environment,
        # else a background job, in which SIGINT is ignored, hands that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        with urlopen(re.match(r"http://127\.0\.0\.1:\d+/", line)[0], timeout=5) as answer:
            assert answer.read() == target.read_bytes()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (0, f"written to {target}\n", "")
