"""How much may come and go: what is over an allowance comes again, or waits, also after a restart; others are not concerned. And
how often one may guess."""
import time

from mail import BOB, make_mail
from postern import DOMAIN, Conversation
from postfix import read_maildir
from procs import free_port, wait_until
from reports import send, story

DAVE = "dave@example.net"


def limits(**values):
    return "limits {" + "".join(f' {key} = "{value}"' for key, value in values.items()) + " }"


def sent(gateway):
    return sorted(mail["Subject"] for mail in read_maildir(gateway.maildir))


def test_who_is_over_an_allowance_waits_and_nobody_else(stopped_gateway, alice):
    gateway = stopped_gateway
    gateway.extra = limits(in_correspondent="2/h", out_member="2/h")
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    gateway.open_door(DAVE, alice)

    # Mail that comes in.
    first = make_mail("In 1")
    for mail in (first, make_mail("In 2")):
        assert send(gateway.smtp_port, mail).startswith("250 2.6.0 accepted as")
    third = make_mail("In 3")
    assert send(gateway.smtp_port, third) == f"452 4.2.1 <{BOB}> has sent all that may come from there in an hour, please try again later"
    assert "event=mail.limited" in gateway.read_log() and f"over in_correspondent of {BOB}" in gateway.read_log()
    assert send(gateway.smtp_port, first).startswith("250 2.6.0 accepted before as in1"), "a repetition takes nothing"
    assert send(gateway.smtp_port, make_mail("Dave's", sender=DAVE), sender=DAVE).startswith("250")
    gateway.kill()
    gateway.start()
    assert send(gateway.smtp_port, third).startswith("452 4.2.1"), "what was spent stays spent"

    # Messages that go out.
    gateway.wait_online()
    for number in (1, 2, 3):
        alice.post(BOB, f"Message {number}\n", subject=f"Out {number}")
    wait_until("two have left", lambda: sent(gateway) == ["Out 1", "Out 2"])
    notice = alice.receive_mail("Sent later")
    assert "2 messages in an hour" in notice["body"]
    [waiting] = gateway.queue("out")
    assert waiting["id"] == "out3" and waiting["last_error"] == "more is written than goes out at once (limits)", waiting
    assert any(line.startswith("limited: over limits.out_member: goes out at ") for line in story(gateway, "out3"))
    gateway.ctl("queue", "retry", "out3")   # an administrator may
    wait_until("it has left", lambda: len(sent(gateway)) == 3)

    # An administrator changes their mind.
    gateway.extra = limits(in_correspondent="none")
    gateway.write_config()
    gateway.ctl("reload")
    assert send(gateway.smtp_port, third).startswith("250 2.6.0 accepted as")


def test_who_tries_out_recipients_is_slowed_and_sent_away(stopped_gateway):
    """But a mail server in front is not: it speaks for everybody."""
    gateway, port = stopped_gateway, free_port()
    gateway.extra = f'limits {{ guesses = 2 }}\nlisten direct {{ address = "127.0.0.1:{port}" exempt = {{ "192.0.2.1" }} }}'
    gateway.listen_extra = 'exempt = { "192.0.2.1" }'
    gateway.start()
    with Conversation(port) as eve:
        eve.greet()
        eve.expect("MAIL FROM:<eve@example.com>", "250")
        for number in range(2):
            eve.expect(f"RCPT TO:<guess{number}@{DOMAIN}>", "550 5.1.1")
        started = time.monotonic()
        eve.expect(f"RCPT TO:<bounces+forged@{DOMAIN}>", "550 5.7.1")
        assert time.monotonic() - started >= 1, "the reply has waited"
        eve.expect("RCPT TO:<somebody@elsewhere.example>", "550 5.7.1")
        eve.expect("NOOP", "421 4.7.0 Too many wrong addresses")
    with Conversation(port) as eve:
        assert eve.reply().startswith("421 4.7.0 Too many wrong addresses")
    status = gateway.ctl_json("status")
    assert (status["guesses"], status["networks_paused"], status["replies_delayed"]) == (4, 1, 0)
    assert 'event=smtp.guessing client=127.0.0.0/24 count=4 paused_s=600' in gateway.read_log()
    with Conversation(gateway.smtp_port) as postfix:
        postfix.greet()
        postfix.expect("MAIL FROM:<eve@example.com>", "250")
        for number in range(6):
            postfix.expect(f"RCPT TO:<guess{number}@{DOMAIN}>", "550 5.1.1")
        postfix.expect("NOOP", "250")
    assert gateway.ctl_json("status")["guesses"] == 4
    gateway.extra = gateway.extra.replace("guesses = 2", "guesses = 0")
    gateway.write_config()
    gateway.ctl("reload")
    with Conversation(port) as bob:
        bob.greet()
