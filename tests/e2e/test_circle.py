"""The main job: an email reaches a member, her reply leaves as email, and the answer to that comes back."""
import hashlib
import subprocess

from mail import ALICE, BOB, make_mail, plain_text, send
from postfix import read_maildir
from postern import DOMAIN, Conversation, Member
from procs import wait_until


def swaks(port, mail, sender=BOB, recipient=ALICE, *options):
    """Sends a message with swaks, as a stranger's mail system would."""
    command = ["swaks", "--server", "127.0.0.1", "--port", str(port), "--from", sender, "--to", recipient, "--data", "-", *options]
    result = subprocess.run(command, input=mail.as_string(), capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_full_circle_between_two_postfixes(mx, smarthost, gateway, alice, folder):
    """swaks -> Postfix -> LMTP -> posternd -> silo -> member -> reply -> posternd -> Postfix -> maildir, and back in."""
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)

    first = make_mail("Drawings", "Dear Alice,\n\nhere they are.\n", proven=False)
    drawing = bytes(range(256)) * 40
    first.add_attachment(drawing, maintype="application", subtype="octet-stream", filename="gate.bin")
    swaks(mx.port, first)
    received = alice.receive_mail("Drawings")
    assert received["alias"] == BOB
    assert "here they are." in received["body"]
    assert alice.saved_digests().get(hashlib.sha256(drawing).hexdigest()) == len(drawing)

    with open(f"{folder}/answer.txt", "wb") as file:
        file.write(b"forty-two\n")
    alice.post(BOB, "Thank you, **Bob**.", thread=received["threadid"], attach=[f"{folder}/answer.txt"])
    reply = wait_until("the reply is delivered", smarthost.mails)[0]
    assert BOB in reply["To"]
    assert ALICE in reply["From"]
    assert "Drawings" in reply["Subject"]
    assert first["Message-ID"] in reply["In-Reply-To"]
    assert first["Message-ID"] in reply["References"]
    assert "Thank you" in plain_text(reply)
    assert "<strong>Bob</strong>" in reply.get_body(("html",)).get_content()
    attachments = {part.get_filename(): part.get_content() for part in reply.iter_attachments()}
    assert attachments["answer.txt"] in ("forty-two\n", b"forty-two\n")

    answer_to = (reply["Reply-To"] or reply["From"]).addresses[0].addr_spec
    assert answer_to.endswith("@" + DOMAIN), "an answer must come back here"
    second = make_mail("Re: Drawings", "You are welcome.\n", recipient=answer_to, proven=False,
                       references=[first["Message-ID"], reply["Message-ID"]])
    swaks(mx.port, second, BOB, answer_to)
    again = alice.receive_where("the reply's reply", lambda item: item["op"] == "delivery" and "welcome" in item["body"])
    assert again["threadid"] == received["threadid"]
    gateway.wait_settled()
    assert len(alice.mails()) == 2
    assert len(smarthost.mails()) == 1


def test_member_starts_a_thread_with_the_alias(gateway, bob_to_alice):
    bob_to_alice.post(BOB, "May I ask you something?", subject="A question")
    mail = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    assert mail["Subject"] == "A question"
    assert BOB in mail["To"] and ALICE in mail["From"]
    assert mail["In-Reply-To"] is None
    assert "May I ask you something?" in plain_text(mail)

    send(gateway.smtp_port, make_mail("Re: A question", "Yes.\n", references=[mail["Message-ID"]]))
    answer = bob_to_alice.receive_where("the answer", lambda item: item["op"] == "delivery" and "Yes." in item["body"])
    bob_to_alice.post(BOB, "Thanks", thread=answer["threadid"])
    thanks = wait_until("the second mail leaves", lambda: read_maildir(gateway.maildir)[1:])[0]
    assert mail["Message-ID"] in thanks["References"]


def test_two_members_of_one_mail_share_a_thread(gateway, bob_to_alice, silo, folder):
    carol = Member(folder, silo, "Carol Member")
    gateway.introduce(carol, "carol")
    gateway.open_door(BOB, carol)
    first = make_mail("For both", recipient=f"{ALICE}, carol@{DOMAIN}")
    send(gateway.smtp_port, first, recipients=[ALICE, f"carol@{DOMAIN}"])
    at_alice = bob_to_alice.receive_mail("For both")
    at_carol = carol.receive_mail("For both")
    assert at_alice["threadid"] == at_carol["threadid"]
    parties = [party["who"] for party in at_alice["cc"]]
    assert parties[0] == BOB, "the author comes first"
    assert set(parties) == {BOB, "Alice Member", "Carol Member"}
    assert all(party["whouid"] for party in at_alice["cc"]), "without a uid a member's client can crash"


