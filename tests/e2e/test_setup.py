"""posternctl setup: from nothing to a gateway that is logged in, by options and by answers at a terminal."""
import contextlib
import difflib
import json
import os
import pwd
import re
import shutil
import socket
import ssl
import stat
import subprocess
import threading

import pytest

from certificates import Certificate
from dns_server import DnsServer
from postern import DOMAIN, Silo
from procs import DEV, ROOT, Server, free_port, run, wait_until
from terminal import Terminal

CONFIG = "etc/postern.conf"
PASSWORD = "correct horse battery"
NOBODY = "127.0.0.1:1"   # no test asks anybody's DNS
MODES = {"etc/postern.conf": 0o640, "etc/dkim-postern.pem": 0o640, "state": 0o700, "state/postern.db": 0o600, "state/content": 0o700}


class Daemon(Server):
    def __init__(self, folder):
        super().__init__(folder, "posternd")

    def __enter__(self):
        self.launch([os.path.join(DEV, "posternd"), "-c", os.path.join(self.folder, CONFIG)])
        return self

    def __exit__(self, *_):
        self.stop()


class Setup:
    """What an administrator has in mind, and the machine of theirs."""

    def __init__(self, folder, silo):
        self.folder = folder
        self.config = os.path.join(folder, CONFIG)
        self.state = os.path.join(folder, "state")
        self.socket = os.path.join(folder, "run", "control")
        self.silo = f"=127.0.0.1:{silo.port}"
        self.ports = [free_port() for _ in range(3)]
        self.options = {"domain": DOMAIN, "hostname": "gw.example.org", "silo": self.silo, "mail": "postfix", "relay": f"smtp://127.0.0.1:{free_port()}",
                        "listen": f"127.0.0.1:{self.ports[0]}", "socketmap": f"127.0.0.1:{self.ports[1]}", "policy": f"127.0.0.1:{self.ports[2]}",
                        "user": "none", "resolver": NOBODY, "state-dir": self.state, "socket": self.socket, "first-admin-alias": "Alice Admin", "dkim": "none"}

    def command(self, *arguments, **options):
        """Options of `self.options`, changed by these; None: not given."""
        given = {**self.options, **{name.replace("_", "-"): value for name, value in options.items()}}
        words = [word for name, value in given.items() if value is not None for word in (f"--{name}", value)]
        return [os.path.join(DEV, "posternctl"), "-c", self.config, "setup", *words, *arguments]

    def run(self, *arguments, expect=0, **options):
        result = run(self.command("--no-checks", *arguments, **options), self.folder)
        assert result.returncode == expect, f"{result.returncode}: {result.stdout}{result.stderr}"
        return result

    def text(self, name=CONFIG):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def ctl(self, *arguments):
        return run([os.path.join(DEV, "posternctl"), "-c", self.config, "--json", *arguments], self.folder)

    def status(self):
        result = self.ctl("status")
        return json.loads(result.stdout) if result.returncode == 0 else {}

    def wait_online(self):
        return wait_until("the gateway is online", lambda: (found := self.status()).get("silo_state") == "online" and found)


@pytest.fixture
def setup(folder, silo):
    return Setup(folder, silo)


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_what_is_missing_is_named(setup):
    result = setup.run(domain=None, silo=None, relay=None, expect=2)
    assert "these are not given: --domain --silo" in result.stderr and "Nothing was changed." in result.stderr
    for wrong, words in (({"domain": "no dots"}, "--domain: "), ({"domain": f"{DOMAIN}."}, "leave out the dot"), ({"silo": "127.0.0.1:1"}, "--silo: "), ({"relay": "ftp://x"}, "--relay: "),
                         ({"alias": "short"}, "--alias: "), ({"mail": "pigeon"}, "neither postfix nor direct"), ({"dkim": "a b"}, "no selector"),
                         ({"listen": setup.silo[1:]}, "is in use by another program"),
                         ({"silo-pin": "sha256:" + "0" * 64}, "not the one that --silo-pin says"), ({"silo-pin": "12:34"}, "64 lower-case hexadecimal digits")):
        result = setup.run(expect=1, **wrong)
        assert words in result.stderr, result.stderr
    assert run(setup.command("--nonsense"), setup.folder).returncode == 2
    result = setup.run("--dry-run")
    assert f'domain = "{DOMAIN}"' in result.stdout and "lmtp:inet:" in result.stdout and "v=spf1" in result.stdout
    assert not os.path.exists(setup.config) and not os.path.exists(setup.state)


