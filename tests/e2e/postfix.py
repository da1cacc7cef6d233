"""Real Postfix beside the gateway: as the MX in front of it, and as the smarthost behind it.

Each instance has its configuration, queue, data and log in a temporary folder and its own port on the loopback
interface; the machine's own mail system is never touched.
"""
import email
import email.policy
import glob
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time

from postern import AUTHSERV_ID, DOMAIN
from procs import accepts_connections, free_port, wait_until

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
local_recipient_maps =
message_size_limit = 104857600
mailbox_size_limit = 0
smtputf8_enable = yes
# Failures of the moment are tried again at once: a test has no hours.
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
transport_retry_time = 1s
in_flow_delay = 0
"""

MASTER = """\
127.0.0.1:{port} inet n - n - 100 smtpd
pickup    unix  n - n 60  1 pickup
cleanup   unix  n - n -   0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n -   - trivial-rewrite
bounce    unix  - - n -   0 bounce
defer     unix  - - n -   0 bounce
trace     unix  - - n -   0 bounce
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -   - proxymap
smtp      unix  - - n -   - smtp
relay     unix  - - n -   - smtp
showq     unix  n - n -   - showq
verify    unix  - - n -   1 verify
error     unix  - - n -   - error
retry     unix  - - n -   - error
discard   unix  - - n -   - discard
virtual   unix  - n n -   - virtual
lmtp      unix  - - n -   - lmtp
anvil     unix  - - n -   1 anvil
scache    unix  - - n -   1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

# What a verifying MX does: removes what claims to be its own verdict, then gives its verdict. Senders at
# unproven.example fail.
HEADER_CHECKS = """\
/^Authentication-Results:[[:space:]]*{authserv_id}/ IGNORE
/^From:.*@(unproven[.]example)>?[[:space:]]*$/ PREPEND Authentication-Results: {authserv_id}; dmarc=fail header.from=$1
/^From:.*@([-A-Za-z0-9.]+)>?[[:space:]]*$/ PREPEND Authentication-Results: {authserv_id}; dmarc=pass header.from=$1
"""


def merge(text):
    """main.cf with the last setting of each parameter only. Postfix warns of each earlier one, in each of its processes, and
    with many such warnings at its start it was seen to hang: its master logs through a socket that postlogd does not read yet."""
    settings, name = {}, None
    for line in text.splitlines():
        if line[:1].isspace() and line.strip():
            settings[name] += "\n" + line   # goes on with the one before
        elif line.strip() and not line.startswith("#"):
            name = line.partition("=")[0].strip()
            settings[name] = line
    return "\n".join(settings.values()) + "\n"


