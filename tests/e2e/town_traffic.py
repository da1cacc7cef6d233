"""What happens in a town (town.py): mixed traffic at a pace, a ledger of what must arrive where, and who looks at the gateways meanwhile."""
import collections
import email
import email.policy
import hashlib
import json
import os
import queue
import random
import re
import smtplib
import threading
import time

from figures import ask
from mail import make_mail
from postern import DOMAIN
from procs import PATIENCE
from town import BOB, CAROLS_FRIEND, EVE, GHOST, GROUP, GROUP_ADDRESS, HELD_DOMAIN, STEADY_DOMAIN, STRANGER
from web_visitor import PASSWORD, Visitor

TOKEN = re.compile(rb"token-([a-z]+)-(\d+)")
ANNOUNCED = "A new email correspondent"   # to the group, once
BOUNCED = b"could not be delivered by email:"
ENVELOPE_FIELDS = re.compile(rb"\A(?:(?:Return-Path|X-Original-To|Delivered-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*)*")
SENDERS = 6          # connections to the MX
TRIES_PER_SECOND = 10
POLL_SECONDS = 0.2
LARGE = 2 * 2**20    # the largest attachment
LEDGER_WINDOW = 300  # seconds of a row in the table of latencies

# kind -> how often of 100
MIX = {"one": 28, "both": 6, "client": 10, "group": 8, "steady": 12, "out": 18, "outgroup": 5, "outsteady": 6, "ghost": 2, "refused": 3, "held": 2}
# Where a token must arrive, as (place, once: exactly, or at least). "denied" is a held one that is turned down.
PLACES = {
    "one": ("Alice Member",), "both": ("Alice Member", "Carol Colleague"), "client": ("Dave Member",), "group": ("Alice Member", "Carol Colleague"),
    "steady": ("Alice Member",), "out": ("relay",), "outgroup": ("relay", "Alice Member"), "outsteady": ("relay",), "ghost": ("bounced",),
    "refused": ("sender",), "held": ("Alice Member",), "denied": ("sender",),
}
WAYS = {"one": "in", "both": "in", "client": "in", "group": "in", "steady": "in", "out": "out", "outgroup": "out", "outsteady": "out",
        "ghost": "bounce", "refused": "refused", "held": "held", "denied": "held"}


class Ledger:
    """What must arrive where, when it was due to be sent, and what has."""

    def __init__(self):
        self.lock = threading.Lock()
        self.expected = {}                       # (token, place) -> when it was due
        self.arrived = collections.Counter()     # (token, place) -> times
        self.contents = {}                       # (token, place) -> digest of what came to a mailbox
        self.latencies = []                      # (way, due, seconds)
        self.wrong = []                          # what nobody has sent, or is not as it was sent
        self.missing = 0

    def expect(self, token, kind, due):
        with self.lock:
            for place in PLACES[kind]:
                assert (token, place) not in self.expected
                self.expected[token, place] = due
                self.missing += 1

    def arrive(self, token, place, now, good=True, digest=None):
        key = (token, place)
        with self.lock:
            if key not in self.expected:
                self.wrong.append(f"{token} came to {place}")
                return
            if not good:
                self.wrong.append(f"{token} came damaged to {place}")
            self.arrived[key] += 1
            if self.arrived[key] == 1:
                self.missing -= 1
                self.contents[key] = digest
                self.latencies.append((WAYS[token.split("-")[1]], self.expected[key], now - self.expected[key]))
            elif digest != self.contents[key]:
                self.wrong.append(f"{token} came to {place} again, and not as before")

    def complain(self, what):
        with self.lock:
            self.wrong.append(what)

    def lost(self):
        with self.lock:
            return sorted(key for key in self.expected if not self.arrived[key])

    def repeated(self):
        with self.lock:
            return {key: count for key, count in self.arrived.items() if count > 1}


def attachment(moments, size):
    """Named by its digest, so that whoever gets it knows whether it is whole."""
    content = moments.randbytes(size)
    return f"{hashlib.sha256(content).hexdigest()[:24]}.bin", content


def is_whole(name, content):
    return hashlib.sha256(content).hexdigest()[:24] in name


def body_of(token, padding):
    return f"The word is {token}.\n" + padding + f"end of {token}\n"


def padding_of(moments):
    return "".join(f"Line {n} of what nobody reads, but it must be there.\n" for n in range(moments.choice((0, 1, 5, 20, 60, 200))))


