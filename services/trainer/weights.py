"""torchvision's architectures with its ImageNet weights: from `THORACLE_WEIGHTS_DIR`, its cache or its hub.

Files have the names that torchvision publishes them under; the sha256 prefix in the name is checked. Random weights
only where somebody asks for them: `random_start()` around the training, or `THORACLE_RANDOM_WEIGHTS`.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision import models

from shared.errors import BadRequest
from shared.settings import Settings

RANDOM = "random initialisation, not a reproduction"
_PREFIX = re.compile(r"-([0-9a-f]{8,})\.pth$")
# The weights of the papers, as Keras and efficientnet_pytorch ship them; torchvision's V2 are trained otherwise.
_WEIGHTS = "IMAGENET1K_V1"
_SETTINGS: dict[str, dict[str, Any]] = {"inception_v3": {"aux_logits": False, "init_weights": False}}
_asked: ContextVar[bool] = ContextVar("random_start", default=False)


@contextmanager
def random_start() -> Iterator[None]:
    """Within this block architectures whose weights are not on this machine start at random instead of failing."""
    token = _asked.set(True)
    try:
        yield
    finally:
        _asked.reset(token)


def random_allowed() -> bool:
    """Whether somebody asked for random weights where the published ones are not to be had."""
    return _asked.get() or Settings().random_weights


def load(architecture: str, part: str = "") -> tuple[nn.Module, str]:
    """A torchvision network (1000 classes, no auxiliary head), or its named part, and where its weights start.

    Looked for in `THORACLE_WEIGHTS_DIR`, in torch's hub cache, in torchvision's hub. Raises BadRequest: unknown
    architecture, a file whose content does not match its name or the architecture, no weights and no leave for
    random ones.
    """
    file = published_name(architecture)
    state = _state(architecture)
    with torch.device("meta"):
        network: nn.Module = models.get_model(architecture, weights=None, **_SETTINGS.get(architecture, {}))
    if state is None:
        return network.get_submodule(part).to_empty(device="cpu").apply(_initialise), RANDOM
    wanted = {name: value for name, value in state.items() if not name.startswith("AuxLogits.")}
    try:
        network.load_state_dict(_counted(network, wanted), strict=True, assign=True)
    except RuntimeError:
        raise BadRequest(detail=f"The keys of {file} are not those of {architecture}.") from None
    return network.get_submodule(part).requires_grad_(requires_grad=True), f"ImageNet weights of torchvision ({file})"


def published_name(architecture: str) -> str:
    """The file name that torchvision publishes the weights under. Raises BadRequest for an unknown architecture."""
    try:
        return Path(_enum(architecture).url).name
    except (ValueError, AttributeError):
        raise BadRequest(detail=f"torchvision has no ImageNet weights for {architecture}.") from None


def read_state(path: Path) -> Mapping[str, Tensor]:
    """A state dict from a file named …-<sha256 prefix>.pth, never unpickling code. Raises BadRequest."""
    prefix = _PREFIX.search(path.name)
    if prefix is None:
        raise BadRequest(detail=f"{path.name} names no sha256 prefix, so it cannot be checked.")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not digest.startswith(prefix[1]):
        raise BadRequest(detail=f"The content of {path.name} does not match the sha256 prefix in its name.")
    state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    return state


def _state(architecture: str) -> Mapping[str, Tensor] | None:
    """The published state dict; None when there is none and random weights were asked for."""
    file, settings = published_name(architecture), Settings()
    folders = [settings.weights_dir, Path(torch.hub.get_dir()) / "checkpoints"]
    for folder in folders:
        if folder is not None and (folder / file).is_file():
            return read_state(folder / file)
    if random_allowed():
        return None
    return _download(architecture, file)


def _download(architecture: str, file: str) -> Mapping[str, Tensor]:
    try:
        state: Mapping[str, Tensor] = _enum(architecture).get_state_dict(check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError):
        raise BadRequest(
            detail=f"The weights {file} are not here and torchvision's hub does not answer. Put the file into "
            "THORACLE_WEIGHTS_DIR, or ask for random ones (THORACLE_RANDOM_WEIGHTS=true): "
            "that is then no reproduction."
        ) from None
    return state


def _enum(architecture: str) -> Any:
    return models.get_model_weights(architecture)[_WEIGHTS]


def _counted(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """With the counters that batch normalisation has had only since the older files were written."""
    counters = {name: torch.tensor(0) for name in network.state_dict() if name.endswith("num_batches_tracked")}
    return {**counters, **state}


def _initialise(layer: nn.Module) -> None:
    """He's normal initialisation for convolutions (as torchvision's), the library's own for all else."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.Linear | nn.BatchNorm2d):
        layer.reset_parameters()
