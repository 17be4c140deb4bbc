"""The card: a version's own description."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from shared.schemas.base import Interval, Modality, OperatingPoint, Probability, Sha256, Shape


class Step(Shape):
    """One named transform of the pipeline with its parameters."""

    transform: str
    params: dict[str, Any] = Field(default_factory=dict)


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


class PartFigures(Shape):
    """Figures on a part of the data; the area and one of the rates are absent where it holds one class only."""

    n: int
    patients: int
    positives: int
    auroc: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None


class SourceFigures(PartFigures):
    """Out-of-fold figures on one source; the area is absent where the source holds one class only."""

    source: str
    licence: str


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


class Repeated(Shape):
    """AUROC over several splits of the same patients, each with another seed: what chance in the split does to it."""

    splits: int
    mean: float
    low: float
    high: float


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
    repeated: Repeated | None = Field(None, description="Absent where the patients were split once")


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
