"""The benchmark of accepting mail: posternd and Postfix in turns, and smtp-sink for what the generator can do at most.

Rounds in which the hypervisor has kept more than 5 % of the machine are measured again, at most as often as they were to be
measured, and those that are dropped are said.
"""
import os
import statistics
import sys
import time

import targets as kinds
from procs import wait_until

STEAL_MAX = 5.0
KIB, MIB = 1024, 2**20

# name, sessions at a time, octets, share of --messages, connections ("kept", "once"; "tls kept", "tls once"), in --quick
LOADS = [
    ("4 KiB, 1 session kept", 1, 4 * KIB, 0.5, "kept", True),
    ("4 KiB, 10 sessions kept", 10, 4 * KIB, 1, "kept", False),
    ("4 KiB, 50 sessions kept", 50, 4 * KIB, 1, "kept", True),
    ("4 KiB, 100 sessions kept", 100, 4 * KIB, 1, "kept", False),
    ("4 KiB, 10 sessions, one message each", 10, 4 * KIB, 0.5, "once", False),
    ("4 KiB, 50 sessions, one message each", 50, 4 * KIB, 0.5, "once", True),
    ("64 KiB, 1 session kept", 1, 64 * KIB, 0.3, "kept", False),
    ("64 KiB, 10 sessions kept", 10, 64 * KIB, 0.5, "kept", True),
    ("64 KiB, 50 sessions kept", 50, 64 * KIB, 0.5, "kept", False),
    ("64 KiB, 100 sessions kept", 100, 64 * KIB, 0.5, "kept", False),
    ("1 MiB, 1 session kept", 1, MIB, 0.05, "kept", False),
    ("1 MiB, 10 sessions kept", 10, MIB, 0.1, "kept", True),
    ("1 MiB, 50 sessions kept", 50, MIB, 0.1, "kept", False),
    ("1 MiB, 100 sessions kept", 100, MIB, 0.1, "kept", False),
    ("4 KiB, 10 sessions kept, STARTTLS", 10, 4 * KIB, 1, "tls kept", True),
    ("4 KiB, 50 sessions kept, STARTTLS", 50, 4 * KIB, 1, "tls kept", True),
    ("4 KiB, 10 sessions, STARTTLS, one message each", 10, 4 * KIB, 0.3, "tls once", True),
]


def run_load(target, load, messages):
    """Sends it; returns the seconds it took."""
    _, sessions, size, _, connections, _ = load
    if connections.startswith("tls"):
        words = ["starttls", *(["once"] if connections.endswith("once") else [])]
        return kinds.smtp_bench(target, "load", sessions, messages, size, *words)["seconds"]
    started = time.monotonic()
    kinds.send(target, sessions, messages, size, connections == "kept")
    return time.monotonic() - started


def measure(target, load, messages):
    """One round of one load into a target that stores."""
    stored, cpu, steal = target.stored(), target.meter.seconds(target.pid()), kinds.Steal()
    seconds = run_load(target, load, messages)
    cpu, percent = target.meter.seconds(target.pid()) - cpu, steal.percent()
    pss = kinds.pss_bytes(target.pid())
    wait_until("all is stored", lambda: target.stored() - stored >= messages)
    target.forget()
    return {"rate": messages / seconds, "cpu_us": cpu / messages * 1e6, "pss_mib": pss / MIB, "steal_percent": percent}


def measure_sink(sink, load, messages):
    if load[4].startswith("tls"):
        return None   # it speaks no TLS
    steal = kinds.Steal()
    return {"rate": messages / run_load(sink, load, messages), "steal_percent": steal.percent()}


def median(rounds, key):
    return statistics.median(entry[key] for entry in rounds)


def measure_in_turns(targets, sink, load, rounds, messages):
    """As many good rounds as were asked for, if there are that many in twice as many; and how many were dropped."""
    good, dropped = [], 0
    while len(good) < rounds and dropped + len(good) < 2 * rounds:
        entry = {target.name: measure(target, load, messages) for target in targets}
        entry["sink"] = measure_sink(sink, load, messages)
        if max(part["steal_percent"] for part in entry.values() if part) > STEAL_MAX:
            dropped += 1
        else:
            good.append(entry)
    return good, dropped


