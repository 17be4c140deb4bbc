"""BentoML as its documentation says: a service with an adaptively batched endpoint that takes pictures."""

import bentoml
from network import network, scores
from PIL.Image import Image


@bentoml.service
class Classifier:
    """Served by `bentoml serve bentoml_torch:Classifier`."""

    def __init__(self) -> None:
        self.model = network()

    @bentoml.api(batchable=True, max_batch_size=8, max_latency_ms=60_000)
    def classify(self, images: list[Image]) -> list[float]:
        """Log-odds of each."""
        return scores(self.model, images)
