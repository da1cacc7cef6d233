"""A house in which each step of the gateway can be the last: a silo, members and a group, a relay, and senders who try again.

Everything carries a token. What was answered 250, or taken from the silo, must arrive once at its end, whatever happened in between.
"""
import collections
import contextlib
import itertools
import os
import re
import shutil
import smtplib
import socketserver
import sqlite3
import tempfile
import threading
import time

from bare import BareMember
from faulty import NOTHING, NumberedGateway
from mail import ALICE, make_mail
from postern import DOMAIN, Silo, close_quietly
from procs import PATIENCE, RELEASE, free_port, run, sanitizer_reports, wait_until
from test_returns import make_report, recipient

BOB = "bob@example.com"
GID, SALES = "Sales Team", f"sales.team@{DOMAIN}"
LINE = "All work and no play makes Bob a dull boy.\n"
LARGE = LINE * 7000          # more than is kept in the database
LATE = 0.6                   # seconds until a step that belongs to a story has come
TOKEN = re.compile(rb"token\d+x")


class Pile:
    """What came, in order. Each thing is looked through once for each word, and gone when its story is over; which tokens it had stays."""

    def __init__(self):
        self.lock = threading.Lock()
        self.things = []                       # (something, content)
        self.looked = {}                       # word -> [how many were looked through, those that have it]
        self.tokens = collections.Counter()    # token -> things with it

    def add(self, content, something=None):
        with self.lock:
            self.things.append((something, content))
            self.tokens.update(set(TOKEN.findall(content)))

    def about(self, word):
        """Text or octets."""
        octets = word.encode() if isinstance(word, str) else word
        with self.lock:
            looked = self.looked.setdefault(octets, [0, []])
            looked[1] += [thing for thing in self.things[looked[0]:] if octets in thing[1]]
            looked[0] = len(self.things)
            return list(looked[1])

    def let_go(self):
        with self.lock:
            self.things, self.looked = [], {}


class Relay(socketserver.ThreadingTCPServer):
    """Takes mail, and remembers all of it."""
    daemon_threads = allow_reuse_address = True

    class Session(socketserver.StreamRequestHandler):
        def say(self, text):
            self.wfile.write(text.encode() + b"\r\n")

        def take(self, sender):
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                if not line:
                    return
                lines.append(line[1:] if line.startswith(b".") else line)
            self.server.pile.add(b"".join(lines), sender)
            self.say("250 OK")

        def handle(self):
            sender = ""
            with contextlib.suppress(OSError):
                self.say("220 relay.test")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"MAIL":
                        sender = re.search(r"<(.*?)>", line.decode()).group(1)
                    if verb == b"DATA":
                        self.say("354 go ahead")
                        self.take(sender)
                    else:
                        self.say("221 bye" if verb == b"QUIT" else "250 OK")

    def __init__(self):
        self.pile = Pile()   # with the sender of each
        super().__init__(("127.0.0.1", free_port()), self.Session)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def about(self, word):
        """(sender, content) of each"""
        return self.pile.about(word)


class Person(BareMember):
    """Who knows what groups they were invited to."""

    def __init__(self, *arguments):
        self.invitations = []
        self.pile = Pile()   # of `deliveries`, which does not keep the bodies
        super().__init__(*arguments)

    def take_push(self, operation, head, content):
        if operation == "invite":
            self.invitations.append(head["gid"])
        count = len(self.deliveries)
        super().take_push(operation, head, content)
        if len(self.deliveries) > count:
            msgid, second, body = self.deliveries[-1]
            self.deliveries[-1] = (msgid, second, None)
            self.pile.add(body)


