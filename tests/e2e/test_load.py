"""What is measured: group commit under load, and memory when idle. The release build, without sanitizers."""
import subprocess
import time

import pytest

from mail import ALICE, BOB
from postern import Gateway, Member, Silo, close_quietly, resident_bytes
from procs import RELEASE, free_port, wait_until

MESSAGES = 1000
CONNECTIONS = 50
IDLE_MAX = 20 * 1024 * 1024


@pytest.fixture
def release(folder):
    """Gateway and member of the release build; the gateway believes whoever connects to its port `open`."""
    silo = Silo(folder, RELEASE)
    gateway = Gateway(folder, silo.port, RELEASE)
    gateway.open_port = free_port()
    try:
        silo.start()
        gateway.start()
        member = Member(folder, silo, "Alice Member", RELEASE)
        gateway.introduce(member, "alice")
        gateway.open_door(BOB, member)
        yield gateway, member
        gateway.stop()
    finally:
        close_quietly(gateway, silo)


def test_group_commit(release):
    """1,000 messages of 4 KiB over 50 connections take far fewer commits than messages, and all arrive."""
    gateway, member = release
    before = gateway.ctl_json("status")["store_commits"]
    started = time.monotonic()
    subprocess.run(["smtp-source", "-m", str(MESSAGES), "-s", str(CONNECTIONS), "-l", "4096", "-d", "-f", BOB, "-t", ALICE,
                    f"127.0.0.1:{gateway.open_port}"], check=True, timeout=120, stdin=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    commits = gateway.ctl_json("status")["store_commits"] - before
    print(f"accepted {MESSAGES} messages in {seconds:.2f} s: {MESSAGES / seconds:.0f}/s, {commits} commits")
    assert commits < MESSAGES / 2

    def all_received():
        member.receive(wait=1)
        return len(member.mails()) >= MESSAGES

    wait_until("the member has them all", all_received, 240)
    gateway.wait_settled()
    assert len({mail["id"] for mail in member.mails()}) == len(member.mails()) == MESSAGES


def test_idle_memory(release):
    gateway, _ = release
    gateway.wait_settled()
    size = resident_bytes(gateway.process.pid)
    print(f"idle: {size / 2**20:.1f} MiB resident")
    assert size < IDLE_MAX
