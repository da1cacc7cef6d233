"""The programs under test: the embedded silo, the gateway, and the members who use them."""
import contextlib
import glob
import hashlib
import json
import os
import socket
import subprocess

from procs import DEV, PATIENCE, Server, accepts_connections, free_port, run, wait_until

DOMAIN = "silo.example.org"
GATEWAY_ALIAS = "Email Gateway"
AUTHSERV_ID = "mx.test"

CONFIGURATION = """\
state_dir = "{state}"
domain    = "{domain}"
hostname  = "gw.example.org"

silo {{
  address = "{silo_host}:{silo_port}"
  alias   = "{alias}"
  echo    = {echo}
  {silo_extra}
}}
{listeners}
relay {{
  url = "{relay}"
  {relay_extra}
}}

policy {{
  max_message = "{max_message}"
  {policy_extra}
}}

retry {{ first = "{retry_first}" longest = "{retry_longest}" give_up = "{give_up}" warn_after = "{warn_after}" }}
admin {{ socket = "{state}/control" {admin_extra} }}
log {{ level = {log_level} }}
{extra}
"""


class Silo(Server):
    """`tmtp silo` on a port of its own, which it keeps when started again."""

    def __init__(self, folder, programs=DEV):
        super().__init__(folder, "silo")
        self.port = free_port()
        self.programs = programs

    def start(self):
        self.launch([os.path.join(self.programs, "tmtp"), "silo", "--listen", f"127.0.0.1:{self.port}",
                     "--state", os.path.join(self.folder, "silo"), "--name", "Test Silo"])
        wait_until("the silo listens", self.listens)

    def listens(self):
        assert self.running(), f"the silo ended:\n{self.read_log()}"
        return accepts_connections(self.port)


class RunningSilo:
    """A silo that runs already, of whatever make, in the place of ours. It can't be stopped or killed."""
    process = None

    def __init__(self, port):
        self.port = port

    def start(self):
        wait_until("the silo listens", lambda: accepts_connections(self.port))


def other_silo():
    """What POSTERN_SILO names: "=127.0.0.1:PORT", a silo that the tests which can do so use instead of the embedded one."""
    address = os.environ.get("POSTERN_SILO")
    return RunningSilo(int(address.rpartition(":")[2])) if address else None


