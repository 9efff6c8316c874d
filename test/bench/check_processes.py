"""Parts of a bundle where a forked process cannot start the GPU, and where none can. Run by bundle.test.ts.

python3 check_processes.py BUNDLE
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])

import measure  # noqa: E402
import parts  # noqa: E402
import torch  # noqa: E402

LOOK = {"part": 0, "name": "machine", "task": "machine", "arguments": {}}


def refused(device: str) -> None:
    """What CUDA says in a fork of a process that had touched it; a spawned one does not inherit this."""
    sys.stderr.write("RuntimeError: Cannot re-initialize CUDA in forked subprocess\n")
    sys.stderr.flush()
    os._exit(parts.UNUSABLE)


def main() -> None:
    cuda: Any = torch.cuda
    untouched = not cuda.is_initialized()
    parts.start_device = refused
    with tempfile.TemporaryDirectory() as folder:
        processes = measure.Processes(Path(folder))
        first = processes.run(LOOK, "cpu", 100.0)
        second = processes.run(LOOK, "cpu", 100.0)
        # This machine has no GPU, so a spawned process cannot start one either.
        none = processes.run(LOOK, "cuda", 100.0) if not torch.cuda.is_available() else None
    print(
        json.dumps(
            {
                "untouched": untouched,
                "statuses": [first["status"], second["status"]],
                "torch": first["found"].get("torch") == torch.__version__,
                "note": processes.note,
                "none": none and [none["status"], len(none["errors"])],
            }
        )
    )


if __name__ == "__main__":
    main()
