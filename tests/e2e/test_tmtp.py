"""The `tmtp` command line and the embedded silo, without any mail."""
import hashlib
import json
import os
import stat

import pytest

from postern import Member
from procs import DEV, run, wait_until

REFUSED, USAGE, UNREACHABLE = 1, 2, 69


@pytest.fixture
def carol(folder, silo):
    return Member(folder, silo, "Carol Member")


def tmtp(folder, *arguments):
    return run([os.path.join(DEV, "tmtp"), *arguments], folder)


def test_thread_with_attachments_and_reply(alice, carol, folder):
    alice.ping("Carol Member", "Hello, this is Alice")
    ping = carol.receive_where("the ping", lambda item: item["op"] == "ping")
    assert (ping["alias"], ping["body"]) == ("Alice Member", "Hello, this is Alice")

    content = os.urandom(3 * 1024 * 1024)
    with open(f"{folder}/plan.bin", "wb") as file:
        file.write(content)
    carol.post("Alice Member", "A *plan*.\n", subject="Plans", attach=[f"{folder}/plan.bin"])
    received = alice.receive_mail("Plans")
    assert received["body"] == "A *plan*.\n"
    assert received["threadid"] == received["id"], "it starts a thread"
    assert [(attachment["name"], attachment["size"]) for attachment in received["attach"]] == [("u:plan.bin", len(content))]
    assert hashlib.sha256(content).hexdigest() in alice.saved_digests()

    alice.post("Carol Member", "Fine.", thread=received["threadid"])
    reply = carol.receive_mail()
    assert (reply["threadid"], reply["body"]) == (received["threadid"], "Fine.")


def test_attachments_of_one_name(alice, carol, folder):
    """In one message they are refused; of two messages both are saved, in the folder that was named."""
    carol.ping("Alice Member", "Hello")
    alice.receive_where("the ping", lambda item: item["op"] == "ping")
    paths = [f"{folder}/{name}/same.txt" for name in ("a", "b")]
    for path in paths:
        os.makedirs(os.path.dirname(path))
        with open(path, "w", encoding="ascii") as file:
            file.write(path)
    refused = tmtp(folder, "post", "--account", alice.account, "--to", "Carol Member", "--subject", "Both", "--attach", paths[0],
                   "--attach", paths[1], "Two of one name")
    assert refused.returncode == REFUSED
    assert paths[1] in refused.stderr

    saved = []
    for path in paths:
        alice.post("Carol Member", "One of them", subject=path, attach=[path])
        saved.append(carol.receive_mail(path)["attach"][0]["path"])
    assert [open(path, encoding="ascii").read() for path in saved] == paths
    assert {os.path.dirname(os.path.realpath(path)) for path in saved} == {os.path.realpath(carol.files)}


def test_received_once(alice, carol):
    carol.ping("Alice Member", "once")
    alice.receive_where("the ping", lambda item: item["op"] == "ping")
    assert alice.receive(wait=2) == []


def test_silo_killed_and_started_again(silo, alice, carol):
    """What was acknowledged is there, accounts included."""
    carol.ping("Alice Member", "Hello")
    alice.receive_where("the ping", lambda item: item["op"] == "ping")
    for number in range(5):
        alice.post("Carol Member", f"number {number}", subject=f"Post {number}")
    silo.kill()
    silo.start()
    for number in range(5):
        assert carol.receive_where("a post", lambda item: item["op"] == "delivery")["subject"] == f"Post {number}"


def test_groups(alice, carol, silo, folder):
    dora = Member(folder, silo, "Dora Member")
    gid = "Gate Builders"
    alice.tmtp("group", "--account", alice.account, "invite", gid, "Carol Member")
    carol.receive_where("the invitation", lambda item: item["op"] == "invite")
    carol.tmtp("group", "--account", carol.account, "join", gid)
    alice.tmtp("group", "--account", alice.account, "invite", gid, "Dora Member")
    dora.receive_where("the invitation", lambda item: item["op"] == "invite")
    dora.tmtp("group", "--account", dora.account, "join", gid)
    carol.post(gid, "To all of us", subject="Group mail")
    assert alice.receive_mail("Group mail")["body"] == "To all of us"
    assert dora.receive_mail("Group mail")["body"] == "To all of us"

    alice.tmtp("group", "--account", alice.account, "drop", gid, "Dora Member")
    dora.receive_where("the notice", lambda item: item["op"] == "member" and item["act"] == "drop")
    refused = tmtp(folder, "post", "--account", dora.account, "--to", gid, "--subject", "No more", "Still here?")
    assert refused.returncode == REFUSED, refused.stderr


def test_second_alias(alice, carol):
    alice.tmtp("alias", "--account", alice.account, "Alice at Home")
    carol.ping("Alice at Home", "Hello there")
    ping = alice.receive_where("the ping", lambda item: item["op"] == "ping")
    assert ping["to"] == "Alice at Home"


def test_alias_of_somebody_else(alice, carol, folder):
    refused = tmtp(folder, "alias", "--account", carol.account, "Alice Member")
    assert refused.returncode == REFUSED
    assert "Alice Member" in refused.stderr or "alias" in refused.stderr


def test_ping_to_nobody(alice, folder):
    refused = tmtp(folder, "ping", "--account", alice.account, "--to", "Nobody At All", "Hello")
    assert refused.returncode == REFUSED
    assert refused.stderr.strip()


def test_account_file_is_private_and_kept(alice, silo, folder):
    assert stat.S_IMODE(os.stat(alice.account).st_mode) == 0o600
    with open(alice.account, "rb") as file:
        before = file.read()
    again = tmtp(folder, "register", "--silo", f"=127.0.0.1:{silo.port}", "--alias", "Alice Again", "--account", alice.account)
    assert again.returncode != 0, "an account must not be overwritten"
    with open(alice.account, "rb") as file:
        assert file.read() == before


def test_another_certificate_is_refused(silo, alice, folder):
    """The silo's key changed: that may be somebody in between."""
    silo.stop()
    for name in os.listdir(os.path.join(folder, "silo")):
        if name.endswith(".pem"):
            os.remove(os.path.join(folder, "silo", name))
    silo.start()
    result = tmtp(folder, "receive", "--account", alice.account, "--wait", "5")
    assert result.returncode != 0
    assert "certificate" in result.stderr or "pin" in result.stderr, result.stderr


def test_usage_errors(alice, folder):
    assert tmtp(folder).returncode == USAGE
    assert tmtp(folder, "frobnicate").returncode == USAGE
    assert tmtp(folder, "ping", "--account", alice.account).returncode == USAGE
    assert tmtp(folder, "receive", "--account", alice.account, "--wait", "soon").returncode == USAGE


def test_silo_away(silo, alice, folder):
    silo.stop()
    result = tmtp(folder, "ping", "--account", alice.account, "--to", "Nobody At All", "Hello")
    assert result.returncode == UNREACHABLE
    assert result.stderr.strip()


def test_silo_port_taken(silo, folder):
    result = tmtp(folder, "silo", "--listen", f"127.0.0.1:{silo.port}", "--state", os.path.join(folder, "another"))
    assert result.returncode not in (0, -6, -11)
    assert f"127.0.0.1:{silo.port}" in result.stderr


def test_json_is_one_object_a_line(alice, carol):
    carol.ping("Alice Member", "line\nbreaks \"and\" quotes")
    printed = wait_until("the ping", lambda: alice.tmtp("receive", "--account", alice.account, "--wait", "1", "--json"))
    lines = printed.splitlines()
    assert [json.loads(line)["body"] for line in lines] == ["line\nbreaks \"and\" quotes"]
