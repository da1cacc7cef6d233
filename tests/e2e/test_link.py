"""The life of the link to the silo: certificates, tokens, the account, and what an administrator sees and does about them."""
import contextlib
import json
import os
import subprocess

import pytest

from fake_silo import Cut, FakeSilo
from mail import make_mail, send
from postern import GATEWAY_ALIAS, Gateway, Member, close_quietly
from procs import free_port, run, wait_until

CONFIG_ERROR = 78
TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwb3N0ZXJuIn0.c2lnbmF0dXJl"
OTHER_PIN = "sha256:" + "0" * 64


@pytest.fixture
def fake(folder):
    silo = FakeSilo(folder)
    yield silo
    silo.stop()


def fake_gateway(folder, silo, **changes):
    gateway = Gateway(folder, silo.port)
    gateway.silo_host = "=127.0.0.1"
    for name, value in changes.items():
        setattr(gateway, name, value)
    return gateway


def status(gateway):
    return gateway.ctl_json("silo", "status")


def wait_state(gateway, state):
    return wait_until(f"the link is {state}", lambda: status(gateway)["state"] == state and status(gateway))


def new_certificate(silo):
    """The silo gets another one, as after a new installation; its data stay."""
    silo.stop()
    for name in ("certificate.pem", "key.pem"):
        os.unlink(os.path.join(silo.folder, "silo", name))
    silo.start()


# Certificates.

def test_a_changed_certificate_stops_the_link_until_repin(silo, gateway, bob_to_alice):
    before = status(gateway)
    assert before["pin_from"] == "first use" and before["pin"].startswith("sha256:") and before["pin_refused"] is None
    assert "has not shown another" in gateway.ctl("silo", "repin", expect=1)
    new_certificate(silo)
    stopped = wait_state(gateway, "stopped")
    assert stopped["pin"] == before["pin"] and stopped["pin_refused"] not in (None, before["pin"])
    assert before["pin"] in stopped["last_error"] and stopped["pin_refused"] in stopped["last_error"]
    assert "posternctl silo repin" in stopped["hint"]
    assert stopped["next_attempt_s"] == 0
    assert "posternctl silo repin" in gateway.ctl("status")
    assert "posternctl silo repin" in gateway.read_log()
    # Mail is taken all the same; trying again without a decision changes nothing.
    send(gateway.smtp_port, make_mail("While it was stopped"))
    gateway.ctl("silo", "connect")
    wait_until("it stopped again", lambda: gateway.read_log().count("silo.stopped") == 2)
    assert gateway.queue("in")

    told = gateway.ctl_json("silo", "repin")
    assert (told["was"], told["is"]) == (before["pin"], stopped["pin_refused"])
    gateway.wait_online()
    gateway.wait_settled()
    after = status(gateway)
    assert after["pin"] == stopped["pin_refused"] and after["pin_refused"] is None and after["hint"] is None
    assert gateway.ctl_json("status")["silo_error"] is None and after["last_error_at"].endswith("Z")   # it is over
    repinned = [line for line in gateway.read_log().splitlines() if "silo.repinned" in line]
    assert len(repinned) == 1 and f"(uid {os.getuid()})" in repinned[0] and before["pin"] in repinned[0]
    assert "has not shown another" in gateway.ctl("silo", "repin", expect=1)
    # It was written down.
    gateway.stop()
    gateway.start()
    gateway.wait_online()
    assert status(gateway)["pin"] == after["pin"]
    assert gateway.ctl_json("silo", "accounts")["accounts"][0]["pin"] == after["pin"]


def test_a_configured_pin_is_changed_in_the_configuration(stopped_gateway):
    gateway = stopped_gateway
    gateway.silo_extra = f'pin = "{OTHER_PIN}"'
    gateway.start()
    stopped = wait_state(gateway, "stopped")
    assert stopped["pin_from"] == "configuration" and "reload" in stopped["hint"]
    refusal = gateway.ctl("silo", "repin", expect=1)
    assert "silo.pin" in refusal and "reload" in refusal and stopped["pin_refused"] in refusal
    gateway.silo_extra = f'pin = "{stopped["pin_refused"]}"'
    gateway.write_config()
    gateway.ctl("reload")
    gateway.wait_online()
    # And the other way round: the connection under the certificate that is no longer wanted ends.
    gateway.silo_extra = f'pin = "{OTHER_PIN}"'
    gateway.write_config()
    gateway.ctl("reload")
    wait_state(gateway, "stopped")


