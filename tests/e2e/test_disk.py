"""A disk that fails, is full, slow or read-only: what was promised stays, nothing more is promised, and it goes on by itself."""
import contextlib
import ctypes
import errno
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import needs_root
from durable import LARGE, SALES, House, in_maildir, mail_with_attachment, run_house
from faulty import DELAY, FAIL, KILL_AFTER
from figures import health
from mail import ALICE, BOB, make_mail
from postern import Conversation
from procs import free_port, wait_until
from wire import copy_of, said

LONG = os.environ.get("POSTERN_LONG") == "1"
EVERY = {"first": 1, "last": 10**9}
ON_DISK = ("log", "database", "content", "state")
CLONE_NEWNS = 0x20000
SLOW = 1000   # ms


def with_figures(house):
    house.figures = free_port()
    house.gateway.extra = f'metrics {{ http = "127.0.0.1:{house.figures}" }}\n'
    return house


@pytest.fixture(name="house")
def house_with(request):
    yield from run_house(with_figures(House(journal=True)), request)


@pytest.fixture(name="maildir_house")
def house_with_maildir(request):
    yield from run_house(with_figures(House(relay="maildir", journal=True)), request)


def is_ready(house):
    """(whether /readyz says so, why not)"""
    status, _, reasons = health(house.figures, "/readyz")
    return status == 200, " ".join(reasons)


def refusal(house, mail, to=ALICE):
    """What it is put off with."""
    with Conversation(house.gateway.smtp_port) as client:
        client.greet()
        for line, code in ((f"MAIL FROM:<{BOB}>", "250"), (f"RCPT TO:<{to}>", "250"), ("DATA", "354")):
            reply = client.say(line)
            if not reply.startswith(code):
                break
        else:
            client.send(mail.as_bytes() + b".\r\n")   # it ends with a line's end
            reply = client.reply()
    assert reply[:2] in ("45", "42"), f"it was answered {reply!r}"
    assert not house.gateway.has_ended()
    return reply


def expect_once(house, *words):
    house.until("they have come", lambda: all(house.told(house.alice, word) for word in words) and house.is_idle())
    assert [house.told(house.alice, word) for word in words] == [1] * len(words)
    house.check()


def test_a_large_mail_whose_commit_was_not_synced_is_not_known_without_its_file(house):
    """The commit is in the log all the same, for whoever starts after a kill: with a row, and a file that it names."""
    mail = mail_with_attachment("unsynced", 400000, ALICE)
    house.steps.arm(FAIL, **EVERY, argument=errno.EIO, kinds=["sync"], places=["log"])
    assert refusal(house, mail).startswith("451 4.3.0")
    house.end()
    house.send(mail, BOB, ALICE)
    expect_once(house, "unsynced-attached-")


def test_a_log_that_never_got_to_the_disk_is_written_again_at_the_start(house):
    """What a sync that failed has lost looks whole in memory, after a restart too; what follows it would be lost with it."""
    house.silo.kill()
    house.steps.arm(FAIL, 1, argument=errno.EIO, kinds=["sync"], places=["log"])
    first = make_mail("First", "The word is first-word.\n")
    refusal(house, first)
    house.end()
    house.send(make_mail("Second", "The word is second-word.\n"), BOB, ALICE)
    house.loses = lambda: True
    house.end()
    house.silo.start()
    house.send(first, BOB, ALICE)
    expect_once(house, "first-word", "second-word")


def reads_from_now_on(house):
    """A reader for whom the log has to stay as it is now."""
    reader = sqlite3.connect(f"file:{house.gateway.state}/postern.db?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM member").fetchone()
    return reader


def frames_moved(house):
    """As the index of the log has it (https://www.sqlite.org/walformat.html). Read by a program: to close the file would end the locks of our readers."""
    head = subprocess.run(["head", "-c", "100", f"{house.gateway.state}/postern.db-shm"], check=True, capture_output=True).stdout
    return struct.unpack_from("=I", head, 96)[0]


