"""The pipelines of the starter recipes. A recipe copies one into its cards; a published card never changes."""

from typing import Any

from shared.schemas import Modality, Step


def _steps(*calls: tuple[str, dict[str, Any]]) -> list[Step]:
    return [Step(transform=name, params=params) for name, params in calls]


# Recipe → steps. Tensors: cough/mlp (26,); the pictures in [0, 1]: lung_sound/cnn3 (1, 64, 64), chest_xray/cnn
# (1, 224, 224).
PIPELINES: dict[str, list[Step]] = {
    # The first 5 s at 22,050 Hz and the 26 features, as the source document loads them.
    "cough/mlp": _steps(
        ("decode_audio", {}),
        ("check_audio", {"min_seconds": 0.5, "max_seconds": 30.0, "min_rate": 8000}),
        ("crop", {"seconds": 5.0}),
        ("resample", {"rate": 22050}),
        ("cough_features", {}),
    ),
    # 15 s at 4 kHz, window 256, hop 64: the 129 x 934 picture of the source document, made small.
    "lung_sound/cnn3": _steps(
        ("decode_audio", {}),
        ("check_audio", {"min_seconds": 2.0, "max_seconds": 120.0, "min_rate": 4000, "band": 1000.0}),
        ("crop", {"seconds": 15.0}),
        ("resample", {"rate": 4000}),
        ("fit_length", {"seconds": 15.0}),
        ("stft_picture", {"n_fft": 256, "hop": 64}),
        ("resize_picture", {"height": 64, "width": 64}),
        ("as_tensor", {}),
    ),
    "chest_xray/cnn": _steps(
        ("decode_image", {}),
        ("check_image", {"min_side": 128}),
        ("resize_picture", {"height": 224, "width": 224}),
        ("as_tensor", {}),
    ),
}

# The pipeline by which an input of a modality is judged where no card is at hand (samples, tests, renditions).
REFERENCE: dict[Modality, list[Step]] = {
    Modality.COUGH: PIPELINES["cough/mlp"],
    Modality.LUNG_SOUND: PIPELINES["lung_sound/cnn3"],
    Modality.CHEST_XRAY: PIPELINES["chest_xray/cnn"],
}
