"""A plain Celery worker around PyTorch: a picture a task, the bytes in the message, results in Redis."""

import base64
import io
import os
from typing import Any

import celery
from celery.signals import worker_process_init
from network import network, scores
from PIL import Image

ADDRESS = os.environ["PEER_REDIS"]  # noqa: TID251 - a program of its own, without our settings
app = celery.Celery("peer", broker=ADDRESS, backend=ADDRESS)
model: Any = None


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _load(**_: object) -> None:
    global model
    model = network()


@app.task  # type: ignore[untyped-decorator]
def classify(picture: str) -> float:
    """Log-odds of one picture (base64)."""
    return scores(model, [Image.open(io.BytesIO(base64.b64decode(picture)))])[0]
