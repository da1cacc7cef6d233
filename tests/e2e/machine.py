"""A machine of its own for what a document says to do: its files are ours, and what is changed there is gone afterwards; nothing is
beyond its loopback interface, where every port is free; root may do there whatever they like.

It is a mount, network and process namespace with an overlay over all of this machine's files. There is no systemd in it: `systemctl`
and `journalctl` are stand-ins that start posternd and show its log, and refuse a unit that is not ours.
"""
import os
import shutil
import subprocess
import tempfile

import pytest

from procs import PATIENCE, RELEASE, ROOT

SETUP = """\
set -e
mount -t tmpfs none {folder}
mkdir {folder}/upper {folder}/work {folder}/root
mount -t overlay overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work {folder}/root
mount -t proc proc {folder}/root/proc
mount --rbind /dev {folder}/root/dev
mount -t tmpfs none {folder}/root/run
mount -t tmpfs none {folder}/root/tmp
ip link set lo up
[ -e {folder}/root{root}/README.md ] || {{ mkdir -p {folder}/root{root}; mount --bind {root} {folder}/root{root}; }}
cd {folder}/root
cp {programs}/posternd usr/sbin/
cp {programs}/posternctl {programs}/tmtp usr/bin/
mkdir -p etc/postern home/operator var/backups
rm -f etc/resolv.conf
echo nameserver 127.0.0.1 > etc/resolv.conf
cp {root}/tests/e2e/stand_in.sh usr/bin/systemctl
ln -f usr/bin/systemctl usr/bin/journalctl
chmod 755 usr/bin/systemctl
echo ready
sleep infinity &
wait
"""


class Machine:
    """Started by start(), gone after stop(), with everything that was started there."""

    def __init__(self, programs=RELEASE):
        self.folder = None
        self.programs = programs
        self.process = None

    def start(self):
        own = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        if subprocess.run([*own, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            pytest.skip("namespaces are not allowed here")
        self.folder = tempfile.mkdtemp(prefix="postern-machine-")
        script = SETUP.format(folder=self.folder, root=ROOT, programs=self.programs)
        # It ends with us, however we end.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *own, "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the machine did not start"

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def init(self):
        """The first process in there, by our number for it."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return file.read().split()[0]

    def command(self, script):
        """For a shell in there, which stops at the first command that fails."""
        inside = ["nsenter", "--target", self.init(), "--root", "--mount", "--net", "--pid", "chroot", os.path.join(self.folder, "root")]
        command = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
                   "bash", "-e", "-c", f"cd /home/operator\n{script}"]
        return inside + command

    def run(self, script, patience=PATIENCE):
        """Returns the CompletedProcess, with both outputs as one text."""
        return subprocess.run(self.command(script), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=patience, check=False)

    def must(self, script):
        result = self.run(script)
        assert result.returncode == 0, f"{script}\nexited {result.returncode}:\n{result.stdout}"
        return result.stdout
