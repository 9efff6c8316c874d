"""Workers for tests, forked from one process that has loaded PyTorch, which takes seconds each time.

    python fork_server.py SOCKET

`fork_client.py` stands where the worker's process would: it sends its standard streams, its environment
and the number of processes, and ends as they end. A worker that ended is a line on standard output: its
seconds of processors, and whose it was; the first line is what loading took.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any, NoReturn

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "..", "python", "repro_worker"))

import torch._dynamo  # noqa: E402  # what recomputation loads at its first use
from fork_exit import exit_code  # noqa: E402

from repro_worker import server  # noqa: E402
from repro_worker.death import PARENT, end_with_parent  # noqa: E402


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ranks(processes: int) -> list[dict[str, str]]:
    """What torchrun says to each process of one machine; nothing to one that is alone."""
    if processes == 1:
        return [{}]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    size = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    return [{**meeting, **size, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]


def _serve(streams: list[int], environment: dict[str, str]) -> NoReturn:
    """The worker, as `python -m repro_worker` would run it."""
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(environment)
    code = 0
    try:
        server.main()
    except SystemExit as end:
        code = exit_code(end)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _request(connection: socket.socket) -> tuple[list[int], dict[str, Any]]:
    start, streams, _, _ = socket.recv_fds(connection, 4, 3)
    size = int.from_bytes(start, "little")
    with connection.makefile("rb") as stream:
        return streams, json.loads(stream.read(size))


def _handle(connection: socket.socket) -> NoReturn:
    """Forks what one client asked for, and watches both: what a client leaves behind ends with it."""
    end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    streams, request = _request(connection)
    os.chdir(request["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    running: dict[int, int] = {}
    for number, said in enumerate(_ranks(request["processes"])):
        # The parent of a rank is its launcher, as with torchrun.
        own = {PARENT: str(os.getpid())} if request["processes"] > 1 else {}
        pid = os.fork()
        if pid == 0:
            first = streams[0] if number == 0 else nothing
            _serve([first, *streams[1:]], {**request["environment"], **said, **own})
        running[os.pidfd_open(pid)] = pid
    for stream in streams:
        os.close(stream)
    result = 0
    while running:
        watched: list[Any] = [connection, *running]
        for descriptor in select.select(watched, [], [])[0]:
            if not isinstance(descriptor, int):
                os._exit(1)  # the client is gone, and what it asked for ends with this process
            _, status = os.waitpid(running.pop(descriptor), 0)
            code = os.waitstatus_to_exitcode(status)
            if code != 0 and result == 0:
                result = code
                for pid in running.values():
                    os.kill(pid, signal.SIGKILL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = f"{used.ru_utime + used.ru_stime:.2f} {request['environment'].get('REPRO_TEST_FILE', '')}\n"
    os.write(1, line.encode())
    connection.sendall(str(result).encode())
    os._exit(0)


def main(path: str) -> NoReturn:
    assert torch._dynamo is not None
    end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a handler
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}.part")
    listener.listen(64)
    os.rename(f"{path}.part", path)  # one that is there answers
    os.write(1, f"{time.process_time():.2f} \n".encode())
    gc.freeze()  # a collection in a child would copy the pages of every module
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _handle(connection)
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