class Gateway(Server):
    """posternd with a configuration that a test may change before it starts.

    Listeners: `smtp` and `lmtp` believe the Authentication-Results of mx.test; `open` (when asked for) believes everybody.
    """

    def __init__(self, folder, silo_port, programs=DEV):
        super().__init__(folder, "posternd")
        self.programs = programs
        self.state = os.path.join(folder, "gateway")
        self.maildir = os.path.join(folder, "mail-out")
        self.config = os.path.join(folder, "postern.conf")
        self.smtp_port = free_port()
        self.lmtp_port = free_port()
        self.open_port = None
        self.silo_port = silo_port
        self.silo_host = "=127.0.0.1"
        self.relay = f"maildir:{self.maildir}"
        self.max_message = "35M"
        self.log_level = "debug"
        self.alias = GATEWAY_ALIAS
        self.echo = True
        self.retry_first, self.retry_longest = "1s", "2s"
        self.give_up, self.warn_after = "1h", "1h"
        self.policy_extra = ""   # lines for the section `policy`
        self.silo_extra = ""     # lines for the section `silo`
        self.listen_extra = ""   # lines for the section of the listener `smtp`
        self.lmtp_extra = ""     # and of `lmtp`
        self.relay_extra = ""    # of the section `relay`
        self.admin_extra = ""    # of the section `admin`
        self.extra = ""          # sections
        os.makedirs(self.state, mode=0o700, exist_ok=True)

    def listener(self, name, port, protocol, lines):
        return f'\nlisten {name} {{\n  address = "127.0.0.1:{port}"\n  protocol = {protocol}\n  {lines}\n}}\n'

    def write_config(self):
        trust = f'trust_authserv_id = "{AUTHSERV_ID}"'
        tls = "" if "tls" in self.listen_extra else "\n  tls = none"
        listeners = self.listener("smtp", self.smtp_port, "smtp", trust + tls + "\n  " + self.listen_extra)
        listeners += self.listener("lmtp", self.lmtp_port, "lmtp", trust + "\n  tls = none\n  " + self.lmtp_extra)
        if self.open_port:
            listeners += self.listener("open", self.open_port, "smtp", 'assume_authenticated = yes\n  clients = { "127.0.0.1" }\n  tls = none')
        # No test asks anybody's DNS: where none is meant to be asked, nobody is there.
        nobody = "" if "verify {" in self.extra else '\nverify { resolver = { "127.0.0.1:1" } dns_timeout = "1s" }\n'
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(state=self.state, domain=DOMAIN, silo_host=self.silo_host, silo_port=self.silo_port, alias=self.alias,
                                            echo="yes" if self.echo else "no", silo_extra=self.silo_extra, listeners=listeners,
                                            relay=self.relay, relay_extra=self.relay_extra, max_message=self.max_message,
                                            policy_extra=self.policy_extra, retry_first=self.retry_first, retry_longest=self.retry_longest,
                                            give_up=self.give_up, warn_after=self.warn_after, log_level=self.log_level,
                                            admin_extra=self.admin_extra,
                                            extra=self.extra + nobody))

    def start(self):
        """Starts and waits until it greets; not until the silo is there."""
        self.write_config()
        self.launch(self.command())
        wait_until("the gateway listens", self.listens)

    def command(self, *arguments):
        return [os.path.join(self.programs, "posternd"), "-c", self.config, *arguments]

    def listens(self):
        assert self.running(), f"the gateway ended:\n{self.read_log()}"
        return accepts_connections(self.smtp_port) and accepts_connections(self.lmtp_port) and self.answers()

    def answers(self):
        return run([os.path.join(self.programs, "posternctl"), "-c", self.config, "version"], self.folder).returncode == 0

    def ctl(self, *arguments, expect=0, stdin=""):
        """Runs posternctl; returns what it printed (on standard error too, when it was expected to refuse)."""
        result = run([os.path.join(self.programs, "posternctl"), "-c", self.config, *arguments], self.folder, stdin=stdin)
        assert result.returncode == expect, f"posternctl {arguments} exited {result.returncode}: {result.stdout}{result.stderr}"
        return result.stdout if expect == 0 else result.stdout + result.stderr

    def ctl_json(self, *arguments):
        return json.loads(self.ctl("--json", *arguments))

    def wait_online(self):
        wait_until("the gateway is online", lambda: self.ctl_json("status")["silo_state"] == "online")

    def connect_silo(self):
        """At once, unless it has tried by itself meanwhile."""
        arguments = [os.path.join(self.programs, "posternctl"), "-c", self.config, "silo", "connect"]
        result = run(arguments, self.folder)
        assert result.returncode == 0 or "online" in result.stderr, f"{arguments}: {result.stdout}{result.stderr}"

    def introduce(self, member, address=None):
        """Member and gateway get to know each other."""
        self.wait_online()
        self.ctl("member", "add", member.alias, *(["--address", address] if address else []))
        member.ping(self.alias, "Hello")
        wait_until("the gateway knows the member", lambda: self.ctl_json("member", "show", member.alias).get("uid"))

    def open_door(self, address, member):
        """A mapping both ways, which the member has been told about by a ping from the new alias."""
        added = self.ctl_json("mapping", "add", address, member.alias)
        member.receive_where(f"ping from {address}", lambda item: item["op"] == "ping" and item["alias"] == address)
        return added

    def queue(self, direction):
        return self.ctl_json("queue", "list", "--direction", direction)["queue"]

    def wait_settled(self):
        wait_until("both queues are empty", lambda: not self.queue("in") and not self.queue("out"))


