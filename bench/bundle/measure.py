"""Measures a GPU in minutes: parts in order of worth, each in a process and under a time limit of its own.

    python3 measure.py --out results.json --minutes 8      # on a machine with an NVIDIA GPU
    python3 measure.py --out results.json --cpu-smoke      # the same with tiny shapes, on any machine

Needs Python 3.10 or newer and PyTorch; nothing else, and no network. A result is written after every part: a
cut loses nothing but what was being measured. Exit code: 0 when all that ran agreed and nothing failed, 3
when time ran out first, 1 when something failed or differed, 2 when it cannot start.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import multiprocessing.process
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing.context import ForkContext, SpawnContext
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).resolve().parent
FP32_JOBS = ["mdlm-tiny", "ar-tiny", "flexmdm-tiny", "tinygsm-tiny", "llada-tiny"]
# No part starts with less than this left of the whole, seconds.
LEAST = 12.0
# How a part ends that cannot start the GPU; the same in parts.py.
UNUSABLE = 86

Json = dict[str, Any]


def tasks(manifest: Json, smoke: bool) -> list[Json]:
    """
    Everything that is measured: what each part is for, in the order of the parts, then what says more of it,
    in the same order. Limits are seconds; an H100 needs about half of them.
    """
    listed: list[Json] = []

    def add(
        part: int, name: str, task: str, limit: float, /, more: bool = False, **arguments: object
    ) -> None:
        listed.append(
            {"part": part, "name": name, "task": task, "limit": limit, "more": more, "arguments": arguments}
        )

    count = 3 if smoke else 20
    compiled = not smoke
    mdlm = ["mdlm-tiny"] if smoke else [f"mdlm-paper-{b}" for b in manifest["batches"]]
    owt = ["flexmdm-tiny"] if smoke else ["owt-32"]
    gsm = ["tinygsm-tiny"] if smoke else ["tinygsm-32"]
    llada = ["llada-tiny"] if smoke else ["llada-1", "llada-4"]
    first, shared = mdlm[0], "mdlm-tiny-4" if smoke else "mdlm-paper-4"
    window = manifest["evaluations"][first]

    add(1, "parity fp32", "parity", 90, precision="fp32", compiled=False, jobs=FP32_JOBS)
    add(1, "parity bf16", "parity", 60, precision="bf16", compiled=False, jobs=FP32_JOBS)
    add(1, "parity of the published steps", "parity_published", 60)
    capturing: Json = {"jobs": FP32_JOBS, "precision": "fp32", "compiled": False, "steps": 6}
    add(1, "parity of captured steps", "captured", 60, **capturing)

    add(2, "MDLM, published step", "train_published", 60, jobs=mdlm[:4], mode="published", count=count)
    ours: Json = {"precision": "bf16", "compiled": compiled, "count": count}
    ends = sorted({mdlm[0], mdlm[-1]}, key=mdlm.index)
    add(2, "MDLM, ours", "train", 240, jobs=mdlm, digested=20, profiled=ends, **ours)
    # The last batch is the best so far; its profile says what stands between it and the card's peak.
    quick: Json = {"deterministic": False, "digested": 20, "profiled": ends[-1:], **ours}
    add(2, "MDLM, ours with bits left open", "train", 150, more=True, jobs=ends, **quick)
    plain: Json = {"graphs": False, "digested": 20, **ours}
    add(2, "MDLM, ours without CUDA graphs", "train", 60, more=True, jobs=mdlm[:1], **plain)
    if not smoke:
        add(
            2,
            "MDLM, published step compiled",
            "train_published",
            100,
            more=True,
            jobs=mdlm[:1],
            mode="compile-bf16",
            count=count,
        )
        tiny = ["mdlm-tiny", "flexmdm-tiny"]
        for kind in ("bf16", "fp32"):
            also: Json = {"precision": kind, "compiled": True, "jobs": tiny}
            add(1, f"parity {kind} compiled", "parity", 90, more=True, **also)

    steps, tokens = window["elboSteps"], window["orderTokens"]
    add(
        3,
        "evaluation, published",
        "evaluate_published",
        60,
        name=first,
        mode="eager-bf16",
        steps=steps,
        tokens=tokens,
    )
    common: Json = {"precision": "bf16", "compiled": compiled, "count": 3}
    add(3, "ELBO, ours", "passes", 60, file=f"{first}.elbo", units=1, unit="window", **common)
    add(3, "left to right, ours", "passes", 60, file=f"{first}.order", units=tokens, unit="token", **common)

    published = "eager-bf16" if smoke else "compile-bf16"
    for title, jobs in (("OWT", owt), ("TinyGSM", gsm)):
        last, further = jobs[-1], title == "TinyGSM"
        add(
            4,
            f"FlexMDM {title}, ours",
            "train",
            120,
            more=further,
            jobs=jobs,
            precision="bf16",
            compiled=compiled,
            count=10,
        )
        add(
            4,
            f"FlexMDM {title}, published",
            "train_published",
            90,
            more=further,
            jobs=jobs,
            mode=published,
            count=10,
        )
        add(
            4,
            f"FlexMDM {title} sampler, ours",
            "passes",
            60,
            more=True,
            file=f"{last}.sample",
            units=1,
            unit="pass",
            **common,
        )
        add(
            4,
            f"FlexMDM {title} sampler, published",
            "sample_published",
            60,
            more=True,
            name=last,
            mode=published,
            count=10,
        )

    add(5, "LLaDA LoRA step", "train", 120, jobs=llada, precision="bf16", compiled=compiled, count=5)
    add(5, "LLaDA LoRA step, transformers", "train_published", 90, jobs=llada, mode="published", count=5)
    add(5, "LLaDA sampler", "passes", 90, file=f"{llada[-1]}.sample", units=1, unit="pass", **common)
    add(5, "LLaDA sampler, transformers", "sample_published", 60, name=llada[-1], mode="published", count=5)

    add(6, "determinism, second run", "bits", 60, name=first, precision="bf16", compiled=compiled, steps=20)

    worlds = [1, 2] if smoke else [1, 2, 4]
    add(
        7, "ranks", "ranks", 180, name=shared, precision="bf16", compiled=compiled, worlds=worlds, count=count
    )
    return sorted(listed, key=lambda task: (task["more"], task["part"]))


def write_atomic(path: Path, value: object) -> None:
    beside = path.with_name(f"{path.name}.part")
    with open(beside, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def driver() -> str | None:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout.split(
            "\n"
        )[0]
    except (OSError, subprocess.SubprocessError):
        return None


def part(arguments: list[str], folder: Path, errors: Path) -> None:
    """In the task's own process: what it says goes to a file, and what it starts is of its group."""
    os.setsid()
    os.chdir(folder)
    with open(os.devnull, "rb") as nothing, open(errors, "wb") as sink:
        os.dup2(nothing.fileno(), 0)
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    import parts

    parts.main(arguments)


