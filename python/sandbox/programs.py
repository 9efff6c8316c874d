"""What the children of the server do. Every function runs in a process of its own that is locked already.

Honest rules: the program is one process, the tests are another, and only plain values pass between them.
Published rules (`published_call`, `published_check`) run program and tests together, as the projects that
they are named after do, with their weaknesses; they are kept to reproduce published figures and are named
wherever they are used.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import math
import os
import re
import signal
import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from values import decode, encode

Job = dict[str, Any]
Answer = dict[str, Any]

MAX_MESSAGE = 1 << 20
# Modules that programs of these tasks often load; loaded once here, they cost a child nothing.
PRELOADED = (
    "bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "hashlib",
    "heapq", "itertools", "math", "operator", "random", "re", "shutil", "statistics", "string", "subprocess",
    "typing",
)  # fmt: skip


class EndOfStream(Exception):
    """The other side is gone."""


def _silence() -> None:
    """Prints go nowhere, and reading finds the end of the file."""
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), _Sink(), _Sink()


class _Sink(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


def described(error: BaseException) -> str:
    """The error in one line; an error of the program's own may fail even at that."""
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except BaseException:
        return "an error that cannot be described"


def send(stream: int, message: Any) -> None:  # noqa: ANN401
    data = json.dumps(message).encode("ascii")
    data = struct.pack(">I", len(data)) + data
    while data:
        data = data[os.write(stream, data) :]


def _read(stream: int, size: int) -> bytes:
    parts = []
    while size > 0:
        part = os.read(stream, min(size, 1 << 16))
        if not part:
            raise EndOfStream
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive(stream: int) -> Any:  # noqa: ANN401
    (size,) = struct.unpack(">I", _read(stream, 4))
    if size > MAX_MESSAGE:
        raise EndOfStream
    return json.loads(_read(stream, size))


def _compiled(source: str) -> Any:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(source, "<program>", "exec", dont_inherit=True)


def longest_program(text: str, most: int) -> str:
    """The text without as few of its last lines, at most `most` - 1, as let it compile; else the text."""
    lines = text.splitlines()
    for dropped in range(min(most, len(lines))):
        candidate = "\n".join(lines[: len(lines) - dropped]).strip()
        if candidate:
            try:
                _compiled(candidate)
            except Exception:
                # Not a SyntaxError alone: null characters, lone surrogates and deep nesting have errors of
                # their own, which differ between versions of Python.
                continue
            return candidate
    return text


# ------------------------------------------------------------------------------------------- honest rules


def call(job: Job) -> Answer:
    """Run the program and call one of its functions without arguments: its value, encoded."""
    _silence()
    source = job["source"]
    if job.get("dropLines"):
        source = longest_program(source, job["dropLines"])
    namespace: dict[str, Any] = {"__name__": "__program__"}
    try:
        exec(_compiled(source), namespace)
        function = namespace.get(job["function"])
        if function is None:
            return {"error": f"{job['function']} is not defined"}
        return {"value": encode(function())}
    except BaseException as error:
        return {"error": described(error)}


def prepared(job: Job) -> tuple[Answer, Callable[..., Any] | None]:
    """Run the program: what to answer first, and its function where it has one."""
    _silence()
    namespace: dict[str, Any] = {"__name__": "__program__"}
    try:
        exec(_compiled(job["source"]), namespace)
        return {"ready": True}, namespace[job["entry"]]
    except BaseException as error:
        return {"error": described(error)}, None


def answered(function: Callable[..., Any] | None, request: Any) -> Answer:  # noqa: ANN401
    """One call of the program's function, by encoded arguments and keywords."""
    try:
        if function is None:
            raise ProgramError("there is no function")
        arguments, keywords = request
        return {"value": encode(function(*decode(arguments), **decode(keywords)))}
    except BaseException as error:
        return {"error": described(error), "kind": type(error).__name__}


def serve(job: Job, requests: int, results: int) -> None:
    """Run the program and answer calls of one of its functions until the tests have no more."""
    first, function = prepared(job)
    send(results, first)
    if function is None:
        return
    while True:
        try:
            request = receive(requests)
        except EndOfStream:
            return
        send(results, answered(function, request))


class ProgramError(Exception):
    """The program raised, ended, or returned something that is no plain value."""


# No errors of a program's function: the first is the tests' own word, the others end a loop over its answers as if all
# had been asked for.
_NOT_THE_PROGRAMS = (AssertionError, StopIteration, StopAsyncIteration)


def _raised(answer: Answer) -> BaseException:
    """The program's error under the name of a built-in one, so that tests of errors see what they expect."""
    kind = getattr(builtins, str(answer.get("kind")), None)
    if isinstance(kind, type) and issubclass(kind, Exception) and kind not in _NOT_THE_PROGRAMS:
        with contextlib.suppress(Exception):
            return kind(str(answer["error"]))
    return ProgramError(str(answer["error"]))


def check(job: Job, requests: int, results: int) -> Answer:
    """Run the tests against the program behind the wall."""

    def ask(request: Any) -> Any:  # noqa: ANN401
        send(requests, request)
        return receive(results)

    return tested(job, lambda: receive(results), ask)