def test_a_pin_that_is_taken_out_of_the_configuration(silo, stopped_gateway):
    """Then the one of first use counts; when there was none, the next certificate that is met, as after a restart."""
    gateway = stopped_gateway
    gateway.silo_extra = f'pin = "{OTHER_PIN}"'
    gateway.start()
    shown = wait_state(gateway, "stopped")["pin_refused"]
    gateway.silo_extra = ""
    gateway.write_config()
    gateway.ctl("reload")
    gateway.wait_online()
    after = status(gateway)
    assert (after["pin"], after["pin_from"]) == (shown, "first use")
    assert gateway.ctl_json("silo", "accounts")["accounts"][0]["pin"] == shown
    # One that was met is not forgotten for a time with one in the configuration.
    gateway.silo_extra = f'pin = "{OTHER_PIN}"'
    gateway.write_config()
    gateway.ctl("reload")
    wait_state(gateway, "stopped")
    gateway.silo_extra = ""
    gateway.write_config()
    new_certificate(silo)
    gateway.ctl("reload")
    again = wait_until("it stopped again", lambda: status(gateway)["pin_refused"] not in (None, shown) and status(gateway))
    assert (again["state"], again["pin"]) == ("stopped", shown)
    # While there is one in the configuration it is that one which counts, from the start.
    gateway.stop()
    gateway.silo_extra = f'pin = "{again["pin_refused"]}"'
    gateway.start()
    gateway.wait_online()
    assert (status(gateway)["pin"], status(gateway)["pin_from"]) == (again["pin_refused"], "configuration")


def make_authority(silo):
    """The silo's certificate for "localhost" becomes one of an authority; returns the authority's file."""
    folder = os.path.join(silo.folder, "authority")
    state = os.path.join(silo.folder, "silo")
    os.makedirs(folder)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-days", "30", "-subj", "/CN=Authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *curve, "-subj", "/CN=localhost", "-keyout", os.path.join(state, "key.pem"), "-out", "request.pem")
    with open(os.path.join(folder, "names"), "w", encoding="ascii") as file:
        file.write("subjectAltName = DNS:localhost\n")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile",
            "names", "-out", os.path.join(state, "certificate.pem"))
    return os.path.join(folder, "ca.pem")


def test_a_certificate_authority(silo, stopped_gateway):
    gateway = stopped_gateway
    silo.stop()
    authority = make_authority(silo)
    silo.start()
    gateway.silo_host = "+localhost"
    gateway.start()   # the system's authorities don't know this one
    wait_until("it is refused", lambda: "certificate" in (status(gateway)["last_error"] or ""))
    assert status(gateway)["state"] != "online" and status(gateway)["uid"] is None
    assert "'+'" in gateway.ctl("silo", "repin", expect=1)
    gateway.stop()
    gateway.silo_extra = f'ca_file = "{authority}"'
    gateway.start()
    gateway.wait_online()
    shown = status(gateway)
    assert shown["pin"] is None and shown["pin_from"] == "certificate authority"
    # Another name than the certificate's is refused.
    gateway.stop()
    gateway.silo_host = "+127.0.0.1"
    gateway.start()
    gateway.ctl("silo", "moved", f"+localhost:{silo.port}")
    wait_until("it is refused", lambda: "certificate" in (status(gateway)["last_error"] or ""))


# What is shown.

def test_silo_status_and_accounts(gateway, bob_to_alice):
    send(gateway.smtp_port, make_mail("Counted"))
    bob_to_alice.receive_mail("Counted")
    gateway.wait_settled()
    shown = status(gateway)
    assert set(shown) == {"address", "state", "since", "uid", "alias", "alias_claimed", "alias_error", "pin", "pin_from", "pin_refused",
                          "echo", "last_error", "last_error_at", "hint", "next_attempt_s", "reconnects", "posts", "echoes", "deliveries", "pings",
                          "notices", "redeliveries", "unknown_ops", "headsums_refused"}
    assert shown["state"] == "online" and shown["alias"] == GATEWAY_ALIAS and shown["alias_claimed"]
    assert (shown["posts"], shown["echoes"], shown["pings"], shown["reconnects"]) == (1, 1, 1, 0)
    assert shown["since"].endswith("Z")
    accounts = gateway.ctl_json("silo", "accounts")["accounts"]
    assert [set(account) for account in accounts] == [{"silo", "uid", "alias", "pin"}]
    assert accounts[0]["uid"] == shown["uid"] and accounts[0]["silo"] == f"=127.0.0.1:{gateway.silo_port}"
    assert GATEWAY_ALIAS in gateway.ctl("silo", "accounts")


