"""posternctl: the administrator's hand."""
import json
import os
import signal

import pytest

from mail import ALICE, BOB, make_mail, send
from procs import DEV, run, wait_until


def test_daemon_not_reachable(stopped_gateway):
    stopped_gateway.write_config()
    assert "control" in stopped_gateway.ctl("status", expect=69)


def test_usage(gateway):
    gateway.ctl("frobnicate", expect=2)
    gateway.ctl("mapping", "add", expect=2)
    result = run([os.path.join(DEV, "posternctl")], gateway.folder)
    assert result.returncode == 2


@pytest.mark.parametrize("words, complaint", [
    ("mapping export --form csv", "unknown option: --form"),
    ("mapping export --format", "an option lacks its value: --format"),
    ("mapping export --format xml", "--format takes csv or json"),
    ("mapping export here", "too many words: here"),
    ("mapping import", "something is missing"),
    ("mapping import list.csv --format xml", "--format takes csv or json"),
    ("mapping import list.csv --dry-run perhaps", "--dry-run takes yes or no"),
    ("restore backup.postern --sure", "an option lacks its value: --sure"),
    ("backup", "something is missing"),
])
def test_what_posternctl_does_itself_has_a_usage_too(stopped_gateway, words, complaint):
    """No daemon is asked, and nothing is read or written."""
    stopped_gateway.write_config()
    said = stopped_gateway.ctl(*words.split(), expect=2)
    assert complaint in said and "usage: posternctl " + words.split()[0] in said, said


@pytest.mark.parametrize("words", ["-x", "-t now"])
def test_usage_of_the_daemon(stopped_gateway, words):
    stopped_gateway.write_config()
    result = run(stopped_gateway.command(*words.split()), stopped_gateway.folder)
    assert result.returncode == 64 and "usage: posternd " in result.stderr, result.stderr


def test_an_argument_that_is_no_utf8_is_not_sent(gateway):
    result = run([os.path.join(DEV, "posternctl"), "-c", gateway.config, "member", "add", b"Alice Memb\xff"], gateway.folder)
    assert result.returncode == 2 and "UTF-8" in result.stderr
    assert gateway.ctl_json("member", "list")["members"] == []


def test_json_behind_the_verb(gateway):
    assert json.loads(gateway.ctl("member", "list", "--json")) == {"members": []}


def test_a_broken_configuration_does_not_lock_the_administrator_out(gateway):
    with open(gateway.config, "a", encoding="utf-8") as file:
        file.write("\nnonsense = 3\nlog { level = loud }\n")
    assert "0." in gateway.ctl("version")


def test_an_expiry_without_milliseconds(gateway, bob_to_alice):
    gateway.ctl("mapping", "add", "carol@example.net", "Alice Member", "--expires", "2099-01-31T10:00:00Z")
    assert "2099-01-31T10:00:00.000Z" in gateway.ctl("mapping", "show", "2")


def test_socket_option(gateway):
    result = run([os.path.join(DEV, "posternctl"), "-s", f"{gateway.state}/control", "version"], gateway.folder)
    assert result.returncode == 0, result.stderr
    assert "0." in result.stdout


def test_members(gateway, alice):
    gateway.wait_online()
    gateway.ctl("member", "add", "Alice Member", "--address", "alice")
    assert [member["alias"] for member in gateway.ctl_json("member", "list")["members"]] == ["Alice Member"]
    shown = gateway.ctl_json("member", "show", "Alice Member")
    assert shown["address"] == ALICE
    gateway.ctl("member", "add", "Carol Member", "--address", "alice", expect=1)
    gateway.ctl("member", "show", "Nobody At All", expect=1)
    gateway.ctl("member", "remove", "Alice Member")
    assert gateway.ctl_json("member", "list")["members"] == []
    gateway.ctl("member", "remove", "Alice Member", expect=1)


def test_an_administrator_sets_who_gets_reports(gateway, alice):
    gateway.wait_online()
    gateway.ctl("member", "add", "Alice Member")
    assert gateway.ctl_json("member", "show", "Alice Member")["reports"] is False
    assert gateway.ctl_json("member", "reports", "Alice Member", "on") == {"alias": "Alice Member", "reports": True}
    assert gateway.ctl_json("member", "show", "Alice Member")["reports"] is True
    gateway.ctl("member", "reports", "Alice Member", "off")
    assert gateway.ctl_json("member", "list")["members"][0]["reports"] is False
    gateway.ctl("member", "reports", "Nobody At All", "on", expect=1)
    gateway.ctl("member", "reports", "Alice Member", "perhaps", expect=2)


