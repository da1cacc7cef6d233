"""The body of ./check: builds, runs every kind of test, counts, and shows the output of what failed.

Everything is counted one by one: each build, each lint, each program under ctest, each fuzz target, each pytest test.
What was skipped is listed and counted neither way. Full output lies in build/check/.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
LOGS = os.path.join(ROOT, "build", "check")
LINTS = ("selftest", "includes", "headers", "ceilings", "banned", "suppressions", "text", "format", "shell", "manpages", "events", "cppcheck")
SANDBOX_TESTS = ("mapping_convert_test", "mapping_convert_corpus_test", "mapping_convert_large_test")
FUZZ_RUNS = 5000    # with this seed, the same inputs on each machine: what nobody has changed does not fail;
FUZZ_SEED = 1       # tests/fuzz/run --minutes and --long look for more
FUZZ_LONG_SECONDS = 60
WORKERS = max(4, os.cpu_count() // 2)   # end-to-end tests at a time
LONG_SECONDS = 24 * 3600
SHOWN_LINES = 120   # of a failure's output; the rest is in its log


class Results:
    """Counts outcomes and prints each as it comes."""

    def __init__(self):
        self.passed = []
        self.failed = []
        self.skipped = []

    def add(self, name, outcome, seconds, output=""):
        {"ok": self.passed, "FAIL": self.failed, "skip": self.skipped}[outcome].append(name)
        print(f"{outcome:4} {name} ({seconds:.1f} s)", flush=True)
        if outcome == "FAIL" and output:
            lines = output.rstrip().splitlines()
            if len(lines) > SHOWN_LINES:
                print(f"     ... {len(lines) - SHOWN_LINES} lines more in build/check/")
            for line in lines[-SHOWN_LINES:]:
                print("     " + line)
            sys.stdout.flush()

    def summary(self):
        for name in self.skipped:
            print(f"skipped: {name}")
        for name in self.failed:
            print(f"failed: {name}")
        print(f"{len(self.passed)} passed, {len(self.failed)} failed")
        return 1 if self.failed or not self.passed else 0


def run(name, command, timeout, env=None):
    """Runs a command with its output in build/check/NAME.log. Returns (exit code, output, seconds)."""
    started = time.monotonic()
    log = os.path.join(LOGS, name + ".log")
    with open(log, "w", encoding="utf-8") as file:
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                              env={**os.environ, **(env or {})}) as process:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                file.write(f"\ngiven up after {timeout} s\n")
                code = 124
            finally:
                end(process)
    with open(log, encoding="utf-8", errors="replace") as file:
        return code, file.read(), time.monotonic() - started


def end(process):
    """Ends what still runs, with time to clean up: the end-to-end tests have servers to stop."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def build(results, preset, targets=()):
    """Configures and builds one preset. Returns whether that worked."""
    name = f"build.{preset}"
    print(f"...  {name}", flush=True)
    configure = ["cmake", "--preset", preset]
    if shutil.which("ccache"):
        configure.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
    code, output, seconds = run(f"{name}.configure", configure, 300)
    if code == 0:
        command = ["cmake", "--build", "--preset", preset]
        for target in targets:
            command += ["--target", target]
        code, output, more = run(name, command, 1800)
        seconds += more
    results.add(name, "FAIL" if code else "ok", seconds, output)
    return code == 0


def read_junit(path):
    """Yields (name, outcome, seconds, output) for each test case of a JUnit file."""
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name")
        if case.get("classname") not in (None, "", name):
            name = f"{case.get('classname')}.{name}"
        output = "\n".join(part.text or part.get("message") or "" for part in case if part.tag != "properties")
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome = "FAIL"
        elif skipped is not None and skipped.get("message") == "Unable to find executable":
            outcome = "FAIL"   # ctest's way to say that a test was not built
        elif skipped is not None or case.get("status") == "disabled":
            outcome = "skip"
        else:
            outcome = "ok"
        yield name, outcome, float(case.get("time") or 0), output


def run_junit(results, name, command, junit, timeout, env):
    """Runs a test runner that writes a JUnit file, and counts what is in it."""
    print(f"...  {name}", flush=True)
    if os.path.exists(junit):
        os.remove(junit)
    code, output, seconds = run(name, command, timeout, env)
    before = len(results.failed)
    found = list(read_junit(junit)) if os.path.exists(junit) else []
    for case in found:
        results.add(*case)
    if not found or (code != 0 and len(results.failed) == before):
        results.add(name, "FAIL", seconds, output)


def check_sandbox(results):
    """Sanitized workers run without seccomp: the tests that use real workers run from the release build as well."""
    for test in SANDBOX_TESTS:
        code, output, seconds = run(f"release.{test}", [os.path.join(ROOT, "build", "release", "bin", test)], 300)
        results.add(f"release.{test}", "FAIL" if code else "ok", seconds, output)


