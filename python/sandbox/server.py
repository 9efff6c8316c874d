"""The fork server inside the sandbox: locked children for each program, nothing of one left to the next.

A job is a header and one or two parts. The server reads the header alone; a child reads its part itself,
before it is locked. So no program, test or answer of another job was ever in the memory that a child begins
with: a program finds nothing there, however long it searches. Answers pass through one buffer that is
cleared.

Each child has no standard streams, no descriptor but its own pipes, its own seccomp filter, and limits of
memory, processor time, wall time and output. What is over is killed by the server, from outside.

Not protected against: faults of the kernel or of the interpreter's C code that the filter does not keep
away, and side channels of the processor. The standard library and the system's shared libraries are
readable.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import programs  # noqa: E402
from filter import Lock, supported  # noqa: E402

PROTOCOL = 2
# kind, bytes of the tests' part and of the program's, seconds of processor and wall time, bytes of memory
# and of the answer
REQUEST = struct.Struct(">BIIddQI")
# fault, limit that was passed, exit, seconds of processor and wall time, bytes of the answer, which follows
REPORT = struct.Struct(">BBiddI")
KINDS = ("call", "check", "published-call", "published-check")
LIMITS = {None: 0, "cpu": 1, "wall": 2, "output": 3}
MAX_ANSWER = 16 << 20


class Limits(NamedTuple):
    cpu: float
    wall: float
    memory: int
    output: int


class Fault(Exception):
    """The server itself failed; the stream of jobs may be out of step, so it ends."""


def _exactly(stream: int, size: int) -> bytes | None:
    """So many bytes; None at the end of the stream."""
    parts = []
    while size > 0:
        part = os.read(stream, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(stream: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while len(view):
        view = view[os.write(stream, view) :]


def _lock_down(lock: Lock, limits: Limits, keep: list[int]) -> None:
    """Descriptors 0 to 2 are the null device, 3 and up those of `keep`; everything else is closed."""
    null = os.open("/dev/null", os.O_RDWR)
    # First above everything that is in use, so that no copy overwrites one that is still needed.
    high = [os.dup2(fd, 200 + index) for index, fd in enumerate([null, null, null, *keep])]
    for target, fd in enumerate(high):
        os.dup2(fd, target)
    os.closerange(len(high), 4096)
    lock.die_with_parent()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for what, value in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, int(limits.cpu) + 2),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (value, value))
    lock.close()


class Child:
    """A process of one job."""

    def __init__(
        self,
        lock: Lock,
        limits: Limits,
        jobs: int,
        size: int,
        pipes: list[int],
        work: Callable[..., None],
    ) -> None:
        """Fork; the child reads its part of the job from `jobs`, is locked, and has the pipes alone."""
        taken_out, taken_in = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                part = _exactly(jobs, size)
                if part is None:
                    os._exit(1)
                job = json.loads(part)
                del part
                os.write(taken_in, b"t")
                _lock_down(lock, limits, pipes)
                work(job, *range(3, 3 + len(pipes)))
            finally:
                os._exit(0)
        self.status: int | None = None
        self._cpu = 0.0
        os.close(taken_in)
        taken = os.read(taken_out, 1)
        os.close(taken_out)
        if taken != b"t":
            self.end()
            raise Fault("a child ended before it had read its job")

    def cpu(self) -> float:
        """Seconds of processor time so far: the clock of the process, or what it used when it ended."""
        if self.status is None:
            try:
                self._cpu = time.clock_gettime((~self.pid << 3) | 2)
            except OSError:
                pass
        return self._cpu

    def _note(self, status: int, usage: resource.struct_rusage) -> None:
        self.status = status
        self._cpu = usage.ru_utime + usage.ru_stime

    def end(self) -> None:
        """Kill and reap. Nothing else of it is left: it could not make a process."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            _, status, usage = os.wait4(self.pid, 0)
            self._note(status, usage)

    def reap(self, patience: float) -> None:
        """Wait for a child that has closed its pipe and so is ending; one that is not is killed."""
        deadline = time.monotonic() + patience
        while self.status is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._note(status, usage)
            elif time.monotonic() > deadline:
                self.end()
            else:
                time.sleep(0.0005)