def everything(house):
    """What the database holds, by a copy of its files."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("postern.db", "postern.db-wal"):
            shutil.copy(os.path.join(house.gateway.state, name), folder)
        with contextlib.closing(sqlite3.connect(os.path.join(folder, "postern.db"))) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return list(database.iterdump())


def test_what_was_moved_before_a_sync_that_failed_is_written_again(house):
    """The log is moved in parts, of which only the last is synced. When that fails all of them are lost, and not only the last one."""
    first = reads_from_now_on(house)
    table = os.path.join(house.folder, "table.csv")
    with open(table, "w", encoding="utf-8") as file:   # pages that nobody writes afterwards
        file.write("address,member\n" + "".join(f"somebody{number}@example.net,Alice Member\n" for number in range(300)))
    house.gateway.ctl("mapping", "import", table)
    second = reads_from_now_on(house)
    house.send(make_mail("First", "The word is first-word.\n"), BOB, ALICE)
    house.until("it has come", lambda: house.told(house.alice, "first-word") and house.is_idle())
    first.close()
    house.until("a part of the log is moved", lambda: frames_moved(house))
    house.steps.arm(FAIL, 1, argument=errno.EIO, kinds=["sync"], places=["database"])
    second.close()
    house.until("the log is empty", lambda: os.path.getsize(f"{house.gateway.state}/postern.db-wal") == 0)
    assert house.steps.hits() and "event=store.error" in house.gateway.read_log()
    house.gateway.kill()
    before = everything(house)
    house.gateway.journal.cut(lambda: True)
    assert everything(house) == before
    house.gateway.start()
    house.send(make_mail("Second", "The word is second-word.\n"), BOB, ALICE)
    expect_once(house, "first-word", "second-word")


def test_a_mail_that_can_not_be_read_back_is_not_refused_for_good(house):
    """It was answered 550, for it seemed to have no From field: whoever sent it would have given up."""
    mail = mail_with_attachment("unread", 400000, ALICE)
    house.steps.arm(FAIL, **EVERY, argument=errno.EIO, kinds=["read"], places=["content"])
    assert refusal(house, mail).startswith("451 4.3.0")
    assert house.steps.hits()
    house.steps.disarm()
    house.send(mail, BOB, ALICE)
    expect_once(house, "unread-attached-")


def test_a_forwarded_thread_that_can_not_be_read_back_comes_again(house):
    """Its author was told that it makes no sense, and had to send it again."""
    alice, thread, uid = house.alice, "0000000000000001", house.ask("status")["silo_uid"]
    copy = copy_of([said(thread, alice.uid, f"The word is forward-word.\n{LARGE}", alice.alias)])
    note = json.dumps({"ThreadId": thread, "Cc": [{"Who": BOB, "WhoUid": uid}]})
    head = json.dumps({"ThreadId": thread})
    house.steps.arm(FAIL, **EVERY, argument=errno.EIO, kinds=["read"], places=["content"])
    alice.put({"Op": 8, "Id": "forward", "DataHead": len(head), "NoteLen": len(note), "ForNotSelf": True, "For": [{"Id": uid, "Type": 1}]},
              (note + head + copy).encode(), None)
    house.until("it can't be read", lambda: "event=message.not_stored" in house.gateway.read_log())
    assert house.steps.hits()
    house.steps.disarm()
    house.silo.kill()   # what it could not deliver it brings again; to wait for that takes half a minute
    house.silo.start()
    house.until("it has left", lambda: house.relay.about("forward-word") and house.is_idle())
    house.check_relayed("forward-word")
    assert not house.told(alice, "could not be read")
    house.check()


def test_a_large_message_whose_commit_was_not_synced_leaves_without_a_restart(house):
    """Each further try failed, for its file was left to the commit that had failed; and nothing behind it ever came."""
    house.steps.arm(FAIL, 1, argument=errno.EIO, kinds=["sync"], places=["log"])
    house.alice.post(BOB, "Hello", f"The word is large-word.\n{LARGE}")
    house.alice.post(BOB, "Hello", "The word is next-word.\n")
    house.until("both have left", lambda: all(house.relay.about(word) for word in ("large-word", "next-word")) and house.is_idle())
    assert house.steps.hits() and not house.ends
    for word in ("large-word", "next-word"):
        house.check_relayed(word)
    assert not house.duplicates
    house.check()


def test_a_mail_that_was_made_and_can_not_be_read_back_is_not_parked(house):
    """Three attempts to make it were taken for its message's fault, and an administrator had to release it."""
    house.steps.arm(FAIL, **EVERY, argument=errno.EIO, kinds=["read"], places=["content"])
    house.alice.post(BOB, "Hello", f"The word is large-word.\n{LARGE}")
    wait_until("it can't be read", lambda: "event=relay.result " in house.gateway.read_log())
    house.steps.disarm()
    house.until("it has left", lambda: house.relay.about("large-word") and house.is_idle())
    house.check_relayed("large-word")
    house.check()


