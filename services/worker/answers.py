"""From a prepared input and its score to the row that is committed."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from services.worker.claims import Claim, Held, ended, failed
from services.worker.deployed import Loaded
from services.worker.sandbox import Ready, Refused
from shared.decide import decide
from shared.measures import FEATURES
from shared.schemas import Card

_COPIED = ("site", "device", "acquired_at", "age_years", "sex", "view", "study_uid")


@dataclass(frozen=True)
class Run:
    """One forward pass: whose, of which version, how long (ms), over how many inputs."""

    claim: Claim
    loaded: Loaded
    predict_ms: float
    group: int


def answered(run: Run, job: Held, ready: Ready, score: float, distance: float) -> dict[str, Any]:
    """A `succeeded` row; a `failed` one when the score is not finite."""
    card, header = run.loaded.card, _header(job, ready.facts)
    runtime = {
        "engine": run.loaded.pace.engine,
        "precision": card.runtime.precision,
        "device": "gpu" if run.loaded.pace.engine == "cuda" else "cpu",
        "group": str(run.group),
        "generation": str(run.claim.generation),
    }
    try:
        row = _row(card, job, header, score, distance)
    except ValueError:
        return failed(job, "predict_failed")
    quality = [note.model_dump() for note in ready.quality]
    timings = _timings(job, ready.milliseconds, run.predict_ms)
    features = {name: round(float(ready.facts[name]), 4) for name in FEATURES if name in ready.facts}
    return {**row, "quality": quality, "runtime": runtime, "timings": timings, "features": features}


def reused(card: Card, job: Held, known: Row[Any]) -> dict[str, Any]:
    """A `succeeded` row from what `reuse.known` found: that score, a decision of its own."""
    row = _row(card, job, known.header, known.score, known.distance)
    taken = {name: getattr(known, name) for name in ("quality", "runtime", "features")}
    taken["reused_from"] = str(known.source)
    return {**row, **taken, "timings": _timings(job, 0.0, 0.0)}


def _row(card: Card, job: Held, header: Mapping[str, Any], score: float, distance: float) -> dict[str, Any]:
    """What score and header make of a job. Raises ValueError when a number is not finite."""
    verdict = decide(card, score, distance, {**header, **_given(job)})
    return {
        **ended(job, "succeeded"),
        **{name: value for name, value in header.items() if name != "study_uid"},
        "header": dict(header),
        "score": score,
        "distance": distance,
        "probability": verdict.probability,
        "decision": verdict.decision,
        "reasons": [note.model_dump() for note in verdict.reasons],
    }


def refused(job: Held, refusal: Refused) -> dict[str, Any]:
    """A `rejected` row, or a `failed` one when the input is not at fault."""
    row = ended(job, "rejected" if refusal.rejected else "failed")
    return {**row, "code": refusal.code, "detail": refusal.detail}


def study_of(job: Held, facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """The study that the header names, for jobs whose caller named none; empty when it names none."""
    uid = facts.get("study_uid")
    return [{"job_id": str(job.id), "study_uid": uid}] if isinstance(uid, str) else []


def _given(job: Held) -> dict[str, str | float]:
    """What the caller said of the input: it outranks the header."""
    given: dict[str, str | float | None] = {"age_years": job.age_years, "view": job.view}
    return {name: value for name, value in given.items() if value is not None}


def _header(job: Held, facts: Mapping[str, str | float]) -> dict[str, Any]:
    """What the file itself says of patient and study; the patient's id only under the hospital's key."""
    header: dict[str, Any] = {name: facts[name] for name in _COPIED if name in facts}
    patient = facts.get("patient_id")
    if isinstance(patient, str) and patient:
        header["subject_id"] = pseudonym(job.pseudonym_key, patient)
    return header


def pseudonym(key: bytes, patient_id: str) -> str:
    """A hospital's stable alias of a patient id; without the hospital's key nobody can go back or compare hospitals."""
    folded = re.sub(r"\s+", " ", patient_id.strip())
    return "psn-" + hmac.new(key, folded.encode(), hashlib.sha256).hexdigest()[:24]


def _timings(job: Held, prepare_ms: float, predict_ms: float) -> dict[str, float]:
    queued = (job.started_at - job.created_at).total_seconds() * 1000
    total = (datetime.now(UTC) - job.created_at).total_seconds() * 1000
    times = {"queued_ms": queued, "prepare_ms": prepare_ms, "predict_ms": predict_ms, "total_ms": max(total, queued)}
    return {name: round(value, 2) for name, value in times.items()}
