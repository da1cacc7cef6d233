"""posternctl backup and restore: the whole state in one file, made beside a daemon or without one, and put back."""
import contextlib
import hashlib
import io
import json
import os
import pwd
import shutil
import sqlite3
import stat
import subprocess
import tarfile
import tempfile

import pytest

from mail import BOB, make_mail, send
from postern import Gateway, Member, Silo, close_quietly
from procs import DEV, RELEASE, run, sanitizer_environment, sanitizer_reports, wait_until

LARGE = "a long line of text that nobody reads\n" * 10000
STEPS = os.path.join(DEV, "postern_steps.so")


def settled(gateway):
    return not gateway.queue("in")


@pytest.fixture(scope="module")
def waiting():
    """A gateway with a small and a large mail that wait for a silo that is away, and one that was passed on before. For all tests
    here: each leaves it as it was, and running."""
    place = tempfile.mkdtemp(prefix="postern-e2e-")
    silo = Silo(place)
    gateway = Gateway(place, silo.port)
    try:
        silo.start()
        gateway.alice, gateway.silo = Member(place, silo, "Alice Member"), silo
        gateway.start()
        gateway.introduce(gateway.alice, "alice")
        gateway.open_door(BOB, gateway.alice)
        send(gateway.smtp_port, make_mail("Passed on", "erased-words " + LARGE))
        gateway.alice.receive_mail("Passed on")
        wait_until("it is settled", lambda: settled(gateway))
        silo.stop()
        send(gateway.smtp_port, make_mail("Small", "kept-words"))
        send(gateway.smtp_port, make_mail("Large", "large-words " + LARGE))
        assert len(gateway.queue("in")) == 2
        yield gateway
    finally:
        close_quietly(gateway)
        close_quietly(silo)
        reports = sanitizer_reports(place)
        shutil.rmtree(place, ignore_errors=True)
    assert not reports, "\n".join(reports)


def backup(gateway, path, **options):
    return json.loads(gateway.ctl("--json", "backup", path, **options))


def restore(gateway, path, *options, expect=0):
    return gateway.ctl("restore", path, "--sure", "yes", *options, expect=expect)


def asides(gateway):
    return sorted(name for name in os.listdir(gateway.state) if "restore" in name)