def tested(job: Job, first: Callable[[], Any], ask: Callable[[Any], Any]) -> Answer:
    """Run the tests against a program that answers calls. The functions that the tests use beside it are
    those of the reference, never the program's own."""
    _silence()
    calls = 0

    def candidate(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        nonlocal calls
        calls += 1
        try:
            answer = ask([encode(list(arguments)), encode(keywords)])
        except (EndOfStream, BrokenPipeError):
            raise ProgramError("the program ended") from None
        if type(answer) is not dict or ("value" in answer) == ("error" in answer):
            raise ProgramError("the program's answer is malformed")
        if "error" in answer:
            raise _raised(answer)
        return decode(answer["value"])

    try:
        greeting = first()
        if greeting != {"ready": True}:
            reason = greeting.get("error") if type(greeting) is dict else None
            return {
                "passed": False,
                "error": str(reason or "the program's answer is malformed")[:300],
                "calls": 0,
            }
        namespace: dict[str, Any] = {"__name__": "__tests__"}
        exec(_compiled(job["reference"]), namespace)
        exec(_compiled(job["test"]), namespace)
        namespace[job["entry"]] = candidate
        namespace["check"](candidate)
    except EndOfStream:
        return {"passed": False, "error": "the program ended before it answered", "calls": calls}
    except BaseException as error:
        return {"passed": False, "error": described(error), "calls": calls}
    if calls == 0:
        return {"passed": False, "error": "the tests never called the program", "calls": 0}
    return {"passed": True, "calls": calls}


# ---------------------------------------------------------------------------------------- published rules


class _Alarm(Exception):
    pass


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """The published time limit: a signal that raises inside the program."""

    def ring(_number: int, _frame: Any) -> None:  # noqa: ANN401
        raise _Alarm

    if sys.platform == "emscripten":
        # No signals there: the limit is kept from outside.
        yield
        return
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


_RESTRICTED = (
    "abs", "min", "max", "sum", "len", "range", "enumerate", "int", "float", "str", "bool", "round",
)  # fmt: skip
_NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*")


def _restricted_builtins() -> dict[str, Any]:
    def only_math(name: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401
        if name == "math":
            return __import__(name, *rest, **more)
        raise ImportError(f"Import blocked: {name}")

    return {
        **{name: getattr(builtins, name) for name in _RESTRICTED},
        "print": lambda *_values, **_options: None,
        "__import__": only_math,
    }


def _whole(value: float) -> int | float:
    return round(value) if abs(value - round(value)) < 1e-6 else value


def to_number(value: Any) -> int | float | None:  # noqa: ANN401
    """xlm-core's normaliser: int, finite float (whole within 1e-6), first number of a string; else None."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _whole(float(value)) if math.isfinite(float(value)) else None
    if isinstance(value, str):
        found = _NUMBER.search(value)
        if found is None:
            return None
        digits = found.group(0).replace(",", "")
        return _whole(float(digits)) if digits.count(".") == 1 else int(digits)
    return None


def _equal(predicted: int | float | None, gold: int | float | None) -> bool:
    if predicted is None or gold is None:
        return False
    if isinstance(predicted, float) or isinstance(gold, float):
        return abs(float(predicted) - float(gold)) <= 1e-3
    return int(predicted) == int(gold)


def published_call(job: Job) -> Answer:
    """The rules of xlm-core's tinygsm/gsm8k.py at 51c7813: restricted builtins, `math` alone importable, the
    gold in the same process, one alarm for running and calling."""
    _silence()
    source = longest_program(job["source"], job["dropLines"])
    answer = job["gold"]
    namespace: dict[str, Any] = {"__builtins__": _restricted_builtins(), "math": math}
    out = None
    try:
        with _alarm(job["seconds"]):
            exec(_compiled(source), namespace, namespace)
            function = namespace.get("simple_math_problem")
            if function is None:
                return {"correct": False, "error": "simple_math_problem not defined", "extracted": source}
            out = function()
    except _Alarm:
        return {"correct": False, "error": "timeout", "extracted": source}
    except Exception as error:
        return {"correct": False, "error": repr(error)[:300], "extracted": source}
    number = to_number(out)
    correct = _equal(number, to_number(answer))
    return {"correct": correct, "value": encode(number), "extracted": source}


_GUARDED_OS = (
    "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate "
    "replace unlink fchmod fchown chmod chown chroot lchflags lchmod lchown getcwd chdir"
).split()


def _guard() -> None:
    """What human-eval's reliability guard takes away."""
    import shutil
    import subprocess

    for name in _GUARDED_OS:
        setattr(os, name, None)
    for name in ("rmtree", "move", "chown"):
        setattr(shutil, name, None)
    subprocess.Popen = None  # type: ignore[misc, assignment]
    for name in ("exit", "quit", "help"):
        setattr(builtins, name, None)
    for name in ("ipdb", "joblib", "resource", "psutil", "tkinter"):
        sys.modules[name] = None  # type: ignore[assignment]


def published_check(job: Job) -> Answer:
    """The rules of human-eval-infilling's execution.py at 88062ff, with its commented line in force: program
    and tests are one text, and what runs to its end without an exception has passed."""
    _silence()
    _guard()
    try:
        with _alarm(job["seconds"]):
            exec(job["source"], {})
    except _Alarm:
        return {"passed": False, "error": "timed out"}
    except BaseException as error:
        return {"passed": False, "error": f"failed: {described(error)}"}
    return {"passed": True}


SINGLE: dict[str, Callable[[Job], Answer]] = {
    "call": call,
    "published-call": published_call,
    "published-check": published_check,
}
