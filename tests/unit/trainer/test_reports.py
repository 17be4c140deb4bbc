"""Reports are one page each, fetch nothing, lead with what is not flattering, and say what the numbers say."""

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from services.trainer import appraisal, appraise, compare, datasets, history
from services.trainer.fit import Epoch
from services.trainer.recipe import recipes
from services.trainer.reports.version import version_report
from services.trainer.train import Progress
from shared import registry
from shared.errors import BadRequest
from shared.schemas import Modality
from tests.support.versions import tiny as version

pytestmark = pytest.mark.trainer

_HALF = {"value": 0.5, "low": 0.4, "high": 0.6}
_VOID = {"meta", "br", "img", "link", "input", "hr"}


class _Page(HTMLParser):
    """Tags, attributes and text; fails on a tag that is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def _is_self_contained(text: str) -> _Page:
    page = _Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert not re.search(r"@import|url\((?!#)", text)
    for _, attributes in page.found:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert len(page.all("h1")) == 1
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(page.all("svg"))
    assert all(len(attributes["aria-label"] or "") > 20 for attributes in page.all("svg"))
    ids = [attributes["id"] for _, attributes in page.found if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert "Research use only" in page.text
    return page


@pytest.fixture(scope="module")
def versions(tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two versions of cough/mlp whose cards say that they were trained on the tiny data."""
    folder, data = tmp_path_factory.mktemp("versions"), datasets.read(tiny("cough"))
    for name, area in (("sound", 0.8), ("faithful", 0.7)):
        made = version(folder / name, Modality.COUGH, name)
        card = json.loads((made / "card.json").read_text())
        card["data"] |= {"fingerprint": data.fingerprint, "sources": ["ward-0", "ward-1", "ward-2"]}
        card["metrics"]["auroc"]["value"] = area
        card["metrics"]["controls"] = [{"name": "file size", "auroc": _HALF, "meaning": "bytes"}]
        (made / "card.json").write_text(json.dumps(card))
        registry.seal(made)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THORACLE_HOME", str(tmp_path / "home"))
    return tmp_path


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_explore_writes_one_page_about_sound(tiny: Callable[[str], Path], home: Path) -> None:
    said = json.loads(_run("explore", tiny("cough"), "--out", home / "page.html", "--json"))
    assert said["validation"]["files"] == 14
    page = _is_self_contained((home / "page.html").read_text())
    for words in (
        "Class balance",
        "Spectrograms",
        "MFCCs",
        "Chromagrams",
        "Map of the files",
        "14 files of 12 patients",
    ):
        assert words in page.text


def test_explore_writes_one_page_about_pictures(tiny: Callable[[str], Path], home: Path) -> None:
    _run("explore", tiny("chest_xray"), "--out", home / "page.html")
    page = _is_self_contained((home / "page.html").read_text())
    assert "ward-1: covid" in page.text
    assert "perceptual fingerprint" in page.text


def test_evaluate_agrees_with_what_serves_and_says_that_the_data_were_seen(
    versions: Path, tiny: Callable[[str], Path], home: Path
) -> None:
    stages = home / "history.jsonl"
    listen = history.recorder(stages, lambda _: None)
    for number in (1, 2):
        listen(Progress("all patients", number, 2, Epoch(number, 1 / number, 1, 2, 3, 4)))
    arguments = ("--data", tiny("cough"), "--out", home / "page.html", "--history", stages, "--threads", 1)
    said = json.loads(_run("evaluate", versions / "sound", *arguments, "--json"))
    assert (said["overall"]["n"], said["overall"]["positives"]) == (14, 7)
    assert {figures["source"] for figures in said["per_source"]} == {"ward-0", "ward-1", "ward-2"}
    assert any("same fingerprint" in sentence for sentence in said["sentences"])
    page = _is_self_contained((home / "page.html").read_text())
    assert page.text.index("same fingerprint") < page.text.index("Figures on this folder")
    for words in ("Confusion", "ROC", "Calibration", "Decision curve", "Risk and coverage", "TP, FP, TN, FN per epoch"):
        assert words in page.text
    card = registry.verify(versions / "sound").card
    assert all(limit in page.text for limit in card.limits)


