"""The epochs of a training run as a file of JSON lines, so that its curves can be drawn later."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from services.trainer.fit import Epoch
from services.trainer.train import Progress
from shared.errors import BadRequest


def recorder(path: Path, tell: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """A listener for `train` that writes every epoch to `path` and passes everything on.

    The file begins anew: a run that goes on after a kill tells its past again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)

    def listen(progress: Progress) -> None:
        if progress.epoch is not None:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"stage": progress.stage, **asdict(progress.epoch)}) + "\n")
        tell(progress)

    return listen


def read(path: Path) -> dict[str, list[Epoch]]:
    """Epochs by stage, in the order in which the stages ran. Raises BadRequest when a line is not an epoch."""
    stages: dict[str, list[Epoch]] = defaultdict(list)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            values = json.loads(line)
            stages[values.pop("stage")].append(Epoch(**values))
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise BadRequest(detail=f"Line {number} of the history is no epoch.") from problem
    return dict(stages)