class House:
    """relay: "smtp", or "maildir"."""

    def __init__(self, relay="smtp", journal=False, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="postern-e2e-")
        self.relay = Relay()
        self.silo = Silo(self.folder, RELEASE)
        self.gateway = NumberedGateway(self.folder, self.silo.port, RELEASE, journal)
        if relay == "smtp":
            self.gateway.relay = f"smtp://127.0.0.1:{self.relay.port}"
        self.gateway.silo_extra = 'retry_longest = "1s"'
        self.gateway.relay_extra = "tls = none" if relay == "smtp" else ""
        self.gateway.policy_extra = "unknown_senders = hold\n  hold_messages = 10000\n  hold_domain_messages = 10000"
        self.gateway.log_level = "info"
        self.steps = self.gateway.steps
        self.alice = self.carol = None
        self.loses = None            # how a power cut ends whoever is killed; None: it doesn't
        self.on_look = lambda: None  # whenever something is waited for
        self.ends = self.cuts = self.duplicates = self.sent = 0
        self.undone = [0, 0]         # pages and names, by power cuts
        self.mails = {}              # name -> content, of the maildir, as far as it was read
        self.old_mails = {}          # likewise, what is left of those of former stories
        self.told_of = {}            # token -> how often each end had it when its story was over

    def start(self):
        self.silo.start()
        self.gateway.start()
        self.alice = Person(self.silo.port, "Alice Member")
        self.carol = Person(self.silo.port, "Carol Member")
        self.gateway.introduce(self.alice, "alice")
        self.gateway.ctl("mapping", "add", BOB, "Alice Member")
        self.alice.put({"Op": 5, "Id": "invite", "Gid": GID, "From": "Alice Member", "To": self.gateway.alias}, b"", None)
        wait_until("the gateway has joined", lambda: self.ask("group", "list")["groups"][0:1] and
                   self.ask("group", "list")["groups"][0]["state"] == "joined")
        self.alice.put({"Op": 5, "Id": "invite2", "Gid": GID, "From": "Alice Member", "To": "Carol Member"}, b"", None)
        wait_until("she is invited", lambda: self.carol.invitations)
        self.carol.put({"Op": 6, "Id": "join", "Act": "join", "Gid": GID}, b"", None)
        wait_until("she has joined", lambda: ("Carol Member", "joined") in [(one["alias"], one["state"]) for one in self.ask("group", "show", GID)["members_seen"]])
        self.gateway.ctl("mapping", "add", BOB, GID)
        wait_until("all know him", lambda: BOB in self.alice.uids and all(len(one.deliveries) > 0 for one in (self.alice, self.carol)))
        self.gateway.wait_settled()

    def stop(self):
        try:
            for member in (self.alice, self.carol):
                member.stop()
                member.check()
            self.steps.disarm()
            for token, counts in self.told_of.items():
                assert self.count_all(token) == counts, f"{token}: came again when its story was over: {counts}, then {self.count_all(token)}"
            self.gateway.stop()
            reports = sanitizer_reports(self.folder)
            assert not reports, "\n".join(reports)
        finally:
            self.close()

    def close(self):
        for member in (self.alice, self.carol):
            if member:
                member.stopping = True
        self.relay.shutdown()
        self.relay.server_close()
        close_quietly(self.gateway, self.silo)
        shutil.rmtree(self.folder, ignore_errors=True)

    # While it may end at any time.

    def ask(self, *arguments):
        return self.gateway.ctl_json(*arguments)

    def may_ask(self, *arguments):
        """The answer, or None: nobody is there, or it is refused."""
        result = run([os.path.join(RELEASE, "posternctl"), "-c", self.gateway.config, "--json", *arguments], self.folder)
        return result.stdout if result.returncode == 0 else None

    def watch(self):
        """Starts the gateway again, as its service manager does."""
        if not self.gateway.has_ended():
            return
        assert self.gateway.process.returncode == -9, f"it ended by itself: {self.gateway.process.returncode}"
        self.end()

    def end(self):
        """kill -9, or a power cut; and starts it again."""
        self.ends += 1
        self.steps.disarm()
        if self.loses:
            self.cuts += 1
            for i, count in enumerate(self.gateway.lose_power(self.loses)):
                self.undone[i] += count
        else:
            self.gateway.kill()
        self.mails.clear()   # a power cut may have changed them
        self.gateway.start()

    def until(self, what, probe, patience=PATIENCE):
        """As wait_until(), and the gateway may end meanwhile."""
        def look():
            self.watch()
            self.on_look()
            return probe()
        return wait_until(what, look, patience)

    def database(self):
        """For reading, beside the daemon."""
        return contextlib.closing(sqlite3.connect(f"file:{self.gateway.state}/postern.db?mode=ro", uri=True))

    def is_idle(self):
        """Nothing waits. It is asked often, and so without a program."""
        with contextlib.suppress(sqlite3.OperationalError), self.database() as database:
            waiting = [database.execute(f"SELECT count(*) FROM {table} WHERE state NOT IN ('settled', 'dropped')").fetchone()[0] for table in ("inbound", "outbound")]
            return waiting == [0, 0] and not self.gateway.has_ended()
        return False

    def send(self, mail, sender, to):
        """As a mail server does: again until it is answered 250."""
        data = mail if isinstance(mail, bytes) else mail.as_bytes()
        self.until("it is accepted", lambda: self.try_to_send(data, sender, to))
        self.sent += 1

    def try_to_send(self, data, sender, to):
        """Whether it was answered 250. A mail server would give up after 5xx: a fault must not be answered so."""
        try:
            with contextlib.closing(smtplib.SMTP("127.0.0.1", self.gateway.smtp_port, timeout=PATIENCE)) as client:
                client.sendmail(sender, [to], data)
        except smtplib.SMTPResponseException as error:   # all of these are OSErrors
            assert error.smtp_code < 500, error
            return False
        except smtplib.SMTPRecipientsRefused as error:
            assert all(code < 500 for code, _ in error.recipients.values()), error
            return False
        except OSError:
            return False
        return True

    def told(self, member, word):
        member.check()
        return len(member.pile.about(word))

    def count_all(self, token):
        """How often each end had something about it."""
        return [*(pile.tokens[token.encode()] for pile in (self.alice.pile, self.carol.pile, self.relay.pile)), len(in_maildir(self, token))]

    def let_go(self):
        """Of what the next story has nothing to do with."""
        for pile in (self.alice.pile, self.carol.pile, self.relay.pile):
            pile.let_go()
        self.old_mails.update((name, b" ".join(TOKEN.findall(content))) for name, content in self.mails.items())
        self.mails = {}

    # What must hold when a story is over.

    def check(self):
        with self.database() as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        self.gateway.ctl("audit", "verify")
        wait_until("no content is left", lambda: not self.gateway.content())

    def check_relayed(self, token):
        """A relay may get the same octets twice, if its last answer was lost."""
        copies = [content for _, content in self.relay.about(token)]
        assert 1 <= len(copies) <= 2, f"{token}: relayed {len(copies)} times"
        assert len(set(copies)) == 1, f"{token}: an attempt had other octets"
        check_whole(copies[0])
        self.duplicates += len(copies) - 1


