"""The `tmtp` command, and the embedded silo behind it, as their users see them."""
import hashlib
import json
import os
import shutil
import stat
import subprocess

import pytest

from postern import Member
from procs import DEV, free_port, run, sanitizer_environment, wait_until

TMTP = os.path.join(DEV, "tmtp")
REFUSED, USAGE, UNREACHABLE = 1, 2, 69


@pytest.fixture
def bob(folder, silo):
    return Member(folder, silo, "Bob Member")


@pytest.fixture
def friends(alice, bob):
    """Alice and Bob know each other's uids."""
    alice.ping(bob.alias, "hello Bob")
    bob.receive()
    bob.ping(alice.alias, "hello Alice")
    alice.receive()
    return alice, bob


def refused(folder, code, words, *arguments):
    """Runs tmtp; it must end with this code and these words on standard error."""
    result = run([TMTP, *arguments], folder)
    assert result.returncode == code, f"{arguments}: {result}"
    assert words in result.stderr
    return result


def write(folder, name, content):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def test_registering(folder, silo, alice):
    assert stat.S_IMODE(os.stat(alice.account).st_mode) == 0o600
    with open(alice.account, encoding="utf-8") as file:
        account = json.load(file)
    assert account["alias"] == "Alice Member" and account["pin"].startswith("sha256:") and len(account["uid"]) == 32
    address = f"=127.0.0.1:{silo.port}"
    refused(folder, REFUSED, "exists already", "register", "--silo", address, "--alias", "Somebody", "--account", alice.account)

    # The account exists even when its alias is refused; another alias can be added.
    other = os.path.join(folder, "other")
    refused(folder, REFUSED, "without an alias", "register", "--silo", address, "--alias", "Alice Member", "--account", other)
    refused(folder, REFUSED, "no alias yet", "post", "--account", other, "--to", "Alice Member", "text")
    refused(folder, REFUSED, "8 to 200 bytes", "alias", "--account", other, "short")
    assert run([TMTP, "alias", "--account", other, "Another Member"], folder).stdout == "added\n"
    with open(other, encoding="utf-8") as file:
        assert json.load(file)["alias"] == "Another Member"


def test_a_thread_there_and_back(folder, friends):
    alice, bob = friends
    picture = os.urandom(300000)
    files = [write(folder, "picture one.bin", picture), write(folder, ".hidden\nname", b"secret"), write(folder, "empty", b"")]
    alice.post("Bob Member", "Look at *this*\n", subject="Pictures", attach=files)
    mail = bob.receive_mail("Pictures")
    assert mail["body"] == "Look at *this*\n"
    assert mail["threadid"] == mail["id"] and mail["alias"] == "Alice Member"
    assert [entry["who"] for entry in mail["cc"]] == ["Alice Member", "Bob Member"]
    assert mail["cc"][0]["note"] == "author"
    assert [(item["name"], item["size"]) for item in mail["attach"]] == [
        ("u:picture one.bin", 300000), ("u:.hidden\nname", 6), ("u:empty", 0)]
    # What is saved has a harmless name in the folder that was asked for.
    assert sorted(os.listdir(bob.files)) == ["_hidden_name", "empty", "picture one.bin"]
    assert bob.saved_digests()[hashlib.sha256(picture).hexdigest()] == 300000

    # A reply goes to the thread's participants; nobody has to be named.
    bob.tmtp("post", "--account", bob.account, "--thread", mail["threadid"], "Nice")
    reply = alice.receive_mail()
    assert (reply["threadid"], reply["body"], reply["subject"], reply["cc"]) == (mail["threadid"], "Nice", "", [])
    # The same name twice does not overwrite.
    alice.post("Bob Member", "again", subject="More", attach=files[2:])
    assert bob.receive_mail("More")["attach"][0]["path"].endswith("/2-empty")
    assert bob.receive() == [] and alice.receive() == []


