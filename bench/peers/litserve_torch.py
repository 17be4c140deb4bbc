"""LitServe as its documentation says: base64 in JSON, PyTorch, up to eight at once. `python litserve_torch.py PORT`."""

import base64
import io
import sys
from typing import Any

import litserve
import torch
from network import network, tensor
from PIL import Image
from torch import Tensor


class Classifier(litserve.LitAPI):  # type: ignore[misc]
    """The five hooks."""

    def setup(self, device: str) -> None:
        """Once, in the process that predicts."""
        self.model = network().to(device)

    def decode_request(self, request: dict[str, str]) -> Tensor:
        """From the request to a tensor."""
        return tensor(Image.open(io.BytesIO(base64.b64decode(request["image_data"]))))

    def batch(self, inputs: list[Tensor]) -> Tensor:
        """Several at once."""
        return torch.stack(inputs)

    def predict(self, x: Tensor) -> Tensor:
        """Two logits of each."""
        with torch.inference_mode():
            return self.model(x)  # type: ignore[no-any-return]

    def encode_response(self, output: Tensor) -> dict[str, Any]:
        """The log-odds."""
        return {"score": float(output[1] - output[0])}


if __name__ == "__main__":
    api = Classifier(max_batch_size=8, batch_timeout=0.01)
    litserve.LitServer(api, accelerator="cpu").run(port=int(sys.argv[1]), generate_client_file=False)
