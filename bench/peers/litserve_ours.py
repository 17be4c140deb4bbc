"""LitServe around Thoracle's decoding, transforms and runtime. `python litserve_ours.py PORT VERSION_FOLDER`."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from fastapi import Request

from shared.registry import verify
from shared.runtimes import Floats, load
from shared.transforms.pipeline import prepare


class Classifier(litserve.LitAPI):  # type: ignore[misc]
    """The five hooks; nothing is kept, nobody signs in."""

    folder = Path()

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's own signature
        """Once, in the process that predicts."""
        artefact = verify(self.folder, self.folder.name)
        self.card, self.runtime = artefact.card, load(artefact, 0)

    def decode_request(self, request: Request) -> Floats:
        """The upload, read and transformed as a worker's child does it."""
        upload: Any = request["file"]  # LitServe hands over the form of what it calls a request
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
            file.write(upload.file.read())
            file.flush()
            return prepare(Path(file.name), "image/png", self.card.pipeline).tensor

    def batch(self, inputs: list[Floats]) -> Floats:
        """Several at once."""
        return np.stack(inputs)

    def predict(self, x: Floats) -> list[float]:
        """Scores."""
        return [float(score) for score in self.runtime.run(x)[0]]

    def unbatch(self, output: list[float]) -> list[float]:
        """One each."""
        return output

    def encode_response(self, output: float) -> dict[str, float]:
        """As JSON."""
        return {"score": output}


if __name__ == "__main__":
    api = Classifier(max_batch_size=8, batch_timeout=0.01)
    api.folder = Path(sys.argv[2])  # of the object: the process that predicts gets it, not what its class was given
    litserve.LitServer(api, accelerator="cpu").run(port=int(sys.argv[1]), generate_client_file=False)
