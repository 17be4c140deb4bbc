"""`python -m tests.loop [--data FOLDER]`: the loop once around, written to docs/loop.md."""

import argparse
import sys
from pathlib import Path

from tests.loop.record import PAGE, say
from tests.loop.story import tell_story

DATA = Path(__file__).parents[3] / "shared" / "data"


def main() -> int:
    """0 when every state was reached, or when there are no coughs to do it with."""
    parser = argparse.ArgumentParser(prog="python -m tests.loop", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with cough/index.csv")
    folder = parser.parse_args().data.resolve() / "cough"  # the index made from it lies elsewhere
    if not (folder / "index.csv").is_file():
        say("Skipped: there are no coughs beside the repository. Name a folder with cough/index.csv: --data FOLDER")
        return 0
    record = tell_story(folder)
    PAGE.write_text(record.page(), encoding="utf-8")
    for line in record.lineage:
        say(line)
    say(f"Wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
