"""Reads requests, runs them, and answers in order until the input ends."""

from __future__ import annotations

import os
import sys
import traceback
from typing import BinaryIO

import torch

from repro_worker.errors import WorkerError, describe
from repro_worker.frames import PROTOCOL, FrameError, Header, Tensors, read_frame, write_frame
from repro_worker.jobs import Evaluator, Job, Trainer, micro_batches, with_prefix
from repro_worker.ranks import Ranks
from repro_worker.runtime import Runtime

SHARED = frozenset(["hello", "trainer", "program", "step", "dispose"])
"""Requests that every rank takes part in; the others concern rank 0 alone."""

Answer = tuple[Header, Tensors]


class Worker:
    """The jobs of one process."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._runtime: Runtime | None = None
        self._jobs: dict[int, Job] = {}

    def handle(self, header: Header, tensors: Tensors) -> Answer:
        kind = header["type"]
        if kind == "hello":
            return self._hello(header), {}
        runtime, job = self._runtime, header["id"]
        if runtime is None:
            raise WorkerError("protocol", f"a request of type {kind} came before hello")
        if kind == "trainer":
            loss, apply, exact = header["loss"], header["apply"], header["exact"]
            self._jobs[job] = Trainer(runtime, self._ranks, loss, apply, exact, tensors)
        elif kind == "evaluator":
            self._jobs[job] = Evaluator(runtime, header["graph"], tensors)
        elif kind == "program":
            self._trainer(job).add(header["program"], header["loss"], tensors)
        elif kind == "step":
            count = header["micro"]
            micro = micro_batches(tensors, count, self._ranks.rank, self._ranks.world)
            results = self._trainer(job).step(
                header["program"], micro, count, with_prefix(tensors, "scalar/")
            )
            return {"type": "done"}, results
        elif kind == "read":
            return {"type": "done"}, self._trainer(job).read()
        elif kind == "evaluate":
            evaluator = self._jobs[job]
            if not isinstance(evaluator, Evaluator):
                raise WorkerError("fault", f"job {job} is no evaluator")
            return {"type": "done"}, evaluator.run(tensors)
        elif kind == "dispose":
            self._jobs.pop(job, None)
        else:
            raise WorkerError("protocol", f"protocol mismatch: the worker has no request of type {kind}")
        return {"type": "done"}, {}

    def part(self, header: Header, tensors: Tensors, rank: int) -> Answer:
        """What another rank needs of a request."""
        if header["type"] != "step":
            return header, tensors
        world = self._ranks.world
        mine = {
            name: tensor
            for name, tensor in tensors.items()
            if not (lead := name.partition("/")[0]).isdigit() or int(lead) % world == rank
        }
        return header, mine

    def _trainer(self, job: int) -> Trainer:
        trainer = self._jobs[job]
        if not isinstance(trainer, Trainer):
            raise WorkerError("fault", f"job {job} is no trainer")
        return trainer

    def _hello(self, header: Header) -> Header:
        if header["protocol"] != PROTOCOL:
            theirs = header["protocol"]
            raise WorkerError(
                "protocol", f"protocol mismatch: the worker speaks {PROTOCOL}, this program {theirs}"
            )
        self._runtime = runtime = Runtime(header, self._ranks)
        return {
            "type": "ready",
            "protocol": PROTOCOL,
            "torch": torch.__version__,
            "device": runtime.words,
            "world": self._ranks.world,
            "compile": runtime.compilation,
        }


def serve(worker: Worker, ranks: Ranks, requests: BinaryIO, answers: BinaryIO) -> None:
    """Rank 0: answers until the input ends."""
    while True:
        try:
            header, tensors = read_frame(requests)
        except EOFError:
            break
        shared = ranks.world > 1 and header["type"] in SHARED
        try:
            if shared:
                ranks.send(lambda rank, h=header, t=tensors: worker.part(h, t, rank))  # type: ignore[misc]
            answer, results = worker.handle(header, tensors)
            write_frame(answers, answer, results)
        except BrokenPipeError:
            break
        except Exception as error:
            traceback.print_exc()
            told = describe(error)
            cure = {} if told.cure is None else {"cure": told.cure}
            write_frame(answers, {"type": "error", "kind": told.kind, "message": str(told), **cure})
            if shared:  # the other ranks wait for a sum that will not come
                sys.exit(1)
    ranks.send(lambda _: ({"type": "exit"}, {}))


def follow(worker: Worker, ranks: Ranks) -> None:
    """Other ranks: do their part until rank 0 ends."""
    while True:
        header, tensors = ranks.receive()
        if header["type"] == "exit":
            return
        worker.handle(header, tensors)


def main() -> None:
    # Whatever a library prints must not come between frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        ranks = Ranks()
        worker = Worker(ranks)
        if ranks.rank == 0:
            serve(worker, ranks, sys.stdin.buffer, answers)
        else:
            follow(worker, ranks)
        ranks.close()
    except FrameError as error:
        print(f"the worker's input is not its protocol: {error}", file=sys.stderr)
        sys.exit(2)
