"""From stored values to what a screen shows: VOI LUT or window, then inversion (DICOM PS3.3 C.11.2)."""

from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_voi

from shared.transforms.pipeline import Sheet
from shared.transforms.values import FloatArray

_PERCENTILES = (0.1, 99.9)  # a lead marker or a dead line must not set the scale


def to_brightness(dataset: Dataset, values: FloatArray, sheet: Sheet) -> FloatArray:
    """(rows, columns) float32 in [0, 1], 1 = white, from values in the units of the modality.

    A window that is malformed is passed over. MONOCHROME1 is turned round last, because windows are given in stored
    values, not in tones.
    """
    shown = _display(dataset, values, sheet)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        sheet.note("quality.inverted")
        shown = np.float32(1) - shown
    return shown


def _display(dataset: Dataset, values: FloatArray, sheet: Sheet) -> FloatArray:
    if dataset.get("VOILUTSequence"):
        sheet.note("quality.window")
        return _by_table(dataset, values)
    window = _window(dataset)
    if window is None:
        low, high = np.percentile(values[:: max(1, len(values) // 1024)], _PERCENTILES)
        return _ramp(values, float(low), float(high))
    sheet.note("quality.window")
    return _by_window(values, *window, function=str(dataset.get("VOILUTFunction") or "LINEAR"))


def _by_table(dataset: Dataset, values: FloatArray) -> FloatArray:
    bits = int(_first(dataset.VOILUTSequence[0].LUTDescriptor[2:]) or 16)
    looked_up = np.asarray(apply_voi(values.round().astype(np.int32), dataset), dtype=np.float32)
    return np.asarray(np.clip(looked_up / (2**bits - 1), 0, 1), dtype=np.float32)


def _window(dataset: Dataset) -> tuple[float, float] | None:
    """Center and width of the first window, when they make sense."""
    center, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    if center is None or width is None or not np.isfinite([center, width]).all() or width < 1:
        return None
    return center, width


def _first(value: Any) -> float | None:
    if isinstance(value, MultiValue | list):
        value = value[0] if len(value) else None
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _by_window(values: FloatArray, center: float, width: float, *, function: str) -> FloatArray:
    """PS3.3 C.11.2.1.2 (LINEAR) and C.11.2.1.3 (SIGMOID, LINEAR_EXACT)."""
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(-4 * (values - center) / width)), dtype=np.float32)
    if function == "LINEAR_EXACT":
        return _ramp(values, center - width / 2, center + width / 2)
    return _ramp(values, center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2)


def _ramp(values: FloatArray, low: float, high: float) -> FloatArray:
    """0 at `low`, 1 at `high`; a step when they coincide."""
    scaled = (values - np.float32(low)) / np.float32(max(high - low, 1e-6))
    return np.asarray(np.clip(scaled, 0, 1), dtype=np.float32)
