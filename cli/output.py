"""What the terminal shows: tables for people, JSON for machines. Standard output holds the answer and nothing else."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]
Most = Annotated[int, typer.Option(min=1, max=200, help="At most so many.")]

_ABSENT = "–"
_PIPE_WIDTH = 160
_COLOURS = {"succeeded": "green", "flagged": "yellow", "refer": "magenta", "rejected": "red", "failed": "red"}


def say(text: str) -> None:
    """A line about what happens, on standard error."""
    _console(stderr=True).print(text, markup=False, soft_wrap=True)


def complain(text: str) -> None:
    """An error, on standard error."""
    _console(stderr=True).print(Text(text, style="red"), soft_wrap=True)


def emit(value: object) -> None:
    """The answer as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str), flush=True)


def show(text: str) -> None:
    """A line of the answer."""
    _console().print(text, markup=False, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The answer as a table. The last column takes the room that is left."""
    grid = Table(title=title, title_justify="left", header_style="bold", expand=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    _console().print(grid)


def listed(
    found: object, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool
) -> None:
    """A list: what was found as JSON, or its rows as a table."""
    if as_json:
        emit(found)
    else:
        table(title, columns, rows)


def facts(values: Mapping[str, object]) -> None:
    """Names and values, one a line."""
    grid = Table.grid(padding=(0, 2))
    for name, value in values.items():
        grid.add_row(Text(name, style="bold"), _cell(value))
    _console().print(grid)


def result_rows(jobs: Iterable[Mapping[str, Any]]) -> list[list[object]]:
    """One row a job, as `RESULT_COLUMNS` name them."""
    return [_result_row(job) for job in jobs]


RESULT_COLUMNS = ("File", "State", "Decision", "Version", "Time", "What it says")


def _result_row(job: Mapping[str, Any]) -> list[object]:
    result: Mapping[str, Any] = job.get("result") or {}
    version: Mapping[str, Any] = result.get("version") or {}
    return [
        _lines(job.get("file"), words(job.get("modality"))),
        job.get("status"),
        _lines(decided(result), f"probability {result['probability']:.2f}") if result else None,
        _lines(version["name"], version["sha256"][:12]) if version else None,
        _times(result.get("timings")),
        explanation(job),
    ]


def decided(result: Mapping[str, Any] | None) -> str:
    """What a result decides, in plain English; of a version that was recalled since, that it was."""
    if result is None:
        return ""
    recalled = any(reason["code"] == "result_recalled" for reason in result.get("reasons", ()))
    return "recalled" if recalled else words(result["decision"])


def words(code: object) -> str:
    """A code as plain English."""
    return str(code or "").replace("_", " ")


def explanation(job: Mapping[str, Any]) -> str:
    """The sentences of a job: the result's own (its warning leads it), then the input's quality; or why none."""
    result, error = job.get("result"), job.get("error")
    if error:
        return str(error["detail"])
    if not result:
        return str(job.get("sentence") or "")
    return _lines(result["sentence"], *(note["text"] for note in result["quality"]))


def _times(timings: Mapping[str, float] | None) -> str | None:
    if not timings:
        return None
    parts = (("queued", "waited"), ("prepare", "read"), ("predict", "model"), ("total", "in all"))
    return "\n".join(f"{timings[f'{part}_ms']:.0f} ms {word}" for part, word in parts)


def _lines(*parts: object) -> str:
    return "\n".join(str(part) for part in parts if part)


def _cell(value: object) -> Text:
    shown = _ABSENT if value is None or value == "" else str(value)
    return Text(shown, style=_COLOURS.get(shown.partition("\n")[0], ""))


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:  # a pipe has no width: nothing need be folded
        console.width = max(console.width, _PIPE_WIDTH)
    return console
