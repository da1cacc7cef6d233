"""Postfix learns at RCPT whom it may accept mail for, in each way that docs/postfix.md shows."""
import os
import pwd
import smtplib
import sqlite3
import subprocess
import time

import pytest

from conftest import needs_root, run_instance
from documents import adapt, block, postfix_block
from mail import ALICE, BOB, make_mail, send
from postern import DOMAIN, Member
from postfix import Front
from procs import PATIENCE, free_port, wait_until
from test_postfix_transport import LMTP_TCP

BOUNCES = f"bounces@{DOMAIN}"          # stands for all return addresses
DETAILED = f"alice+news@{DOMAIN}"   # alice's too
NOTICED = 15   # seconds until a change must be known at RCPT; by default Postfix remembers probes for hours


class Way:
    """How Postfix is told. `later`: of who may be written to soon; `stopped`: while the gateway is, of somebody not asked for lately."""

    def __init__(self, later, stopped):
        self.later, self.stopped = later, stopped
        self.port = free_port()

    def settings(self, front):
        raise NotImplementedError

    def prepare(self, gateway, front):
        """Before the gateway is started, and Postfix after it."""

    def is_ready(self):
        return True


class Socketmap(Way):
    def settings(self, front):
        return postfix_block("# main.cf: recipients are those of Postern's map", _2527=self.port)

    def prepare(self, gateway, front):
        gateway.extra += postfix_block("# postern.conf: a map of recipients", _2527=self.port)


class Probes(Way):
    def settings(self, front):
        return block("docs/postfix.md", "# main.cf: recipients are asked for by probes")


class Sqlite(Way):
    def settings(self, front):
        return adapt(block("docs/postfix.md", "# main.cf: recipients are those of Postern's file"), {"/etc/postfix": front.etc})

    def prepare(self, gateway, front):
        folder = os.path.join(front.folder, "recipients")
        os.mkdir(folder, 0o755)
        changes = {"/var/lib/postern-postfix": folder}
        gateway.extra += adapt(block("docs/postfix.md", "# postern.conf: a file of recipients"), changes)
        front.write("postern-recipients.cf", adapt(block("docs/postfix.md", "# /etc/postfix/postern-recipients.cf"), changes))
        self.path = os.path.join(folder, "recipients.db")

    def is_ready(self):
        return os.path.exists(self.path)


WAYS = {"socketmap": lambda: Socketmap(451, {451}), "probes": lambda: Probes(450, {450}), "sqlite": lambda: Sqlite(550, {250, 550})}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]()


@pytest.fixture
def front(way, stopped_gateway, request):
    needs_root()
    front = Front(postfix_block(LMTP_TCP, _2424=stopped_gateway.lmtp_port))
    front.configure(way.settings(front))
    way.prepare(stopped_gateway, front)
    stopped_gateway.start()
    wait_until("the gateway has done its part", way.is_ready)
    yield from run_instance(front, request)


def rcpt(port, recipient, sender=BOB):
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as connection:
        connection.ehlo()
        connection.mail(sender)
        return connection.rcpt(recipient)[0]


def wait_for(port, recipient, code, patience=NOTICED):
    def look():
        time.sleep(0.2)
        return rcpt(port, recipient) == code

    wait_until(f"{recipient} is answered {code}", look, patience)