def test_another_way_in_is_another_listener(setup):
    """LMTP does not stay on the port that the world knew, and Postfix gets somebody to ask."""
    setup.run(mail="direct", socketmap=None, policy=None)
    assert "protocol = smtp" in setup.text() and "socketmap" not in setup.text()
    key = setup.text("etc/tls.key")
    os.unlink(os.path.join(setup.folder, "etc", "tls.crt"))   # as if killed before it was made
    assert "Made the certificate" in setup.run(mail="direct", socketmap=None, policy=None).stdout and setup.text("etc/tls.key") == key
    setup.run("--yes", mail="postfix", listen=None, socketmap=None, policy=None)
    text = setup.text()
    assert "protocol = lmtp" in text and f'"127.0.0.1:{setup.ports[0]}"' not in text
    for key in ("address", "socketmap", "policy"):
        assert re.search(rf'{key} = "127.0.0.1:2[45]\d\d"', text), text
    setup.run("--yes", mail="direct", socketmap=None, policy=None)
    assert "protocol = smtp" in setup.text() and "xforward" not in setup.text()


def test_who_is_no_silo_does_not_steer_the_terminal(setup):
    certificate = Certificate(setup.folder, "evil.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key_file)
    quit_push = b'{"op":"quit","error":"\\u001b]0;evil\\u0007 go away"}'
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    connection = context.wrap_socket(server.accept()[0], server_side=True)
                    connection.sendall(b"%04x" % len(quit_push) + quit_push)
                    connection.recv(4096)
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        said = setup.run(silo=f"=127.0.0.1:{server.getsockname()[1]}")
        server.shutdown(socket.SHUT_RDWR)
    assert "go away" in said.stderr and "go away" in said.stdout + said.stderr.partition("go away")[2], said
    assert "\x1b" not in said.stdout + said.stderr and "\x07" not in said.stdout + said.stderr


def records_of(text):
    """What is to be published, as (name, type, data) with the pieces of a text joined."""
    text = re.sub(r"^;.*$", "", text, flags=re.M)
    for name, kind, data in re.findall(r"^(\S+)\. IN (MX|TXT) (\([^)]*\)|.*)$", text, re.M):
        yield name, kind, "".join(re.findall(r'"([^"]*)"', data)) if kind == "TXT" else data


def check_dns(setup):
    """What it says should be published is what the doctor looks for."""
    with DnsServer() as dns:
        shown = setup.run("--dns").stdout
        for name, kind, data in records_of(shown):
            if kind == "TXT":
                dns.add_txt(name, data)
            else:
                dns.add_data(name, kind, data)
        dns.add("gw.example.org A 198.18.0.7")
        changed = os.path.join(setup.folder, "etc", "other.conf")
        with open(changed, "w", encoding="utf-8") as file:
            file.write(setup.text().replace(f'"{NOBODY}"', f'"{dns.address}"'))
        found = json.loads(run([os.path.join(DEV, "posternctl"), "-c", changed, "--json", "doctor", "--only", "dns"], setup.folder).stdout)
        levels = {row["check"]: row["level"] for row in found["checks"]}
        assert [levels[check] for check in ("resolver", "SPF", "DKIM", "DMARC")] == ["ok"] * 4, found
        os.unlink(changed)


def check_postfix(setup):
    """Each line is one that docs/postfix.md has, which is tested against Postfix."""
    with open(os.path.join(ROOT, "docs", "postfix.md"), encoding="utf-8") as file:
        known = file.read()
    lines = [line for line in setup.run("--postfix").stdout.splitlines() if not line.startswith("#")]
    for port, usual in zip(setup.ports, ("2424", "2527", "2528")):
        lines = [line.replace(f"127.0.0.1:{port}", f"127.0.0.1:{usual}") for line in lines]
    assert len(lines) == 7
    for line in lines:
        assert line in known or line.startswith("message_size_limit = "), f"{line} is not in docs/postfix.md"


def test_a_first_run_and_a_second(setup):
    """By options, for a user of its own; the daemon that is started then is logged in as who was registered."""
    os.chmod(setup.folder, 0o755)
    user = "nobody" if os.geteuid() == 0 else "none"
    result = setup.run(user=user, dkim="postern")
    uid = re.search(r'Registered with the silo as "Email Gateway" \((\S+)\)', result.stdout).group(1)
    fingerprint = re.search(r"sha256:[0-9a-f]{64}", result.stderr).group(0)
    for name, mode in MODES.items():
        path = os.path.join(setup.folder, name)
        assert mode_of(path) == mode, f"{name}: {mode_of(path):o}"
        if user == "nobody" and name.startswith("state"):
            assert os.stat(path).st_uid == pwd.getpwnam("nobody").pw_uid
    assert not os.path.exists(setup.config + ".bak") and not os.path.exists(setup.config + ".new")
    assert run([os.path.join(DEV, "posternd"), "-t", "-c", setup.config], setup.folder).returncode == 0
    check_dns(setup)
    check_postfix(setup)

    # The same again changes nothing, with the pin or without.
    before = setup.text()
    octets = fingerprint[7:].upper()
    as_openssl_writes_it = "sha256:" + ":".join(octets[at:at + 2] for at in range(0, len(octets), 2))
    again = setup.run("--yes", user=user, dkim="postern", silo_pin=as_openssl_writes_it)
    assert "stays as it is" in again.stdout and f"has its account in the silo already ({uid})" in again.stdout
    assert setup.text() == before and not os.path.exists(setup.config + ".bak")
    wrong = setup.run("--yes", user=user, dkim="postern", silo_pin="sha256:" + "0" * 64, expect=1)
    assert "not the one that --silo-pin says" in wrong.stderr
    nothing = {name: None for name in setup.options}
    assert "stays as it is" in setup.run(**nothing).stdout and setup.text() == before

    with Daemon(setup.folder):
        status = setup.wait_online()
        assert status["silo_uid"] == uid and status["silo_alias_error"] is None
        # While it runs.
        with open(setup.config, "a", encoding="utf-8") as file:
            file.write("\n# by hand\nlimits { guesses = 7 }\n")
        before = setup.text()
        change = {**nothing, "first-admin-alias": "Zoe Admin"}
        refused = setup.run(expect=1, **change)
        assert "--yes writes over it" in refused.stderr and setup.text() == before
        changed = setup.run("--yes", **change)
        assert "A daemon is running" in changed.stdout and "reload" in changed.stdout
        lines = [line for line in difflib.ndiff(before.splitlines(), setup.text().splitlines()) if line[0] in "+-"]
        assert lines == ['-   admins = { "Alice Admin" }', '+   admins = { "Alice Admin", "Zoe Admin" }']
        assert setup.text(CONFIG + ".bak") == before
        assert setup.ctl("reload").returncode == 0


def test_other_mail_servers_connect_themselves(setup):
    """Without Postfix there is a certificate, so that mail comes encrypted."""
    setup.run(mail="direct", listen=f"[::1]:{setup.ports[0]}", socketmap=None, policy=None, relay=f"maildir:{setup.folder}/out")
    text = setup.text()
    assert "protocol = smtp" in text and "tls = may" in text and "postfix {" not in text and "dkim {" not in text
    names = subprocess.run(["openssl", "x509", "-in", f"{setup.folder}/etc/tls.crt", "-noout", "-ext", "subjectAltName"], check=True, capture_output=True)
    assert b"DNS:gw.example.org" in names.stdout and mode_of(f"{setup.folder}/etc/tls.key") & 0o007 == 0
    assert "_domainkey" not in setup.run("--dns").stdout
    with Daemon(setup.folder):
        setup.wait_online()


def test_no_silo_yet(setup, silo):
    """It is set up all the same; the daemon registers when the silo comes."""
    silo.stop()
    result = setup.run()
    assert "No silo answers there now" in result.stderr and "the daemon will register when it can" in result.stdout
    with Daemon(setup.folder):
        wait_until("it looks for the silo", lambda: setup.status().get("silo_error"))
        silo.process = None
        silo.start()
        setup.ctl("silo", "connect")
        setup.wait_online()


def test_an_alias_that_somebody_has(setup):
    setup.run()
    shutil.rmtree(setup.state)
    taken = setup.run(expect=1)
    assert 'the silo refuses the alias "Email Gateway"' in taken.stderr
    setup.run("--yes", alias="Other Gateway")
    with Daemon(setup.folder):
        assert setup.wait_online()["silo_alias_error"] is None


def test_nothing_is_half_done(setup):
    """What can't be written leaves what was there."""
    setup.run()
    before = setup.text()
    os.mkdir(setup.config + ".new")   # the draft can't be written
    result = setup.run("--yes", expect=1, domain="other.example.org")
    assert "can't be written" in result.stderr and setup.text() == before
    os.rmdir(setup.config + ".new")
    # One with mistakes is replaced, and kept.
    with open(setup.config, "a", encoding="utf-8") as file:
        file.write("nonsense = 1\n")
    broken = setup.text()
    result = setup.run("--yes", "--no-account")
    assert "unknown key" in result.stderr and "has mistakes, so a new one will be made" in result.stderr
    assert setup.text() == before and setup.text(CONFIG + ".bak") == broken


def quiet(setup, **options):
    """For a terminal: what is never asked is given, and what is asked is not."""
    asked = ("domain", "hostname", "silo", "mail", "relay", "listen", "first-admin-alias", "dkim")
    return setup.command("--no-checks", **{**{name: None for name in asked}, **options})


def test_answers_at_a_terminal(setup):
    with Terminal(quiet(setup), setup.folder) as person:
        person.answer("Domain: ", "nonsense")
        person.expect("That won't do: \"nonsense\" has no dot")
        person.answer("Domain: ", "")
        person.expect("That won't do: an answer is needed")
        person.answer("Domain: ", DOMAIN)
        person.answer("Name of this machine", "gw.example.org")
        person.answer("Silo: ", setup.silo[1:])
        person.expect("That won't do: ")
        person.answer("Silo: ", f"=127.0.0.1:{free_port()}")
        person.answer("Use this address nevertheless?", "n")
        person.answer("Silo: ", setup.silo)
        person.expect("Its fingerprint:\n  sha256:")
        person.answer("Is it the same? [y/N]", "")
        person.expect("somebody else who answers there")
        person.answer("Silo: ", setup.silo)
        person.answer("Is it the same? [y/N]", "y")
        person.answer("Alias of the gateway [Email Gateway]: ", "")
        person.answer("How mail comes in", "perhaps")
        person.expect("neither postfix nor direct")
        person.answer("How mail comes in", "postfix")
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as busy:
            person.answer("Address to listen on", f"127.0.0.1:{busy.getsockname()[1]}")
            person.expect("is in use by another program")
        person.answer("Address to listen on", setup.options["listen"])
        person.answer("Relay", setup.options["relay"])
        person.answer("DKIM selector, or none [postern]: ", "")
        person.answer("or none [none]: ", "Alice Admin")
        person.answer("Name for the web page, or none [none]: ", "alice")
        person.expect(f'domain = "{DOMAIN}"')
        person.answer(f"Write this to {setup.config}? [y/N]", "yes")
        for first, second, words in ((PASSWORD, PASSWORD + "?", "These differ."), ("short", "short", "The password "), (PASSWORD, PASSWORD, "Made the account")):
            person.expect("Password for the web page")
            wait_until("nothing is shown of it", lambda: not person.echoes())
            person.type(first + "\n")
            person.answer("The same once more: ", second)
            person.expect(words)
        assert person.finish() == 0
        assert PASSWORD not in person.shown
        assert "Registered with the silo" in person.shown and "== DNS ==" in person.shown
    assert os.path.exists(os.path.join(setup.folder, "etc", "dkim-postern.pem"))
    # The second time its values are the presets; nobody is asked to compare what was compared.
    before = setup.text()
    with Terminal(quiet(setup), setup.folder) as person:
        for preset in (DOMAIN, "gw.example.org", setup.silo, "Email Gateway", "postfix", setup.options["listen"], setup.options["relay"], "postern",
                       "Alice Admin", "none"):
            person.answer(f"[{preset}]: ", "")
        assert person.finish() == 0
        assert "Is it the same?" not in person.shown and "stays as it is" in person.shown
    assert setup.text() == before
    with Daemon(setup.folder):
        setup.wait_online()
        assert [account["name"] for account in json.loads(setup.ctl("admin", "list").stdout)["accounts"]] == ["alice"]
        row = next(row for row in json.loads(setup.ctl("audit", "list").stdout)["audit"] if row["action"] == "admin.add")
        assert row["object"] == "account alice" and row["channel"] == "cli" and "(uid " in row["actor"]
        # The daemon has the database now, so it is the one who adds.
        secret = os.path.join(setup.folder, "password")
        with open(secret, "w", encoding="utf-8") as file:
            file.write(PASSWORD + "\n")
        os.chmod(secret, 0o600)
        nothing = {name: None for name in setup.options}
        added = setup.run(**nothing, admin="zoe", admin_password_file=secret)
        assert 'Made the account "zoe"' in added.stdout, added
        assert {account["name"] for account in json.loads(setup.ctl("admin", "list").stdout)["accounts"]} == {"alice", "zoe"}
        os.chmod(secret, 0o644)
        refused = setup.run(**nothing, admin="bob", admin_password_file=secret, expect=1)
        assert "is open to more" in refused.stderr and "Nothing was changed." in refused.stderr


def test_whoever_stops_in_the_middle_has_changed_nothing(setup):
    for answers in ((), (("Domain: ", DOMAIN), ("Name of this machine", "gw.example.org"))):
        with Terminal(quiet(setup), setup.folder) as person:
            for question, text in answers:
                person.answer(question, text)
            person.expect(": ")
            person.type("\x03")
            assert person.finish() == -2 and person.seen
    with Terminal(quiet(setup), setup.folder) as person:
        person.expect("Domain: ")
        person.type("\x04")   # the end of the input
        assert person.finish() == 1
        assert "Nothing was changed." in person.shown
    with Terminal(setup.command("--no-checks", alias="Email Gateway", admin="none"), setup.folder) as person:
        person.answer("Is it the same? [y/N]", "y")
        person.answer("Write this to", "n")
        assert person.finish() == 1
    with Terminal(setup.command("--no-checks", alias="Email Gateway", admin="alice"), setup.folder) as person:
        person.answer("Is it the same? [y/N]", "y")
        person.answer("Write this to", "y")
        person.expect("Password for the web page")
        wait_until("nothing is shown of it", lambda: not person.echoes())
        person.type("secret\x03")
        wait_until("what is typed is shown again", person.echoes)
        assert person.finish() == -2
    assert not os.path.exists(os.path.join(setup.folder, "etc")) and not os.path.exists(setup.state)
