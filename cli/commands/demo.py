"""`thoracle demo`: everything on this machine, one sample of each kind, the results, and a page to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from cli.client import TERMINAL, Client
from cli.commands.submit import send_all, show_results, wait_for_all
from cli.commands.up import Port, settings_for, wait
from cli.output import Json, say
from cli.signals import stopped_by_signals
from shared.schemas import Modality, Role
from shared.settings import Settings

_TIMEOUT_S = 240.0

Files = Annotated[list[Path] | None, typer.Argument(help="Your own files instead of the synthetic samples.")]


def demo(
    files: Files = None,
    modality: Annotated[Modality | None, typer.Option(help="What your files are. Needed for sounds.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop after the results.")] = False,
    port: Port = None,
    json_: Json = False,
) -> None:
    """Run everything on this machine, submit one synthetic sample of each kind, show the results and a page.

    Exit code 1 when a job did not succeed. When Thoracle runs already, its own gateway gets the samples.
    """
    from infra.state import running_url

    with stopped_by_signals(expected=not once):
        settings = settings_for(port)
        url = running_url(settings.home)
        if url:
            _join(settings, url, files, modality, once, json_)
        else:
            _run(settings, files, modality, once, json_)


def _join(
    settings: Settings, url: str, files: list[Path] | None, modality: Modality | None, once: bool, json_: bool
) -> None:
    """Use what runs already; it goes on running afterwards."""
    from cli.local import local, sign_in_links

    say(f"Thoracle runs already at {url}; the samples go there.")
    jobs = _demonstrate(settings, files, modality, json_)
    if not once:
        with local() as place:
            _invite(url, sign_in_links(place.settings.changed(public_url=url), place.database))
    _end(jobs)


def _run(settings: Settings, files: list[Path] | None, modality: Modality | None, once: bool, json_: bool) -> None:
    from cli.local import ensure_key, sign_in_links
    from infra.stack import Stack
    from shared.db.engine import Database

    with Stack(settings, say) as stack:
        database = Database(stack.settings)
        ensure_key(stack.settings.home, database)
        jobs = _demonstrate(stack.settings, files, modality, json_)
        links = {} if once else sign_in_links(stack.settings, database)
        database.close()
        if not once:
            _invite(stack.settings.base_url, links)
            say("Ctrl-C stops everything; the data stays.")
            stack.watch(wait)
    _end(jobs)


def _demonstrate(
    settings: Settings, files: list[Path] | None, modality: Modality | None, json_: bool
) -> list[dict[str, Any]]:
    """Submit, wait, show."""
    with _inputs(files, modality) as inputs, Client(settings) as client:
        say("Submitting the samples ..." if not files else "Submitting your files ...")
        sent = send_all(client, inputs, len(inputs))
        jobs = [flat(job, synthetic=not files) for job in wait_for_all(client, sent, _TIMEOUT_S)]
    kind = "your files" if files else "synthetic samples, made by the program"
    show_results(jobs, json_, f"Results for {kind}. Research use only; not a diagnosis.")
    return jobs


@contextmanager
def _inputs(files: list[Path] | None, modality: Modality | None) -> Iterator[list[tuple[Path, dict[str, str]]]]:
    if files:
        fields = {"modality": modality.value} if modality else {}
        yield [(path, fields) for path in files]
        return
    from cli.synthetic import good_files

    with TemporaryDirectory(prefix="thoracle-") as folder:
        chosen = {kind: group[0] for kind, group in good_files().items()}
        for name, body in chosen.values():
            (Path(folder) / name).write_bytes(body)
        yield [(Path(folder) / name, {"modality": kind.value}) for kind, (name, _) in chosen.items()]


def flat(job: dict[str, Any], synthetic: bool) -> dict[str, Any]:
    """A job with the parts of its result beside its own fields, for a reader that wants one level."""
    result = job.get("result") or {}
    parts = {name: result.get(name) for name in ("version", "probability", "decision", "timings", "quality")}
    sentence = result.get("sentence") or (job.get("error") or {}).get("detail") or job.get("sentence")
    return {**job, **parts, "sentence": sentence, "synthetic": synthetic}


def _invite(url: str, links: dict[Role, str]) -> None:
    say(f"The page is at {url} (API: {url}/docs). Each link signs in once:")
    for role, link in links.items():
        say(f"  {role:<10} {link}")


def _end(jobs: list[dict[str, Any]]) -> None:
    if any(job["status"] != "succeeded" for job in jobs):
        unfinished = [job for job in jobs if job["status"] not in TERMINAL]
        if unfinished:
            say("Not every job ended in time. The worker's log says why.")
        raise typer.Exit(1)
