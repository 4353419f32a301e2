"""Shows one page to the browsers of this machine, and nothing else to nobody else."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from typing import Any

LOOPBACK = "127.0.0.1"

OURS = re.compile(r"(?:localhost|127\.0\.0\.1)(?::\d{1,5})?", re.IGNORECASE)
"""What browsers of this machine call the server; another name may be of a page from elsewhere."""

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}

PATIENCE = 10
"""Seconds for which a browser may say nothing."""


class PageServer(ThreadingHTTPServer):
    """Answers at a free port of the loopback interface.

    Attributes:
        page: What is shown; may be set anew at any time.
    """

    daemon_threads = True

    def __init__(self, page: bytes) -> None:
        """Take a port, but answer nobody yet."""
        super().__init__((LOOPBACK, 0), PageHandler)
        self.page = page

    @property
    def address(self) -> str:
        """What a browser is told."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        """Take the port without asking the network for the name of this machine."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that go away before they have been answered."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class PageHandler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: PageServer
    timeout = PATIENCE

    def do_GET(self) -> None:  # noqa: N802  # the name that http.server looks for
        """Answer with the page, if it is that which is asked for."""
        self.wfile.write(self._begin())

    def do_HEAD(self) -> None:  # noqa: N802
        """Answer as to GET, without the page."""
        self._begin()

    def _begin(self) -> bytes:
        """Send all but the page, which is returned; empty where there is none to show."""
        # else a page from elsewhere could read this one, by having its own name point here
        if not OURS.fullmatch(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return b""
        if self.path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
            return b""
        page = self.server.page
        self.send_response(HTTPStatus.OK)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        return page

    def version_string(self) -> str:
        """What answers, without the version of Python."""
        return "metaqnn"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep no log."""


@contextmanager
def serving(page: bytes) -> Iterator[PageServer]:
    """Answer browsers meanwhile."""
    with PageServer(page) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
