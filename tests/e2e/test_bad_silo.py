"""A silo that is broken, or means harm: it lies in acks and echoes, sends what is too much, and ends connections in the middle of
everything. The gateway lives, says what is wrong, keeps within its memory, and loses nothing that the silo does not take from it: once the
silo is sane, all mail is there. What takes minutes is in dialogue/tmtp_client, where time is fast, and here with ./check --long."""
import datetime
import email.utils
import json
import os
import time

import pytest

from fake_silo import UID, Cut, FakeSilo
from mail import make_mail, send
from postern import Gateway, close_quietly
from postfix import read_maildir
from procs import DEV, LONG, PATIENCE, RELEASE, long_only, wait_until

ALICE_UID, MALLORY_UID = "A" * 32, "M" * 32
POSTED = "2026-11-23T01:00:00.000Z"
MEMORY = 24 * 2**20   # more than it has when idle; the largest that is read into memory at once is a second header of 1 MiB
LOG_LINES = 200       # of one attack


class Counterpart(FakeSilo):
    """Knows Alice; counts who was sent what. `evil` does something instead of what an honest silo does, until it returns False."""

    def __init__(self, folder):
        super().__init__(folder)
        self.posts = []          # (key, subject) of posts to Alice that were taken
        self.logins = 0
        self.on_login = self.log_in
        self.at_login = None     # a function of the session: called once
        self.evil = None
        self.on_frame = self.look
        self.put_off = []        # posts to ourselves that came while something was not acknowledged: honest silos wait

    def log_in(self, session):
        self.logins += 1
        self.put_off.clear()
        if self.logins == 1:
            session.push({"op": "ping", "from": ALICE_UID, "alias": "Alice Member", "to": "Email Gateway"}, b"Hello")
        self.attack(session)

    def attack(self, session):
        attack, self.at_login = self.at_login, None
        if attack:
            attack(session)

    def look(self, session, head, data):
        if head["op"] == 10:
            self.unacked.discard(head["id"])
            while self.put_off and not self.unacked:
                session.op7(*self.put_off.pop(0))
        if head["op"] != 7:
            return False
        if not any(to["id"] == ALICE_UID for to in head["for"]):
            if self.unacked:
                self.put_off.append((head, data))
            return bool(self.unacked)
        evil, self.evil = self.evil, None
        if evil:
            if evil(session, head, data) is not False:
                return True
        self.take(head, data)
        return False

    def take(self, head, data):
        second = json.loads(data[:head["datahead"]])
        self.posts.append((second["PosternKey"], second["Subject"]))


def key_of(head, data):
    return json.loads(data[:head["datahead"]])["PosternKey"]


def ack(session, head, **more):
    session.say({"op": "ack", "id": head["id"], "msgid": f"{session.silo.ids + 1:016x}", "posted": POSTED, **more})


def echo(session, head, data, **more):
    session.push({"op": "delivery", "datahead": head["datahead"], **more}, data)


def with_second(data, head, **changes):
    second = json.dumps({**json.loads(data[:head["datahead"]]), **changes}).encode()
    return {"datahead": len(second)}, second + data[head["datahead"]:]


# Lies about one post. Each gets (session, head, data).

def lies_about_another(session, head, data):
    session.say({"op": "ack", "id": "4711", "msgid": f"{session.silo.ids + 1:016x}", "posted": POSTED})
    session.silo.take(head, data)
    echo(session, head, data)


def twice(session, head, data):
    session.silo.take(head, data)
    ack(session, head)
    ack(session, head)
    ack(session, head, error="after all not")
    echo(session, head, data)


def without_an_id(session, head, data):
    """Took it, does not say as what; the echo comes after the next login."""
    session.say({"op": "ack", "id": head["id"], "posted": POSTED})
    session.silo.take(head, data)
    session.silo.at_login = lambda later: echo(later, head, data)


def with_an_endless_id(session, head, data):
    session.say({"op": "ack", "id": head["id"], "msgid": "0" * 60000, "posted": POSTED})
    session.silo.take(head, data)
    session.silo.at_login = lambda later: echo(later, head, data)


def with_another_id_than_the_echo(session, head, data):
    session.silo.take(head, data)
    ack(session, head, msgid="ffffffffffffffff")
    echo(session, head, data)


def with_the_id_of_another(session, head, data):
    session.silo.take(head, data)
    ack(session, head, msgid="0000000000000001")
    echo(session, head, data)


