"""Which projections a recipe is trained on: an article that names one used no other, and a side view is no frontal."""

from collections.abc import Mapping

import numpy as np

from services.trainer.prepared import Examples
from services.trainer.readings import told
from services.trainer.recipe import Mode, Recipe
from shared.errors import BadRequest

DOCUMENTED: Mapping[str, str] = {"chest_xray/cnn": "PA"}
"""The projection that a document used alone; `faithful` mode then leaves every other out."""


def fitting(examples: Examples, recipe: Recipe, mode: Mode) -> tuple[Examples, tuple[str, ...]]:
    """The rows whose projection fits or is not told, and a sentence for the card when rows were left out.

    Told by the DICOM header or the index's column `view`. Raises BadRequest when none is left.
    """
    wanted = _wanted(recipe, mode)
    said = [told(row, facts, "view") for row, facts in zip(examples.rows, examples.facts, strict=True)]
    kept = np.array([not wanted or word in {"", *wanted} for word in said])
    if kept.all():
        return examples, ()
    if not kept.any():
        raise BadRequest(
            detail=f"No picture is a {' or '.join(sorted(wanted))} view; {recipe.name} is for these alone."
        )
    words = f"{int((~kept).sum())} pictures of other views than {' and '.join(sorted(wanted))} were left out."
    return examples.take(np.flatnonzero(kept)), (words,)


def _wanted(recipe: Recipe, mode: Mode) -> set[str]:
    if mode == "faithful" and recipe.name in DOCUMENTED:
        return {DOCUMENTED[recipe.name]}
    return set(recipe.population.views or ())
