"""Late answers: what is begun before they are written, and in which order all are. Run by answers.test.ts."""

from __future__ import annotations

import io
import json
import threading

import torch

from repro_worker.answers import Answers, Late, late
from repro_worker.frames import Header, read_frame, unpack


def failing() -> None:
    raise RuntimeError("the device is lost")


def main() -> None:
    sink = io.BytesIO()
    said: list[str] = []

    def failed(error: Exception) -> Header:
        return {"type": "error", "message": str(error)}

    answers = Answers(sink, failed)
    first = threading.Event()

    def until_first() -> None:
        first.wait()

    answers.later({"type": "result", "id": 1}, Late({"loss": torch.tensor(1.5)}, until_first))
    answers.later({"type": "result", "id": 2}, late({"loss": torch.tensor(2.5)}))
    said.append(f"two steps are begun, {len(sink.getvalue())} bytes are written")
    first.set()
    answers.drain()
    answers.later({"type": "result", "id": 3}, Late({}, failing))
    answers.later({"type": "result", "id": 4}, late({}))
    answers.now({"type": "result", "id": 5}, {"state": torch.arange(3)})
    stream = io.BytesIO(sink.getvalue())
    found = []
    while True:
        try:
            header, payload = read_frame(stream)
        except EOFError:
            break
        values = {name: t.tolist() for name, t in unpack(header, payload).items()}
        found.append([header.get("id", header.get("message")), values])
    print(json.dumps({"said": said, "found": found}))


main()
