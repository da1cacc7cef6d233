"""A gateway that ends, or finds its disk failing, at a step that was named or numbered before (tests/e2e/faults.c)."""
import contextlib
import mmap
import os
import socket
import struct

from postern import Gateway
from power import Journal
from procs import DEV, sanitizer_environment, wait_until

FAULTS = os.path.join(DEV, "postern_faults.so")

# As in faults.h.
CHANGES = ("write", "sync", "rename", "link", "unlink", "truncate", "mkdir", "send")
KINDS = (*CHANGES, "read")
PLACES = ("", "log", "database", "content", "maildir", "state", "tmtp", "smtp-in", "smtp-out")
FILES = ("log", "database", "content", "maildir", "state")
SOCKETS = ("tmtp", "smtp-in", "smtp-out")
NOTHING, KILL_BEFORE, KILL_AFTER, FAIL, SHORT, DELAY, LIE = range(7)
STEPS_MAX, STEPS_AT = 16000, 96


class FaultyGateway(Gateway):
    fault = None
    fault_from = None   # the file from whose making on steps count

    def launch_environment(self):
        """For the next start only."""
        environment = sanitizer_environment(self.folder)
        if self.fault:
            environment.update(LD_PRELOAD=FAULTS, POSTERN_FAULT=self.fault)
            if self.fault_from:
                environment["POSTERN_FAULT_FROM"] = self.fault_from
            self.fault = None
        return environment

    def restart(self, fault=None):
        self.stop()
        self.fault = fault
        self.start()
        self.wait_online()

    def has_ended(self):
        return self.process.poll() is not None

    def revive(self):
        wait_until("the gateway is killed at that step", self.has_ended)
        assert self.process.returncode == -9
        self.process = None
        self.start()

    def content(self):
        return os.listdir(os.path.join(self.state, "content"))

    def wait_clean(self):
        self.wait_settled()
        wait_until("no content is left", lambda: not self.content())


class Control:
    """What the library and the test share: at which steps what happens, and which there were."""
    FIRST, LAST, ACTION, ARGUMENT, COUNTED_KINDS, COUNTED_PLACES, SEEN, HITS, SILO, RELAY, SMTP, LMTP = range(0, STEPS_AT, 8)

    def __init__(self, path):
        size = STEPS_AT + 2 * STEPS_MAX
        with open(path, "w+b") as file:
            file.truncate(size)
            self.memory = mmap.mmap(file.fileno(), size)
        self.path = path

    def set(self, field, value):
        struct.pack_into("<q", self.memory, field, value)

    def get(self, field):
        return struct.unpack_from("<q", self.memory, field)[0]

    def arm(self, action, first, last=None, argument=0, kinds=CHANGES, places=FILES + SOCKETS):
        """Steps count from here on; at those from `first` to `last` (`first`, unless given) it happens."""
        self.disarm()
        self.set(self.SEEN, 0)
        self.set(self.HITS, 0)
        self.set(self.ACTION, action)
        self.set(self.ARGUMENT, argument)
        self.set(self.COUNTED_KINDS, sum(1 << KINDS.index(kind) for kind in kinds))
        self.set(self.COUNTED_PLACES, sum(1 << PLACES.index(place) for place in places))
        self.set(self.LAST, last or first)
        self.set(self.FIRST, first)

    def disarm(self):
        self.set(self.FIRST, 0)

    def seen(self):
        return self.get(self.SEEN)

    def hits(self):
        return self.get(self.HITS)

    def step(self, number):
        """What it was: ("sync", "log")."""
        kind, place = self.memory[STEPS_AT + 2 * (number - 1):STEPS_AT + 2 * number]
        return KINDS[kind], PLACES[place]

    def steps(self):
        return [self.step(number) for number in range(1, min(self.seen(), STEPS_MAX) + 1)]


class NumberedGateway(FaultyGateway):
    """Whose steps are numbered. `journal`: what a power cut would undo is written down, so that lose_power() can."""

    def __init__(self, folder, silo_port, programs=DEV, journal=False):
        super().__init__(folder, silo_port, programs)
        self.steps = Control(os.path.join(folder, "steps"))
        self.journal = Journal(os.path.join(folder, "journal")) if journal else None

    def answers(self):
        """Without a program, for it is started often."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
            return probe.connect_ex(os.path.join(self.state, "control")) == 0

    def launch_environment(self):
        for field, port in ((Control.SILO, self.silo_port), (Control.SMTP, self.smtp_port), (Control.LMTP, self.lmtp_port),
                            (Control.RELAY, int(self.relay.rpartition(":")[2]) if self.relay.startswith("smtp:") else 0)):
            self.steps.set(field, port)
        environment = super().launch_environment()
        environment.update(LD_PRELOAD=FAULTS, POSTERN_FAULT_CONTROL=self.steps.path, POSTERN_FAULT_ROOT=self.folder)
        if self.journal:
            environment["POSTERN_FAULT_JOURNAL"] = self.journal.path
        return environment

    def lose_power(self, loses=lambda: True):
        """kill -9, and what was not synced is gone: each page and name for which loses() says so. Returns how many."""
        self.kill()
        return self.journal.cut(loses)
