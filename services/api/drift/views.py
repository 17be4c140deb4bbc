"""Shapes of the board, its series and alerts."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.drift.judging import Standing
from shared.schemas import Interval, Modality, VersionRef


class MeasureView(BaseModel):
    """One measure of a version, held against its reference: the version's first results in service.

    `psi`: population stability index, `noise` what chance gives once in a thousand times. `ks`: Kolmogorov-Smirnov
    distance, at least, and its p. All absent where there is not enough of either.
    """

    name: str
    unit: str
    edges: list[float] = Field(description="Between the bins; the first and the last bin have no outer end")
    words: list[str] = Field(description="Names of the bins where they are no numbers")
    now: list[int]
    reference: list[int]
    results: int
    standing: Standing
    psi: float | None
    noise: float | None
    ks: float | None
    ks_p: float | None


class VerdictFigures(BaseModel):
    """How verdicts bear out the decisions of this time. Only judged results count: verification bias."""

    judged: int
    unsure: int
    differing: int = Field(description="Readers judge them differently; they count nowhere")
    referred: int = Field(description="The version had referred them; in no rate")
    agreement: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None
    note: str


class WatchedVersion(BaseModel):
    """A version in service for one hospital over the days that were asked for."""

    modality: Modality
    finding: str
    version: VersionRef
    jobs: int
    outcomes: dict[str, int]
    rates: dict[str, Interval] = Field(description="Of all jobs that ended, with Wilson's 95 % interval")
    referred: int = Field(description="Results in its reference")
    complete: bool = Field(description="Whether the reference is whole; until then nothing is judged")
    measures: list[MeasureView]
    feedback: VerdictFigures | None


class AlertView(BaseModel):
    """A measure that left its reference. No site or device: of all of them. `psi` is that of the last look."""

    id: UUID
    state: Literal["raised", "acknowledged", "cleared"]
    modality: Modality
    version: VersionRef
    site: str | None
    device: str | None
    measure: str
    detail: str
    raised_psi: float
    worst_psi: float
    psi: float
    results: int
    raised_at: datetime
    looked_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None
    cleared_at: datetime | None


class Board(BaseModel):
    """Every version that answered, and the alerts that are open. Counted until `counted_at`."""

    days: int
    site: str | None
    device: str | None
    counted_at: datetime
    sites: list[str]
    devices: list[str]
    alerts: list[AlertView]
    versions: list[WatchedVersion]


class Moment(BaseModel):
    """One rollup, or one day: `psi` by measure where it holds enough results."""

    since: datetime
    jobs: int
    outcomes: dict[str, int]
    psi: dict[str, float]


class JudgedWeek(BaseModel):
    """Results of the seven days up to `until` that somebody has judged, with Wilson's 95 % intervals."""

    until: datetime
    present: int = Field(description="Judged results with the finding that the version decided")
    absent: int = Field(description="The same without the finding")
    sensitivity: Interval | None = Field(description="Absent where there are too few labels, as is specificity")
    specificity: Interval | None
    detail: str | None = Field(description="Said where there are too few labels for a sensitivity")


class Line(BaseModel):
    """One version's points, oldest first."""

    modality: Modality
    version: VersionRef
    points: list[Moment]
    judged: list[JudgedWeek] = Field(description="Empty when nobody has judged a result of this time")


class Series(BaseModel):
    """How versions went: a point is `seconds` wide."""

    days: int
    seconds: int
    lines: list[Line]
    note: str = Field(description="What to beware of in `judged`: verification bias")


class AlertPage(BaseModel):
    """Alerts, newest first; `next` is the cursor of what follows."""

    alerts: list[AlertView]
    next: str | None
