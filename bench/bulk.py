"""How fast an archive is accepted, against unpacking the same archive and syncing each file: same run, in turn.

`python -m bench.bulk [--data FOLDER]`. No worker runs. Every archive holds bytes that nobody has seen before.
"""

import os
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import httpx

from bench.coughs import archive, recordings
from bench.record import at_least, figure, tell
from bench.stack import bench
from shared.deployments import install_starters

ITEMS, RUNS = 2000, 5
_PIECE = 1 << 20


def main() -> None:
    """Measure and write."""
    found = recordings("bulk", "Accepting an archive against unpacking it.")
    with bench(rate_per_s=0) as place, tempfile.TemporaryDirectory(dir=place.settings.home) as folder:
        place.gateway()
        install_starters(place.settings, place.database)
        with place.client() as client:
            pairs = [_pair(client, found, Path(folder), run) for run in range(RUNS + 1)][1:]  # the first one warms up
    plain, ours = ([ITEMS / seconds for seconds in column] for column in zip(*pairs, strict=True))
    claims = [
        at_least(
            f"accepting a zip of {ITEMS} coughs, against unpacking and syncing each",
            [one / other for one, other in zip(ours, plain, strict=True)],
            "of its rate",
            0.5,
        ),
        figure("accepted", ours, "items/s"),
        figure("unpacked and synced", plain, "items/s"),
    ]
    tell("bulk", claims)


def _pair(client: httpx.Client, found: Sequence[Path], folder: Path, run: int) -> tuple[float, float]:
    """Seconds of unpacking plainly, and of being accepted; who comes first changes with every run."""
    packed = folder / "it.zip"
    archive(packed, found, ITEMS, f"run {run}")
    os.sync()
    if run % 2:
        ours = _accepted(client, packed, run)
        return _unpacked(packed, folder / f"plain {run}"), ours
    return _unpacked(packed, folder / f"plain {run}"), _accepted(client, packed, run)


def _unpacked(packed: Path, target: Path) -> float:
    target.mkdir()
    begun = time.perf_counter()
    with zipfile.ZipFile(packed) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as stream, (target / entry.filename).open("wb") as file:
                while piece := stream.read(_PIECE):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
    handle = os.open(target, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    return time.perf_counter() - begun


def _accepted(client: httpx.Client, packed: Path, run: int) -> float:
    headers = {"Content-Type": "application/zip", "Idempotency-Key": f"run {run}"}
    begun = time.perf_counter()
    with packed.open("rb") as stream:
        response = client.post("/v1/batches", content=stream, headers=headers)
    seconds = time.perf_counter() - begun
    response.raise_for_status()
    if response.json()["made"] != ITEMS:
        raise SystemExit(response.text)
    return seconds


if __name__ == "__main__":
    main()
