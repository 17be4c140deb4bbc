"""The three versions that a fresh installation answers with, rebuilt from the development data."""

from collections.abc import Callable, Sequence
from pathlib import Path

from services.trainer.sources import not_shippable
from services.trainer.train import Budget, Progress, silent, train

# folder under shared/starter → (recipe, folder of the data)
STARTERS = {
    "cough": ("cough/statistics", "cough"),
    "lung_sound": ("lung_sound/yamnet", "lung"),
    "chest_xray": ("chest_xray/mobilenet_lung", "cxr"),
}
NAME = "starter-2"
"""Another one whenever what is shipped changes: an installation keeps the one that it has beside the new one."""
SEED = 7


def rebuild(
    data: Path,
    out: Path,
    *,
    only: Sequence[str] = tuple(STARTERS),
    budget: Budget | None = None,
    cache: Path | None = None,
    on_progress: Callable[[Progress], None] = silent,
) -> list[Path]:
    """Train the starters from `data`/{cough,lung,cxr} into `out`/NAME, without sources that may not be given away."""
    versions = []
    for folder in only:
        recipe, part = STARTERS[folder]
        versions.append(
            train(
                recipe, data / part, out / folder, seed=SEED, name=NAME, exclude=not_shippable(), budget=budget,
                cache=cache, on_progress=on_progress,
            )
        )  # fmt: skip
    return versions
