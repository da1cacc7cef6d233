"""A million mappings and a million threads, as after years: what it costs to decide, to accept, to start, to look, and to keep a copy; and
how long others wait for a greeting meanwhile.

With POSTERN_LONG=1; POSTERN_MANY sets another number. `tests/bench/run growth` compares numbers.
"""
import json
import os
import sqlite3
import statistics
import subprocess
import time

import pytest

from procs import RELEASE
from test_long_queues import BOB, Greetings, Place

MANY = int(os.environ.get("POSTERN_MANY", "1000000" if os.environ.get("POSTERN_LONG") == "1" else "0"))
IN_PIECE = 50_000            # rows of a statement
STARTED_SECONDS = 15
READ_SECONDS = 120           # each; an export or a copy of everything may take WHOLE_SECONDS
WHOLE_SECONDS = 1800
GREETED_SECONDS = 5          # the longest that anybody waits while somebody looks
DECISION_US = 1000           # median; it is some 20 on a machine that has nothing else to do

pytestmark = [pytest.mark.skipif(MANY == 0, reason="with --long, or POSTERN_MANY"), pytest.mark.timeout(0)]

NUMBERS = "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
# A thread, whom it is with, the mail that began it, and its story: as the gateway leaves them once all is settled.
THREAD_ROWS = (
    "INSERT INTO thread (id, threadid, subject, created_at) SELECT i, printf('%016x', i), 'Subject of ' || i, {at} + i FROM n",
    "INSERT INTO thread_party (thread_id, member_id, correspondent_id, alias, uid) SELECT i, {member}, NULL, 'Alice Member', 'UIDALICE' FROM n"
    " UNION ALL SELECT i, NULL, {correspondent}, 'bob@example.com', 'UIDGATEWAY' FROM n",
    "INSERT INTO inbound (id, kind, state, sender, from_address, correspondent_id, message_id, digest, is_automatic, size, thread_id, subject, received_at,"
    " next_attempt_at) SELECT i, 'mail', 'settled', 'bob@example.com', 'bob@example.com', {correspondent}, 'm' || i || '@example.com', randomblob(32), 0, 4096,"
    " i, 'Subject of ' || i, {at} + i, {at} + i FROM n",
    "INSERT INTO inbound_recipient (inbound_id, member_id, mapping_id, address) SELECT i, {member}, {mapping}, 'alice@silo.example.org' FROM n",
    "INSERT INTO message (thread_id, message_id, tmtp_msgid, inbound_id, created_at) SELECT i, 'm' || i || '@example.com', printf('%016x', i), i, {at} + i FROM n",
    "INSERT INTO trace (id, at, event, detail) SELECT i << 21 | 1, {at} + i, 'received', 'from 127.0.0.1:1 by listener smtp with ESMTP, 4096 octets' FROM n"
    " UNION ALL SELECT i << 21 | 2, {at} + i, 'posted', 'as message ' || i FROM n",
    "INSERT INTO seen_tmtp (msgid, seen_at) SELECT printf('%016x', i), {at} + i FROM n",
)


def make_threads(path, count):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous = off")
    member, correspondent, mapping = (database.execute(sql).fetchone()[0] for sql in (
        "SELECT id FROM member WHERE alias = 'Alice Member'", f"SELECT id FROM correspondent WHERE address = '{BOB}'", "SELECT min(id) FROM mapping"))
    places = {"member": member, "correspondent": correspondent, "mapping": mapping, "at": int(1000 * (time.time() - 86400 * 30))}
    first = 1 + max(database.execute("SELECT coalesce(max(id), 0) FROM thread").fetchone()[0], database.execute("SELECT coalesce(max(id), 0) FROM inbound").fetchone()[0])
    for begin in range(first, first + count, IN_PIECE):
        numbers = NUMBERS.format(first=begin, last=min(begin + IN_PIECE, first + count) - 1)
        database.execute("BEGIN")
        for sql in THREAD_ROWS:
            head, _, body = sql.partition(" SELECT ")
            database.execute(f"{numbers} {head} SELECT {body}".format(**places))
        database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return first + count // 2


