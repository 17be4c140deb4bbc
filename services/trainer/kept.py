"""What an interrupted training takes up again, on disk: arrays and plain facts in one npz, whole or not at all."""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.faults import fault

_FACTS = "facts.json"


class Kept(NamedTuple):
    """Arrays by name, and whatever JSON can hold."""

    arrays: dict[str, NDArray[Any]]
    facts: Any


def write(file: Path, arrays: Mapping[str, NDArray[Any]], facts: object = None) -> None:
    """Replace the file; who dies meanwhile, or the power, leaves the old one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}.draft")
    said = {} if facts is None else {_FACTS: np.frombuffer(json.dumps(facts).encode(), np.uint8)}
    with draft.open("wb") as stream:
        np.savez(stream, **arrays, **said)  # type: ignore[arg-type]  # numpy's stub takes `allow_pickle` for a name
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
    fault("trainer.kept")


def read(file: Path) -> Kept | None:
    """What was written; None when there is nothing, or nothing readable: the work is then done again."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        facts = arrays.pop(_FACTS, None)
        return Kept(arrays, None if facts is None else json.loads(facts.tobytes()))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def digest(*parts: object) -> str:
    """A short name for plain values and bytes: 24 hexadecimal digits of their sha256."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode())
        hashed.update(b"\0")
    return hashed.hexdigest()[:24]