def check_lints(results):
    for lint in LINTS:
        code, output, seconds = run(f"lint.{lint}", [os.path.join(ROOT, "tests", "lint", lint + ".py")], 1200)
        results.add(f"lint.{lint}", "FAIL" if code else "ok", seconds, output)


class Tidy:
    """The longest of the lints. It takes what the end-to-end tests, which wait more than they work, leave of the processors."""

    def __enter__(self):
        self.started = time.monotonic()
        self.log = os.path.join(LOGS, "lint.tidy.log")
        with open(self.log, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen(["nice", "-n", "19", os.path.join(ROOT, "tests", "lint", "tidy.py")], cwd=ROOT,
                                            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_):
        end(self.process)

    def finish(self, results):
        code = self.process.wait()
        with open(self.log, encoding="utf-8", errors="replace") as file:
            results.add("lint.tidy", "FAIL" if code else "ok", time.monotonic() - self.started, file.read())


def check_ctest(results, long):
    junit = os.path.join(LOGS, "ctest.xml")
    command = ["ctest", "--test-dir", "build/dev", "-j", str(os.cpu_count()), "--output-on-failure", "--no-tests=error",
               "--output-junit", junit]
    env = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    run_junit(results, "ctest", command, junit, LONG_SECONDS if long else 900, env)


def check_fuzz(results, long):
    program = os.path.join(ROOT, "tests", "fuzz", "run")
    _, listed, _ = run("fuzz.list", [program, "--list"], 60)
    targets = listed.split()
    if not targets:
        results.add("fuzz", "FAIL", 0, "no fuzz target was built")
    extent = ["--seconds", str(FUZZ_LONG_SECONDS)] if long else ["--runs", str(FUZZ_RUNS), "--seed", str(FUZZ_SEED)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = pool.map(lambda target: run(f"fuzz.{target}", [program, *extent, target], 300), targets)
        for target, (code, output, seconds) in zip(targets, runs):
            results.add(f"fuzz.{target}", "FAIL" if code else "ok", seconds, output)


def check_e2e(results, long):
    junit = os.path.join(LOGS, "e2e.xml")
    command = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-o", "junit_logging=all", "--junitxml", junit, "tests/e2e"]
    if not long:   # they wait more than they work
        command += ["-n", str(WORKERS)]
    run_junit(results, "e2e", command, junit, LONG_SECONDS if long else 2400, {"PYTHONDONTWRITEBYTECODE": "1"})


def check_steps(results, name, program):
    """Runs a program of --long that says of each of its steps how it went."""
    print(f"...  {name}", flush=True)
    code, output, seconds = run(name, [os.path.join(ROOT, program)], LONG_SECONDS)
    steps = re.findall(rf"(?m)^(ok|FAIL)\s+({name}\.[\w.]+) \(([0-9.]+) s\)", output)
    for outcome, step, took in steps:
        results.add(step, outcome, float(took), output)
    if not steps or (code != 0 and all(outcome == "ok" for outcome, _, _ in steps)):
        results.add(name, "FAIL", seconds, output)


# What takes too long for every day: the Debian package, built twice, and a Debian of its own that lives with it; the model; what looks
# for races and wrong use of memory.
LONG_STEPS = (("packages", "tests/packages/run"), ("model", "tests/model/run"), ("analysis", "tests/analysis/run"))


def check_coverage(results):
    """Says which lines the tests run, in build/check/coverage.log, and fails when they are too few: an hour, so only in --long."""
    print("...  coverage", flush=True)
    code, output, seconds = run("coverage", [os.path.join(ROOT, "tests", "coverage", "run")], 4 * 3600)
    results.add("coverage", "FAIL" if code else "ok", seconds, output)


def main():
    parser = argparse.ArgumentParser(prog="check", description="Builds Postern and runs every test and lint.")
    parser.add_argument("--quick", action="store_true", help="leave out fuzzing and the end-to-end tests")
    parser.add_argument("--long", action="store_true",
                        help="cut after every byte, 10,000 messages each way, the Debian package, the model, analyzers: hours; progress shows in build/check/")
    arguments = parser.parse_args()
    quick = arguments.quick
    if arguments.long:
        os.environ["POSTERN_LONG"] = "1"
    os.makedirs(LOGS, exist_ok=True)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))   # through the cleanup of run()
    started = time.monotonic()
    results = Results()

    built = build(results, "dev")
    if built:
        check_ctest(results, arguments.long)
    check_lints(results)
    released = build(results, "release", ["posternd", "posternctl", "tmtp", "resolve", *SANDBOX_TESTS])
    if released:
        check_sandbox(results)
    if not quick and build(results, "fuzz", ["fuzz_targets"]):
        check_fuzz(results, arguments.long)
    with Tidy() as tidy:
        if not quick and built and released:
            check_e2e(results, arguments.long)
        tidy.finish(results)
    if arguments.long:
        for name, program in LONG_STEPS:
            check_steps(results, name, program)
        check_coverage(results)
    print(f"took {time.monotonic() - started:.0f} s")
    sys.exit(results.summary())


if __name__ == "__main__":
    main()
