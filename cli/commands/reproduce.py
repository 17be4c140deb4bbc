"""`thoracle reproduce`: every recipe trained again, each document's figure beside what it is worth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import Json, emit, say
from shared.settings import Settings

if TYPE_CHECKING:
    from services.trainer.fit import Epoch

_DOCS = Path(__file__).parents[2] / "docs"
_RECORDS = _DOCS / "measurements"


def reproduce(
    data: Annotated[Path, typer.Option(help="Folder with cough/, lung/ and cxr/.", exists=True, file_okay=False)],
    only: Annotated[list[str] | None, typer.Option(help="Recipe to measure; may be repeated. Default: all.")] = None,
    records: Annotated[Path, typer.Option(help="Folder of finished measurements.", file_okay=False)] = _RECORDS,
    docs: Annotated[Path, typer.Option(help="Where the two pages are written.", file_okay=False)] = _DOCS,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    write: Annotated[bool, typer.Option("--write/--measure-only", help="Write the pages when done.")] = True,
    json_: Json = False,
) -> None:
    """Train every recipe, the document's way and with patients apart; write docs/reproduction.md and docs/results.md.

    Takes hours on two cores. Stop it at any time: the next run goes on with what is missing or has changed; finished
    measurements lie in docs/measurements.
    """
    from services.trainer.reproduce import pieces, read
    from services.trainer.reproduce import reproduce as run

    cache = Settings().home / "cache" / "prepared"
    run(data, records, pieces(frozenset(only or ())), cache, _tell, threads)
    found = read(records)
    if write:
        from services.trainer.reports.pages import write_pages

        for page in write_pages(found, docs):
            say(f"Wrote {page.name}")
    if json_:
        emit({"records": [record.model_dump() for record in found]})


def _tell(title: str, epoch: "Epoch | None") -> None:
    if epoch is None:
        say(title)
