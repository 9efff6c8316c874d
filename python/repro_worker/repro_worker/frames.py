"""Frames of the worker's protocol: a prefix, a JSON header, and raw little-endian tensors.

"RPRO" | u32 header bytes | u64 payload bytes | header (UTF-8 JSON) | payload

The header's `tensors` lists name, dtype and shape of each tensor of the payload, in order.
"""

from __future__ import annotations

import ctypes
import json
import math
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import torch
from torch import Tensor

PROTOCOL = 1

Header = dict[str, Any]
Tensors = dict[str, Tensor]

_PREFIX = struct.Struct("<4sIQ")
_MAGIC = b"RPRO"
_DTYPES = {"f32": torch.float32, "i32": torch.int32, "bool": torch.bool}
_NAMES = {torch.float32: "f32", torch.int32: "i32", torch.bool: "bool"}


class FrameError(Exception):
    """Bytes that are no frame."""


def dtype_of(name: str) -> torch.dtype:
    return _DTYPES[name]


def _fill(stream: BinaryIO, view: memoryview) -> None:
    filled = 0
    while filled < len(view):
        count = stream.readinto(view[filled:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        filled += count


def _read(stream: BinaryIO, size: int) -> bytes:
    data = bytearray(size)
    _fill(stream, memoryview(data))
    return bytes(data)


def _memory(tensor: Tensor) -> memoryview:
    return memoryview((ctypes.c_char * tensor.nbytes).from_address(tensor.data_ptr())).cast("B")


def unpack(header: Header, payload: Callable[[int], Tensor]) -> Tensors:
    """The tensors that a header lists; `payload` gives the next so many bytes."""
    tensors: Tensors = {}
    for item in header["tensors"]:
        shape, dtype = item["shape"], _DTYPES[item["dtype"]]
        tensors[item["name"]] = payload(math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)
    return tensors


def pack(header: Header, tensors: Tensors) -> tuple[bytes, list[Tensor]]:
    """The text of a header and the tensors that follow it. Tensors of other types go as f32."""
    ready: Tensors = {}
    for name, tensor in tensors.items():
        kept = tensor.detach() if tensor.dtype in _NAMES else tensor.detach().to(torch.float32)
        ready[name] = kept.cpu().contiguous()
    items = [{"name": n, "dtype": _NAMES[t.dtype], "shape": list(t.shape)} for n, t in ready.items()]
    return json.dumps({**header, "tensors": items}).encode("utf-8"), list(ready.values())


def read_frame(stream: BinaryIO) -> tuple[Header, Tensors]:
    """The next header and its tensors. Raises EOFError at the end of the stream."""
    magic, length, _ = _PREFIX.unpack(_read(stream, _PREFIX.size))
    if magic != _MAGIC:
        raise FrameError(f"expected a frame, found {magic!r}")
    header: Header = json.loads(_read(stream, length).decode("utf-8"))

    def payload(size: int) -> Tensor:
        data = torch.empty(size, dtype=torch.uint8)
        if size > 0:
            _fill(stream, _memory(data))
        return data

    return header, unpack(header, payload)


def write_frame(stream: BinaryIO, header: Header, tensors: Tensors | None = None) -> None:
    text, parts = pack(header, tensors or {})
    stream.write(_PREFIX.pack(_MAGIC, len(text), sum(part.nbytes for part in parts)))
    stream.write(text)
    for part in parts:
        if part.nbytes > 0:
            stream.write(_memory(part))
    stream.flush()