class Traffic:
    """begin(pace) sends so many messages a second (0: as many as are taken, with a bound on what is under way) until end()."""

    def __init__(self, town, ledger, seed):
        self.town, self.ledger = town, ledger
        self.moments = random.Random(seed)
        self.numbers = collections.Counter()
        self.sent = collections.Counter()        # kind -> messages
        self.post_tokens = {}                    # key of a member's post -> its token
        self.mails = queue.Queue()
        self.stopping = False
        self.ending = False
        self.pause = threading.Event()
        self.errors = []
        self.mail_times = []                     # seconds until the MX had a mail, from when it was due
        self.threads = []
        self.reads = collections.Counter()
        self.refused_reads = 0                   # while the gateway was away
        self.seen_files = 0

    def start(self):
        for work in (*[self.send_mails] * SENDERS, self.look_at_mailboxes, self.decide_about_strangers, self.read_pages):
            self.launch(work)

    def launch(self, work, *arguments):
        thread = threading.Thread(target=self.guard, args=(work, *arguments), daemon=True)
        thread.start()
        self.threads.append(thread)
        return thread

    def guard(self, work, *arguments):
        try:
            work(*arguments)
        except Exception as error:   # for the test's thread
            self.errors.append(f"{work.__name__}: {error!r}")

    def check(self):
        assert not self.errors, self.errors

    def stop(self):
        self.stopping = True
        for _ in range(SENDERS):
            self.mails.put(None)
        for thread in self.threads:
            thread.join(PATIENCE)

    # Making it.

    def run(self, pace, seconds, most_under_way=None):
        """From a thread of the caller's: messages that are due at even intervals, whatever has become of those before."""
        began = time.time()
        number = 0
        while not self.ending and time.time() < began + seconds:
            due = began + number / pace
            if most_under_way is None:
                time.sleep(max(0, due - time.time()))
            elif self.ledger.missing >= most_under_way:
                time.sleep(0.005)
                continue
            else:
                due = time.time()
            number += 1
            self.make(self.moments.choices(list(MIX), MIX.values())[0], due)
        return number

    def make(self, kind, due):
        self.numbers[kind] += 1
        number = self.numbers[kind]
        if kind == "held" and number % 3 == 0:
            kind = "denied"
        token = f"token-{kind}-{number}"
        size = self.moments.choices((0, 3000, 100_000, LARGE), (80, 10, 9, 1))[0]
        files = [attachment(self.moments, size)] if size else []
        body = body_of(token, padding_of(self.moments))
        self.sent[kind] += 1
        self.ledger.expect(token, kind, due)
        if WAYS[kind] in ("out", "bounce"):
            self.post(token, kind, body, files)
        else:
            self.mails.put((token, kind, due, body, files))

    def post(self, token, kind, body, files):
        town = self.town
        author, to, groups = {
            "out": (town.alice, BOB, ()), "outsteady": (town.alice, EVE, ()), "ghost": (town.alice, GHOST, ()),
            "outgroup": (town.carol, CAROLS_FRIEND, (GROUP,)),
        }[kind]
        self.post_tokens[author.post(to, f"Message {token}", body, groups=groups, files=files)] = token

    def envelope(self, kind, token):
        alice, carol, dave = (f"{name}@{DOMAIN}" for name in ("alice", "carol", "dave"))
        return {
            "one": (BOB, [alice]), "both": (BOB, [alice, carol]), "client": (BOB, [dave]), "group": (CAROLS_FRIEND, [GROUP_ADDRESS]),
            "steady": (EVE, [f"alice@{STEADY_DOMAIN}"]), "refused": (STRANGER, [alice]),
        }.get(kind) or (f"{token}@{HELD_DOMAIN}", [alice])

    def send_mails(self):
        connection = None
        while (job := self.mails.get()) is not None:
            token, kind, due, body, files = job
            sender, recipients = self.envelope(kind, token)
            mail = make_mail(f"Mail {token}", body, sender=sender, recipient=", ".join(recipients), proven=False, message_id=f"<{token}@soak.example>")
            for name, content in files:
                mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
            data = mail.as_bytes()
            while not self.stopping:
                connection = self.try_to_send(connection, sender, recipients, data)
                if connection:
                    break
                time.sleep(1 / TRIES_PER_SECOND)
            self.mail_times.append((due, time.time() - due))

    def try_to_send(self, connection, sender, recipients, data):
        """The connection, or None if it is to be sent again."""
        try:
            connection = connection or smtplib.SMTP("127.0.0.1", self.town.front.port, timeout=PATIENCE)
            connection.sendmail(sender, recipients, data)
            return connection
        except (OSError, smtplib.SMTPException) as error:
            code = getattr(error, "smtp_code", 421)
            assert not 500 <= code < 600, f"the MX refuses: {error!r}"
            return None

    # Where it arrives.

    def take_from_silo(self, who, _msgid, second, content):
        now = time.time()
        if BOUNCED in content and second.get("ThreadId") in self.town.alice.thread_of:
            token = self.post_tokens.get(self.town.alice.thread_of[second["ThreadId"]])
            self.ledger.arrive(token, "bounced", now)
            return
        if second.get("Subject") == ANNOUNCED:
            return
        found = TOKEN.search(second.get("Subject", "").encode())
        if not found:
            self.ledger.complain(f"{who} got {second.get('Subject')!r}: {content[:300]!r}")
            return
        token = found.group().decode()
        files, good = second.get("Attach") or [], f"end of {token}\n".encode() in content
        at = len(content) - sum(one["Size"] for one in files)
        for one in files:
            good = good and is_whole(one["Name"], content[at:at + one["Size"]])
            at += one["Size"]
        self.ledger.arrive(token, who, now, good)

    def take_from_client(self, item, seen):
        if item["op"] != "delivery" or item["id"] in seen:
            return
        seen.add(item["id"])
        found = TOKEN.search(item.get("subject", "").encode())
        if not found:
            self.ledger.complain(f"Dave got {item}")
            return
        token, good = found.group().decode(), True
        for one in item.get("attach") or []:
            with open(one["path"], "rb") as file:
                good = good and is_whole(one["name"], file.read())
            os.unlink(one["path"])
        self.ledger.arrive(token, "Dave Member", time.time(), good and f"end of {token}" in item["body"])

    def look_at_mailboxes(self):
        seen = set()
        while not self.stopping:
            self.town.client.keep_running()
            for item in self.town.client.lines():
                self.take_from_client(item, seen)
            folder = os.path.join(self.town.relay.maildir, "new")
            for entry in sorted(os.scandir(folder), key=lambda one: one.name) if os.path.isdir(folder) else ():
                with open(entry.path, "rb") as file:
                    self.take_mail(file.read(), os.stat(entry.path).st_mtime)
                os.unlink(entry.path)
                self.seen_files += 1
            time.sleep(POLL_SECONDS)

    def take_mail(self, data, now):
        found = TOKEN.search(data)
        if not found:
            self.ledger.complain(f"a mail without a token: {data[:2000]!r}")
            return
        token = found.group().decode()
        if PLACES[found.group(1).decode()] == ("sender",):
            self.ledger.arrive(token, "sender", now)
            return
        mail = email.message_from_bytes(data, policy=email.policy.default)
        good = f"end of {token}".encode() in data or f"end of {token}" in mail.get_body(("plain",)).get_content()
        for part in mail.iter_attachments():
            good = good and is_whole(part.get_filename(), part.get_content() if isinstance(part.get_content(), bytes) else b"")
        self.ledger.arrive(token, "relay", now, good, hashlib.sha256(data[ENVELOPE_FIELDS.match(data).end():]).hexdigest())

    # Who has to do with the gateways meanwhile.

    def decide_about_strangers(self):
        gateway = self.town.restless
        while not self.stopping:
            status, output = gateway.running_ctl("--json", "mapping", "list", "--state", "requested")
            for row in json.loads(output)["mappings"] if status == 0 else ():
                verb = "deny" if "-denied-" in row["address"] else "approve"
                gateway.running_ctl("mapping", verb, str(row["id"]), "--reason", "soak")
            time.sleep(2)

    def read_pages(self):
        visitors = {}
        for name, gateway in self.town.gateways.items():
            gateway.ctl("admin", "add", "anna", stdin=PASSWORD + "\n")
            visitors[name] = Visitor(gateway.web_port)
        moments = random.Random(7)
        while not self.stopping:
            name = moments.choice(list(self.town.gateways))
            gateway = self.town.gateways[name]
            was_away, ends = gateway.is_away, gateway.ends
            what, error = self.read_one(gateway, visitors[name], moments)
            self.reads[what] += 1
            if error and not was_away and not gateway.is_away and gateway.ends == ends:
                self.errors.append(f"{what} of the {name} gateway: {error}")
            elif error:
                self.refused_reads += 1
            time.sleep(0.5)

    def read_one(self, gateway, visitor, moments):
        """(what was read, None or what went wrong)."""
        verb = moments.choice((("status",), ("queue", "list"), ("mapping", "list", "--limit", "100"), ("audit", "list"), ("silo", "status"),
                               ("held", "list"), ("why",), ("reload",), "/metrics", "/metrics", "/", "/requests", "/mappings", "/queue", "/audit"))
        if isinstance(verb, str):
            return verb, self.read_page(gateway, visitor, verb)
        if verb == ("why",):
            verb = ("why", f"<token-one-{moments.randint(1, max(1, self.numbers['one']))}@soak.example>")
        status, output = gateway.running_ctl(*verb)
        return "ctl " + " ".join(verb[:2])[:12], output if status != 0 and verb[0] != "why" else None

    @staticmethod
    def read_page(gateway, visitor, path):
        try:
            if path == "/metrics":
                status, _, text = ask(gateway.metrics_port, path)
                return None if status == 200 else text
            answer, text = visitor.ask("GET", path)
            if answer.status == 303:   # a sign-in does not outlive everything
                visitor.sign_in("anna", PASSWORD)
                answer, text = visitor.ask("GET", path)
            return None if answer.status == 200 else f"{answer.status} {text[:500]}"
        except (OSError, AssertionError, StopIteration) as error:
            return repr(error)
        except Exception as error:   # http.client has many of its own
            return repr(error)
