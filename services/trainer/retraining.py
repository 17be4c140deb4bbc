"""Collects the data sets that retrainings wait for: a base set, and what clinicians have judged.

Some patients are held out: which ones depends on the hospital's key alone, so they are the same in every retraining and
nothing of them is ever trained on. What they are for: to test a candidate on.
"""

import csv
import hashlib
import hmac
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Row

from services.trainer import datasets
from services.trainer.datasets import EVENTS, INDEX, Dataset
from services.trainer.judged import Labelled, Query, labelled
from services.trainer.recipe import find
from shared.db.engine import Database
from shared.db.statements import judged, retraining, training
from shared.db.tables import Retraining, TrainingRun
from shared.errors import Conflict, ThoracleError
from shared.schemas import Label, Modality, RetrainingPlan
from shared.sentences import say
from shared.settings import Settings
from shared.storage import BlobStore

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Parts:
    """Judged inputs that may be trained on, those that never are, and how many were left out, by reason."""

    trained: list[Labelled]
    held_out: list[Labelled]
    left_out: Mapping[str, int]


class Collector:
    """Makes data sets, one retraining after another."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._store = BlobStore(settings.blob_dir)

    def look(self, here: Collection[str]) -> None:
        """Collect for every retraining that waits and whose base set is among those that are here."""
        while (waiting := self._waiting(here)) is not None:
            wanted, run = waiting
            try:
                self._collect(wanted, run)
            except ThoracleError as error:
                self._refuse(wanted, run, error.code, error.detail)
            except OSError:  # else it would stand before every other run for ever; its words may hold a file's name
                self._refuse(wanted, run, "train_failed", say("train_failed"))

    def _waiting(self, here: Collection[str]) -> Row[Retraining, TrainingRun] | None:
        with self._database.begin() as session:
            return session.execute(retraining.to_collect(sorted(here))).first()

    def _collect(self, wanted: Retraining, run: TrainingRun) -> None:
        plan = RetrainingPlan.model_validate(wanted.plan)
        base = datasets.read(self._settings.datasets / plan.base) if plan.base else None
        parts = self._parts(wanted, plan, {row.sha256 for row in base.rows} if base else set())
        if not parts.trained:
            raise Conflict("no_labels")
        folder = self._settings.datasets / run.dataset
        _write(folder, [*_records(base), *(one.record for one in parts.trained)], _events(base))
        made = datasets.read(folder)
        counts = {
            "trained": len(parts.trained),
            "held_out": len(parts.held_out),
            "base": len(made.rows) - len(parts.trained),
            "files": len(made.rows),
            "by_basis": _count(parts, lambda one: one.row.basis),
            "by_label": _count(parts, _word),
            "left_out": dict(parts.left_out),
        }
        self._keep(wanted, made.fingerprint, counts, parts)

    def _parts(self, wanted: Retraining, plan: RetrainingPlan, known: Collection[str]) -> _Parts:
        left_out: Counter[str] = Counter()
        query = Query(wanted.tenant_id, Modality(wanted.modality), find(plan.recipe).finding, plan.bases)
        found = labelled(self._database, self._store, query, left_out)
        with self._database.begin() as session:
            contested = set(session.scalars(retraining.contested([one.row.id for one in found])))
            key = session.scalar(judged.pseudonym_key(wanted.tenant_id)) or b""
        parts = _Parts([], [], left_out)
        for one in found:
            if one.row.id in contested:
                left_out["contested"] += 1
            elif one.row.sha256 in known:
                left_out["in_base"] += 1
            else:
                held = is_held_out(key, one.record["patient_id"], plan.hold_out)
                (parts.held_out if held else parts.trained).append(one)
        return parts

    def _keep(self, wanted: Retraining, fingerprint: str, counts: dict[str, Any], parts: _Parts) -> None:
        """Which labels, and that it is done: both or neither; another trainer's word is as good as ours."""
        owner = {"retraining_id": wanted.id, "tenant_id": wanted.tenant_id}
        rows = [{**owner, **_label(one), "held_out": False} for one in parts.trained]
        rows += [{**owner, **_label(one), "held_out": True} for one in parts.held_out]
        with self._database.begin() as session:
            if session.scalar(retraining.collected(wanted.id, fingerprint, counts)) is not None:
                session.execute(retraining.keep(rows))
        _log.info("retraining_collected", retraining=str(wanted.id), files=counts["files"])

    def _refuse(self, wanted: Retraining, run: TrainingRun, code: str, detail: str) -> None:
        _log.warning("not_collected", retraining=str(wanted.id), code=code)
        with self._database.begin() as session:
            session.execute(training.refuse(run.id, code, detail))
            session.execute(retraining.end(wanted.id, "failed"))
        shutil.rmtree(self._settings.datasets / run.dataset, ignore_errors=True)


def is_held_out(key: bytes, patient: str, share: float) -> bool:
    """Whether a patient is never trained on: the same answer for ever, known to nobody without the hospital's key."""
    digest = hmac.new(key, f"hold-out {patient}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def _records(base: Dataset | None) -> Iterable[dict[str, str]]:
    for row in base.rows if base else ():
        own = {"path": str(row.path.resolve()), "label": row.label, "patient_id": row.patient, "source": row.source}
        yield {**row.extra, **own}


def _events(base: Dataset | None) -> list[dict[str, str]]:
    return [
        {"path": str(row.path.resolve()), "start_ms": str(round(event.start * 1000, 3)),
         "end_ms": str(round(event.end * 1000, 3)), "type": event.kind}
        for row in (base.rows if base else ()) for event in row.events
    ]  # fmt: skip


def _write(folder: Path, records: list[dict[str, str]], events: list[dict[str, str]]) -> None:
    """Write the index and the events; what a killed trainer left behind is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    _table(folder / EVENTS, events)
    _table(folder / INDEX, records)


def _table(file: Path, records: list[dict[str, str]]) -> None:
    columns = list(dict.fromkeys(name for record in records for name in record))
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(records)


def _label(one: Labelled) -> dict[str, Any]:
    row = one.row
    return {"job_id": row.id, "label": _word(one), "basis": row.basis, "adjudicated": row.adjudicated}


def _word(one: Labelled) -> str:
    return Label.PRESENT if one.present else Label.ABSENT


def _count(parts: _Parts, word: Callable[[Labelled], str]) -> dict[str, int]:
    return dict(Counter(word(one) for one in (*parts.trained, *parts.held_out)))
