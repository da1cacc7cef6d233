"""The long soak: mixed traffic through real neighbours at half of what they can do, while each part is ended and started again.

Only with POSTERN_LONG=1, or POSTERN_SOAK_SECONDS (3600 by default). POSTERN_SEED repeats the choices. Each message has a token; at the
end the counts match on both ends, and the table of latencies and sizes is in build/check/soak.md.
"""
import collections
import os
import random
import sqlite3
import statistics
import threading
import time

import pytest

from conftest import needs_root
from procs import ROOT
from town import Town, family_of
from town_traffic import LEDGER_WINDOW, Ledger, Traffic

SECONDS = int(os.environ.get("POSTERN_SOAK_SECONDS", "3600" if os.environ.get("POSTERN_LONG") == "1" else "0"))
CAPACITY_SECONDS = 60 if SECONDS >= 600 else 20
UNDER_WAY = 150              # while capacity is measured
SHARE = 0.5                  # of it, afterwards
TROUBLE_EVERY = 15           # seconds, on the mean
AWAY_MAX = 8                 # seconds that a part is away
PARTS = ("front", "restless", "silo", "relay", "client", "alice", "carol")
SAMPLE_SECONDS = 2
PROGRESS_SECONDS = 30
SETTLE_SECONDS = 900
GROWTH_MAX, GROWTH_IGNORED = 0.10, 4 * 2**20
DESCRIPTORS_MAX = 5
FIRST_IGNORED = 0.1          # of the samples, while caches fill
# Postfix hands on several at a time, and what it was handing on when it, or its neighbour, was ended comes again.
REPEATED_PER_KILL = 40


