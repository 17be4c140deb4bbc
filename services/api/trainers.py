"""What can be trained: known from what trainers write into their own rows, since the gateway imports no trainer."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db.statements import training
from shared.errors import Conflict, Unprocessable
from shared.schemas import Modality

COLLECTED = "retraining-"  # how data sets of one hospital's patients begin: nobody names them, not even by chance


class RecipeView(BaseModel):
    """One recipe that a trainer can train."""

    name: str
    modality: Modality
    finding: str


class Recipes(BaseModel):
    """What trainers reported last. `trainers_alive` counts those that wrote lately; without one, runs wait."""

    recipes: list[RecipeView]
    datasets: list[str]
    trainers_alive: int


async def known(session: AsyncSession) -> Recipes:
    """The trainers that are alive; when none is, the one that was seen last. Raises Conflict: there never was one."""
    rows = (await session.execute(training.trainers())).all()
    if not rows:
        raise Conflict("no_trainer")
    alive = [row.report for row in rows if row.alive]
    return _merged(alive or [rows[0].report], len(alive))


async def require(session: AsyncSession, recipe: str, dataset: str | None) -> RecipeView:
    """The recipe of this name, if a trainer knows it and the data set that is named. Raises Unprocessable, Conflict."""
    there = await known(session)
    found = next((view for view in there.recipes if view.name == recipe), None)
    if found is None:
        raise Unprocessable("recipe_unknown")
    if dataset is not None and dataset not in there.datasets:
        raise Unprocessable("dataset_unknown")
    return found


def _merged(reports: Iterable[dict[str, Any]], alive: int) -> Recipes:
    recipes: dict[str, RecipeView] = {}
    datasets: set[str] = set()
    for report in reports:
        recipes.update({view["name"]: RecipeView.model_validate(view) for view in report["recipes"]})
        datasets.update(name for name in report["datasets"] if not name.startswith(COLLECTED))
    ordered = [recipes[name] for name in sorted(recipes)]
    return Recipes(recipes=ordered, datasets=sorted(datasets), trainers_alive=alive)
