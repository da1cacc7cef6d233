"""Content that was made to cost much (bombs.py): it is carried or refused, its worker stays within its limits, others' mail goes on.

The release build, with real workers. With `pytest -s` each test says what each bomb took (docs/RELIABILITY.md).
"""
import contextlib
import os
import smtplib
import threading
import time

import pytest

import bombs
from bare import BareMember
from dns_server import DnsServer
from mail import AUTHSERV_ID, make_mail
from postern import Gateway, Silo, close_quietly
from postfix import read_maildir
from procs import DEV, PATIENCE, RELEASE, free_port, sanitizer_environment, wait_until
from senders import BOBS_CLIENT, STRANGER, deliver, new_mail, publish, refusal, sign

LONG = bool(os.environ.get("POSTERN_LONG"))
MALLORY, CAROL, ALICE = "mallory@example.com", "carol@example.net", "alice@silo.example.org"
MIB = 1 << 20
WORKER_MAX = 560 * MIB      # CONVERT's 512 MiB above what a worker has at its start
DAEMON_MAX = 96 * MIB
SERVED_SECONDS = 30         # somebody else's mail is in its thread by then, on a busy machine too
SAMPLE = ("nested_multiparts", "wrongly_nested_tags")


def status_of(pid, name):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(name + ":")), 0)
    except OSError:
        return 0


