"""Measures a GPU in minutes: parts in order of worth, each in a process of its own and under its own time limit.

    python3 measure.py --out results.json --minutes 8      # on a machine with an NVIDIA GPU
    python3 measure.py --out results.json --cpu-smoke      # the same with tiny shapes, on any machine

Needs Python 3.10 or newer and PyTorch; nothing else, and no network. Results are written after every part, and while one
runs: a cut loses nothing but what was being measured. Exit code: 0 when all that ran agreed and nothing failed, 3 when
time ran out first, 1 when something failed or differed, 2 when it cannot start.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FP32_JOBS = ["mdlm-tiny", "ar-tiny", "flexmdm-tiny", "tinygsm-tiny", "llada-tiny"]
# No part starts with less than this left of the whole, seconds.
LEAST = 12.0


def tasks(manifest: dict[str, Any], smoke: bool) -> list[dict[str, Any]]:
    """Everything that is measured, in order of worth. Limits are seconds; an H100 needs about half of them."""
    listed: list[dict[str, Any]] = []

    def add(part: int, name: str, task: str, limit: float, /, **arguments: Any) -> None:  # noqa: ANN401
        listed.append({"part": part, "name": name, "task": task, "limit": limit, "arguments": arguments})

    def evaluation(name: str) -> dict[str, Any]:
        return manifest["evaluations"][name]

    count = 3 if smoke else 20
    compiled = not smoke
    mdlm = ["mdlm-tiny"] if smoke else [f"mdlm-paper-{b}" for b in manifest["batches"]]
    owt = ["flexmdm-tiny"] if smoke else ["owt-32"]
    gsm = ["tinygsm-tiny"] if smoke else ["tinygsm-32"]
    llada = ["llada-tiny"] if smoke else ["llada-1", "llada-4"]
    first, shared = mdlm[0], "mdlm-tiny-4" if smoke else "mdlm-paper-4"
    window = evaluation(first)

    add(1, "parity fp32", "parity", 90, precision="fp32", compiled=False, jobs=FP32_JOBS)
    add(1, "parity bf16", "parity", 60, precision="bf16", compiled=False, jobs=FP32_JOBS)
    add(1, "parity of the published steps", "parity_published", 60)

    add(2, "MDLM, published step", "train_published", 60, jobs=mdlm[:4], mode="published", count=count)
    add(2, "MDLM, ours", "train", 240, jobs=mdlm, precision="bf16", compiled=compiled, count=count)
    if not smoke:
        add(
            2,
            "MDLM, published step compiled",
            "train_published",
            100,
            jobs=mdlm[:1],
            mode="compile-bf16",
            count=count,
        )
        compiled_jobs = ["mdlm-tiny", "flexmdm-tiny"]
        add(1, "parity fp32 compiled", "parity", 90, precision="fp32", compiled=True, jobs=compiled_jobs)

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
    common = {"precision": "bf16", "compiled": compiled, "count": 3}
    add(3, "ELBO, ours", "passes", 60, file=f"{first}.elbo", units=1, unit="window", **common)
    add(3, "left to right, ours", "passes", 60, file=f"{first}.order", units=tokens, unit="token", **common)

    published = "eager-bf16" if smoke else "compile-bf16"
    for title, jobs in (("OWT", owt), ("TinyGSM", gsm)):
        last = jobs[-1]
        add(
            4,
            f"FlexMDM {title}, ours",
            "train",
            120,
            jobs=jobs,
            precision="bf16",
            compiled=compiled,
            count=10,
        )
        add(4, f"FlexMDM {title}, published", "train_published", 90, jobs=jobs, mode=published, count=10)
        add(
            4,
            f"FlexMDM {title} sampler, ours",
            "passes",
            60,
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
            name=last,
            mode=published,
            count=10,
        )

    add(5, "LLaDA LoRA step", "train", 120, jobs=llada, precision="bf16", compiled=False, count=5)
    add(
        5,
        "LLaDA sampler",
        "passes",
        90,
        file=f"{llada[-1]}.sample",
        units=1,
        unit="pass",
        **{**common, "compiled": False},
    )

    for run in ("first", "second"):
        add(
            6,
            f"determinism, {run} run",
            "bits",
            60,
            name=first,
            precision="bf16",
            compiled=compiled,
            steps=20,
        )

    add(
        2,
        "MDLM, profile of our step",
        "profile",
        90,
        name=first,
        precision="bf16",
        compiled=compiled,
        steps=5,
        top=40,
    )
    largest = mdlm[-2] if len(mdlm) > 1 else first
    add(
        2,
        "MDLM, profile at a large batch",
        "profile",
        90,
        name=largest,
        precision="bf16",
        compiled=compiled,
        steps=3,
        top=40,
    )
    worlds = [1, 2] if smoke else [1, 2, 4]
    add(
        7, "ranks", "ranks", 180, name=shared, precision="bf16", compiled=compiled, worlds=worlds, count=count
    )
    # Bits and the profile of the published batch come before what takes long to compile.
    early = ("determinism, first run", "determinism, second run", "MDLM, profile of our step")
    late = ("MDLM, published step compiled", "parity fp32 compiled")
    reached = next(i for i, task in enumerate(listed) if task["part"] == 3)
    first_parts = [t for t in listed[:reached] if t["name"] not in late]
    last_parts = [t for t in listed if t["name"] in late]
    rest = [t for t in listed[reached:] if t["name"] not in (*early, *late)]
    return [*first_parts, *(t for t in listed if t["name"] in early), *rest, *last_parts]


def write_atomic(path: Path, value: Any) -> None:  # noqa: ANN401
    beside = path.with_name(f"{path.name}.part")
    with open(beside, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


MACHINE = """
import json, torch
try: import triton; triton = triton.__version__
except ImportError: triton = None
cuda = torch.cuda.is_available()
cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else []
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "triton": triton, "cards": cards,
    "memory": torch.cuda.get_device_properties(0).total_memory if cuda else None}))
