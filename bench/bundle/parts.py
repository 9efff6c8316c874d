"""One task of a measurement, in a process of its own; findings are written as they come. See measure.py."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "reference")]

import flexmdm_torch  # noqa: E402
import llada_transformers  # noqa: E402
import mdlm_torch  # noqa: E402
import torch  # noqa: E402

from repro_worker.answers import Late  # noqa: E402
from repro_worker.frames import PROTOCOL, read_frame, unpack, write_frame  # noqa: E402
from repro_worker.philox import draw_tensor  # noqa: E402

OLDEST = "2.6"
# How a part ends that cannot start the GPU; the same in measure.py.
UNUSABLE = 86

Json = dict[str, Any]
Frame = tuple[Json, bytearray]


class Task:
    """What a task may use, and where it says what it found."""

    def __init__(self, device: str, out: Path, seconds: float) -> None:
        self.device, self._out, self._end = device, out, time.monotonic() + seconds
        self.manifest: Json = json.loads((HERE / "manifest.json").read_text())
        self.found: Json = {}

    def left(self) -> float:
        return self._end - time.monotonic()

    def say(self, **values: object) -> None:
        self.found.update(values)
        write_atomic(self._out, self.found)

    def job(self, name: str) -> Json:
        found: Json = self.manifest["jobs"][name]
        return found

    def sync(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def memory(self) -> dict[str, int]:
        if self.device != "cuda":
            return {}
        return {"allocated": torch.cuda.max_memory_allocated(), "reserved": torch.cuda.max_memory_reserved()}

    def fresh(self) -> None:
        """Memory of what is gone is given back, so that the next peak is its own."""
        import gc

        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def speed(self, name: str, seconds: list[float]) -> Json:
        """Medians of train steps, and the share of the card's bf16 peak that the model's FLOPs make up."""
        job, median = self.job(name), statistics.median(seconds)
        rate = job["trainFlops"] / median
        return {
            "secondsPerStep": median,
            "all": seconds,
            "tokensPerSecond": job["positions"] / median,
            "flopsPerSecond": rate,
            **({} if (peak := self.peak()) is None else {"utilisation": rate / peak}),
        }

    def peak(self) -> float | None:
        if self.device != "cuda":
            return None
        card = torch.cuda.get_device_name(0)
        return next((p["flops"] for p in self.manifest["peaks"] if re.search(p["name"], card)), None)


def write_atomic(path: Path, value: object) -> None:
    beside = path.with_name(f"{path.name}.part")
    with open(beside, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def frames(file: str) -> Iterator[Frame]:
    with gzip.open(HERE / "jobs" / f"{file}.frames.gz", "rb") as stream:
        while True:
            try:
                yield read_frame(cast(BinaryIO, stream))
            except EOFError:
                return


def parameters(file: str, device: str) -> dict[str, torch.Tensor]:
    """What the job's parameters and state start as, drawn on the device."""
    header, _ = next(frames(file))
    at = torch.device(device)
    return {w["name"]: draw_tensor(w["draw"], w["shape"], torch.float32, at).cpu() for w in header["weights"]}


def first_feeds(file: str) -> dict[str, torch.Tensor]:
    header, payload = next(f for f in frames(file) if f[0]["type"] in ("step", "evaluate"))
    prefix = "0/" if header["type"] == "step" else "feed/"
    return {n.removeprefix(prefix): t for n, t in unpack(header, payload).items() if n.startswith(prefix)}


def arrived(results: Late) -> dict[str, torch.Tensor]:
    results.wait()
    return {name: t.detach().cpu() for name, t in results.tensors.items()}