def end(process: multiprocessing.process.BaseProcess) -> None:
    """The task and what it started."""
    assert process.pid is not None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # it has not come so far as to have a group
        process.kill()
    process.join()


class Processes:
    """
    Starts tasks. A forked one has PyTorch loaded, and is the first to touch the GPU in its process: this one
    never does. Where a forked one cannot start the GPU all the same, it and those after it are spawned, which
    load PyTorch by themselves; `why` keeps what it said.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._method: Literal["fork", "spawn"] = "fork"
        self.why: str | None = None

    @property
    def note(self) -> str:
        return "forked" if self.why is None else f"spawned: forked ones cannot start the GPU ({self.why})"

    def run(self, task: Json, device: str, seconds: float) -> Json:
        """One task in a process group of its own; what it had found when it ended, and how it ended."""
        start = time.monotonic()
        code, found, said = self._once(task, device, seconds)
        if code == UNUSABLE and self._method == "fork":
            self._method, self.why = "spawn", said[-1]
            code, found, said = self._once(task, device, max(1.0, seconds - (time.monotonic() - start)))
        status = (
            "ok" if code == 0 else f"stopped at its limit of {seconds:.0f} s" if code is None else "failed"
        )
        return {
            "part": task["part"],
            "name": task["name"],
            "status": status,
            "seconds": round(time.monotonic() - start, 1),
            **({"errors": said} if code not in (0, None) else {}),
            "found": found,
        }

    def _once(self, task: Json, device: str, seconds: float) -> tuple[int | None, Json, list[str]]:
        """Exit code, None where its time ended; what was found; the last lines that it said."""
        out, errors = self._folder / "found.json", self._folder / "errors.txt"
        for old in (out, errors):
            old.unlink(missing_ok=True)
        arguments = ["--task", task["task"], "--device", device, "--arguments", json.dumps(task["arguments"])]
        arguments += ["--out", str(out.resolve()), "--seconds", str(seconds)]
        context: ForkContext | SpawnContext = multiprocessing.get_context("fork")
        if self._method == "spawn":
            context = multiprocessing.get_context("spawn")
        process = context.Process(target=part, args=(arguments, self._folder, errors))
        try:
            process.start()
            process.join(seconds)
            code = process.exitcode
        finally:
            end(process)
        found: Json = json.loads(out.read_text()) if out.exists() else {}
        said = errors.read_text(errors="replace") if errors.exists() else ""
        return code, found, said.strip().split("\n")[-12:]


def machine(processes: Processes, device: str) -> Json:
    """Versions and cards. Exits with 2 where a GPU is wanted and there is none."""
    looked = processes.run({"part": 0, "name": "machine", "task": "machine", "arguments": {}}, device, 120.0)
    found = looked["found"]
    if not found.get("cards") and device == "cuda":
        said = looked.get("errors", ["PyTorch sees none"])[-1]
        sys.stderr.write(f"no GPU can be used here ({said}); --cpu-smoke runs tiny shapes on the CPU\n")
        sys.exit(2)
    return {**found, "driver": driver(), "python": platform.python_version(), "cores": os.cpu_count()}


def verdicts(results: list[Json]) -> list[Json]:
    """The ratios that are asked for, where both of their sides were measured."""
    found = {r["name"]: r["found"] for r in results}

    def best(name: str) -> Json | None:
        rows: list[Json] = [r for r in found.get(name, {}).get("rows", {}).values() if "tokensPerSecond" in r]
        return max(rows, key=lambda r: r["tokensPerSecond"], default=None)

    def at(name: str, key: str) -> Json | None:
        row: Json | None = found.get(name, {}).get("rows", {}).get(key)
        return row if row and "tokensPerSecond" in row else None

    listed: list[Json] = []

    def add(what: str, value: float | None, target: float | None = None) -> None:
        if value is not None:
            listed.append(
                {
                    "what": what,
                    "value": value,
                    **({} if target is None else {"target": target, "met": value >= target}),
                }
            )

    def ratio(mine: Json | None, base: Json | None) -> float | None:
        if mine is None or base is None:
            return None
        rate, against = float(mine["tokensPerSecond"]), float(base["tokensPerSecond"])
        return rate / against

    ours = found.get("MDLM, ours", {}).get("rows", {})
    if ours:
        first = next(iter(ours))
        add(
            "MDLM step, same batch, times the published",
            ratio(at("MDLM, ours", first), at("MDLM, published step", first)),
            2.5,
        )
        add(
            "MDLM step, best batch, times the published at 8",
            ratio(best("MDLM, ours"), at("MDLM, published step", first)),
            2.5,
        )
        add("MDLM step, best batch of each", ratio(best("MDLM, ours"), best("MDLM, published step")))
        add(
            "MDLM step, same batch, times compiled",
            ratio(at("MDLM, ours", first), at("MDLM, published step compiled", first)),
        )
        both = [r for n in ("MDLM, ours", "MDLM, ours with bits left open") if (r := best(n)) is not None]
        shares = [r["utilisation"] for r in both if "utilisation" in r]
        add("MDLM model FLOPs utilisation at the best batch", max(shares, default=None), 0.47)
        add(
            "MDLM step with bits left open, same batch, times the published",
            ratio(at("MDLM, ours with bits left open", first), at("MDLM, published step", first)),
        )
    theirs = found.get("evaluation, published", {})
    for what, name, key in (
        ("ELBO", "ELBO, ours", "elbo"),
        ("left to right", "left to right, ours", "order"),
    ):
        if "secondsPerUnit" in found.get(name, {}) and key in theirs:
            add(
                f"{what}, times the published",
                theirs[key]["secondsPerUnit"] / found[name]["secondsPerUnit"],
                3,
            )
    for title in ("OWT", "TinyGSM"):
        add(
            f"FlexMDM {title} step, times the published",
            ratio(best(f"FlexMDM {title}, ours"), best(f"FlexMDM {title}, published")),
        )
        mine, base = (
            found.get(f"FlexMDM {title} sampler, ours", {}),
            found.get(f"FlexMDM {title} sampler, published", {}),
        )
        if "secondsPerUnit" in mine and "secondsPerUnit" in base:
            add(
                f"FlexMDM {title} sampler, times the published",
                base["secondsPerUnit"] / mine["secondsPerUnit"],
            )
    tuned, plain = best("LLaDA LoRA step"), best("LLaDA LoRA step, transformers")
    add("LLaDA LoRA step, times transformers with peft", ratio(tuned, plain), 1.5)
    add("LLaDA LoRA step, model FLOPs utilisation", (tuned or {}).get("utilisation"), 0.45)
    pair = [found.get(f"LLaDA sampler{side}", {}).get("secondsPerUnit") for side in ("", ", transformers")]
    if None not in pair:
        add("LLaDA sampler's pass, times transformers", pair[1] / pair[0], 2)

    def same(what: str, one: str, other: str) -> None:
        digests = [found.get(name, {}).get("digest") for name in (one, other)]
        if None not in digests:
            equal = digests[0] == digests[1]
            listed.append({"what": what, "value": equal, "target": True, "met": equal})

    same("two runs end with the same bits", "MDLM, ours", "determinism, second run")
    same("CUDA graphs leave the bits as they are", "MDLM, ours", "MDLM, ours without CUDA graphs")
    return listed


def asked_for(task: Json, only: list[str] | None) -> bool:
    return only is None or any(
        t == str(task["part"]) or (not t.isdigit() and t.lower() in task["name"].lower()) for t in only
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where results are written")
    parser.add_argument("--minutes", type=float, default=8.0, help="for everything together (default 8)")
    parser.add_argument("--cpu-smoke", action="store_true", help="tiny shapes on the CPU")
    parser.add_argument(
        "--only", metavar="TEXT", nargs="+", help="only parts with such a number, or such text in their names"
    )
    given = parser.parse_args()
    try:
        manifest = json.loads((HERE / "manifest.json").read_text())
    except OSError as error:
        sys.stderr.write(f"{HERE} is no whole bundle ({error.strerror}: manifest.json); write it again\n")
        return 2
    if not given.out.resolve().parent.is_dir() or given.minutes <= 0:
        sys.stderr.write(f"--out {given.out} needs a folder that is there, and --minutes a number above 0\n")
        return 2
    if manifest["tiny"] and not given.cpu_smoke:
        sys.stderr.write(
            "this bundle holds the small jobs alone (--quick): write a whole one, or add --cpu-smoke\n"
        )
        return 2
    wanted = [t for t in tasks(manifest, given.cpu_smoke) if asked_for(t, given.only)]
    if not wanted:
        sys.stderr.write(
            f"--only {' '.join(given.only)} names no part: give a number from 1 to 7, or a piece of a name\n"
        )
        return 2
    device = "cpu" if given.cpu_smoke else "cuda"
    if given.cpu_smoke:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # its tensors are too small to divide
    begun = time.monotonic()
    try:
        load(wanted)
    except ImportError as error:
        sys.stderr.write(
            f"{sys.executable} has no PyTorch that loads ({error}); run this with a Python that has\n"
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        return measured(given, manifest, wanted, device, begun, Processes(Path(folder)))


def load(wanted: list[Json]) -> None:
    """PyTorch, once for all forked parts, without touching a GPU."""
    import parts  # noqa: F401

    # Optimisers in ordinary PyTorch load the compiler, compiled or not.
    if any("published" in t["task"] or t["arguments"].get("compiled") for t in wanted):
        import torch._dynamo  # noqa: F401


def measured(
    given: argparse.Namespace,
    manifest: Json,
    wanted: list[Json],
    device: str,
    begun: float,
    processes: Processes,
) -> int:
    """Runs the tasks while time is left; the exit code."""
    results: list[Json] = []
    report: Json = {
        "format": 1,
        "date": time.strftime("%Y-%m-%d"),
        "commit": manifest["commit"],
        "device": device,
        "machine": machine(processes, device),
        "minutes": given.minutes,
        "results": results,
    }
    for index, task in enumerate(wanted):
        left = 60 * given.minutes - (time.monotonic() - begun)
        if left < LEAST:
            report["notMeasured"] = [t["name"] for t in wanted[index:]]
            break
        result = processes.run(task, device, min(task["limit"] * (4 if given.cpu_smoke else 1), left))
        results.append(result)
        report["processes"] = processes.note
        report["ended"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        report["verdicts"] = verdicts(results)
        write_atomic(given.out, report)
        sys.stderr.write(
            f"{time.monotonic() - begun:6.0f} s  {task['part']}  {task['name']}: {result['status']}\n"
        )
        for line in result.get("errors", [])[-3:]:
            sys.stderr.write(f"          {line}\n")
    write_atomic(given.out, report)
    for verdict in report.get("verdicts", []):
        shown = verdict["value"] if isinstance(verdict["value"], bool) else f"{verdict['value']:.3g}"
        sys.stderr.write(f"{verdict['what']}: {shown}\n")
    differs = any(v["value"] is False for v in report.get("verdicts", []))
    if differs or any(r["status"] == "failed" for r in results):
        return 1
    return 3 if "notMeasured" in report or any(re.match("stopped", r["status"]) for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