def test_silo_away_and_connect(silo, gateway):
    gateway.wait_online()
    assert "online" in gateway.ctl("silo", "connect", expect=1)
    silo.stop()
    away = wait_until("an attempt is planned", lambda: status(gateway)["next_attempt_s"] > 3 and status(gateway))
    assert away["last_error"] and away["next_attempt_s"] <= 300
    silo.start()
    assert gateway.ctl_json("silo", "connect")["is"] == "connecting"
    wait_until("it is online at once", lambda: status(gateway)["state"] == "online", 3)
    assert status(gateway)["reconnects"] == 1
    gateway.ctl("silo", "repair", expect=2)


def test_own_alias_taken(silo, folder, stopped_gateway):
    Member(folder, silo, GATEWAY_ALIAS)
    gateway = stopped_gateway
    gateway.start()
    gateway.wait_online()
    refused = wait_until("it is refused", lambda: status(gateway)["alias_error"])
    assert "taken" in refused and "silo.alias" in refused
    assert not status(gateway)["alias_claimed"]
    assert "silo.alias" in gateway.ctl("status")
    gateway.stop()
    gateway.alias = "Other Gateway"
    gateway.start()
    wait_until("the other one is claimed", lambda: status(gateway)["alias_claimed"])
    assert status(gateway)["alias_error"] is None
    assert gateway.ctl_json("status")["silo_alias_error"] is None


def test_login_refused(silo, gateway):
    """The silo has lost its data: the account is not known any more. It takes a person, but no restart."""
    gateway.wait_online()
    silo.stop()
    state = os.path.join(silo.folder, "silo")
    os.makedirs(f"{state}-lost")
    for name in os.listdir(state):
        if name.startswith("silo.db"):
            os.rename(os.path.join(state, name), os.path.join(f"{state}-lost", name))
    silo.start()
    stopped = wait_state(gateway, "stopped")
    assert "does not know this uid" in stopped["last_error"] and "silo connect" in stopped["hint"]
    silo.stop()
    for name in os.listdir(state):
        if name.startswith("silo.db"):
            os.unlink(os.path.join(state, name))
    for name in os.listdir(f"{state}-lost"):   # restored
        os.rename(os.path.join(f"{state}-lost", name), os.path.join(state, name))
    silo.start()
    gateway.ctl("silo", "connect")
    gateway.wait_online()


def test_another_address(silo, gateway, bob_to_alice):
    """Whoever corrects the address only a little must not lose the account, and with it its aliases, for a new one."""
    gateway.wait_online()
    uid, old = status(gateway)["uid"], f"=127.0.0.1:{silo.port}"
    gateway.stop()
    gateway.silo_host = "=localhost"
    gateway.start()
    stopped = wait_state(gateway, "stopped")
    assert "another address" in stopped["last_error"] and "silo moved" in stopped["hint"] and stopped["uid"] is None
    assert "silo moved" in gateway.ctl("status")
    send(gateway.smtp_port, make_mail("Before the move"))
    bob_to_alice.ping(GATEWAY_ALIAS, "anybody there?")
    assert "silo moved" in gateway.ctl("silo", "connect", expect=1)   # nothing is tried, and nobody is told that it is
    assert status(gateway)["state"] == "stopped" and len(gateway.queue("in")) == 1
    assert "silo accounts" in gateway.ctl("silo", "moved", "=127.0.0.1:1", expect=1)
    assert gateway.ctl_json("silo", "moved", old) == {"was": old, "is": f"=localhost:{silo.port}"}
    gateway.wait_online()
    bob_to_alice.receive_mail("Before the move")
    after = status(gateway)
    assert after["uid"] == uid and after["alias_claimed"] and after["pin"]
    assert [account["silo"] for account in gateway.ctl_json("silo", "accounts")["accounts"]] == [f"=localhost:{silo.port}"]
    assert "silo accounts" in gateway.ctl("silo", "moved", old, expect=1)
    # Back again: nothing was registered anew.
    gateway.stop()
    gateway.silo_host = "=127.0.0.1"
    gateway.start()
    wait_state(gateway, "stopped")
    gateway.ctl("silo", "moved", f"=localhost:{silo.port}")
    gateway.wait_online()
    assert status(gateway)["uid"] == uid


