"""The slides' own data, spectrogram pictures with label texts; and X-rays of views that a recipe is not for."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from services.trainer import datasets, generated, spectrograms, views
from services.trainer.datasets import Row
from services.trainer.prepared import Examples
from services.trainer.recipe import find
from services.trainer.spectrograms import Form
from services.trainer.train import train
from shared.errors import BadRequest, Conflict
from shared.registry import verify
from tests.support.trained import budget
from tests.unit.trainer.economy import spare

pytestmark = pytest.mark.trainer


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """Twelve pictures of 129 x 934, TIFF and JPEG, two a patient; one more has no label."""
    folder = tmp_path / "slides"
    folder.mkdir()
    for number in range(13):
        pixels = np.random.default_rng(number).integers(0, 120, (129, 934, 3)).astype(np.uint8)
        if number % 4 < 2:
            pixels[40:44] = 255
        ending = "tiff" if number % 2 else "JPG"
        Image.fromarray(pixels).save(folder / f"train_{number // 2}-{number}.{ending}")
        if number < 12:
            (folder / f"train_{number // 2}-{number}.txt").write_text(f"CAS: {int(number % 4 < 2)}\nDAS: 0\n")
    return folder


def test_pictures_with_label_texts_become_a_version(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = CliRunner().invoke(app, ["spectrograms", str(slides), "--independent"])
    assert done.exit_code == 0, done.output
    with (slides / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12
    assert {row["label"] for row in rows[:2]} == {"cas"}
    assert {row["independent"] for row in rows} == {"yes"}

    name = "lung_sound/cnn2"
    spare(name, tmp_path, monkeypatch)
    monkeypatch.setattr("services.trainer.train.lower_priority", lambda *_: None)
    card = verify(train(name, slides, tmp_path / "v", budget=budget(name), cache=tmp_path)).card
    assert card.recipe == name
    assert [step.transform for step in card.pipeline] == ["decode_image", "resize_picture", "as_tensor"]
    assert "image/tiff" in card.input.media_types
    assert any("12 files name no patient" in limit for limit in card.limits)
    assert any("cannot answer for recordings" in limit for limit in card.limits)


def test_sound_is_still_read_as_sound(slides: Path) -> None:
    spectrograms.listed(slides, slides, Form(patient=r"_(\d+)-"))
    pictures = datasets.read(slides)
    assert len({row.patient for row in pictures.rows}) == 6
    assert spectrograms.independence(pictures) == ()
    for name in ("lung_sound/ridges", "cough/mlp"):
        assert spectrograms.reading(find(name), pictures) is find(name)
    assert spectrograms.reading(find("lung_sound/cnn3"), datasets.Dataset(slides, ())) is find("lung_sound/cnn3")
    shown = spectrograms.reading(find("lung_sound/cnn3"), pictures)
    assert shown.pipeline[0].transform == "decode_image"
    assert find("lung_sound/cnn3").pipeline[0].transform == "decode_audio"
    assert generated.golden(shown.modality, shown.pipeline).shape == (3, 1, 64, 64)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Form(position=99), "nothing at position 99"),
        (Form(patient=r"nobody(\d)"), "finds none in the name"),
    ],
)
def test_what_cannot_be_read_is_named(slides: Path, form: Form, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        spectrograms.listed(slides, slides, form)
    assert not (slides / "index.csv").exists()


def test_no_index_is_overwritten_and_nobody_guesses_patients(slides: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(BadRequest, match="None of 13 pictures"):
        spectrograms.listed(slides, tmp_path / "elsewhere", Form())
    assert CliRunner().invoke(app, ["spectrograms", str(slides)]).exit_code == 2
    flipped = spectrograms.listed(slides, slides, Form(present="0"))
    assert flipped.labels == {"cas": 6, "normal": 6}
    assert flipped.unlabelled == 1
    with pytest.raises(Conflict):
        spectrograms.listed(slides, slides, Form())


def test_other_views_are_left_out_and_said() -> None:
    said = ("PA", "AP", "", "LL")
    rows = tuple(Row(Path("x"), "covid", f"p{n}", "ward", f"{n}", {"view": view}) for n, view in enumerate(said))
    examples = Examples(rows, np.zeros((4, 1)), np.array([0, 1, 0, 1]), tuple({} for _ in rows), {})
    recipe = find("chest_xray/cnn")
    sound, words = views.fitting(examples, recipe, "sound")
    assert [row.extra["view"] for row in sound.rows] == ["PA", "AP", ""]
    assert words == ("1 pictures of other views than AP and PA were left out.",)
    article, _ = views.fitting(examples, recipe, "faithful")
    assert [row.extra["view"] for row in article.rows] == ["PA", ""]
    assert views.fitting(article, recipe, "faithful") == (article, ())
    header = replace(examples.take(np.array([0])), facts=({"view": "LATERAL"},))
    with pytest.raises(BadRequest, match="No picture is a AP or PA view"):
        views.fitting(header, recipe, "sound")
