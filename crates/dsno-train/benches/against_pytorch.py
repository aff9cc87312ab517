#!/usr/bin/env python3
"""Sets whole steps against PyTorch on the same cores and prints ratios.

    python3 crates/dsno-train/benches/against_pytorch.py --python TORCH/bin/python --bench REFERENCE/bench.py
    python3 ... --sweep sweep.jsonl          # the fastest variants of what `bench.py --sweep` found

TORCH/bin/python is a Python that has PyTorch; bench.py is the benchmark of the reference implementation, which times
the same networks, batches and tasks. Nothing else of this project needs either.

Both programs run pinned to the same cores, in turns: a round is one process of ours and one of each variant, each with
several timed runs whose median counts; the order alternates from round to round. A ratio is ours over the fastest
variant's, each by the median of its rounds. `CPU` is the ratio of CPU time over all threads, `peak` the most memory
that ours had resident. `others` is the CPU that other processes took meanwhile, as a share of the cores: distrust a
table where it is above a few per cent.

The exit status is 1 if a ratio is above its bound.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BOUNDS = dict(train=0.70, sample=0.60, ddim=0.60)
USUAL = ["fast:nchw:none", "fast:nhwc:none", "fast:nchw:default", "fast:nhwc:default"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="a Python that has PyTorch")
    parser.add_argument("--bench", required=True, type=Path, help="bench.py of the reference, or its folder")
    parser.add_argument("--sweep", type=Path, help="lines of JSON that `bench.py --sweep` printed")
    parser.add_argument("--variants", default="", help="impl:layout:compile, separated by commas")
    parser.add_argument("--fastest", type=int, default=2, help="how many variants of a sweep to run")
    parser.add_argument("--configs", default="S,M")
    parser.add_argument("--tasks", default="train,sample,ddim")
    parser.add_argument("--cores", default="0,1")
    parser.add_argument("--microbatches", default="", help="parts of a batch that ours works on at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=7, help="timed runs of a process")
    parser.add_argument("--steps", type=Path, help="the built bench, if it is not to be built")
    parser.add_argument("--out", type=Path, help="file for every line of JSON")
    return parser.parse_args()


def built():
    """The path of the bench `steps`, built with the features of the whole workspace."""
    command = ["cargo", "bench", "--workspace", "--bench", "steps", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    messages = [json.loads(line) for line in lines if line.startswith("{")]
    found = [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "steps"]
    return found[-1]


def variants(args, config, task):
    if args.variants:
        return args.variants.split(",")
    rows = args.sweep.read_text().splitlines() if args.sweep else []
    rows = [json.loads(line) for line in rows if line.startswith("{")]
    rows = [r for r in rows if r.get("config") == config and r.get("task") == task and "best_of" not in r]
    if not rows:
        return USUAL + (["fast:nchw:freeze", "fast:nhwc:freeze"] if task != "train" else [])
    best = {}
    for row in rows:
        name = ":".join(row[key] for key in ("impl", "layout", "compile"))
        best[name] = min(best.get(name, float("inf")), row["median_s"])
    return sorted(best, key=best.get)[: args.fastest]


def jiffies():
    """What the pinned cores did, waiting apart."""
    cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    busy = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in cores:
            counts = [int(field) for field in fields[:8]]
            busy += sum(counts) - counts[3] - counts[4]
    return busy


def run(command):
    """The last line of JSON that the command prints, with the share of the cores that others took."""
    hertz, cores = os.sysconf("SC_CLK_TCK"), len(os.sched_getaffinity(0))
    before, own, start = jiffies(), os.times(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, os.times()
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    used = after.children_user + after.children_system - own.children_user - own.children_system
    others = max(0.0, (jiffies() - before) / hertz - used) / (wall * cores)
    return {**json.loads(lines[-1]), "others_of_process": round(others, 3)}


def main():
    args = arguments()
    bench = args.bench / "bench.py" if args.bench.is_dir() else args.bench
    steps = args.steps or built()
    cores = [int(core) for core in args.cores.split(",")]
    os.sched_setaffinity(0, cores)
    threads = ["--threads", str(len(cores))]
    runs = ["--runs", str(args.runs)]
    microbatches = ["--microbatches", args.microbatches] if args.microbatches else []

    print("| configuration | task | ours | PyTorch | its variant | ours / PyTorch | bound | by round | CPU | peak | others |")
    print("|---|---|--:|--:|---|--:|--:|---|--:|--:|--:|", flush=True)
    held = True
    for config in args.configs.split(","):
        for task in args.tasks.split(","):
            names = variants(args, config, task)
            what = ["--config", config, "--task", task] + threads + runs
            commands = {"ours": [steps] + what + microbatches}
            for name in names:
                impl, layout, compile_ = name.split(":")
                commands[name] = [args.python, bench] + what + ["--impl", impl, "--layout", layout, "--compile", compile_,
                                                                "--wait", "10"]
            lines = {name: [] for name in commands}
            for turn in range(args.rounds):
                order = list(commands) if turn % 2 == 0 else list(reversed(commands))
                for name in order:
                    line = run(commands[name])
                    lines[name].append(line)
                    if args.out:
                        with args.out.open("a") as file:
                            file.write(json.dumps(line) + "\n")
            params = {line["params"] for of in lines.values() for line in of}
            if len(params) != 1:
                sys.exit(f"networks of different sizes: {params} parameters")
            times = {name: [line["median_s"] for line in of] for name, of in lines.items()}
            medians = {name: statistics.median(of) for name, of in times.items()}
            ours = medians.pop("ours")
            best = min(medians, key=medians.get)
            ratio, bound = ours / medians[best], BOUNDS[task]
            held = held and ratio <= bound
            by_round = ", ".join(f"{o / p:.2f}" for o, p in zip(times["ours"], times[best]))
            cpu = {name: [line["cpu_s"] for line in of if line.get("cpu_s")] for name, of in lines.items()}
            cpu = f"{min(cpu['ours']) / min(cpu[best]):.2f}" if cpu["ours"] and cpu[best] else "–"
            peak = max(line["peak_mib"] or 0 for line in lines["ours"])
            others = max(line["others_of_process"] for of in lines.values() for line in of)
            print(f"| {config} | {task} | {ours * 1e3:.1f} ms | {medians[best] * 1e3:.1f} ms | {best} | {ratio:.2f} | "
                  f"{bound:.2f} | {by_round} | {cpu} | {peak:.0f} MiB | {others:.0%} |", flush=True)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
