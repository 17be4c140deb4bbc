"""Words that every shape uses: modalities, states, roles, notes."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Modality(StrEnum):
    """A kind of input and how to read it."""

    CHEST_XRAY = "chest_xray"
    COUGH = "cough"
    LUNG_SOUND = "lung_sound"


class JobState(StrEnum):
    """Where a job is. `queued → running → one of the terminal states`, entered once."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    DEAD = "dead"


TERMINAL = frozenset(
    {JobState.SUCCEEDED, JobState.FAILED, JobState.REJECTED, JobState.CANCELLED, JobState.DEAD},
)


class RunState(StrEnum):
    """Where a training run is; as with jobs, a terminal state is entered once (until somebody tries again)."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


class Priority(StrEnum):
    """Classes of urgency over all modalities."""

    STAT = "stat"
    ROUTINE = "routine"
    BULK = "bulk"


class Decision(StrEnum):
    """What a result says: never positive or negative, and `refer` means a person must look."""

    FLAGGED = "flagged"
    NOT_FLAGGED = "not_flagged"
    REFER = "refer"


class Role(StrEnum):
    """What a person or a system may do; a principal may hold several."""

    SUBMITTER = "submitter"
    CLINICIAN = "clinician"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Shape(BaseModel):
    """Base of every shape: immutable, and a field nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Note(Shape):
    """A stable code with its sentence and numbers: one line of `quality` or `reasons`."""

    code: str
    text: str
    values: dict[str, float | str] = {}


class Interval(Shape):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class OperatingPoint(Shape):
    """What the threshold does on held-out patients, out of fold."""

    sensitivity: Interval
    specificity: Interval
    n: int
    positives: int
    sources: list[str]
