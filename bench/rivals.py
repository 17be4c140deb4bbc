"""Other servers under the same load: started, frozen while others are measured, and asked over HTTP or a broker."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import celery

from bench.load import Load
from shared.settings import child_environment
from tests.support.stack import ROOT, wait_for

CONNECTIONS = 8
_START_S = 120
_GOOD = "200"
_BOUNDARY = b"thoracle-bench"


@dataclass
class Group:
    """A program and its children as one process group."""

    command: list[str]
    _popen: "subprocess.Popen[bytes] | None" = None

    @contextmanager
    def started(self, programs: Path, **changes: str) -> Iterator[None]:
        """Run it in its folder; killed at the end."""
        environment = child_environment(PYTHONPATH=f"{ROOT}:{programs}", BENTOML_DO_NOT_TRACK="True", **changes)
        self._popen = subprocess.Popen(
            self.command, cwd=programs, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()

    def check(self) -> None:
        """Fail when it is no longer there."""
        assert self._popen is not None
        assert self._popen.poll() is None, f"{self.command} ended"

    @contextmanager
    def awake(self) -> Iterator[None]:
        """It runs while the block does, and is frozen after it."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def _signal(self, number: int) -> None:
        assert self._popen is not None
        os.killpg(self._popen.pid, number)


class Rival:
    """A server that answers a picture in the request that brought it."""

    def __init__(self, command: list[str], port: int, path: str, encode: Callable[[bytes], tuple[str, bytes]]) -> None:
        self._group, self._port, self._path, self._encode = Group(command), port, path, encode

    @contextmanager
    def running(self, programs: Path) -> Iterator[None]:
        """Start it, and wait until it listens."""
        with self._group.started(programs):
            wait_for(self._listens, _START_S, f"{self._path} of port {self._port} listens")
            yield

    def rate(self, pictures: Sequence[bytes]) -> float:
        """Pictures a second, sent over as many connections as ours are."""
        load = Load(self._port, deque(self._request(*self._encode(body)) for body in pictures))
        with self._group.awake():
            begun, ended = asyncio.run(load.run(CONNECTIONS))
        bad = [status for status in load.refused if status != _GOOD]
        assert not bad, f"{self._path}: {bad[:3]}"
        return len(pictures) / (ended - begun)

    def _listens(self) -> bool:
        self._group.check()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
            return True
        return False

    def _request(self, kind: str, body: bytes) -> bytes:
        head = f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
        return f"{head}\r\n\r\n".encode() + body


class Broker:
    """A Celery worker: pictures as messages, results from Redis."""

    def __init__(self, python: Path, address: str) -> None:
        self._group = Group([str(python), "-m", "celery", "-A", "celery_torch", "worker", "--loglevel=ERROR"])
        self._address = address
        self._app = celery.Celery("peer", broker=address, backend=address)

    @contextmanager
    def running(self, programs: Path) -> Iterator[None]:
        """Start it, and wait until it answers."""
        with self._group.started(programs, PEER_REDIS=self._address):
            wait_for(self._answers, _START_S, "the Celery worker answers")
            yield
        self._app.close()

    def rate(self, pictures: Sequence[bytes]) -> float:
        """Pictures a second, all sent at the beginning."""
        texts = [base64.b64encode(body).decode() for body in pictures]
        with self._group.awake():
            begun = time.monotonic()
            sent: list[Any] = [self._app.send_task("celery_torch.classify", args=[text]) for text in texts]
            for result in sent:
                result.get(timeout=_START_S)
            return len(pictures) / (time.monotonic() - begun)

    def _answers(self) -> bool:
        self._group.check()
        return bool(self._app.control.ping(timeout=1))


def encoded(body: bytes) -> tuple[str, bytes]:
    """Base64 in JSON."""
    return "application/json", json.dumps({"image_data": base64.b64encode(body).decode()}).encode()


def uploaded(body: bytes, name: str) -> tuple[str, bytes]:
    """A form with one file."""
    head = f'\r\nContent-Disposition: form-data; name="{name}"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n'
    form = b"--" + _BOUNDARY + head.encode() + body + b"\r\n--" + _BOUNDARY + b"--\r\n"
    return f"multipart/form-data; boundary={_BOUNDARY.decode()}", form
