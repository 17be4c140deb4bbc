"""What the numbers of a tabular input are about: groups of features that a reader can make sense of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from shared.schemas import Step
from shared.transforms import features, ridges, statistics, yamnet

_MOST = 64


@dataclass(frozen=True)
class Group:
    """Features that are about one thing. `code` and `values` name a sentence `feature.CODE` of the catalogue."""

    code: str
    values: dict[str, str | float]
    places: tuple[int, ...] = field(repr=False)


def groups(steps: Sequence[Step], count: int, seconds: float | None = None) -> list[Group]:
    """Every one of `count` features in exactly one group, by the step that computes them.

    `seconds`: how long the recording is, where known; what fills a tensor by repetition then counts as what it repeats.
    """
    last = steps[-1]
    if last.transform == "cough_features":
        return [_cough(name, place) for place, name in enumerate(features.NAMES)]
    if last.transform == "cough_statistics":
        return _statistics(last.params["groups"])
    if last.transform == "ridge_statistics":
        return _ridges()
    if last.transform == "ridges_and_mels":
        return [*_ridges(), *_heard(min(seconds or yamnet.SECONDS, yamnet.SECONDS))]
    size = -(-count // _MOST)
    return [_numbered(first, min(first + size, count)) for first in range(0, count, size)]


def _cough(name: str, place: int) -> Group:
    if name.startswith("mfcc"):
        return Group("mfcc", {"number": int(name[4:])}, (place,))
    return Group(name, {}, (place,))


def _heard(seconds: float) -> list[Group]:
    """A group for each second, at both speeds: what a network for sounds hears is about a time, not about a number."""
    places: dict[int, list[int]] = {}
    start = ridges.FEATURES
    for speed, frames in enumerate(yamnet.FRAMES, 1):
        times = (np.arange(frames) + 0.5) * yamnet.FRAME_S * speed % seconds
        for frame, second in enumerate(times.astype(int).tolist()):
            first = start + frame * yamnet.BANDS
            places.setdefault(second, []).extend(range(first, first + yamnet.BANDS))
        start += frames * yamnet.BANDS
    ends = {second: second + 1 if second + 1 <= seconds else round(seconds, 1) for second in places}
    return [Group("heard", {"start": s, "end": ends[s]}, tuple(places[s])) for s in sorted(places)]


def _numbered(first: int, end: int) -> Group:
    return Group("numbered", {"first": first + 1, "last": end}, tuple(range(first, end)))


def _statistics(names: Sequence[str]) -> list[Group]:
    found: list[Group] = []
    start = 0
    for name in names:
        part = _ENVELOPE if name == "envelope" else _rows(name)
        found += [Group(code, values, tuple(start + place for place in places)) for code, values, places in part]
        start += sum(len(places) for _, _, places in part)
    return found


Part = list[tuple[str, dict[str, str | float], Sequence[int]]]


def _rows(name: str) -> Part:
    """A row of frames is told by six statistics, all rows of each."""
    rows = statistics.ROWS[name]
    return [
        (name if name not in _EACH else _EACH[name][row], {"number": row + 1}, range(row, 6 * rows, rows))
        for row in range(rows)
    ]


_EACH = {"shape": ("centroid", "bandwidth", "roll_off", "flatness", "crossings", "flux")}
_ENVELOPE: Part = [
    ("bursts", {}, range(5)),
    ("rise_and_fall", {}, range(5, 8)),
    ("level_spread", {}, range(8, 14)),
    ("concentration", {}, range(14, 16)),
    ("modulation", {}, range(16, 23)),
]


def _ridges() -> list[Group]:
    """As `ridge_statistics` puts them: nine statistics of 35 rows, then what lasts."""
    found: list[Group] = []
    for band, (low, high) in enumerate(pairwise(ridges.NARROW_HZ)):
        hertz: dict[str, str | float] = {"low": round(float(low)), "high": round(float(high))}
        found.append(Group("lines", hertz, (*_nine(3 * band), *_nine(3 * band + 1))))
        found.append(Group("band_level", hertz, _nine(3 * band + 2)))
    codes = ("strongest_line", "second_line", "line_pitch", "line_flatness", "whole_level")
    found += [Group(code, {}, _nine(30 + row)) for row, code in enumerate(codes)]
    for band, (low, high) in enumerate(pairwise(ridges.WIDE_HZ)):
        places = (*range(315 + band, 345, 5), *range(345 + band, 365, 5))
        found.append(Group("lasting_lines", {"low": low, "high": high}, places))
    return [*found, Group("line_lengths", {}, tuple(range(365, ridges.FEATURES)))]


def _nine(row: int) -> tuple[int, ...]:
    return tuple(range(row, 315, 35))
