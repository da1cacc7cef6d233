"""One mail, at least, with each program that others would put beside the gateway: swaks, msmtp, Python, and Exim on both sides."""
import smtplib
import subprocess

import pytest

from conftest import needs_root, run_instance
from exim import Exim
from mail import ALICE, BOB, make_mail, plain_text, send
from postern import DOMAIN
from procs import PATIENCE, wait_until

MALLORY = "mallory@example.net"


def run(command, mail):
    return subprocess.run(command, input=mail.as_bytes(), capture_output=True, timeout=PATIENCE, check=False)


def swaks(mail, sender, protocol, port):
    return run(["swaks", "--protocol", protocol, "--server", "127.0.0.1", "--port", str(port), "--from", sender, "--to", ALICE, "--data", "-"],
               mail)


@pytest.mark.parametrize("protocol", ["ESMTP", "SMTP", "LMTP"])
def test_swaks(gateway, bob_to_alice, protocol):
    port = gateway.lmtp_port if protocol == "LMTP" else gateway.smtp_port
    result = swaks(make_mail("With swaks"), BOB, protocol, port)
    assert result.returncode == 0, result.stdout
    assert bob_to_alice.receive_mail("With swaks")["alias"] == BOB
    result = swaks(make_mail("With swaks", sender=MALLORY), MALLORY, protocol, port)
    assert result.returncode != 0 and b"550 5.7.1" in result.stdout


def test_msmtp(gateway, bob_to_alice):
    def msmtp(sender, mail):
        return run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={gateway.smtp_port}", f"--from={sender}", ALICE], mail)

    result = msmtp(BOB, make_mail("With msmtp"))
    assert result.returncode == 0, result.stderr
    assert bob_to_alice.receive_mail("With msmtp")["alias"] == BOB
    result = msmtp(MALLORY, make_mail("With msmtp", sender=MALLORY))
    assert result.returncode != 0 and b"550 5.7.1" in result.stderr


@pytest.mark.parametrize("kind", [smtplib.SMTP, smtplib.LMTP])
def test_smtplib(gateway, bob_to_alice, kind):
    port = gateway.lmtp_port if kind is smtplib.LMTP else gateway.smtp_port
    with kind("127.0.0.1", port, timeout=PATIENCE) as connection:
        assert connection.send_message(make_mail("With smtplib")) == {}
        assert connection.send_message(make_mail("And another")) == {}, "in the same session"
        with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)) as refusal:
            connection.send_message(make_mail("With smtplib", sender=MALLORY))
        assert "550" in str(refusal.value)
        assert connection.noop()[0] == 250
    bob_to_alice.receive_mail()
    bob_to_alice.receive_mail()
    assert sorted(mail["subject"] for mail in bob_to_alice.mails()) == ["And another", "With smtplib"]


@pytest.fixture(params=["lmtp", "smtp"])
def exim(request, stopped_gateway):
    needs_root()
    port = stopped_gateway.lmtp_port if request.param == "lmtp" else stopped_gateway.smtp_port
    yield from run_instance(Exim(port, request.param), request)


def test_exim_before_and_behind(exim, stopped_gateway, alice):
    """A mail in, her answer out, and a refusal that Exim tells the sender of."""
    gateway = stopped_gateway
    gateway.relay = f"smtp://127.0.0.1:{exim.port}"
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    send(exim.port, make_mail("Through Exim", "Größe ≥ 8 Bit\n"))
    received = alice.receive_mail("Through Exim")
    assert "Größe ≥ 8 Bit" in received["body"]
    alice.post(BOB, "Thank you, Bob", thread=received["threadid"])
    reply = wait_until("her answer is delivered", exim.mails)[0]
    assert "Thank you, Bob" in plain_text(reply) and ALICE in reply["From"]

    send(exim.port, make_mail("For nobody"), recipients=[f"nobody@{DOMAIN}"])
    bounce = wait_until("the refusal is told", lambda: exim.mails()[1:])[0]
    assert "550 5.1.1" in bounce.as_string()
    wait_until("Exim's queue is empty", exim.queue_is_empty)
    gateway.wait_settled()


def test_exim_waits_for_a_stopped_gateway(exim, stopped_gateway, alice):
    gateway = stopped_gateway
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    gateway.stop()
    send(exim.port, make_mail("While it was stopped"))
    wait_until("Exim has tried", lambda: "Connection refused" in exim.read_log())
    gateway.start()
    alice.receive_mail("While it was stopped")
    wait_until("Exim's queue is empty", exim.queue_is_empty)
    assert len(alice.mails()) == 1
