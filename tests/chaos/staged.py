"""Services with a stage of their own: `python -m tests.chaos.staged services.worker`.

A worker's children die, hang or eat memory where an input's last bytes say so; a trainer learns nothing, quickly, so
that a run of minutes sees many trainings begin, keep and publish. Everything else is the shipped service.
"""

import ctypes
import os
import runpy
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from services.worker import child

POISONS = {"exit": "dead", "crash": "dead", "loop": "rejected", "memory": "rejected"}
"""How each ends: after every attempt, or at once."""
_MARK = b"poison-"
_serve, _check = child.serve, child._check


def poison(body: bytes, kind: str) -> bytes:
    """The same file for every reader, and a trap for a child of ours."""
    return body + _MARK + kind.encode()


def serve(*arguments: Any) -> None:
    """In a child: as shipped, but look for poison when a file is opened."""
    child._check = _check_and_taste  # type: ignore[assignment]
    _serve(*arguments)


def learn(
    recipe: str, data: Path, out: Path, *, name: str, keep: Path, on_progress: Callable[[Any], None], **_: Any
) -> Path:
    """Stands for a training: three stages, a checkpoint after each, and a version."""
    from services.trainer import kept
    from services.trainer.train import Progress
    from shared.schemas import Modality
    from tests.support.versions import tiny

    for stage in range(3):
        time.sleep(0.5)
        kept.write(keep / f"stage-{stage}.npz", {})
        on_progress(Progress(f"fold {stage + 1}/3", stage, 3))
    shutil.rmtree(out, ignore_errors=True)  # what a killed attempt has left
    return tiny(out, Modality.COUGH, name)


def main(module: str) -> None:
    """Run a service's module on the stage."""
    from tests.chaos import staged  # by its name: a function of __main__ is not found again by a child

    sys.argv = [module]
    if module == "services.worker":
        child.serve = staged.serve
    if module == "services.trainer":
        from services.trainer import process

        process.Trainer = partial(process.Trainer, train=staged.learn)  # type: ignore[misc]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _check_and_taste(path: Path, sha256: str) -> None:
    _check(path, sha256)
    kind = path.read_bytes()[-16:].rpartition(_MARK)[2]
    if kind == b"exit":
        os._exit(11)
    if kind == b"crash":
        ctypes.string_at(0)
    if kind == b"memory":
        bytearray(1 << 40)
    while kind == b"loop":
        pass


if __name__ == "__main__":
    main(sys.argv[1])