def test_a_released_mail_that_could_not_be_read_is_opened_soon(house):
    """It was tried again ten minutes later. Nobody else's waits for it."""
    for name, size, sender in (("unread", 400000, "eve@example.com"), ("other", 2000, "mallory@other.example")):
        house.send(mail_with_attachment(name, size, ALICE, sender), sender, ALICE)
    requests = wait_until("both are asked for", lambda: (found := house.ask("mapping", "list", "--state", "requested")["mappings"])[1:] and found)
    house.steps.arm(FAIL, **EVERY, argument=errno.EIO, kinds=["read"], places=["content"])
    for request in requests:
        house.gateway.ctl("mapping", "approve", str(request["id"]))
    wait_until("the first can't be opened", lambda: "event=hold.not_opened " in house.gateway.read_log())
    wait_until("the other one has come", lambda: house.told(house.alice, "other-attached-"))
    assert not house.told(house.alice, "unread-attached-")
    house.steps.disarm()
    expect_once(house, "unread-attached-", "other-attached-")
    assert not house.ends


def test_an_alias_that_could_not_be_noted_is_noted_soon(house):
    """It was asked for again ten minutes later, and mail waited for it."""
    house.steps.arm(FAIL, 2, argument=errno.EIO, kinds=["sync"], places=["log"])   # after that of the command
    house.gateway.ctl("mapping", "add", "eve@example.com", "Alice Member")
    house.until("she knows the alias", lambda: "eve@example.com" in house.alice.uids)
    assert house.steps.hits() and "event=silo.chore_refused" not in house.gateway.read_log()
    house.send(make_mail("Hello", "The word is eve-word.\n", sender="eve@example.com"), "eve@example.com", ALICE)
    expect_once(house, "eve-word")


def test_a_maildir_that_was_made_before_a_crash_is_synced_by_the_next_delivery(maildir_house):
    """It was there already, so nobody made its name stay: at a power cut it went, and the mail in it."""
    house = maildir_house
    house.steps.arm(KILL_AFTER, 4, kinds=["mkdir"], places=["maildir"])   # itself, tmp, cur, new
    house.alice.post(BOB, "Hello", "The word is maildir-word.\n")
    house.until("the mail is there", lambda: house.ends and in_maildir(house, "maildir-word") and house.is_idle())
    house.loses = lambda: True
    house.end()
    assert len(in_maildir(house, "maildir-word")) == 1
    house.check()


