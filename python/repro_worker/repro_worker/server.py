"""Reads requests, answers each in order, and ends with its input."""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from typing import BinaryIO, NoReturn

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts

import torch  # noqa: E402

from repro_worker.answers import Answers, Late, late  # noqa: E402
from repro_worker.death import end_with_parent  # noqa: E402
from repro_worker.frames import PROTOCOL, Header, Tensors, read_frame, unpack, write_frame  # noqa: E402
from repro_worker.graph import UnknownOperation  # noqa: E402
from repro_worker.ops import trials  # noqa: E402
from repro_worker.settings import Refusal, Settings, device_name, open_settings  # noqa: E402
from repro_worker.trainer import Evaluator, Trainer  # noqa: E402
from repro_worker.weights import load_weights, merge_updates  # noqa: E402
from repro_worker.world import World  # noqa: E402

_LOCAL = {"evaluator", "evaluate", "repeat", "read", "readWeights"}  # rank 0 alone


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """The protocol's streams; whatever else prints does so to standard error, and nothing else reads."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return source, sink


def _leave() -> NoReturn:
    """
    Ends the process with code 0, without the interpreter's teardown.

    On a busy machine the teardown aborts now and then in PyTorch's own threads ("terminate called without an
    active exception"), and torchrun reports a failed rank.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class Server:
    """The jobs of one worker process."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings, self._world = settings, world
        self._trainers: dict[int, Trainer] = {}
        self._evaluators: dict[int, Evaluator] = {}
        self._weights: dict[int, Tensors] = {}

    @property
    def bits(self) -> str:
        return self._settings.determinism.note

    @property
    def graphs(self) -> str:
        """What became of CUDA graphs, in words; empty where none were asked for, or none captured yet."""
        notes = [t.graphs.note for t in self._trainers.values() if t.graphs is not None]
        return notes[-1] if notes else ""

    def answer(self, header: Header, payload: bytearray) -> Tensors | Late:
        """
        A request that is refused for want of a deterministic operation is answered without one, and one for
        which CUDA graphs leave too little memory without them. The results of a step are late: whoever asks
        for the next step does not wait for them.
        """
        try:
            results = self._answer(header, payload)
        except RuntimeError as error:  # the state changes after the last operation that can be refused
            if not (self._settings.determinism.loosen(error) or self._gives_up_graphs(error)):
                raise
            results = None
        if results is None:  # here, where the error no longer holds on to what was computed before it
            results = self._answer(header, payload)
        return late(results) if header["type"] == "step" else results

    def _gives_up_graphs(self, error: RuntimeError) -> bool:
        """Where memory did not suffice: whether there were graphs, whose memory is free now."""
        if not isinstance(error, torch.OutOfMemoryError):
            return False
        why = "with them the GPU's memory did not suffice"
        held = [t.graphs.give_up(why) for t in self._trainers.values() if t.graphs is not None]
        return any(held)

    def _peak(self) -> Tensors:
        """The most memory that tensors took on the GPU since this was last asked; nothing on a CPU."""
        device = self._settings.device
        if device.type != "cuda":
            return {}
        peak = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return {"mebibytes": torch.tensor([peak / 2**20], dtype=torch.float32)}

    def _answer(self, header: Header, payload: bytearray) -> Tensors:
        tensors = unpack(header, payload)
        kind, key = header["type"], header["id"]
        if kind == "weights":
            under = self._weights.get(header["over"], {})
            held = {**under, **load_weights(header, tensors, self._settings)}
            self._weights[key] = merge_updates(held, header.get("merged", []))
        elif kind == "readWeights":
            return {name: self._weights[key][name] for name in header["names"]}
        elif kind == "trainer":
            weights = self._weights.get(header["weights"], {})
            self._trainers[key] = Trainer(header, tensors, weights, self._settings, self._world)
        elif kind == "program":
            self._trainers[key].add_program(header["program"], header["loss"], tensors)
        elif kind == "step":
            return self._trainers[key].step(header, tensors)
        elif kind == "read":
            return self._trainers[key].read()
        elif kind == "evaluator":
            weights = self._weights.get(header["weights"], {})
            self._evaluators[key] = Evaluator(header, tensors, weights, self._settings)
        elif kind == "evaluate":
            return self._evaluators[key].run(header, tensors)
        elif kind == "repeat":
            return self._evaluators[key].repeat(header, tensors)
        elif kind == "memory":
            return self._peak()
        elif kind == "dispose":
            self._trainers.pop(key, None)
            self._evaluators.pop(key, None)
            self._weights.pop(key, None)
            if self._settings.device.type == "cuda":
                torch.cuda.empty_cache()
        else:
            raise Refusal("protocol", f"the worker knows no request {kind}")
        return {}


def _describe(error: Exception) -> Header:
    """What the parent is told of a failure."""
    first = str(error).strip().split("\n")[0]
    if isinstance(error, Refusal):
        return {"kind": error.kind, "message": first}
    if isinstance(error, UnknownOperation):
        return {"kind": "fault", "message": first}
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in first:
        wanted = re.search(r"[Tt]ried to allocate ([\d.]+ ?\w+)", first)
        amount = "" if wanted is None else f": {_gibibytes(wanted.group(1))} more were needed"
        if not isinstance(error, torch.OutOfMemoryError):
            return {"kind": "memory", "message": f"out of memory{amount}"}
        _, total = torch.cuda.mem_get_info()
        return {"kind": "memory", "message": f"out of the GPU's memory{amount}", "gpuBytes": total}
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return {"kind": "compile", "message": f"a program could not be compiled ({first})"}
    return {"kind": "fault", "message": f"{type(error).__name__}: {first}"}


def _gibibytes(text: str) -> str:
    """`123 bytes` as GiB; other units stay."""
    number, unit = re.fullmatch(r"([\d.]+) ?(\w+)", text).groups()  # type: ignore[union-attr]
    return f"{float(number) / 2**30:.1f} GiB" if unit == "bytes" else f"{number} {unit}"


def _failed(error: Exception) -> Header:
    traceback.print_exception(error, file=sys.stderr)
    return {"type": "error", **_describe(error)}


def _greet(source: BinaryIO, sink: BinaryIO, world: World) -> Settings:
    """The handshake. Exits where it fails."""
    header: Header | None = None
    if world.rank == 0:
        header, _ = read_frame(source)
    hello, _ = world.share(header, bytearray())
    try:
        if hello.get("type") != "hello" or hello.get("protocol") != PROTOCOL:
            spoken = hello.get("protocol", "unknown")
            raise Refusal(
                "protocol", f"protocol mismatch: this program speaks {spoken}, the worker {PROTOCOL}"
            )
        settings = open_settings(hello, world.local_rank, world.local_size)
        world.use_device(settings.device)
        if settings.device.type == "cuda":
            settings.determinism.trial(trials(settings.device))
    except Exception as error:
        if world.rank == 0:
            write_frame(sink, _failed(error))
        sys.exit(1)
    ready = {
        "type": "ready",
        "protocol": PROTOCOL,
        "torch": torch.__version__,
        "device": device_name(settings),
        "world": world.size,
        "compile": settings.compile_note,
        "bits": settings.determinism.note,
    }
    if world.rank == 0:
        write_frame(sink, ready)
    return settings


def _lead(source: BinaryIO, sink: BinaryIO, server: Server, world: World) -> None:
    """Rank 0: answers requests until the input ends. A step's results follow while the next one is begun."""
    answers = Answers(sink, _failed)
    while True:
        try:
            header, payload = read_frame(source)
        except EOFError:
            answers.drain()
            world.share({"type": "end"}, bytearray())
            return
        if header["type"] not in _LOCAL:
            header, payload = world.share(header, payload)
        try:
            results = server.answer(header, payload)
            said = {"type": "result", "bits": server.bits, "graphs": server.graphs}
            if isinstance(results, Late):
                answers.later(said, results)
            else:
                answers.now(said, results)
        except (BrokenPipeError, KeyboardInterrupt):
            raise
        except Exception as error:
            answers.now(_failed(error))
            if world.size > 1:  # the other ranks may wait for a sum that never comes
                sys.exit(1)


def _follow(server: Server, world: World) -> None:
    """The other ranks: do as rank 0 does."""
    while True:
        header, payload = world.share(None, bytearray())
        if header["type"] == "end":
            return
        server.answer(header, payload)


def main(serve: Callable[[Settings, World], Server] = Server) -> None:
    """Serves the parent on standard input and output. `serve`: another server than the worker's own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = _private_streams()
    end_with_parent()  # a long step does not outlive the process that asked for it
    world = World()
    settings = _greet(source, sink, world)
    server = serve(settings, world)
    if world.rank == 0:
        _lead(source, sink, server, world)
    else:
        _follow(server, world)
    world.close()
    _leave()
