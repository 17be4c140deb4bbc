"""Near-duplicates under two patients: a split may part them, so they become one patient before anything is split."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from services.trainer import fingerprints, inventory
from services.trainer.fingerprints import NEAR_PICTURE, NEAR_SOUND, Floats, near_pairs
from services.trainer.prepared import Examples
from shared.schemas import Modality

OnRow = Callable[[int, int], None]


@dataclass(frozen=True)
class Joined:
    """Rows whose patients are apart by content as well, and what was done for that."""

    examples: Examples
    pairs: int
    torn: int

    @property
    def sentences(self) -> list[str]:
        """For the card: nothing when nothing was joined."""
        if not self.pairs:
            return []
        said = f"{self.pairs} pairs of nearly identical files stood under different patients; each such group of "
        said += "patients was split as one."
        return [said + (f" {self.torn} of these pairs carry two labels." if self.torn else "")]


def join(examples: Examples, modality: Modality, cache: Path, on_row: OnRow | None = None) -> Joined:
    """Give all patients of a group of near-duplicates the name of the first. `on_row(done, total)` while reading.

    Fingerprints are kept in `cache`; see `fingerprints` for what they find and what not.
    """
    prints = _prints(examples, cache, on_row or inventory.silent)
    least = NEAR_PICTURE if modality is Modality.CHEST_XRAY else NEAR_SOUND
    names, owner = np.unique(np.asarray(examples.patients), return_inverse=True)
    pairs = [(i, j) for i, j, _ in near_pairs(prints, least) if owner[i] != owner[j]]
    torn = sum(int(examples.targets[i] != examples.targets[j]) for i, j in pairs)
    return Joined(_as_one(examples, names, owner, pairs), len(pairs), torn)


def _as_one(examples: Examples, names: np.ndarray, owner: np.ndarray, pairs: list[tuple[int, int]]) -> Examples:
    if not pairs:
        return examples
    ends = np.array([[owner[i], owner[j]] for i, j in pairs]).T
    links = coo_array((np.ones(len(pairs)), (ends[0], ends[1])), shape=(len(names), len(names)))
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    called = names[first][group][owner]
    rows = tuple(replace(row, patient=str(name)) for row, name in zip(examples.rows, called, strict=True))
    return replace(examples, rows=rows)


def _prints(examples: Examples, cache: Path, on_row: OnRow) -> Floats:
    """(n, length), zeros for a file without a fingerprint: like no other file."""
    digest = hashlib.sha256(Path(fingerprints.__file__).read_bytes())
    digest.update("".join(row.sha256 for row in examples.rows).encode())
    kept = cache / f"prints-{digest.hexdigest()[:32]}.npy"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(".draft.npy")
        np.save(draft, _read(examples, on_row), allow_pickle=False)
        draft.replace(kept)
    prints: Floats = np.load(kept, allow_pickle=False)
    return prints


def _read(examples: Examples, on_row: OnRow) -> Floats:
    looks = []
    for number, row in enumerate(examples.rows, 1):
        looks.append(inventory.look(row.path))
        on_row(number, len(examples))
    length = max((len(look) for look in looks if look is not None), default=1)
    return np.stack([np.zeros(length) if look is None or len(look) != length else look for look in looks])
