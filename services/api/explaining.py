"""Why a result is as it is: asked for once, made by a worker after all jobs, shown with its sentences."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.api import reading
from services.api.auth import Caller
from services.api.gateway import Gateway
from services.api.views import JobRow, version_ref
from shared.db.statements import audit, explanations
from shared.db.tables import ResultExplanation
from shared.errors import Conflict, ThoracleError
from shared.schemas import Explanation, Modality, Reasoning
from shared.sentences import say

_LOOK_S = 0.25


@dataclass(frozen=True)
class Standing:
    """How far an explanation is: `absent`, `waiting`, `made` with its answer, or `refused` with the problem."""

    state: str
    answer: Explanation | None = None
    problem: ThoracleError | None = None


async def ask(gateway: Gateway, caller: Caller, job_id: UUID, request_id: str | None, seconds: float = 0) -> Standing:
    """Wish for it, and wait for it for so many seconds.

    Raises NotFound; Conflict: there is no result, the version was recalled, the input is not stored any more.
    """
    async with gateway.begin() as session:
        row = await _explainable(gateway, session, caller, job_id)
        await session.execute(explanations.wish(caller.tenant_id, job_id))
        await session.execute(audit.event(caller, "explanation.read", "job", str(job_id), request_id))
    until = time.monotonic() + seconds
    while True:
        async with gateway.begin() as session:
            standing = await _standing(gateway, session, row)
        if standing.state != "waiting":
            return standing
        gateway.wake(row.job.modality)
        if time.monotonic() >= until:
            return standing
        await asyncio.sleep(_LOOK_S)


async def look(gateway: Gateway, caller: Caller, job_id: UUID) -> Standing:
    """How far it is, without asking for it; whoever looks has read the job already."""
    async with gateway.begin() as session:
        try:
            row = await _explainable(gateway, session, caller, job_id)
            return await _standing(gateway, session, row)
        except Conflict as problem:
            return Standing("refused", problem=problem)


async def _explainable(gateway: Gateway, session: AsyncSession, caller: Caller, job_id: UUID) -> JobRow:
    row = await reading.find_row(session, caller.tenant_id, job_id)
    if row.result is None or row.answering is None:
        raise Conflict("explanation_no_result")
    if row.answering.recalled_at is not None:
        raise Conflict("explanation_recalled")
    if not gateway.store.path(caller.tenant_id, row.input.sha256).is_file():
        raise Conflict("input_erased")
    return row


async def _standing(gateway: Gateway, session: AsyncSession, row: JobRow) -> Standing:
    query = explanations.of_job(row.job.tenant_id, row.job.id).execution_options(populate_existing=True)
    found = (await session.scalars(query)).one_or_none()
    if found is None:
        return Standing("absent")
    if found.state == "failed":
        return Standing("refused", problem=Conflict(found.code))
    if found.answer is None:
        return Standing("waiting")
    return Standing("made", _view(row, found, gateway.settings.base_url))


def _view(row: JobRow, found: ResultExplanation, base_url: str) -> Explanation:
    """The worker's figures with the sentences that belong to them."""
    reasoning = Reasoning.model_validate(found.answer)
    assert row.answering is not None
    assert found.made_at is not None
    values = dict(reasoning)
    if reasoning.contributions is not None:
        values["contributions"] = [
            one.model_copy(update={"label": say(f"feature.{one.code}", **_plain(one.values))})
            for one in reasoning.contributions
        ]
    return Explanation(
        **values,
        job=row.job.id,
        version=version_ref(row.answering),
        caution=say("explanation.caution"),
        said=_said(reasoning, Modality(row.job.modality)),
        checked=_checked(reasoning),
        lungs=_lungs(reasoning),
        made_at=found.made_at,
        links=_links(row, reasoning, base_url),
    )


def _plain(values: Mapping[str, float | str]) -> dict[str, float | str]:
    """JSON knows no whole numbers; readers do."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in values.items()
    }


def _said(reasoning: Reasoning, modality: Modality) -> str:
    kind = "occlusion_sound" if reasoning.method == "occlusion" and modality is not Modality.CHEST_XRAY else None
    background = say(f"explanation.background.{reasoning.background}")
    return say(f"explanation.{kind or reasoning.method}", background=background)


def _checked(reasoning: Reasoning) -> str:
    outcome = "better" if reasoning.check.beats_random else "no_better"
    return say(f"explanation.check.{outcome}", orders=reasoning.check.orders)


def _lungs(reasoning: Reasoning) -> str:
    if reasoning.inside_lungs is None:
        return say(f"explanation.lungs.{reasoning.inside_lungs_missing}")
    share, area = (round(100 * value) for value in (reasoning.inside_lungs.share, reasoning.inside_lungs.area))
    return say("explanation.lungs.share", share=share, area=area)


def _links(row: JobRow, reasoning: Reasoning, base_url: str) -> dict[str, str]:
    here = f"{base_url}/v1/jobs/{row.job.id}"
    links: dict[str, Any] = {"self": f"{here}/explanation", "job": here}
    if reasoning.heat_map is not None:
        under = "picture" if row.job.modality == Modality.CHEST_XRAY else "spectrogram"
        links |= {"heat": f"{here}/renditions/{explanations.HEAT}", "picture": f"{here}/renditions/{under}"}
    return links