@pytest.mark.parametrize("name", ["\x01" * 150, "\u20ac" * 80], ids=["steering characters", "long characters"])
def test_a_name_that_no_file_can_have_stops_nothing(folder, friends, name):
    """What can't be saved is not acknowledged: it was brought again for ever, and nothing else was."""
    alice, bob = friends
    alice.post(bob.alias, "with a file", subject="One", attach=[write(folder, name, b"content")])
    alice.post(bob.alias, "and one more", subject="Two")
    bob.receive_mail("Two")
    assert [mail["subject"] for mail in bob.mails()] == ["One", "Two"]
    assert bob.saved_digests() == {hashlib.sha256(b"content").hexdigest(): 7}


def test_what_people_read(folder, friends):
    alice, bob = friends
    alice.post("Bob Member", "one\n\x1b[2Jtwo\n", subject="Hello")
    printed = bob.tmtp("receive", "--account", bob.account)
    assert printed.startswith("delivery ") and "\nfrom: Alice Member\n" in printed and "\nsubject: Hello\n" in printed
    assert "\n\none\n\ufffd[2Jtwo\n" in printed   # a terminal is not given orders


def test_count_leaves_the_rest(friends):
    alice, bob = friends
    for text in ("one", "two", "three"):
        alice.post("Bob Member", text, subject="s")
    assert [item["body"] for item in bob.receive(count=2)] == ["one", "two"]
    assert [item["body"] for item in bob.receive()] == ["three"]


def test_groups(folder, alice, bob):
    group = "Our Own Group"
    alice.tmtp("group", "--account", alice.account, "invite", group, "Bob Member", "come in")
    invitation = bob.receive_where("the invitation", lambda item: item["op"] == "invite")
    assert (invitation["gid"], invitation["body"], invitation["alias"]) == (group, "come in", "Alice Member")
    bob.tmtp("group", "--account", bob.account, "join", group)
    alice.receive_where("the news", lambda item: item["op"] == "member" and item["act"] == "join")
    alice.post(group, "to all of you", subject="Group mail")
    mail = bob.receive_mail("Group mail")
    assert mail["cc"][1]["whouid"] == group
    bob.tmtp("post", "--account", bob.account, "--thread", mail["threadid"], "yes")
    assert alice.receive_mail()["body"] == "yes"
    alice.tmtp("group", "--account", alice.account, "drop", group, "Bob Member")
    bob.receive_where("the end", lambda item: item["op"] == "member" and item["act"] == "drop")
    refused(folder, REFUSED, "not invited", "group", "--account", bob.account, "join", group)


def test_second_alias(folder, friends):
    alice, bob = friends
    alice.tmtp("alias", "--account", alice.account, "Alice at Home")
    bob.ping("Alice at Home", "Hello there")
    assert alice.receive_where("the ping", lambda item: item["op"] == "ping")["to"] == "Alice at Home"
    refused(folder, REFUSED, "alias", "alias", "--account", bob.account, "Alice at Home")


def test_what_is_refused_clearly(folder, silo, alice):
    account = ["--account", alice.account]
    refused(folder, REFUSED, "the uid of 'Bob Member' is not known", "post", *account, "--to", "Bob Member", "hi")
    refused(folder, REFUSED, "thread 18ea is not known", "post", *account, "--thread", "18ea", "hi")
    refused(folder, REFUSED, "no such alias", "ping", *account, "--to", "Bob Member", "hi")
    refused(folder, REFUSED, "No such file", "receive", "--account", os.path.join(folder, "none"))
    refused(folder, REFUSED, "not an account file", "receive", "--account", write(folder, "bad", b"{}"))
    refused(folder, REFUSED, "No such file", "post", *account, "--to", "Alice Member", "--attach", "nowhere", "hi")
    refused(folder, REFUSED, "in use", "silo", "--listen", f"127.0.0.1:{silo.port}", "--state", os.path.join(folder, "silo2"))
    for arguments in (["nonsense"], [], ["post", *account], ["receive"], ["receive", *account, "--wait", "soon"],
                      ["receive", *account, "--to", "x"], ["group", *account, "close", "x"], ["alias", *account, "a", "b"],
                      ["ping", *account, "--to", "Alice Member", "x" * 141], ["silo", "--bogus"]):
        refused(folder, USAGE, "", *arguments)
    help_text = run([TMTP, "receive", "--help"], folder)
    assert help_text.returncode == 0 and "usage: tmtp" in help_text.stdout