def read_state(gateway):
    """All rows of what counts, and the names and contents of files."""
    with contextlib.closing(sqlite3.connect(f"file:{gateway.state}/postern.db?mode=ro", uri=True)) as database:
        tables = [name for name, in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        rows = {table: database.execute(f"SELECT * FROM {table}").fetchall() for table in tables if table != "audit"}
        named = [name for name, in database.execute("SELECT file FROM content WHERE file IS NOT NULL")]
    files = {}
    for name in named:
        with open(os.path.join(gateway.state, "content", name), "rb") as file:
            files[name] = file.read()
    return rows, files


def test_a_backup_can_be_taken_apart_by_hand(waiting, folder):
    path = os.path.join(folder, "backup.tar")
    backup(waiting, path)
    subprocess.run(["tar", "-xf", path, "-C", folder], check=True)
    unpacked = os.path.join(folder, "postern-backup")
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=unpacked, check=True)
    with open(os.path.join(unpacked, "ABOUT"), encoding="ascii") as file:
        assert file.readline() == "Postern backup\n"
    with contextlib.closing(sqlite3.connect(os.path.join(unpacked, "postern.db"))) as database:
        assert database.execute("SELECT count(*) FROM inbound WHERE state IN ('waiting', 'routed')").fetchone() == (2,)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_backup_without_a_daemon_is_the_same_state(waiting, folder):
    waiting.process.kill()
    waiting.process.wait()
    waiting.process = None
    before = sorted(os.listdir(waiting.state))
    made = os.path.join(folder, "made")
    with open(made, "wb") as out:
        result = subprocess.run([os.path.join(waiting.programs, "posternctl"), "-c", waiting.config, "backup", "-"], stdout=out,
                                stderr=subprocess.PIPE, env=sanitizer_environment(folder), check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    assert sorted(os.listdir(waiting.state)) == before   # the log that the crash left is the daemon's
    state = read_state(waiting)
    assert len(state[1]) == 1
    for name in os.listdir(os.path.join(waiting.state, "content")):
        os.unlink(os.path.join(waiting.state, "content", name))
    for name in ("postern.db", "postern.db-wal", "postern.db-shm"):
        os.unlink(os.path.join(waiting.state, name))
    restore(waiting, made)
    assert read_state(waiting) == state
    with open(os.path.join(waiting.state, "postern.db"), "r+b") as file:   # a disk that fails
        file.write(b"nothing that a database begins with")
    restore(waiting, made)
    assert read_state(waiting) == state
    waiting.start()


def change_octet(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def test_a_damaged_backup_is_refused_and_changes_nothing(waiting, folder):
    path = os.path.join(folder, "backup")
    made = backup(waiting, path)
    waiting.stop()
    before, asides_before = read_state(waiting), asides(waiting)
    with open(path, "rb") as file:
        data = file.read()
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    places = [member.offset_data + member.size // 2 for member in members] + [member.offset + 10 for member in members]
    damaged = [change_octet(data, at) for at in places] + [data[:size] for size in (0, 100, 511, 5000, len(data) // 2, len(data) - 1025)]
    for octets in damaged:
        with open(path + ".bad", "wb") as file:
            file.write(octets)
        assert "of no use" in restore(waiting, path + ".bad", expect=1)
    for wrong in ("/etc/passwd", "/dev/null", folder, path + ".none"):
        restore(waiting, wrong, expect=1)
    assert read_state(waiting) == before and asides(waiting) == asides_before
    assert made["size"] == len(data)
    waiting.start()


def remake(path, change):
    """A backup with right digests and a database that change(connection) has changed."""
    files = {}
    with tarfile.open(path) as archive:
        for member in archive:
            files[member.name] = archive.extractfile(member).read()
    database = path + ".db"
    with open(database, "wb") as file:
        file.write(files["postern-backup/postern.db"])
    with contextlib.closing(sqlite3.connect(database)) as connection:
        change(connection, files)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.commit()
    with open(database, "rb") as file:
        files["postern-backup/postern.db"] = file.read()
    del files["postern-backup/SHA256SUMS"]
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name.partition('/')[2]}\n" for name, data in files.items())
    files["postern-backup/SHA256SUMS"] = sums.encode()
    with tarfile.open(path + ".made", "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path + ".made"


def test_a_backup_whose_database_is_not_right_is_refused(waiting, folder):
    path = os.path.join(folder, "backup")
    backup(waiting, path)
    waiting.stop()

    def nothing(connection, files):
        pass

    def newer(connection, files):
        connection.execute("PRAGMA user_version = 99")
        files["postern-backup/ABOUT"] = files["postern-backup/ABOUT"].replace(b"schema 1", b"schema 99")

    def other_format(connection, files):
        files["postern-backup/ABOUT"] = files["postern-backup/ABOUT"].replace(b"format 1", b"format 2")

    def without_content(connection, files):
        del files[[name for name in files if "/content/" in name][0]]

    def more_content(connection, files):
        files["postern-backup/content/" + "f" * 32] = b"x"

    def outside(connection, files):
        files["postern-backup/content/../../../x"] = b"x"

    def dangling(connection, files):
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("UPDATE inbound_recipient SET member_id = 99")

    def not_ours(connection, files):
        connection.execute("PRAGMA application_id = 1")

    restore(waiting, remake(path, nothing))
    for change, words in ((newer, "newer"), (other_format, "newer"), (without_content, "belong together"), (more_content, "belong together"),
                          (outside, "damaged"), (dangling, "refers to none"), (not_ours, "not the one")):
        assert words in restore(waiting, remake(path, change), expect=1)
    waiting.start()


def test_only_backups_are_replaced_and_never_by_half_ones(waiting, folder):
    path = os.path.join(folder, "precious")
    with open(path, "w", encoding="ascii") as file:
        file.write("important")
    assert "stays" in waiting.ctl("backup", path, expect=1)
    waiting.ctl("backup", folder, expect=1)
    waiting.ctl("backup", os.path.join(folder, "none", "backup"), expect=1)
    assert open(path, encoding="ascii").read() == "important"
    os.unlink(path)
    backup(waiting, path)
    first = open(path, "rb").read()
    limited = ["bash", "-c", 'ulimit -f 300; trap "" XFSZ; exec "$@"', "limited", os.path.join(waiting.programs, "posternctl"), "-c", waiting.config,
               "backup", path]
    result = run(limited, folder)
    assert result.returncode == 1 and "no backup was made" in result.stderr, result.stderr
    assert open(path, "rb").read() == first
    backup(waiting, path)
    assert open(path, "rb").read() != first
    assert not [name for name in os.listdir(folder) if name.startswith("precious.")]


def test_a_state_with_a_file_that_is_gone_can_be_backed_up(waiting, folder):
    content = os.path.join(waiting.state, "content")
    name = os.listdir(content)[0]
    os.rename(os.path.join(content, name), os.path.join(folder, name))
    path = os.path.join(folder, "backup")
    made = backup(waiting, path)
    assert made["missing_files"] == 1 and made["content_files"] == 0
    assert "missing" in waiting.ctl("restore", path, "--dry-run", "yes")
    os.rename(os.path.join(folder, name), os.path.join(content, name))


def test_what_waits_is_in_a_backup_and_leaves_after_it_was_put_back(waiting, folder):
    """And what was passed on before is in it no more, while what came and what was decided since is gone."""
    path = os.path.join(folder, "backup")
    made = backup(waiting, path)
    assert made["content_files"] == 1 and made["missing_files"] == 0 and made["file"] == path
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and os.stat(path).st_size == made["size"]
    assert waiting.config in [file["file"] for file in made["not_in_it"]]
    with open(path, "rb") as file:
        octets = file.read()
    assert b"kept-words" in octets and b"large-words" in octets and b"erased-words" not in octets

    waiting.ctl("mapping", "add", "since@example.net", "Alice Member")
    assert "in use" in restore(waiting, path, expect=1)
    shown = json.loads(waiting.ctl("--json", "restore", path, "--dry-run", "yes"))
    assert shown["created"] == made["created"] and any("undone" in row["text"] for row in shown["consequences"])
    waiting.stop()
    printed = waiting.ctl("--json", "restore", path, "--sure", "yes")
    aside = json.loads(printed)["set_aside"]
    assert os.path.dirname(aside) == waiting.state and sorted(os.listdir(aside)) == ["content", "postern.db"]
    assert stat.S_IMODE(os.stat(aside).st_mode) == 0o700
    assert not os.path.exists(os.path.join(waiting.state, "restore-new"))
    silo, alice = waiting.silo, waiting.alice
    silo.start()
    waiting.start()
    waiting.connect_silo()
    assert "large-words" in alice.receive_mail("Large")["body"]
    wait_until("all is settled", lambda: settled(waiting))
    assert {item["subject"] for item in alice.mails()} == {"Passed on", "Small", "Large"}
    assert [mapping["address"] for mapping in waiting.ctl_json("mapping", "list")["mappings"]] == [BOB]
    row = [row for row in waiting.ctl_json("audit", "list")["audit"] if row["action"] == "backup.restore"][-1]
    assert made["created"] in row["after"] and waiting.ctl_json("audit", "verify", "--head", made["audit_head"])


def test_killed_at_any_step_a_restore_leaves_the_old_or_the_new(folder):
    """Each run is killed at one call that changes a directory or syncs; then the state is whole, and one of the two."""
    silo = Silo(folder, RELEASE)
    gateway = Gateway(folder, silo.port, RELEASE)
    try:
        silo.start()
        alice = Member(folder, silo, "Alice Member", RELEASE)
        gateway.start()
        gateway.introduce(alice, "alice")
        gateway.open_door(BOB, alice)
        silo.stop()
        send(gateway.smtp_port, make_mail("New", LARGE))
        path = os.path.join(folder, "backup")
        backup(gateway, path)
        send(gateway.smtp_port, make_mail("Old", LARGE))
        gateway.stop()
    finally:
        close_quietly(gateway)
        close_quietly(silo)
    old = read_state(gateway)
    pristine = os.path.join(folder, "pristine")
    subprocess.run(["cp", "-a", gateway.state, pristine], check=True)
    restore(gateway, path)
    new = read_state(gateway)
    assert len(old[0]["inbound"]) == 2 and len(new[0]["inbound"]) == 1
    seen = []
    for step in range(1, 1000):
        subprocess.run(["rm", "-rf", gateway.state], check=True)
        subprocess.run(["cp", "-a", pristine, gateway.state], check=True)
        result = subprocess.run([os.path.join(RELEASE, "posternctl"), "-c", gateway.config, "restore", path, "--sure", "yes"],
                                env={**os.environ, "LD_PRELOAD": STEPS, "POSTERN_STEP": str(step)}, capture_output=True, check=False, timeout=60)
        state = read_state(gateway)
        assert state in (old, new), f"step {step}"
        seen.append(state == new)
        if result.returncode == 0:
            break
        assert result.returncode == -9, result.stderr
        if step % 7 == 0:   # it can be done again
            restore(gateway, path)
            assert read_state(gateway) == new
            assert len(asides(gateway)) == (2 if state == new else 1)
    assert seen == sorted(seen) and step > 20 and not all(seen) and seen.count(True) > 1
    if os.geteuid() == 0:
        owned_by_its_user(gateway, path)


def test_root_is_not_led_astray_by_the_daemons_user(waiting, folder):
    """What a daemon that was broken into could prepare in its own folder: links to what only root may read or own."""
    if os.geteuid() != 0:
        pytest.skip("only root can be led to what others own")
    nobody = pwd.getpwnam("nobody")
    made = os.path.join(folder, "made")
    backup(waiting, made)
    os.chmod(folder, 0o755)
    state, config, secret = (os.path.join(folder, name) for name in ("state", "postern.conf", "secret"))
    with open(waiting.config, encoding="utf-8") as source, open(config, "w", encoding="utf-8") as copy:
        copy.write(source.read().replace(waiting.state, state) + 'user = "nobody"\n')
    ctl = [os.path.join(DEV, "posternctl"), "-c", config]
    with contextlib.closing(sqlite3.connect(secret)) as database:   # the library would follow a link to it
        database.execute("CREATE TABLE a (b)")
    os.chmod(secret, 0o600)
    before = os.stat(secret)
    for name in ("postern.lock", "postern.db"):
        os.mkdir(state, 0o700)
        os.chown(state, nobody.pw_uid, nobody.pw_gid)
        os.symlink(secret, os.path.join(state, name))
        os.lchown(os.path.join(state, name), nobody.pw_uid, nobody.pw_gid)
        for words in (("restore", made, "--sure", "yes"), ("backup", os.path.join(folder, "other")), ("doctor", "--only", "state")):
            run([*ctl, *words], folder)
            after = os.stat(secret)
            assert (after.st_uid, after.st_mtime_ns, after.st_ino) == (0, before.st_mtime_ns, before.st_ino), (name, words)
        shutil.rmtree(state)


def owned_by_its_user(gateway, path):
    """What root backs up and restores stays the daemon's."""
    nobody = pwd.getpwnam("nobody")
    os.chmod(os.path.dirname(path), 0o755)   # who runs the daemon gets to its folder
    with open(gateway.config, "a", encoding="utf-8") as file:
        file.write('user = "nobody"\n')
    restore(gateway, path)
    backup(gateway, path)
    shutil.rmtree(gateway.state)
    restore(gateway, path)
    backup(gateway, path)
    for folder, folders, files in os.walk(gateway.state):
        for name in [folder, *(os.path.join(folder, name) for name in folders + files)]:
            info = os.stat(name)
            assert (info.st_uid, info.st_gid) == (nobody.pw_uid, nobody.pw_gid) and stat.S_IMODE(info.st_mode) & 0o077 == 0, name
