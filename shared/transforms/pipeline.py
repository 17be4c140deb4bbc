"""Runs the pipeline of a card: named transforms with parameters, left to right, from a file to a tensor.

Add a transform by writing one function with `@transform` in a module of `_MODULES`:
its name is the name in the card, its first annotation says what it takes, its keywords are the card's parameters.
"""

import importlib
import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np

from shared.errors import InputRejected, VersionInvalid
from shared.schemas import Note, Step
from shared.sentences import say
from shared.transforms.values import FloatArray, Source

_MODULES = ("audio", "chest", "features", "image", "picture", "ridges", "specgram", "statistics", "yamnet")
# What numpy and Pillow import at first use. Decoders run in a child that has given up its rights: too late for imports.
_LAZY = ("mmap", "numpy.fft", "numpy.ma")
_TRUNCATED = ("truncat", "end of file", "unexpected eof", "premature", "less than expected")

Transform = TypeVar("Transform", bound=Callable[..., Any])


@dataclass
class Sheet:
    """What the steps learn about an input besides the tensor.

    `quality` is what is worth knowing about a usable input. `facts` are plain values about it: for sound `sample_rate`
    (Hz), `channels`, `seconds`; for pictures `width`, `height` (pixels); from a DICOM header the names in `dicom.py`.
    """

    quality: list[Note] = field(default_factory=list)
    facts: dict[str, str | float] = field(default_factory=dict)

    def note(self, code: str, **values: float | str) -> None:
        """Add one line of quality, its sentence taken from the catalogue."""
        self.quality.append(Note(code=code, text=say(code, **values), values=values))


@dataclass(frozen=True, eq=False)
class Prepared:
    """An input ready for a model: `tensor` float32, C-contiguous, of the card's shape (without the group's axis)."""

    tensor: FloatArray
    quality: list[Note]
    facts: dict[str, str | float]


@dataclass(frozen=True)
class _Entry:
    run: Callable[..., Any]
    accepts: type | None
    signature: inspect.Signature


_REGISTRY: dict[str, _Entry] = {}


def transform(function: Transform) -> Transform:
    """Register `function(value, sheet, **params)` under its own name.

    The annotation of the first parameter is what the step takes; a decoder takes a `Source`. Steps must not keep state.
    """
    _REGISTRY[function.__name__] = _entry(function)
    return function


def _entry(function: Callable[..., Any]) -> _Entry:
    signature = inspect.signature(function)
    accepts = get_type_hints(function)[next(iter(signature.parameters))]
    return _Entry(function, accepts if isinstance(accepts, type) else None, signature)


def transforms() -> dict[str, Callable[..., Any]]:
    """All transforms by name."""
    _load()
    return {name: entry.run for name, entry in _REGISTRY.items()}


def prepare(path: Path, media_type: str, steps: Sequence[Step]) -> Prepared:
    """Run a card's pipeline on one file.

    Raises InputRejected when the input is unusable, whatever the library that noticed it raised;
    VersionInvalid when the pipeline itself is wrong (an unknown transform or parameter, steps that do not fit).
    """
    sheet = Sheet()
    value = run_steps(path, media_type, steps, sheet)
    if not isinstance(value, np.ndarray) or value.dtype != np.float32:
        raise VersionInvalid(detail="The pipeline does not end in a float32 tensor.")
    return Prepared(np.ascontiguousarray(value), sheet.quality, sheet.facts)


def run_steps(path: Path, media_type: str, steps: Sequence[Step], sheet: Sheet | None = None) -> Any:
    """As `prepare`, but gives whatever the last step gives: a Recording, a Picture, a tensor."""
    _load()
    entries = [_bind(step) for step in steps]
    sheet = Sheet() if sheet is None else sheet
    value: Any = Source(path, media_type)
    # Libraries quote header values in their warnings: those would reach the logs with a patient's data.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for entry, step in zip(entries, steps, strict=True):
            value = _run(entry, step, value, sheet)
    return value


@cache
def _load() -> None:
    for module in _MODULES:
        importlib.import_module(f"shared.transforms.{module}")
    for library in _LAZY:
        importlib.import_module(library)


def _bind(step: Step) -> _Entry:
    entry = _REGISTRY.get(step.transform)
    if entry is None:
        raise VersionInvalid(detail=f"The pipeline names an unknown transform: {step.transform}.")
    try:
        entry.signature.bind(None, None, **step.params)
    except TypeError as problem:
        raise VersionInvalid(detail=f"The pipeline calls {step.transform} with wrong parameters.") from problem
    return entry


def _run(entry: _Entry, step: Step, value: Any, sheet: Sheet) -> Any:
    if entry.accepts is not None and not isinstance(value, entry.accepts):
        raise VersionInvalid(detail=f"The pipeline gives {step.transform} a {type(value).__name__}.")
    try:
        return entry.run(value, sheet, **step.params)
    except InputRejected:
        raise
    except MemoryError:
        raise InputRejected("input_memory") from None
    except Exception as problem:
        # Decoders raise a dozen unrelated types (measured), so none of them can be named here. Behind the decoder the
        # values are ours, and an exception is a defect that must show.
        if not isinstance(value, Source):
            raise
        raise InputRejected(_diagnose(problem)) from None


def _diagnose(problem: Exception) -> str:
    """Tell a file that ends too early from one that is damaged, by what the libraries say."""
    said = str(problem).lower()
    cut = isinstance(problem, EOFError) or any(word in said for word in _TRUNCATED)
    return "input_truncated" if cut else "input_unreadable"
