"""The service's own store as a dataset: inputs whose results clinicians have judged, and nothing that names them.

The dataset is a folder with an `index.csv` like any other. Nothing is copied: the index points at the stored inputs, so
that what is erased from the store is gone from every dataset too.
"""

import csv
import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from services.trainer.datasets import INDEX
from services.trainer.recipe import recipes
from shared.db.engine import Database
from shared.db.statements import judged as statements
from shared.errors import BadRequest, Conflict
from shared.schemas import Basis, Label, Modality, Shape
from shared.storage import BlobStore

BASES = tuple(str(basis) for basis in Basis)
_OLDEST = 89.0  # years: above it an age may name a person (HIPAA safe harbour, 45 CFR 164.514(b)(2)(i)(C))
_COLUMNS = ("path", "label", "patient_id", "source", "device", "view", "age_years", "sex", "basis")


@dataclass(frozen=True)
class Query:
    """Which verdicts of which hospital become labels of which finding."""

    tenant: UUID
    modality: Modality
    finding: str
    bases: Sequence[str]
    since: datetime | None = None
    blind: bool = False  # only verdicts whose readers did not know the model's answer


class Collected(Shape):
    """What became of the verdicts. `left_out` counts by reason; `unnamed` rows name no subject and stand alone."""

    files: int
    patients: int
    labels: dict[str, int]
    left_out: dict[str, int]
    unnamed: int


@dataclass(frozen=True)
class Labelled:
    """One judged input: its row of `statements.judged`, whether the finding is there, and its row of an index."""

    row: Any
    present: bool
    record: dict[str, str]


def collect(database: Database, store: BlobStore, query: Query, folder: Path) -> Collected:
    """Write the index of a new dataset into `folder`. Raises BadRequest (no such finding), Conflict (not empty)."""
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(detail="The dataset's folder exists already and is not empty. Choose another name.")
    left_out: Counter[str] = Counter()
    rows = [one.record for one in labelled(database, store, query, left_out)]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / INDEX).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return Collected(
        files=len(rows),
        patients=len({row["patient_id"] for row in rows}),
        labels=dict(Counter(row["label"] for row in rows)),
        left_out=dict(left_out),
        unnamed=sum(row["patient_id"].startswith("file-") for row in rows),
    )


def labelled(database: Database, store: BlobStore, query: Query, left_out: Counter[str]) -> list[Labelled]:
    """Inputs on whose label readers agree and that are stored; others are counted. Raises BadRequest."""
    words = _words(query.modality, query.finding)
    with database.begin() as session:
        found: Sequence[Any] = session.execute(
            statements.judged(query.tenant, query.modality, query.finding, query.bases, query.since)
        ).all()
        key = session.scalar(statements.pseudonym_key(query.tenant)) or b""
    if query.blind:
        told, found = len(found), [row for row in found if not row.saw_result_first]
        left_out.update({"saw_result_first": told - len(found)} if told > len(found) else {})
    agreed = [
        Labelled(row, present, _record(row, present, words, store.path(query.tenant, row.sha256), key))
        for row, present in _agreed(found, left_out)
    ]
    return [one for one in agreed if _is_stored(one.record, left_out)]


def _words(modality: Modality, finding: str) -> tuple[str, str]:
    """The labels without and with the finding that every recipe for it understands."""
    known = [recipe for recipe in recipes().values() if (recipe.modality, recipe.finding) == (modality, finding)]
    if not known:
        raise BadRequest(detail=f"No recipe looks for {finding} in a {modality}.")
    absent = frozenset.intersection(*(recipe.absent for recipe in known))
    present = frozenset.intersection(*(recipe.present for recipe in known))
    return max(absent), min(present)


def _agreed(found: Iterable[Any], left_out: Counter[str]) -> list[tuple[Any, bool]]:
    """One row an input, with what its readers agree on or a second reading settled; else the input is left out."""
    by_input: dict[str, list[Any]] = defaultdict(list)
    for row in found:
        if row.label is None:
            left_out["no_label"] += 1
        else:
            by_input[row.sha256].append(row)
    kept = []
    for rows in by_input.values():
        highest = [row for row in rows if row.adjudicated] or rows
        if len({row.label for row in highest}) == 1:
            kept.append((highest[-1], highest[-1].label == Label.PRESENT))
        else:
            left_out["readers_differ"] += 1
    return kept


def _record(row: Any, present: bool, words: tuple[str, str], path: Path, key: bytes) -> dict[str, str]:
    subject = row.subject_id
    alias = hmac.new(key, f"dataset {subject}".encode(), hashlib.sha256).hexdigest()[:20] if subject else ""
    return {
        "path": str(path),
        "label": words[present],
        "patient_id": f"subject-{alias}" if subject else f"file-{row.sha256[:20]}",
        "source": row.site or "unnamed-site",
        "device": row.device or "",
        "view": row.view or "",
        "age_years": "" if row.age_years is None else f"{min(row.age_years, _OLDEST):.0f}",
        "sex": row.sex or "",
        "basis": row.basis,
    }


def _is_stored(row: dict[str, str], left_out: Counter[str]) -> bool:
    if Path(row["path"]).is_file():
        return True
    left_out["erased"] += 1
    return False
