"""`python -m services.api.openapi` writes docs/openapi.json; with `--check` it says whether that is up to date."""

import sys
from pathlib import Path

from services.api.app import create_app
from services.api.description import render
from shared.settings import Settings

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


def rendered() -> str:
    """The description of the routes as they are now."""
    return render(create_app(Settings(_env_file=None)))


def main(arguments: list[str]) -> int:
    """Write the file, or say with exit code 1 that it is out of date."""
    if "--check" not in arguments:
        FILE.write_text(rendered())
        return 0
    if FILE.is_file() and FILE.read_text() == rendered():
        return 0
    sys.stderr.write("docs/openapi.json is out of date: run python -m services.api.openapi\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