def test_an_address_that_was_wrong_from_the_start(silo, folder):
    """A first attempt at a silo that takes nobody leaves its pin and no account: that ties the database to nothing."""
    other = FakeSilo(folder, auth=True)
    other.on_register = lambda request: "authentication required"
    gateway = fake_gateway(folder, other)
    try:
        gateway.start()
        assert wait_state(gateway, "stopped")["pin"]
        gateway.stop()
        gateway.silo_port = silo.port
        gateway.start()
        gateway.wait_online()
        gateway.stop()
    finally:
        close_quietly(gateway)
        other.stop()


# A silo that means harm, or is badly broken.

def test_large_deliveries_that_are_never_finished(folder, fake):
    """Each begins a message as large as is allowed and cuts the connection before its end: nothing of it stays, in memory or on disk."""
    head = b'{"threadid":"","alias":"Mallory","subject":"x"}'
    begun = []

    def begin(session):
        begun.append(None)
        session.push({"op": "delivery", "from": "M" * 32, "datalen": len(head) + 30 * 2**20, "datahead": len(head)}, head + bytes(8 * 2**20))
        fake.wait_for("it lies on disk", lambda: sum(sizes()) >= 2**20 or fake.stopping)
        raise Cut

    def sizes():
        """Of files without a name in content/ that the gateway holds."""
        found, folder = [], f"/proc/{gateway.process.pid}/fd"
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                if os.readlink(os.path.join(folder, name)).startswith(os.path.join(gateway.state, "content")):
                    found.append(os.stat(os.path.join(folder, name)).st_size)
        return found

    gateway = fake_gateway(folder, fake, silo_extra='retry_longest = "1s"')
    try:
        gateway.start()
        gateway.wait_online()   # registering is no login
        descriptors = len(os.listdir(f"/proc/{gateway.process.pid}/fd"))
        gateway.kill()
        fake.on_login = begin
        gateway.start()
        fake.wait_for("it has come again and again", lambda: len(begun) >= 5)
        fake.on_login = lambda session: None
        gateway.wait_online()
        wait_until("nothing is left", lambda: not sizes() and not os.listdir(os.path.join(gateway.state, "content")))
        # Five that were left would show; a connection of posternctl's may end, or a file be passed to a worker, a moment later.
        wait_until("descriptors are given back", lambda: len(os.listdir(f"/proc/{gateway.process.pid}/fd")) <= descriptors + 2)
        gateway.stop()
    finally:
        close_quietly(gateway)


# OpenID Connect.

