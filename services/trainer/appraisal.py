"""What a published version does on a labelled folder: the shapes of the answer."""

from services.trainer.subgroups import Subgroup
from shared.schemas import Control, Detail, Interval, PartFigures, Shape


class Figures(PartFigures):
    """Figures on one source, or on all; rates at the card's threshold. None where the data hold one class only.

    Sensitivity and specificity count every input that could be read, referred or not: what the network itself does.
    """

    source: str
    auprc: Interval | None
    balanced_accuracy: float | None
    brier: float
    log_loss: float
    calibration_error: float
    referred: int
    flagged_positives: int
    flagged_negatives: int


class Values(Shape):
    """Predictive values at an assumed share of the finding."""

    prevalence: float
    ppv: float
    npv: float


class Baseline(Shape):
    """What needs no model: the more frequent answer always, and the share of the finding as every probability."""

    accuracy: float
    brier: float
    log_loss: float
    auprc: float


class Appraisal(Shape):
    """What a version does on a folder. `sentences` are what must be read first.

    `subgroups`: AUROC by view, age, sex, site and device where files or index name them, the worst first.
    """

    recipe: str
    name: str
    sha256: str
    fingerprint: str
    threshold: float
    sentences: list[str]
    rejected: dict[str, int]
    overall: Figures
    per_source: list[Figures]
    subgroups: list[Subgroup]
    baseline: Baseline
    detail: Detail
    controls: list[Control]
    predictive: list[Values]
    read_ms: float
    model_ms: float