class Ours:
    """The repository's worker in this process: it is given the frames of a file."""

    def __init__(
        self,
        task: Task,
        precision: str,
        compiled: bool,
        deterministic: bool = True,
        graphs: bool = True,
    ) -> None:
        from repro_worker.server import Server
        from repro_worker.settings import open_settings
        from repro_worker.world import World

        hello = {
            "oldest": OLDEST,
            "precision": precision,
            "device": "gpu" if task.device == "cuda" else "cpu",
            "threads": 0,
            "compile": compiled,
            "recompute": False,
            "deterministic": deterministic,
            "graphs": graphs,
        }
        torch.set_float32_matmul_precision("highest")  # no TF32
        self._settings = open_settings(hello, 0, 1)
        self.note = self._settings.compile_note
        self._server = Server(self._settings, World())
        self._task = task
        self._runs: list[Frame] = []
        self._at = 0
        self._ids: list[int] = []

    def load(self, file: str) -> None:
        self._runs, self._at = [], 0
        for header, payload in frames(file):
            if header["type"] in ("step", "evaluate"):
                self._runs.append((header, payload))
                continue
            self._ids.append(header["id"])
            self._server.answer(header, payload)

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def bits(self) -> str:
        return self._server.bits

    @property
    def graphs(self) -> str:
        """What became of CUDA graphs."""
        return self._server.graphs or "no CUDA graphs"

    def begin(self) -> Late:
        """The next step or pass, in turn, under way."""
        header, payload = self._runs[self._at % len(self._runs)]
        self._at += 1
        results = self._server.answer(header, payload)
        return results if isinstance(results, Late) else Late(results)

    def run(self) -> dict[str, torch.Tensor]:
        """The next step or pass, in turn; its results on this machine."""
        return arrived(self.begin())

    def state(self) -> dict[str, torch.Tensor]:
        header = {"type": "read", "id": self._runs[0][0]["id"], "tensors": []}
        results = self._server.answer(header, bytearray())
        assert not isinstance(results, Late)
        return {name: t.detach().cpu() for name, t in results.items()}

    def drop(self) -> None:
        for key in self._ids:
            self._server.answer({"type": "dispose", "id": key, "tensors": []}, bytearray())
        self._ids, self._runs = [], []
        self._task.fresh()


# Steps that are begun before the results of the first are read, as `repro` has them.
IN_FLIGHT = 3


def timed_steps(task: Task, worker: Ours, warm: int, count: int, spare: float = 3.0) -> list[float]:
    """Seconds between the arrivals of the results of our steps, which are read while the next ones run."""
    for _ in range(warm):
        worker.run()
    task.sync()
    seconds: list[float] = []
    under_way: deque[Late] = deque()
    last = time.perf_counter()
    while len(seconds) < count and (len(seconds) < 3 or task.left() > spare):
        while len(under_way) < IN_FLIGHT:
            under_way.append(worker.begin())
        arrived(under_way.popleft())
        now = time.perf_counter()
        seconds.append(now - last)
        last = now
    task.sync()
    return seconds


def timed(task: Task, run: Callable[[], object], warm: int, count: int, spare: float = 3.0) -> list[float]:
    """Seconds of each of `count` runs, fewer where the time ends, after `warm` that are not counted."""
    for _ in range(warm):
        run()
    task.sync()
    seconds: list[float] = []
    while len(seconds) < count and (len(seconds) < 3 or task.left() > spare):
        start = time.perf_counter()
        run()
        task.sync()
        seconds.append(time.perf_counter() - start)
    return seconds


