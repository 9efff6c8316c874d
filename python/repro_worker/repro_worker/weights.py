"""Weights that programs share: read from safetensors files, drawn, or sent. They never change."""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from typing import Any

import torch
from torch import Tensor

from repro_worker.frames import Header, Tensors
from repro_worker.philox import draw_tensor
from repro_worker.settings import Refusal, Settings

_STORAGE = {"f32": torch.float32, "bf16": torch.bfloat16}
_FLOATS = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32, "F64": torch.float64}
_MAX_HEADER = 100_000_000


def load_weights(header: Header, tensors: Tensors, settings: Settings) -> Tensors:
    """A request's tensors, on the device, each in its type. Raises Refusal naming what is at fault."""
    kind, specs, device = header["kind"], header["weights"], settings.device
    if kind == "files":
        return _read(header, settings)
    if kind == "drawn":
        return {s["name"]: draw_tensor(s["draw"], s["shape"], _storage(s), device) for s in specs}
    values = {s["name"]: tensors[f"value/{s['name']}"] for s in specs}
    for spec in specs:
        if values[spec["name"]].numel() != torch.Size(spec["shape"]).numel():
            _refuse(f"the weights {spec['name']} are {list(values[spec['name']].shape)}, not {spec['shape']}")
    return {
        s["name"]: values[s["name"]].to(device, _storage(s), copy=True).reshape(s["shape"]) for s in specs
    }


def merge_updates(held: Tensors, merges: list[dict[str, Any]]) -> Tensors:
    """
    W + scale B A in place of W, A and B, one weight at a time, summed in fp32 on the device.
    The weights that these lie over keep their own.
    """
    merged = dict(held)
    for merge in merges:
        missing = [name for name in (merge["weight"], merge["a"], merge["b"]) if name not in held]
        if missing:
            _refuse(f"there is no value for the weights {missing[0]}")
        w, a, b = (held[name].float() for name in (merge["weight"], merge["a"], merge["b"]))
        merged[merge["weight"]] = torch.addmm(w, b, a, alpha=merge["scale"]).to(_storage(merge))
        del merged[merge["a"]], merged[merge["b"]]
    return merged


def _storage(spec: dict[str, Any]) -> torch.dtype:
    return _STORAGE[spec.get("storage", "f32")]


def _refuse(message: str) -> None:
    raise Refusal("weights", message)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _shape(shape: list[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _check_digest(path: str, sha256: str) -> None:
    with open(path, "rb") as file:
        found = (
            hashlib.file_digest(file, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else _hash(file)
        )
    if found != sha256.lower():
        _refuse(f"{path} has the SHA-256 {found}, not {sha256}")


def _hash(file: Any) -> str:  # noqa: ANN401
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


class _Shard:
    """A mapped safetensors file: eight bytes, a JSON header, the tensors. Pages are read as they are used."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            with open(path, "rb") as file:
                size = file.seek(0, 2)
                if size < 8:
                    _refuse(f"{path} is cut: it has {size} bytes")
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError as error:
            raise Refusal("weights", f"{path} could not be opened: {error.strerror}") from error
        (length,) = struct.unpack_from("<Q", self._map, 0)
        if length > min(_MAX_HEADER, size - 8):
            _refuse(f"{path} is no safetensors file, or is cut: its header would take {length} bytes")
        self._start = 8 + length
        try:
            entries: dict[str, Any] = json.loads(self._map[8 : 8 + length].decode("utf-8"))
            entries.pop("__metadata__", None)
            self.entries = {
                name: (e["dtype"], list(e["shape"]), *map(int, e["data_offsets"]))
                for name, e in entries.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refusal("weights", f"{path}: its header is not that of a safetensors file") from error
        end = max((e[3] for e in self.entries.values()), default=0)
        if self._start + end > size:
            _refuse(f"{path} is cut: it has {size} bytes, not {self._start + end}")

    def tensor(self, name: str) -> Tensor:
        """The tensor as it stands in the file, sharing its memory where it is aligned."""
        dtype, shape, begin, end = self.entries[name]
        kind = _FLOATS[dtype]
        count = torch.Size(shape).numel()
        if end - begin != count * kind.itemsize:
            _refuse(
                f"{self.path}: the tensor {name} has {end - begin} bytes, too few or many for {_shape(shape)}"
            )
        if count == 0:
            return torch.empty(shape, dtype=kind)
        offset = self._start + begin
        if offset % kind.itemsize == 0:
            return torch.frombuffer(self._map, dtype=kind, count=count, offset=offset).reshape(shape)
        raw = torch.frombuffer(self._map, dtype=torch.uint8, count=end - begin, offset=offset)
        return raw.clone().view(kind).reshape(shape)


def _read(header: Header, settings: Settings) -> Tensors:
    """One tensor at a time from the mapped files to the device, after every name and shape was checked."""
    wanted = {s.get("stored", s["name"]): s for s in header["weights"]}
    unused = set(header["unused"])
    shards: list[_Shard] = []
    place: dict[str, _Shard] = {}
    extra: list[str] = []
    for file in header["files"]:
        shard = _Shard(file["path"])
        shards.append(shard)
        for name, (dtype, shape, *_) in shard.entries.items():
            spec = wanted.get(name)
            if spec is None:
                extra += [] if name in unused else [name]
                continue
            where = f"{shard.path}: the tensor {name}"
            if dtype not in _FLOATS:
                _refuse(f"{where} holds {dtype}, not floating-point numbers")
            if shape != spec["shape"]:
                _refuse(f"{where} is {_shape(shape)}, not the {_shape(spec['shape'])} of {spec['name']}")
            if name in place:
                _refuse(f"{where} stands in two files")
            place[name] = shard
    missing = [name for name in wanted if name not in place]
    if missing:
        _refuse(f"the files hold no tensor {_some(missing)}")
    if extra:
        _refuse(f"the files hold tensors that nothing takes: {_some(extra)}")
    for file in header["files"]:
        if "sha256" in file:
            _check_digest(file["path"], file["sha256"])
    return {
        spec["name"]: place[name].tensor(name).to(settings.device, _storage(spec), copy=True)
        for name, spec in wanted.items()
    }
