"""Features of a frozen base, computed once per input and base and kept on disk: an epoch then costs the head only."""

import hashlib
import inspect
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from shared.settings import Settings

_GROUP = 8
_HALF = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
_LARGEST = float(torch.finfo(torch.float16).max)


def features(base: nn.Module, inputs: Tensor) -> Tensor:
    """Features (n, ...) as float16 of inputs (n, *shape), from `HOME/cache/features` or computed now.

    Computed in bf16 where the processor has it (VGG16 takes a sixth of the time): what learns from them is a head, and
    what is measured and served is always the whole graph in float32.
    """
    folder = Settings().home / "cache" / "features" / fingerprint(base, f" half={_HALF} {_code(base)}")
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{_digest(picture)}.npy" for picture in inputs]
    absent = [place for place, file in enumerate(files) if not file.is_file()]
    for start in range(0, len(absent), _GROUP):
        places = absent[start : start + _GROUP]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=_HALF):
            computed = base(inputs[places]).clamp(-_LARGEST, _LARGEST).half().numpy()
        for place, values in zip(places, computed, strict=True):
            _write(files[place], values)
    return torch.from_numpy(np.stack([np.load(file, allow_pickle=False) for file in files]))


def _write(file: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.float16]]) -> None:
    """Whole or not at all: a run that dies leaves no half file."""
    draft = file.with_suffix(".draft")
    with draft.open("wb") as stream:
        np.save(stream, values, allow_pickle=False)
    draft.replace(file)


def fingerprint(network: nn.Module, note: str = "") -> str:
    """Of structure, weights and a note: 24 hexadecimal digits."""
    digest = hashlib.sha256(f"{network}{note}".encode())
    for value in network.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:24]


def _code(network: nn.Module) -> str:
    """What its parts do: two that hold the same numbers may compute something else."""
    return "".join(sorted({inspect.getsource(type(part)) for part in network.modules()}))


def _digest(picture: Tensor) -> str:
    return hashlib.sha256(picture.numpy().tobytes()).hexdigest()[:40]
