"""Every error as one sentence and what to do about it; a traceback never reaches the terminal."""

import traceback
from typing import Any

import httpx
import typer
from typer.core import TyperGroup

from cli.output import complain
from shared.errors import ThoracleError
from shared.settings import Settings

# Which extra a missing package belongs to; the rest is the worker's.
_TRAINER = ("torch", "torchvision", "sklearn", "scipy", "hyperopt", "onnx", "matplotlib", "librosa")
_EXTRAS = dict.fromkeys(_TRAINER, "trainer")
# Named rather than imported: most commands never need the database's libraries, which take long to load.
_DATABASE = ("OperationalError", "ProgrammingError")


class Friendly(TyperGroup):
    """A command group that turns errors into sentences and exit code 1 (2 stays for wrong usage)."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if type(error).__module__.startswith("typer."):  # exit codes and wrong usage are typer's own
                raise
            if isinstance(error, BrokenPipeError):  # whoever read the answer has enough of it; typer ends quietly
                raise
            complain(sentence(error))
            raise typer.Exit(1)


def sentence(error: Exception) -> str:
    """What a person should read about an error."""
    if isinstance(error, ThoracleError):
        return error.detail
    if isinstance(error, ModuleNotFoundError):
        missing = (error.name or "").partition(".")[0]
        return f"This command needs a part that is not installed. Run: pip install 'thoracle[{_extra(missing)}]'"
    if isinstance(error, httpx.HTTPError):
        return f"The connection to Thoracle failed ({type(error).__name__}). Check its address and try again."
    if type(error).__name__ in _DATABASE and type(error).__module__.startswith("sqlalchemy."):
        return "The database does not answer or is not up to date. 'thoracle doctor' says more."
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}."
    return _unforeseen(error)


def _extra(missing: str) -> str:
    if missing in ("fastapi", "uvicorn", "jinja2"):
        return "api"
    return _EXTRAS.get(missing, "worker")


def _unforeseen(error: Exception) -> str:
    logs = Settings().home / "logs"
    try:
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / "command.log").open("a") as stream:
            traceback.print_exception(error, file=stream)
    except OSError:
        return f"Something unforeseen went wrong ({type(error).__name__})."
    return f"Something unforeseen went wrong ({type(error).__name__}). Please report it with {logs / 'command.log'}."