def difference(mine: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference over the largest entry that is expected; not a number is infinitely far."""
    size = theirs.double().abs().max().item() if theirs.numel() else 0.0
    apart = (
        (mine.double().reshape(-1) - theirs.double().reshape(-1)).abs().max().item()
        if theirs.numel()
        else 0.0
    )
    value = apart / size if size > 0 else apart
    return value if math.isfinite(value) else math.inf


def compare(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> Json:
    """Worst of the named tensors; every one that is expected must be there."""
    missing = [name for name in expected if name not in found]
    if missing:
        raise KeyError(f"no gradient of {missing[0]} and {len(missing) - 1} more")
    apart = {name: difference(found[name], t) for name, t in expected.items()}
    worst = max(apart, key=lambda name: apart[name])
    return {"worst": apart[worst], "at": worst, "parameters": len(apart)}


FP32 = {"loss": 1e-4, "gradient": 1e-3}


def parity(task: Task, precision: str, compiled: bool, jobs: list[str]) -> None:
    """Loss and gradients of the first step against the stored numbers of the CPU oracle."""
    worker = Ours(task, precision, compiled)
    rows: Json = {}
    for name in jobs:
        expected = mdlm_torch.read_safetensors(HERE / "expected" / f"{name}.safetensors")
        gradients = {n.removeprefix("grad/"): t for n, t in expected.items() if n.startswith("grad/")}
        worker.load(f"{name}.train")
        loss = worker.run()["loss"].item()
        # m = (1 - beta1) g after one step from zero, without clipping
        scale = 1 - task.job(name)["beta1"]
        moments = {
            n.removeprefix("adam.m/"): t / scale for n, t in worker.state().items() if n.startswith("adam.m/")
        }
        worker.drop()
        row: Json = {
            "loss": loss,
            "lossDifference": abs(loss / expected["loss"].item() - 1),
            "gradients": compare(moments, gradients),
        }
        for forward in task.job(name)["forwards"]:
            worker.load(f"{name}.{forward}")
            results = worker.run()
            worker.drop()
            stored = {
                n.removeprefix(f"{forward}/"): t for n, t in expected.items() if n.startswith(f"{forward}/")
            }
            row[forward] = {n: difference(results[n], t) for n, t in stored.items() if t.is_floating_point()}
        if precision == "fp32":
            row["agrees"] = (
                row["lossDifference"] < FP32["loss"]
                and row["gradients"]["worst"] < FP32["gradient"]
                and all(d < FP32["gradient"] for f in task.job(name)["forwards"] for d in row[f].values())
            )
        rows[name] = row
        task.say(compiled=worker.note, jobs=rows)
    if not all(row.get("agrees", True) for row in rows.values()):
        sys.exit("a job differs from the stored numbers by more than fp32 rounding: see jobs")


def parity_published(task: Task) -> None:
    """The ordinary PyTorch steps against the same stored numbers: both sides of a ratio compute one thing."""
    rows: Json = {}
    for name in ("mdlm-tiny", "flexmdm-tiny", "tinygsm-tiny"):
        expected = mdlm_torch.read_safetensors(HERE / "expected" / f"{name}.safetensors")
        loss, gradients = published(task, name, "eager").gradients()
        stored = {n.removeprefix("grad/"): t for n, t in expected.items() if n.startswith("grad/")}
        row: Json = {
            "lossDifference": abs(loss / expected["loss"].item() - 1),
            "gradients": compare(gradients, stored),
        }
        row["agrees"] = row["lossDifference"] < FP32["loss"] and row["gradients"]["worst"] < FP32["gradient"]
        rows[name] = row
        task.say(jobs=rows)
    if not all(row["agrees"] for row in rows.values()):
        sys.exit("a published step differs from the stored numbers: see jobs")


class Published(Protocol):
    """An ordinary PyTorch side: a step, and its loss and gradients as the first step has them."""

    def step(self) -> float: ...

    def gradients(self) -> tuple[float, dict[str, torch.Tensor]]: ...


def published(task: Task, name: str, mode: str) -> Published:
    family = task.job(name)["family"]
    if family == "llada":
        return llada(task, name)
    return flexmdm(task, name, mode) if family == "flexmdm" else Mdlm(task, name, mode)


def llada(task: Task, name: str) -> llada_transformers.Bench:
    return llada_transformers.Bench(task.job(name), first_feeds(f"{name}.train"), task.device)


def flexmdm(task: Task, name: str, mode: str) -> flexmdm_torch.Bench:
    held, feeds = parameters(f"{name}.train", task.device), first_feeds(f"{name}.train")
    own = {n: t for n, t in held.items() if not n.startswith(("adam.", "ema/"))}
    return flexmdm_torch.Bench(task.job(name), own, feeds, mode, task.device)


class Mdlm:
    """The step of #1241, which takes its parameters and batch from files."""

    def __init__(self, task: Task, name: str, mode: str) -> None:
        job, file = task.job(name), f"{name}.train"
        held, feeds = parameters(file, task.device), first_feeds(file)
        self.bench = mdlm_torch.Bench()
        ids, mask = feeds["inputIds"].long(), job["ids"]["mask"]
        used = feeds["weights"] > 0
        tokens = ids.flatten().clone()
        tokens[feeds["positions"].long()[used]] = feeds["targets"].long()[used]
        if bool((tokens == mask).any()):
            raise ValueError(f"{name}: a masked position has no target")
        with tempfile.TemporaryDirectory() as folder:
            weights, batch = f"{folder}/parameters", f"{folder}/batch"
            names = mdlm_torch.Model(**job["model"]).state_dict()
            mdlm_torch.write_safetensors(weights, {n: held[n] for n in names})
            alpha = torch.exp(-feeds["sigma"])
            mdlm_torch.write_safetensors(batch, {"tokens": tokens.view_as(ids), "ids": ids, "alpha": alpha})
            threads = torch.get_num_threads()
            self.bench.init(
                **job["model"],
                mode=mode,
                device=task.device,
                parameters=weights,
                batch=batch,
                threads=threads,
            )

    def step(self) -> float:
        return float(self.bench.steps(1)["loss"])

    def gradients(self) -> tuple[float, dict[str, torch.Tensor]]:
        with tempfile.TemporaryDirectory() as folder:
            loss = self.bench.gradients(f"{folder}/out")["loss"]
            return loss, mdlm_torch.read_safetensors(f"{folder}/out")


def train_published(task: Task, jobs: list[str], mode: str, count: int) -> None:
    """The published step at growing batches, until memory or time ends."""
    rows: Json = {}
    for name in jobs:
        if rows and task.left() < 10:
            break
        task.fresh()
        try:
            side = published(task, name, mode)
            loss = side.step()
            rows[name] = {
                **task.speed(name, timed(task, side.step, 2, count)),
                "firstLoss": loss,
                "memory": task.memory(),
            }
            del side
        except torch.OutOfMemoryError:
            rows[name] = {"failed": "out of memory"}
        except ImportError as error:
            rows[name] = {"skipped": f"{error.name} is not installed here"}
        task.say(rows=rows)
        if "tokensPerSecond" not in rows[name]:
            break


def train(
    task: Task,
    jobs: list[str],
    precision: str,
    compiled: bool,
    count: int,
    graphs: bool = True,
    deterministic: bool = True,
    digested: int = 0,
    profiled: list[str] | None = None,
) -> None:
    """
    Our step at growing batches, until memory or time ends. The state of the first job after `digested` steps
    is kept as a digest; where the time of steps goes is listed for the jobs `profiled`.
    """
    worker = Ours(task, precision, compiled, deterministic, graphs)
    rows: Json = {}
    profiles: Json = {}
    slowest = 0.0
    for name in jobs:
        if rows and task.left() < 1.2 * slowest + 5:
            break
        start = time.perf_counter()
        try:
            worker.load(f"{name}.train")
            losses = [worker.run()["loss"].item()]
            ready = time.perf_counter() - start
            if digested > 0 and name == jobs[0]:
                losses += [worker.run()["loss"].item() for _ in range(digested - 1)]
                task.say(steps=digested, digest=digest(worker.state()), losses=losses)
            rows[name] = {
                **task.speed(name, timed_steps(task, worker, 2, count)),
                "secondsToFirstStep": ready,
                "firstLoss": losses[0],
                "memory": task.memory(),
                "graphs": worker.graphs,
            }
            if name in (profiled or []):
                profiles[name] = profile(task, worker)
        except torch.OutOfMemoryError:
            rows[name] = {"failed": "out of memory"}
        worker.drop()
        slowest = max(slowest, time.perf_counter() - start)
        task.say(compiled=worker.note, deterministic=worker.bits, rows=rows, profiles=profiles)
        if "failed" in rows[name]:
            break


def passes(
    task: Task, file: str, precision: str, compiled: bool, units: float, unit: str, count: int
) -> None:
    """Our forward passes of a file, all of them, again and again; seconds per unit."""
    worker = Ours(task, precision, compiled)
    worker.load(file)
    worker.run()

    def whole() -> None:
        for _ in range(len(worker)):
            worker.run()

    seconds = timed(task, whole, 1 if len(worker) < 8 else 0, count)
    task.say(
        compiled=worker.note,
        passes=len(worker),
        unit=unit,
        secondsPerUnit=statistics.median(seconds) / units,
        all=seconds,
        memory=task.memory(),
    )


def waits(worker: Ours) -> list[str]:
    """Where one of our steps makes the host wait for the card, in PyTorch's words. None is what is wanted."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step = worker.begin()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    arrived(step)
    return [f"{Path(w.filename).name}:{w.lineno}: {str(w.message)[:160]}" for w in caught]


def captured(task: Task, jobs: list[str], precision: str, compiled: bool, steps: int) -> None:
    """Steps from CUDA graphs against the same steps without: losses, and every tensor of the last state."""
    rows: Json = {}
    for name in jobs:
        ends: list[tuple[list[float], dict[str, torch.Tensor]]] = []
        note = ""
        for graphs in (False, True):
            worker = Ours(task, precision, compiled, graphs=graphs)
            worker.load(f"{name}.train")
            losses = [worker.run()["loss"].item() for _ in range(steps)]
            ends.append((losses, {n: t.float() for n, t in worker.state().items()}))
            note = worker.graphs
            worker.drop()
        (plain, before), (ours, after) = ends
        worst = max(abs(a / b - 1) for a, b in zip(ours, plain, strict=True))
        state = compare(after, before)
        agrees = worst < FP32["loss"] and state["worst"] < FP32["gradient"]
        rows[name] = {
            "graphs": note,
            "steps": steps,
            "lossDifference": worst,
            "gradients": state,
            "agrees": agrees,
        }
        task.say(jobs=rows)
    if not all(row["agrees"] for row in rows.values()):
        sys.exit("captured steps differ from plain ones by more than fp32 rounding: see jobs")


KERNELS = 40
"""As many as a profile lists."""


def profile(task: Task, worker: Ours, steps: int = 3) -> Json:
    """Where our step's time goes: kernels by their time on the device (on a CPU, operations by their own)."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as recording

    on_card = task.device == "cuda"
    waiting = waits(worker) if on_card else []
    with recording(activities=[ProfilerActivity.CUDA if on_card else ProfilerActivity.CPU]) as recorded:
        start = time.perf_counter()
        for _ in range(steps):
            worker.run()
        task.sync()
        wall = time.perf_counter() - start
    rows = []
    for event in recorded.key_averages():
        # Kernels alone: an operation's time on the device is that of the kernels that it starts.
        if on_card and str(event.device_type).endswith("CPU"):
            continue
        own = event.self_device_time_total if on_card else event.self_cpu_time_total
        rows.append(
            {"name": event.key[:120], "millisecondsPerStep": own / 1e3 / steps, "calls": event.count / steps}
        )
    rows.sort(key=lambda row: -row["millisecondsPerStep"])
    return {
        "waits": waiting,
        "millisecondsPerStep": 1e3 * wall / steps,
        "busyMillisecondsPerStep": sum(row["millisecondsPerStep"] for row in rows),
        "kernels": rows[:KERNELS],
    }


def evaluate_published(task: Task, name: str, mode: str, steps: int, tokens: int) -> None:
    """The published evaluators: one forward pass a step of the bound, or a token, at batch 1."""
    bench = Mdlm(task, name, mode).bench
    bench.elbo(1, min(2, steps))
    elbo = bench.elbo(1, steps)["seconds"][0]
    task.say(elbo={"secondsPerUnit": elbo, "unit": "window"})
    bench.order(min(2, tokens))
    order = bench.order(tokens)["seconds"]
    task.say(order={"secondsPerUnit": order / tokens, "unit": "token"})


def sample_published(task: Task, name: str, mode: str, count: int) -> None:
    try:
        bench = llada(task, name) if task.job(name)["family"] == "llada" else flexmdm(task, name, mode)
    except ImportError as error:
        task.say(skipped=f"{error.name} is not installed here")
        return
    seconds = timed(task, bench.sample, 2, count)
    task.say(secondsPerUnit=statistics.median(seconds), unit="pass", all=seconds, memory=task.memory())


def digest(state: dict[str, torch.Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(state):
        total.update(name.encode())
        total.update(state[name].contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def bits(task: Task, name: str, precision: str, compiled: bool, steps: int) -> None:
    """The state after some steps, as a digest: `measure.py` compares those of two processes."""
    worker = Ours(task, precision, compiled)
    worker.load(f"{name}.train")
    losses = [worker.run()["loss"].item() for _ in range(steps)]
    task.say(steps=steps, digest=digest(worker.state()), losses=losses, deterministic=worker.bits)


def ranks(task: Task, name: str, precision: str, compiled: bool, worlds: list[int], count: int) -> None:
    """The worker in as many processes as GPUs, spoken to as `repro` speaks to it."""
    rows: Json = {}
    there = torch.cuda.device_count() if task.device == "cuda" else max(worlds)
    for world in worlds:
        if world > there:
            rows[str(world)] = {"skipped": f"this machine has {there} GPU{'s' if there > 1 else ''}"}
            task.say(rows=rows)
            continue
        rows[str(world)] = one_world(task, name, precision, compiled, world, count)
        task.say(rows=rows)
    first = rows["1"]["firstLoss"]
    for row in rows.values():
        if "firstLoss" in row and abs(row["firstLoss"] / first - 1) > 1e-3:
            sys.exit(f"several ranks have another loss than one: {row['firstLoss']} and {first}")


def one_world(task: Task, name: str, precision: str, compiled: bool, world: int, count: int) -> Json:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"PYTHONPATH": str(HERE), "OMP_WAIT_POLICY": "PASSIVE", "MASTER_ADDR": "127.0.0.1"}

    def start(rank: int) -> subprocess.Popen[bytes]:
        """As torchrun starts them, without its agent, which looks up names and may find no network for it."""
        mine = {"WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "RANK": rank, "LOCAL_RANK": rank}
        env = {**os.environ, **common, "MASTER_PORT": str(port), **{k: str(v) for k, v in mine.items()}}
        leads = subprocess.PIPE if rank == 0 else subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "repro_worker"], stdin=leads, stdout=leads, env=env
        )

    processes = [start(rank) for rank in range(world)]
    try:
        worker = processes[0]
        assert worker.stdin is not None and worker.stdout is not None
        source, sink = cast(BinaryIO, worker.stdout), cast(BinaryIO, worker.stdin)

        def ask(header: Json, payload: bytearray) -> dict[str, torch.Tensor]:
            write_frame(sink, header, unpack(header, payload) if "tensors" in header else {})
            answer, body = read_frame(source)
            if answer["type"] == "error":
                raise RuntimeError(answer["message"])
            return unpack(answer, body)

        device = "gpu" if task.device == "cuda" else "cpu"
        hello = {
            "type": "hello",
            "protocol": PROTOCOL,
            "oldest": OLDEST,
            "precision": precision,
            "threads": 0,
        }
        ask({**hello, "device": device, "compile": compiled, "recompute": False, "graphs": True}, bytearray())
        steps: list[Frame] = []
        for header, payload in frames(f"{name}.train"):
            if header["type"] == "step":
                steps.append((header, payload))
            else:
                ask(header, payload)
        loss = ask(*steps[0])["loss"].item()
        at = 0

        def step() -> None:
            nonlocal at
            at += 1
            ask(*steps[at % len(steps)])

        seconds = timed(task, step, 1, count)
        sink.close()
        for process in processes:
            process.wait(timeout=60)
    finally:
        for process in processes:
            process.kill()
    return {**task.speed(name, seconds), "firstLoss": loss}


def machine(task: Task) -> None:
    """What PyTorch says of itself and of its cards."""
    try:
        import triton

        compiler: str | None = triton.__version__
    except ImportError:
        compiler = None
    on_card = task.device == "cuda"
    task.say(
        torch=torch.__version__,
        cuda=torch.version.cuda,
        triton=compiler,
        cards=[torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if on_card else [],
        memory=torch.cuda.get_device_properties(0).total_memory if on_card else None,
    )


TASKS: dict[str, Callable[..., None]] = {
    f.__name__: f
    for f in (
        machine,
        parity,
        captured,
        parity_published,
        train,
        train_published,
        passes,
        evaluate_published,
        sample_published,
        bits,
        ranks,
    )
}


def start_device(device: str) -> None:
    """The first that this process does with a GPU. Exits with a code of its own where it cannot be used."""
    if device != "cuda":
        return
    try:
        torch.ones(1, device="cuda").item()
    except Exception as error:  # PyTorch has many ways to say so
        sys.stderr.write(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}\n")
        sys.stderr.flush()
        os._exit(UNUSABLE)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", required=True, choices=sorted(TASKS))
    parser.add_argument("--arguments", required=True, type=json.loads)
    parser.add_argument("--device", required=True, choices=["cpu", "cuda"])
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--seconds", required=True, type=float)
    given = parser.parse_args(arguments)
    start_device(given.device)
    task = Task(given.device, given.out, given.seconds)
    TASKS[given.task](task, **given.arguments)
    task.say(done=True)


if __name__ == "__main__":
    main(sys.argv[1:])
