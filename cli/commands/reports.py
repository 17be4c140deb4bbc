"""`thoracle validate`, `explore`, `evaluate` and `compare`: looking at data and versions before they are trusted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import Json, emit, facts, say, show, table
from shared import registry
from shared.detail import lines
from shared.errors import NotFound
from shared.schemas import Modality
from shared.settings import Settings

if TYPE_CHECKING:
    from services.trainer.appraisal import Appraisal
    from services.trainer.validation import Validation

_STARTERS = Path(registry.__file__).parent / "starter"
RECORDS = Path(__file__).parents[2] / "docs" / "measurements"
_SHORTEST = 6

Data = Annotated[Path, typer.Argument(help="Folder with index.csv.", exists=True, file_okay=False)]
Out = Annotated[Path | None, typer.Option(help="HTML report to write.", dir_okay=False)]
Threads = Annotated[int, typer.Option(min=1, help="Processor cores of the forward pass.")]


def validate(data: Data, json_: Json = False) -> None:
    """Find every defect of a labelled folder, and how far a shortcut would get. Exit code 1 when there is an error."""
    from services.trainer.validation import validate as run

    with _bar("Reading") as report:
        found = run(data, report)
    if json_:
        emit({**found.model_dump(), "sound": found.sound})
    else:
        _show_validation(found)
    if not found.sound:
        raise typer.Exit(1)


def explore(
    data: Data,
    out: Annotated[Path, typer.Option(help="HTML report to write.", dir_okay=False)] = Path("explore.html"),
    json_: Json = False,
) -> None:
    """Look at a labelled folder: what it holds, its defects, shortcuts, and pictures of it, as one HTML page."""
    from services.trainer.explore import explore as run
    from services.trainer.reports.data import data_report, honest
    from services.trainer.reports.page import write

    with _bar("Reading") as report:
        found = run(data, _cache(), report)
    write(out, data_report(found))
    if json_:
        emit({"report": str(out), "fingerprint": found.fingerprint, "validation": found.validation.model_dump()})
        return
    for sentence in honest(found.validation):
        show(sentence)
    show(f"Report: {out}")


def evaluate(
    version: Annotated[str, typer.Argument(help="Folder of a version, or its name or the beginning of its sha256.")],
    data: Annotated[Path, typer.Option(help="Folder with index.csv.", exists=True, file_okay=False)],
    out: Out = None,
    history: Annotated[Path | None, typer.Option(help="Epochs of its training.", exists=True, dir_okay=False)] = None,
    prevalence: Annotated[
        list[float] | None,
        typer.Option(min=0.0001, max=0.9999, help="Share with the finding, for PPV and NPV; may be repeated."),
    ] = None,
    threads: Threads = 2,
    json_: Json = False,
) -> None:
    """Run a version over labelled files as a worker would, and report its figures per source beside its card's."""
    from services.trainer.appraise import PREVALENCES, appraise
    from services.trainer.reports.page import write
    from services.trainer.reports.version import version_report

    artefact = _find(version)
    with _bar("Reading") as report:
        found, answers = appraise(artefact, data, _cache(), threads, report, prevalence or PREVALENCES)
    if out:
        write(out, version_report(artefact.card, found, answers, _epochs(history)))
    if json_:
        emit({**found.model_dump(), "report": str(out) if out else None})
        return
    _show_appraisal(found)
    if out:
        show(f"Report: {out}")


def compare(
    modality: Annotated[Modality, typer.Argument(help="Kind of input.")],
    versions: Annotated[
        list[Path] | None, typer.Option(help="Folder of a version or of several; may be repeated.", exists=True)
    ] = None,
    out: Out = None,
    threads: Threads = 2,
    json_: Json = False,
) -> None:
    """Put versions and recipes side by side: figures with intervals, seconds, milliseconds, bytes, where comparable.

    Recipes stand there as 'thoracle reproduce' measured them, unless folders of versions are named.
    """
    from services.trainer.compare import compare as run
    from services.trainer.measured import measured
    from services.trainer.reports.comparison import COLUMNS, cautions, comparison_report, heading, row
    from services.trainer.reports.page import write

    groups = run(modality, versions or [Settings().versions_dir, _STARTERS], threads)
    groups += measured(RECORDS, modality) if not versions and RECORDS.is_dir() else []
    if out:
        write(out, comparison_report(modality, groups))
    if json_:
        emit({"groups": [group.model_dump() for group in groups], "report": str(out) if out else None})
        return
    for sentence in cautions(groups):
        show(sentence)
    for group in groups:
        show(f"\n{heading(group)}. Data {group.fingerprint[:12]} ({', '.join(group.sources)}). {group.protocol}.")
        table("", COLUMNS, [row(entry) for entry in group.entries])
    show(f"Report: {out}" if out else "" if groups else "There is no version of this kind.")


