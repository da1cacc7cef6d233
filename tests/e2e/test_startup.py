"""What posternd says when it can't start: where, what, and what was expected."""
import os
import smtplib
import socket
import sqlite3

import pytest

from documents import adapt, block
from mail import BOB, make_mail, send
from postern import Gateway, close_quietly
from procs import DEV, run, wait_until

CONFIG_ERROR = 78


def run_gateway(gateway, *arguments):
    return run(gateway.command(*arguments), gateway.folder)


def change_config(gateway, old, new):
    """Writes the configuration with one piece replaced; returns the line number of the change."""
    gateway.write_config()
    with open(gateway.config, encoding="utf-8") as file:
        text = file.read()
    assert old in text
    with open(gateway.config, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new, 1))
    return text[:text.index(old)].count("\n") + 1


@pytest.fixture
def idle_gateway(folder):
    """A gateway that never gets as far as a silo."""
    return Gateway(folder, silo_port=1)


def test_good_configuration(idle_gateway):
    idle_gateway.write_config()
    result = run_gateway(idle_gateway, "-t")
    assert result.returncode == 0, result.stderr


def test_the_relays_of_the_manual(idle_gateway, folder):
    """Two relays, of which one wants a login, and the file with its password, as the manual has them."""
    commands = adapt(block("docs/RELAYS.md", "install -o root -g postern -m 0640 /dev/null /etc/postern/relay-password"),
                     {"-o root -g postern ": "", "/etc/postern": folder})
    assert run(["sh", "-ec", commands], folder).returncode == 0
    relays = adapt(block("docs/RELAYS.md", "# postern.conf: two relays"), {"/etc/postern": folder})
    idle_gateway.extra = relays
    idle_gateway.write_config()
    result = run_gateway(idle_gateway, "-t")
    assert result.returncode == 0, result.stderr
    os.chmod(f"{folder}/relay-password", 0o644)
    result = run_gateway(idle_gateway, "-t")
    assert result.returncode == CONFIG_ERROR and "chmod g-w,o=" in result.stderr


@pytest.mark.parametrize("old, new, words", [
    ("domain  ", "domian  ", ["domian"]),
    ("protocol = smtp", "protocol = smpt", ["smpt", "lmtp"]),
    ('give_up = "1h"', 'give_up = "soon"', ["soon", "7d"]),
    ('max_message = "35M"', 'max_message = "35X"', ["35X"]),
    ('address = "=127', 'address = "127', ["127", "="]),
    ('url = "maildir:', 'url = "mailbox:', ["mailbox", "maildir"]),
    ("level = debug", "level = loud", ["loud", "debug"]),
])
def test_bad_configuration_names_file_line_and_expectation(idle_gateway, old, new, words):
    line = change_config(idle_gateway, old, new)
    for arguments in (["-t"], []):
        result = run_gateway(idle_gateway, *arguments)
        assert result.returncode == CONFIG_ERROR, (result.returncode, result.stderr)
        assert f"{idle_gateway.config}:{line}:" in result.stderr
        for word in words:
            assert word in result.stderr


def test_all_errors_are_reported(idle_gateway):
    first = change_config(idle_gateway, 'max_message = "35M"', 'max_message = "lots"')
    with open(idle_gateway.config, encoding="utf-8") as file:
        text = file.read()
    with open(idle_gateway.config, "w", encoding="utf-8") as file:
        file.write(text.replace('give_up = "1h"', 'give_up = "never"'))
    second = text[:text.index("give_up")].count("\n") + 1
    result = run_gateway(idle_gateway, "-t")
    assert result.returncode == CONFIG_ERROR
    assert f":{first}:" in result.stderr and f":{second}:" in result.stderr


def test_missing_configuration_file(idle_gateway):
    result = run_gateway(idle_gateway, "-t")
    assert result.returncode == CONFIG_ERROR
    assert idle_gateway.config in result.stderr


def test_missing_certificate(idle_gateway):
    idle_gateway.listen_extra = 'tls = may\n  certificate = "/nonexistent/cert.pem"\n  key = "/nonexistent/key.pem"'
    idle_gateway.write_config()
    result = run_gateway(idle_gateway)
    assert result.returncode == CONFIG_ERROR, (result.returncode, result.stderr)
    assert "/nonexistent/cert.pem" in result.stderr