"""


def machine() -> dict[str, Any]:
    """Versions and cards. Exits with 2 where there is no PyTorch."""
    asked = subprocess.run([sys.executable, "-c", MACHINE], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        last = asked.stderr.strip().split("\n")[-1]
        sys.stderr.write(
            f"{sys.executable} has no PyTorch that loads ({last}); run this with a Python that has\n"
        )
        sys.exit(2)
    found: dict[str, Any] = json.loads(asked.stdout.strip().split("\n")[-1])
    try:
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout.split(
            "\n"
        )[0]
    except (OSError, subprocess.SubprocessError):
        driver = None
    return {**found, "driver": driver, "python": platform.python_version(), "cores": os.cpu_count()}


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
    except ProcessLookupError:
        process.kill()
    process.join()


def run(task: dict[str, Any], device: str, seconds: float, folder: Path) -> dict[str, Any]:
    """One task in a process group of its own; what it had found when it ended, and how it ended."""
    out, errors = folder / "found.json", folder / "errors.txt"
    out.unlink(missing_ok=True)
    arguments = ["--task", task["task"], "--device", device, "--arguments", json.dumps(task["arguments"])]
    arguments += ["--out", str(out.resolve()), "--seconds", str(seconds)]
    start = time.monotonic()
    # A fork has PyTorch loaded; a GPU is first touched in it, so it has one of its own.
    process = multiprocessing.get_context("fork").Process(target=part, args=(arguments, folder, errors))
    try:
        process.start()
        process.join(seconds)
        code = process.exitcode
    finally:
        end(process)
    found = json.loads(out.read_text()) if out.exists() else {}
    status = "ok" if code == 0 else f"stopped at its limit of {seconds:.0f} s" if code is None else "failed"
    said = errors.read_text(errors="replace") if errors.exists() else ""
    lines = said.strip().split("\n")[-12:]
    return {
        "part": task["part"],
        "name": task["name"],
        "status": status,
        "seconds": round(time.monotonic() - start, 1),
        **({"errors": lines} if code not in (0, None) else {}),
        "found": found,
    }


def verdicts(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ratios that are asked for, where both of their sides were measured."""
    found = {r["name"]: r["found"] for r in results}

    def best(name: str) -> dict[str, Any] | None:
        rows = [r for r in found.get(name, {}).get("rows", {}).values() if "tokensPerSecond" in r]
        return max(rows, key=lambda r: r["tokensPerSecond"], default=None)

    def at(name: str, key: str) -> dict[str, Any] | None:
        row = found.get(name, {}).get("rows", {}).get(key)
        return row if row and "tokensPerSecond" in row else None

    listed: list[dict[str, Any]] = []

    def add(what: str, value: float | None, target: float | None = None) -> None:
        if value is not None:
            listed.append(
                {
                    "what": what,
                    "value": value,
                    **({} if target is None else {"target": target, "met": value >= target}),
                }
            )

    def ratio(mine: dict[str, Any] | None, base: dict[str, Any] | None) -> float | None:
        return None if mine is None or base is None else mine["tokensPerSecond"] / base["tokensPerSecond"]

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
        add(
            "MDLM model FLOPs utilisation at the best batch",
            (best("MDLM, ours") or {}).get("utilisation"),
            0.47,
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
    two = [found.get(f"determinism, {run} run", {}).get("digest") for run in ("first", "second")]
    if None not in two:
        listed.append(
            {
                "what": "two runs end with the same bits",
                "value": two[0] == two[1],
                "target": True,
                "met": two[0] == two[1],
            }
        )
    return listed


def asked_for(task: dict[str, Any], only: list[str] | None) -> bool:
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
    here = machine()
    if not given.cpu_smoke and not here["cards"]:
        sys.stderr.write(
            f"PyTorch {here['torch']} sees no GPU here; --cpu-smoke runs tiny shapes on the CPU\n"
        )
        return 2
    device = "cpu" if given.cpu_smoke else "cuda"
    wanted = [t for t in tasks(manifest, given.cpu_smoke) if asked_for(t, given.only)]
    if not wanted:
        sys.stderr.write(
            f"--only {' '.join(given.only)} names no part: give a number from 1 to 7, or a piece of a name\n"
        )
        return 2
    if given.cpu_smoke:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # its tensors are too small to divide
    begun, results = time.monotonic(), []
    import parts  # noqa: F401  PyTorch, once, without touching a GPU

    report: dict[str, Any] = {
        "format": 1,
        "date": time.strftime("%Y-%m-%d"),
        "commit": manifest["commit"],
        "device": device,
        "machine": here,
        "minutes": given.minutes,
        "results": results,
    }
    with tempfile.TemporaryDirectory() as folder:
        for index, task in enumerate(wanted):
            left = 60 * given.minutes - (time.monotonic() - begun)
            if left < LEAST:
                report["notMeasured"] = [t["name"] for t in wanted[index:]]
                break
            result = run(task, device, min(task["limit"] * (4 if given.cpu_smoke else 1), left), Path(folder))
            results.append(result)
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
