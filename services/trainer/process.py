"""A trainer's process from the inside: one thread trains, one keeps the lease; who rings wakes the first."""

import os
import shutil
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psutil
import structlog
from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert

from services.trainer import datasets
from services.trainer.proving import Prover
from services.trainer.recipe import recipes
from services.trainer.retraining import Collector
from services.trainer.runs import Held, RunLost, Runs
from services.trainer.telling import RunStopped, Teller
from services.trainer.train import Budget, train
from shared import registry
from shared.db.engine import Database
from shared.db.lease import AWAY
from shared.db.tables import Worker, new_id
from shared.errors import ThoracleError
from shared.faults import fault
from shared.sentences import say
from shared.settings import Settings

_log = structlog.get_logger()


class Trainer:
    """Works runs off, one at a time. `ring` may be called from any thread."""

    def __init__(self, settings: Settings, train: Callable[..., Path] = train) -> None:
        self.worker_id = new_id()
        self.holding: Held | None = None
        self._settings, self._train = settings, train
        self._database = Database(settings)
        self._runs = Runs(settings, self._database, self.worker_id)
        self._prover = Prover(settings, self._database)
        self._collector = Collector(settings, self._database)
        self._recipes = [
            {"name": recipe.name, "modality": recipe.modality.value, "finding": recipe.finding}
            for recipe in recipes().values()
        ]
        self._stopping, self._rung, self._silent = threading.Event(), threading.Event(), threading.Event()
        self._work = threading.Thread(target=self._repeat, args=(self._drain, self._rest), name="work", daemon=True)
        self._pulse = threading.Thread(target=self._repeat, args=(self._beat, self._pause), name="pulse", daemon=True)
        proving = (self._prover.look, self._pause)
        self._prove = threading.Thread(target=self._repeat, args=proving, name="prove", daemon=True)

    def start(self) -> None:
        """Register this trainer, as soon as there is a database, and begin to look for runs."""
        while not self._registered():
            self._stopping.wait(self._settings.heartbeat_s)
        self.ring()
        self._pulse.start()
        self._prove.start()
        self._work.start()
        _log.info("trainer_ready", recipes=len(self._recipes), datasets=len(self._datasets()))

    def ring(self) -> None:
        """There may be a run that waits."""
        self._rung.set()

    def close(self, grace: float) -> bool:
        """Give back what is held and stop. False when an epoch takes longer than `grace` (seconds) to end.

        The run is given back all the same; the process should then end without further ado.
        """
        self._stopping.set()
        self.ring()
        _join(self._work, grace)
        if (held := self.holding) is not None:
            self._give_back(held)
        self._silent.set()
        _join(self._pulse, grace)
        _join(self._prove, grace)
        with suppress(*AWAY), self._database.begin() as session:
            session.execute(update(Worker).where(Worker.id == self.worker_id).values(stopped_at=func.now()))
        self._database.close()
        return not self._work.is_alive()

    def _registered(self) -> bool:
        """Runs name their trainer; a second try finds the first one's row."""
        own = {"id": self.worker_id, "host": socket.gethostname(), "pid": os.getpid(), "modalities": []}
        try:
            with self._database.begin() as session:
                session.execute(insert(Worker).values(**own, report=self._report()).on_conflict_do_nothing())
            self._runs.reap()  # first what was begun already
        except AWAY as error:
            _log.warning("not_registered", error=type(error).__name__)
            return False
        return True

    def _drain(self) -> None:
        while not self._stopping.is_set() and (held := self._take()) is not None:
            self.holding = held
            try:
                self._work_off(held)
            finally:
                self.holding = None
        self._tidy()

    def _take(self) -> Held | None:
        self._collector.look(self._datasets())
        return self._runs.take([recipe["name"] for recipe in self._recipes], self._datasets())

    def _work_off(self, held: Held) -> None:
        log = _log.bind(run=str(held.id), recipe=held.recipe)
        try:
            fault("trainer.claimed")
            version = registry.store(self._version(held), self._settings.versions_dir)
            fault("trainer.stored")
            self._runs.publish(held, version)
            fault("trainer.published")
            log.info("run_published", version=version.sha256)
        except RunLost:
            log.warning("run_lost")
        except RunStopped:
            self._give_back(held)
        except ThoracleError as error:
            self._fail(held, error.code, error.detail)
        except AWAY:
            raise  # the lease runs out, and the run is taken up from where it is
        except Exception as error:  # noqa: BLE001 — whatever a library raises, the run has to end
            log.error("train_failed", error=type(error).__name__, place=_place(error))
            self._fail(held, "train_failed", say("train_failed"))

    def _give_back(self, held: Held) -> None:
        """Both threads may come here at the end; the second one finds nothing to give back."""
        with suppress(RunLost, *AWAY):
            self._runs.give_back(held)
            _log.info("run_given_back", run=str(held.id))

    def _fail(self, held: Held, code: str, detail: str) -> None:
        _log.warning("run_failed", run=str(held.id), code=code)
        with suppress(RunLost):
            self._runs.fail(held, code, detail)

    def _version(self, held: Held) -> Path:
        """The folder of the trained version; it may be there from an attempt that died just before its end."""
        folder = self._settings.runs_dir / str(held.id)
        out, tell = folder / "version", Teller(self._runs, held, self._stopping)
        if not (out / registry.MANIFEST).is_file():
            limits = {"threads": self._settings.trainer_threads, "nice": self._settings.trainer_nice}
            options = dict(held.options)
            trusted = bool(options.pop("trust_labels", False))
            budget = Budget(**options, **limits)
            data = self._settings.datasets / held.dataset
            what = {"mode": held.mode, "seed": held.seed, "name": held.name, "budget": budget, "keep": folder / "kept"}
            self._train(held.recipe, data, out, **what, trust_labels=trusted, on_progress=tell)
            tell.flush()
        return out

    def _tidy(self) -> None:
        """Remove what ended runs have left."""
        folders = {UUID(folder.name): folder for folder in self._settings.runs_dir.glob("*-*-*-*-*")}
        for run in folders.keys() - self._runs.open_among(list(folders)) if folders else ():
            shutil.rmtree(folders[run], ignore_errors=True)

    def _datasets(self) -> list[str]:
        """Names of the folders that may be trained on."""
        return sorted(index.parent.name for index in self._settings.datasets.glob(f"*/{datasets.INDEX}"))

    def _report(self) -> dict[str, object]:
        resident = round(psutil.Process().memory_info().rss / 2**20, 1)
        known = {"resident_mb": resident, "recipes": self._recipes, "datasets": self._datasets()}
        return {**known, **self._prover.report()}

    def _beat(self) -> None:
        if (held := self.holding) is not None:
            self._runs.beat(held)
        with self._database.begin() as session:
            row = update(Worker).where(Worker.id == self.worker_id)
            session.execute(row.values(seen_at=func.now(), report=self._report()))
        if freed := self._runs.reap():
            _log.warning("lease_reaped", runs=freed)
            self.ring()

    def _repeat(self, action: Callable[[], None], pause: Callable[[], bool]) -> None:
        while not pause():
            try:
                action()
            except (*AWAY, OSError) as error:
                _log.warning("look_failed", look=action.__name__, error=type(error).__name__)
            except Exception:  # noqa: BLE001 — a trainer whose thread has ended looks alive and is not
                _log.exception("look_broken", look=action.__name__)

    def _rest(self) -> bool:
        """Until somebody rings or it is time to look; True at the end."""
        self._rung.wait(self._settings.idle_look_s)
        self._rung.clear()
        return self._stopping.is_set()

    def _pause(self) -> bool:
        return self._silent.wait(self._settings.heartbeat_s)


def _join(thread: threading.Thread, seconds: float) -> None:
    """Wait for a thread, if it was ever started: a database that was away may have prevented it."""
    if thread.is_alive():
        thread.join(seconds)


def _place(error: Exception) -> list[str]:
    """Where it was raised; what it says may hold a file's name, and is not for logs."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
