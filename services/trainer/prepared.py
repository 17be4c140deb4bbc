"""Prepared tensors of a dataset, made once per (dataset, pipeline, code) by the transforms that serving runs too."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import shared.transforms
from services.trainer.datasets import Dataset, Row
from shared.errors import BadRequest, InputRejected
from shared.schemas import Step
from shared.sniff import HEAD_BYTES, sniff
from shared.transforms.pipeline import prepare

Facts = dict[str, str | float]
_NAMES = ("patient_id", "study_uid", "sop_uid")  # what a header says of whom it shows; no training needs it


@dataclass(frozen=True)
class Examples:
    """Rows with their tensors, float32 (n, *shape), targets (n,) in {0, 1} and what the files say of themselves."""

    rows: tuple[Row, ...]
    inputs: NDArray[np.float32]
    targets: NDArray[np.int64]
    facts: tuple[Facts, ...]
    rejected: dict[str, int]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def patients(self) -> list[str]:
        """Whom each row belongs to."""
        return [row.patient for row in self.rows]

    @property
    def sources(self) -> list[str]:
        """Where each row comes from."""
        return [row.source for row in self.rows]

    def take(self, places: NDArray[np.int64]) -> "Examples":
        """The rows at these places."""
        rows, facts = tuple(self.rows[i] for i in places), tuple(self.facts[i] for i in places)
        return replace(self, rows=rows, facts=facts, inputs=self.inputs[places], targets=self.targets[places])


def load(
    dataset: Dataset,
    steps: Sequence[Step],
    target: Callable[[Row], int | None],
    cache: Path,
    on_row: Callable[[int, int], None] | None = None,
) -> Examples:
    """Tensors of the rows that have a target, from the cache or prepared now. `on_row(done, total)` after each.

    Rows whose input is rejected are left out and counted by code. Raises BadRequest when none is left.
    """
    used = dataset.where(lambda row: target(row) is not None)
    folder = cache / f"{used.fingerprint[:24]}-{key(steps)}"
    if not (folder / "rows.json").is_file():
        _fill(folder, used, steps, on_row or (lambda *_: None))
    records = json.loads((folder / "rows.json").read_text())
    if not records["facts"]:
        raise BadRequest(detail=f"No usable rows; rejected: {records['rejected']}.")
    by_hash = {row.sha256: row for row in used.rows}
    rows = tuple(by_hash[digest] for digest in records["sha256"])
    targets = np.array([target(row) for row in rows], dtype=np.int64)
    inputs = np.load(folder / "inputs.npy", allow_pickle=False)
    return Examples(rows, inputs, targets, tuple(records["facts"]), records["rejected"])


def _fill(folder: Path, dataset: Dataset, steps: Sequence[Step], on_row: Callable[[int, int], None]) -> None:
    tensors, hashes, facts = [], [], []
    rejected: Counter[str] = Counter()
    for place, row in enumerate(dataset.rows):
        try:
            prepared = prepare_file(row.path, steps)
            tensors.append(prepared[0])
            facts.append({**prepared[1], "bytes": float(row.path.stat().st_size)})
            hashes.append(row.sha256)
        except InputRejected as problem:
            rejected[problem.code] += 1
        on_row(place + 1, len(dataset.rows))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "inputs.npy", np.stack(tensors) if tensors else np.empty(0, np.float32), allow_pickle=False)
    # Written last: a folder without it is not trusted.
    (folder / "rows.json").write_text(json.dumps({"sha256": hashes, "facts": facts, "rejected": rejected}))


def prepare_file(path: Path, steps: Sequence[Step]) -> tuple[NDArray[np.float32], Facts]:
    """Tensor and facts of one file, its type told by content. Raises InputRejected."""
    with path.open("rb") as stream:
        media_type = sniff(stream.read(HEAD_BYTES))
    if media_type is None:
        raise InputRejected("input_type_unknown")
    prepared = prepare(path, media_type, steps)
    return prepared.tensor, {name: fact for name, fact in prepared.facts.items() if name not in _NAMES}


def key(steps: Sequence[Step]) -> str:
    """Digest of a pipeline and the code that runs it: a changed transform makes new tensors."""
    digest = hashlib.sha256(json.dumps([step.model_dump() for step in steps], sort_keys=True).encode())
    for folder in shared.transforms.__path__:
        for file in sorted(Path(folder).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
