"""The section `content`: whom a mail names, and what an answer quotes; what is kept for that, and when it is gone."""
import contextlib
import os
import sqlite3

from mail import ALICE, BOB, make_mail, plain_text, send
from postfix import read_maildir
from postern import DOMAIN
from procs import wait_until

CAROL, DAVE, ERIN = "carol@example.net", "dave@example.net", "erin@example.net"
QUESTION = "How wide is the *gate*?\n\n" + "".join(f"Line {number}\n\n" for number in range(20)) + "The end.\n"


def send_to_others(gateway, alice, subject, references=(), **fields):
    """The body as Alice gets it, and the mail."""
    mail = make_mail(subject, f"Hello {subject}\n", references=references)
    for name, value in fields.items():
        del mail[name]
        mail[name] = value
    send(gateway.smtp_port, mail)
    received = alice.receive_where(subject, lambda item: item["op"] == "delivery" and f"Hello {subject}\n" in item["body"])
    return received["body"], mail


def rows(gateway, statement):
    with contextlib.closing(sqlite3.connect(f"file:{gateway.state}/postern.db?mode=ro", uri=True)) as database:
        return database.execute(statement).fetchall()


def excerpts(gateway):
    return [text for text, in rows(gateway, "SELECT text FROM thread_excerpt")]


def database_has(gateway, text):
    """In the files, erased or not."""
    found = False
    for name in os.listdir(gateway.state):
        if name.startswith("postern.db"):
            with open(os.path.join(gateway.state, name), "rb") as file:
                found = found or text.encode() in file.read()
    return found


def test_other_people_are_named_once_in_a_thread(gateway, bob_to_alice):
    alice = bob_to_alice
    body, first = send_to_others(gateway, alice, "one", Cc=f"Carol <{CAROL}>")
    assert CAROL in body and ALICE not in body and BOB not in body
    body, second = send_to_others(gateway, alice, "two", [first["Message-ID"]], Cc=f"Carol <Carol@Example.NET>, {DAVE}")
    assert CAROL not in body.lower() and DAVE in body
    gateway.stop()
    gateway.start()
    chain = [first["Message-ID"], second["Message-ID"]]
    body, third = send_to_others(gateway, alice, "three", chain, Cc=f"{CAROL}, {DAVE}", To=f"{ALICE}, alice+news@{DOMAIN}")
    assert body == "Hello three\n", "nobody is new"
    body, _ = send_to_others(gateway, alice, "four", [*chain, third["Message-ID"]], Cc=ERIN)
    assert ERIN in body and CAROL not in body
    body, _ = send_to_others(gateway, alice, "another thread", Cc=CAROL)
    assert CAROL in body, "here she is new"


def test_who_is_in_the_thread_is_not_named(gateway, bob_to_alice):
    """Carol has a mapping, and the thread is Alice's with both."""
    alice = bob_to_alice
    gateway.open_door(CAROL, alice)
    alice.post([BOB, CAROL], "How wide?", subject="The gate")
    mail = wait_until("the mail leaves", lambda: read_maildir(gateway.maildir))[0]
    body, _ = send_to_others(gateway, alice, "answer", [mail["Message-ID"]], Cc=f"{CAROL}, {DAVE}")
    assert DAVE in body and CAROL not in body


def test_nobody_is_named_when_that_is_not_wanted(gateway, bob_to_alice):
    alice = bob_to_alice
    gateway.extra = "content { others = no }"
    gateway.write_config()
    assert "content" in gateway.ctl("reload")
    body, _ = send_to_others(gateway, alice, "one", Cc=CAROL)
    assert body == "Hello one\n"
    gateway.extra = ""
    gateway.write_config()
    gateway.ctl("reload")
    body, _ = send_to_others(gateway, alice, "two", Cc=CAROL)
    assert CAROL in body


def answer(gateway, alice, thread, to, body):
    """The mail that Alice's message in the thread becomes, as text."""
    before = len(read_maildir(gateway.maildir))
    alice.post(to, body, thread=thread)
    mail = wait_until("the answer leaves", lambda: read_maildir(gateway.maildir)[before:])[0]
    return plain_text(mail)


