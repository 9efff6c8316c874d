"""Rebuilds a graph of the protocol as a torch.fx module."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.checkpoint import checkpoint

from repro_worker.frames import Tensors, dtype_of
from repro_worker.ops import OPS, TAKE_NUMBERS
from repro_worker.settings import Settings


class UnknownOperation(Exception):
    """A graph uses an operation that this worker does not have."""


@dataclass(frozen=True)
class Program:
    """A module whose arguments are `inputs`, in order, and whose results are `outputs`, in order."""

    module: nn.Module
    inputs: list[str]
    parameters: list[str]
    outputs: list[str]
    regional: bool
    """Whether its blocks are compiled, one by one, instead of the whole."""

    def compiled(self, settings: Settings) -> Callable[..., Any]:
        return self.module if self.regional else settings.compile(self.module)


class Block(nn.Module):
    """A function of a graph: compiled by itself, once for all its calls, and a unit of recomputation."""

    def __init__(self, module: nn.Module, settings: Settings) -> None:
        super().__init__()
        self._function = settings.compile(module)
        self._recompute = settings.recompute

    def forward(self, *args: Tensor) -> Any:  # noqa: ANN401
        if self._recompute and torch.is_grad_enabled():
            results = checkpoint(self._function, *args, use_reentrant=False, preserve_rng_state=False)
        else:
            results = self._function(*args)
        return results[0] if len(results) == 1 else results


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda m: "_" + m.group().lower(), name)


def _splat(value: float, dtype: torch.dtype, shape: list[int], device: str) -> Tensor:
    # A tensor of rank 0 takes the type of what it meets, so it raises nothing to fp32.
    return torch.full([], value, dtype=dtype, device=device).expand(shape)


def _attributes(attrs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments; JSON has no infinities, so they come as words."""
    words = ("Infinity", "-Infinity", "NaN")
    return {_snake(key): float(value) if value in words else value for key, value in attrs.items()}


# What only rearranges a narrow tensor leaves it narrow.
_MOVES = {"reshape", "transpose", "slice", "broadcastTo"}


def _widen(x: Tensor) -> Tensor:
    return x.float()


def build(
    wire: dict[str, Any], tensors: Tensors, settings: Settings, constants: torch.dtype | None = None
) -> Program:
    """The program of a wire graph; dense f32 constants are kept in `constants`."""
    narrow = [kind == "frozen" and storage == "bf16" for _, kind, _, storage in wire["inputs"]]
    return _build(wire, tensors, settings, constants or settings.storage, narrow, {})


def _build(
    wire: dict[str, Any],
    tensors: Tensors,
    settings: Settings,
    constants: torch.dtype,
    narrow_inputs: list[bool],
    blocks: dict[tuple[str, tuple[bool, ...]], Block],
) -> Program:
    """
    `narrow_inputs` says which inputs arrive in bf16 and stand for f32. They are widened where they are used,
    but for matrix products under autocast, which take bf16; of a table only the rows that are looked up.
    """
    device = settings.device
    graph = fx.Graph()
    root = nn.Module()
    names = {node: name for name, _, node, _ in wire["inputs"]}
    narrow = {(w[2], 0) for w, flag in zip(wire["inputs"], narrow_inputs, strict=True) if flag}
    built: dict[int, fx.Node] = {}
    # Arguments come first and in their own order, wherever the graph has them.
    for index, (_, _, node, _) in enumerate(wire["inputs"]):
        built[node] = graph.placeholder(f"input_{index}")
    numbers: dict[int, float | int | bool] = {}
    several = {i for i, (_, _, _, types) in enumerate(wire["nodes"]) if len(types) > 1}

    def shape_of(node: int, output: int) -> list[int]:
        shape: list[int] = wire["nodes"][node][3][output][1]
        return shape

    def value(node: int, output: int) -> fx.Node:
        return (
            graph.call_function(operator.getitem, (built[node], output)) if node in several else built[node]
        )

    def wide(node: int, output: int) -> fx.Node:
        found = value(node, output)
        return graph.call_function(_widen, (found,)) if (node, output) in narrow else found

    for index, (op, inputs, attrs, types) in enumerate(wire["nodes"]):
        if op == "input":
            if index not in names:
                raise UnknownOperation(f"{wire['name']}: node {index} is an input that is not declared")
        elif op == "constant":
            dtype, shape = types[0]
            if "splat" in attrs:
                number = float(attrs["splat"])
                plain = number if dtype == "f32" else int(number) if dtype == "i32" else bool(number)
                numbers[index] = plain
                built[index] = graph.call_function(_splat, (plain, dtype_of(dtype), shape, str(device)))
            else:
                data = tensors[attrs["tensor"]].to(device, constants if dtype == "f32" else None)
                root.register_buffer(f"constant_{index}", data)
                built[index] = graph.get_attr(f"constant_{index}")
        elif op not in OPS and op != "call":
            raise UnknownOperation(f"{wire['name']}: the worker has no operation {op}")
        else:
            sources = list(zip(inputs[::2], inputs[1::2], strict=True))
            flags = tuple(source in narrow for source in sources)
            if op == "call":
                name = attrs["function"]
                if (name, flags) not in blocks:
                    body = wire["functions"][name]
                    part = _build(body, tensors, settings, constants, list(flags), {})
                    blocks[name, flags] = Block(part.module, settings)
                target = f"block_{list(blocks).index((name, flags))}"
                root.add_module(target, blocks[name, flags])
                built[index] = graph.call_module(target, tuple(value(n, o) for n, o in sources))
                continue
            if op in _MOVES and flags[0]:
                narrow.add((index, 0))
            kept = op in _MOVES or op == "gather" or (op == "matMul" and settings.precision != "fp32")
            args: tuple[Any, ...] = tuple(wide(n, o) if not kept else value(n, o) for n, o in sources)
            if op in TAKE_NUMBERS and sources[1][0] in numbers and shape_of(*sources[0]) == types[0][1]:
                args = (args[0], numbers[sources[1][0]])
            built[index] = graph.call_function(OPS[op], args, _attributes(attrs))
            if op == "gather" and flags[0]:
                built[index] = graph.call_function(_widen, (built[index],))
    graph.output(tuple(wide(node, output) for _, node, output in wire["outputs"]))
    module = fx.GraphModule(root, graph, wire["name"])
    module.graph.eliminate_dead_code()
    module.recompile()
    return Program(
        module=module,
        inputs=[name for name, _, _, _ in wire["inputs"]],
        parameters=[name for name, kind, _, _ in wire["inputs"] if kind == "parameter"],
        outputs=[name for name, _, _ in wire["outputs"]],
        regional=len(blocks) > 0,
    )