def test_help_and_version(folder):
    for arguments in (["-h"], ["--help"], ["post", "-h"], ["post", "--help"]):
        result = run([TMTP, *arguments], folder)
        assert result.returncode == 0 and result.stdout.startswith("usage: tmtp") and result.stderr == ""
    for option in ("-V", "--version"):
        result = run([TMTP, option], folder)
        assert result.returncode == 0 and result.stdout.startswith("tmtp 0.")
    assert refused(folder, USAGE, "--bogus", "post", "--bogus").stderr.startswith("tmtp: ")


def test_an_account_that_could_not_be_saved_is_not_registered(folder, silo):
    """An alias is never freed, and the password is told once: the file comes first."""
    nowhere = os.path.join(folder, "no", "such", "account")
    address = f"=127.0.0.1:{silo.port}"
    refused(folder, REFUSED, "No such file", "register", "--silo", address, "--alias", "Erin Member", "--account", nowhere)
    account = os.path.join(folder, "erin")
    run([TMTP, "register", "--silo", address, "--alias", "Erin Member", "--account", account], folder)
    with open(account, encoding="utf-8") as file:
        assert json.load(file)["alias"] == "Erin Member"   # it was still free


def test_what_a_killed_run_left_of_a_save_does_not_stay(folder, alice):
    with open(alice.account + ".tmtp-new", "w", encoding="utf-8") as file:
        file.write('{ "silo": "hal')
    alice.tmtp("alias", "--account", alice.account, "Alice at Home")
    alice.tmtp("group", "--account", alice.account, "invite", "The Choir", "Alice Member", "come in")
    assert [name for name in os.listdir(folder) if name.startswith(os.path.basename(alice.account) + ".")] == []
    assert stat.S_IMODE(os.stat(alice.account).st_mode) == 0o600