@pytest.fixture(scope="module")
def judged(versions: Path, tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> "Judged":
    artefact = registry.verify(versions / "sound")
    return artefact, *appraise.appraise(artefact, tiny("cough"), tmp_path_factory.mktemp("cache"), threads=1)


Judged = tuple[registry.Artefact, appraisal.Appraisal, appraise.Answers]


def test_the_warning_of_the_card_leads_the_page(judged: Judged) -> None:
    artefact, found, answers = judged
    assert answers.referred.sum() == found.overall.referred
    card = artefact.card.model_copy(update={"warning": "The figures are <worth> nothing."})
    warned = found.model_copy(update={"sentences": [card.warning]})
    page = _is_self_contained(version_report(card, warned, answers))
    assert page.text.index("The figures are <worth> nothing.") < page.text.index("Figures on this folder")


def test_what_decide_refers_is_referred(judged: Judged) -> None:
    artefact, _, answers = judged
    narrow = artefact.card.model_copy(update={"novelty": artefact.card.novelty.model_copy(update={"threshold": -1.0})})
    changed = registry.Artefact(artefact.sha256, artefact.folder, narrow)
    assert appraise.answer(changed, answers.examples, 1).referred.all()


def test_one_class_is_refused(versions: Path, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny("cough"), tmp_path / "data"))
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("\n".join([lines[0], *(line for line in lines if ",covid," in line)]))
    with pytest.raises(BadRequest, match="one class"):
        appraise.appraise(registry.verify(versions / "sound"), folder, tmp_path / "cache")


def test_compare_puts_versions_of_the_same_data_into_one_table(versions: Path, home: Path) -> None:
    said = json.loads(_run("compare", "cough", "--versions", versions, "--out", home / "page.html", "--json"))
    assert [len(group["entries"]) for group in said["groups"]] == [2]
    first, second = said["groups"][0]["entries"]
    assert first["auroc"]["value"] >= second["auroc"]["value"]
    assert first["found"] + first["missed"] == first["positives"]
    assert min(first["read_ms"], first["model_ms"], first["size_bytes"]) > 0
    page = _is_self_contained((home / "page.html").read_text())
    assert "within one table only" in page.text
    assert "True positives and false negatives" in page.text
    text = _run("compare", "cough", "--versions", versions)
    assert "cough/mlp" in text


def test_other_data_are_another_table(versions: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(versions / "faithful", tmp_path / "other"))
    card = json.loads((other / "card.json").read_text())
    card["data"]["fingerprint"] = "a" * 64
    (other / "card.json").write_text(json.dumps(card))
    registry.seal(other)
    groups = compare.compare(Modality.COUGH, [versions, other], threads=1)
    assert [len(group.entries) for group in groups] == [2, 1]
    assert compare.compare(Modality.CHEST_XRAY, [versions]) == []


def test_an_unknown_version_is_explained(versions: Path, tiny: Callable[[str], Path], home: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "nobody", "--data", str(tiny("cough"))])
    assert result.exit_code == 1
    assert "No version is called nobody" in result.stderr


def test_a_history_that_is_none_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"stage": "fold 1/2"}\n')
    with pytest.raises(BadRequest, match="Line 1"):
        history.read(path)


def test_compare_shows_every_measured_recipe_once_within_what_can_be_compared(home: Path) -> None:
    said = json.loads(_run("compare", "cough", "--out", home / "all.html", "--json"))
    measured = [group for group in said["groups"] if group["entries"][0]["sha256"] == ""]
    names = [entry["recipe"] for group in measured for entry in group["entries"]]
    assert sorted(names) == [name for name in recipes() if name.startswith("cough/")]
    assert len({entry["n"] for entry in measured[0]["entries"]}) == 1
    refused = next(entry for group in measured for entry in group["entries"] if entry["sensitivity"] is None)
    assert "refused" in refused["warning"]
    page = (home / "all.html").read_text()
    assert "7 recipes on one data set" in page
    assert page.count("found (true positives)") == len(said["groups"]) - sum(
        group["entries"][0]["found"] is None for group in said["groups"]
    )
