"""Exim, as a client and as a relay. It can't be installed beside Postfix, so ./check only unpacks it (scripts/unpack-packages).

Its user, which the package would make, is made up by libnss_wrapper; configuration, queue and mail are in a temporary folder.
"""
import glob
import os
import shutil
import signal
import subprocess
import tempfile

from postern import DOMAIN
from postfix import read_maildir
from procs import ROOT, accepts_connections, free_port, wait_until

PROGRAM = os.path.join(ROOT, "build", "neighbours", "usr", "sbin", "exim4")
USER, UID = "Debian-exim", 64999

CONFIGURATION = """\
exim_path = {folder}/exim4
deliver_drop_privilege = true
primary_hostname = exim.test
spool_directory = {folder}/spool
log_file_path = {folder}/%s.log
pid_file_path = {folder}/pid
notifier_socket =
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
keep_environment = LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
tls_advertise_hosts =
smtputf8_advertise_hosts = *
acl_smtp_rcpt = accept
begin routers
postern:
  driver = manualroute
  domains = {domain}
  transport = postern
  route_list = * 127.0.0.1 byname
  self = send
everything_else:
  driver = accept
  transport = maildir
begin transports
postern:
  driver = smtp
  protocol = {protocol}
  port = {postern_port}
  hosts_avoid_tls = *
  allow_localhost
maildir:
  driver = appendfile
  maildir_format
  directory = {folder}/mail
  user = {user}
begin retry
* * F,1h,1s
"""


class Exim:
    """Sends mail for the gateway's domain to it, and keeps all other mail in a maildir."""

    def __init__(self, postern_port, protocol):
        assert os.path.exists(PROGRAM), "Exim is missing; ./check unpacks it (scripts/unpack-packages)"
        # Not below pytest's temporary folder, which Exim's user may not enter.
        self.folder = tempfile.mkdtemp(prefix="postern-exim-")
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.maildir = os.path.join(self.folder, "mail")
        self.process = None
        os.chown(self.folder, UID, UID)
        # A copy without the set-user-id bit: with it the next program does not get our environment, and thus no user.
        shutil.copyfile(PROGRAM, os.path.join(self.folder, "exim4"))
        os.chmod(os.path.join(self.folder, "exim4"), 0o755)
        self.write("exim.conf", CONFIGURATION.format(folder=self.folder, port=self.port, domain=DOMAIN, protocol=protocol,
                                                     postern_port=postern_port, user=USER))
        for name, line in (("passwd", f"{USER}:x:{UID}:{UID}::/nonexistent:/bin/false\n"), ("group", f"{USER}:x:{UID}:\n")):
            with open(os.path.join("/etc", name), encoding="utf-8") as file:
                self.write(name, file.read() + line)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self):
        wrapper = glob.glob("/usr/lib/*/libnss_wrapper.so")
        assert wrapper, "libnss-wrapper is not installed (scripts/packages-test.txt)"
        environment = {**os.environ, "LD_PRELOAD": wrapper[0], "NSS_WRAPPER_PASSWD": f"{self.folder}/passwd",
                       "NSS_WRAPPER_GROUP": f"{self.folder}/group"}
        with open(os.path.join(self.folder, "daemon.log"), "ab") as log:
            self.process = subprocess.Popen([f"{self.folder}/exim4", "-C", f"{self.folder}/exim.conf", "-bdf", "-q1s"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=environment, start_new_session=True)
        wait_until("Exim listens", self.listens)

    def listens(self):
        assert self.process.poll() is None, f"Exim ended:\n{self.read_log()}"
        return accepts_connections(self.port)

    def stop(self):
        if self.process is None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)   # its deliveries too
        self.process.wait(30)
        self.process = None

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def read_log(self):
        text = ""
        for path in sorted(glob.glob(os.path.join(self.folder, "*.log"))):
            with open(path, encoding="utf-8", errors="replace") as file:
                text += file.read()
        return text

    def mails(self):
        return read_maildir(self.maildir)

    def queue_is_empty(self):
        return not glob.glob(os.path.join(self.folder, "spool", "input", "*"))
