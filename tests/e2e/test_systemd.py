"""The units under a real systemd, which runs over a copy-on-write view of this machine (boot-systemd.sh). Where that can't be, it is skipped."""
import os
import re
import shutil
import subprocess

import pytest

from procs import RELEASE, ROOT
from test_service import units

SYSTEMD = "/lib/systemd/systemd"

CONFIGURATION = """\
state_dir = "/var/lib/postern"
domain = "silo.example.org"
hostname = "gw.example.org"
user = "postern"
silo { address = "=127.0.0.1:4433" alias = "Email Gateway" }
listen smtp { address = "[::]:25" tls = none clients = { "127.0.0.0/8" } }
listen lmtp { address = "127.0.0.1:24" protocol = lmtp tls = none }
relay { url = "maildir:/var/lib/postern/out" }
verify { resolver = { "127.0.0.1:1" } }
admin { socket = "/run/postern/control" }
"""

TARGET = """\
[Unit]
Requires=systemd-journald.service
Wants=postern-smtp.socket postern-lmtp.socket test.service
"""

SERVICE = """\
[Unit]
DefaultDependencies=no
After=systemd-journald.service postern-smtp.socket postern-lmtp.socket
[Service]
Type=oneshot
ExecStart=/bin/sh /mnt/test.sh
StandardOutput=file:/mnt/out
StandardError=file:/mnt/out
ExecStopPost=/bin/systemctl --force exit
"""

MAIL = """\
import smtplib, sys
mail = "From: bob@example.com\\r\\nTo: alice@silo.example.org\\r\\nSubject: %s\\r\\nMessage-ID: <%s@example.com>\\r\\n\\r\\nHello\\r\\n"
for name in sys.argv[1:]:
    with smtplib.LMTP("127.0.0.1", 24, timeout=20) as lmtp:
        lmtp.ehlo("client.test")
        lmtp.sendmail("bob@example.com", ["alice@silo.example.org"], mail % (name, name))
        print("taken", name)
"""

# Each "say" is looked for by the test. The client of the first mail is what starts the service.
SCRIPT = """\
say() { echo "== $*"; }
pid() { systemctl show -p MainPID --value "$1"; }
until_true() { for _ in $(seq 200); do eval "$1" > /dev/null 2>&1 && return; sleep 0.1; done; say "never: $1"; }
cd /mnt
tmtp silo --listen 127.0.0.1:4433 --state /root/silo > /dev/null 2>&1 &
until_true 'ss -ltn | grep -q 127.0.0.1:4433'
say before $(systemctl is-active postern)
python3 -c 'import socket; print(socket.create_connection(("127.0.0.1", 25), 20).recv(100))'
say activated $(systemctl is-active postern)
until_true 'posternctl silo status | grep -q online'
tmtp register --silo =127.0.0.1:4433 --alias "Alice Member" --account /root/alice
posternctl member add "Alice Member" --address alice > /dev/null
tmtp ping --account /root/alice --to "Email Gateway" Hello
until_true 'posternctl member show "Alice Member" | grep -q "^uid *[^- ]"'
posternctl mapping add bob@example.com "Alice Member" --proof none > /dev/null
python3 mail.py first
until_true 'journalctl -u postern POSTERN_EVENT=post.settled -o cat | grep -q in1'
say life $(journalctl -u postern POSTERN_MESSAGE=in1 -o json --output-fields=POSTERN_EVENT,PRIORITY,SYSLOG_IDENTIFIER)
say status $(grep -E '^(Uid|CapBnd|NoNewPrivs|Seccomp):' /proc/$(pid postern)/status)

systemctl reload postern; say reloaded $?
echo nonsense >> /etc/postern/postern.conf
systemctl reload postern; say refused $?
sed -i '$d' /etc/postern/postern.conf
say still $(systemctl is-active postern)

journal=$(pid systemd-journald)
kill -STOP $journal
posternctl log-level debug > /dev/null
python3 mail.py $(seq -f stalled%g 1 15)
kill -CONT $journal
until_true '[ $(journalctl -u postern POSTERN_EVENT=mail.decided -o cat | wc -l) = 16 ]'
say stalled $(journalctl -u postern POSTERN_EVENT=mail.decided -o cat | wc -l)

mkdir -p /run/systemd/system/postern.service.d
printf '[Service]\\nWatchdogSec=2s\\nRestartSec=1s\\n' > /run/systemd/system/postern.service.d/test.conf
systemctl daemon-reload
systemctl restart postern; say restarted $?
hung=$(pid postern)
kill -STOP $hung
until_true '[ $(systemctl show -p NRestarts --value postern) = 1 ] && [ $(systemctl is-active postern) = active ]'
[ $(pid postern) != $hung ] && say watched
python3 mail.py last
systemctl stop postern; say stopped $(systemctl show -p Result --value postern)
say errors $(journalctl -u postern -p err -o cat)
say end
"""


