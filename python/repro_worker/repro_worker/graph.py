"""Rebuilds a graph of the protocol as a torch.fx module."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from repro_worker.frames import Tensors, dtype_of
from repro_worker.ops import OPS, TAKE_NUMBERS


class UnknownOperation(Exception):
    """A graph uses an operation that this worker does not have."""


@dataclass(frozen=True)
class Program:
    """A module whose arguments are `inputs`, in order, and whose results are `outputs`, in order."""

    module: nn.Module
    inputs: list[str]
    parameters: list[str]
    outputs: list[str]


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda m: "_" + m.group().lower(), name)


def _splat(value: float, dtype: torch.dtype, shape: list[int], device: str) -> Tensor:
    # A tensor of rank 0 takes the type of what it meets, so it raises nothing to fp32.
    return torch.full([], value, dtype=dtype, device=device).expand(shape)


def _attributes(attrs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments; JSON has no infinities, so they come as words."""
    words = ("Infinity", "-Infinity", "NaN")
    return {_snake(key): float(value) if value in words else value for key, value in attrs.items()}


def build(wire: dict[str, Any], tensors: Tensors, device: torch.device, constants: torch.dtype) -> Program:
    """The program of a wire graph; dense f32 constants are kept in the type `constants`."""
    graph = fx.Graph()
    root = nn.Module()
    names = {node: name for name, _, node in wire["inputs"]}
    built: dict[int, fx.Node] = {}
    # Arguments come first and in their own order, wherever the graph has them.
    for index, (_, _, node) in enumerate(wire["inputs"]):
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
        elif op not in OPS:
            raise UnknownOperation(f"{wire['name']}: the worker has no operation {op}")
        else:
            sources = list(zip(inputs[::2], inputs[1::2], strict=True))
            args: tuple[Any, ...] = tuple(value(n, o) for n, o in sources)
            if op in TAKE_NUMBERS and sources[1][0] in numbers and shape_of(*sources[0]) == types[0][1]:
                args = (args[0], numbers[sources[1][0]])
            built[index] = graph.call_function(OPS[op], args, _attributes(attrs))
    graph.output(tuple(value(node, output) for _, node, output in wire["outputs"]))
    graph.eliminate_dead_code()
    return Program(
        module=fx.GraphModule(root, graph, wire["name"]),
        inputs=[name for name, _, _ in wire["inputs"]],
        parameters=[name for name, kind, _ in wire["inputs"] if kind == "parameter"],
        outputs=[name for name, _, _ in wire["outputs"]],
    )
