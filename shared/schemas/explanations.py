"""Why a version scored an input as it did."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Shape
from shared.schemas.jobs import VersionRef

Share = tuple[float, float, float, float]


class HeatMap(Shape):
    """What the score lost where each cell of the picture was taken away; row 0 on top, high frequencies on top."""

    values: list[list[float]] = Field(description="Log-odds; above 0 the cell raised the score")
    box: Share = Field(description="Where the cells lie in the page's picture: top, left, bottom, right as shares")
    seconds: tuple[float, float] | None = Field(None, description="Of a sound: from and to")
    hertz: tuple[float, float] | None = Field(None, description="Of a sound: from and to")


class Contribution(Shape):
    """What a group of features added to the score, against the training data's mean."""

    code: str
    values: dict[str, float | str] = Field(default_factory=dict)
    label: str = Field("", description="What the features are about, in words")
    value: float = Field(description="Log-odds; above 0 it raised the score")
    error: float | None = Field(description="Standard error of the draws")
    features: int


class Check(Shape):
    """Is the map better than chance: the mean score while pieces go (or come) in its order, and in random orders.

    A map that says something has a deletion below and an insertion above what random orders reach.
    """

    deletion: float
    insertion: float
    random_mean: float
    random_low: float
    random_high: float
    orders: int
    beats_random: bool


class LungShare(Shape):
    """How much of what raised the score lies inside the lungs; `area` is what a map of chance would have there."""

    share: float
    area: float
    method: Literal["dark_field"] = Field("dark_field", description="How the lungs were found: by a rule of thumb")


class Reasoning(Shape):
    """What a worker found. `score` and `empty_score` in log-odds: of the input, and of the background alone."""

    method: Literal["occlusion", "shapley"]
    background: Literal["blurred", "training_mean", "generated_mean"]
    score: float
    empty_score: float
    passes: int = Field(description="Inputs that were computed for it")
    heat_map: HeatMap | None
    contributions: list[Contribution] | None = Field(description="The largest first")
    check: Check
    inside_lungs: LungShare | None
    inside_lungs_missing: Literal["no_xray", "no_field", "nothing_raised"] | None


class Explanation(Reasoning):
    """The answer of `GET /v1/jobs/{id}/explanation`."""

    job: UUID
    version: VersionRef
    caution: str
    said: str = Field(description="The method in a sentence")
    checked: str = Field(description="The check in a sentence")
    lungs: str = Field(description="The share inside the lungs in a sentence, or why there is none")
    made_at: datetime
    use: Literal["research"] = "research"
    links: dict[str, str] = Field(description="`heat`: a PNG to lay over `picture`")
