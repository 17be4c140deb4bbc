"""Makes explanations while no job waits: one forward pass at a time, and the queue is looked at between two."""

import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from services.worker.deployed import Deployed, Loaded
from services.worker.explain.reasons import Reasoned, explain
from services.worker.sandbox import Lost, Order, Ready, Refused, Sandbox
from shared.db.engine import Database
from shared.db.statements import explanations as statements
from shared.errors import VersionInvalid
from shared.faults import fault
from shared.schemas import Modality
from shared.settings import Settings
from shared.storage import BlobStore

_LEASE_S = 60.0
_POLL_S = 0.05  # how soon a job is seen that comes while an input is prepared or a version is loaded
_log = structlog.get_logger()


class _NotToBe(Exception):
    """There will be no explanation, and why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Gone(Exception):
    """Somebody else has it now, or it is to be tried again later."""


class Explanations:
    """One explanation at a time, of jobs of the modalities that this worker serves."""

    def __init__(
        self, settings: Settings, database: Database, sandbox: Sandbox, store: BlobStore, deployed: Deployed
    ) -> None:
        self._served = settings.served
        self._database, self._sandbox, self._store, self._deployed = database, sandbox, store, deployed
        self._taken: Row[Any] | None = None
        self._work: Iterator[None] = iter(())
        self._renewed = 0.0
        # A version that no pointer names is loaded beside the jobs, not before them.
        self._loader = ThreadPoolExecutor(1, "explain-load")

    def step(self) -> bool:
        """One short piece of work; False when none waits. A database that is away leaves the lease to run out."""
        try:
            if self._taken is None and not self._take():
                return False
            self._proceed()
        except DBAPIError as error:
            _log.warning("explanation_left", error=type(error).__name__)
            self._forget()
            return False
        return True

    def close(self) -> None:
        """Give back what is being made, uncharged."""
        taken = self._taken
        self._forget()
        self._loader.shutdown(cancel_futures=True)
        if taken is not None:
            with suppress(DBAPIError), self._database.begin() as session:
                session.execute(statements.give_back(taken.job_id, taken.attempts))

    def _take(self) -> bool:
        with self._database.begin() as session:
            self._taken = session.execute(statements.take(self._served, _LEASE_S)).first()
        if self._taken is None:
            return False
        self._renewed = time.monotonic()
        self._work = self._made(self._taken)
        return True

    def _proceed(self) -> None:
        assert self._taken is not None
        try:
            next(self._work)
            return
        except StopIteration:
            pass
        except _Gone:
            _log.info("explanation_gone", job=str(self._taken.job_id))
        except _NotToBe as why:
            self._fail(why.code)
        except DBAPIError:
            raise
        except Exception as error:  # noqa: BLE001 — engines raise types of their own, and jobs must go on
            _log.error("explanation_failed", job=str(self._taken.job_id), error=type(error).__name__)
            self._fail("explanation_failed")
        self._forget()

    def _made(self, taken: Row[Any]) -> Iterator[None]:
        """The straight line; others may go first wherever it yields."""
        fault("explain.taken")
        if taken.attempts > statements.MOST_ATTEMPTS:
            raise _NotToBe("explanation_failed")
        if taken.recalled_at is not None:
            raise _NotToBe("version_recalled")
        loaded = yield from self._loaded(taken)
        ready = yield from self._prepared(taken, loaded)
        work = explain(loaded, ready)
        while True:
            try:
                next(work)
            except StopIteration as end:
                self._record(taken, end.value)
                return
            self._keep(taken)
            yield

    def _loaded(self, taken: Row[Any]) -> Generator[None, None, Loaded]:
        loading: Future[Loaded] = self._loader.submit(self._deployed.get, taken.version)
        while not loading.done():
            time.sleep(_POLL_S)
            self._keep(taken)
            yield
        try:
            return loading.result()
        except VersionInvalid:
            raise _NotToBe("version_unavailable") from None

    def _prepared(self, taken: Row[Any], loaded: Loaded) -> Generator[None, None, Ready]:
        card = loaded.card
        path = self._store.path(taken.tenant_id, taken.sha256)
        steps = [step.model_dump() for step in card.pipeline]
        xray = card.modality is Modality.CHEST_XRAY
        (task,) = self._sandbox.put([Order(str(path), taken.sha256, taken.media_type, steps, lungs=xray)])
        try:
            while not task.done:
                self._sandbox.wait(_POLL_S)
                yield
        finally:
            self._sandbox.drop([task])
        match task.outcome:
            case Ready():
                return task.outcome
            case Refused(code=code):
                raise _NotToBe("input_erased" if code == "integrity" else code)
            case Lost():
                raise _Gone
        raise AssertionError(task.outcome)

    def _keep(self, taken: Row[Any]) -> None:
        """Hold on to the lease. Raises _Gone when somebody else has it."""
        if time.monotonic() < self._renewed + _LEASE_S / 3:
            return
        with self._database.begin() as session:
            if session.execute(statements.hold(taken.job_id, taken.attempts, _LEASE_S)).first() is None:
                raise _Gone
        self._renewed = time.monotonic()

    def _record(self, taken: Row[Any], found: Reasoned) -> None:
        sha256 = self._store.put(taken.tenant_id, found.heat).sha256 if found.heat else None
        with self._database.begin() as session:
            answer = found.answer.model_dump(mode="json")
            ended = statements.made(taken.job_id, taken.attempts, answer)
            if session.execute(ended).first() is not None and sha256 is not None:
                session.execute(statements.drawn(taken.tenant_id, taken.job_id, sha256))
            fault("explain.written")

    def _fail(self, code: str) -> None:
        assert self._taken is not None
        with self._database.begin() as session:
            session.execute(statements.failed(self._taken.job_id, self._taken.attempts, code))

    def _forget(self) -> None:
        if isinstance(self._work, Generator):
            self._work.close()
        self._taken, self._work = None, iter(())