def run_loads(targets, sink, loads, rounds, messages):
    results = []
    print(f"{'median of ' + str(rounds) + ' rounds':47} {'messages/s':^33} {'CPU µs/message':^23} {'PSS MiB':^11}")
    print(f"{'':47} {'posternd':>8} {'Postfix':>8} {'ratio':>6} {'sink':>8} {'posternd':>8} {'Postfix':>8} {'ratio':>5}"
          f" {'p':>5} {'P':>5}")
    for load in loads:
        count = max(int(messages * load[3]), 2 * load[1])
        good, dropped = measure_in_turns(targets, sink, load, rounds, count)
        note = f"  {dropped} rounds dropped for steal" if dropped else ""
        if not good:
            print(f"{load[0]:47} not measured: all rounds dropped for steal", flush=True)
            continue
        postern, postfix = ([entry[target.name] for entry in good] for target in targets)
        ceiling = median([entry["sink"] for entry in good], "rate") if good[0]["sink"] else None
        result = {"load": load[0], "messages": count, "dropped": dropped, "rounds": good, "sink_rate": ceiling,
                  "rate_ratio": median(postern, "rate") / median(postfix, "rate"),
                  "cpu_ratio": median(postern, "cpu_us") / median(postfix, "cpu_us")}
        results.append(result)
        print(f"{load[0]:47} {median(postern, 'rate'):8.0f} {median(postfix, 'rate'):8.0f} {result['rate_ratio']:6.1f}"
              f" {f'{ceiling:.0f}' if ceiling else '-':>8} {median(postern, 'cpu_us'):8.0f} {median(postfix, 'cpu_us'):8.0f}"
              f" {result['cpu_ratio']:5.2f} {median(postern, 'pss_mib'):5.0f} {median(postfix, 'pss_mib'):5.0f}{note}", flush=True)
    return results


def run_latency(targets, rounds, messages):
    """How long a message takes, from when it is due to its 250, at half of what the target can do, over 10 connections; and
    posternd's at the pace at which Postfix was measured."""
    sessions, size = 10, 4 * KIB
    paces = {}
    for target in targets:
        seconds = kinds.smtp_bench(target, "load", sessions, messages, size)["seconds"]
        paces[target.name] = max(int(messages / seconds / 2), 1)
        target.forget()
    postern, postfix = targets
    runs = [(postfix, paces[postfix.name]), (postern, paces[postern.name]), (postern, paces[postfix.name])]
    results = [{"target": target.name, "pace": pace, "rounds": []} for target, pace in runs]
    for _ in range(rounds):
        for (target, pace), result in zip(runs, results):
            steal = kinds.Steal()
            taken = kinds.smtp_bench(target, "load", sessions, min(messages, 4 * pace), size, f"rate={pace}")
            result["rounds"].append({**taken, "steal_percent": steal.percent()})
            target.forget()
    print(f"\n{'4 KiB, 10 sessions kept, at a pace: µs from due to 250':62} {'median':>8} {'99 %':>8} {'most':>8}")
    for result in results:
        values = [median(result["rounds"], key) for key in ("median_us", "p99_us", "most_us")]
        print(f"{result['target']:10} {result['pace']:6} a second {'':34} " + " ".join(f"{value:8.0f}" for value in values), flush=True)
    return results


def run_strace(targets, messages):
    """That both sync what they accept. How often says how many messages share a sync; Postfix syncs each file."""
    print()
    results = {}
    for target in targets:
        kinds.send(target, 1, 10, 4 * KIB, True)   # the processes that will do it are there
        syncs = kinds.count_syncs(target.pid(), lambda t=target: kinds.send(t, 1, messages, 4 * KIB, True))
        results[target.name] = {"messages": messages, "syncs": syncs}
        print(f"{target.name}: {syncs} calls of fsync and fdatasync for {messages} messages over one connection")
        target.forget()
    return results


def run(folder, arguments):
    if os.geteuid() != 0:
        sys.exit("bench: Postfix can only be started by root")
    targets, sink, rounds, messages = [], None, arguments.rounds, arguments.messages
    loads = [load for load in LOADS if (load[5] or not arguments.quick) and (arguments.only or "") in load[0]]
    certificate, key = kinds.make_certificate(folder)
    try:
        targets.append(kinds.PosternTarget(folder, certificate, key))
        targets.append(kinds.PostfixTarget(certificate, key))
        sink = kinds.SinkTarget()
        if os.stat(targets[0].folder).st_dev != os.stat(targets[1].folder).st_dev:
            sys.exit("bench: the two are not on the same filesystem")
        result = {"rounds": rounds, "postfix_settings": kinds.POSTFIX_SETTINGS.strip().splitlines()}
        result["loads"] = run_loads(targets, sink, loads, rounds, messages)
        if not arguments.only:
            result["latency"] = run_latency(targets, rounds, messages)
        if arguments.strace:
            result["syncs"] = run_strace(targets, 100)
        return result
    finally:
        for target in [*targets, *([sink] if sink else [])]:
            target.close()
