"""Recordings as phones and browsers make them: the sound, the ends, and what is not let in."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from shared.errors import InputRejected
from shared.sniff import HEAD_BYTES, sniff
from shared.transforms import sample_phones as phones
from shared.transforms.audio import decode_audio
from shared.transforms.containers import is_cut
from shared.transforms.phone_sound import read_phone_sound
from shared.transforms.pipeline import Sheet
from shared.transforms.synthetic import synthetic_cough
from shared.transforms.values import Recording, Source

# How far the sound may be late, in seconds: encoders put silence first, and not every container can say how much.
LATE = 0.13
# Likeness: the correlation of the envelopes, which a codec for speech keeps although it keeps no waveform.
LIKE = 0.9


def read(tmp_path: Path, data: bytes, media_type: str | None = None) -> tuple[Recording, Sheet]:
    path, sheet = tmp_path / "sound", Sheet()
    path.write_bytes(data)
    return decode_audio(Source(path, media_type or sniff(data[:HEAD_BYTES]) or ""), sheet), sheet


def rejection(tmp_path: Path, data: bytes, media_type: str | None = None) -> str:
    with pytest.raises(InputRejected) as caught:
        read(tmp_path, data, media_type)
    assert "{" not in caught.value.detail
    return caught.value.code


def envelope(recording: Recording) -> np.ndarray:
    """Level of each 20 ms."""
    size = recording.rate // 50
    count = len(recording.samples) // size
    return np.sqrt(np.square(recording.samples[: count * size]).reshape(count, size).mean(axis=1))


@pytest.mark.parametrize("ending", phones.PHONES)
def test_every_recorder_gives_the_same_sound(tmp_path: Path, ending: str) -> None:
    rate = 8000 if ending == "amr" else 16_000
    original = Recording(synthetic_cough(7, rate), rate)
    recording, sheet = read(tmp_path, phones.cough(ending))
    assert recording.samples.dtype == np.float32
    assert recording.seconds == pytest.approx(3.0, abs=LATE)
    assert sheet.facts == {"sample_rate": recording.rate, "channels": 1, "seconds": recording.seconds}
    one, other = envelope(original), envelope(recording)
    likeness = [np.corrcoef(one[:100], other[late : late + 100])[0, 1] for late in range(5)]
    assert max(likeness) > LIKE


@pytest.mark.parametrize("ending", ["mka", "caf"])
def test_what_is_kept_without_loss_is_the_same_to_the_bit(tmp_path: Path, ending: str) -> None:
    recording, _ = read(tmp_path, phones.cough(ending))
    whole = np.round(synthetic_cough(7, 16_000) * 32767) / 32768
    assert np.array_equal(recording.samples, whole[: len(recording.samples)].astype(np.float32))


@pytest.mark.parametrize("ending", phones.PHONES)
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.99])
def test_an_end_that_is_missing(tmp_path: Path, ending: str, share: float) -> None:
    data = phones.cough(ending)
    assert rejection(tmp_path, data[: int(len(data) * share)]) == "input_truncated"


@pytest.mark.parametrize("ending", phones.PHONES)
def test_noise_behind_the_signature(tmp_path: Path, ending: str) -> None:
    data = phones.cough(ending)
    noise = np.random.default_rng(7).integers(0, 256, 20_000, dtype=np.uint8).tobytes()
    for keep in (12, 64):
        assert rejection(tmp_path, data[:keep] + noise, sniff(data[:HEAD_BYTES])) in {
            "input_unreadable",
            "input_truncated",
            "audio_no_sound",
            "audio_too_short",
        }


@pytest.mark.parametrize("ending", ["m4a", "webm", "mka", "aac", "caf"])
def test_padding_behind_the_end_is_no_damage(tmp_path: Path, ending: str) -> None:
    path, data = tmp_path / "sound", phones.cough(ending)
    for padding in (1, 3, 512):
        path.write_bytes(data + bytes(padding))
        assert not is_cut(path, sniff(data[:HEAD_BYTES]) or "")


def test_a_browsers_recording_says_nothing_of_its_length(tmp_path: Path) -> None:
    samples = synthetic_cough(7, 48_000)
    data = phones.recorded(samples, 48_000, "webm", live="1")
    with av.open(io.BytesIO(data)) as container:
        assert container.duration is None
    recording, _ = read(tmp_path, data)
    assert recording.seconds == pytest.approx(3.0, abs=0.03)
    assert rejection(tmp_path, data[: len(data) // 2]) == "input_truncated"


def test_an_mp4_in_fragments(tmp_path: Path) -> None:
    data = phones.recorded(
        synthetic_cough(7, 48_000), 48_000, "mp4",
        movflags="frag_keyframe+empty_moov+default_base_moof", frag_duration="500000",
    )  # fmt: skip
    assert data.count(b"moof") > 2
    assert read(tmp_path, data)[0].seconds == pytest.approx(3.0, abs=LATE)
    assert rejection(tmp_path, data[: len(data) // 2]) == "input_truncated"


def test_two_channels_become_one_as_of_any_other_file(tmp_path: Path) -> None:
    cough = synthetic_cough(7, 16_000)
    both = np.stack([0.01 * cough, cough], axis=1).astype(np.float32)
    recording, sheet = read(tmp_path, phones.recorded(both, 16_000, "m4a"))
    assert sheet.facts["channels"] == 2
    assert [note.code for note in sheet.quality] == ["quality.louder_channel"]
    assert np.abs(recording.samples).max() > 0.4


def test_a_film_without_sound(tmp_path: Path) -> None:
    assert rejection(tmp_path, phones.film_without_sound()) == "audio_no_sound"


@pytest.mark.parametrize(
    ("encoder", "layout", "code"),
    [("ac3", "mono", "audio_encoding_unsupported"), ("aac", "5.1", "audio_channels")],
)
def test_sound_that_is_not_read(tmp_path: Path, encoder: str, layout: str, code: str) -> None:
    assert rejection(tmp_path, boxes("mp4", encoder, layout, 48_000)) == code


def test_a_length_that_does_not_fit_is_stopped_while_it_is_decoded() -> None:
    with pytest.raises(InputRejected) as caught:
        read_phone_sound(io.BytesIO(phones.cough("webm")), "audio/webm", 48_000)
    assert caught.value.code == "audio_too_long"
    assert "1 s" in caught.value.detail


def test_a_type_that_the_content_is_not(tmp_path: Path) -> None:
    """The demuxer is the type's own; no other is tried."""
    for ending, other in (("m4a", "audio/webm"), ("webm", "audio/mp4"), ("aac", "audio/x-caf"), ("caf", "audio/amr")):
        assert rejection(tmp_path, phones.cough(ending), other) in {"input_unreadable", "input_truncated"}


def test_an_older_telephones_3gp(tmp_path: Path) -> None:
    recording, _ = read(tmp_path, boxes("3gp", "libopencore_amrnb", "mono", 8000))
    assert recording.rate == 8000
    assert recording.seconds == pytest.approx(1.0, abs=0.05)


def boxes(container_format: str, encoder: str, layout: str, rate: int) -> bytes:
    """A second of quiet noise."""
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = container.add_stream(encoder, rate=rate)
        stream.codec_context.layout = layout
        channels = len(stream.codec_context.layout.channels)
        noise = np.random.default_rng(7).normal(0, 1000, (1, rate * channels)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout=layout)
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()
