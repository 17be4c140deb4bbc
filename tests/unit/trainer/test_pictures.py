"""Figures are XML, keep their text as text, hold the data's own words and numbers, and never change by themselves."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import numpy as np
import pytest

from services.trainer.figures import balance, curves, features, forest, matrices, pictures, sound, training
from services.trainer.figures.canvas import INK, LINE, QUIET
from services.trainer.figures.forest import Line
from services.trainer.figures.matrices import Counts
from services.trainer.fit import Epoch
from shared.schemas import Interval
from shared.transforms import synthetic
from shared.transforms.values import Recording

pytestmark = pytest.mark.trainer

_RANDOM = np.random.default_rng(0)
_TARGETS = (np.arange(60) % 3 == 0).astype(np.int64)
_SCORES = np.clip(_RANDOM.normal(0.4, 0.15, 60) + 0.2 * _TARGETS, 0.01, 0.99)
_NAMED = {"all sources": (_TARGETS, _SCORES), "ward A": (_TARGETS[:30], _SCORES[:30]), "one class": (
    np.zeros(5, np.int64), _SCORES[:5])}  # fmt: skip
_GROUPS = ["sick" if target else "well" for target in _TARGETS]
_HEARD = {f"cough {seed}": Recording(synthetic.synthetic_cough(seed, 22050, 1.0), 22050) for seed in range(3)}
_EPOCHS = {"fold 1/2": [Epoch(n, 1 / n, 10 + n, 20 - n, 40 + n, 15 - n) for n in (1, 2, 3)]}
_AREA = Interval(value=0.81, low=0.7, high=0.9)

FIGURES: dict[str, tuple[Callable[[], str], list[str]]] = {
    "matrices": (lambda: matrices.matrices(Counts(41, 7, 93, 9), "covid", "normal"), ["41", "93", "0.85", "covid"]),
    "model bars": (lambda: matrices.model_bars(["cough/knn", "cough/mlp"], [5, 6], [1, 0]), ["cough/knn", "5 / 1"]),
    "roc": (lambda: curves.roc(_NAMED), ["ward A", "sensitivity"]),
    "precision and recall": (lambda: curves.precision_recall(_NAMED), ["chance 0.33", "precision"]),
    "calibration": (lambda: curves.calibration(_TARGETS, _SCORES), ["predicted probability", "with finding"]),
    "decision": (lambda: curves.decision_curve(_TARGETS, _SCORES), ["net benefit", "flag everybody"]),
    "risk": (lambda: curves.risk_coverage(_TARGETS, _SCORES, 0.5), ["share of inputs that is answered"]),
    "epochs": (lambda: training.loss_and_accuracy(_EPOCHS), ["Loss", "fold 1/2", "epoch"]),
    "counts": (lambda: training.counts("fold 1/2", _EPOCHS["fold 1/2"]), ["TP", "FP", "TN", "FN"]),
    "forest": (
        lambda: forest.forest([Line("ward A", _AREA), Line("ward B", None), Line("file size", _AREA, "control")]),
        ["0.81 (0.70–0.90)", "one class only", "file size", "shortcut control"],
    ),
    "balance": (lambda: balance.class_balance(_GROUPS, ["ward A", "ward B"] * 30), ["10 / 20", "sick", "ward B"]),
    "waveforms": (lambda: sound.waveforms(_HEARD), ["cough 2", "amplitude"]),
    "spectrograms": (lambda: sound.spectrograms(_HEARD), ["cough 0", "Hz"]),
    "chromagrams": (lambda: sound.chromagrams(_HEARD), ["pitch class", "F♯"]),
    "mfccs": (lambda: sound.mfccs(_HEARD), ["coefficient"]),
    "overlays": (lambda: sound.overlays(_HEARD), ["centroid", "roll-off (85 %)"]),
    "violins": (
        lambda: features.violins({"rolloff": _SCORES}, [*_GROUPS[:-1], "alone"]),
        ["n = 1", "alone", "rolloff"],
    ),
    "pairs": (lambda: features.pair_plot({"rms": _SCORES, "flat": np.ones(60)}, _GROUPS), ["rms", "sick", "well"]),
    "map": (
        lambda: features.maps(_RANDOM.normal(size=(60, 2)), {"label": _GROUPS, "source": ["a", "b"] * 30}),
        ["by label", "by source", "well"],
    ),
    "grid": (lambda: pictures.grid({"ward A: sick": [np.eye(9)] * 3, "ward B: well": [np.eye(9)]}), ["ward B: well"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_xml_with_its_words_as_text(name: str) -> None:
    draw, words = FIGURES[name]
    drawn = draw()
    root = ElementTree.fromstring(drawn)
    said = " ".join(root.itertext())
    assert all(word in said for word in words), (words, said)
    assert root.attrib["role"] == "img"
    assert len(root.attrib["aria-label"]) > 20
    assert "<script" not in drawn
    assert not re.search(r'(?:href|src)="(?!#|data:)', drawn)


def test_ink_follows_the_page_and_no_stand_in_is_left() -> None:
    drawn = curves.roc(_NAMED)
    assert "var(--ink, #14222b)" in drawn
    assert not any(colour in drawn for colour in (INK, QUIET, LINE))


def test_the_same_data_give_the_same_bytes_and_figures_share_no_id() -> None:
    first, again = curves.roc(_NAMED), curves.roc(_NAMED)
    assert first == again
    other = curves.precision_recall(_NAMED)
    ids = [set(re.findall(r'\bid="([^"]+)"', drawn)) for drawn in (first, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_a_name_from_the_data_cannot_become_markup() -> None:
    drawn = balance.class_balance(['<b onload="x">', "well"], ["a & b", "c"])
    assert "<b onload" not in drawn
    assert '<b onload="x">' in " ".join(ElementTree.fromstring(drawn).itertext())


def test_an_answer_that_was_never_given_has_no_precision() -> None:
    assert ">none<" in matrices.matrices(Counts(tp=0, fp=0, tn=9, fn=3), "covid", "normal")
