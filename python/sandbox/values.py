"""Values that cross the wall, by exact type: what is no plain value of one of these types does not cross.

Encoded as JSON: null, true, false, strings, and lists [tag, ...] for everything else. A subclass of int, an
object whose `__eq__` says yes to everything, a generator: none of them has an encoding, so none of them can
be compared.
"""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 64


class NotPlain(Exception):
    """A value that has no encoding."""


def encode(value: Any, depth: int = 0) -> Any:  # noqa: ANN401
    if depth > MAX_DEPTH:
        raise NotPlain("a value nested too deeply")
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return ["i", format(value, "x")]
    if kind is float:
        return ["f", value.hex()]
    if kind is complex:
        return ["c", value.real.hex(), value.imag.hex()]
    if kind is bytes:
        return ["y", value.hex()]
    if kind is list or kind is tuple:
        return ["l" if kind is list else "t", [encode(v, depth + 1) for v in value]]
    if kind is dict:
        return ["d", [[encode(k, depth + 1), encode(v, depth + 1)] for k, v in value.items()]]
    if kind is set or kind is frozenset:
        return ["s" if kind is set else "z", [encode(v, depth + 1) for v in value]]
    raise NotPlain(f"a value of type {kind.__name__!s:.80}")


def decode(coded: Any) -> Any:  # noqa: ANN401
    """Raises NotPlain for anything that `encode` does not write."""
    if coded is None or coded is True or coded is False or type(coded) is str:
        return coded
    try:
        tag, *rest = coded
        if tag == "i":
            return int(rest[0], 16)
        if tag == "f":
            return float.fromhex(rest[0])
        if tag == "c":
            return complex(float.fromhex(rest[0]), float.fromhex(rest[1]))
        if tag == "y":
            return bytes.fromhex(rest[0])
        if tag == "d":
            return {decode(k): decode(v) for k, v in rest[0]}
        if tag in _COLLECTIONS:
            return _COLLECTIONS[tag](decode(v) for v in rest[0])
    except NotPlain:
        raise
    except Exception as error:
        raise NotPlain(f"a malformed value: {error}") from None
    raise NotPlain("a malformed value")


_COLLECTIONS = {"l": list, "t": tuple, "s": set, "z": frozenset}