def _show_validation(found: "Validation") -> None:
    facts(
        {
            "Files": found.files,
            "Patients": found.patients,
            "Labels": ", ".join(f"{name} {count}" for name, count in found.labels.items()),
            "Sources": ", ".join(f"{name} {count}" for name, count in found.sources.items()),
        }
    )
    rows = [(f.severity, f.sentence, "\n".join(f.files[:3])) for f in found.findings]
    table("Defects", ("Kind", "What was found", "First of them"), rows)
    table(
        "Shortcuts",
        ("What is read", "Label", "AUROC (95 % interval)", "Gives the label away"),
        [(s.name, s.label, _spread(s.auroc), "yes" if s.works else "no") for s in found.shortcuts],
    )
    show("Fit to be trained on, with the warnings above in mind." if found.sound else "Not fit: mend the errors first.")


def _show_appraisal(found: "Appraisal") -> None:
    for sentence in found.sentences:
        show(sentence)
    columns = ("Source", "Inputs", "Patients", "With finding", "AUROC", "Sensitivity", "Specificity", "Brier", "Refer")
    rows = [
        (f.source, f.n, f.patients, f.positives, *map(_spread, (f.auroc, f.sensitivity, f.specificity)),
         f"{f.brier:.3f}", f.referred)
        for f in (found.overall, *found.per_source)
    ]  # fmt: skip
    table(f"{found.recipe} {found.name} ({found.sha256[:12]})", columns, rows)
    table("Shortcut controls here", ("Control", "AUROC", "What it is"),
          [(c.name, _spread(c.auroc), c.meaning) for c in found.controls])  # fmt: skip
    table("Where the finding is rarer or commoner", ("Share with it", "PPV", "NPV"),
          [(f"{v.prevalence:.1%}", f"{v.ppv:.0%}", f"{v.npv:.1%}") for v in found.predictive])  # fmt: skip
    table("More figures, all sources", ("Figure", "Here"), lines(found.detail))
    if found.subgroups:
        table("Groups, the worst first", ("Group", "Inputs", "Patients", "With finding", "AUROC", "Sensitivity"),
              [(f"{g.name}: {g.value}", g.n, g.patients, g.positives, _spread(g.auroc), _spread(g.sensitivity))
               for g in found.subgroups])  # fmt: skip
    if found.rejected:
        show(f"Rejected: {', '.join(f'{code} {count}' for code, count in sorted(found.rejected.items()))}.")
    show(f"Read {found.read_ms:.0f} ms a file, model {found.model_ms:.2f} ms an input.")


def _spread(interval: Any) -> str | None:
    return None if interval is None else f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _epochs(history: Path | None) -> dict[str, Any]:
    if history is None:
        return {}
    from services.trainer.history import read

    return dict(read(history))


def _find(wanted: str) -> registry.Artefact:
    """A version by its folder, else by name or beginning of the sha256 among this machine's and the starters."""
    if (Path(wanted) / registry.MANIFEST).is_file():
        return registry.verify(Path(wanted))
    from services.trainer.compare import versions_below

    known = {found.sha256: found for place in (Settings().versions_dir, _STARTERS) for found in versions_below(place)}
    fitting = [found for found in known.values() if _fits(wanted, found)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(f"{found.card.recipe} {found.card.name} ({found.sha256[:8]})" for found in fitting)
    problem = f"Several versions are called {wanted}: {names}." if fitting else f"No version is called {wanted}."
    raise NotFound(detail=f"{problem} Name its folder or more of its sha256.")


def _fits(wanted: str, found: registry.Artefact) -> bool:
    return wanted == found.card.name or (len(wanted) >= _SHORTEST and found.sha256.startswith(wanted))


def _cache() -> Path:
    return Settings().home / "cache" / "prepared"


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar in a terminal; elsewhere one line."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what)
        if not console.is_terminal:
            say(f"{what} …")
        yield lambda done, total: bar.update(task, completed=done, total=total)
