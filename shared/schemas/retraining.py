"""What a training from verdicts is made of."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from shared.schemas.base import Shape
from shared.schemas.judging import Basis

DatasetName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
RecipeName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-z0-9_]+/[a-z0-9_]+$")]


class RetrainingPlan(Shape):
    """What to train, and on which verdicts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: RecipeName
    base: DatasetName | None = Field(
        None, description="A folder that a trainer has, which the judged inputs are added to; only they when left out"
    )
    bases: tuple[Basis, ...] = Field(min_length=1, description="Verdicts that rest on one of these become labels")
    hold_out: float = Field(
        0.2,
        ge=0,
        le=0.5,
        description="Share of the hospital's patients who are never trained on, the same ones each time",
    )
    mode: Literal["faithful", "sound"] = "sound"
    seed: int = Field(7, ge=0, le=2**31 - 1)
    epochs: int | None = Field(None, ge=1, le=10_000)
    folds: int | None = Field(None, ge=2, le=50)
    trust_labels: bool = Field(
        False, description="You vouch for the labels: the gates on labels do not judge them, and the card says so"
    )