def test_unknown_member_is_pinged(gateway, alice):
    gateway.wait_online()
    gateway.ctl("member", "add", "Alice Member")
    ping = alice.receive_where("the gateway's ping", lambda item: item["op"] == "ping")
    assert ping["alias"] == "Email Gateway"


def test_mappings(gateway, bob_to_alice):
    mapping = gateway.ctl_json("mapping", "list")["mappings"][0]
    assert mapping["address"] == BOB
    assert mapping["state"] == "approved"
    identity = str(mapping["id"])
    for verb, state in (("suspend", "suspended"), ("resume", "approved"), ("revoke", "revoked")):
        gateway.ctl("mapping", verb, identity)
        assert gateway.ctl_json("mapping", "show", identity)["state"] == state
    gateway.ctl("mapping", "resume", identity, expect=1)
    gateway.ctl("mapping", "show", "999999", expect=1)
    gateway.ctl("mapping", "add", "not an address", "Alice Member", expect=2)
    gateway.ctl("mapping", "add", BOB, "Nobody At All", expect=1)


def test_tables_for_people(gateway, bob_to_alice):
    assert "Alice Member" in gateway.ctl("member", "list")
    assert BOB in gateway.ctl("mapping", "list")
    assert "online" in gateway.ctl("status")


def test_queue_hold_retry_drop(silo, gateway, bob_to_alice):
    silo.stop()
    for subject in ("Held", "Dropped"):
        send(gateway.smtp_port, make_mail(subject))
    held, dropped = [str(item["id"]) for item in gateway.queue("in")]
    gateway.ctl("queue", "hold", held)
    gateway.ctl("queue", "drop", dropped, "--reason", "asked by the sender")
    assert str(gateway.queue("in")[0]["id"]) == held
    assert "Alice" in gateway.ctl("queue", "show", held) or ALICE in gateway.ctl("queue", "show", held)
    silo.start()
    send(gateway.smtp_port, make_mail("Later"))
    bob_to_alice.receive_mail("Later")
    gateway.ctl("queue", "retry", held)
    bob_to_alice.receive_mail("Held")
    assert "asked by the sender" in gateway.ctl("why", dropped)
    gateway.ctl("queue", "show", "in999999", expect=1)


def test_reload_and_stop(gateway):
    gateway.wait_online()
    gateway.ctl("reload")
    gateway.ctl("stop")
    assert gateway.process.wait(20) == 0
    gateway.process = None


def test_reload_of_a_bad_configuration_changes_nothing(gateway):
    with open(gateway.config, "a", encoding="utf-8") as file:
        file.write("nonsense = 1\n")
    # posternctl itself can't read that file either: it is told the socket instead.
    result = run([os.path.join(DEV, "posternctl"), "-s", f"{gateway.state}/control", "reload"], gateway.folder)
    assert result.returncode == 1, result.stderr
    assert "nonsense" in result.stderr
    result = run([os.path.join(DEV, "posternctl"), "-s", f"{gateway.state}/control", "status"], gateway.folder)
    assert result.returncode == 0, result.stderr


def test_a_hangup_signal_reloads(gateway):
    """What is wrong with the new configuration is in the log, and nothing has changed."""
    gateway.process.send_signal(signal.SIGHUP)
    wait_until("it has read it", lambda: "event=config.reloaded" in gateway.read_log())
    with open(gateway.config, "a", encoding="utf-8") as file:
        file.write("nonsense = 1\n")
    gateway.process.send_signal(signal.SIGHUP)
    refused = wait_until("it has refused it", lambda: [line for line in gateway.read_log().splitlines() if "event=config.refused" in line])
    assert "nonsense" in refused[0]
    result = run([os.path.join(DEV, "posternctl"), "-s", os.path.join(gateway.state, "control"), "status"], gateway.folder)
    assert result.returncode == 0, result.stderr