def test_certificate_of_another_key(idle_gateway, folder):
    for name in ("a", "b"):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=gw",
             "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"], folder)
    idle_gateway.listen_extra = f'tls = may\n  certificate = "{folder}/a.pem"\n  key = "{folder}/b.key"'
    idle_gateway.write_config()
    result = run_gateway(idle_gateway, "-t")
    assert result.returncode == CONFIG_ERROR, (result.returncode, result.stderr)
    assert "listen smtp: certificate/key: " in result.stderr


def test_port_taken(idle_gateway):
    with socket.socket() as other:
        other.bind(("127.0.0.1", idle_gateway.smtp_port))
        other.listen()
        idle_gateway.write_config()
        result = run_gateway(idle_gateway)
    assert result.returncode not in (0, -6, -11)
    assert f"127.0.0.1:{idle_gateway.smtp_port}" in result.stderr
    assert "in use" in result.stderr


def test_port_of_the_figures_taken(idle_gateway):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        idle_gateway.extra = f'metrics {{ http = "{address}" }}'
        idle_gateway.write_config()
        result = run_gateway(idle_gateway)
    assert result.returncode == 1
    assert f"can't tell figures (metrics.http): {address}: Address already in use" in result.stderr


def database(gateway):
    return os.path.join(gateway.state, "postern.db")


def test_database_of_a_newer_version_is_refused_and_untouched(gateway):
    gateway.stop()
    with sqlite3.connect(database(gateway)) as connection:
        connection.execute("PRAGMA user_version = 9999")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(database(gateway), "rb") as file:
        before = file.read()
    result = run_gateway(gateway)
    assert result.returncode == 78, "a service manager would start it again and again"
    assert "9999" in result.stderr and "newer" in result.stderr, result.stderr
    with open(database(gateway), "rb") as file:
        assert file.read() == before


def test_database_that_is_none(idle_gateway):
    with open(database(idle_gateway), "w", encoding="ascii") as file:
        file.write("this is no database\n" * 500)
    idle_gateway.write_config()
    result = run_gateway(idle_gateway)
    assert result.returncode == 78
    assert database(idle_gateway) in result.stderr
    with open(database(idle_gateway), encoding="ascii") as file:
        assert file.read() == "this is no database\n" * 500


def test_database_that_can_not_be_opened(idle_gateway):
    os.mkdir(database(idle_gateway))   # root may read any file, so permissions would not do
    idle_gateway.write_config()
    result = run_gateway(idle_gateway)
    assert result.returncode == 1, "it may be another file some time"
    assert database(idle_gateway) in result.stderr


def test_standard_streams_that_were_closed(idle_gateway):
    """What it opens next, a socket or a database, must not get their numbers: messages would be written into it."""
    closed = idle_gateway.command()
    idle_gateway.command = lambda *arguments: ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "start", *closed]
    try:
        idle_gateway.start()
        assert [os.readlink(f"/proc/{idle_gateway.process.pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
        idle_gateway.stop()
    finally:
        close_quietly(idle_gateway)


def test_version(folder):
    result = run([os.path.join(DEV, "posternd"), "-V"], folder)
    assert result.returncode == 0
    assert "0." in result.stdout


def test_stops_in_order_on_sigterm(gateway):
    gateway.wait_online()
    gateway.stop(patience=10)   # asserts exit code 0; leaks are reported at exit


def test_secrets_are_not_readable_by_others(gateway):
    gateway.wait_online()
    assert os.stat(database(gateway)).st_mode & 0o077 == 0


def test_starts_without_a_silo(folder):
    """The silo is nobody's business at the SMTP side."""
    gateway = Gateway(folder, silo_port=1)
    try:
        gateway.start()
        wait_until("it knows that the silo is away", lambda: gateway.ctl_json("status")["silo_error"])
        gateway.stop()
    finally:
        close_quietly(gateway)


def test_a_limit_of_file_sizes_is_a_full_disk(stopped_gateway, alice):
    """A mail that would be larger than a file may be is put off, and the daemon goes on."""
    gateway = stopped_gateway
    command = gateway.command
    gateway.command = lambda *arguments: ["prlimit", f"--fsize={8 << 20}", *command(*arguments)]
    gateway.start()
    gateway.introduce(alice, "alice")
    gateway.open_door(BOB, alice)
    with pytest.raises(smtplib.SMTPDataError, match="4.3.1"):
        send(gateway.smtp_port, make_mail("Large", "x" * 70 + "\n" + "Some words of a long text.\n" * 400_000))
    send(gateway.smtp_port, make_mail("Small"))
    alice.receive_mail("Small")