def run_house(house, request):
    """The body of a fixture."""
    try:
        house.start()
        yield house
        if getattr(request.node, "failed_in_call", True):
            print(house.gateway.read_log()[-6000:])
        else:
            house.stop()
    finally:
        house.close()


def mail_with_attachment(token, size, to, sender=BOB, text="Hello all\n"):
    mail = make_mail(f"Mail {token}", f"The word is {token}.\n{text}", sender=sender, recipient=to, message_id=f"<{token}@example.com>")
    mail.add_attachment(token.encode() + b"-attached-" + os.urandom(size), maintype="application", subtype="octet-stream", filename="data.bin")
    return mail


def attachment(mail):
    """All octets of the only one."""
    [part] = mail.iter_attachments()
    return part.get_content()


def check_whole(content):
    """Of what a member has written: its long text is all there, plain and in HTML."""
    if b"-large." in content:
        lines = content.replace(b"\r\n", b"\n").count(LINE.encode())
        assert lines == 2 * len(LARGE) // len(LINE), f"only {lines} lines are left of a long text"


def count_whole(contents):
    for content in contents:
        check_whole(content)
    return len(contents)


def to_group(house, token):
    """Inbound mail to a group, once with content that lies in the database, once in files."""
    mails = [mail_with_attachment(name, size, SALES) for name, size in ((f"{token}-small", 2000), (f"{token}-large", 400000))]
    for mail in mails:
        house.send(mail, BOB, SALES)
    files = [attachment(mail) for mail in mails]
    house.until("both have both", lambda: all(house.told(one, file) for one in (house.alice, house.carol) for file in files) and house.is_idle())
    return lambda: [house.told(one, file) for one in (house.alice, house.carol) for file in files]


