"""A seeded TPE search (Bergstra et al. 2011) by hyperopt, whose trials lie in one JSON file and are taken up again."""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from hyperopt import STATUS_OK, Trials, fmin, space_eval, tpe
from hyperopt.base import trials_from_docs

logging.getLogger("hyperopt").setLevel(logging.WARNING)  # it writes two lines a trial

Choice = dict[str, Any]


def search(
    space: Any, loss: Callable[[Choice], float], count: int, seed: int, path: Path | None, on_trial: Callable[[], None]
) -> Choice:
    """The choice with the smallest loss among `count` trials.

    Every trial draws from (seed, its number), so a search that was interrupted and taken up from `path` ends exactly as
    one that was not. `path` None keeps nothing. `on_trial` is called after each new trial.
    """
    trials = _read(path)
    for number in range(len(trials), count):
        fmin(
            lambda choice: {"loss": loss(choice), "status": STATUS_OK},
            space,
            tpe.suggest,
            max_evals=number + 1,
            trials=trials,
            rstate=np.random.default_rng([seed, number]),
            show_progressbar=False,
            verbose=False,
        )
        _write(trials, path)
        on_trial()
    best: Choice = space_eval(space, trials.argmin)
    return best


def _read(path: Path | None) -> Trials:
    if path is None or not path.is_file():
        return Trials()
    return trials_from_docs(json.loads(path.read_text(encoding="utf-8")), validate=False)


def _write(trials: Trials, path: Path | None) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(trials.trials, default=_plain), encoding="utf-8")
    fresh.replace(path)  # a kill leaves the old file or the new one


def _plain(value: Any) -> Any:
    """numpy's numbers and times as JSON has them."""
    return value.isoformat() if isinstance(value, datetime) else value.item()
