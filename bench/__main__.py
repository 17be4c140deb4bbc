"""`python -m bench [NAME ...]`: every measurement in turn, alone on the machine, then the page of what they say."""

import subprocess
import sys

from bench.page import TITLES, write_page


def main(names: list[str]) -> int:
    """Run the named measurements, all when none is named; the number of those that could not be made."""
    if unknown := sorted(set(names) - set(TITLES)):
        sys.stderr.write(f"No such measurement: {', '.join(unknown)}. There are: {', '.join(TITLES)}\n")
        return 2
    failed = [name for name in names or list(TITLES) if _run(name)]
    sys.stdout.write(f"Wrote {write_page().name}\n")
    if failed:
        sys.stderr.write(f"Not measured, their last results stand: {', '.join(failed)}\n")
    return int(bool(failed))


def _run(name: str) -> int:
    sys.stdout.write(f"{name}: {TITLES[name]}\n")
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
