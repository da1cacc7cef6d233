"""What protecting the daemon costs: posternd as it is, without its filter of system calls, and without wiping what it frees, in turns.

Two loads: mail that is accepted and stays, as its silo is away; and mail on its whole way to the silo. Processor time of the
daemon and its workers for each mail. Each round has all of them, in an order that moves on by one; what is printed are medians of the
rounds' ratios, with the middle half of them, since a machine is never the same for long.
"""
import os
import statistics

import targets as kinds
from procs import RELEASE, wait_until

SIZE = 4 * 1024
# name, sessions at a time, share of --messages, whether it goes on to the silo
LOADS = [("accepted, 1 session", 1, 0.5, False), ("accepted, 50 sessions", 50, 2, False), ("on its whole way, 10 sessions", 10, 0.5, True)]


class Whole(kinds.BenchGateway):
    name = "as it is"


class WithoutFilter(kinds.BenchGateway):
    name = "no filter"

    def launch_environment(self):
        return {**super().launch_environment(), "LD_PRELOAD": os.path.join(RELEASE, "postern_no_filter.so")}


class WithoutWiping(kinds.BenchGateway):
    name = "no wiping"

    def command(self, *arguments):
        return [os.path.join(RELEASE, "posternd_unwiped"), *super().command(*arguments)[1:]]


def filters(target):
    """How many filters of system calls the daemon is behind."""
    with open(f"/proc/{target.pid()}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Seccomp_filters:"))


class Target(kinds.PosternTarget):
    def __init__(self, folder, gateway, certificate, key):
        os.mkdir(folder)
        super().__init__(folder, certificate, key, gateway)
        self.name = gateway.name
        assert (filters(self) == 0) == (gateway is WithoutFilter), "what is measured is not what it is taken for"

    def bring_silo(self):
        self.silo.start()
        self.gateway.connect_silo()
        self.gateway.wait_online()


def measure(target, load, messages):
    """Microseconds of processor time for each mail."""
    _, sessions, _, goes_on = load
    stored, before = target.stored(), target.meter.seconds(target.pid())
    kinds.send(target, sessions, messages, SIZE, True)
    if goes_on:
        target.gateway.wait_settled()
    else:
        wait_until("all is stored", lambda: target.stored() - stored >= messages)
    used = target.meter.seconds(target.pid()) - before
    return used / messages * 1e6


def run_load(targets, load, rounds, messages):
    used = {target.name: [] for target in targets}
    for target in targets:
        if load[3]:
            target.bring_silo()
    for number in range(rounds):
        first = number % len(targets)
        for target in targets[first:] + targets[:first]:
            used[target.name].append(measure(target, load, messages))
    for target in targets:
        target.silo.stop()
    return used


def show(load, used, rounds):
    whole = used[Whole.name]
    line = f"{load[0]:32} {statistics.median(whole):8.0f} µs"
    for name, values in used.items():
        if name == Whole.name:
            continue
        ratios = [a / b for a, b in zip(whole, values)]
        low, _, high = statistics.quantiles(ratios, n=4) if rounds > 1 else (ratios[0],) * 3
        line += f"   of {name}: {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f})"
    print(line, flush=True)


def run(folder, rounds, messages):
    """Prints a table and returns what goes into the JSON file."""
    targets, results = [], []
    certificate, key = kinds.make_certificate(folder)
    try:
        for number, gateway in enumerate((Whole, WithoutFilter, WithoutWiping)):
            targets.append(Target(os.path.join(folder, str(number)), gateway, certificate, key))
        print(f"{'median of ' + str(rounds) + ' rounds':32} {'as it is':>11}   and that as a multiple of it without", flush=True)
        for load in sorted(LOADS, key=lambda load: not load[3]):   # what stays would go on when a silo is there
            count = max(int(messages * load[2]), 2 * load[1])
            used = run_load(targets, load, rounds, count)
            show(load, used, rounds)
            results.append({"load": load[0], "messages": count, "cpu_us": used})
        return {"rounds": rounds, "size": SIZE, "loads": results}
    finally:
        for target in targets:
            target.close()
