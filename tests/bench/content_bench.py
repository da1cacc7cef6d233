"""Large content: a value in the database against a file beside it (content_bench), in turns; small content is stored meanwhile."""
import json
import os
import shutil
import statistics
import subprocess

from procs import RELEASE

LOADS = [("1 MiB", 2**20, 200), ("10 MiB", 10 * 2**20, 30), ("100 MiB", 100 * 2**20, 5)]   # name, bytes, how many
KINDS = ("blob", "file")


def measure(folder, kind, size, count):
    os.makedirs(folder)
    result = subprocess.run([os.path.join(RELEASE, "content_bench"), folder, kind, str(size), str(count)], check=True, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=600)
    shutil.rmtree(folder)
    return json.loads(result.stdout)


def run(folder, rounds):
    print(f"{'median of ' + str(rounds) + ' rounds':24} {'MiB/s':>8} {'log, MiB':>9} {'a small one meanwhile: median':>30} {'99 %':>9} {'most':>9} (ms)")
    results = []
    for name, size, count in LOADS:
        measured = {kind: [] for kind in KINDS}
        for number in range(rounds):
            for kind in KINDS:
                measured[kind].append(measure(os.path.join(folder, f"{kind}-{size}-{number}"), kind, size, count))
        for kind in KINDS:
            middle = {key: statistics.median(entry[key] for entry in measured[kind]) for key in measured[kind][0]}
            print(f"{count:3} of {name:8} as {kind:5}   {middle['mib_per_s']:8.0f} {middle['wal_mib']:9.1f} {middle['median_us'] / 1000:30.1f}"
                  f" {middle['p99_us'] / 1000:9.1f} {middle['max_us'] / 1000:9.1f}", flush=True)
        results.append({"size": size, "count": count, "rounds": measured})
    return {"rounds": rounds, "loads": results}
