"""Large content on its way to a disk that fails, and files that are gone.

The mail or message arrives exactly once, and no file stays. tests/e2e/faults.c does it; test_durable.py has every step.
"""
import contextlib
import errno
import os
import shutil
import signal
import smtplib
import subprocess

import pytest

from faulty import FaultyGateway
from mail import BOB, make_mail, send
from postern import Member, Silo, close_quietly
from procs import RELEASE, wait_until

LINE, LINES = "All work and no play makes Bob a dull boy.", 7000
TEXT = f"{LINE}\n" * LINES   # large, and in the thread still the body


@pytest.fixture
def house(folder):
    silo = Silo(folder, RELEASE)
    gateway = FaultyGateway(folder, silo.port, RELEASE)
    gateway.silo_extra = 'retry_longest = "1s"'
    try:
        silo.start()
        gateway.start()
        alice = Member(folder, silo, "Alice Member", RELEASE)
        gateway.introduce(alice, "alice")
        gateway.open_door(BOB, alice)
        yield gateway, silo, alice
        gateway.stop()
    finally:
        close_quietly(gateway, silo)


def mails_in_maildir(gateway, word):
    new = os.path.join(gateway.maildir, "new")
    found = []
    for name in os.listdir(new) if os.path.isdir(new) else []:
        with open(os.path.join(new, name), encoding="utf-8") as file:
            mail = file.read()
        if f"Subject: {word}\n" in mail:
            found.append(mail)
    return found


def expect_once_in(gateway, alice, subject):
    alice.receive_mail(subject)
    gateway.wait_clean()
    alice.receive(wait=0)
    mails = [mail for mail in alice.mails() if mail["subject"] == subject]
    assert len(mails) == 1, f"{subject}: received {len(mails)} times"
    count = mails[0]["body"].count(LINE)   # not compared as a whole: to show the difference would take for ever
    assert count == LINES, f"{subject}: {count} lines of {LINES}"


def expect_once_out(gateway, subject):
    wait_until(f"{subject} is relayed", lambda: mails_in_maildir(gateway, subject))
    gateway.wait_clean()
    mails = mails_in_maildir(gateway, subject)
    assert len(mails) == 1, f"{subject}: relayed {len(mails)} times"
    count = mails[0].count(LINE)
    assert count >= LINES, f"{subject}: {count} lines of {LINES}"


@pytest.mark.parametrize("step, number", [("sync", errno.EIO), ("sync", errno.ENOSPC), ("name", errno.ENOSPC),
                                          ("sync-directory", errno.EIO)])
def test_a_mail_that_does_not_get_to_the_disk_is_not_accepted(house, step, number):
    gateway, _, alice = house
    gateway.restart(f"{step}:1:{number}")
    mail = make_mail(step, TEXT)
    with contextlib.suppress(smtplib.SMTPDataError):
        send(gateway.smtp_port, mail)
        pytest.fail("it was accepted")
    assert not gateway.content()
    send(gateway.smtp_port, mail)
    expect_once_in(gateway, alice, step)


def test_a_message_that_does_not_get_to_the_disk_comes_again(house):
    gateway, silo, alice = house
    gateway.restart(f"sync:1:{errno.EIO}")
    alice.post(BOB, TEXT, subject="again")
    wait_until("the disk fails", lambda: "event=message.not_stored" in gateway.read_log())
    assert not gateway.queue("out")
    silo.kill()   # it has no ack; that it sends again after a while is its own test's
    silo.start()
    expect_once_out(gateway, "again")


def test_a_mail_as_written_that_does_not_get_to_the_disk_is_written_again(house):
    gateway, _, alice = house
    gateway.restart(f"sync:2:{errno.ENOSPC}")
    alice.post(BOB, TEXT, subject="written")
    wait_until("the disk fails", lambda: "event=store.content_file" in gateway.read_log())
    [entry] = wait_until("it is told", lambda: [row for row in gateway.queue("out") if "disk" in (row["last_error"] or "")])
    assert "disk" in gateway.ctl("why", entry["id"])   # who looks for the mail is told, and it is not written again without end
    gateway.ctl("queue", "retry", entry["id"])
    expect_once_out(gateway, "written")


def test_a_mail_whose_file_is_gone_is_held(house):
    gateway, silo, alice = house
    silo.kill()
    send(gateway.smtp_port, make_mail("Lost", TEXT))
    [entry] = gateway.queue("in")
    [name] = gateway.content()
    path = os.path.join(gateway.state, "content", name)
    os.rename(path, path + ".away")
    silo.start()
    wait_until("it is held", lambda: gateway.queue("in")[0]["state"] == "held")
    assert "its content is missing" in gateway.ctl("queue", "show", entry["id"])
    os.rename(path + ".away", path)   # from the backup
    gateway.ctl("queue", "retry", entry["id"])
    expect_once_in(gateway, alice, "Lost")


def children(process):
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
        found = [int(child) for child in file.read().split()]
    for pid in list(found):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            found += [int(child) for child in file.read().split()]
    return found


def test_a_hold_counts_while_a_routed_mail_is_converted_again(house):
    """Its thread is decided, the silo has gone before it answered, and converting takes a while: an administrator is faster."""
    gateway, silo, alice = house
    os.kill(silo.process.pid, signal.SIGSTOP)
    send(gateway.smtp_port, make_mail("Held", TEXT))
    [entry] = wait_until("it is routed", lambda: [row for row in gateway.queue("in") if row["state"] == "routed"])
    silo.kill()
    workers = children(gateway.process)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        silo.start()
        word = f"event=post.state message={entry['id']} was=starting is=converting"
        wait_until("it is converted again", lambda: gateway.read_log().count(word) == 2)
        gateway.ctl("queue", "hold", entry["id"])
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    send(gateway.smtp_port, make_mail("After"))
    alice.receive_mail("After")
    [row] = gateway.queue("in")
    assert row["state"] == "held"
    alice.receive(wait=0)
    assert not [mail for mail in alice.mails() if mail["subject"] == "Held"]
    gateway.ctl("queue", "retry", entry["id"])
    expect_once_in(gateway, alice, "Held")


def test_a_backup_taken_while_it_runs_has_large_content_too(house, folder):
    gateway, silo, alice = house
    silo.kill()
    send(gateway.smtp_port, make_mail("Saved", TEXT))
    backup = os.path.join(folder, "backup")
    os.mkdir(backup, 0o700)
    subprocess.run(["sqlite3", os.path.join(gateway.state, "postern.db"), f".backup {backup}/postern.db"], check=True)
    shutil.copytree(os.path.join(gateway.state, "content"), os.path.join(backup, "content"))
    gateway.kill()
    shutil.rmtree(gateway.state)
    os.rename(backup, gateway.state)
    gateway.start()
    silo.start()
    expect_once_in(gateway, alice, "Saved")
