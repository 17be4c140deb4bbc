"""`thoracle train` and `thoracle publish`: from labelled files to a version that can be promoted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import Json, emit, facts, say, show
from shared import registry

if TYPE_CHECKING:
    from services.trainer.train import Progress as Stage

_STARTER_FOLDER = Path(registry.__file__).parent / "starter"


class Mode(StrEnum):
    """The document's settings, or ours."""

    SOUND = "sound"
    FAITHFUL = "faithful"


Data = Annotated[Path, typer.Option(help="Folder with the labelled files.", exists=True, file_okay=False)]
Out = Annotated[Path | None, typer.Option(help="Folder for the version.")]


def train(
    data: Data,
    recipe: Annotated[str, typer.Argument(help="Name from 'thoracle recipes'.")] = "",
    out: Out = None,
    mode: Annotated[Mode, typer.Option(help="The document's settings, or ours.")] = Mode.SOUND,
    seed: Annotated[int, typer.Option(help="Start of every random choice.")] = 7,
    name: Annotated[str, typer.Option(help="Name of the version; made from mode, seed and data when left out.")] = "",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's number.")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Instead of the recipe's number.")] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Ways to split the patients that the AUROC is told over.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    trust_labels: Annotated[
        bool, typer.Option("--trust-labels", help="I have checked the labels: do not refuse because of them.")
    ] = False,
    starters: Annotated[bool, typer.Option("--starters", help="Build the three starter versions instead.")] = False,
    json_: Json = False,
) -> None:
    """Train a recipe, evaluate it on patients it never saw, and write a sealed version.

    Killed and started again with the same options, it goes on where it was. Beside the version lie its epochs
    (OUT.epochs.jsonl, for 'evaluate --history') and the checkpoints that the recipe declares (OUT.checkpoints).
    """
    if bool(recipe) == starters or (out is None and not starters):
        raise typer.BadParameter("Name a recipe and --out, or --starters.")
    from services.trainer.history import recorder
    from services.trainer.starters import rebuild
    from services.trainer.train import Budget
    from services.trainer.train import train as run

    budget = Budget(epochs=epochs, folds=folds, repeats=repeats, threads=threads)
    with _bar() as report:
        if starters:
            made = rebuild(data, out or _STARTER_FOLDER, budget=budget, on_progress=report)
        else:
            assert out is not None
            heard = recorder(out.with_name(f"{out.name}.epochs.jsonl"), report)
            made = [
                run(
                    recipe, data, out, mode=mode.value, seed=seed, name=name, budget=budget, trust_labels=trust_labels,
                    checkpoints=out.with_name(f"{out.name}.checkpoints"), on_progress=heard,
                )
            ]  # fmt: skip
    _show([registry.verify(folder) for folder in made], json_)


def publish(
    folder: Annotated[Path, typer.Argument(help="Folder that 'train' wrote.", exists=True, file_okay=False)],
    json_: Json = False,
) -> None:
    """Make a trained version known to this machine's Thoracle; 'promote' then lets it answer."""
    from cli.local import local
    from shared.deployments import publish as register

    with local() as place:
        artefact = registry.store(folder, place.settings.versions_dir)
        with place.database.begin() as session:
            register(session, artefact, "command line")
    _show([artefact], json_)
    say(f"Let it answer with: thoracle promote {artefact.sha256[:12]}")


def _show(artefacts: list[registry.Artefact], as_json: bool) -> None:
    if as_json:
        emit({"versions": [_described(artefact) for artefact in artefacts]})
        return
    for artefact in artefacts:
        facts(_described(artefact))
        if artefact.card.warning:
            show(artefact.card.warning)


def _described(artefact: registry.Artefact) -> dict[str, Any]:
    card, point = artefact.card, artefact.card.operating_point
    return {
        "modality": card.modality.value,
        "recipe": card.recipe,
        "name": card.name,
        "sha256": artefact.sha256,
        "folder": str(artefact.folder),
        "auroc": card.metrics.auroc.value,
        "sensitivity": point.sensitivity.value,
        "specificity": point.specificity.value,
        "patients": card.data.patients,
        "seconds": round(card.training.seconds),
    }


@contextmanager
def _bar() -> "Iterator[Callable[[Stage], None]]":
    """A bar in a terminal; elsewhere one line a stage."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, last = bar.add_task("Starting", left=""), ""

        def report(stage: "Stage") -> None:
            nonlocal last
            if not console.is_terminal and stage.stage != last:
                say(stage.stage)
            last = stage.stage
            left = "" if stage.seconds_left is None else f"{stage.seconds_left / 60:.1f} min left"
            bar.update(task, description=stage.stage, completed=stage.done, total=stage.total, left=left)

        yield report