def growth_bench(place, *words):
    command = [os.path.join(RELEASE, "growth_bench"), os.path.join(place.gateway.state, "postern.db"), *(str(word) for word in words)]
    return json.loads(subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=7200).stdout)


class Looks:
    """What takes how long, and how long others wait for a greeting meanwhile."""

    def __init__(self, place):
        self.place = place

    def look(self, name, work, longest=READ_SECONDS):
        with Greetings(self.place.gateway.open_port) as greetings:
            began = time.monotonic()
            work()
            took = time.monotonic() - began
            time.sleep(0.3)
        times = sorted(greetings.times)
        self.place.show(f"| {name} | {1000 * took:,.0f} ms | {1000 * statistics.median(times):.0f} ms | {1000 * times[len(times) * 99 // 100]:.0f} ms | {1000 * times[-1]:.0f} ms |")
        assert took < longest and times[-1] < GREETED_SECONDS, f"{name}: {took:.1f} s, others waited for {times[-1]:.1f} s"

    def run_long(self, *words):
        gateway = self.place.gateway
        subprocess.run([os.path.join(RELEASE, "posternctl"), "-c", gateway.config, *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       timeout=WHOLE_SECONDS)

    def run(self, middle, folder):
        place, gateway = self.place, self.place.gateway
        self.place.show("| what | took | greeting meanwhile, median | 99 % | most |\n|---|---|---|---|---|")
        self.look("nothing, for 15 s", lambda: time.sleep(15))
        for words in (("status",), ("mapping", "list"), ("mapping", "list", "--after", str(MANY // 2)), ("mapping", "list", "--search", "no such text"),
                      ("mapping", "list", "--search", "g77@"), ("mapping", "list", "--address", "g77@example.com"), ("mapping", "list", "--member", "Growth Member 7"),
                      ("mapping", "list", "--state", "suspended"), ("mapping", "test", "g77@example.com", "Growth Member 7"), ("member", "list", "--find", "member 99"),
                      ("queue", "list"), ("queue", "list", "--state", "settled"), ("queue", "list", "--state", "settled", "--from", "nobody@example.org"),
                      ("why", f"<m{middle}@example.com>"), ("why", f"in{middle}"), ("audit", "list"), ("audit", "verify")):
            self.look(" ".join(words), lambda words=words: gateway.ctl(*words))
        for path in ("/", "/mappings", "/mappings?search=g77%40", "/mappings?search=nothing", "/members", "/queue", "/queue?state=settled", f"/message?id=in{middle}", "/audit"):
            self.look(f"page {path}", lambda path=path: place.visitor.ask("GET", path))
        self.look("mapping export", lambda: self.run_long("mapping", "export"), WHOLE_SECONDS)
        copy = os.path.join(folder, "copy.tar")
        self.look("backup", lambda: self.run_long("backup", copy), WHOLE_SECONDS)
        self.place.show(f"backup of {os.path.getsize(copy) / 2**20:,.0f} MiB")


def test_a_million_mappings_and_threads(folder, show):
    place = Place(folder, show)
    try:
        place.start()
        place.gateway.stop()
        path = os.path.join(place.gateway.state, "postern.db")
        began = time.monotonic()
        growth_bench(place, "mappings", MANY)
        middle = make_threads(path, MANY)
        show(f"\nmade in {time.monotonic() - began:.0f} s: {os.path.getsize(path) / 2**20:,.0f} MiB")
        found = growth_bench(place, "lookup", 20000)
        show(f"decision: median {found['median_us']} us, 99 % {found['p99_us']} us")
        assert found["median_us"] < DECISION_US
        place.gateway.start()
        starts = [place.restart(kill) for kill in (False, True, True)]
        show(f"to the first greeting {', '.join(f'{seconds:.2f}' for seconds in starts)} s")
        assert max(starts) < STARTED_SECONDS
        place.gateway.wait_online()
        show(f"accepted {place.send(3000):.0f} a second; PSS {place.size() / 2**20:.1f} MiB")
        place.gateway.wait_settled()
        Looks(place).run(middle, folder)
        show(f"PSS {place.size() / 2**20:.1f} MiB")
        place.gateway.stop(120)
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            assert database.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    finally:
        place.close()
