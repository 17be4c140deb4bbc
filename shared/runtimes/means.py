"""The training data's means, as a tabular graph holds them: read from the ONNX file without the library `onnx`.

Workers have no `onnx`; these few fields of its protobuf messages (onnx.proto3, stable since IR version 3) are all that
is wanted: initializers, and the `offset` of a `Scaler`.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shared.runtimes import Floats

_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_INITIALIZER = 7, 1, 5
_NODE_KIND, _NODE_ATTRIBUTE, _ATTRIBUTE_NAME, _ATTRIBUTE_FLOATS = 4, 5, 1, 7
_TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 2, 4, 8, 9
_TYPES = {1: "<f4", 10: "<f2"}
Field = tuple[int, int | bytes]


def training_means(model: Path, count: int) -> Floats | None:
    """(count,) means of the features over the training data; None when the graph does not hold them.

    What a `Scaler` subtracts, else an initializer that is called a mean.
    """
    graph = next((value for number, value in _fields(model.read_bytes()) if number == _MODEL_GRAPH), b"")
    assert isinstance(graph, bytes)
    parts = list(_fields(graph))
    found = [_offset(value) for number, value in parts if number == _GRAPH_NODE and isinstance(value, bytes)]
    found += [_mean(value) for number, value in parts if number == _GRAPH_INITIALIZER and isinstance(value, bytes)]
    return next((values for values in found if values is not None and values.size == count), None)


def _offset(node: bytes) -> Floats | None:
    fields = list(_fields(node))
    if (_NODE_KIND, b"Scaler") not in fields:
        return None
    for number, value in fields:
        if number == _NODE_ATTRIBUTE and isinstance(value, bytes):
            attribute = list(_fields(value))
            if (_ATTRIBUTE_NAME, b"offset") in attribute:
                pieces = [piece for at, piece in attribute if at == _ATTRIBUTE_FLOATS and isinstance(piece, bytes)]
                return np.frombuffer(b"".join(pieces), "<f4").astype(np.float32)
    return None


def _mean(tensor: bytes) -> Floats | None:
    fields = dict(_fields(tensor))
    name, kind = fields.get(_TENSOR_NAME, b""), fields.get(_TENSOR_TYPE)
    if not isinstance(name, bytes) or b"mean" not in name or kind not in _TYPES:
        return None
    raw = fields.get(_TENSOR_RAW) or fields.get(_TENSOR_FLOATS) or b""
    assert isinstance(raw, bytes)
    return np.frombuffer(raw, _TYPES[int(kind)]).astype(np.float32)


def _fields(message: bytes) -> Iterator[Field]:
    """Number and value of each field of a protobuf message: whole numbers as int, everything else as its bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        size, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        (byte,) = struct.unpack_from("B", message, at)
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
