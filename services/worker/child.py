"""What runs in a sandbox child: read one file, leave what it became in a shared-memory slot, say so in JSON.

No object crosses the pipe from here, so nothing that a hostile file does to this process is ever unpickled by the
parent; the tensor or picture crosses in memory that the parent owns.
"""

import hashlib
import json
import os
import time
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.worker.allocator import keep_memory
from services.worker.confine import allow_processor, confine
from shared.errors import InputRejected, ThoracleError
from shared.schemas import Step
from shared.sentences import say
from shared.transforms import lungs
from shared.transforms.pipeline import prepare
from shared.transforms.rendition import render

Bytes = NDArray[np.uint8]


def serve(pipe: Connection, slots_name: str, slot_bytes: int, memory_bytes: int, seconds: float) -> None:
    """Attach to the slots, give up everything else, then answer requests until the parent hangs up."""
    # The memory is the parent's. Should its resource tracker have been killed, then ours would take the memory from all
    # others when this process ends.
    resource_tracker.register = lambda *_: None
    slots = SharedMemory(slots_name)
    assert slots.buf is not None
    memory = np.frombuffer(slots.buf, np.uint8)
    keep_memory()
    _take_turns()
    confine(memory_bytes)
    held: list[dict[str, Any]] = []
    try:
        while True:
            request = _next(pipe, held)
            # The parent keeps the time; should it be gone, an input without an end must not go on for ever.
            allow_processor(2 * seconds)
            first = request["slot"] * slot_bytes
            reply = _answer(request, memory[first : first + slot_bytes])
            pipe.send_bytes(json.dumps(reply).encode())
    except (EOFError, BrokenPipeError):
        os._exit(0)  # nothing here is worth a tidy end, and the parent may be gone


def _next(pipe: Connection, held: list[dict[str, Any]]) -> dict[str, Any]:
    """The oldest of the most urgent requests, which leaves `held`; the parent is told where it is not the oldest."""
    while not held or pipe.poll():
        held.append(json.loads(pipe.recv_bytes()))
    first = min(held, key=lambda request: int(request["rank"]))
    if first is not held[0]:
        pipe.send_bytes(json.dumps({"begun": first["slot"]}).encode())
    held.remove(first)
    return first


def _take_turns() -> None:
    """Let the prediction finish what it began when an input arrives here: fewer switches, warmer caches (measured)."""
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _answer(request: dict[str, Any], slot: Bytes) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        path = Path(request["path"])
        _check(path, request["sha256"])
        reply = _drawn(path, request, slot) if "kind" in request else _prepared(path, request, slot)
    except ThoracleError as error:
        return {"code": error.code, "detail": error.detail, "rejected": isinstance(error, InputRejected)}
    except MemoryError:
        return {"code": "input_memory", "detail": say("input_memory"), "rejected": True}
    except Exception as error:  # noqa: BLE001 — a defect of ours must not look like the input's fault
        return {
            "code": "prepare_failed",
            "detail": say("prepare_failed"),
            "rejected": False,
            "error": repr(type(error)),
        }
    return {**reply, "milliseconds": (time.perf_counter() - began) * 1000}


def _prepared(path: Path, request: dict[str, Any], slot: Bytes) -> dict[str, Any]:
    steps = [Step.model_validate(step) for step in request["steps"]]
    prepared = prepare(path, request["media_type"], steps)
    _put(prepared.tensor.ravel().view(np.uint8), slot)
    quality = [note.model_dump() for note in prepared.quality]
    found = lungs.find(path, request["media_type"]) if request["lungs"] else None
    return {
        "shape": list(prepared.tensor.shape),
        "quality": quality,
        "facts": prepared.facts,
        "lungs": None if found is None else lungs.pack(found),
    }


def _drawn(path: Path, request: dict[str, Any], slot: Bytes) -> dict[str, Any]:
    png = np.frombuffer(render(path, request["media_type"], request["kind"]), np.uint8)
    _put(png, slot)
    return {"size": int(png.size)}


def _put(body: Bytes, slot: Bytes) -> None:
    if body.size > slot.size:
        raise ValueError("larger than a slot: raise THORACLE_SLOT_MB")
    slot[: body.size] = body


def _check(path: Path, sha256: str) -> None:
    """Bit rot or a swapped blob ends the job; it never becomes a prediction."""
    try:
        with path.open("rb") as stream:
            same = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:
        same = False
    if not same:
        raise ThoracleError("integrity")
