"""The benchmark of who may pass: decisions with 10, 10,000 and 1,000,000 mappings of all kinds, by policy_bench."""
import json
import os
import statistics
import subprocess

from procs import RELEASE

MAPPINGS, QUICK = [10, 10_000, 1_000_000], [10, 10_000, 100_000]
LOOKUPS = 50_000


def measure(folder, count, rounds):
    result = subprocess.run([os.path.join(RELEASE, "policy_bench"), folder, str(count), str(LOOKUPS), str(rounds)], check=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=3600)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {"mappings": count, "rounds": lines,
            **{key: statistics.median(line[key] for line in lines) for key in ("median_us", "p99_us", "policy_median_us", "accepted")}}


def run(folder, rounds, quick):
    results = [measure(folder, count, rounds) for count in (QUICK if quick else MAPPINGS)]
    print(f"{'mappings':>10} {'median us':>10} {'99 % us':>9} {'verdict us':>11} {'accepted':>9} {'to the first':>13}")
    for row in results:
        print(f"{row['mappings']:>10} {row['median_us']:>10.1f} {row['p99_us']:>9.1f} {row['policy_median_us']:>11.1f} "
              f"{row['accepted']:>9.2f} {row['median_us'] / results[0]['median_us']:>13.2f}")
    return results
