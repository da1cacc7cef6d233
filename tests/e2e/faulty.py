"""A gateway that ends, or finds its disk failing, at a step that was named before (tests/e2e/faults.c)."""
import os

from postern import Gateway
from procs import DEV, sanitizer_environment, wait_until

FAULTS = os.path.join(DEV, "postern_faults.so")


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
