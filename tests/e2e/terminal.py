"""Somebody at a terminal: a program is started in one, and asked questions are answered."""
import contextlib
import os
import pty
import re
import select
import signal
import termios
import time

from procs import PATIENCE, sanitizer_environment


class Terminal:
    """As a context manager. What the program has shown is in `shown`."""

    def __init__(self, command, folder):
        self.shown = ""
        self.seen = 0   # of that, what was expected already
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, {**sanitizer_environment(folder), "TERM": "dumb"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def read(self, seconds):
        """False at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            octets = os.read(self.fd, 65536)
        except OSError:   # Linux says that the other side is closed
            return False
        self.shown += octets.decode(errors="replace").replace("\r\n", "\n")
        return bool(octets)

    def expect(self, text):
        """Waits until this is shown, after what was expected before."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown[self.seen:]:
            assert self.read(0.2), f"it ended, and has not shown {text!r} but:\n{self.shown[self.seen:]}"
            assert time.monotonic() < deadline, f"it does not show {text!r} but:\n{self.shown[self.seen:]}"
        self.seen = self.shown.index(text, self.seen) + len(text)

    def type(self, text):
        os.write(self.fd, text.encode())

    def answer(self, question, text):
        self.expect(question)
        self.type(text + "\n")

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def finish(self):
        """The exit status, or the negative signal by which it ended."""
        while self.read(PATIENCE):
            pass
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def find(self, pattern):
        return re.search(pattern, self.shown).group(1)