def write_token(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def test_a_silo_that_asks_for_openid_connect(folder):
    fake = FakeSilo(folder, auth=True)
    fake.on_register = lambda request: None if request.get("oidc") and request["oidc"]["id_token"] == TOKEN else "authentication required"
    gateway = fake_gateway(folder, fake)
    token = os.path.join(folder, "token.json")
    try:
        gateway.start()
        stopped = wait_state(gateway, "stopped")
        assert "OpenID Connect" in stopped["last_error"] and "silo.oidc_token_file" in stopped["hint"]
        assert gateway.read_log().count("silo.stopped") == 1
        # The file is named, but not there yet; or empty.
        gateway.silo_extra = f'oidc_token_file = "{token}"'
        gateway.write_config()
        gateway.ctl("reload")
        wait_until("it says what is missing", lambda: "there is no file" in status(gateway)["last_error"])
        assert token in status(gateway)["last_error"] and "silo connect" in status(gateway)["hint"]
        write_token(token, "\n")
        gateway.ctl("silo", "connect")
        wait_until("it says what is missing", lambda: "is empty" in status(gateway)["last_error"])
        write_token(token, TOKEN, 0o644)
        gateway.ctl("silo", "connect")
        wait_until("it says what is wrong", lambda: "chmod" in status(gateway)["last_error"])
        assert len(fake.registrations) == 1   # the first one, without
        # A token that has expired; a fresh one.
        write_token(token, TOKEN[::-1])
        gateway.ctl("silo", "connect")
        wait_until("it is refused", lambda: len(fake.registrations) == 2)
        wait_state(gateway, "stopped")
        write_token(token, json.dumps({"token_type": "Bearer", "expires_in": 600, "id_token": TOKEN, "access_token": "an-access-token",
                                       "refresh_token": "a-refresh-token", "ext_expires_in": "600"}))
        gateway.ctl("silo", "connect")
        gateway.wait_online()
        assert fake.registrations[2]["oidc"] == {"token_type": "Bearer", "expires_in": 600, "id_token": TOKEN,
                                                 "access_token": "an-access-token"}
        # Registered once: nobody needs it any more.
        os.unlink(token)
        gateway.stop()
        gateway.start()
        gateway.wait_online()
        assert len(fake.registrations) == 3
        log = gateway.read_log()
        for secret in (TOKEN, TOKEN[::-1], "an-access-token", "a-refresh-token"):
            assert secret not in log
        gateway.stop()
    finally:
        close_quietly(gateway)
        fake.stop()


@pytest.mark.parametrize("text, mode, words", [
    (TOKEN, 0o604, "chmod"),
    ("{broken", 0o600, "no JSON object"),
    ('{"access_token": "x"}', 0o600, "no id_token"),
    ("x" * 40000, 0o600, "holds more than 32768 bytes"),
])
def test_the_token_file_is_tested_with_the_configuration(folder, text, mode, words):
    gateway = Gateway(folder, silo_port=1)
    token = os.path.join(folder, "token")
    write_token(token, text, mode)
    gateway.silo_extra = f'oidc_token_file = "{token}"'
    gateway.write_config()
    result = run(gateway.command("-t"), folder)
    assert result.returncode == CONFIG_ERROR and words in result.stderr and "oidc_token_file" in result.stderr, result.stderr
    assert TOKEN not in result.stderr and "xxx" not in result.stderr


def test_a_good_or_missing_token_file(folder):
    gateway = Gateway(folder, silo_port=1)
    token = os.path.join(folder, "token")
    gateway.silo_extra = f'oidc_token_file = "{token}"'
    gateway.write_config()
    result = run(gateway.command("-t"), folder)
    assert result.returncode == 0 and "note" in result.stderr and token in result.stderr
    write_token(token, TOKEN, 0o640)
    result = run(gateway.command("-t"), folder)
    assert result.returncode == 0 and result.stderr == ""


# Correspondents' aliases.

def open_mapping(gateway, address="bob@example.com"):
    gateway.ctl("member", "add", "Alice Member")
    return gateway.ctl_json("mapping", "add", address, "Alice Member")


def correspondents_asked(fake):
    return [entry for entry in fake.aliases if entry[0] != GATEWAY_ALIAS]


def announced_from(fake):
    return [pair[0] for pair in fake.pings if pair[0] != GATEWAY_ALIAS]


def test_a_lost_answer_does_not_give_two_aliases(folder, fake):
    """The first form is refused, for whatever reason; the second one is granted, but the answer is lost with the connection.
    By then the first one would be granted too."""
    def answer(alias):
        if alias == "bob@example.com" and len(correspondents_asked(fake)) == 0:
            return "not now"
        if alias == "bob@example.com (email)":
            raise Cut
        return None

    fake.on_alias = answer
    gateway = fake_gateway(folder, fake)
    try:
        gateway.start()
        gateway.wait_online()
        open_mapping(gateway)
        fake.wait_for("the alias is announced", lambda: announced_from(fake))
        assert correspondents_asked(fake) == [("bob@example.com", "not now"), ("bob@example.com (email)", "cut"),
                                              ("bob@example.com (email)", "granted")]
        assert announced_from(fake) == ["bob@example.com (email)"]
        gateway.stop()
    finally:
        close_quietly(gateway)


def test_a_kill_does_not_give_two_aliases(folder, fake):
    gateway = fake_gateway(folder, fake)

    def answer(alias):
        if alias == "bob@example.com" and len(correspondents_asked(fake)) == 0:
            return "not now"
        if alias == "bob@example.com (email)" and alias not in fake.granted:
            gateway.process.kill()
            raise Cut
        return None

    fake.on_alias = answer
    try:
        gateway.start()
        gateway.wait_online()
        open_mapping(gateway)
        fake.wait_for("it is killed", lambda: gateway.process.poll() is not None)
        gateway.process = None
        gateway.start()
        fake.wait_for("the alias is announced", lambda: announced_from(fake))
        assert [alias for alias, _ in correspondents_asked(fake)] == ["bob@example.com"] + 2 * ["bob@example.com (email)"]
        assert announced_from(fake) == ["bob@example.com (email)"]
        gateway.stop()
    finally:
        close_quietly(gateway)


def test_all_forms_refused(folder, fake):
    """Twenty tries, then the mapping is suspended; resumed, it begins anew. Others are not held up. But a silo that is in trouble
    closes no door."""
    taken = True

    def answer(alias):
        if alias.startswith("dave@"):
            return "no space left on device"
        return f"alias {alias} is taken" if taken and alias.startswith("bob@") else None

    fake.on_alias = answer
    gateway = fake_gateway(folder, fake)
    try:
        gateway.start()
        gateway.wait_online()
        open_mapping(gateway)
        gateway.ctl("mapping", "add", "dave@example.org", "Alice Member")
        gateway.ctl("mapping", "add", "carol@example.net", "Alice Member")
        fake.wait_for("the other one is announced", lambda: announced_from(fake))
        tries = len([alias for alias, said in fake.aliases if said.startswith("no space")])
        assert tries in (20, 40), "again when Carol's mapping is added, if it had ended by then"
        assert gateway.ctl_json("mapping", "show", "2")["state"] == "approved"
        tried = [alias for alias, said in fake.aliases if said.endswith("is taken")]
        assert tried[:3] == ["bob@example.com", "bob@example.com (email)", "bob@example.com (2)"]
        assert len(set(tried)) == 20 and tried[19] == "bob@example.com (19)"
        assert gateway.ctl_json("mapping", "show", "1")["state"] == "suspended"
        taken = False
        gateway.ctl("mapping", "resume", "1")
        fake.wait_for("both are announced", lambda: set(announced_from(fake)) == {"bob@example.com", "carol@example.net"})
        gateway.stop()
    finally:
        close_quietly(gateway)


def test_addresses_that_are_no_alias(folder, fake):
    """Too short for a silo; too long for one."""
    long_address = "a" * 64 + "@" + ("b" * 60 + ".") * 2 + "c" * 50 + ".example"
    gateway = fake_gateway(folder, fake)
    try:
        gateway.start()
        gateway.wait_online()
        open_mapping(gateway, "b@x.yz")
        gateway.ctl("mapping", "add", long_address, "Alice Member")
        fake.wait_for("both are announced", lambda: len(announced_from(fake)) == 2)
        short, long = sorted(announced_from(fake), key=len)
        assert short == "b@x.yz (email)"
        assert long.startswith("a" * 64 + "@" + "b" * 60) and "..." in long and len(long) <= 200
        gateway.stop()
    finally:
        close_quietly(gateway)


def test_an_alias_for_approved_mappings_only(folder, fake):
    """Closed before the silo could be reached: nobody needs the alias, which could never be given back."""
    gateway = fake_gateway(folder, fake)
    gateway.silo_port = free_port()   # nobody is there yet
    try:
        gateway.start()
        suspended = open_mapping(gateway, "suspended@example.com")
        revoked = gateway.ctl_json("mapping", "add", "revoked@example.com", "Alice Member")
        gateway.ctl("mapping", "add", "expired@example.com", "Alice Member", "--expires", "2020-01-01", expect=2)
        gateway.ctl("mapping", "add", "approved@example.com", "Alice Member")
        gateway.ctl("member", "add", "Carol Member")
        gateway.ctl("mapping", "add", "removed@example.com", "Carol Member")
        gateway.ctl("member", "remove", "Carol Member")
        gateway.ctl("mapping", "suspend", str(suspended["id"]))
        gateway.ctl("mapping", "revoke", str(revoked["id"]))
        gateway.stop()
        gateway.silo_port = fake.port
        gateway.start()
        fake.wait_for("the approved one is announced", lambda: announced_from(fake))
        assert correspondents_asked(fake) == [("approved@example.com", "granted")]
        gateway.ctl("mapping", "resume", str(suspended["id"]))
        fake.wait_for("the resumed one is announced", lambda: len(announced_from(fake)) == 2)
        assert [alias for alias, _ in correspondents_asked(fake)] == ["approved@example.com", "suspended@example.com"]
        gateway.stop()
    finally:
        close_quietly(gateway)
