"""What hospitals and operators do all the time: submit, repeat, poll, cancel, promote, train, listen to webhooks."""

import itertools
import queue
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Self

from shared.schemas import Modality
from tests.chaos.client import Client
from tests.chaos.inputs import Input
from tests.chaos.journal import Journal
from tests.chaos.stack import ECHOES, HOSPITALS, Stack
from tests.chaos.staged import POISONS

_MODALITIES = (Modality.CHEST_XRAY, Modality.CHEST_XRAY, Modality.COUGH, Modality.LUNG_SOUND)
_PRIORITIES = ("routine", "routine", "bulk", "stat")
_RUN = {"recipe": "cough/logistic_regression", "dataset": "coughs"}


class Load:
    """Threads that go on until `stop`. All that is drawn comes from the seed; what meets what does not."""

    def __init__(self, stack: Stack, journal: Journal, seed: int, webhook: str, per_second: float = 6.0) -> None:
        self.stack, self._journal, self._seed = stack, journal, seed
        self._webhook, self._pause = webhook, len(HOSPITALS) / per_second
        self.stopping = threading.Event()
        self.done: Counter[str] = Counter()
        self._numbers = itertools.count(1)  # one step is atomic, so every input of a run is another
        self._jobs: dict[str, queue.SimpleQueue[str]] = {name: queue.SimpleQueue() for name in HOSPITALS}
        self._sent: dict[str, deque[Input]] = {name: deque(maxlen=50) for name in HOSPITALS}
        self._answered: dict[str, deque[tuple[str, str]]] = {name: deque(maxlen=50) for name in HOSPITALS}
        self._threads = [
            threading.Thread(target=self._repeat, args=(*whose,), name=f"load-{whose[0]}-{whose[1]}", daemon=True)
            for whose in self._roles()
        ]

    def __enter__(self) -> Self:
        for hospital in HOSPITALS:
            with self.guest(hospital) as client:
                client.post("/v1/webhooks", {"url": self._webhook})
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every thread; calls that are under way are answered first."""
        self.stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def guest(self, hospital: str, key: str | None = None) -> "closing[Client]":
        """A client of this hospital for one thread, closed at the end of the context."""
        return closing(
            Client(
                self.stack.settings.base_url,
                key or self.stack.keys[hospital],
                hospital,
                self._journal,
                self.stopping,
                lambda: ":raise" in (self.stack["gateway"].armed or ""),
            )
        )

    def next_input(self, chance: random.Random, trap: str = "") -> Input:
        """A file that was never sent."""
        return Input(next(self._numbers), chance.choice(_MODALITIES), trap)

    def submit(self, client: Client, chance: random.Random, trap: str = "", tries: int = 40) -> str | None:
        """One more job of a hospital under a key of its own, some of them asked for twice."""
        given = self.next_input(chance, trap)
        fields = {"priority": chance.choice(_PRIORITIES)}
        if given.modality is Modality.CHEST_XRAY and chance.random() < 0.2:
            fields["version"] = chance.choice(ECHOES)
        key = f"{self._seed}-{given.number}"
        job = client.submit(given, key, tries=tries, **fields)
        if job is not None:
            self.done["accepted"] += 1
            self._jobs[client.tenant].put(job)
            if not trap:
                self._sent[client.tenant].append(given)
        if chance.random() < 0.15:
            client.submit(given, key, tries=3, **fields)
        if job is not None and chance.random() < 0.03:
            client.submit(given, key, tries=1, **{**fields, "client_ref": "another request"})
        return job

    def promote(self, chance: random.Random) -> None:
        """Move the pointer once, from any thread."""
        with self.guest(HOSPITALS[0]) as client:
            client.promote(Modality.CHEST_XRAY, chance.choice(ECHOES))

    def train(self) -> None:
        """Ask for one training, from any thread."""
        with self.guest(HOSPITALS[0]) as client:
            client.post("/v1/training-runs", _RUN)

    def judge(self, chance: random.Random) -> None:
        """A clinician says something of a result, takes it back, or reads one that is contested; from any thread."""
        hospital = chance.choice(HOSPITALS)
        with self.guest(hospital, chance.choice(self.stack.readers[hospital])) as client:
            if chance.random() < 0.4:
                self._read_again(client, chance)
            elif self._answered[hospital]:
                job, decision = chance.choice(self._answered[hospital])
                self._judge(client, chance, job, decision)

    def explain(self, chance: random.Random) -> None:
        """Ask why one result is as it is, from any thread."""
        hospital = chance.choice(HOSPITALS)
        with self.guest(hospital) as client:
            if self._answered[hospital]:
                client.get(f"/v1/jobs/{chance.choice(self._answered[hospital])[0]}/explanation")

    def bulk(self, chance: random.Random) -> None:
        """Submit a few stored inputs once more, as a batch; from any thread."""
        hospital = chance.choice(HOSPITALS)
        given = {one.number: one for one in chance.choices(self._sent[hospital], k=5)} if self._sent[hospital] else {}
        if given:
            with self.guest(hospital) as client:
                client.bulk(list(given.values()), f"{self._seed}-batch-{next(self._numbers)}")

    def try_out(self, chance: random.Random) -> None:
        """Let another version compute what the active one has answered, from any thread."""
        with self.guest(HOSPITALS[0]) as client:
            client.try_out(Modality.CHEST_XRAY, chance.choice(ECHOES))

    def _judge(self, client: Client, chance: random.Random, job: str, decision: str) -> None:
        other = {"flagged": "absent", "not_flagged": "present"}.get(decision, "present")
        verdict: dict[str, Any] = {"verdict": chance.choice(("agree", "disagree", "unsure"))}
        if verdict["verdict"] == "disagree":
            verdict["label"] = other
        said = client.post(f"/v1/jobs/{job}/feedback", {**verdict, "basis": "pcr", "saw_result_first": True})
        if said is not None and chance.random() < 0.3:
            client.delete(f"/v1/feedback/{said.json()['id']}")

    def _read_again(self, client: Client, chance: random.Random) -> None:
        waiting = client.get("/v1/adjudications?limit=20")
        if waiting and waiting["adjudications"]:
            one = chance.choice(waiting["adjudications"])
            label = chance.choice(("present", "absent", "undetermined"))
            client.post(f"/v1/adjudications/{one['id']}/verdict", {"label": label, "basis": "radiologist"})

    def spoil(self, chance: random.Random, trap: str) -> None:
        """Submit one poisonous file, from any thread."""
        with self.guest(chance.choice(HOSPITALS)) as client:
            self.submit(client, chance, trap, tries=3)

    def _roles(self) -> Sequence[tuple[str, str, Callable[[Client, random.Random], float]]]:
        each = [("submits", self._submits), ("polls", self._polls)]
        return [(name, what, role) for name in HOSPITALS for what, role in each] + [
            (HOSPITALS[0], "operates", self._operates),
            (HOSPITALS[0], "reads", self._reads),
        ]

    def _repeat(self, hospital: str, what: str, role: Callable[[Client, random.Random], float]) -> None:
        """A role does one thing and says how long it rests (seconds)."""
        chance = random.Random(f"{self._seed}/{hospital}/{what}")
        with self.guest(hospital) as client:
            while not self.stopping.is_set():
                self.stopping.wait(role(client, chance))

    def _submits(self, client: Client, chance: random.Random) -> float:
        trap = chance.choice(sorted(POISONS)) if chance.random() < 0.01 else ""
        job = self.submit(client, chance, trap)
        if job is not None and chance.random() < 0.06:
            client.cancel(job)
        return self._pause * chance.uniform(0.2, 1.8)

    def _polls(self, client: Client, chance: random.Random) -> float:
        try:
            job = self._jobs[client.tenant].get(timeout=0.5)
        except queue.Empty:
            return 0.0
        wait = chance.choice((0, 0, 2, 5))
        told = client.look(job, wait, timeout=chance.choice((0.2, wait + 10)))
        if told is None or told["finished_at"] is None:
            self._jobs[client.tenant].put(job)
            return 0.2 if told else 1.0
        self.done[told["status"]] += 1
        if told["result"]:
            self._answered[client.tenant].append((job, told["result"]["decision"]))
        return 0.0

    def _operates(self, client: Client, chance: random.Random) -> float:
        if chance.random() < 0.2:
            client.roll_back(Modality.CHEST_XRAY)
        else:
            client.promote(Modality.CHEST_XRAY, chance.choice(ECHOES))
        if chance.random() < 0.12:
            client.post("/v1/training-runs", _RUN)
        if chance.random() < 0.2:
            self.try_out(chance)
        return chance.uniform(0.5, 1.5)

    def _reads(self, client: Client, chance: random.Random) -> float:
        """What clinicians do; who they are is drawn anew each time."""
        del client
        chance.choices((self.judge, self.explain, self.bulk), (6, 1, 1))[0](chance)
        return chance.uniform(0.2, 0.8)
