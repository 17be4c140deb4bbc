"""Figures by view, age, sex, site and device, where files or the index name them: whom a version serves worse."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from services.trainer import rates
from services.trainer.metrics import Floats
from services.trainer.prepared import Examples
from services.trainer.readings import told
from shared.schemas import PartFigures

_NAMES = ("view", "sex", "site", "device")
_AGES = (2, 18, 40, 65)  # years: first of the next band
_FEWEST = 10  # rows: figures of fewer say nothing


class Subgroup(PartFigures):
    """One group of people or devices."""

    name: str
    value: str


def measure(examples: Examples, probabilities: Floats, threshold: float, seed: int) -> list[Subgroup]:
    """Every named group of ten rows or more, by AUROC, the worst first; those with one class at the end."""
    found = [
        _group(name, value, examples, np.flatnonzero(rows), (probabilities, threshold, seed))
        for name, value, rows in _groups(examples)
        if rows.sum() >= _FEWEST
    ]
    return sorted(found, key=lambda group: (group.auroc.value if group.auroc else 2.0, group.name, group.value))


def _groups(examples: Examples) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    readers: dict[str, Callable[[int], str]] = {
        name: lambda place, name=name: told(examples.rows[place], examples.facts[place], name)  # type: ignore[misc]
        for name in _NAMES
    }
    readers["age"] = lambda place: _band(told(examples.rows[place], examples.facts[place], "age_years"))
    for name, read in readers.items():
        values = np.array([read(place) for place in range(len(examples))])
        for value in sorted(set(values.tolist()) - {""}):
            yield name, value, values == value


def _band(years: str) -> str:
    if not years.replace(".", "", 1).isdigit():
        return ""
    edges = (0, *_AGES)
    place = int(np.searchsorted(_AGES, float(years), side="right"))
    return f"{edges[place]} to {_AGES[place] - 1}" if place < len(_AGES) else f"{_AGES[-1]} and older"


def _group(
    name: str, value: str, examples: Examples, places: NDArray[np.int64], answers: tuple[Floats, float, int]
) -> Subgroup:
    probabilities, threshold, seed = answers
    chances = probabilities[places]
    found = rates.part(examples.take(places), chances, chances >= threshold, seed, 400)
    return Subgroup(name=name, value=value, **dict(found))
