"""What the pages say, rendered without a browser: every decision, every end, and no forbidden word anywhere."""

import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from services.api.web import render
from services.api.web.figures import probability
from services.api.web.reader import Reader
from services.api.web.samples import FILES, sample
from services.api.web.scale import scale
from shared.schemas import Decision, JobState, JobView, Modality
from shared.sentences import EN, say
from shared.sniff import sniff

TEMPLATES = Path(render.__file__).parent / "templates"
FORBIDDEN = re.compile(r"\b(positive|negative|healthy)\b|% risk", re.IGNORECASE)
READER = Reader("Dr. A", "North", clinical=True)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HALF = {"value": 0.5, "low": 0.4, "high": 0.6}
WARNING = "Telling the archives apart does as well as this model."


def result(decision: Decision, **changes: Any) -> dict[str, Any]:
    reasons = [{"code": "out_of_distribution", "text": "Unlike the test data."}] if decision is Decision.REFER else []
    return {
        "finding": "covid_pattern",
        "label": "COVID-19 Positive",
        "decision": decision,
        "sentence": say(str(decision), finding="COVID-19", inputs="recordings", why="unlike the test data."),
        "probability": 0.37,
        "probability_basis": {"calibration": "sigmoid", "prevalence": 0.2},
        "threshold": 0.25,
        "operating_point": {"sensitivity": HALF, "specificity": HALF, "n": 10, "positives": 5, "sources": ["a"]},
        "quality": [],
        "reasons": reasons,
        "warning": None,
        "version": {"recipe": "cough/mlp", "name": "one", "sha256": "0" * 64},
        "runtime": {"engine": "onnxruntime"},
        "timings": {"queued_ms": 1, "prepare_ms": 2, "predict_ms": 3, "total_ms": 6},
        "client_ref": None,
        **changes,
    }


def job(status: JobState, **changes: Any) -> JobView:
    fields: dict[str, Any] = dict.fromkeys(JobView.model_fields)
    return JobView.model_validate(
        {
            **fields,
            "id": UUID(int=7),
            "status": status,
            "sentence": say(f"state.{status}"),
            "modality": "cough",
            "priority": "routine",
            "input": {"sha256": "0" * 64, "size_bytes": 2048, "media_type": "audio/wav"},
            "attempts": 1,
            "created_at": NOW,
            "links": {},
            **changes,
        }
    )


def shown(view: JobView, reason: str | None = None) -> str:
    version = SimpleNamespace(card=SimpleNamespace(limits=["Small data."]), recall_reason=reason)
    unasked = SimpleNamespace(state="absent", answer=None)
    shown = render.page("job.html", reader=READER, job=view, version=version, why=unasked, said=[], earlier=[])
    return bytes(shown.body).decode()


@pytest.mark.parametrize("decision", list(Decision))
def test_a_result_leads_with_its_sentence(decision: Decision) -> None:
    page = shown(job(JobState.SUCCEEDED, result=result(decision)))
    assert page.index(say(f"page.decision.{decision}")) > page.index('id="sentence"')
    assert "0.37" in page
    assert "threshold 0.25" in page
    assert "COVID-19 Positive" not in page
    assert not FORBIDDEN.search(page)


def test_a_warning_leads_and_is_said_once() -> None:
    said = result(Decision.NOT_FLAGGED, warning=WARNING, sentence=f"{WARNING} {say('not_flagged')}")
    region = shown(job(JobState.SUCCEEDED, result=said)).partition("<section")[2]
    assert region.count(WARNING) == 1
    assert region.index(WARNING) < region.index(say("not_flagged"))


def test_a_recalled_result_says_so_instead_of_its_decision() -> None:
    reasons = [{"code": "result_recalled", "text": say("result_recalled")}]
    said = result(Decision.FLAGGED, sentence=say("result_recalled"), reasons=reasons)
    page = shown(job(JobState.SUCCEEDED, result=said), reason="golden samples differed")
    assert say("page.recalled_result") in page
    assert "golden samples differed" in page
    assert say("page.decision.flagged") not in page


@pytest.mark.parametrize("status", [JobState.FAILED, JobState.REJECTED, JobState.CANCELLED, JobState.DEAD])
def test_an_end_without_a_result_says_what_to_do(status: JobState) -> None:
    error = None if status is JobState.CANCELLED else {"code": "some_code", "detail": "Plain words."}
    page = shown(job(status, error=error))
    assert say(f"page.next.{status}").replace("'", "&#39;") in page
    assert (say("page.retry") in page) is (status in (JobState.FAILED, JobState.DEAD))
    assert ("Plain words." in page) is (error is not None)


def test_a_reference_is_text_and_nothing_else() -> None:
    page = shown(job(JobState.QUEUED, client_ref="<img src=x onerror=alert(1)>", queue_position=4))
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert say("page.position", position=4) in page


def test_every_sentence_that_a_template_names_is_in_the_catalogue() -> None:
    text = "".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    named = set(re.findall(r'say\(\s*"([a-z_.]+[a-z_])"', text)) | set(re.findall(r"say\(\s*'([a-z_.]+[a-z_])'", text))
    assert len(named) > 80
    assert sorted(named - EN.keys()) == []


def test_no_page_sentence_promises_health() -> None:
    assert [key for key, text in EN.items() if key.startswith(("page.", "admin.")) and FORBIDDEN.search(text)] == []


def test_no_template_breaks_the_policy() -> None:
    for path in TEMPLATES.rglob("*.html"):
        assert not re.search(r"""\sstyle=|\son[a-z]+=|<script>|<style|https?://""", path.read_text()), path.name


@pytest.mark.parametrize("modality", list(Modality))
def test_samples_are_what_they_are_called(modality: Modality) -> None:
    body = sample(modality)
    assert len(body) < 200_000
    assert sniff(body[:4096]) == {".png": "image/png", ".wav": "audio/wav"}[Path(FILES[modality]).suffix]


@pytest.mark.parametrize(("value", "text"), [(0.001, "< 0.01"), (0.999, "> 0.99"), (0.5, "0.50")])
def test_no_probability_is_certain(value: float, text: str) -> None:
    assert probability(value) == text


def test_labels_stay_inside_the_scale() -> None:
    assert scale(0.02, 0.95).probability.anchor == "start"
    assert scale(0.02, 0.95).threshold.anchor == "end"
    assert not scale(0.5, 0.95).shows_one
    assert scale(0.5, 0.5).shows_zero
