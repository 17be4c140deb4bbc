"""What happened, when, by whom, and where it can be seen: printed as it happens, and as a page."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "loop.md"


@dataclass(frozen=True)
class Line:
    """One thing that happened; `seen`: the address that shows it."""

    seconds: float
    who: str
    what: str
    seen: str


@dataclass
class Record:
    """Takes lines as things happen."""

    began: float = field(default_factory=time.monotonic)
    lines: list[Line] = field(default_factory=list)
    lineage: list[str] = field(default_factory=list)

    def tell(self, who: str, what: str, seen: str = "") -> None:
        """Something happened just now."""
        line = Line(time.monotonic() - self.began, who, what, seen)
        self.lines.append(line)
        say(f"{line.seconds:7.1f} s  {who:<10} {what}" + (f"  [{seen}]" if seen else ""))

    def page(self) -> str:
        """All of it in plain words."""
        rows = [
            f"| {one.seconds:.1f} | {one.who} | {one.what} | {f'`{one.seen}`' if one.seen else ''} |"
            for one in self.lines
        ]
        chain = "\n".join(self.lineage)
        return f"{_HEAD}\n{_TABLE}\n" + "\n".join(rows) + f"\n\n{_CHAIN}\n\n```\n{chain}\n```\n"


def say(text: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


_HEAD = """# The loop, once around

Written by `make loop`. A gateway, a worker and a trainer on engines of their own; real coughs of two collections; every
state below was asked for over HTTP and held against what it must be, else the run would have ended there. Ada and
Ben are clinicians, Carla and Dan administrators, "system" is the service. The collections' own labels stand for what a
laboratory would have said: what is shown is that the loop closes, not how good a cough model is. Gates that do not pass
are told and overridden with a reason, so that the loop goes on; nobody should do so with patients.
"""
_TABLE = """| s | who | what | seen at |
|---:|---|---|---|"""
_CHAIN = """## From a result to the first click

What `thoracle lineage` says of the last result that the retrained version gave:"""