def test_answer_to_fewer_recipients_makes_a_new_thread(gateway, bob_to_alice, silo, folder):
    carol = Member(folder, silo, "Carol Member")
    gateway.introduce(carol, "carol")
    gateway.open_door(BOB, carol)
    first = make_mail("Only for Alice")
    send(gateway.smtp_port, first)
    received = bob_to_alice.receive_mail("Only for Alice")

    wider = make_mail("Re: Only for Alice", "Now for both\n", references=[first["Message-ID"]])
    send(gateway.smtp_port, wider, recipients=[ALICE, f"carol@{DOMAIN}"])
    at_carol = carol.receive_mail()
    assert at_carol["threadid"] != received["threadid"], "Carol never saw that thread"

    narrower = make_mail("Re: Only for Alice", "Again for you\n", references=[first["Message-ID"]])
    send(gateway.smtp_port, narrower)
    again = bob_to_alice.receive_where("the narrower answer", lambda item: "Again for you" in item.get("body", ""))
    assert again["threadid"] == received["threadid"]


def test_same_mail_sent_again_is_posted_once(gateway, bob_to_alice):
    """Its sender did not hear our 250: same envelope, same Message-ID, same content."""
    mail = make_mail("Once only")
    send(gateway.smtp_port, mail)
    send(gateway.smtp_port, mail)
    bob_to_alice.receive_mail("Once only")
    send(gateway.smtp_port, mail)
    send(gateway.smtp_port, make_mail("The last one"))
    bob_to_alice.receive_mail("The last one")
    assert [item["subject"] for item in bob_to_alice.mails()] == ["Once only", "The last one"]


def test_same_mail_to_another_member_is_not_taken_for_a_repetition(gateway, bob_to_alice, silo, folder):
    carol = Member(folder, silo, "Carol Member")
    gateway.introduce(carol, "carol")
    gateway.open_door(BOB, carol)
    mail = make_mail("Split by the sender's MX", recipient=f"{ALICE}, carol@{DOMAIN}")
    send(gateway.smtp_port, mail, recipients=[ALICE])
    send(gateway.smtp_port, mail, recipients=[f"carol@{DOMAIN}"])
    bob_to_alice.receive_mail("Split by the sender's MX")
    carol.receive_mail("Split by the sender's MX")


def test_lmtp_answers_for_each_recipient(gateway, bob_to_alice):
    with Conversation(gateway.lmtp_port) as lmtp:
        lmtp.greet("LHLO")
        lmtp.envelope(BOB, ALICE)
        lmtp.expect(f"RCPT TO:<nobody@{DOMAIN}>", "550")
        lmtp.expect(f"RCPT TO:<{ALICE}>", "250")
        first = lmtp.data(make_mail("By LMTP").as_bytes() + b".\r\n")
        assert first.startswith("250"), first
        second = lmtp.reply()
        assert second.startswith("250"), second
        lmtp.expect("QUIT", "221")
    bob_to_alice.receive_mail("By LMTP")


def test_content_is_erased_once_settled(gateway, bob_to_alice):
    secret = "xyzzy-4711-plugh"
    send(gateway.smtp_port, make_mail("Forget me", f"The word is {secret}.\n"))
    received = bob_to_alice.receive_mail("Forget me")
    bob_to_alice.post(BOB, f"I heard {secret}", thread=received["threadid"])
    wait_until("the reply leaves", lambda: read_maildir(gateway.maildir))
    gateway.wait_settled()
    gateway.stop()
    with open(f"{gateway.state}/postern.db", "rb") as file:
        assert secret.encode() not in file.read()


def test_why_tells_the_story(gateway, bob_to_alice):
    mail = make_mail("Tell me why")
    send(gateway.smtp_port, mail)
    bob_to_alice.receive_mail("Tell me why")
    gateway.wait_settled()
    story = gateway.ctl("why", mail["Message-ID"])
    assert BOB in story and ALICE in story
    assert "dmarc" in story.lower(), "what was checked"
    assert "post" in story.lower(), "what became of it"
    gateway.ctl("why", "<never.seen@example.com>", expect=1)
