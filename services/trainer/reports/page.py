"""From a template and values to one page; and how figures and numbers are shown on it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.schemas import Interval

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ABSENT = "–"


@dataclass(frozen=True)
class Shown:
    """A figure with its title and a sentence on what to look for."""

    title: str
    caption: str
    svg: str


def render(template: str, title: str, **values: object) -> str:
    """The page as HTML."""
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return _ENVIRONMENT.get_template(template).render(title=title, made=made, **values)


def write(path: Path, html: str) -> None:
    """Write a page; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")


def spread(interval: Interval | None) -> str:
    """A figure with its interval, or that there is none."""
    if interval is None:
        return ABSENT
    return f"{interval.value:.2f} ({interval.low:.2f}–{interval.high:.2f})"


def size(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def span(seconds: float) -> str:
    """A duration as people read it."""
    return f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.0f} s"
