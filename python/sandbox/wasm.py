"""What runs in an interpreter of Pyodide: one job each, then the interpreter is thrown away.

The wall is outside: the realm that the interpreter lives in has nothing but the language. What is taken
away here only makes the way to that realm longer.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import json
import sys
from collections.abc import Callable
from typing import Any

import programs

_BRIDGES = ("js", "pyodide", "pyodide_js", "_pyodide", "_pyodide_core", "_pyodide_repl")
# Raw memory is a way to JavaScript, and nothing that these tasks ask for.
_FORBIDDEN = ("ctypes", "_ctypes", "js", "pyodide_js")
# They answer with addresses that Pyodide makes up.
_NAMES = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")


def _refused(*_values: Any) -> None:  # noqa: ANN401
    raise OSError(errno.EPERM, "there is no network")


VERSION = ".".join(map(str, sys.version_info[:3]))


def preload() -> None:
    """Loads what programs often use into the memory that every interpreter begins with."""
    for name in programs.PRELOADED:
        # Without the modules that this Python lacks.
        with contextlib.suppress(ImportError):
            __import__(name)


def lock() -> None:
    """Takes the modules away that lead to JavaScript, what finds them, and the answers about a network."""
    for name in list(sys.modules):
        if name.split(".")[0] in (*_BRIDGES, *_FORBIDDEN):
            del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if isinstance(finder, type)]
    for name in _FORBIDDEN:
        sys.modules[name] = None  # type: ignore[assignment]
    for module in (_socket, sys.modules.get("socket")):
        for name in _NAMES:
            if hasattr(module, name):
                setattr(module, name, _refused)


def run(kind: str, job: str) -> str:
    return json.dumps(programs.SINGLE[kind](json.loads(job)))


_function: Callable[..., Any] | None = None


def begin(job: str) -> str:
    """Run the program whose function the tests will call."""
    global _function
    first, _function = programs.prepared(json.loads(job))
    return json.dumps(first)


def answer(request: str) -> str:
    return json.dumps(programs.answered(_function, json.loads(request)))


def check(job: str, first: str, ask: Callable[[str], str | None]) -> str:
    """`ask` passes a call to the other interpreter; it gives None where that one has ended."""

    def asked(request: Any) -> Any:  # noqa: ANN401
        text = ask(json.dumps(request))
        if text is None:
            raise programs.EndOfStream
        return json.loads(text)

    return json.dumps(programs.tested(json.loads(job), lambda: json.loads(first), asked))
