"""Jobs and results as they are sent and answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from shared.schemas.base import Decision, JobState, Modality, Note, OperatingPoint, Priority, Probability, Sha256, Shape
from shared.schemas.judging import Review


class Sex(StrEnum):
    """Administrative sex as DICOM (0010,0040) codes it."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


class JobFields(Shape):
    """What a caller may say about a job; everything is optional and taken from DICOM when absent."""

    modality: Modality | None = None
    version: Short | None = Field(None, description="sha256 or name of the version that must answer")
    priority: Priority = Priority.ROUTINE
    client_ref: Short | None = None
    study_id: Short | None = None
    subject_id: Short | None = Field(None, description="Pseudonym; never a name")
    site: Short | None = None
    device: Short | None = None
    acquired_at: datetime | None = None
    age_years: Annotated[float, Field(ge=0, le=130)] | None = None
    sex: Sex | None = None
    view: Short | None = Field(None, description="PA, AP, LL, ... for X-rays; chest location for lung sounds")
    not_before: datetime | None = None
    not_after: datetime | None = Field(None, description="Deadline: not started after it")


class VersionRef(Shape):
    """Names a version."""

    recipe: str
    name: str
    sha256: Sha256


class ProbabilityBasis(Shape):
    """What the probability rests on."""

    calibration: str
    prevalence: Probability


class Timings(Shape):
    """Milliseconds of a job's life."""

    queued_ms: float
    prepare_ms: float
    predict_ms: float
    total_ms: float


class ResultView(Shape):
    """What a result says: one shape in API, CSV, webhook and page."""

    finding: str
    label: str | None = Field(description="The plain answer; none where the decision is `refer` or after a recall")
    decision: Decision
    sentence: str
    probability: Probability
    probability_basis: ProbabilityBasis
    threshold: Probability
    operating_point: OperatingPoint
    quality: list[Note]
    reasons: list[Note]
    warning: str | None
    version: VersionRef
    runtime: dict[str, str]
    timings: Timings
    reused_from: UUID | None = Field(
        None, description="The hospital's own job whose score this is: same bytes, same version"
    )
    review: Review = Review()
    use: Literal["research"] = "research"
    client_ref: str | None


class JobProblem(Shape):
    """Why a job ended without a result."""

    code: str
    detail: str


class InputView(Shape):
    """The stored input."""

    sha256: Sha256
    size_bytes: int
    media_type: str


class JobView(Shape):
    """One job as the API shows it."""

    id: UUID
    status: JobState
    sentence: str
    modality: Modality
    priority: Priority
    client_ref: str | None
    study_id: str | None
    study: UUID | None
    batch: UUID | None
    comparison: UUID | None = Field(None, description="It only compares versions: no clinical result")
    subject_id: str | None
    site: str | None
    device: str | None
    acquired_at: datetime | None
    age_years: float | None
    sex: str | None
    view: str | None
    requested_version: VersionRef | None
    input: InputView
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    queue_position: int | None = None
    estimated_at: datetime | None = None
    error: JobProblem | None
    result: ResultView | None
    links: dict[str, str]


class Problem(BaseModel):
    """RFC 9457 problem details, with our stable code and the request's id."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: list[dict[str, str]] | None = None
