"""Predictions of a dataset's rows as CSV: what the X-ray article handed in, and what a reader checks."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.trainer.prepared import Examples
from shared.errors import BadRequest

COLUMNS = ("file", "patient_id", "source", "target", "probability", "flagged")


def write(path: Path, examples: Examples, probabilities: NDArray[np.float64], threshold: float) -> None:
    """One line a row: 1 with the finding, 0 without. Raises BadRequest when the numbers do not fit the rows."""
    if probabilities.shape != (len(examples),):
        raise BadRequest(detail=f"{len(probabilities)} probabilities for {len(examples)} rows.")
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for row, target, probability in zip(examples.rows, examples.targets, probabilities, strict=True):
            flagged = int(probability >= threshold)
            table.writerow([row.path.name, row.patient, row.source, int(target), f"{probability:.6f}", flagged])
