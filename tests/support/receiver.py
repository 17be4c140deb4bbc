"""A hospital's system that is told things: it answers as the test says and remembers what came."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Message:
    """One request that came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`status` is what it answers; `location` makes it a redirect; while `hang` is set it answers nothing."""

    port: int
    status: int = 204
    location: str = ""
    body: bytes = b""
    hang: threading.Event | None = None
    messages: list[Message] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(length := int(self.headers["Content-Length"]))
            if len(body) < length:
                return  # its sender died within it: nobody would take that for a message
            held.messages.append(Message(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if held.hang is not None:
                held.hang.wait(30)
            with contextlib.suppress(OSError):
                self._answer()

        def _answer(self) -> None:
            self.send_response(held.status)
            if held.location:
                self.send_header("Location", held.location)
            self.end_headers()
            self.wfile.write(held.body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        if held.hang is not None:
            held.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()