def ask(gateway, alice, subject="The gate", body=QUESTION, references=()):
    mail = make_mail(subject, body, references=references)
    send(gateway.smtp_port, mail)
    received = alice.receive_where(subject, lambda item: item["op"] == "delivery" and body.splitlines()[0][:8] in item["body"])
    gateway.wait_settled()
    return received["threadid"], mail


def test_answers_quote_nothing_and_nothing_is_kept_by_default(gateway, bob_to_alice):
    thread, _ = ask(gateway, bob_to_alice)
    assert answer(gateway, bob_to_alice, thread, BOB, "92 cm\n").strip() == "92 cm"
    assert not excerpts(gateway)


def test_answers_quote_the_beginning_of_what_they_answer(stopped_gateway, alice):
    gateway = stopped_gateway
    gateway.extra = "content { answered = short }"
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    gateway.open_door(CAROL, alice)
    thread, mail = ask(gateway, alice)
    text = answer(gateway, alice, thread, BOB, "92 cm\n")
    own, _, quoted = text.partition("wrote:")
    assert own.splitlines()[0] == "92 cm" and f"{BOB} " in own.splitlines()[-1] + " " and " at " in own
    lines = [line for line in quoted.splitlines() if line.startswith(">")]
    assert "gate" in lines[0] and "> Line 0" in lines and "> Line 3" in lines and not any("Line 9" in line for line in lines)
    assert "The end" not in text
    # The next mail of the thread takes its place; what Bob has written is not shown to Carol.
    alice.post([BOB, CAROL], "Hello both", subject="Together")
    together = wait_until("it leaves", lambda: [one for one in read_maildir(gateway.maildir) if "Together" in one["Subject"]])[0]
    shared, _ = ask(gateway, alice, "Re: Together", "Secrets of Bob's\n", [together["Message-ID"]])
    assert "Secrets" not in answer(gateway, alice, shared, [BOB, CAROL], "Thanks\n")
    assert len(excerpts(gateway)) == 2 and "gate" in excerpts(gateway)[0]
    # Taken back: nothing of it is left, not even in the files of the database.
    gateway.extra = ""
    gateway.write_config()
    gateway.ctl("reload")
    wait_until("the excerpts are erased", lambda: not excerpts(gateway))
    assert "gate" not in answer(gateway, alice, thread, BOB, "Or 93\n")
    wait_until("the log is emptied", lambda: not database_has(gateway, "Line 3"))
    assert mail["Subject"] == "The gate"


def test_what_was_kept_is_erased_at_the_start(stopped_gateway, alice):
    gateway = stopped_gateway
    gateway.extra = "content { answered = short }"
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    ask(gateway, alice)
    assert len(excerpts(gateway)) == 1
    gateway.stop()
    gateway.extra = ""
    gateway.start()
    wait_until("the excerpts are erased", lambda: not excerpts(gateway))


def test_why_says_what_the_conversion_did(gateway, bob_to_alice):
    mail = make_mail("Forms", "plain\n")
    mail["Cc"] = f"{CAROL}, {DAVE}"
    mail.add_alternative("<ul><li>one<li>two</ul><blockquote>x</blockquote>", subtype="html")
    send(gateway.smtp_port, mail)
    assert "- one\n- two" in bob_to_alice.receive_mail("Forms")["body"]
    assert "0 attachments; HTML shown; names 2 other people" in gateway.ctl("why", mail["Message-ID"].strip("<>"))
    answer_ = make_mail("Re: Forms", "Fine.\n\nOn Mon, Nov 2, 2026 at 9:30 AM Alice Member <alice@silo.example.org> wrote:\n> How wide is it?\n")
    send(gateway.smtp_port, answer_)
    bob_to_alice.receive_mail("Re: Forms")
    assert "0 attachments; quoted mail moved to the end\n" in gateway.ctl("why", answer_["Message-ID"].strip("<>")) + "\n"
