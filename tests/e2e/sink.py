"""smtp-sink of Postfix as the relay: takes what it gets into files, one for each message, or disturbs as its options say."""
import email
import email.policy
import glob
import os
import re
import subprocess

from procs import accepts_connections, wait_until

# What it writes before the message: its own fields, the last of which is a Received of three lines.
OWN_FIELDS = re.compile(rb"\A(?P<fields>(?:X-[A-Za-z-]+: .*\n)+)Received: .*\n(?:[ \t].*\n)*")


class Dump:
    """A message as it was taken, up to the end of data: whether it was answered well then is another matter."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        found = OWN_FIELDS.match(data)
        self.arguments = re.findall(r"^X-(Mail|Rcpt)-Args: (.*)$", found["fields"].decode(), re.M)
        self.content = data[found.end():]

    @property
    def message_id(self):
        return re.search(rb"^Message-ID: *(\S+)", self.content, re.M | re.I).group(1).decode()

    def mail(self):
        return email.message_from_bytes(self.content, policy=email.policy.default)

    def returned(self):
        """As it lies in a mailbox, with the envelope's sender."""
        mail = self.mail()
        mail["Return-Path"] = self.mail_from().split()[0]
        return mail

    def mail_from(self):
        return next(text for verb, text in self.arguments if verb == "Mail")

    def rcpt_to(self):
        return [text for verb, text in self.arguments if verb == "Rcpt"]


class Sink:
    """As a context manager, or with start() and stop()."""
    count = 0

    def __init__(self, folder, port, *options):
        Sink.count += 1
        self.folder = os.path.join(folder, f"sink{Sink.count}")
        self.port = port
        self.options = options
        self.process = None

    def start(self):
        os.makedirs(self.folder)
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("smtp-sink listens", lambda: self.process.poll() is not None or self.listens())
        return self

    def command(self):
        return ["smtp-sink", "-u", "root", *self.options, "-d", self.folder + "/", f"127.0.0.1:{self.port}", "100"]

    def listens(self):
        return accepts_connections(self.port)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def dumps(self):
        """In the order in which they came."""
        return [Dump(path) for path in self.paths() if self.is_whole(path)]

    def paths(self):
        return sorted(glob.glob(os.path.join(self.folder, "*")), key=os.path.getmtime)

    @staticmethod
    def is_whole(path):
        """Its own fields and the header's end are there."""
        with open(path, "rb") as file:
            data = file.read()
        found = OWN_FIELDS.match(data)
        return found is not None and b"\n\n" in data[found.end():]
