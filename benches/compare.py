#!/usr/bin/env python3
"""Runs every bench and sets its ratios against those in baseline.json.

    python3 benches/compare.py                   # fails if a ratio is more than 15 % worse
    python3 benches/compare.py --bench kernels   # one bench; words behind `--` go to it
    python3 benches/compare.py --runs 3 --write  # medians of three runs become the baseline

Ratios are to what the same machine did in the same minute, so they hold from one machine to the next,
as long as both have the same vector instructions: each kind has a baseline of its own. What is
compared are the columns below, in any table that a bench prints.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

# Whether more is better.
RATIOS = {
    "over burn": False,
    "of GEMM": True,
    "copies": False,
    "over its multiply-adds as products": False,
    "share of a forward pass": False,
}
# Columns that are neither a ratio nor part of a row's name.
MEASURES = ("time", "images/s", "model calls", "overhead per call")
ALLOWED = 1.15
# Half of the last digit that is printed.
ROUNDING = 0.005
FILE = Path(__file__).with_name("baseline.json")


def machine():
    """The vector instructions that ratios depend on, and the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    except OSError:
        fields = {}
    flags = fields.get("flags", "").split()
    kinds = {"avx512f": "avx512", "avx2": "avx2"}
    kind = next((kind for flag, kind in kinds.items() if flag in flags), platform.machine())
    return kind, fields.get("model name", platform.processor())


def ratios(lines):
    """Every ratio of the tables among `lines`, by row and column."""
    found, header = {}, None
    for line in lines:
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if header is None:
            header = cells
            continue
        if all(set(cell) <= set("-:") for cell in cells):
            continue
        row = dict(zip(header, cells))
        names = [cell for column, cell in row.items() if column not in (*RATIOS, *MEASURES) and cell != "–"]
        for column in RATIOS:
            text = row.get(column, "–").strip("*% ")
            if text != "–":
                found[f"{', '.join(names)}: {column}"] = float(text)
    return found


def run(bench, words):
    """One run of the benches, shown as it goes."""
    command = ["cargo", "bench", "--workspace", "--no-fail-fast", "--bench", bench, *(["--", *words] if words else [])]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return ratios(lines), process.returncode


def is_worse(key, old, new):
    more_is_better = RATIOS[key.rpartition(": ")[2]]
    if more_is_better:
        return new < old / ALLOWED - ROUNDING
    return new > old * ALLOWED + ROUNDING


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="*", help="a bench's name (default: all)")
    parser.add_argument("--runs", type=int, default=1, help="takes medians of so many runs")
    parser.add_argument("--write", action="store_true", help="makes what is found the baseline of this kind of machine")
    parser.add_argument("--note", default="", help="stored beside the ratios: what else the machine did")
    parser.add_argument("words", nargs="*", help="handed to the benches")
    asked = parser.parse_args()

    runs = [run(asked.bench, asked.words) for _ in range(asked.runs)]
    keys = dict.fromkeys(key for found, _ in runs for key in found)
    new = {key: round(statistics.median(found[key] for found, _ in runs if key in found), 3) for key in keys}
    kind, processor = machine()
    baselines = json.loads(FILE.read_text()) if FILE.exists() else {}
    if asked.write:
        kept = baselines.get(kind, {}).get("ratios", {}) if asked.bench != "*" or asked.words else {}
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
        baselines[kind] = {
            "processor": processor,
            "cores": os.cpu_count(),
            "date": datetime.date.today().isoformat(),
            "commit": commit.strip(),
            "runs": asked.runs,
            "note": asked.note,
            "ratios": {**kept, **new},
        }
        FILE.write_text(json.dumps(baselines, indent=1, ensure_ascii=False) + "\n")
        print(f"\n{len(new)} ratios written to {FILE} for {kind}")
        return 0

    baseline = baselines.get(kind)
    if baseline is None:
        print(f"\nno baseline for {kind}: {FILE} has {', '.join(baselines) or 'none'}; `--write` makes one")
        return 0
    old = baseline["ratios"]
    print(f"\nagainst {kind} of {baseline['date']} ({baseline['processor']}, {baseline['cores']} cores)\n")
    print("| ratio | old | new | |\n|---|--:|--:|---|")
    worse = 0
    for key, value in new.items():
        mark = "new" if key not in old else "WORSE" if is_worse(key, old[key], value) else ""
        worse += mark == "WORSE"
        print(f"| {key} | {old.get(key, '–')} | {value} | {mark} |")
    if asked.bench == "*" and not asked.words:
        for key in old.keys() - new.keys():
            print(f"| {key} | {old[key]} | – | gone |")
    print(f"\n{worse} of {len(new)} ratios are more than 15 % worse")
    return int(worse > 0 or any(code for _, code in runs))


if __name__ == "__main__":
    sys.exit(main())
