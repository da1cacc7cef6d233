"""A silo, a cutting proxy, a gateway behind it, and a bare member: what the tests of cuts, crashes and endurance run on.

Mails in and members' messages out carry tokens, each of which must arrive exactly once at its end.
"""
import collections
import os
import re
import smtplib
import time

from bare import BareMember
from cutting import CuttingProxy
from mail import make_mail
from postern import Gateway, Silo, close_quietly, other_silo
from procs import DEV, PATIENCE, free_port, wait_until

MESSAGE_ID = re.compile(rb"^Message-ID: *(\S+)", re.M | re.I)
TOKEN = re.compile(rb"token-\w+-\d+")


class Lane:
    def __init__(self, folder, name, programs=DEV, echo=True):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.name = name
        suffix = f"{name} {os.urandom(4).hex()}"   # names are taken for ever in a silo that runs already
        self.bob = f"bob.{suffix.replace(' ', '.')}@example.com"
        self.alice = f"alice-{name}"
        self.silo = other_silo() or Silo(self.folder, programs)
        self.proxy = CuttingProxy(self.silo.port)
        self.gateway = Gateway(self.folder, self.proxy.port, programs)
        self.gateway.alias = f"Gateway {suffix}"
        self.gateway.echo = echo
        self.gateway.silo_extra = 'retry_longest = "1s"'
        self.gateway.log_level = "info"
        self.gateway.open_port = free_port()
        self.member = None
        self.member_name = f"Alice {suffix}"
        self.connection = None
        self.padding = ""                      # follows the token in every body, to make it large
        self.reset_counts()

    def reset_counts(self):
        self.sent_in, self.sent_out = set(), set()
        self.relayed = collections.Counter()   # token -> mails in the maildir
        self.relayed_files = set()
        self.ids = collections.defaultdict(list)   # token -> message ids in the silo, to tell who repeated it
        self.counted = 0                       # deliveries looked at
        self.received = collections.Counter()  # token -> deliveries to the member

    def start(self):
        self.silo.start()
        self.gateway.start()
        self.member = BareMember(self.silo.port, self.member_name)
        self.gateway.introduce(self.member, self.alice)
        self.gateway.ctl("mapping", "add", self.bob, self.member_name)
        wait_until("the member knows the correspondent", lambda: self.bob in self.member.uids)

    def stop(self):
        self.proxy.disarm()
        if self.member:
            self.member.stop()
            self.member.check()
        self.gateway.stop()

    def close(self):
        """For teardown, whatever happened."""
        if self.proxy.is_alive():
            self.proxy.stop()
        if self.member:
            self.member.stopping = True
        close_quietly(self.gateway, self.silo)

    # Traffic.

    def send_mails(self, tokens):
        """Sends a mail for each token; tries again when the gateway goes away meanwhile. It knows a repetition."""
        for token in tokens:
            self.sent_in.add(token)
            recipient = f"{self.alice}@silo.example.org"
            mail = make_mail(f"Mail {token}", f"The word is {token}.\n{self.padding}", sender=self.bob, recipient=recipient, proven=False,
                             message_id=f"<{token}@example.com>").as_bytes()
            deadline = time.monotonic() + PATIENCE
            while not self.try_to_send(mail, recipient):
                assert time.monotonic() < deadline, "the gateway takes no mail"
                time.sleep(0.05)

    def try_to_send(self, mail, recipient):
        try:
            if not self.connection:
                self.connection = smtplib.SMTP("127.0.0.1", self.gateway.open_port, timeout=PATIENCE)
            self.connection.sendmail(self.bob, [recipient], mail)
            return True
        except smtplib.SMTPResponseException as error:   # all of these are OSErrors
            assert error.smtp_code < 500, error
        except smtplib.SMTPRecipientsRefused as error:
            assert all(code < 500 for code, _ in error.recipients.values()), error
        except OSError:
            pass
        self.connection = None
        return False

    def post_messages(self, tokens):
        for token in tokens:
            self.sent_out.add(token)
            self.member.post(self.bob, f"Message {token}", f"The word is {token}.\n{self.padding}")

    # Counting at the destinations.

    def count(self):
        """Looks at what arrived since the last time. Nothing may come twice."""
        self.member.check()
        for msgid, second, body in self.member.deliveries[self.counted:]:
            self.counted += 1
            found = TOKEN.search(body)
            assert found, f"{self.name}: a message that nobody sent: {second}: {body[:300]}"
            self.received[found.group().decode()] += 1
            self.ids[found.group().decode()].append(msgid)
        self.count_maildir()
        for what, counter in (("received", self.received), ("relayed", self.relayed)):
            repeated = {token: self.ids[token] for token, count in counter.items() if count > 1}
            assert not repeated, f"{self.name}: {what} more than once: {repeated}"

    def count_maildir(self):
        folder = os.path.join(self.gateway.maildir, "new")
        if not os.path.isdir(folder):
            return
        for entry in os.scandir(folder):
            if entry.name not in self.relayed_files:
                self.relayed_files.add(entry.name)
                with open(entry.path, "rb") as file:
                    mail = file.read()
                token = TOKEN.search(mail).group().decode()
                self.relayed[token] += 1
                self.ids[token].append(MESSAGE_ID.search(mail).group(1).decode())

    def is_complete(self):
        self.count()
        return len(self.received) == len(self.sent_in) and len(self.relayed) == len(self.sent_out) and self.member.idle()

    def expect_all(self, patience=PATIENCE):
        """All has arrived, each once, and the queues are empty."""
        try:
            wait_until("all has arrived", self.is_complete, patience)
        except AssertionError:
            raise AssertionError(f"{self.name}: not received: {sorted(self.sent_in - set(self.received))}; "
                                 f"not relayed: {sorted(self.sent_out - set(self.relayed))}; "
                                 f"not posted by the member: {len(self.member.posting)}") from None
        assert set(self.received) == self.sent_in and set(self.relayed) == self.sent_out
        self.gateway.wait_settled()
