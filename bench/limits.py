"""What one job of a version costs the cores at the least, and how fast a plain loop does without a service."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from bench.inputs import MEDIA_TYPES
from shared.registry import Artefact
from shared.runtimes import Runtime, open_graph
from shared.schemas import Modality, Step
from shared.transforms.pipeline import prepare

_BEST_OF = 5
_GROUP = 8
_CHUNK = 16


@dataclass(frozen=True)
class Cost:
    """Core-seconds of one job's parts, each measured alone, the best of several runs."""

    prepare: float
    predict: float

    @property
    def limit(self) -> float:
        """Jobs a second that all cores together could do if nothing else cost anything."""
        return (os.cpu_count() or 1) / (self.prepare + self.predict)


class Alone:
    """A version without a service around it, in this process."""

    def __init__(self, artefact: Artefact, files: Sequence[Path]) -> None:
        self._card, self._files = artefact.card, files
        self._media_type = MEDIA_TYPES[Modality(artefact.card.modality)]
        self._artefact = artefact
        self._runtime = self._open(threads=0)
        # As in the worker's children: a second thread of BLAS costs more than it brings.
        self._one_thread = threadpool_limits(1)

    def cost(self) -> Cost:
        """Predicted in groups, by one thread and by all, whichever costs less."""
        tensors = np.stack([self._tensor(file) for file in self._files[:_GROUP]])
        runtimes = (self._runtime, self._open(threads=1))
        predict = min(_core_seconds(runtime.run, tensors) for runtime in runtimes) / len(tensors)
        return Cost(_core_seconds(self._prepare_all) / len(self._files), predict)

    def loop(self) -> float:
        """Jobs a second of reading, preparing and predicting one file after the other."""
        begun = time.perf_counter()
        for file in self._files:
            self._runtime.run(self._tensor(file)[None])
        return len(self._files) / (time.perf_counter() - begun)

    def crowd(self) -> float:
        """Inputs a second that preparing loops do, one on each core, all at once: they share caches and memory."""
        files = [(file, self._media_type, self._card.pipeline) for file in self._files] * _BEST_OF
        with multiprocessing.get_context("spawn").Pool(os.cpu_count(), threadpool_limits, (1,)) as pool:
            pool.starmap(_prepared, files, _CHUNK)
            begun = time.perf_counter()
            pool.starmap(_prepared, files, _CHUNK)
            return len(files) / (time.perf_counter() - begun)

    def _prepare_all(self) -> None:
        for file in self._files:
            self._tensor(file)

    def _tensor(self, file: Path) -> np.ndarray:
        return prepare(file, self._media_type, self._card.pipeline).tensor

    def _open(self, threads: int) -> Runtime:
        runtime = self._card.runtime
        return open_graph(self._artefact.model, runtime.engine, runtime.precision, threads)


def _prepared(file: Path, media_type: str, steps: list[Step]) -> None:
    prepare(file, media_type, steps)


def _core_seconds(action: object, *arguments: object) -> float:
    """Core-seconds of all threads of this process, the least of several runs after one that warms up."""
    assert callable(action)
    action(*arguments)
    times = []
    for _ in range(_BEST_OF):
        begun = time.process_time()
        action(*arguments)
        times.append(time.process_time() - begun)
    return min(times)
