"""`thoracle spectrograms`: pictures with label texts, as the lung-sound slides have them, as a dataset."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import Json, emit, facts, say


def spectrograms(
    folder: Annotated[Path, typer.Argument(help="Folder of TIFF or JPEG pictures.", exists=True, file_okay=False)],
    labels: Annotated[
        Path | None, typer.Option(help="Folder of the text files, when not the same.", exists=True, file_okay=False)
    ] = None,
    patient: Annotated[
        str | None, typer.Option(help="Regular expression; its first group in a file's name is the patient.")
    ] = None,
    independent: Annotated[
        bool, typer.Option("--independent", help="No patient is named: take every picture for one of its own.")
    ] = False,
    position: Annotated[int, typer.Option(min=0, help="Where in the first line the label stands, from 0.")] = 5,
    present: Annotated[str, typer.Option(help="What stands there with the finding.")] = "1",
    source: Annotated[str, typer.Option(help="Name of the collection.")] = "spectrograms",
    json_: Json = False,
) -> None:
    """Write an index.csv over spectrogram pictures and their label texts; 'thoracle train lung_sound/…' reads them."""
    from services.trainer.spectrograms import Form, listed

    if (patient is None) != independent:
        raise typer.BadParameter("Say who a picture is of with --patient, or that nobody knows with --independent.")
    found = listed(folder, labels or folder, Form(position, present, patient, source))
    if json_:
        emit(found.model_dump())
        return
    counts = {"Pictures": found.pictures, "Patients": found.patients, "Without a label": found.unlabelled}
    facts({**counts, **found.labels})
    say("Train on it with: thoracle train lung_sound/cnn3 --data " + str(folder) + " --out VERSION")
