"""`thoracle collect`: what clinicians have judged, as a dataset that a recipe can be trained on."""

from datetime import datetime
from typing import Annotated

import typer

from cli.output import Json, emit, facts, say
from shared.errors import BadRequest
from shared.schemas import Modality


def collect(
    name: Annotated[str, typer.Argument(help="Name of the new dataset.")],
    modality: Annotated[Modality, typer.Option(help="Kind of input.")],
    finding: Annotated[str, typer.Option(help="What the verdicts are about, as the card names it.")],
    basis: Annotated[list[str], typer.Option(help="pcr, radiologist, follow_up or impression; may be repeated.")],
    hospital: Annotated[str, typer.Option(help="Whose verdicts.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Only verdicts given since then (UTC).")] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Only of readers who did not know the model's answer.")
    ] = False,
    json_: Json = False,
) -> None:
    """Write a dataset from judged results into THORACLE_DATASETS_DIR; it names nobody and copies no input.

    Train on it with 'thoracle train RECIPE --data FOLDER', or with 'thoracle runs start RECIPE --data NAME'.
    """
    from datetime import UTC

    from sqlalchemy import select

    from cli.local import TENANT, local
    from services.trainer.judged import BASES, Query
    from services.trainer.judged import collect as run
    from shared.db.tables import Tenant
    from shared.storage import BlobStore

    if unknown := sorted(set(basis) - set(BASES)):
        raise typer.BadParameter(f"Unknown basis {', '.join(unknown)}. There are: {', '.join(BASES)}.")
    if not name.replace("-", "").replace("_", "").isalnum():
        raise typer.BadParameter("A name has letters, digits, - and _ only.")
    with local() as place:
        with place.database.begin() as session:
            tenant = session.scalar(select(Tenant.id).where(Tenant.name == (hospital or TENANT)))
        if tenant is None:
            raise BadRequest(detail=f"There is no hospital named {hospital or TENANT}.")
        query = Query(tenant, modality, finding, basis, since.replace(tzinfo=UTC) if since else None, blind)
        folder = place.settings.datasets / name
        found = run(place.database, BlobStore(place.settings.blob_dir), query, folder)
    if json_:
        emit({"dataset": name, "folder": str(folder), **found.model_dump()})
        return
    counts = {"dataset": name, "files": found.files, "patients": found.patients}
    facts({**counts, **found.labels, **{f"left out: {why}": count for why, count in found.left_out.items()}})
    if found.unnamed:
        say(f"{found.unnamed} files name no subject; each stands for a patient of its own.")
