"""Real coughs, as many as are wanted: every repetition of a recording has other bytes in a tag, and sounds the same."""

import itertools
import zipfile
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data"
_FLAC_HEAD = 42  # signature and the block with sample rate and length, which comes first


def recordings(name: str, about: str) -> list[Path]:
    """The recordings of the folder that the command line of a measurement names with --data."""
    parser = ArgumentParser(f"python -m bench.{name}", description=about)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with `cough/**/*.mp3` and `*.flac`")
    folder = parser.parse_args().data / "cough"
    found = sorted(path for path in folder.rglob("*") if path.suffix in (".mp3", ".flac"))
    if not found:
        parser.error(f"no recordings in {folder}")
    return found


def coughs(found: Sequence[Path], count: int, mark: str) -> Iterator[tuple[str, bytes]]:
    """`count` names and contents, in turn of every recording; the name says which one and which repetition."""
    for number, path in zip(range(count), itertools.cycle(found), strict=False):
        again, which = divmod(number, len(found))
        yield f"{which:04}-{again:03}{path.suffix}", tagged(path.read_bytes(), f"{mark} {number}")


def recording_of(name: str) -> str:
    """Which recording a name stands for."""
    return name.partition("-")[0]


def tagged(body: bytes, text: str) -> bytes:
    """The same sound with a text of at most 30 letters in a tag: ID3v1 behind an MP3, an ignored block in a FLAC."""
    said = text.encode("latin-1")[:30].ljust(30, b"\0")
    if body.startswith(b"fLaC"):
        last, head = body[4] & 0x80, body[5:_FLAC_HEAD]
        block = bytes([last | 2]) + (4 + len(said)).to_bytes(3, "big") + b"test" + said
        return b"fLaC" + bytes([body[4] & 0x7F]) + head + block + body[_FLAC_HEAD:]
    return body + b"TAG" + bytes(30) + bytes(30) + bytes(30) + bytes(4) + said + b"\xff"


def archive(target: Path, found: Sequence[Path], count: int, mark: str) -> int:
    """Write a zip of coughs with its manifest.csv; returns the bytes of the recordings in it."""
    size = 0
    lines = ["file,modality"]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, body in coughs(found, count, mark):
            packed.writestr(name, body)
            lines.append(f"{name},cough")
            size += len(body)
        packed.writestr("manifest.csv", "\n".join(lines))
    return size
