"""What is beside the gateway goes away, and comes back."""
from mail import BOB, make_mail, plain_text, send
from procs import free_port, wait_until
from sink import Sink


def test_silo_down_during_the_whole_delivery(silo, gateway, bob_to_alice):
    silo.stop()
    subjects = [f"While it was down {number}" for number in range(10)]
    for subject in subjects:
        send(gateway.smtp_port, make_mail(subject))   # raises unless answered 250
    assert len(gateway.queue("in")) == len(subjects)
    silo.start()
    for _ in subjects:
        bob_to_alice.receive_mail()
    gateway.wait_settled()
    assert sorted(mail["subject"] for mail in bob_to_alice.mails()) == sorted(subjects)


def test_silo_down_and_gateway_restarted(silo, gateway, bob_to_alice):
    silo.stop()
    send(gateway.smtp_port, make_mail("Before the restart"))
    gateway.stop()
    gateway.start()
    send(gateway.smtp_port, make_mail("After the restart"))
    silo.start()
    bob_to_alice.receive_mail()
    bob_to_alice.receive_mail()
    assert sorted(mail["subject"] for mail in bob_to_alice.mails()) == ["After the restart", "Before the restart"]


def test_silo_killed_in_the_middle(silo, gateway, bob_to_alice):
    subjects = [f"Through a crash {number}" for number in range(20)]
    for number, subject in enumerate(subjects):
        send(gateway.smtp_port, make_mail(subject))
        if number == 10:
            silo.kill()
            silo.start()
    for _ in subjects:
        bob_to_alice.receive_mail()
    gateway.wait_settled()
    assert sorted(mail["subject"] for mail in bob_to_alice.mails()) == sorted(subjects)


def test_relay_down_for_replies(stopped_gateway, alice):
    """Nobody listens at the relay's port; later a sink does."""
    relay_port = free_port()
    stopped_gateway.relay = f"smtp://127.0.0.1:{relay_port}"
    stopped_gateway.start()
    stopped_gateway.introduce(alice, "alice")
    stopped_gateway.open_door(BOB, alice)
    send(stopped_gateway.smtp_port, make_mail("Answer me"))
    received = alice.receive_mail("Answer me")
    for number in range(5):
        alice.post(BOB, f"answer {number}", thread=received["threadid"])
    wait_until("the replies wait", lambda: len(stopped_gateway.queue("out")) == 5)

    with Sink(stopped_gateway.folder, relay_port) as sink:
        wait_until("all replies arrived", lambda: len(sink.dumps()) >= 5)
        stopped_gateway.wait_settled()
    bodies = sorted(plain_text(dump.mail()).strip() for dump in sink.dumps())
    assert bodies == [f"answer {number}" for number in range(5)]


def test_relay_that_is_postfix_goes_down(smarthost, gateway, bob_to_alice):
    send(gateway.smtp_port, make_mail("Answer me"))
    received = bob_to_alice.receive_mail("Answer me")
    smarthost.stop()
    try:
        bob_to_alice.post(BOB, "late answer", thread=received["threadid"])
        wait_until("the reply waits", lambda: gateway.queue("out"))
    finally:
        smarthost.start()
    mail = wait_until("the reply arrives", smarthost.mails)[0]
    assert "late answer" in plain_text(mail)