def read_account(path):
    """The object, and the lines behind it."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    known, end = json.JSONDecoder().raw_decode(text)
    return known, text[end + 1:].splitlines()


def test_what_is_learned_is_added_to_a_large_account(folder, friends):
    """To write all of it anew for each thread would take the longer the more there are."""
    alice, bob = friends
    with open(alice.account, encoding="utf-8") as file:
        account = json.load(file)
    participants = {"Bob Member": account["contacts"]["Bob Member"], "Alice Member": account["uid"]}
    account["threads"] = {f"thread{number:010}": {"subject": f"Offer {number}", "participants": participants} for number in range(1000)}
    with open(alice.account, "w", encoding="utf-8") as file:
        json.dump(account, file)
    large = os.stat(alice.account)

    def hear(text):
        bob.post(alice.alias, text, subject=f"About {text}")
        return alice.receive_where("it", lambda item: item["op"] == "delivery" and item["body"] == text)

    first = hear("one")
    assert os.stat(alice.account).st_ino == large.st_ino and os.stat(alice.account).st_size > large.st_size
    known, lines = read_account(alice.account)
    assert len(known["threads"]) == 1000 and len(lines) == 3   # the thread, and who takes part
    alice.tmtp("post", "--account", alice.account, "--thread", first["threadid"], "I know it")
    assert bob.receive_where("the answer", lambda item: item.get("body") == "I know it")["threadid"] == first["threadid"]

    # Killed within a line: that is none, and nothing comes behind it.
    whole = os.stat(alice.account).st_size
    with open(alice.account, "a", encoding="utf-8") as file:
        file.write('{"new":"thread5555')
    second = hear("two")
    known, lines = read_account(alice.account)
    assert lines == [] and len(known["threads"]) == 1002 and known["threads"][second["threadid"]]["subject"] == "About two"
    assert known["threads"][first["threadid"]]["participants"] == participants
    assert os.stat(alice.account).st_size > whole
    assert stat.S_IMODE(os.stat(alice.account).st_mode) == 0o600

    # As much behind it as it is itself, and it is written anew.
    with open(alice.account, "a", encoding="utf-8") as file:
        for number in range(1600):
            file.write(json.dumps({"new": f"later{number:010}", "subject": "An offer that came later" + 50 * "."}) + "\n")
            file.write(json.dumps({"of a later program": number}) + "\n" + ("\0\0\0\n\n" if number == 3 else ""))
    hear("three")
    known, lines = read_account(alice.account)
    assert lines == [] and len(known["threads"]) == 2603
    hear("four")
    known, lines = read_account(alice.account)
    assert len(lines) == 3 and len(known["threads"]) == 2603

    # Whose hand has changed it meanwhile, or let others read it: written anew, as a small one is.
    os.chmod(alice.account, 0o644)
    hear("five")
    known, lines = read_account(alice.account)
    assert lines == [] and len(known["threads"]) == 2605 and stat.S_IMODE(os.stat(alice.account).st_mode) == 0o600


@pytest.mark.parametrize("end", ["},\n", "oops\n", '{"contact":"Zoe","uid":"U9",}\n', "oops"])
def test_what_we_would_lose_of_an_account_is_refused(folder, alice, end):
    """Somebody has edited it by hand, and made a mistake."""
    with open(alice.account, "a", encoding="utf-8") as file:
        file.write(end)
    with open(alice.account, "rb") as file:
        before = file.read()
    refused(folder, REFUSED, "not an account file", "alias", "--account", alice.account, "Alice at Home")
    with open(alice.account, "rb") as file:
        assert file.read() == before


def test_a_save_finds_another_name_where_its_own_is_taken(folder, alice):
    os.mkdir(alice.account + ".tmtp-new")
    alice.tmtp("group", "--account", alice.account, "invite", "The Choir", "Alice Member", "come in")
    with open(alice.account, encoding="utf-8") as file:
        assert "The Choir" in json.load(file)["groups"]


def test_a_changed_certificate_is_refused(folder, alice):
    with open(alice.account, encoding="utf-8") as file:
        account = json.load(file)
    good, account["pin"] = account["pin"], "sha256:" + "0" * 64
    with open(alice.account, "w", encoding="utf-8") as file:
        json.dump(account, file)
    complaint = refused(folder, REFUSED, "not the one we know", "receive", "--account", alice.account).stderr
    assert good in complaint and '"pin"' in complaint and alice.account in complaint


def test_one_silo_for_one_state(folder, silo, alice):
    refused(folder, REFUSED, "another silo is at work", "silo", "--listen", "127.0.0.1:0", "--state", os.path.join(folder, "silo"))
    assert alice.receive() == []   # the first one works on
    silo.kill()
    silo.start()   # and its lock went with it


def test_replies_to_some_of_a_thread(folder, silo, friends):
    alice, bob = friends
    carol = Member(folder, silo, "Carol Member")
    carol.ping("Alice Member", "hello")
    alice.receive()
    alice.post(["Bob Member"], "for Bob", subject="Two of us")
    thread = bob.receive_mail("Two of us")["threadid"]
    named = ["post", "--account", alice.account, "--thread", thread]
    refused(folder, REFUSED, "Carol Member is not in this thread", *named, "--to", "Carol Member", "hi")
    alice.post("Bob Member", "only you", thread=thread)
    assert bob.receive_mail()["body"] == "only you"
    with open(alice.account, encoding="utf-8") as file:
        account = json.load(file)
    uids = account["contacts"]
    alice.post(uids["Carol Member"], "by uid", thread=thread)
    assert carol.receive_where("it", lambda item: item["op"] == "delivery")["body"] == "by uid"
    alice.post(uids["Carol Member"], "elsewhere", thread="18ea9c9dd92d7f0a")
    refused(folder, REFUSED, "is not known", "post", "--account", alice.account, "--thread", "18ea", "--to", "Carol Member", "hi")

    # Two aliases of one uid: whoever writes to one of them writes to both.
    bob.tmtp("alias", "--account", bob.account, "Bob at Home")
    account["contacts"]["Bob at Home"] = account["threads"][thread]["participants"]["Bob at Home"] = uids["Bob Member"]
    with open(alice.account, "w", encoding="utf-8") as file:
        json.dump(account, file)
    refused(folder, REFUSED, "Bob at Home would get it too", *named, "--to", "Bob Member", "hi")
    alice.post(["Bob Member", "Bob at Home"], "both of you", thread=thread)
    assert [item["body"] for item in bob.receive() if item["op"] == "delivery"] == ["both of you"]   # and once

    # Who bears a known alias in a thread need not be who we know by it.
    account["threads"][thread]["participants"]["Carol Member"] = uids["Bob Member"]
    with open(alice.account, "w", encoding="utf-8") as file:
        json.dump(account, file)
    refused(folder, REFUSED, "Carol Member is not in this thread", *named, "--to", "Carol Member", "hi")


def test_a_silo_that_is_not_there(folder, silo, alice):
    silo.stop()
    refused(folder, UNREACHABLE, "refused", "receive", "--account", alice.account)
    refused(folder, UNREACHABLE, "refused", "register", "--silo", f"=127.0.0.1:{free_port()}", "--alias", "Somebody",
            "--account", os.path.join(folder, "new"))
    assert not os.path.exists(os.path.join(folder, "new"))
    refused(folder, USAGE, "is no silo", "register", "--silo", "127.0.0.1:1", "--alias", "Somebody", "--account",
            os.path.join(folder, "new"))


def test_another_silo_with_the_same_address_is_noticed(folder, silo, alice):
    silo.stop()
    shutil.rmtree(os.path.join(folder, "silo"))
    silo.start()
    refused(folder, REFUSED, "certificate", "receive", "--account", alice.account)


def test_two_runs_with_one_account(folder, silo, friends):
    alice, bob = friends
    copied = shutil.copy(alice.account, os.path.join(folder, "copied"))
    logins = silo.read_log().count("event=silo.login")
    waiting = subprocess.Popen([TMTP, "receive", "--account", alice.account, "--wait", "60", "--count", "1", "--json"], cwd=folder,
                               env=sanitizer_environment(folder), stdout=subprocess.PIPE, text=True)
    try:
        wait_until("the first one is at work", lambda: silo.read_log().count("event=silo.login") > logins)
        refused(folder, REFUSED, "another tmtp is at work with this account", "ping", "--account", alice.account, "--to",
                "Bob Member", "x")
        # A copy of the account file has a lock of its own: here it is the silo that knows.
        refused(folder, REFUSED, "another program is connected", "ping", "--account", copied, "--to", "Bob Member", "x")
        bob.ping("Alice Member", "at last")
        assert json.loads(waiting.communicate(timeout=60)[0])["body"] == "at last"
    finally:
        waiting.kill()
        waiting.wait()


def test_what_was_acknowledged_survives_a_kill(folder, silo, friends):
    alice, bob = friends
    long_text = "0123456789" * 20000
    alice.post("Bob Member", "short", subject="one")
    alice.post("Bob Member", long_text, subject="two")
    silo.kill()
    silo.start()
    assert [(item["subject"], item["body"]) for item in bob.receive()] == [("one", "short"), ("two", long_text)]
    assert bob.receive() == []


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def check_stored_thread(text, expected):
    """The form in which the member client keeps a thread: messages, index, participants, two lengths."""
    data = text.encode()
    index_len, people_len = int(data[-16:-8], 16), int(data[-8:], 16)
    people = json.loads(data[-16 - people_len:-16])
    index = json.loads(data[-16 - people_len - index_len:-16 - people_len])
    stored = data[:-16 - people_len - index_len]
    assert [entry["Id"] for entry in index] == sorted(entry["Id"] for entry in index)
    position = 0
    for entry, (alias, subject, body, names) in zip(index, expected, strict=True):
        assert (entry["Offset"], entry["Alias"], entry["Subject"], entry["Seen"]) == (position, alias, subject, "")
        message = stored[position:position + entry["Size"]]
        head_len = int(message[:4], 16)
        head = json.loads(message[4:4 + head_len])
        assert message[4 + head_len:] == b"\n" + body.encode() + b"\n"
        assert list(head) == ["Id", "Size", "Posted", "From", "SubHead"]
        assert (head["Id"], head["From"], head["Posted"]) == (entry["Id"], entry["From"], entry["Date"])
        assert head["Size"] == len(body.encode()) and head["SubHead"]["Alias"] == alias
        assert [item["Name"] for item in head["SubHead"].get("Attach", [])] == names
        assert entry["Checksum"] == crc32c(message[:-1])
        position += entry["Size"]
    assert position == len(stored)
    for person in people:
        checksum = person.pop("Checksum")
        assert checksum == crc32c(json.dumps(person, separators=(",", ":"), ensure_ascii=False).encode())
    return people


def test_forwarding_a_thread(folder, friends, silo):
    alice, bob = friends
    carol = Member(folder, silo, "Carol Member")
    carol.ping(alice.alias, "hello")
    report = write(folder, "report.txt", b"figures")

    # What was written and what was received makes up the thread; other lines do no harm.
    lines = alice.tmtp("receive", "--account", alice.account, "--json")
    lines += alice.tmtp("post", "--account", alice.account, "--json", "--to", bob.alias, "--subject", "Budget <1> & ü",
                        "--attach", report, "First\n\nlines\n")
    first = json.loads(lines.splitlines()[-1])
    assert first["op"] == "posted" and first["threadid"] == first["id"] and first["body"] == "First\n\nlines\n"
    assert bob.receive_mail("Budget <1> & ü")["id"] == first["id"]
    bob.tmtp("post", "--account", bob.account, "--thread", first["id"], "Second")
    lines += alice.tmtp("receive", "--account", alice.account, "--wait", "2", "--count", "1", "--json")
    messages = write(folder, "thread.jsonl", lines.encode())
    refused(folder, REFUSED, "already", "forward", "--account", alice.account, "--thread", first["id"], "--to", bob.alias,
            "--messages", messages)
    refused(folder, REFUSED, "not in it", "forward", "--account", alice.account, "--thread", "0" * 16, "--to",
            carol.alias, "--messages", messages)

    printed = alice.tmtp("forward", "--account", alice.account, "--thread", first["id"], "--to", carol.alias,
                         "--messages", messages, "--confirm", "--json").splitlines()
    assert [json.loads(line)["op"] for line in printed] == ["forwarded", "confirmed"]
    assert json.loads(printed[1])["confirmid"] == first["id"]

    forwarded = carol.receive_where("the thread", lambda item: item["op"] == "delivery" and "notify" in item)
    assert (forwarded["threadid"], forwarded["notify"], forwarded["alias"]) == (first["id"], 2, "")
    people = check_stored_thread(forwarded["body"], [("Alice Member", "Budget <1> & ü", "First\n\nlines\n", ["u:report.txt"]),
                                                     ("Bob Member", "", "Second", [])])
    assert [(person["Who"], person["Note"]) for person in people] == [
        ("Alice Member", "author"), ("Bob Member", "initial recipient")]
    for member in (bob, carol):
        notice = member.receive_where("the notice", lambda item: item["op"] == "notify")
        assert (notice["postid"], [entry["who"] for entry in notice["cc"]]) == (forwarded["id"], ["Carol Member"])
    # She is in the thread now.
    alice.tmtp("post", "--account", alice.account, "--thread", first["id"], "Third")
    assert carol.receive_where("what follows", lambda item: item.get("body") == "Third")["threadid"] == first["id"]
