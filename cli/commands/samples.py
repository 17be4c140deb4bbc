"""`thoracle samples`: one synthetic file for every outcome."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.output import Json, emit, say, table


def samples(
    folder: Annotated[Path, typer.Argument(help="Folder for the files; made when it is missing.")], json_: Json = False
) -> None:
    """Write one synthetic file for every outcome, and what becomes of each, for integrators and tests."""
    from shared.transforms.samples import write_samples

    written = write_samples(folder)
    if json_:
        emit({"samples": [asdict(sample) for sample in written]})
        return
    columns = ("File", "Kind", "Outcome", "HTTP", "Code", "What a person reads")
    rows = [(item.file, item.modality, item.status, item.http, item.code, item.sentence) for item in written]
    table("Samples (all synthetic)", columns, rows)
    say(f"{len(written)} files and expected.csv are in {folder}.")