def test_a_maildir_whose_folder_for_new_mail_was_lost_is_synced(maildir_house):
    """Some ways to restore files leave out folders that are empty. Mail that was read long ago is no proof that all of them are on the disk."""
    house = maildir_house
    os.makedirs(os.path.join(house.gateway.maildir, "cur"))
    with open(os.path.join(house.gateway.maildir, "cur", "long-ago:2,S"), "w", encoding="ascii") as file:
        file.write("Subject: Read\n\nLong ago.\n")
    house.alice.post(BOB, "Hello", "The word is maildir-word.\n")
    house.until("the mail is there", lambda: in_maildir(house, "maildir-word") and house.is_idle())
    house.loses = lambda: True
    house.end()
    assert len(in_maildir(house, "maildir-word")) == 1
    house.check()


def test_a_disk_that_fails_for_a_while(house):
    """Nothing is promised meanwhile, which the log and /readyz tell; what was promised before and is after survives a power cut."""
    house.silo.kill()
    house.send(make_mail("Before", "The word is before-word.\n"), BOB, ALICE)
    house.steps.arm(FAIL, **EVERY, argument=errno.EIO, kinds=["sync", "write"], places=ON_DISK)
    meanwhile = [make_mail("Small", "The word is small-word.\n"), mail_with_attachment("large-word", 400000, ALICE)]
    for mail, reply in zip(meanwhile, ("451 4.3.0", "452 4.3.1")):
        assert refusal(house, mail).startswith(reply)
    ready, why = is_ready(house)
    assert not ready and "can't be written" in why
    assert "event=store.error" in house.gateway.read_log()
    house.steps.disarm()
    house.send(make_mail("After", "The word is after-word.\n"), BOB, ALICE)
    assert is_ready(house)[0] and not house.ends
    house.loses = lambda: True
    house.end()
    for mail in meanwhile:
        house.send(mail, BOB, ALICE)
    house.silo.start()
    expect_once(house, "before-word", "small-word", "large-word-attached-", "after-word")


def test_a_slow_disk_lets_mail_wait_and_nobody_else(house):
    house.steps.arm(DELAY, **EVERY, argument=SLOW, kinds=["sync"], places=ON_DISK)
    accepted = threading.Event()

    def send():
        house.send(mail_with_attachment("slow", 400000, SALES), BOB, SALES)
        accepted.set()

    sender = threading.Thread(target=send, daemon=True)
    started = time.monotonic()
    sender.start()
    greeted = 0
    while not accepted.is_set():
        with Conversation(house.gateway.smtp_port) as client:
            client.greet()
            client.envelope(BOB, ALICE)
        greeted += not accepted.is_set()
    took = time.monotonic() - started
    sender.join()
    house.steps.disarm()
    print(f"{greeted} conversations in {took:.1f} s")
    assert took > SLOW / 1000 and greeted >= 10, f"{greeted} conversations in {took:.1f} s"
    house.until("it has come", lambda: house.told(house.carol, "slow-attached-") and house.is_idle())


# With file systems of its own.

@pytest.fixture(name="disk")
def small_disk(request):
    """A house whose state lies on a file system that `request.param` mounts; mounts are this process's alone."""
    needs_root()
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounts are not allowed here")
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    folder = tempfile.mkdtemp(prefix="postern-e2e-")
    state = os.path.join(folder, "gateway")
    os.mkdir(state, 0o700)
    house = with_figures(House(folder=folder))
    house.mount = lambda: request.param(folder, state)
    try:
        try:
            house.mount()
        except (OSError, subprocess.CalledProcessError) as error:
            house.close()
            pytest.skip(f"such a file system can't be mounted here: {error}")
        yield from run_house(house, request)
    finally:
        subprocess.run(["umount", "-l", state], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def mount_memory(folder, state):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=290m,mode=0700", "tmpfs", state], check=True)


def mount_image(folder, state):
    image = os.path.join(folder, "image")
    if not os.path.exists(image):
        with open(image, "wb") as file:
            file.truncate(400 * 2**20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, state], check=True)
    os.chmod(state, 0o700)


def fill(house, left):
    """So many octets are left, or very few."""
    with open(os.path.join(house.gateway.state, "ballast"), "ab") as file:
        disk = os.statvfs(house.gateway.state)
        os.posix_fallocate(file.fileno(), file.tell(), max(disk.f_bavail * disk.f_frsize - left, 1))