def member_writes(house, token):
    """A member starts threads with a correspondent."""
    house.alice.post(BOB, f"Thread {token}", f"The word is {token}-small.\n")
    house.alice.post(BOB, f"Thread {token}", f"The word is {token}-large.\n{LARGE}")
    names = (f"{token}-small", f"{token}-large")
    house.sent += 2

    def copies(name):
        return house.relay.about(name) or in_maildir(house, name)

    house.until("both have left", lambda: house.alice.idle() and all(copies(name) for name in names) and house.is_idle())
    if house.gateway.relay.startswith("maildir:"):
        return lambda: [count_whole(in_maildir(house, name)) for name in names]
    for name in names:
        house.check_relayed(name)
    return lambda: []


def in_maildir(house, word):
    found = []
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(os.path.join(house.gateway.maildir, "new")):
            if entry.name not in house.mails and entry.name not in house.old_mails:
                with open(entry.path, "rb") as file:
                    house.mails[entry.name] = file.read()
            found += [content for content in [house.old_mails.get(entry.name) or house.mails[entry.name]] if word.encode() in content]
    return found


def held_mail(house, token):
    """Mail of a stranger is held, approved and released."""
    eve = f"eve-{token}@example.com"
    mails = [mail_with_attachment(name, size, ALICE, eve) for name, size in ((f"{token}-small", 2000), (f"{token}-large", 400000))]
    for mail in mails:
        house.send(mail, eve, ALICE)

    def approve():
        listed = house.may_ask("mapping", "list", "--state", "requested")
        if listed is None:
            return False
        ids = re.findall(r'"id": ?(\d+)', listed)
        return all(house.may_ask("mapping", "approve", number) is not None for number in ids)

    house.until("it is approved", approve)
    files = [attachment(mail) for mail in mails]
    house.until("she has both", lambda: all(house.told(house.alice, file) for file in files) and house.is_idle())
    return lambda: [house.told(house.alice, file) for file in files]


def bounce(house, token):
    """What a member wrote comes back, and is told in its thread."""
    report = make_report(house.returned, recipient(diagnostic=f"550 5.1.1 <{BOB}>: unknown {token}"), number=token)
    house.send(report, "", house.returned["Return-Path"].strip("<>"))
    house.until("she is told", lambda: house.told(house.alice, token) and house.is_idle())
    return lambda: [house.told(house.alice, token)]


def before_bounce(house, token):
    """What is to come back has left."""
    house.alice.post(BOB, f"Thread {token}", f"The word is out-{token}.\n")
    [(sender, content)] = house.until("it has left", lambda: house.relay.about(f"out-{token}") if house.is_idle() else None)
    message_id = re.search(rb"(?im)^Message-ID: *(\S+)", content).group(1).decode()
    house.returned = {"Return-Path": f"<{sender}>", "Message-ID": message_id}


STORIES = {"group": to_group, "thread": member_writes, "held": held_mail, "bounce": bounce}
BEFORE = {"bounce": before_bounce}
_tokens = itertools.count(1)


class Tale:
    """A story that is told once: until it is over, by `begun` disturbed when it begins."""

    def __init__(self, house, story, begun):
        self.house = house
        self.token = f"token{next(_tokens)}x"
        house.let_go()
        BEFORE.get(story, lambda *_: None)(house, self.token)
        begun()
        self.counts = STORIES[story](house, self.token)

    def check(self):
        counts = self.counts()
        assert all(count == 1 for count in counts), f"{self.token}: not once: {counts}"
        self.house.check()
        self.house.told_of[self.token] = self.house.count_all(self.token)


def count_steps(house, story, **counted):
    """Which a story has, with what is tidied up after it."""
    tale = Tale(house, story, lambda: house.steps.arm(NOTHING, 1, 10**9, **counted))
    time.sleep(LATE)
    steps = house.steps.steps()
    house.steps.disarm()
    tale.check()
    return steps
