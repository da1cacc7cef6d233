"""The benchmark of growth: decisions and accepting with few and with many mappings, and starting with a long queue.

The database is filled by growth_bench, with the store's own functions, which also times the decisions (all that is read for a
message: at RCPT, and at the end of its data). Accepting is smtp-source over 50 connections.
"""
import json
import os
import socket
import statistics
import subprocess
import time

import targets as kinds
from procs import RELEASE

MAPPINGS, QUICK = [10, 10_000, 1_000_000], [10, 10_000, 100_000]
LOOKUPS, WAITING = 20_000, 100_000


def growth_bench(target, *arguments):
    database = os.path.join(target.gateway.state, "postern.db")
    result = subprocess.run([os.path.join(RELEASE, "growth_bench"), database, *(str(word) for word in arguments)], check=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=3600)
    return json.loads(result.stdout)


def first_greeting(target):
    """Seconds from the start of posternd to the first 220."""
    target.gateway.write_config()
    started = time.monotonic()
    with target.meter:
        target.gateway.launch(target.gateway.command())
    while True:
        try:
            with socket.create_connection(("127.0.0.1", target.port), timeout=60) as connection:
                if connection.recv(3) == b"220":
                    return time.monotonic() - started
        except ConnectionRefusedError:
            time.sleep(0.001)


def measure_mappings(target, count, rounds, messages):
    target.gateway.stop()
    made = growth_bench(target, "mappings", count)["mappings"]
    lookups = [growth_bench(target, "lookup", LOOKUPS) for _ in range(rounds)]
    target.gateway.start()
    rates = []
    for _ in range(rounds):
        started = time.monotonic()
        kinds.send(target, 50, messages, 4096, True)
        rates.append(messages / (time.monotonic() - started))
    return {"mappings": made, "lookups": lookups, "rates": rates,
            "median_us": statistics.median(entry["median_us"] for entry in lookups),
            "p99_us": statistics.median(entry["p99_us"] for entry in lookups), "rate": statistics.median(rates)}


def run(folder, rounds, messages, quick):
    certificate, key = kinds.make_certificate(folder)
    target = kinds.PosternTarget(folder, certificate, key)
    results = []
    try:
        print(f"{'mappings':>10} {'decision µs: median':>20} {'99 %':>6} {'to the first':>13} {'accepted/s':>11} {'to the first':>13}")
        for count in QUICK if quick else MAPPINGS:
            entry = measure_mappings(target, count, rounds, messages)
            results.append(entry)
            print(f"{entry['mappings']:10} {entry['median_us']:20.1f} {entry['p99_us']:6.1f}"
                  f" {entry['median_us'] / results[0]['median_us']:13.2f} {entry['rate']:11.0f}"
                  f" {entry['rate'] / results[0]['rate']:13.2f}", flush=True)
        target.gateway.stop()
        growth_bench(target, "queue", WAITING, 4096, 200)
        starts = []
        for _ in range(rounds):
            starts.append(first_greeting(target))
            target.gateway.stop()
        print(f"start with {WAITING} more mails waiting: {statistics.median(starts):.3f} s to the first 220")
    finally:
        target.close()
    return {"rounds": rounds, "mappings": results, "waiting": WAITING, "first_greeting_s": starts}
