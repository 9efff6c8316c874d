"""Frames of the worker's protocol: a prefix, a JSON header, and raw little-endian tensors.

"RPRO" | u32 header bytes | u64 payload bytes | header (UTF-8 JSON) | payload

The header's `tensors` lists name, dtype and shape of each tensor of the payload, in order.
"""

from __future__ import annotations

import ctypes
import json
import math
import struct
from typing import Any, BinaryIO

import torch

PROTOCOL = 5

Header = dict[str, Any]
Tensors = dict[str, torch.Tensor]

_PREFIX = struct.Struct("<4sIQ")
_MAGIC = b"RPRO"
_DTYPES = {"f32": torch.float32, "i32": torch.int32, "bool": torch.bool}
_NAMES = {torch.float32: "f32", torch.int32: "i32", torch.bool: "bool"}


class FrameError(Exception):
    """Bytes that are no frame."""


def dtype_of(name: str) -> torch.dtype:
    return _DTYPES[name]


def _read(stream: BinaryIO, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    filled = 0
    while filled < size:
        count = stream.readinto(view[filled:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        filled += count
    return data


def read_frame(stream: BinaryIO) -> tuple[Header, bytearray]:
    """The next header and its payload. Raises EOFError at the end of the stream."""
    magic, length, size = _PREFIX.unpack(_read(stream, _PREFIX.size))
    if magic != _MAGIC:
        raise FrameError(f"expected a frame, found {magic!r}")
    header: Header = json.loads(_read(stream, length).decode("utf-8"))
    return header, _read(stream, size)


def unpack(header: Header, payload: bytearray | memoryview) -> Tensors:
    """The tensors of a payload, by name. They share its memory."""
    tensors: Tensors = {}
    offset = 0
    for item in header["tensors"]:
        shape, dtype = item["shape"], _DTYPES[item["dtype"]]
        count = math.prod(shape)
        if count == 0:
            tensors[item["name"]] = torch.empty(shape, dtype=dtype)
            continue
        size = count * dtype.itemsize
        part = payload[offset : offset + size]  # a copy, aligned, for a bytearray
        tensors[item["name"]] = torch.frombuffer(part, dtype=dtype).reshape(shape)
        offset += size
    return tensors


def write_frame(stream: BinaryIO, header: Header, tensors: Tensors | None = None) -> None:
    """Writes a frame. Tensors of other types go as f32."""
    ready: Tensors = {}
    for name, tensor in (tensors or {}).items():
        kept = tensor.detach() if tensor.dtype in _NAMES else tensor.detach().to(torch.float32)
        ready[name] = kept.cpu().contiguous()
    items = [{"name": n, "dtype": _NAMES[t.dtype], "shape": list(t.shape)} for n, t in ready.items()]
    text = json.dumps({**header, "tensors": items}).encode("utf-8")
    stream.write(_PREFIX.pack(_MAGIC, len(text), sum(t.nbytes for t in ready.values())))
    stream.write(text)
    for tensor in ready.values():
        if tensor.nbytes > 0:
            stream.write((ctypes.c_char * tensor.nbytes).from_address(tensor.data_ptr()))
    stream.flush()
