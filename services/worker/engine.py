"""The worker's straight line: claim → prepare → predict → decide → commit, until nothing waits or it must stop.

The steps overlap: while one group is predicted the writer commits the one before it, and the children prepare the one
after it, also where that is the next claim's.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

import structlog

from services.worker.claims import Claim, Claims, Held
from services.worker.deployed import Deployed, Loaded
from services.worker.predict import Answers, Group
from services.worker.reuse import Reuse
from services.worker.sandbox import Sandbox
from services.worker.shadow import Shadow
from services.worker.work import Pair, Work, orders
from services.worker.writer import Writer
from shared.db.tables import PRIORITY_RANK
from shared.errors import VersionInvalid
from shared.faults import fault
from shared.sentences import say
from shared.storage import BlobStore

_MOST_HELD = 3  # claims, besides an urgent one
_POLL_S = 0.01  # how soon more urgent work, or a stop, is noticed while inputs are being prepared
_REFUSED_FOR_S = 30.0  # a version that could not be loaded is left alone this long
_LAST = PRIORITY_RANK["bulk"]
_log = structlog.get_logger()
Spare = Callable[[], bool]


class Engine:
    """Works claims off. `drain` may be called from any thread; one works at a time and misses no call.

    `spare`: what is done while no job waits, in this order: each does one short piece, and says whether there was any.
    `holding`: every claim whose lease must be kept, by its number, until its last answer is committed.
    """

    def __init__(
        self,
        claims: Claims,
        reuse: Reuse,
        deployed: Deployed,
        sandbox: Sandbox,
        spare: Sequence[Spare],
        store: BlobStore,
        shadow: Shadow,
    ) -> None:
        self._claims, self._reuse, self._deployed = claims, reuse, deployed
        self._sandbox, self._spare, self._store = sandbox, spare, store
        self._shadow = shadow
        self._writer = Writer()
        self._works: deque[Work] = deque()
        self._busy = threading.Lock()
        self._rung = threading.Event()
        self._refused: dict[UUID, float] = {}
        self._answered = _LAST
        self.stopping = threading.Event()
        self.holding: dict[int, Claim] = {}

    def drain(self) -> None:
        """Work until nothing waits. A call while another thread works makes that thread look once more."""
        self._rung.set()
        while self._rung.is_set() and not self.stopping.is_set() and self._busy.acquire(blocking=False):
            try:
                self._rung.clear()
                # After each piece of spare work the queue is looked at again, so that no job waits for more than one.
                while not self.stopping.is_set() and (self._step() or any(work() for work in self._spare)):
                    pass
            finally:
                if self.stopping.is_set():
                    self._give_back()
                self._busy.release()

    def close(self, timeout: float) -> None:
        """Stop: commit what is being predicted, give back the rest, uncharged. Waits up to `timeout` seconds for it."""
        self.stopping.set()
        if self._busy.acquire(timeout=timeout):
            self._give_back()
            self._busy.release()
        self._writer.close()

    def _step(self) -> bool:
        """One group; False when nothing is held and nothing waits."""
        self._writer.check()
        for work in [work for work in self._works if work.claim.lost.is_set()]:
            self._leave(work)
        self._look()
        if not self._works:
            self._writer.flush()
            self._writer.check()
            self._answered = _LAST
            return False
        work = self._works[0]
        group = work.group
        if self._prepared(group):
            self._answer(work, group)
        return True

    def _urgent(self) -> bool:
        """Take what is more urgent than all that is held; False when there is nothing, or it is not its turn."""
        rank = min(self._answered, self._works[0].claim.priority) if self._works else 0
        return rank > 0 and self._claims.waits_before(rank) and self._take(rank - 1)

    def _look(self) -> None:
        """Take claims so that the children never run dry, and not earlier: what comes meanwhile is taken together."""
        self._urgent()
        while not self._works and not self.stopping.is_set() and self._take():
            pass
        held = sum(len(work.pairs) for work in self._works)
        if self._works and held <= self._works[0].limit and len(self._works) < _MOST_HELD:
            self._take()

    def _take(self, lowest: int = _LAST) -> bool:
        """Take the next claim; False when nothing waits."""
        now = time.monotonic()
        claim = self._claims.take([version for version, until in self._refused.items() if until > now], lowest)
        if claim is None:
            return False
        self.holding[claim.id] = claim
        try:
            fault("worker.claimed")
            self._begin(claim, self._deployed.get(claim.version_sha256))
        except VersionInvalid as error:
            self._refuse(claim, error)
        except BaseException:
            del self.holding[claim.id]
            raise
        return True

    def _begin(self, claim: Claim, loaded: Loaded) -> None:
        """Answer what is known, have the rest prepared: after those that are as urgent, before the others."""
        fault("worker.loaded")
        known = self._reuse.take(claim, loaded.card)
        if known.rows:
            self._writer.put(claim, partial(self._commit, claim, lambda: known, not claim.jobs))
        if not claim.jobs:
            return
        place = sum(work.claim.priority <= claim.priority for work in self._works)
        tasks = self._sandbox.put(orders(claim, loaded.card, self._store), rank=claim.priority)
        self._works.insert(place, Work(claim, loaded, deque(zip(claim.jobs, tasks, strict=True))))

    def _prepared(self, group: list[Pair]) -> bool:
        """Wait until a group is prepared; False when the worker must stop first, or more urgent work was taken."""
        looked = time.monotonic()
        while not all(task.done for _, task in group):
            if self.stopping.is_set():
                return False
            self._sandbox.wait(_POLL_S)
            if time.monotonic() > looked + _POLL_S:
                if self._urgent():
                    return False
                looked = time.monotonic()
        return True

    def _answer(self, work: Work, group: list[Pair]) -> None:
        try:
            fault("worker.prepared")
            going = Group(work.claim, work.loaded, [(job, task.outcome) for job, task in group])
            going.nearly()
        except Exception:
            self._leave(work)
            raise
        last = work.pop(group)
        if last:
            self._works.remove(work)
        self._writer.put(work.claim, partial(self._commit, work.claim, going.answers, last))
        self._shadow.keep(work.claim.modality, work.loaded, ((job, task.outcome) for job, task in group))
        # Until the next group only what is more urgent than this one is taken first: urgent work that never ends does
        # not stop the others.
        self._answered = work.claim.priority

    def _commit(self, claim: Claim, answered: Callable[[], Answers], last: bool) -> None:
        """In the writer's thread: what is left of a pass is waited for here, while the next group is in the graph."""
        try:
            answers = answered()
            fault("worker.predicted")
            self._claims.give_back(claim, answers.lost, "decoder_died", charged=True, detail=say("decoder_died"))
            self._claims.finish(claim, answers.rows, answers.studies, last=last)
        finally:
            if last:
                self.holding.pop(claim.id, None)

    def _leave(self, work: Work) -> None:
        """Its lease was lost, or an error came: what it still holds is for the reaper."""
        self._works.remove(work)
        self._sandbox.drop(work.tasks)
        self.holding.pop(work.claim.id, None)

    def _give_back(self) -> None:
        while self._works:
            work = self._works.popleft()
            self._sandbox.drop(work.tasks)
            self._writer.put(work.claim, partial(self._return, work.claim, [job for job, _ in work.pairs]))
        self._writer.flush()

    def _return(self, claim: Claim, jobs: list[Held]) -> None:
        try:
            self._claims.give_back(claim, jobs, "worker_stopping")
            self._claims.end(claim)
        finally:
            self.holding.pop(claim.id, None)

    def _refuse(self, claim: Claim, error: VersionInvalid) -> None:
        """Never fall back to another version: wait for one that loads, and end the jobs if none comes."""
        _log.error("version_refused", version=claim.version_sha256, detail=error.detail)
        assert claim.version_id is not None
        self._refused[claim.version_id] = time.monotonic() + _REFUSED_FOR_S
        try:
            self._claims.give_back(
                claim,
                claim.jobs,
                "version_unavailable",
                charged=True,
                last_state="failed",
                code="version_unavailable",
                detail=say("version_unavailable"),
                pause=5.0,
            )
            self._claims.end(claim)
        finally:
            self.holding.pop(claim.id, None)
