"""A claim that is being worked on: its version, its inputs in the sandbox, and its next group."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from services.worker.children import Task
from services.worker.claims import Claim, Held
from services.worker.deployed import Loaded
from services.worker.sandbox import Order
from shared.schemas import Card
from shared.storage import BlobStore

Pair = tuple[Held, Task]


@dataclass(eq=False)
class Work:
    """`pairs`: each job that was not answered yet, with its task."""

    claim: Claim
    loaded: Loaded
    pairs: deque[Pair]

    @property
    def limit(self) -> int:
        """Most of them in one forward pass."""
        return self.loaded.pace.group

    @property
    def group(self) -> list[Pair]:
        """What is predicted next, together: the oldest, as many as may be."""
        return list(islice(self.pairs, self.limit))

    @property
    def tasks(self) -> list[Task]:
        """Every task that was not answered yet."""
        return [task for _, task in self.pairs]

    def pop(self, group: Sequence[Pair]) -> bool:
        """The group leaves; whether it was the last one."""
        for _ in group:
            self.pairs.popleft()
        return not self.pairs


def orders(claim: Claim, card: Card, store: BlobStore) -> list[Order]:
    """What the sandbox is asked for, one a job."""
    steps = [step.model_dump() for step in card.pipeline]
    return [Order(str(store.path(job.tenant_id, job.sha256)), job.sha256, job.media_type, steps) for job in claim.jobs]
