"""One cough in every container that clients make, through the worker's own sandbox and the starter version.

FFmpeg's program makes the files, so that what reads them is not what wrote them. `docs/api.md` has the same table.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from services.worker.sandbox import Order, Ready, Refused, Sandbox
from shared.decide import Verdict, decide
from shared.registry import Artefact, verify
from shared.runtimes import Runtime, open_graph
from shared.settings import Settings
from shared.sniff import HEAD_BYTES, read_by, sniff
from shared.transforms import sample_phones as phones
from shared.transforms.synthetic import synthetic_cough

STARTER = Path(__file__).parents[2] / "shared" / "starter" / "cough"
RATE = 48_000
FRAGMENTS = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "500000")
# What a codec may do to the probability of a synthetic cough, which the version refers to a person in any case.
NEAR = 0.05

# Name of the file → FFmpeg's options. `-` as the last one: written to a pipe, where no length can be filled in.
SAME: dict[str, tuple[str, ...]] = {
    "wav_24.wav": ("-c:a", "pcm_s24le"),
    "wav_float.wav": ("-c:a", "pcm_f32le"),
    "wav_rf64.wav": ("-rf64", "always"),
    "flac.flac": (),
    "mp3.mp3": (),
    "opus.ogg": ("-c:a", "libopus"),
    "vorbis.ogg": ("-c:a", "libvorbis"),
    "aiff.aiff": (),
    "aiff_little_endian.aifc": ("-c:a", "pcm_s16le", "-f", "aiff"),
    "aac.m4a": (),
    "aac_index_first.m4a": ("-movflags", "faststart"),
    "alac.m4a": ("-c:a", "alac"),
    "aac.mp4": (),
    "aac_fragments.mp4": FRAGMENTS,
    "opus.mp4": ("-c:a", "libopus"),
    "flac.mp4": ("-c:a", "flac", "-strict", "-2"),
    "aac_pipe.mp4": (*FRAGMENTS, "-f", "mp4", "-"),
    "aac.mov": (),
    "pcm.mov": ("-c:a", "pcm_s16le"),
    "aac.3gp": ("-c:a", "aac"),
    "aac.3g2": ("-c:a", "aac"),
    "adts.aac": (),
    "opus.webm": ("-c:a", "libopus"),
    "vorbis.webm": ("-c:a", "libvorbis"),
    "opus_pipe.webm": ("-c:a", "libopus", "-f", "webm", "-"),
    "opus_live.webm": ("-c:a", "libopus", "-f", "webm", "-live", "1", "-"),
    "aac.mka": ("-c:a", "aac"),
    "alac.caf": ("-c:a", "alac"),
    "pcm.caf": ("-c:a", "pcm_s16le"),
}
ENCODING, UNKNOWN = "audio_encoding_unsupported", "input_type_unknown"
REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "mu_law.wav": (("-c:a", "pcm_mulaw"), ENCODING),
    "adpcm.wav": (("-c:a", "adpcm_ms"), ENCODING),
    "gsm.wav": (("-ar", "8000", "-c:a", "libgsm_ms"), ENCODING),
    "speex.ogg": (("-c:a", "libspeex"), ENCODING),
    "flac.oga": (("-c:a", "flac"), ENCODING),
    "ac3.mp4": (("-c:a", "ac3"), ENCODING),
    "wave64.w64": ((), UNKNOWN),
    "windows.wma": ((), UNKNOWN),
    "wavpack.wv": ((), UNKNOWN),
    "dolby.ac3": ((), UNKNOWN),
    "sun.au": ((), UNKNOWN),
    "film.avi": ((), UNKNOWN),
}


@dataclass(frozen=True)
class Clinic:
    """The starter version behind the worker's sandbox."""

    sandbox: Sandbox
    version: Artefact
    graph: Runtime

    def ask(self, path: Path) -> Verdict | str:
        """What the service makes of a file: a verdict, or the code of its rejection."""
        data = path.read_bytes()
        media_type = sniff(data[:HEAD_BYTES])
        card = self.version.card
        if media_type is None or media_type not in read_by(card.input.media_types):
            return UNKNOWN
        steps = [step.model_dump() for step in card.pipeline]
        order = Order(str(path), hashlib.sha256(data).hexdigest(), media_type, steps)
        (task,) = self.sandbox.put([order])
        while not task.done:
            self.sandbox.wait(1)
        outcome = task.outcome
        if isinstance(outcome, Refused):
            assert outcome.rejected, outcome
            return outcome.code
        assert isinstance(outcome, Ready), outcome
        scores, distances = self.graph.run(outcome.tensor[None])
        return decide(card, float(scores[0]), float(distances[0]), {})


