"""Entry point: `python -m repro_worker`, or the same under torchrun."""

from repro_worker.server import main

main()
