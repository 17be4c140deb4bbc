"""Both pages of `thoracle reproduce`, written into a folder."""

from collections.abc import Sequence
from pathlib import Path

from services.trainer.reports.reproduction import reproduction
from services.trainer.reports.results import pictures, results
from services.trainer.reproduce import Record


def write_pages(records: Sequence[Record], docs: Path) -> list[Path]:
    """reproduction.md, results.md and the pictures in them."""
    files = {"reproduction.md": reproduction(records), "results.md": results(records)}
    files |= {f"pictures/{name}": picture for name, picture in pictures(records).items()}
    (docs / "pictures").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (docs / name).write_text(text, encoding="utf-8")
    return [docs / name for name in files]
