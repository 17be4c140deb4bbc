"""What runs in a sandbox child: read one file, leave the tensor in a shared-memory slot, return plain words.

Only dictionaries of strings and numbers cross the pipe; the tensor crosses in memory that the parent owns.
"""

import hashlib
import time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from shared.transforms.rendition import render

from services.worker.confine import confine
from shared.errors import InputRejected, ThoracleError
from shared.runtimes import Floats
from shared.schemas import Step
from shared.sentences import say
from shared.transforms.pipeline import prepare

_slots: SharedMemory
_memory: Floats


def start(slots_name: str, memory_bytes: int) -> None:
    """Initialise a child: attach to the slots, then give up everything else."""
    global _slots, _memory
    _slots = SharedMemory(slots_name)
    assert _slots.buf is not None
    _memory = np.frombuffer(_slots.buf, np.float32)
    confine(memory_bytes)


def prepare_into(
    slot: int, slot_bytes: int, path: str, sha256: str, media_type: str, steps: list[dict[str, Any]]
) -> dict[str, Any]:
    """Decode and transform one stored input into a slot.

    Returns `shape`, `quality`, `facts` and `milliseconds`, or `code` and `detail` of what ends the job.
    """
    began = time.perf_counter()
    try:
        _check(path, sha256)
        prepared = prepare(Path(path), media_type, [Step.model_validate(step) for step in steps])
    except ThoracleError as error:
        return {"code": error.code, "detail": error.detail, "rejected": isinstance(error, InputRejected)}
    except MemoryError:
        return {"code": "input_memory", "detail": say("input_memory"), "rejected": True}
    if prepared.tensor.nbytes > slot_bytes:
        raise ValueError("the prepared tensor is larger than a slot; raise THORACLE_SLOT_MB")
    first = slot * slot_bytes // _memory.itemsize
    _memory[first : first + prepared.tensor.size] = prepared.tensor.ravel()
    return {
        "shape": list(prepared.tensor.shape),
        "quality": [note.model_dump() for note in prepared.quality],
        "facts": prepared.facts,
        "milliseconds": (time.perf_counter() - began) * 1000,
    }


def render_bytes(path: str, sha256: str, media_type: str, kind: str) -> bytes | None:
    """A picture of one stored input as PNG; None when it cannot be drawn."""
    try:
        _check(path, sha256)
        return render(Path(path), media_type, kind)
    except (ThoracleError, MemoryError):
        return None


def ready() -> bool:
    """Answer, to prove that a child is up."""
    return True


def _check(path: str, sha256: str) -> None:
    """Bit rot or a swapped blob ends the job; it never becomes a prediction."""
    try:
        with Path(path).open("rb") as stream:
            same = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:
        same = False
    if not same:
        raise ThoracleError("integrity")
