"""A recording with other bytes in a tag: other bytes, the same sound."""

import hashlib
import io

import pytest
import soundfile

from bench.coughs import tagged
from shared.sniff import sniff
from shared.transforms import sample_files


@pytest.mark.parametrize("kind", ["FLAC", "MP3"])
def test_it_sounds_the_same_under_another_address(kind: str) -> None:
    plain = sample_files.cough(kind)
    bodies = [plain, tagged(plain, "run 1"), tagged(plain, "run 2")]
    assert len({hashlib.sha256(body).hexdigest() for body in bodies}) == 3
    heard = [soundfile.read(io.BytesIO(body)) for body in bodies]
    assert all((samples == heard[0][0]).all() and rate == heard[0][1] for samples, rate in heard)
    assert len({sniff(body[:4096]) for body in bodies}) == 1
