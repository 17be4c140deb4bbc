"""The plan: the same for the same seed, and every point, fault and victim is in it."""

from itertools import islice

import pytest

from shared.faults import POINTS
from tests.chaos.failpoints import ACTIONS, host, points
from tests.chaos.plan import Stream, streams
from tests.chaos.stack import ENGINES, SERVICES


def _drawn(stream: Stream, seed: int, count: int = 300) -> list[tuple[float, str, bool]]:
    return [(rest, act.fault, last) for rest, act, last in islice(stream.draw(seed), count)]


def test_a_seed_says_what_happens_in_which_order() -> None:
    plan = streams(3.0, 1.0)
    assert [_drawn(stream, 5) for stream in plan] == [_drawn(stream, 5) for stream in streams(3.0, 1.0)]
    assert [_drawn(stream, 5) for stream in plan] != [_drawn(stream, 6) for stream in plan]


def test_every_point_has_a_host_and_is_struck_in_every_way() -> None:
    drawn = {fault for stream in streams(3.0, 1.0) for _, fault, _ in _drawn(stream, 1)}
    assert {f"{point}:{action}" for point in POINTS for action in ACTIONS} <= drawn
    assert {host(point) for point in POINTS} == {"gateway", "worker", "trainer"}
    assert sorted(point for kind in ("gateway", "worker", "trainer") for point in points(kind)) == sorted(POINTS)


def test_everything_is_somebodys_victim() -> None:
    victims = {act.victim for stream in streams(3.0, 1.0) for _, act, _ in islice(stream.draw(1), 300)}
    assert {*SERVICES, *ENGINES, "blobs", "clients", "machine"} == victims


@pytest.mark.parametrize("number", range(8))
def test_the_first_round_is_over_once(number: int) -> None:
    stream = streams(3.0, 1.0)[number]
    drawn = _drawn(stream, 1)
    over = [place for place, (_, _, last) in enumerate(drawn) if last]
    assert len(over) == 1
    assert {act.fault for act in stream.rounds[0]} <= {fault for _, fault, _ in drawn[: over[0] + 1]}
