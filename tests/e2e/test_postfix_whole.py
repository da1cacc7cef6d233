"""What docs/postfix.md has of both ends, all at once, works as it is written there: only ports, paths and the user are other ones."""
import os
import pwd
import smtplib
import time

import pytest

from conftest import needs_root, run_instance
from documents import adapt, block
from mail import ALICE, BOB, make_mail, send
from milter import Milter
from postern import DOMAIN, Gateway, Member
from postfix import Postfix, read_maildir
from procs import free_port, run, wait_until
from test_returns import bring, make_report, receive_part

AUTHSERV_ID = "mx.example.org"
FORGETTING = 15   # seconds that a refusal may still count for; by default Postfix remembers it for hours


class WholeGateway(Gateway):
    """The gateway of the document, with its one LMTP listener."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.policy_port = free_port()

    def write_config(self):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(adapt(block("docs/postfix.md", 'state_dir = "/var/lib/postern"'), {
                "/var/lib/postern": self.state,
                "/run/postern/control": f"{self.state}/control",
                '"postern"': f'"{pwd.getpwuid(os.geteuid()).pw_name}"',
                "+silo.example.org:443": f"=127.0.0.1:{self.silo_port}",
                "127.0.0.1:2424": f"127.0.0.1:{self.lmtp_port}",
                "127.0.0.1:2528": f"127.0.0.1:{self.policy_port}",
                "smtp://127.0.0.1:25": self.relay,
            }))

    def listens(self):
        assert self.running(), f"the gateway ended:\n{self.read_log()}"
        return self.answers()


@pytest.fixture
def whole_gateway(folder, silo):
    server = WholeGateway(folder, silo.port)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def whole_mx(whole_gateway):
    """The Postfix of the document, in front of its gateway, with a milter that judges as OpenDMARC does."""
    needs_root()
    with Milter(AUTHSERV_ID) as milter:
        settings = adapt(block("docs/postfix.md", "# main.cf (Postfix 3.7 or later)"), {
            "127.0.0.1:2424": f"127.0.0.1:{whole_gateway.lmtp_port}",
            "inet:127.0.0.1:8893": f"inet:127.0.0.1:{milter.port}",
            "inet:127.0.0.1:2528": f"inet:127.0.0.1:{whole_gateway.policy_port}",
        })
        instance = Postfix("myhostname = mx.test\nmynetworks =\n" + settings)
        yield from run_instance(instance)


def reply_to_rcpt(port, recipient):
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as connection:
        connection.ehlo()
        connection.mail(BOB)
        code, text = connection.rcpt(recipient)
        return code, text.decode()


def wait_for_rcpt(port, recipient):
    def look():
        time.sleep(1)
        return reply_to_rcpt(port, recipient)[0] == 250

    wait_until("the refusal is forgotten", look, FORGETTING)


def test_gateway_accepts_the_configuration(folder):
    gateway = WholeGateway(folder, silo_port=1)
    gateway.write_config()
    result = run(gateway.command("-t"), folder)
    assert result.returncode == 0, result.stderr


def test_main_cf_has_comments_on_lines_of_their_own():
    for line in block("docs/postfix.md", "# main.cf (Postfix 3.7 or later)").splitlines():
        assert line.startswith("#") or "#" not in line, f"Postfix takes this comment for a value: {line}"


def test_mail_through_the_whole_of_it(whole_mx, whole_gateway, silo, folder):
    alice = Member(folder, silo, "Alice Member")
    whole_gateway.introduce(alice, "alice")
    assert reply_to_rcpt(whole_mx.port, f"nobody@{DOMAIN}")[0] == 550
    code, text = reply_to_rcpt(whole_mx.port, ALICE)
    assert code == 550 and "not authorised" in text, "nobody may write to her yet"

    whole_gateway.open_door(BOB, alice)
    wait_for_rcpt(whole_mx.port, ALICE)
    send(whole_mx.port, make_mail("Through the MX", proven=False))
    assert alice.receive_mail("Through the MX")["alias"] == BOB

    log = whole_mx.read_log()
    for complaint in ("unknown smtpd restriction", "fatal:", "error:", "dictionary", "not supported"):
        assert complaint not in log, f"Postfix complains ({complaint}):\n{log}"


def test_member_who_has_just_answered_gets_mail_within_seconds(whole_mx, whole_gateway, silo, folder):
    carol = Member(folder, silo, "Carol Member")
    whole_gateway.wait_online()
    whole_gateway.ctl("member", "add", carol.alias, "--address", "carol")
    whole_gateway.ctl("mapping", "add", BOB, carol.alias)
    code, text = reply_to_rcpt(whole_mx.port, f"carol@{DOMAIN}")
    assert code == 450 and "not yet agreed" in text, (code, text)
    carol.ping("Email Gateway", "Yes")
    wait_until("the gateway knows her", lambda: whole_gateway.ctl_json("member", "show", carol.alias).get("uid"))
    wait_for_rcpt(whole_mx.port, f"carol@{DOMAIN}")


@pytest.mark.parametrize("sender", ["mallory@unproven.example", "mallory@norecord.example"])
def test_strangers_are_refused_before_the_queue(whole_mx, whole_gateway, silo, folder, sender):
    """So Postfix has nothing to bounce to an address that may be forged."""
    alice = Member(folder, silo, "Alice Member")
    whole_gateway.introduce(alice, "alice")
    whole_gateway.open_door(BOB, alice)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        send(whole_mx.port, make_mail("Believe me", sender=sender, proven=False), sender)
    assert refusal.value.recipients[ALICE][0] == 550 and b"5.7.1" in refusal.value.recipients[ALICE][1]
    assert whole_mx.queue_is_empty()


def test_report_of_a_server_that_nobody_vouches_for_comes_into_the_thread(whole_mx, whole_gateway, silo, folder):
    alice = Member(folder, silo, "Alice Member")
    whole_gateway.introduce(alice, "alice")
    whole_gateway.open_door(BOB, alice)
    alice.post(BOB, "Are you there?", subject="A question")
    mail = wait_until("the mail leaves", lambda: read_maildir(whole_gateway.maildir))[0]
    report = make_report(mail).replace(b"MAILER-DAEMON@mx.example.com", b"MAILER-DAEMON@norecord.example")
    bring(whole_gateway, mail, report, port=whole_mx.port)
    receive_part(alice, "could not be delivered by email:")


def test_forged_verdict_is_removed_by_postfix_itself(whole_mx, whole_gateway, silo, folder):
    """Even when the milter says nothing, as it does of hosts that it was told to ignore."""
    alice = Member(folder, silo, "Alice Member")
    whole_gateway.introduce(alice, "alice")
    whole_gateway.open_door("carol@ignored.example", alice)
    forged = make_mail("Believe me", sender="carol@ignored.example", proven=False)
    forged["Authentication-Results"] = f"{AUTHSERV_ID}; dmarc=pass header.from=ignored.example"
    send(whole_mx.port, forged, "carol@ignored.example")
    wait_until("the gateway refuses it", lambda: "said: 550 5.7.26 the sender is not proven" in whole_mx.read_log())