def test_recipients_are_known_at_rcpt(way, front, stopped_gateway, silo, folder):
    """From nobody, over not yet and open, to removed: each is seen by Postfix within seconds."""
    gateway = stopped_gateway
    alice = Member(folder, silo, "Alice Member")
    gateway.introduce(alice, "alice")
    assert rcpt(front.port, f"nobody@{DOMAIN}") == 550
    assert rcpt(front.port, f"@{DOMAIN}") in (501, 550, 553)
    assert rcpt(front.port, ALICE) == 550, "nobody may write to her yet"
    gateway.open_door(BOB, alice)
    wait_for(front.port, ALICE, 250)
    assert rcpt(front.port, ALICE.upper()) == 250
    send(front.port, make_mail("Known", proven=False))
    alice.receive_mail("Known")

    assert rcpt(front.port, f"nobody+news@{DOMAIN}") == 550
    send(front.port, make_mail("Known with a detail", recipient=DETAILED, proven=False), recipients=[DETAILED])
    alice.receive_mail("Known with a detail")

    carol = Member(folder, silo, "Carol Member")
    gateway.ctl("member", "add", "Carol Member", "--address", "carol")
    gateway.ctl("mapping", "add", BOB, "Carol Member")
    wait_for(front.port, f"carol@{DOMAIN}", way.later)
    carol.ping(gateway.alias, "Yes")
    wait_for(front.port, f"carol@{DOMAIN}", 250)

    gateway.ctl("member", "remove", "Carol Member")
    # Postfix may remember for minutes whom it has found open by a probe: as long as the document says.
    if not isinstance(way, Probes):
        wait_for(front.port, f"carol@{DOMAIN}", 550)
    # In the very moment of a change a look-up in the file may fail, as the document says.
    log = "\n".join(line for line in front.read_log().splitlines() if "database is locked" not in line)
    for complaint in ("fatal:", "SQL", "dictionary", "not supported"):
        assert complaint not in log, f"Postfix complains ({complaint}):\n{log}"


@pytest.mark.parametrize("way", ["socketmap", "sqlite"], indirect=True)   # Postfix remembers probes, as the document says
def test_one_session_sees_a_removal(way, front, stopped_gateway, silo, folder):
    """A process of Postfix that has looked up before must not go on with what it found then."""
    alice = Member(folder, silo, "Alice Member")
    stopped_gateway.introduce(alice, "alice")
    stopped_gateway.open_door(BOB, alice)
    wait_for(front.port, ALICE, 250)
    with smtplib.SMTP("127.0.0.1", front.port, timeout=PATIENCE) as connection:
        connection.ehlo()
        connection.mail(BOB)
        assert connection.rcpt(ALICE)[0] == 250
        stopped_gateway.ctl("member", "remove", "Alice Member")

        def look():
            time.sleep(0.2)
            connection.rset()
            connection.mail(BOB)
            return connection.rcpt(ALICE)[0] == 550

        wait_until("the session sees it", look, NOTICED)


def test_stopped_gateway_is_no_refusal_for_good(way, front, stopped_gateway, silo, folder):
    gateway = stopped_gateway
    alice = Member(folder, silo, "Alice Member")
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    if isinstance(way, Sqlite):
        wait_for(front.port, ALICE, 250)   # is in the file
    gateway.stop()
    assert rcpt(front.port, ALICE) in way.stopped - ({550} if isinstance(way, Sqlite) else set())
    assert rcpt(front.port, f"nobody@{DOMAIN}") in way.stopped - {250}
    gateway.start()
    wait_for(front.port, ALICE, 250)


def test_proof_and_pairs_are_those_of_the_whole():
    """What test_postfix_whole.py tests is what docs/postfix.md explains."""
    whole = block("docs/postfix.md", "# main.cf (Postfix 3.7 or later)")
    for first in (LMTP_TCP, "# main.cf: pairs are judged by Postern", "# main.cf: a milter says what is proven"):
        for line in block("docs/postfix.md", first).splitlines()[1:]:
            assert line in whole.splitlines(), line


# The file itself.


@pytest.fixture
def file_gateway(stopped_gateway, folder):
    os.chmod(folder, 0o755)
    stopped_gateway.recipients = os.path.join(folder, "published", "recipients.db")
    os.mkdir(os.path.dirname(stopped_gateway.recipients), 0o755)
    stopped_gateway.extra = f'postfix {{ recipients_db = "{stopped_gateway.recipients}" }}\n'
    stopped_gateway.start()
    return stopped_gateway


