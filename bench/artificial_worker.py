"""The worker of `repro` with a device that computes nothing and takes its time. Started by device-waits.ts.

    python3 artificial_worker.py MILLISECONDS LATE

A step takes MILLISECONDS on the device, whose queue it enters at once, as a kernel enters a GPU's; its
results are on the host LATE milliseconds after its end. What is read as the state of a job is what the device
knows of its time: milliseconds between its first and last step that it `worked` and `waited` with nothing in
its queue. Everything else, frames, batches and answers, is the real worker's.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python" / "repro_worker"))

import torch  # noqa: E402

from repro_worker import server  # noqa: E402
from repro_worker.answers import Late  # noqa: E402
from repro_worker.frames import Header, Tensors, unpack  # noqa: E402
from repro_worker.settings import Settings  # noqa: E402
from repro_worker.world import World  # noqa: E402


class Device:
    """Steps one after another, each for its time, while the process goes on."""

    def __init__(self, step: float, late: float) -> None:
        self._step, self._late = step, late
        self._queue: queue.Queue[threading.Event] = queue.Queue()
        self.worked = self.waited = 0.0
        threading.Thread(target=self._run, daemon=True).start()

    def launch(self) -> Late:
        """Resembles `late` of a GPU's results."""
        arrived = threading.Event()
        self._queue.put(arrived)
        values = {"loss": torch.ones([]), "gradNorm": torch.ones([])}
        return Late(values, lambda: self._arrival(arrived))

    def _arrival(self, ended: threading.Event) -> None:
        ended.wait()
        time.sleep(self._late)

    def _run(self) -> None:
        free: float | None = None
        while True:
            ended = self._queue.get()
            begun = time.perf_counter()
            if free is not None:
                self.waited += begun - free
            time.sleep(self._step)
            free = time.perf_counter()
            self.worked += free - begun
            ended.set()


class ArtificialServer(server.Server):
    def __init__(self, settings: Settings, world: World) -> None:
        super().__init__(settings, world)
        self._device = Device(*(float(value) / 1000 for value in sys.argv[1:3]))

    def answer(self, header: Header, payload: bytearray) -> Tensors | Late:
        tensors = unpack(header, payload)
        if header["type"] == "step":
            for tensor in tensors.values():  # a batch travels, also where nothing is computed of it
                self._settings.to_device(tensor)
            return self._device.launch()
        if header["type"] == "read":
            times = {"worked": self._device.worked, "waited": self._device.waited}
            return {name: torch.tensor(1000 * seconds) for name, seconds in times.items()}
        return {}


if __name__ == "__main__":
    server.main(ArtificialServer)
