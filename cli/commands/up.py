"""`thoracle up`: gateway, worker and page on this machine, until Ctrl-C."""

import time
from typing import Annotated

import typer

from cli.output import Json, emit, say
from cli.signals import stopped_by_signals
from shared.settings import Settings

Port = Annotated[int | None, typer.Option(help="Port of the gateway; 8000, or a free one when that is taken.")]


def up(
    port: Port = None,
    trainer: Annotated[bool, typer.Option("--trainer", help="Also a trainer, for 'thoracle runs'.")] = False,
    json_: Json = False,
) -> None:
    """Run gateway, worker and page on this machine until Ctrl-C.

    PostgreSQL and Valkey are started too, unless DATABASE_URL and REDIS_URL name others. A trainer works at a low
    priority, so that answers do not wait for it.
    """
    from cli.local import ensure_key
    from infra.stack import Stack
    from shared.db.engine import Database

    with stopped_by_signals(), Stack(settings_for(port), say, trainer=trainer) as stack:
        database = Database(stack.settings)
        ensure_key(stack.settings.home, database)
        database.close()
        if json_:
            emit({"url": stack.settings.base_url, "home": str(stack.settings.home)})
        say(f"Thoracle answers at {stack.settings.base_url} (API: /docs). Logs: {stack.settings.home / 'logs'}.")
        if trainer:
            say(f"A trainer takes runs ('thoracle runs start'); data sets: {stack.settings.datasets}.")
        say("'thoracle keys link NAME --role clinician' makes a sign-in link. Ctrl-C stops everything.")
        stack.watch(wait)


def settings_for(port: int | None) -> Settings:
    """The settings, with the port of the command line."""
    settings = Settings()
    return settings if port is None else settings.changed(port=port)


def wait(seconds: float) -> bool:
    """Sleep; only a signal ends it."""
    time.sleep(seconds)
    return False