@pytest.fixture(scope="module")
def clinic() -> Iterator[Clinic]:
    if not (STARTER / "manifest.json").is_file():
        pytest.skip("this clone has no starter versions")
    version = verify(STARTER)
    runtime = version.card.runtime
    sandbox = Sandbox(Settings(_env_file=None, sandbox_children=1))
    sandbox.start()
    yield Clinic(sandbox, version, open_graph(version.model, runtime.engine, runtime.precision, 1))
    sandbox.close()


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "cough.wav"
    soundfile.write(path, synthetic_cough(7, RATE), RATE)
    return path


@pytest.fixture(scope="module")
def real(data: Path, clinic: Clinic, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Verdict]]:
    """One recording that is flagged and one that is not, at 48 kHz; not on a border, where a codec may tip them."""
    found: dict[str, tuple[Path, Verdict]] = {}
    folder = tmp_path_factory.mktemp("real")
    for mp3 in sorted((data / "cough" / "covid19_cough" / "not_covid").iterdir()):
        samples, rate = soundfile.read(mp3, dtype="float32")
        if rate != RATE or samples.ndim != 1:
            continue
        path = folder / f"{mp3.stem}.wav"
        soundfile.write(path, samples, rate)
        verdict = clinic.ask(path)
        assert isinstance(verdict, Verdict)
        if not verdict.reasons and abs(verdict.probability - clinic.version.card.threshold) > 2 * NEAR:
            found.setdefault(verdict.decision, (path, verdict))
        if {"flagged", "not_flagged"} <= found.keys():
            break
    return list(found.values())


@pytest.mark.parametrize("name", SAME)
def test_a_container_changes_nothing(clinic: Clinic, synthetic: Path, tmp_path: Path, name: str) -> None:
    expected, got = clinic.ask(synthetic), clinic.ask(made(synthetic, tmp_path / name, *SAME[name]))
    assert isinstance(expected, Verdict)
    assert isinstance(got, Verdict), got
    assert got.decision == expected.decision
    assert got.probability == pytest.approx(expected.probability, abs=NEAR)


@pytest.mark.data
@pytest.mark.parametrize("name", SAME)
def test_a_real_cough_keeps_its_decision(
    clinic: Clinic, real: list[tuple[Path, Verdict]], tmp_path: Path, name: str
) -> None:
    assert {verdict.decision for _, verdict in real} == {"flagged", "not_flagged"}
    for wav, expected in real:
        got = clinic.ask(made(wav, tmp_path / name, *SAME[name]))
        assert isinstance(got, Verdict), got
        assert got.decision == expected.decision


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_by_name(clinic: Clinic, synthetic: Path, tmp_path: Path, name: str) -> None:
    options, code = REFUSED[name]
    assert clinic.ask(made(synthetic, tmp_path / name, *options)) == code


def test_a_film_is_heard_and_not_seen(clinic: Clinic, synthetic: Path, tmp_path: Path) -> None:
    film = made(synthetic, tmp_path / "film.mp4", "-f", "lavfi", "-i", "testsrc=s=64x48:d=3", "-map", "0", "-map", "1")
    verdict, expected = clinic.ask(film), clinic.ask(synthetic)
    assert isinstance(verdict, Verdict)
    assert isinstance(expected, Verdict)
    assert verdict.decision == expected.decision


@pytest.mark.data
def test_a_telephones_speech_codec_keeps_the_decision(
    clinic: Clinic, real: list[tuple[Path, Verdict]], tmp_path: Path
) -> None:
    """AMR, which Debian's FFmpeg cannot write: at 8 kHz and 12.2 kbit/s."""
    for wav, expected in real:
        samples, rate = soundfile.read(wav, dtype="float32")
        narrow = soxr.resample(samples, rate, 8000).astype(np.float32)
        path = tmp_path / "cough.amr"
        path.write_bytes(phones.recorded(narrow, 8000, "amr"))
        got = clinic.ask(path)
        assert isinstance(got, Verdict), got
        assert got.decision == expected.decision


@pytest.mark.parametrize(
    "name", ["aac.m4a", "aac_fragments.mp4", "adts.aac", "opus.webm", "opus_live.webm", "alac.caf"]
)
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_an_end_that_is_missing(clinic: Clinic, synthetic: Path, tmp_path: Path, name: str, share: float) -> None:
    path = made(synthetic, tmp_path / name, *SAME[name])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert clinic.ask(path) == "input_truncated"


def made(wav: Path, target: Path, *options: str) -> Path:
    """The file `target` made from `wav` by FFmpeg's program."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("FFmpeg's program is not installed on this machine (apt-get install ffmpeg)")
    piped = options[-1:] == ("-",)
    command = [program, "-v", "error", "-y", "-i", str(wav), *options]
    done = subprocess.run(command if piped else [*command, str(target)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    if piped:
        target.write_bytes(done.stdout)
    return target