def at_a_time_that_is_none(session, head, data):
    session.silo.take(head, data)
    ack(session, head, posted="the day after tomorrow\r\nX: y\x1b[2J" + "9" * 50000)


def in_the_year_292277026596(session, head, data):
    session.silo.take(head, data)
    ack(session, head, posted="292277026596-12-04T15:30:08Z")


def before_the_post_is_there(session, head, data):
    """The answer comes before the question: nobody's."""
    session.say({"op": "ack", "id": str(int(head["id"]) + 1), "msgid": "000000000000fffe", "posted": POSTED})
    return False


def echo_of_somebody_else(session, head, data):
    """From Mallory, with our key: that is no echo. Then the connection ends: it was not taken."""
    echo(session, head, data, **{"from": MALLORY_UID})
    raise Cut


def echo_under_another_key(session, head, data):
    """Of an entry that never was, of another life of the database, of none at all."""
    for key in ("in4711-1", "in1-1", "in99999999999999999999-1", "x", "", "in1", "in1-" + "9" * 400):
        more, changed = with_second(data, head, PosternKey=key)
        echo(session, {**head, **more}, changed)
    raise Cut


def echo_that_is_garbage(session, head, data):
    session.push({"op": "delivery", "datahead": 100}, b"\xff" * 100)
    session.push({"op": "delivery", "datahead": 5000}, b"x" * 100)
    raise Cut


def end_in_the_ack(session, head, data):
    session.silo.take(head, data)
    session.raw(b"0050{\"op\":\"ack\",\"id\"")
    session.silo.at_login = lambda later: echo(later, head, data)
    raise Cut


def end_in_the_echo(session, head, data):
    session.silo.take(head, data)
    session.say({"op": "delivery", "id": "00000000000000ee", "from": UID, "posted": POSTED, "datahead": head["datahead"], "datalen": len(data)}, data[:-3])
    session.silo.at_login = lambda later: echo(later, head, data)
    raise Cut


LIES = [lies_about_another, twice, without_an_id, with_an_endless_id, with_another_id_than_the_echo, with_the_id_of_another, at_a_time_that_is_none,
        in_the_year_292277026596, before_the_post_is_there, echo_of_somebody_else, echo_under_another_key, echo_that_is_garbage, end_in_the_ack,
        end_in_the_echo]


# What comes of itself. Each gets the session.

def flood_of(head, count=20000, data=b""):
    def flood(session):
        text = json.dumps({**head, **({"datalen": len(data)} if data else {})}).encode()
        frame = b"%04x" % len(text) + text + data
        for _ in range(0, count, 100):
            session.raw(frame * 100)
    return flood


def second_header_of(text):
    def attack(session):
        session.push({"op": "delivery", "from": MALLORY_UID, "datahead": len(text)}, text)
    return attack