@pytest.fixture
def machine(folder):
    """A folder with all that boot-systemd.sh wants."""
    if os.geteuid() != 0 or not os.path.exists(SYSTEMD):
        pytest.skip("needs root, and systemd")
    shared = os.path.join(folder, "shared")
    for name in ("units", "programs", "root", "temporary"):
        os.makedirs(os.path.join(shared if name in ("units", "programs") else folder, name))
    for kind in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(f"{ROOT}/packaging/systemd/{kind}", f"{shared}/{kind}")
    for unit in units(folder):
        shutil.copy(unit, f"{shared}/units")
    with open(f"{shared}/units/postern.service", encoding="utf-8") as file:
        text = file.read().replace(RELEASE, "/usr/local/sbin")
    # No network is there to wait for.
    files = {"units/postern.service": re.sub(r"^(Wants|After)=network-online.*$", "", text, flags=re.MULTILINE), "units/test.target": TARGET,
             "units/test.service": SERVICE, "postern.conf": CONFIGURATION, "mail.py": MAIL, "test.sh": SCRIPT}
    for name, content in files.items():
        with open(os.path.join(shared, name), "w", encoding="utf-8") as file:
            file.write(content)
    for program in ("posternd", "posternctl", "tmtp"):
        shutil.copy(os.path.join(RELEASE, program), f"{shared}/programs")
    return folder


def test_a_life_under_systemd(machine):
    command = ["unshare", "-m", "-p", "-f", "-u", "-i", "-C", "-n", "--kill-child", f"{ROOT}/tests/e2e/boot-systemd.sh", f"{machine}/shared",
               f"{machine}/root", f"{machine}/temporary"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    out = os.path.join(machine, "shared", "out")
    if not os.path.exists(out):
        pytest.skip(f"no systemd can be booted here: {result.stderr}")
    with open(out, encoding="utf-8") as file:
        printed = file.read()
    print(printed, result.stderr)
    said = dict(line[3:].partition(" ")[::2] for line in printed.splitlines() if line.startswith("== "))
    assert "never:" not in said and "end" in said
    assert (said["before"], said["activated"]) == ("inactive", "active"), "its socket starts it"
    assert "220 gw.example.org ESMTP" in printed
    life = re.findall(r'"POSTERN_EVENT":"([^"]+)"', said["life"])
    assert life == ["mail.decided", "post.settled"], "a mail's life at level info"
    assert '"PRIORITY":"6"' in said["life"] and '"SYSLOG_IDENTIFIER":"posternd"' in said["life"]
    assert re.search(r"CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2", said["status"]) and not said["status"].startswith("Uid: 0")
    assert (said["reloaded"], said["refused"], said["still"]) == ("0", "1", "active")
    assert said["stalled"] == "16", "lines were lost while the journal was stopped"
    assert printed.count("taken ") == 17
    assert said["restarted"] == "0" and "watched" in said and said["stopped"] == "success"
    assert "event=config.refused" not in said["errors"] and said["errors"] == "", "reload by posternctl answers instead"
