"""Runs a program under the filter of system calls that a systemd unit asks for: unit_filter.py UNIT PROGRAM ARGUMENT...

What the unit forbids fails with EPERM, as under systemd. It is built here because no systemd runs where the tests run; the sets
(@system-service) are those of the installed one, and libseccomp, which systemd uses too, compiles them.
"""
import ctypes
import errno
import os
import pwd
import re
import subprocess
import sys

ALLOW, FORBID = 0x7FFF0000, 0x00050000 | errno.EPERM
PROT_WRITE, PROT_EXEC, MASKED_EQUAL, NO_NEW_PRIVS = 2, 4, 7, 38


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("mask", ctypes.c_uint64), ("value", ctypes.c_uint64)]


def expand(name):
    """The system calls of a set, or the one that is named."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    names = [line.strip() for line in listed.splitlines()[1:]]
    return set().union(*(expand(each) for each in names if each and not each.startswith("#")))


def settings_of(unit):
    with open(unit, encoding="utf-8") as file:
        return re.findall(r"^(\w+)=(.*)$", file.read(), re.MULTILINE)


def allowed_by(unit):
    """As systemd reads it: the first line is a list of what is allowed, the others add, or with ~ take away."""
    allowed = expand("@default")
    for name, value in settings_of(unit):
        if name == "SystemCallFilter":
            calls = set().union(*(expand(word) for word in value.lstrip("~").split()))
            allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def load(unit):
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(FORBID)))
    for name in allowed_by(unit):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        conditions = []
        if name in ("mmap", "mprotect", "pkey_mprotect"):   # MemoryDenyWriteExecute: never both, and nothing becomes code
            mask = PROT_EXEC if name != "mmap" else PROT_WRITE | PROT_EXEC
            values = [0] if name != "mmap" else [0, PROT_WRITE, PROT_EXEC]
            conditions = [Comparison(2, MASKED_EQUAL, mask, value) for value in values]
        if number < 0:
            continue   # of another architecture
        for condition in conditions or [None]:
            rule = (Comparison * 1)(*([condition] if condition else []))
            result = seccomp.seccomp_rule_add_array(context, ctypes.c_uint32(ALLOW), number, 1 if condition else 0, rule)
            assert result == 0, (name, os.strerror(-result))
    assert seccomp.seccomp_load(context) == 0


def main():
    unit, *command = sys.argv[1:]
    assert ("MemoryDenyWriteExecute", "yes") in settings_of(unit)
    program = os.open(command[0], os.O_RDONLY)   # while we may still open it
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    assert ctypes.CDLL(None).prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    load(unit)
    os.execve(program, command, os.environ)


if __name__ == "__main__":
    main()