class Server:
    def __init__(self, jobs: int, reports: int) -> None:
        self._jobs, self._reports = jobs, reports
        self._lock = Lock()
        self._buffer = bytearray(MAX_ANSWER)

    def _collect(self, reader: int, children: list[Child], limits: Limits) -> tuple[str | None, int]:
        """The limit that was passed, or None, and the number of bytes of the answer in the buffer."""
        view = memoryview(self._buffer)
        start, count = time.monotonic(), 0
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        while True:
            cpu = limits.cpu - max(child.cpu() for child in children)
            wall = limits.wall - (time.monotonic() - start)
            if cpu <= 0 or wall <= 0:
                return ("cpu" if cpu <= 0 else "wall"), count
            if not poll.poll(1000 * min(cpu, wall) + 1):
                continue
            more = os.readv(reader, [view[count : limits.output + 1]])
            count += more
            if more == 0:
                return None, count
            if count > limits.output:
                return "output", count

    def _fork(self, kind: str, sizes: tuple[int, int], limits: Limits, answer: int) -> list[Child]:
        """The children of a job; the last one answers."""
        if kind != "check":
            work = programs.SINGLE[kind]
            return [
                Child(
                    self._lock,
                    limits,
                    self._jobs,
                    sizes[1],
                    [answer],
                    lambda job, to: programs.send(to, work(job)),
                )
            ]
        requests_out, requests_in = os.pipe()
        results_out, results_in = os.pipe()
        children: list[Child] = []
        try:
            children.append(
                Child(
                    self._lock,
                    limits,
                    self._jobs,
                    sizes[0],
                    [answer, requests_in, results_out],
                    lambda job, to, asks, hears: programs.send(to, programs.check(job, asks, hears)),
                )
            )
            children.append(
                Child(self._lock, limits, self._jobs, sizes[1], [requests_out, results_in], programs.serve)
            )
        except BaseException:
            for child in children:
                child.end()
            raise
        finally:
            for pipe in (requests_out, requests_in, results_out, results_in):
                os.close(pipe)
        return [children[1], children[0]]

    def _run(self, kind: str, sizes: tuple[int, int], limits: Limits) -> None:
        start = time.monotonic()
        reader, writer = os.pipe()
        children: list[Child] = []
        try:
            children = self._fork(kind, sizes, limits, writer)
            os.close(writer)
            writer = -1
            over, count = self._collect(reader, children, limits)
            if over is None:
                children[-1].reap(1.0)
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)
            for child in children:
                child.end()
        cpu = max(child.cpu() for child in children)
        code = os.waitstatus_to_exitcode(children[-1].status or 0)
        size = count if over is None else 0
        _write(self._reports, REPORT.pack(0, LIMITS[over], code, cpu, time.monotonic() - start, size))
        _write(self._reports, memoryview(self._buffer)[:size])
        self._buffer[:count] = bytes(count)

    def serve(self) -> None:
        while (header := _exactly(self._jobs, REQUEST.size)) is not None:
            kind, tests, program, cpu, wall, memory, output = REQUEST.unpack(header)
            limits = Limits(cpu, wall, memory, min(output, MAX_ANSWER - 1))
            try:
                self._run(KINDS[kind], (tests, program), limits)
            except Exception as error:
                words = f"{type(error).__name__}: {error}".encode()[:1000]
                _write(self._reports, REPORT.pack(1, 0, 0, 0.0, 0.0, len(words)) + words)
                return


def main() -> None:
    if not supported():
        sys.exit("there is no seccomp filter for this processor")
    for name in programs.PRELOADED:
        __import__(name)
    jobs, reports = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)
    server = Server(jobs, reports)
    gc.collect()
    gc.freeze()
    version: tuple[Any, ...] = sys.version_info[:3]
    hello = json.dumps({"ready": PROTOCOL, "python": ".".join(map(str, version))}).encode("ascii")
    _write(reports, struct.pack(">I", len(hello)) + hello)
    server.serve()


if __name__ == "__main__":
    main()