def pss_and_files(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        pss = next(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024
    return pss, len(os.listdir(f"/proc/{pid}/fd"))


class Sampler(threading.Thread):
    """name -> (time, starts, PSS of the process, descriptors, PSS of its children), now and then."""

    def __init__(self, town):
        super().__init__(daemon=True)
        self.town = town
        self.samples = collections.defaultdict(list)
        self.stopping = False
        self.start()

    def run(self):
        while not self.stopping:
            for name, server in (*self.town.gateways.items(), ("silo", self.town.silo)):
                process = server.process
                try:
                    pss, files = pss_and_files(process.pid)
                    workers = sum(pss_and_files(pid)[0] for pid in family_of(process.pid)[1:])
                    self.samples[name].append((time.time(), process.pid, pss, files, workers))
                except (OSError, AttributeError, StopIteration):
                    pass   # it has ended meanwhile
            time.sleep(SAMPLE_SECONDS)


class Troubles:
    """Each part in turn, in an order that is shuffled for each round."""

    def __init__(self, town, seed):
        self.town = town
        self.moments = random.Random(seed)
        self.round = []
        self.done = collections.Counter()

    def make_one(self):
        if not self.round:
            self.round = [(part, how) for part in PARTS for how in ("kill", "stop")]
            self.moments.shuffle(self.round)
        part, how = self.round.pop()
        away = self.moments.choice((0, 0, self.moments.uniform(0, AWAY_MAX)))
        if part in ("alice", "carol"):
            getattr(self.town, part).crash()
        elif part == "client":
            self.town.client.stopping = True
            self.town.client.end(9 if how == "kill" else 15)
            time.sleep(away)
            self.town.client.stopping = False
            self.town.client.start()
        else:
            server = getattr(self.town, part)
            server.is_away = True
            server.kill() if how == "kill" else server.stop()
            time.sleep(away)
            server.start()
            server.ends, server.is_away = getattr(server, "ends", 0) + 1, False
            for postfix in (self.town.front, self.town.relay):
                postfix.flush()
        self.done[part, how] += 1

    def kills(self):
        return sum(count for (part, how), count in self.done.items() if how == "kill" and part in ("front", "restless", "relay"))


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def latency_table(ledger, began):
    """Rows of markdown: each way, in windows by when a message was due. Nothing is left out."""
    rows = collections.defaultdict(list)
    for way, due, seconds in ledger.latencies:
        if due >= began:
            rows[int((due - began) // LEDGER_WINDOW), way].append(seconds)
    lines = ["| minutes | way | messages | median | 90 % | 99 % | most |", "|---|---|---|---|---|---|---|"]
    for (window, way), values in sorted(rows.items()):
        lines.append(f"| {window * LEDGER_WINDOW // 60} to {(window + 1) * LEDGER_WINDOW // 60} | {way} | {len(values):,} | "
                     + " | ".join(f"{percentile(values, share):.2f} s" for share in (0.5, 0.9, 0.99, 1)) + " |")
    return lines


def size_table(samples):
    """Means of thirds of each process, after what came before it was warm; of those that were ended, of all that lived."""
    lines = ["| process | PSS of the first third | of the last | most | descriptors | most | its workers, most |", "|---|---|---|---|---|---|---|"]
    for name, rows in samples.items():
        rows = rows[int(len(rows) * FIRST_IGNORED):]
        third = max(1, len(rows) // 3)
        first, last = (statistics.mean(row[2] for row in part) / 2**20 for part in (rows[:third], rows[-third:]))
        files = [statistics.mean(row[3] for row in part) for part in (rows[:third], rows[-third:])]
        lines.append(f"| {name} | {first:.1f} MiB | {last:.1f} MiB | {max(row[2] for row in rows) / 2**20:.1f} MiB | {files[0]:.0f}, then {files[1]:.0f} | "
                     f"{max(row[3] for row in rows)} | {max(row[4] for row in rows) / 2**20:.1f} MiB |")
    return lines


def growth_table(rows, began):
    """Of the gateway that nobody ends: means of each window."""
    windows = collections.defaultdict(list)
    for row in rows:
        windows[int((row[0] - began) // LEDGER_WINDOW)].append(row)
    lines = ["| minutes | PSS | descriptors |", "|---|---|---|"]
    for window, those in sorted(windows.items()):
        lines.append(f"| {window * LEDGER_WINDOW // 60} to {(window + 1) * LEDGER_WINDOW // 60} | {statistics.mean(row[2] for row in those) / 2**20:.1f} MiB | "
                     f"{statistics.mean(row[3] for row in those):.1f} |")
    return lines


def check_flat(rows):
    rows = rows[int(len(rows) * FIRST_IGNORED):]
    assert len({row[1] for row in rows}) == 1, "the steady gateway was started again"
    third = len(rows) // 3
    before, after = (statistics.mean(row[2] for row in part) for part in (rows[:third], rows[-third:]))
    assert after - before < max(GROWTH_MAX * before, GROWTH_IGNORED), f"memory grows: {before:.0f}, then {after:.0f}"
    before, after = (statistics.mean(row[3] for row in part) for part in (rows[:third], rows[-third:]))
    assert after - before < DESCRIPTORS_MAX, f"descriptors grow: {before:.0f}, then {after:.0f}"


def check_database(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


class Soak:
    def __init__(self, folder, seed, show):
        self.show = show
        self.seed = seed
        self.ledger = Ledger()
        self.town = Town(folder, lambda *delivery: self.traffic.take_from_silo(*delivery))
        self.traffic = Traffic(self.town, self.ledger, seed)
        self.troubles = Troubles(self.town, seed + 1)
        self.began = None
        self.started = self.shown = time.monotonic()
        self.capacity = self.pace = 0

    def check(self):
        self.town.check()
        self.traffic.check()
        assert not self.ledger.wrong, self.ledger.wrong[:5]

    def wait_for_all(self):
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.ledger.missing:
            self.check()
            assert time.monotonic() < deadline, f"lost or late: {len(self.ledger.lost())}: {self.ledger.lost()[:20]}"
            for postfix in (self.town.front, self.town.relay):
                postfix.flush()
            time.sleep(1)
            self.show_progress()
        self.check()

    def measure_capacity(self):
        """What arrives in a second when as much is sent as is taken, and nothing is disturbed."""
        self.traffic.run(1, CAPACITY_SECONDS / 4, UNDER_WAY)   # a start
        began, before = time.monotonic(), sum(self.ledger.arrived.values())
        self.traffic.run(1, CAPACITY_SECONDS, UNDER_WAY)
        arrivals = sum(self.ledger.arrived.values()) - before
        share = sum(self.traffic.sent.values()) / len(self.ledger.expected)   # some arrive at several places
        self.capacity = arrivals / (time.monotonic() - began) * share
        self.pace = self.capacity * SHARE
        self.wait_for_all()

    def show_progress(self):
        """Now and then."""
        if time.monotonic() - self.shown < PROGRESS_SECONDS:
            return
        self.shown = time.monotonic()
        ledger = self.ledger
        self.show(f"soak: {time.monotonic() - self.started:.0f} s, load {os.getloadavg()[0]:.0f}; {sum(self.traffic.sent.values())} sent, "
                  f"{sum(ledger.arrived.values())} arrivals, {ledger.missing} under way ({', '.join(str(key) for key in ledger.lost()[:3])}), {len(ledger.repeated())} twice, "
                  f"{sum(self.troubles.done.values())} troubles, {sum(self.traffic.reads.values())} reads")

    def run(self):
        self.began = time.time()
        sender = self.traffic.launch(self.traffic.run, self.pace, SECONDS)
        next_trouble = time.time() + 5
        while sender.is_alive():
            time.sleep(0.1)
            self.check()
            if time.time() >= next_trouble:
                self.troubles.make_one()
                next_trouble = time.time() + self.troubles.moments.uniform(0, 2 * TROUBLE_EVERY)
            self.show_progress()
        self.wait_for_all()

    def verify(self, sampler):
        """When all is there: nothing more comes, and what was kept is whole."""
        for gateway in self.town.gateways.values():
            gateway.wait_settled()
            gateway.ctl("audit", "verify")
        time.sleep(3)   # whatever comes again comes soon
        self.check()
        assert not self.ledger.lost()
        repeated = self.ledger.repeated()
        inside = {key: count for key, count in repeated.items() if key[1] not in ("relay", "sender", "bounced")}
        assert not inside, f"came twice to a member: {inside}"
        assert sum(count - 1 for count in repeated.values()) <= REPEATED_PER_KILL * self.troubles.kills(), f"too many came twice: {repeated}"
        sampler.stopping = True
        self.town.stop()
        for gateway in self.town.gateways.values():
            check_database(os.path.join(gateway.state, "postern.db"))
        check_flat(sampler.samples["steady"])

    def report(self, sampler):
        traffic, ledger = self.traffic, self.ledger
        by_place = collections.Counter(place for _, place in ledger.repeated())
        lines = [f"Seed {self.seed}, {time.time() - self.began:.0f} s with settling; capacity {self.capacity:.1f} messages a second, pace {self.pace:.1f}.", "",
                 f"Sent {sum(traffic.sent.values()):,} messages ({', '.join(f'{kind} {count:,}' for kind, count in traffic.sent.items())}), "
                 f"{len(ledger.expected):,} arrivals wanted; lost {len(ledger.lost())}; wrong {len(ledger.wrong)}; repeated {dict(by_place)}.",
                 "Troubles: " + ", ".join(f"{part} {how} {count}" for (part, how), count in sorted(self.troubles.done.items())) + ".",
                 f"Reads: {sum(traffic.reads.values()):,}, of which {traffic.refused_reads} while the gateway was away.", "",
                 *latency_table(ledger, self.began), "", *size_table(sampler.samples), "",
                 *growth_table(sampler.samples["steady"], self.began), ""]
        os.makedirs(os.path.join(ROOT, "build", "check"), exist_ok=True)
        with open(os.path.join(ROOT, "build", "check", "soak.md"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        for line in lines:
            self.show(line)


@pytest.mark.skipif(SECONDS == 0, reason="takes an hour: with --long, or POSTERN_SOAK_SECONDS")
@pytest.mark.timeout(0)
def test_an_hour_in_town(folder, show):
    needs_root()
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6)))
    show(f"\nPOSTERN_SEED={seed}, {SECONDS} s")
    soak = Soak(folder, seed, show)
    try:
        soak.town.start()
        soak.traffic.start()
        soak.measure_capacity()
        show(f"soak: {soak.capacity:.1f} messages a second at most, {soak.pace:.1f} from now on")
        sampler = Sampler(soak.town)
        try:
            soak.run()
            soak.verify(sampler)
        finally:
            soak.report(sampler)
    finally:
        soak.traffic.stop()
        soak.town.close()