class Postfix:
    """One instance of Postfix."""
    prefix = ()   # of every command: to run it somewhere else

    def __init__(self, settings, services=""):
        # Not below pytest's temporary folder, which Postfix's own users may not enter.
        self.folder = tempfile.mkdtemp(prefix="postern-postfix-")
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.etc = os.path.join(self.folder, "etc")
        for name in ("etc", "queue", "data"):
            os.mkdir(os.path.join(self.folder, name))
        shutil.chown(os.path.join(self.folder, "data"), "postfix", "postfix")
        self.settings = MAIN.format(folder=self.folder)
        self.configure(settings)
        self.write("master.cf", MASTER.format(port=self.port) + services)

    def configure(self, settings):
        """More lines of main.cf, before it is started."""
        self.settings += "\n" + settings
        self.write("main.cf", merge(self.settings))

    def write(self, name, text):
        with open(os.path.join(self.etc, name), "w", encoding="utf-8") as file:
            file.write(text)

    def postfix(self, *command):
        result = subprocess.run([*self.prefix, command[0], "-c", self.etc, *command[1:]], capture_output=True, text=True, timeout=60, check=False,
                                stdin=subprocess.DEVNULL)
        assert result.returncode == 0, f"{command} exited {result.returncode}: {result.stderr}\n{self.read_log()}"
        return result.stdout

    def read_log(self):
        path = os.path.join(self.folder, "mail.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self):
        self.postfix("postfix", "start")
        wait_until("Postfix listens", self.listens)

    def listens(self):
        return accepts_connections(self.port)

    def stop(self):
        self.postfix("postfix", "stop")

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def purge(self):
        """Forgets all mail, and starts a new page of the log."""
        self.postfix("postsuper", "-d", "ALL")
        with open(os.path.join(self.folder, "mail.log"), "a", encoding="ascii") as file:
            file.truncate(0)

    def drain(self):
        """Until its queue is empty. When it looks at a mail at the very moment at which the last attempt ends ("skipped, still being
        delivered") it leaves it alone for 5 minutes, whatever its settings say: so it is asked."""
        def is_empty():
            if self.queue_is_empty():
                return True
            self.postfix("postqueue", "-f")
            time.sleep(0.5)
            return False

        wait_until("Postfix's queue is empty", is_empty)

    def queue_is_empty(self):
        return not any(files for name in ("incoming", "active", "deferred", "hold")
                       for _, _, files in os.walk(os.path.join(self.folder, "queue", name)))


class Mx(Postfix):
    """Accepts mail for the gateway's domain, checks it, and hands it to the gateway by LMTP."""

    def __init__(self, lmtp_port):
        super().__init__(f"""
myhostname = mx.test
mynetworks =
relay_domains = {DOMAIN}
smtpd_relay_restrictions = reject_unauth_destination
transport_maps = inline:{{ {DOMAIN}=lmtp:inet:127.0.0.1:{lmtp_port} }}
header_checks = regexp:$config_directory/header_checks
nested_header_checks =
""")
        self.write("header_checks", HEADER_CHECKS.format(authserv_id=AUTHSERV_ID))


class Front(Postfix):
    """An MX for the gateway's domain whose way of doing so is in the settings: blocks of docs/postfix.md. Its bounces go nowhere."""

    def __init__(self, settings="", services=""):
        super().__init__(f"""
myhostname = mx.test
mynetworks =
default_transport = discard:
header_checks = regexp:$config_directory/header_checks
nested_header_checks =
{settings}""", services)
        self.write("header_checks", HEADER_CHECKS.format(authserv_id=AUTHSERV_ID))

    def make_socket_folder(self, name):
        """As the document's `install -d -o postern -g postfix -m 2750` does. Returns the path."""
        path = os.path.join(self.folder, "queue", name)
        os.mkdir(path)
        shutil.chown(path, group="postfix")
        os.chmod(path, 0o2750)
        return path

    def statuses(self):
        """recipient -> the outcomes of its attempts so far, in order."""
        outcomes = {}
        for recipient, status in re.findall(r"/(?:smtp|lmtp|error)\[.* to=<([^>]*)>.* status=(\w+)", self.read_log()):
            outcomes.setdefault(recipient, []).append(status)
        return outcomes


NOBODY = pwd.getpwnam("nobody")
# Whatever is for the transport "virtual" comes into one maildir, whomever it is for.
ONE_MAILDIR = f"""\
virtual_mailbox_base = $data_directory/../mail
virtual_mailbox_maps = static:all/
virtual_mailbox_limit = 0
virtual_minimum_uid = 1
virtual_uid_maps = static:{NOBODY.pw_uid}
virtual_gid_maps = static:{NOBODY.pw_gid}
"""


def make_maildir_folder(instance):
    """Where an instance with ONE_MAILDIR may make it. Returns the maildir's path."""
    folder = os.path.join(instance.folder, "mail")
    os.mkdir(folder)
    shutil.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    return os.path.join(folder, "all")


class Smarthost(Postfix):
    """Accepts all mail from this machine and delivers it, whatever its domain, into one maildir."""

    def __init__(self):
        super().__init__(f"""
myhostname = smarthost.test
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
transport_maps = static:virtual
{ONE_MAILDIR}""")
        self.maildir = make_maildir_folder(self)

    def purge(self):
        super().purge()
        shutil.rmtree(self.maildir, ignore_errors=True)

    def mails(self):
        return read_maildir(self.maildir)


def read_maildir(folder):
    """The messages of a maildir, parsed, in order of delivery."""
    mails = []
    for path in sorted(glob.glob(os.path.join(folder, "new", "*")), key=os.path.getmtime):
        with open(path, "rb") as file:
            mails.append(email.message_from_binary_file(file, policy=email.policy.default))
    return mails


def read_raw_maildir(folder):
    """The messages of a maildir as they were sent, with CRLF, behind what the delivery has added, in order of delivery."""
    mails = []
    for path in sorted(glob.glob(os.path.join(folder, "new", "*")), key=os.path.getmtime):
        with open(path, "rb") as file:
            mails.append(re.sub(rb"\r?\n", b"\r\n", file.read()))
    return mails
