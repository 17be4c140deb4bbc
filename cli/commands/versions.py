"""`thoracle versions`: which versions there are; carry one to another installation, recall one."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli.client import Client
from cli.output import Json, emit, facts, listed, show, words
from cli.told import told
from shared import archive, registry
from shared.errors import ThoracleError
from shared.schemas import Modality
from shared.settings import Settings

_SHORTEST = 6

Reason = Annotated[str, typer.Option(help="Why; kept in the history.", prompt="Why")]
Named = Annotated[str, typer.Argument(help="Name of the version, or the beginning of its sha256.")]
Of = Annotated[Modality | None, typer.Option(help="Needed when the name exists for several.")]


def versions(
    modality: Annotated[Modality | None, typer.Argument(help="Only this kind of input.")] = None, json_: Json = False
) -> None:
    """The versions of each kind of input, and which one is active."""
    with Client(Settings()) as client:
        found = all_versions(client, modality)
    columns = ("Kind", "Recipe", "Name", "sha256", "In use as", "AUROC (95 % interval)", "Published")
    listed({"versions": found}, "Versions", columns, [_row(item) for item in found], as_json=json_)


def export(
    version: Named,
    file: Annotated[Path, typer.Argument(help="The archive to write.", dir_okay=False)],
    modality: Of = None,
    json_: Json = False,
) -> None:
    """Write one of this machine's versions into one file, for another installation."""
    from cli.local import local

    with Client(Settings()) as client:
        sha256 = choose(all_versions(client, modality), version)["version"]["sha256"]
    with local() as place:
        artefact = registry.verify(place.settings.versions_dir / sha256, sha256)
    archive.pack(artefact, file)
    _carried(artefact, file, json_)


def import_(
    file: Annotated[Path, typer.Argument(help="An archive that 'export' wrote.", exists=True, dir_okay=False)],
    json_: Json = False,
) -> None:
    """Check an archive and publish its version here; 'promote' then lets it answer."""
    from cli.local import local
    from shared.deployments import publish

    with tempfile.TemporaryDirectory() as folder, local() as place:
        artefact = registry.store(archive.unpack(file, Path(folder)).folder, place.settings.versions_dir)
        with place.database.begin() as session:
            publish(session, artefact, "import")
    _carried(artefact, file, json_)


def _carried(artefact: registry.Artefact, file: Path, as_json: bool) -> None:
    card = artefact.card
    said = {"modality": card.modality.value, "recipe": card.recipe, "name": card.name, "sha256": artefact.sha256}
    if as_json:
        emit({**said, "bytes": file.stat().st_size})
    else:
        facts({**said, "MB": f"{file.stat().st_size / 2**20:.1f}"})


def recall(
    version: Named,
    reason: Reason,
    modality: Of = None,
    json_: Json = False,
) -> None:
    """Never use a version again. Where it was active the previous one answers; this cannot be undone."""
    with Client(Settings()) as client:
        sha256 = choose(all_versions(client, modality), version)["version"]["sha256"]
        done = client.call("POST", f"/v1/versions/{sha256}/recall", {"reason": reason})
    if json_:
        emit(done)
        return
    show(f"{done['version']['name']} ({sha256[:12]}) is recalled. {done['answered']} results now say so.")
    for deployment in done["deployments"]:
        told(deployment, as_json=False)


def rerun(
    version: Annotated[str, typer.Argument(help="Name of a recalled version, or the beginning of its sha256.")],
    modality: Of = None,
    json_: Json = False,
) -> None:
    """Run your own jobs again that a recalled version answered."""
    with Client(Settings()) as client:
        sha256 = choose(all_versions(client, modality), version)["version"]["sha256"]
        batch = client.call("POST", f"/v1/versions/{sha256}/rerun")
    if json_:
        emit(batch)
        return
    show(f"{batch['made']} jobs run again in batch {batch['id']}; 'thoracle batch status {batch['id']}' follows them.")


class _Listing(TyperGroup):
    """`thoracle versions` and `thoracle versions cough` list; the other words are commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the unsaid `list` first."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_Listing, help="Which versions there are; recall one, carry one to another installation.")
app.command("list")(versions)
app.command("export")(export)
app.command("import")(import_)
app.command("recall")(recall)
app.command("rerun")(rerun)


def all_versions(client: Client, modality: Modality | None) -> list[dict[str, Any]]:
    """Every version, of one modality or of all."""
    wanted = [modality] if modality else list(Modality)
    return [item for each in wanted for item in client.get(f"/v1/models/{each}/versions")["versions"]]


def choose(found: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """The one that is meant by a name or the beginning of a sha256. Raises ThoracleError."""
    fitting = [item for item in found if wanted == item["version"]["name"] or _is_address(wanted, item)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(
        f"{words(item['modality'])} {item['version']['name']} ({item['version']['sha256'][:8]})"
        for item in fitting or found
    )
    problem = "Several versions are" if fitting else "No version is"
    raise ThoracleError("version_unknown", detail=f"{problem} called {wanted}. There are: {names or 'none'}.")


def _is_address(wanted: str, item: dict[str, Any]) -> bool:
    return len(wanted) >= _SHORTEST and str(item["version"]["sha256"]).startswith(wanted)


def _row(item: dict[str, Any]) -> list[object]:
    version, auroc = item["version"], item["auroc"]
    use = "recalled" if item["recalled_at"] else ", ".join(item["pointers"])
    figure = f"{auroc['value']:.2f} ({auroc['low']:.2f} to {auroc['high']:.2f})"
    kind = words(item["modality"])
    return [kind, version["recipe"], version["name"], version["sha256"][:12], use, figure, item["published_at"][:16]]