def addresses(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        listed = [row[0] for row in connection.execute("SELECT address FROM postfix_recipient ORDER BY address")]
        return listed[:listed.index(BOUNCES)] + listed[listed.index(BOUNCES) + 1:]   # which is always there
    finally:
        connection.close()


def test_user_of_postfix_reads_the_file_and_nothing_else(file_gateway, silo, folder):
    needs_root()
    alice = Member(folder, silo, "Alice Member")
    file_gateway.introduce(alice, "alice")
    file_gateway.open_door(BOB, alice)
    wait_until("she is in the file", lambda: addresses(file_gateway.recipients) == [ALICE])
    user = pwd.getpwnam("postfix")

    def read(path, query):
        return subprocess.run(["sqlite3", "-readonly", path, query], capture_output=True, text=True, timeout=30, check=False,
                              user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/")

    assert read(file_gateway.recipients, "SELECT address FROM postfix_recipient").stdout == f"{ALICE}\n{BOUNCES}\n"
    refused = read(os.path.join(file_gateway.state, "postern.db"), "SELECT count(*) FROM member")
    assert refused.returncode != 0 and "unable to open" in refused.stderr


def test_file_survives_the_daemon_and_is_mended(file_gateway, silo, folder):
    """kill -9; a damaged file; a folder that is missing for a while. Whom the file can't know of is told at the start."""
    assert "event=postfix.lacks" not in file_gateway.read_log()
    file_gateway.policy_extra = "unknown_senders = hold"
    file_gateway.stop()
    file_gateway.start()
    assert "event=postfix.lacks" in file_gateway.read_log()
    alice = Member(folder, silo, "Alice Member")
    file_gateway.introduce(alice, "alice")
    file_gateway.open_door(BOB, alice)
    wait_until("she is in the file", lambda: addresses(file_gateway.recipients) == [ALICE])
    file_gateway.kill()
    assert addresses(file_gateway.recipients) == [ALICE]
    with open(file_gateway.recipients, "r+b") as file:
        file.write(b"nonsense" * 200)
    file_gateway.start()

    def is_mended():
        try:
            return addresses(file_gateway.recipients) == [ALICE]
        except sqlite3.DatabaseError:
            return False

    wait_until("the file is mended", is_mended)
    file_gateway.stop()
    os.chmod(file_gateway.recipients, 0o600)   # as it may come out of a backup
    file_gateway.start()
    wait_until("Postfix may read it again", lambda: os.stat(file_gateway.recipients).st_mode & 0o777 == 0o644)
    file_gateway.stop()
    os.rename(os.path.dirname(file_gateway.recipients), os.path.join(folder, "elsewhere"))
    file_gateway.start()
    wait_until("status tells", lambda: "No such file" in file_gateway.ctl_json("status").get("postfix_recipients_error", ""))
    os.rename(os.path.join(folder, "elsewhere"), os.path.dirname(file_gateway.recipients))
    wait_until("it is written again", lambda: file_gateway.ctl_json("status").get("postfix_published") == 2)
    assert "postfix_recipients_error" not in file_gateway.ctl_json("status") or \
        not file_gateway.ctl_json("status")["postfix_recipients_error"]


def test_readers_are_never_disturbed_for_long(file_gateway, silo, folder):
    """While addresses come and go, whoever reads sees one of the states that there were."""
    alice, carol = Member(folder, silo, "Alice Member"), Member(folder, silo, "Carol Member")
    for member, name in ((alice, "alice"), (carol, "carol")):
        file_gateway.introduce(member, name)
        file_gateway.open_door(BOB, member)
    wait_until("both are in the file", lambda: len(addresses(file_gateway.recipients)) == 2)
    carols = file_gateway.ctl_json("mapping", "list")["mappings"][1]["id"]
    seen, reads, busy = set(), 0, 0
    reader = sqlite3.connect(f"file:{file_gateway.recipients}?mode=ro", uri=True, timeout=0)
    for verb in ("suspend", "resume") * 4:
        file_gateway.ctl("mapping", verb, str(carols))
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            reads += 1
            try:
                seen.add(tuple(row[0] for row in reader.execute("SELECT address FROM postfix_recipient ORDER BY address")))
            except sqlite3.OperationalError:
                busy += 1
    reader.close()
    assert seen == {(ALICE, BOUNCES), (ALICE, BOUNCES, f"carol@{DOMAIN}")}
    assert busy <= reads / 20, f"{busy} of {reads} reads met a lock"
