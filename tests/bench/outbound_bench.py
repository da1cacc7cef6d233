"""The benchmark of the way out: members' posts through the gateway into smtp-sink, beside the same posts to a bare client.

Both take the posts of one member from one silo, in turns. The bare client (tmtp_bench) only acknowledges what it gets, or syncs its content before;
the gateway commits it, writes the mail, commits that, relays it and commits the outcome. Counted where they end: by smtp-sink and by the
bare client, from the first to the last. "live": the member posts meanwhile, and its posts, the silo's syncs for them and what
takes them share the machine; "waiting": everything waits in the silo before.
"""
import contextlib
import os
import statistics
import subprocess
import threading
import time

from procs import accepts_connections, free_port, wait_until
from silo_bench import PATIENCE, WINDOW, Bench
from targets import CpuMeter, pss_bytes

CONNECTIONS = [1, 4, 16]


class Sink:
    """smtp-sink, and when it took the first and the last of the messages that are waited for."""

    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen(["smtp-sink", "-u", "nobody", "-c", f"127.0.0.1:{self.port}", "1024"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.count = self.from_count = self.to_count = 0
        self.first = self.last = None
        threading.Thread(target=self.read, daemon=True).start()
        wait_until("smtp-sink listens", lambda: accepts_connections(self.port))

    def read(self):
        """It prints "sess=S quit=Q mesg=M" and a carriage return after each message."""
        rest = b""
        while data := os.read(self.process.stdout.fileno(), 65536):
            *whole, rest = (rest + data).split(b"\r")
            if whole:
                self.see(int(whole[-1].rpartition(b"=")[2]))

    def see(self, count):
        now = time.monotonic()
        if self.first is None and count > self.from_count:
            self.first = (now, count)
        if self.last is None and count >= self.to_count > self.from_count:
            self.last = (now, count)
        self.count = count

    def expect(self, messages):
        self.first = self.last = None
        self.from_count, self.to_count = self.count, self.count + messages

    def rate(self):
        wait_until("smtp-sink has all messages", lambda: self.last, PATIENCE)
        return (self.last[1] - self.first[1]) / (self.last[0] - self.first[0])

    def close(self):
        self.process.terminate()
        self.process.wait(10)


class OutboundBench(Bench):
    def __init__(self, folder, silo_port=None):
        self.meter = CpuMeter()
        super().__init__(folder, silo_port, Sink)

    def restart(self, connections):
        """With so many connections to the relay, and the processor time of the gateway counted from here on."""
        self.gateway.stop()
        self.gateway.relay_extra = f"max_connections = {connections}"
        with self.meter:
            self.gateway.start()
        self.gateway.wait_online()

    def post(self, uid, alias, messages):
        self.member.say("post", uid, alias, messages, WINDOW, 0, self.content)

    def gateway_measured(self, messages, work):
        """A rate, and what each message cost."""
        pid = self.gateway.process.pid
        before = self.meter.seconds(pid)
        work()
        rate = self.relay.rate()
        wait_until("the queue is empty", lambda: not self.gateway.queue("out"), PATIENCE)
        return {"rate": rate, "cpu_us": (self.meter.seconds(pid) - before) / messages * 1e6, "pss": pss_bytes(pid)}

    def gateway_live(self, connections, messages):
        self.restart(connections)

        def work():
            self.relay.expect(messages)
            self.post(self.gateway_uid, self.bob, messages)
            self.member.wait("posted")

        return self.gateway_measured(messages, work)

    def gateway_waiting(self, connections, messages):
        self.gateway.relay_extra = f"max_connections = {connections}"
        with self.meter, self.held():
            self.post(self.gateway_uid, self.bob, messages)
            self.member.wait("posted")
            self.relay.expect(messages)
            work = self.meter.seconds(self.gateway.process.pid)
        rate = self.relay.rate()
        wait_until("the queue is empty", lambda: not self.gateway.queue("out"), PATIENCE)
        pid = self.gateway.process.pid
        return {"rate": rate, "cpu_us": (self.meter.seconds(pid) - work) / messages * 1e6, "pss": pss_bytes(pid)}

    def bare_live(self, commit, messages):
        self.other.say("commit", os.path.join(self.folder, "committed") if commit else "-")
        self.other.say("expect", messages)
        self.post(self.other.uid, self.other.alias, messages)
        self.member.wait("posted")
        return self.received(self.other, messages)

    def close(self):
        super().close()
        self.meter.remove()


def sink_rate(bench, messages, size):
    """What smtp-sink takes over four kept connections from a client that does nothing else."""
    bench.relay.expect(messages)
    subprocess.run(["smtp-source", "-s", "4", "-m", str(messages), "-l", str(size), "-d", "-f", "a@example.com", "-t", "b@example.com",
                    f"127.0.0.1:{bench.relay.port}"], check=True, stdin=subprocess.DEVNULL, timeout=600)
    return bench.relay.rate()


def measure(bench, rounds, messages, size):
    """name -> the rounds of each, in turns."""
    kinds = {
        "sink alone": lambda: {"rate": sink_rate(bench, messages, size)},
        "bare, live": lambda: {"rate": bench.bare_live(False, messages)},
        "bare, live, synced": lambda: {"rate": bench.bare_live(True, messages)},
        **{f"gateway, live, {n} connections": lambda n=n: bench.gateway_live(n, messages) for n in CONNECTIONS},
        "bare, waiting": lambda: {"rate": bench.bare_takes(messages, False)},
        "bare, waiting, synced": lambda: {"rate": bench.bare_takes(messages, True)},
        **{f"gateway, waiting, {n} connections": lambda n=n: bench.gateway_waiting(n, messages) for n in CONNECTIONS},
    }
    found = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, work in kinds.items():
            found[name].append(work())
    return found


def median(entries, key):
    return statistics.median(entry[key] for entry in entries)


def run(folder, silo_port, rounds, messages, size):
    """Prints a table and returns what goes into the JSON file."""
    bench = OutboundBench(folder, silo_port)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            bench.learn_content(size)
        found = measure(bench, rounds, messages, size)
    finally:
        bench.close()
    print(f"{f'median of {rounds} rounds of {messages}':36} {'/s':>7} {'of bare':>8} {'synced':>7} {'µs CPU':>7} {'PSS MiB':>8}")
    for name, entries in found.items():
        line = f"{name:36} {median(entries, 'rate'):7.0f}"
        if name.startswith("gateway"):
            kind = name.split(", ")[1]
            against = [median(entries, "rate") / median(found[f"bare, {kind}{more}"], "rate") for more in ("", ", synced")]
            line += f" {against[0]:8.2f} {against[1]:7.2f} {median(entries, 'cpu_us'):7.0f} {median(entries, 'pss') / 2**20:8.1f}"
        print(line, flush=True)
    return {"rounds": rounds, "messages": messages, "size": size, "loads": found}
