"""The benchmark of idle connections: what each costs after EHLO, plain and with STARTTLS, at posternd and at Postfix.

Memory is what the processes pay for together (PSS), with connections less without; the kernel's for the sockets is not in it.
Postfix has a process for each connection, and is asked for fewer.
"""
import os
import resource
import subprocess
import sys

import targets as kinds
from procs import RELEASE

# connections, connections of Postfix
COUNTS = [(1000, 100), (10000, 300)]
FILES_BESIDE = 600   # posternd reckons with two open files for each connection


class Idle:
    """Connections that have greeted, and do nothing while the block lasts."""

    def __init__(self, target, count, tls):
        command = [os.path.join(RELEASE, "smtp_bench"), f"127.0.0.1:{target.port}", kinds.BOB, kinds.ALICE, "idle", str(count)]
        self.process = subprocess.Popen([*command, *(["starttls"] if tls else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def __enter__(self):
        assert self.process.stdout.readline() == "idle\n", "the connections could not be made"

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def measure(target, count, tls):
    """After a few connections, whose memory is not counted, as that of all that is made once."""
    with Idle(target, 5, tls):
        before = kinds.pss_bytes(target.pid())
        with Idle(target, count, tls):
            return (kinds.pss_bytes(target.pid()) - before) / count / 1024


def run(folder):
    if os.geteuid() != 0:
        sys.exit("bench: Postfix can only be started by root")
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    most = (files - FILES_BESIDE) // 2 if files != resource.RLIM_INFINITY else kinds.SESSIONS_MAX
    certificate, key = kinds.make_certificate(folder)
    results = []
    postern = postfix = None
    try:
        postern = kinds.PosternTarget(folder, certificate, key)
        postfix = kinds.PostfixTarget(certificate, key)
        print(f"{'KiB of each idle connection':30} {'posternd':>10} {'Postfix':>10} {'ratio':>8}")
        for tls in (False, True):
            for count, postfix_count in COUNTS:
                count = min(count, most)
                postern.restart()   # memory that an earlier load has left would be used
                postfix.restart()
                ours, theirs = measure(postern, count, tls), measure(postfix, postfix_count, tls)
                results.append({"tls": tls, "connections": count, "postfix_connections": postfix_count, "posternd_kib": ours,
                                "postfix_kib": theirs})
                print(f"{f'{count}, ' + ('STARTTLS' if tls else 'plain'):30} {ours:10.1f} {theirs:10.1f} {theirs / ours:8.0f}"
                      f"  (Postfix: {postfix_count})", flush=True)
    finally:
        for target in (postern, postfix):
            if target:
                target.close()
    return {"connections": results}