def many(piece, close=b"]}"):
    """A second header of a megabyte, of as many values as it can hold."""
    start = b'{"ThreadId":"","Alias":"Mallory","Subject":"x","Cc":['
    return start + b",".join([piece] * ((2**20 - len(start) - 10) // (len(piece) + 1))) + close


def header_of(length):
    def attack(session):
        filling = length - len(json.dumps({"op": "info", "info": ""}))
        text = json.dumps({"op": "info", "info": "x" * filling}).encode()
        assert len(text) == length
        session.raw(b"%04x" % length + text)
    return attack


def raw(*pieces):
    def attack(session):
        for piece in pieces:
            session.raw(piece)
    return attack


def delivery(**more):
    def attack(session):
        head = b'{"ThreadId":"","Alias":"Mallory","Subject":"x"}'
        session.push({"op": "delivery", "from": MALLORY_UID, "datahead": len(head), **more}, head + b"Hello")
    return attack


def cut(session):
    raise Cut


def end_after(data):
    def attack(session):
        session.raw(data)
        raise Cut
    return attack


ATTACKS = {
    "acks that nobody asked for": flood_of({"op": "ack", "id": "4711", "msgid": "0000000000000099", "posted": POSTED}),
    "unknown operations": flood_of({"op": "frobnicate", "id": "00000000000000aa"}),
    "news of others": flood_of({"op": "ohi", "from": MALLORY_UID, "status": 1}),
    "greetings": flood_of({"op": "info", "info": "login ok"}),
    "one ping, again and again": flood_of({"op": "ping", "id": "00000000000000ab", "from": MALLORY_UID, "alias": "Mallory M", "posted": POSTED}, data=b"Hi"),
    "a header of the greatest length": header_of(65535),
    "a header of one octet more": raw(b"10000" + b"x" * 65536),
    "a header that does not end": end_after(b"ffff" + b"{" * 60000),
    "depth": second_header_of(b'{"ThreadId":' + b"[" * 500000),
    "many objects": second_header_of(many(b"{}")),
    "many lists": second_header_of(many(b"[]")),
    "many numbers": second_header_of(many(b"1")),
    "many members": second_header_of(many(b'{"Who":"a","WhoUid":"b"}')),
    "many names": second_header_of(b'{' + b','.join(b'"%x":1' % number for number in range(95000)) + b'}'),
    "a second header of one octet too many": second_header_of(b'{"Subject":"' + b"x" * (2**20 + 1 - 14) + b'"}'),
    "a second header longer than the data": delivery(datahead=4096),
    "a notice of 4 MiB": lambda session: session.push({"op": "notify", "from": MALLORY_UID, "postid": "00000000000000ac", "datahead": 10}, b"x" * 4 * 2**20),
    "from nobody": delivery(**{"from": ""}),
    "from ourselves, under no key": delivery(**{"from": UID}),
    "posted at a time that is none": lambda session: session.push({"op": "ping", "from": MALLORY_UID, "alias": "Mallory M"}, b"Hi", "9" * 60000),
    "no TMTP": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello"),
    "a wild login": raw(b'0025{"op":"registered","uid":"x","nodeid":"y"}'),
    "ended in a delivery": end_after(b'0060{"op":"delivery","id":"00000000000000ad","from":"%s","datalen":30000000,"datahead":2}{}'.replace(b"%s", b"M" * 14)),
}

# Our barrier may be among what is skipped: it takes 90 s until the gateway asks anew.
SLOW_ATTACKS = {
    "pings from everywhere, without waiting": lambda session: [
        session.push({"op": "ping", "from": f"{number:032}", "alias": f"Mallory {number}", "to": "Email Gateway"}, b"Hi") for number in range(2000)],
}
if LONG:
    ATTACKS.update(SLOW_ATTACKS)


# The short run has those that found something, or are like several others.
if not LONG:
    LIES = [lies_about_another, twice, without_an_id, with_the_id_of_another, echo_of_somebody_else, end_in_the_echo]
    ATTACKS = {name: ATTACKS[name] for name in ("acks that nobody asked for", "unknown operations", "a header that does not end", "many objects",
                                                "many names", "posted at a time that is none", "ended in a delivery")}


@pytest.fixture
def counterpart(folder):
    silo = Counterpart(folder)
    yield silo
    silo.stop()


@pytest.fixture
def gateway(folder, counterpart, request):
    server = Gateway(folder, counterpart.port, getattr(request, "param", RELEASE))
    server.silo_extra = 'retry_longest = "1s"'
    server.log_level = "info"
    try:
        server.start()
        server.wait_online()
        server.ctl("member", "add", "Alice Member", "--address", "alice")
        server.stop()   # registering was no login, and she is heard of at logins
        server.start()
        server.wait_online()
        wait_until("Alice is known", lambda: server.ctl_json("member", "show", "Alice Member").get("uid"))
        server.ctl("mapping", "add", "bob@example.com", "Alice Member")
        yield server
        server.stop()
    finally:
        close_quietly(server)


builds = pytest.mark.parametrize("gateway", [RELEASE, DEV] if LONG else [RELEASE], ids=["release", "dev"] if LONG else ["release"], indirect=True)


def peak_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def expect_honest_mail(gateway, counterpart, subject):
    """The silo is sane: what was sent is there, once, and the queue is empty."""
    wait_until(f"{subject} is posted", lambda: any(found == subject for _, found in counterpart.posts), 4 * PATIENCE)
    wait_until("the queue is empty", lambda: not gateway.queue("in"))
    assert counterpart.error is None, counterpart.error
    assert [found for _, found in counterpart.posts].count(subject) == 1, f"{subject}: taken twice"


@builds
def test_lies_about_posts(gateway, counterpart):
    for lie in LIES:
        before = len(gateway.read_log())
        counterpart.evil = lie
        send(gateway.smtp_port, make_mail(lie.__name__))
        wait_until(f"{lie.__name__} was told", lambda: counterpart.evil is None)
        expect_honest_mail(gateway, counterpart, lie.__name__)
        assert gateway.running(), f"{lie.__name__}: the gateway ended"
        assert len(gateway.read_log()[before:].splitlines()) < LOG_LINES, lie.__name__
    assert [subject for _, subject in counterpart.posts] == [lie.__name__ for lie in LIES]


def test_mail_is_not_dated_by_a_silo_whose_clock_is_far_off(gateway, counterpart):
    def say(posted):
        def deliver(session):
            cc = [{"Who": "Alice Member", "WhoUid": ALICE_UID, "By": "Alice Member", "ByUid": ALICE_UID, "Note": "author"},
                  {"Who": "bob@example.com", "WhoUid": UID, "By": "Alice Member", "ByUid": ALICE_UID, "Note": "initial recipient"}]
            second = json.dumps({"ThreadId": "", "Alias": "Alice Member", "Subject": posted[:30], "Cc": cc}).encode()
            session.push({"op": "delivery", "from": ALICE_UID, "datahead": len(second)}, second + b"Hello", posted)
        return deliver

    wait_until("Bob has an alias", lambda: "bob@example.com" in counterpart.granted)
    today = datetime.datetime.now(datetime.timezone.utc)
    clocks = ["0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", f"{today.year + 50}-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z",
              "yesterday", "2026-02-30T00:00:00Z", ""]
    folder = os.path.join(gateway.maildir, "new")
    for number, posted in enumerate(clocks):
        counterpart.to_do.append(say(posted))
        wait_until(f"{posted!r} is relayed", lambda: os.path.isdir(folder) and len(os.listdir(folder)) == number + 1)
    for mail in read_maildir(gateway.maildir):
        date = email.utils.parsedate_to_datetime(mail["Date"])
        assert abs((date - today).total_seconds()) < 3600, f"{mail['Subject']}: {mail['Date']}"


def never_shake_hands(_):
    time.sleep(40)
    raise Cut


def shake_hands_in_drops(plain):
    """A record of TLS that does not end."""
    for octet in b"\x16\x03\x03\x40\x00" + bytes(40):
        plain.send(bytes([octet]))
        time.sleep(1)
    raise Cut


def greet_in_drops(session):
    for octet in b'0040{"op":"tmtprev","id":"1","name":"A silo that is very slow in':
        session.raw(bytes([octet]))
        time.sleep(1)
    raise Cut


@long_only
@pytest.mark.parametrize("how", [never_shake_hands, shake_hands_in_drops, greet_in_drops])
def test_silo_that_never_finishes(gateway, counterpart, how):
    """Given up after half a minute, said, and tried again. Other such tests, with a clock of their own, are in dialogue/tmtp_client."""
    if how is greet_in_drops:
        counterpart.on_frame = lambda session, head, data: head["op"] == 0 and how(session) is None
    else:
        counterpart.on_accept = how
    counterpart.to_do.append(cut)
    send(gateway.smtp_port, make_mail(how.__name__))
    wait_until("it is said", lambda: "no answer" in (gateway.ctl_json("silo", "status")["last_error"] or ""), 45)
    counterpart.on_accept, counterpart.on_frame = lambda plain: None, counterpart.look
    expect_honest_mail(gateway, counterpart, how.__name__)


@builds
@pytest.mark.parametrize("moment", ["online", "login"] if LONG else ["online"])
def test_what_nobody_asked_for(gateway, counterpart, moment):
    """While all is well; or between the login and the return of our barrier."""
    # In it are programs, tables and allocators; what is measured is what an attack adds.
    is_release = gateway.programs == RELEASE
    idle = peak_bytes(gateway.process.pid)
    peaks = {}
    for name, attack in ATTACKS.items():
        before, logins = len(gateway.read_log()), counterpart.logins
        counterpart.at_login = attack if moment == "login" else None
        counterpart.to_do.append(attack if moment == "online" else cut)
        wait_until(f"{name}: it has come", lambda: not counterpart.to_do and not counterpart.at_login)
        send(gateway.smtp_port, make_mail(name))
        expect_honest_mail(gateway, counterpart, name)
        assert gateway.running(), f"{name}: the gateway ended"
        lines = gateway.read_log()[before:].splitlines()
        peaks[name] = (peak_bytes(gateway.process.pid) - idle, len(lines), counterpart.logins - logins)
        print(f"{name}: peak {peaks[name][0] / 2**20:.1f} MiB more than idle, {len(lines)} lines, {peaks[name][2]} logins")
        if is_release:
            assert peaks[name][0] < MEMORY, name
        assert len(lines) < LOG_LINES, f"{name}: {len(lines)} lines of log"