@pytest.mark.parametrize("disk", [mount_memory], indirect=True, ids=["tmpfs"])
def test_a_full_disk_loses_nothing_and_is_taken_again_when_there_is_room(disk):
    house = disk
    house.silo.kill()
    house.send(make_mail("Before", "The word is before-word.\n"), BOB, ALICE)
    house.send(mail_with_attachment("large-before", 400000, ALICE), BOB, ALICE)
    fill(house, 0)
    meanwhile = [mail_with_attachment("large-word", 400000, ALICE)]
    refusal(house, meanwhile[0])
    while house.try_to_send((mail := mail_with_attachment(f"small-word{len(meanwhile)}", 60000, ALICE)).as_bytes(), BOB, ALICE):
        assert len(meanwhile) < 100, "the disk does not become full"
        meanwhile.append(mail)   # the database had room left in its files
    meanwhile.append(mail)
    house.silo.start()
    house.alice.post(BOB, "Hello", f"The word is out-word.\n{LARGE}")
    if LONG:   # it is looked at every ten seconds
        wait_until("mail is paused", lambda: house.ask("status")["paused"])
        assert refusal(house, meanwhile[0]).startswith("452 4.3.1")
        assert not is_ready(house)[0]
    assert not house.ends and not house.relay.about("out-word")
    house.end()   # and it can be started on such a disk
    os.remove(os.path.join(house.gateway.state, "ballast"))
    house.silo.kill()   # what it could not deliver it brings again; to wait for that takes half a minute
    house.silo.start()
    for mail in meanwhile:
        house.send(mail, BOB, ALICE)
    expect_once(house, "before-word", "large-before-attached-", "large-word-attached-", *(f"small-word{number}-attached-" for number in range(1, len(meanwhile))))
    house.until("it has left", lambda: house.relay.about("out-word") and house.is_idle())
    house.check_relayed("out-word")
    assert house.ends == 1 and is_ready(house)[0]


@pytest.mark.parametrize("disk", [mount_image], indirect=True, ids=["ext4"])
def test_a_file_system_that_became_read_only(disk):
    """As ext4 does after an error: until somebody has repaired it nothing is taken, and nothing is lost."""
    house = disk
    house.silo.kill()
    house.send(make_mail("Before", "The word is before-word.\n"), BOB, ALICE)
    house.send(mail_with_attachment("large-before", 400000, ALICE), BOB, ALICE)
    device = os.path.basename(subprocess.run(["findmnt", "-no", "SOURCE", house.gateway.state], check=True, capture_output=True, text=True).stdout.strip())
    try:
        with open(f"/sys/fs/ext4/{device}/trigger_fs_error", "w", encoding="ascii") as file:
            file.write("1")
    except OSError as error:
        pytest.skip(f"it can't be made to fail here: {error}")
    meanwhile = [make_mail("Small", "The word is small-word.\n"), mail_with_attachment("large-word", 400000, ALICE)]
    for mail, reply in zip(meanwhile, ("451 4.3.0", "452 4.3.1")):
        assert refusal(house, mail).startswith(reply)
    ready, why = is_ready(house)
    assert not ready and "can't be written" in why
    assert "event=store.error" in house.gateway.read_log()
    house.silo.start()
    house.alice.post(BOB, "Hello", "The word is out-word.\n")
    house.gateway.kill()
    subprocess.run(["umount", house.gateway.state], check=True)
    subprocess.run(["e2fsck", "-p", os.path.join(house.folder, "image")], check=False, capture_output=True)
    house.mount()
    house.gateway.start()
    for mail in meanwhile:
        house.send(mail, BOB, ALICE)
    expect_once(house, "before-word", "large-before-attached-", "small-word", "large-word-attached-")
    house.until("it has left", lambda: house.relay.about("out-word") and house.is_idle())
    house.check_relayed("out-word")
