"""What of a step travels to each of two ranks; prints it. Run by distributed.test.ts."""

from __future__ import annotations

import json

from repro_worker.world import share_of


def main() -> None:
    names = ["0/x", "1/x", "scalar/rate", "2/x", "3/x", "3/empty"]
    shapes = [[2, 3], [2, 3], [], [4, 3], [4, 3], [0, 3]]
    tensors = [{"name": n, "dtype": "f32", "shape": s} for n, s in zip(names, shapes, strict=True)]
    found = []
    for rank in range(2):
        header, places = share_of({"type": "step", "tensors": tensors}, rank, 2)
        found.append({"names": [item["name"] for item in header["tensors"]], "places": places})
    print(json.dumps(found))


main()
