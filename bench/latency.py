"""(c) How long a submission over HTTP takes, against the floor: one fsynced file of its size and one commit.

`python -m bench.latency`. One client, one upload at a time, nothing else running; submission and floor take turns.
"""

import os
import socket
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import text

from bench import inputs
from bench.load import request
from bench.record import Claim, at_most, figure, write
from bench.stack import Bench, bench
from shared.deployments import install_starters

ROUNDS = 200
_WARM = 20
_MOST = 5.0
_INSERT = text("INSERT INTO floor (id) VALUES (:id)")


def main() -> None:
    """Measure and write."""
    with bench(rate_per_s=0) as place:
        install_starters(place.settings, place.database)
        place.gateway()
        claims = _measured(place)
    print(write("latency", claims))
    for claim in claims:
        print(f"{claim.claim}: {claim.value} {claim.unit} ({claim.limit}, {claim.holds})")


def _measured(place: Bench) -> list[Claim]:
    with place.database.begin() as session:
        session.execute(text("CREATE TABLE floor (id int PRIMARY KEY)"))
    key, submitted, floor = place.key(), list[float](), list[float]()
    bodies = inputs.xrays(_WARM + ROUNDS)
    with socket.create_connection((place.settings.host, place.settings.port)) as connection:
        for number, body in enumerate(bodies):
            wire = request(body, key)
            floor.append(_milliseconds(partial(_floor, place, body, number)))
            submitted.append(_milliseconds(partial(_submit, connection, wire)))
    floor, submitted = sorted(floor[_WARM:]), sorted(submitted[_WARM:])
    middle = ROUNDS // 2
    return [
        figure("floor: one fsynced file and one commit, p50", [floor[middle]], "ms"),
        figure("submission of an X-ray over HTTP, p50", [submitted[middle]], "ms"),
        figure("submission of an X-ray over HTTP, p95", [submitted[ROUNDS * 95 // 100]], "ms"),
        at_most("submission against the floor, p50", [submitted[middle] / floor[middle]], "times", _MOST),
    ]


def _floor(place: Bench, body: bytes, number: int) -> None:
    """What no durable acceptance can do without."""
    path = place.settings.home / f"floor-{number}"
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    with place.database.begin() as session:
        session.execute(_INSERT, {"id": number})


def _submit(connection: socket.socket, wire: bytes) -> None:
    connection.sendall(wire)
    answer = connection.makefile("rb")
    status = answer.readline()
    assert b" 202 " in status, status
    head = iter(answer.readline, b"\r\n")
    length = next(int(line[15:]) for line in list(head) if line.lower().startswith(b"content-length:"))
    answer.read(length)


def _milliseconds(action: Callable[[], None]) -> float:
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