class Watch(threading.Thread):
    """Looks at the memory of the daemon and of the workers of its workers' parents."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.worker_kib = self.daemon_kib = 0
        self.over = False

    def run(self):
        while not self.over:
            parents = {int(name): status_of(name, "PPid") for name in os.listdir("/proc") if name.isdigit()}
            zygotes = {pid for pid, parent in parents.items() if parent == self.pid}
            for pid, parent in parents.items():
                if parent in zygotes:
                    self.worker_kib = max(self.worker_kib, status_of(pid, "VmHWM"))
            self.daemon_kib = max(self.daemon_kib, status_of(self.pid, "VmRSS"))
            time.sleep(0.05)

    def take(self):
        """The most since the last time, in bytes: (worker, daemon)."""
        taken = self.worker_kib * 1024, self.daemon_kib * 1024
        self.worker_kib = self.daemon_kib = 0
        return taken


class Neighbour(threading.Thread):
    """Carol, who writes to Alice all the time: how long does it take until Alice has it?"""

    def __init__(self, house):
        super().__init__(daemon=True)
        self.house = house
        self.sent = self.number = 0
        self.longest = 0.0
        self.over = False
        self.error = None

    def run(self):
        try:
            while not self.over:
                self.number += 1
                began = time.monotonic()
                self.house.send(make_mail(f"Carol {self.number}", sender=CAROL).as_bytes(), CAROL)
                wait_until("Carol's mail arrives", lambda: f"Carol {self.number}" in self.house.subjects(), 4 * PATIENCE)
                self.longest = max(self.longest, time.monotonic() - began)
                self.sent += 1
                time.sleep(0.2)
        except Exception as error:   # told by check()
            self.error = repr(error)

    def take(self):
        assert self.error is None, self.error
        taken, self.longest = self.longest, 0.0
        return taken


class CrashingGateway(Gateway):
    """Its convert workers crash of mail with a line "X-Worker: crash", those that check senders of "X-Check: crash" (crashes.c)."""

    def launch_environment(self):
        return {**sanitizer_environment(self.folder), "LD_PRELOAD": os.path.join(DEV, "postern_crashes.so"), "POSTERN_CRASHES": "1"}


class House:
    def __init__(self, folder, kind=Gateway):
        self.silo = Silo(folder, RELEASE)
        self.gateway = kind(folder, self.silo.port, RELEASE)
        self.gateway.log_level = "info"
        self.alice = self.watch = self.neighbour = None
        self.lock = threading.Lock()
        self.counted = 0
        self.seen = set()
        self.rows = []

    def start(self):
        self.silo.start()
        self.gateway.start()
        self.alice = BareMember(self.silo.port, "Alice Member", keep_body=False)
        self.gateway.introduce(self.alice, "alice")
        for address in (MALLORY, CAROL):
            self.gateway.ctl("mapping", "add", address, "Alice Member")
        wait_until("Alice knows them", lambda: {MALLORY, CAROL} <= set(self.alice.uids))
        self.watch, self.neighbour = Watch(self.gateway.process.pid), Neighbour(self)
        self.watch.start()
        self.neighbour.start()

    def stop(self):
        self.neighbour.over = True
        self.neighbour.join(4 * PATIENCE)
        self.neighbour.take()
        self.watch.over = True
        self.alice.stop()
        self.alice.check()
        self.gateway.stop()

    def close(self):
        for thread in (self.neighbour, self.watch):
            if thread:
                thread.over = True
        close_quietly(self.gateway, self.silo)

    def subjects(self):
        self.alice.check()
        with self.lock:   # the neighbour looks too
            while self.counted < len(self.alice.deliveries):
                self.seen.add(self.alice.deliveries[self.counted][1].get("Subject"))
                self.counted += 1
            return self.seen

    def send(self, data, sender, recipient=ALICE):
        with smtplib.SMTP("127.0.0.1", self.gateway.smtp_port, timeout=4 * PATIENCE) as client:
            return client.sendmail(sender, [recipient], data, ["BODY=8BITMIME"])

    def explode(self, name):
        """One bomb: sends it, waits for its end, and says what it took."""
        log_before = len(self.gateway.read_log())
        data = bombs.make(name, f"Bomb {name}", MALLORY, ALICE, f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass header.from=example.com\r\n")
        for part in (self.watch, self.neighbour):
            part.take()
        began = time.monotonic()
        outcome = "carried"
        try:
            self.send(data, MALLORY)
        except smtplib.SMTPResponseException as error:
            outcome = f"refused, {error.smtp_code}"
        answered = time.monotonic() - began
        if outcome == "carried":
            wait_until(f"{name} has its end", lambda: f"Bomb {name}" in self.subjects() or not self.waits(), 4 * PATIENCE)
        took = time.monotonic() - began
        worker, daemon = self.watch.take()
        log = self.gateway.read_log()[log_before:]
        failures = [line.split("detail=")[1].split('"')[1] if 'detail="' in line else line for line in log.splitlines() if "worker.job_failed" in line]
        if failures:
            outcome += f"; worker {failures[0]}"
        self.rows.append((name, len(data), outcome, answered, took, worker, daemon, self.neighbour.take()))
        print(f"  {name}: {len(data) / 1e6:.1f} MB, {outcome}; answered in {answered:.1f} s, ended after {took:.1f} s; "
              f"worker {worker / MIB:.0f} MiB, daemon {daemon / MIB:.0f} MiB; others waited {self.rows[-1][-1]:.1f} s", flush=True)

    def waits(self):
        return any(row.get("from") == MALLORY for row in self.gateway.queue("in"))


@contextlib.contextmanager
def running(place):
    try:
        place.start()
        yield place
        place.stop()
    finally:
        place.close()


@pytest.fixture
def house(folder, request):
    with running(House(folder, getattr(request, "param", Gateway))) as place:
        yield place


@pytest.mark.timeout(0 if LONG else 300)
def test_mail_that_costs_much(house):
    for name in bombs.MAILS if LONG else SAMPLE:
        house.explode(name)
    for name, _, outcome, _, _, worker, daemon, others in house.rows:
        assert outcome.startswith(("carried", "refused, 5")), (name, outcome)
        assert "forbids" not in outcome, (name, outcome)
        assert worker < WORKER_MAX, (name, worker)
        assert daemon < DAEMON_MAX, (name, daemon)
        assert others < SERVED_SECONDS, (name, others)
    assert house.neighbour.sent > 0


def children(pid):
    """(the processes that it has started, those that these have made)."""
    parents = {int(name): status_of(name, "PPid") for name in os.listdir("/proc") if name.isdigit()}
    own = {child for child, parent in parents.items() if parent == pid}
    return own, {child for child, parent in parents.items() if parent in own}


@pytest.mark.parametrize("house", [CrashingGateway], indirect=True)
def test_workers_that_crash_again_and_again_stop_nobodys_mail(house):
    """Each second mail makes every worker crash that reads it: it comes as it is, attached, and all others as always."""
    count = 200 if LONG else 20
    pid = house.gateway.process.pid
    parents, _ = children(pid)
    house.watch.take()
    log_before = len(house.gateway.read_log())
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", house.gateway.smtp_port, timeout=PATIENCE) as client:
        for number in range(count):
            bad = make_mail(f"Crash {number}", sender=MALLORY)
            bad["X-Worker"] = "crash"
            client.sendmail(MALLORY, [ALICE], bad.as_bytes())
            client.sendmail(CAROL, [ALICE], make_mail(f"Good {number}", sender=CAROL).as_bytes())
    good = {f"Good {number}" for number in range(count)}
    wait_until("all good mail has arrived", lambda: good <= house.subjects(), 4 * PATIENCE)
    took = time.monotonic() - began
    wait_until("all others have their end", lambda: not house.waits(), 4 * PATIENCE)
    _, daemon = house.watch.take()
    log = house.gateway.read_log()[log_before:]
    print(f"  {count} of each: good mail took {took:.1f} s, {count / took:.0f}/s; all {time.monotonic() - began:.1f} s; "
          f"daemon {daemon / MIB:.0f} MiB, {len(log.splitlines())} lines in the log")
    assert [second.get("Subject") for _, second, _ in house.alice.deliveries].count("(unreadable message)") == count
    assert house.gateway.ctl_json("status")["worker_crashes"] == 2 * count == log.count("event=worker.job_failed")
    assert len(log.splitlines()) < 12 * 2 * count + 200
    assert children(pid)[0] == parents, "only workers were replaced"
    assert len(children(pid)[1]) <= 8
    assert daemon < DAEMON_MAX


@pytest.fixture
def checking_house(folder):
    """Whose gateway finds out by itself who wrote a mail, on another listener."""
    with DnsServer() as names:
        publish(names)
        place = House(folder, CrashingGateway)
        place.mx = free_port()
        place.gateway.extra = (place.gateway.listener("mx", place.mx, "smtp", 'tls = none\n  xclient = { "127.0.0.1" }') +
                               f'\nverify {{\n  resolver = {{ "{names.address}" }}\n  dns_timeout = "4s"\n}}\n')
        with running(place):
            yield place


@pytest.mark.timeout(0 if LONG else 300)
def test_checks_that_crash_again_and_again_stop_nobodys_mail(checking_house):
    """Strangers whose mail makes every worker crash that checks who wrote it are put off, four at a time; nobody else is."""
    house, count, strangers = checking_house, 200 if LONG else 20, 4
    pid = house.gateway.process.pid
    deliver(house.mx, sign(new_mail("First", sender=MALLORY)), client=BOBS_CLIENT, sender=MALLORY)   # the resolver is there from then on
    parents, _ = children(pid)
    house.watch.take()
    log_before = len(house.gateway.read_log())
    bad, replies = new_mail("Crash", sender=MALLORY, X_Check="crash"), []

    def attack():
        for _ in range(count // strangers):
            replies.append(refusal(house.mx, bad, client=STRANGER, sender=MALLORY))

    attackers = [threading.Thread(target=attack, daemon=True) for _ in range(strangers)]
    began = time.monotonic()
    for attacker in attackers:
        attacker.start()
    for number in range(count):
        deliver(house.mx, sign(new_mail(f"Good {number}", sender=MALLORY)), client=BOBS_CLIENT, sender=MALLORY)
    took = time.monotonic() - began
    for attacker in attackers:
        attacker.join(4 * PATIENCE)
    good = {f"Good {number}" for number in range(count)}
    wait_until("all good mail has arrived", lambda: good <= house.subjects(), 4 * PATIENCE)
    _, daemon = house.watch.take()
    log = house.gateway.read_log()[log_before:]
    print(f"  {count} of each: good mail was taken within {took:.1f} s, {count / took:.0f}/s; all {time.monotonic() - began:.1f} s; others waited {house.neighbour.take():.1f} s; "
          f"daemon {daemon / MIB:.0f} MiB, {len(log.splitlines())} lines in the log")
    assert len(replies) == count and all(reply.startswith("451 4.") for reply in replies), replies[:3]
    status = house.gateway.ctl_json("status")
    assert status["verify_crashes"] == 2 * count == log.count("event=worker.job_failed") and status["worker_crashes"] == 0
    assert "Crash" not in house.subjects()
    assert len(log.splitlines()) < 12 * 2 * count + 200
    assert children(pid)[0] == parents, "only workers were replaced"
    assert daemon < DAEMON_MAX


TEXT_SAMPLE = ("definitions_that_grow", "table_of_columns")


@pytest.mark.timeout(0 if LONG else 300)
def test_messages_and_reports_that_cost_much(house):
    """Each of Alice's messages leaves, as written if it can't be rendered, and with as many files as there may be; a report about 400,000 people does no
    harm either."""
    names = list(bombs.TEXTS) if LONG else TEXT_SAMPLE
    began = time.monotonic()
    for name in names:
        house.alice.post(MALLORY, f"Text {name}", bombs.TEXTS[name]())
    wait_until("all have left", lambda: len(read_maildir(house.gateway.maildir)) == len(names), 4 * PATIENCE + 10 * len(names))
    worker, daemon = house.watch.take()
    print(f"  {len(names)} messages left within {time.monotonic() - began:.1f} s; worker {worker / MIB:.0f} MiB, daemon {daemon / MIB:.0f} MiB; "
          f"others waited {house.neighbour.take():.1f} s")
    mails = read_maildir(house.gateway.maildir)
    assert {mail["Subject"] for mail in mails} == {f"Text {name}" for name in names}
    assert house.gateway.ctl_json("status")["worker_crashes"] == 0

    names = list(bombs.FILES) if LONG else ["names_of_octets"]
    began = time.monotonic()
    before = len(mails)
    for name in names:
        house.alice.post(MALLORY, f"Files {name}", "See the files.\n", files=bombs.FILES[name]())
    wait_until("they have left", lambda: len(os.listdir(os.path.join(house.gateway.maildir, "new"))) == before + len(names), 4 * PATIENCE)
    worker, daemon = house.watch.take()
    print(f"  {len(names)} messages with 1,000 files each left within {time.monotonic() - began:.1f} s; worker {worker / MIB:.0f} MiB, daemon {daemon / MIB:.0f} MiB; "
          f"others waited {house.neighbour.take():.1f} s")
    for mail in read_maildir(house.gateway.maildir):
        if mail["Subject"].startswith("Files "):
            files = list(mail.iter_attachments())
            assert [part.get_payload(decode=True).strip() for part in files] == [b"%d" % number for number in range(1000)], mail["Subject"]
    assert house.gateway.ctl_json("status")["worker_crashes"] == 0 and worker < WORKER_MAX and daemon < DAEMON_MAX

    report = b"From: <>\r\nSubject: failed\r\nMIME-Version: 1.0\r\n" + bombs.report_about_a_million()
    began = time.monotonic()
    house.send(report, "", mails[0]["Return-Path"].strip("<>"))
    wait_until("the report has its end", lambda: not house.gateway.queue("in"), 4 * PATIENCE)
    worker, daemon = house.watch.take()
    print(f"  a report of {len(report) / 1e6:.0f} MB: {time.monotonic() - began:.1f} s; worker {worker / MIB:.0f} MiB, daemon {daemon / MIB:.0f} MiB; "
          f"others waited {house.neighbour.take():.1f} s")
    assert house.gateway.ctl_json("status")["worker_crashes"] == 0
    assert worker < WORKER_MAX and daemon < DAEMON_MAX
