"""A load client that costs little: bodies encoded beforehand, connections kept, nothing but asyncio's streams.

`python -m bench.load PORT KEY CONNECTIONS FOLDER` uploads every file of the folder once, a file at a time on each
connection, and prints when it began and ended (seconds since 1970), the core-seconds that it
used, every upload's milliseconds and the answers other than 202, as JSON.
"""

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

_BOUNDARY = b"thoracle-bench"
_ACCEPTED = b"202"


@dataclass
class Load:
    """What a run uploads, and what came of it."""

    port: int
    requests: deque[bytes]
    milliseconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def run(self, connections: int) -> tuple[float, float]:
        """Upload everything; the times of the first byte and of the last answer."""
        begun = time.time()
        await asyncio.gather(*(self._connection() for _ in range(connections)))
        return begun, time.time()

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while self.requests:
            request = self.requests.popleft()
            begun = time.perf_counter()
            writer.write(request)
            status = await _answer(reader)
            self.milliseconds.append((time.perf_counter() - begun) * 1000)
            if status != _ACCEPTED:
                self.refused.append(status.decode())
        writer.close()


def request(body: bytes, key: str) -> bytes:
    """One upload as it goes over the wire."""
    start = (
        b"--" + _BOUNDARY + b"\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n"
        b"Content-Type: application/octet-stream\r\n\r\n"
    )  # fmt: skip
    end = b"\r\n--" + _BOUNDARY + b"--\r\n"
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY.decode()}\r\n"
        f"Content-Length: {len(start) + len(body) + len(end)}\r\n\r\n"
    )
    return head.encode() + start + body + end


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The status of the next answer; its body is read and left."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return head.split(b" ", 2)[1]


def main() -> None:
    """Upload and print."""
    port, key, connections, folder = sys.argv[1:]
    bodies = [request(file.read_bytes(), key) for file in sorted(Path(folder).iterdir())]
    load = Load(int(port), deque(bodies))
    begun, ended = asyncio.run(load.run(int(connections)))
    told = {
        "begun": begun,
        "ended": ended,
        "core_seconds": time.process_time(),
        "milliseconds": load.milliseconds,
        "refused": load.refused,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