class Member:
    """Somebody with an account on the silo and the `tmtp` command."""

    def __init__(self, folder, silo, alias, programs=DEV):
        self.folder = folder
        self.alias = alias
        self.program = os.path.join(programs, "tmtp")
        self.account = os.path.join(folder, alias.replace(" ", "-") + ".account")
        self.files = os.path.join(folder, alias.replace(" ", "-") + "-files")
        self.inbox = []   # everything received so far
        self.tmtp("register", "--silo", f"=127.0.0.1:{silo.port}", "--alias", alias, "--account", self.account)

    def tmtp(self, *arguments, stdin="", patience=2 * PATIENCE):
        result = run([self.program, *arguments], self.folder, patience, stdin)
        assert result.returncode == 0, f"tmtp {arguments} exited {result.returncode}: {result.stderr}"
        return result.stdout

    def ping(self, alias, text):
        self.tmtp("ping", "--account", self.account, "--to", alias, text)

    def post(self, to, body, thread=None, subject=None, attach=()):
        arguments = ["post", "--account", self.account]
        if thread:
            arguments += ["--thread", thread]
        if subject:
            arguments += ["--subject", subject]
        for recipient in [to] if isinstance(to, str) else to:
            arguments += ["--to", recipient]
        for path in attach:
            arguments += ["--attach", path]
        self.tmtp(*arguments, "-", stdin=body)

    def receive(self, wait=1, count=None):
        """What came within `wait` seconds, at most `count` messages; kept in the inbox too."""
        options = ["--count", str(count)] if count else []
        printed = self.tmtp("receive", "--account", self.account, "--wait", str(wait), "--json", "--save", self.files, *options)
        items = [json.loads(line) for line in printed.splitlines()]
        self.inbox += items
        return items

    def receive_where(self, what, wanted, patience=PATIENCE):
        """Receives until something wanted is in the inbox that was not there at the call; returns the first such item."""
        seen = len(self.inbox)

        def look():
            if not any(wanted(item) for item in self.inbox[seen:]):
                self.receive(wait=1, count=1)
            return next((item for item in self.inbox[seen:] if wanted(item)), None)

        return wait_until(f"{self.alias} receives {what}", look, patience)

    def receive_mail(self, subject=None, patience=PATIENCE):
        return self.receive_where(f"mail {subject!r}", lambda item: item["op"] == "delivery" and subject in (None, item["subject"]),
                                  patience)

    def mails(self):
        return [item for item in self.inbox if item["op"] == "delivery"]

    def saved_digests(self):
        """sha256 -> size of every file that `receive --save` has written."""
        digests = {}
        for path in glob.glob(os.path.join(self.files, "**"), recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
                digests[hashlib.sha256(data).hexdigest()] = len(data)
        return digests


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


class Conversation:
    """A bare SMTP or LMTP client that sends exactly the bytes it is told to."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.input = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.input.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def reply(self):
        """The next reply, all its lines joined by newlines; "" when the connection was closed."""
        lines = []
        while True:
            line = self.input.readline().decode().rstrip("\r\n")
            lines.append(line)
            if len(line) < 4 or line[3] != "-":
                return "\n".join(lines)

    def say(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def expect(self, line, code):
        reply = self.say(line)
        assert reply.startswith(code), f"{line!r} was answered {reply!r}, not {code}"
        return reply

    def greet(self, verb="EHLO"):
        assert self.reply().startswith("220 ")
        return self.expect(f"{verb} client.test", "250")

    def envelope(self, sender, *recipients):
        self.expect(f"MAIL FROM:<{sender}>", "250")
        for recipient in recipients:
            self.expect(f"RCPT TO:<{recipient}>", "250")

    def data(self, content):
        """DATA with the content as it is, which must bring its own end of data. Returns the reply."""
        self.expect("DATA", "354")
        self.send(content)
        return self.reply()


def close_quietly(*servers):
    """For teardown: ends what is left without judging it."""
    for server in servers:
        if server.process is not None:
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                server.process.terminate()
                server.process.wait(10)
            if server.process is not None and server.process.poll() is None:
                server.kill()
            server.process = None
