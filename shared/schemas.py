"""JSON shapes that services, clients and cards agree on. The only meaning of each word is in docs/glossary.md."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

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


# --- the card -------------------------------------------------------------------------------------------------------


class Step(Shape):
    """One named transform of the pipeline with its parameters."""

    transform: str
    params: dict[str, Any] = {}


class Labels(Shape):
    """The source documents' plain words for the two answers."""

    present: str
    absent: str


class InputContract(Shape):
    """What the gateway accepts for this version; finer limits are parameters of the pipeline."""

    media_types: list[str]
    max_bytes: int = 64 * 2**20
    summary: str


class TensorContract(Shape):
    """Shape of one prepared input, without the group's axis; always float32."""

    shape: list[int]


Engine = Literal["onnxruntime", "openvino", "cuda"]
Precision = Literal["f32", "bf16", "f16", "int8"]


class Way(Shape):
    """One way to run the graph, as it was measured and judged where the version was published.

    Against f32 on the same held-out patients: `area_lost` of the AUROC and the share of decisions `flipped`.
    """

    engine: Engine
    precision: Precision
    milliseconds: float = Field(description="Of one input in a group, on the machine that published")
    area_lost: float
    flipped: Probability
    accepted: bool
    reason: str


class RuntimeContract(Shape):
    """How the graph is run. Precision is fixed at publishing; calibration, threshold and metrics are computed in it.

    The golden samples' answers are `engine`'s. A worker may take another one that computes the same precision and
    proves them.
    """

    engine: Engine
    precision: Precision = "f32"
    candidates: list[Way] = Field([], description="Empty in cards from before ways were measured")


class Calibration(Shape):
    """probability = sigmoid(slope * score + intercept), fitted out of fold (Platt 1999)."""

    method: Literal["sigmoid", "none"] = "none"
    slope: float = 1.0
    intercept: float = 0.0
    prevalence: Probability = Field(description="Share of the finding in the data it was fitted on")


class Novelty(Shape):
    """Out-of-distribution rule: the graph's `distance` above the threshold turns the decision into `refer`."""

    method: str
    threshold: float
    quantile: Probability


class Population(Shape):
    """Whom the version was tested on; outside it the decision is `refer`."""

    age_years: tuple[float, float] | None = None
    views: list[str] | None = None
    description: str


class SourceFigures(Shape):
    """Out-of-fold figures on one source; the area is absent where the source holds one class only."""

    source: str
    licence: str
    n: int
    patients: int
    positives: int
    auroc: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None


class Control(Shape):
    """A shortcut control: what a trivial reading of the data reaches under the same protocol."""

    name: str
    auroc: Interval
    meaning: str


class FixedRate(Shape):
    """One rate where the other is fixed: `rate` is sensitivity at a specificity of `at` or more, or the reverse."""

    rate: Literal["sensitivity", "specificity"]
    at: Probability
    value: Interval


class PredictiveValues(Shape):
    """How often an answer is right where this share of people has the finding (Bayes' rule)."""

    prevalence: Probability
    ppv: Interval
    npv: Interval


class Coverage(Shape):
    """How often the conformal set held the truth in one group, and how often it could not decide. Out of fold."""

    group: str
    n: int
    covered: Interval
    undecided: Interval


class Conformal(Shape):
    """Class-conditional conformal sets (Vovk 2012): the truth is in the set in 1 - alpha of each class.

    A probability below both bounds says "without the finding", above both "with it"; between them the set holds both
    answers or none, and a person must look. `size` is the mean number of answers in a set.
    """

    alpha: Probability
    lower: Probability
    upper: Probability
    size: float
    groups: list[Coverage]


class Detail(Shape):
    """Further out-of-fold figures, all at the card's operating point unless they say otherwise."""

    fixed: list[FixedRate]
    mcc: Interval
    predictive: list[PredictiveValues]
    calibration_slope: Interval = Field(description="1 is right; below it probabilities are too extreme")
    calibration_intercept: Interval = Field(description="0 is right; below it the finding is expected too often")
    contradicted: Interval | None = Field(
        None, description="Share of the most certain answers whose label says the opposite"
    )
    conformal: Conformal | None = Field(None, description="Absent with fewer than 9 patients' files of a class")


class Metrics(Shape):
    """Patient-grouped, out-of-fold evaluation beside trivial baselines."""

    protocol: str
    auroc: Interval
    auprc: Interval
    brier: float
    log_loss: float
    balanced_accuracy: float
    majority_accuracy: float
    calibration_error: float
    per_source: list[SourceFigures]
    controls: list[Control]
    detail: Detail | None = Field(None, description="Absent in cards from before it was measured")


class DataLineage(Shape):
    """What the version was trained on."""

    fingerprint: Sha256
    n: int
    patients: int
    positives: int
    sources: list[str]


class Training(Shape):
    """How it was trained, to be repeatable."""

    seed: int
    epochs: int
    seconds: float
    mode: Literal["faithful", "sound"]
    initialisation: str
    parameters: int
    trained_at: datetime
    libraries: dict[str, str]


class Golden(Shape):
    """Generated inputs and the answers at publishing; proven at every load within the tolerance."""

    file: str
    scores: list[float]
    distances: list[float]
    tolerance: float


class Card(Shape):
    """A version's own description. Everything that serving needs and a reader should know."""

    schema_version: Literal[1] = 1
    modality: Modality
    finding: str
    recipe: str
    name: str
    labels: Labels
    input: InputContract
    pipeline: list[Step]
    tensor: TensorContract
    runtime: RuntimeContract
    calibration: Calibration
    threshold: Probability
    operating_point: OperatingPoint
    novelty: Novelty
    population: Population
    metrics: Metrics
    data: DataLineage
    training: Training
    golden: Golden
    intended_use: str
    warning: str | None = Field(None, description="Leads the card and every result when a control does as well")
    limits: list[str]
    notice: str = Field(description="Attribution of the data it was trained on")


# --- jobs and results -----------------------------------------------------------------------------------------------


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
    label: str
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
    review: Literal["unreviewed"] = "unreviewed"
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
