"""Stands where a worker's process would, and has it forked by `fork_server.py`.

    python fork_client.py SOCKET ARGUMENTS

The arguments are those of the worker or of its launcher: `-u -m repro_worker.launch --nproc-per-node=2 ...`.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time

# As `repro_worker.death` has it: a worker ends with the program that started it, in the middle of a step
# too. The server sees this process end, and ends what it forked.
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
if os.environ.get("REPRO_WORKER_PARENT") not in (None, "", str(os.getppid())):
    sys.exit("the program that started this worker is gone")

path, arguments = sys.argv[1], sys.argv[2:]
counts = [int(text.split("=")[1]) for text in arguments if text.startswith("--nproc-per-node=")]
request = {
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "processes": counts[0] if counts else 1,
}
deadline = time.monotonic() + 180
while not os.path.exists(path):  # the server loads PyTorch
    if time.monotonic() > deadline:
        sys.exit(f"{path}: no server of forks answers")
    time.sleep(0.05)
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(path)
    text = json.dumps(request).encode()
    socket.send_fds(connection, [len(text).to_bytes(4, "little")], [0, 1, 2])
    connection.sendall(text)
    answer = connection.recv(16)
code = int(answer) if answer else 1
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
