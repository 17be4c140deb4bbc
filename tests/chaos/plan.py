"""What is done to whom, in which order: drawn from the seed, a stream of faults for each victim, side by side."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos import client_acts, engine_acts, failpoints, service_acts
from tests.chaos.arena import Act
from tests.chaos.failpoints import ACTIONS


@dataclass(frozen=True)
class Stream:
    """Faults of one victim. `rounds`: what has to happen, a round after the other, again and again.

    Between two of them one of `fillers` happens, if there are any. Before each fault it rests `low` to `high` seconds.
    """

    name: str
    rounds: Sequence[Sequence[Act]]
    fillers: Sequence[Act]
    low: float
    high: float

    def draw(self, seed: int) -> Iterator[tuple[float, Act, bool]]:
        """For ever: seconds of rest, the fault, and whether the first round is over with it."""
        chance, number = random.Random(f"{seed}/{self.name}"), 0
        while True:
            acts = list(self.rounds[number % len(self.rounds)])
            chance.shuffle(acts)
            for place, act in enumerate(acts):
                if self.fillers:
                    yield chance.uniform(self.low, self.high), chance.choice(self.fillers), False
                yield chance.uniform(self.low, self.high), act, number == 0 and place == len(acts) - 1
            number += 1


def streams(lease: float, pace: float) -> list[Stream]:
    """One a victim. `pace` stretches the rests; 1 is as dense as recovery within short leases allows."""
    return [
        _gateway(pace),
        *(_worker(number, lease, pace) for number in range(2)),
        _trainer(pace),
        Stream("postgres", [engine_acts.postgres()], [], 20 * pace, 40 * pace),
        Stream("valkey", [engine_acts.valkey()], [], 4 * pace, 9 * pace),
        Stream("clients", [[*client_acts.clients(), *engine_acts.disks()]], [], 3 * pace, 8 * pace),
        Stream("machine", [[engine_acts.machine()]], [], 80 * pace, 160 * pace),
    ]


def _gateway(pace: float) -> Stream:
    name = "gateway"
    others = [
        service_acts.terminate(name),
        service_acts.freeze(name, 1, 4),
        service_acts.lose_commits(name),
        service_acts.kill(name),
        *service_acts.lines(name),
        *(service_acts.skew(name, by) for by in ("+1d", "-1d")),
    ]
    return Stream(name, _rounds(name, name, others), [], 5 * pace, 10 * pace)


def _worker(number: int, lease: float, pace: float) -> Stream:
    """Two workers share the failpoints of a round; everything else happens to both."""
    name = f"worker-{number + 1}"
    others = [
        service_acts.zombie(name, lease),
        service_acts.terminate(name),
        service_acts.freeze(name, 0.5, 3),
        service_acts.lose_commits(name),
        service_acts.popped(name),
        *service_acts.lines(name)[number::2],
        service_acts.skew(name, "+1d" if number else "-1d"),
    ]
    fillers = [service_acts.kill(name), service_acts.kill_child(name), service_acts.kill_child(name)]
    return Stream(name, _rounds(name, "worker", others, (number, 2)), fillers, 2 * pace, 5 * pace)


def _trainer(pace: float) -> Stream:
    name = "trainer"
    others = [service_acts.terminate(name), service_acts.freeze(name, 1, 4), service_acts.lose_commits(name)]
    return Stream(name, _rounds(name, name, others), [], 2 * pace, 6 * pace)


def _rounds(victim: str, kind: str, others: Sequence[Act], share: tuple[int, int] = (0, 1)) -> list[list[Act]]:
    """A round an action of the failpoints: each has every point once, and what else there is."""
    return [[*failpoints.of(victim, kind, action, share), *others] for action in ACTIONS]
