"""The benchmark of a long queue on the way out: 10, 10,000 and 100,000 messages that were deferred.

For each: finding what is due (queue_bench, with the store's own functions), from the start of posternd to its first 220, its
memory, how long a member's new message takes to the relay beside them, and at the end how fast they all leave when the relay is back.
"""
import json
import os
import socket
import statistics
import subprocess
import time

from outbound_bench import OutboundBench
from procs import RELEASE, wait_until
from targets import pss_bytes

COUNTS = [10, 10_000, 99_900]   # 100,000 that wait are the limit: no more are taken
SIZE, LOOKS, NEW_MESSAGES, DRAINED_MAX = 4096, 20_000, 40, 20_000


class QueueBench(OutboundBench):
    def store(self, *arguments):
        database = os.path.join(self.gateway.state, "postern.db")
        result = subprocess.run([os.path.join(RELEASE, "queue_bench"), database, *(str(word) for word in arguments)], check=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=3600)
        return json.loads(result.stdout)

    def first_greeting(self):
        """Seconds from the start of posternd to the first 220."""
        self.gateway.write_config()
        started = time.monotonic()
        self.gateway.launch(self.gateway.command())
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.gateway.open_port), timeout=60) as connection:
                    if connection.recv(3) == b"220":
                        return time.monotonic() - started
            except ConnectionRefusedError:
                time.sleep(0.001)

    def new_messages(self):
        """Milliseconds from a member's post to smtp-sink, one after the other."""
        times = []
        for _ in range(NEW_MESSAGES):
            self.relay.expect(1)
            started = time.monotonic()
            self.post(self.gateway_uid, self.bob, 1)
            while not self.relay.last:
                time.sleep(0.0005)
                assert time.monotonic() - started < 60, "a new message does not leave"
            times.append((self.relay.last[0] - started) * 1000)
            self.member.wait("posted")
        return times

    def measure(self, count, rounds):
        entry = {"waiting": self.store("fill", count, SIZE)["waiting"], "looks": [self.store("due", LOOKS) for _ in range(rounds)],
                 "first_greeting_s": [], "pss": [], "new_ms": []}
        for _ in range(rounds):
            entry["first_greeting_s"].append(self.first_greeting())
            self.gateway.wait_online()
            entry["new_ms"] += self.new_messages()
            entry["pss"].append(pss_bytes(self.gateway.process.pid))
            self.gateway.stop()
        return entry

    def drain(self):
        """All that waits leaves. The rate of its first part, and of all; the most memory meanwhile."""
        waiting = self.store("release")["waiting"]
        before = self.relay.count
        part = min(DRAINED_MAX, waiting)
        self.relay.expect(part)
        self.gateway.start()
        rates = {"first": self.relay.rate()}
        started, count, most = time.monotonic(), self.relay.count, 0
        while self.relay.count < before + waiting:
            most = max(most, pss_bytes(self.gateway.process.pid))
            time.sleep(0.2)
            assert time.monotonic() - started < 1800, "the queue does not drain"
        if waiting > part:
            rates["rest"] = (self.relay.count - count) / (time.monotonic() - started)
        wait_until("the queue is empty", lambda: not self.gateway.queue("out"))
        return {"waiting": waiting, "rates": rates, "pss": most}


def show(entry, first):
    look = statistics.median(one["median_us"] for one in entry["looks"])
    tail = statistics.median(one["p99_us"] for one in entry["looks"])
    new = sorted(entry["new_ms"])
    against = look / statistics.median(one["median_us"] for one in first["looks"])
    print(f"{entry['waiting']:9} {look:9.1f} {tail:9.1f} {against:12.2f} {statistics.median(entry['first_greeting_s']):9.3f}"
          f" {statistics.median(entry['pss']) / 2**20:8.1f} {statistics.median(new):9.1f} {new[len(new) * 95 // 100]:6.1f}", flush=True)


def run(folder, rounds):
    """Prints a table and returns what goes into the JSON file."""
    bench = QueueBench(folder)
    entries = []
    try:
        bench.learn_content(SIZE)
        bench.gateway.stop()
        print(f"{'deferred':>9} {'look, µs':>9} {'99 %':>9} {'to the first':>12} {'start, s':>9} {'PSS MiB':>8} {'new, ms':>9} {'95 %':>6}")
        for count in COUNTS:
            entries.append(bench.measure(count, rounds))
            show(entries[-1], entries[0])
        drained = bench.drain()
        print("drained: " + ", ".join(f"{name} {rate:.0f}/s" for name, rate in drained["rates"].items())
              + f"; at most {drained['pss'] / 2**20:.1f} MiB")
    finally:
        bench.close()
    return {"rounds": rounds, "size": SIZE, "queues": entries, "drained": drained}
