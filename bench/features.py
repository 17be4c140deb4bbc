"""`python -m bench.features`: the 26 features of real coughs from one spectrum, against librosa called one by one."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path

from shared.settings import set_process_environment

# As in a sandbox child, and the same for both.
set_process_environment(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

from bench.record import at_least, figure, tell  # noqa: E402 — numpy reads the environment once
from shared.transforms.audio import crop, decode_audio, resample  # noqa: E402
from shared.transforms.features import cough_features  # noqa: E402
from shared.transforms.pipeline import Sheet  # noqa: E402
from shared.transforms.values import Recording, Source  # noqa: E402
from tests.unit.transforms.test_cough_features import one_by_one  # noqa: E402

DATA = Path(__file__).parents[2] / "shared" / "data" / "cough" / "covid19_cough"
ROUNDS, FILES = 7, 40


def main() -> None:
    """Measure and write bench/results/features.json."""
    warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
    recordings = [_recording(path) for path in _files()]
    ours, theirs = (lambda r: cough_features(r, Sheet())), one_by_one
    _seconds(theirs, recordings[:3])  # librosa compiles on its first call
    _seconds(ours, recordings[:3])
    rounds = [(_seconds(theirs, recordings), _seconds(ours, recordings)) for _ in range(ROUNDS)]
    length = sum(len(recording.samples) / recording.rate for recording in recordings) / len(recordings)
    said = f"of {len(recordings)} real coughs of {length:.1f} s on average, one thread"
    each = 1000 / len(recordings)
    tell(
        "features",
        [
            at_least(f"Librosa one by one over one spectrum, {said}", [a / b for a, b in rounds], "times", 3.5),
            figure("Librosa one by one", [a * each for a, _ in rounds], "ms a recording"),
            figure("One spectrum", [b * each for _, b in rounds], "ms a recording"),
        ],
    )


def _files() -> list[Path]:
    """Every so many of the data set's files, evenly over both classes."""
    found = sorted(DATA.glob("*/*.mp3"))
    if not found:
        raise SystemExit("This measurement needs the development data (../shared/data) beside the repository.")
    return found[:: max(1, len(found) // FILES)]


def _recording(path: Path) -> Recording:
    """As the pipeline of cough/mlp hands it to the features."""
    recording = decode_audio(Source(path, "audio/mpeg"), Sheet())
    return resample(crop(recording, Sheet(), seconds=5.0), Sheet(), rate=22050)


def _seconds(features: Callable[[Recording], object], recordings: list[Recording]) -> float:
    began = time.perf_counter()
    for recording in recordings:
        features(recording)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
