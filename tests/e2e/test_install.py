"""What `cmake --install` installs, and what is said about the package without building it; that is for tests/packages/run."""
import glob
import json
import os
import re
import subprocess

import pytest

from procs import RELEASE, ROOT

BUILD = os.path.dirname(RELEASE)
PROGRAMS = ["sbin/posternd", "bin/posternctl", "bin/tmtp"]
FIXED = [
    *PROGRAMS,
    "lib/systemd/system/postern.service",
    "lib/systemd/system/postern-lmtp.socket",
    "lib/systemd/system/postern-smtp.socket",
    "lib/sysusers.d/postern.conf",
    "lib/tmpfiles.d/postern.conf",
    "share/doc/postern/CHANGES.md",
    "share/doc/postern/README.md",
    "share/doc/postern/examples/postern.conf",
    "share/man/man1/posternctl.1",
    "share/man/man1/tmtp.1",
    "share/man/man5/postern.conf.5",
    "share/man/man8/posternd.8",
]
OPTIONAL = {"packaging/completion/posternctl": "share/bash-completion/completions/posternctl"}


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def install(folder, prefix):
    """Installs below a folder, as who packages does. Returns where the prefix is."""
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], capture_output=True, text=True, check=False,
                          env={**os.environ, "DESTDIR": folder})
    assert done.returncode == 0, done.stdout + done.stderr
    return os.path.join(folder, prefix.lstrip("/"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(str(tmp_path_factory.mktemp("installed")), "/usr")


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(path, name), folder) for path, _, names in os.walk(folder) for name in names)


def test_the_list(installed, tmp_path):
    """Everything that is meant to be there, and nothing else; under every prefix."""
    wanted = FIXED + [place for source, place in OPTIONAL.items() if os.path.exists(os.path.join(ROOT, source))]
    wanted += ["share/doc/postern/" + os.path.relpath(path, ROOT) for pattern in ("*.md", "*.png")
               for path in glob.glob(f"{ROOT}/docs/**/{pattern}", recursive=True)]
    for example in ("prometheus", "grafana"):
        wanted += ["share/doc/postern/examples/" + os.path.relpath(path, f"{ROOT}/packaging")
                   for path in glob.glob(f"{ROOT}/packaging/{example}/**", recursive=True) if os.path.isfile(path) and ".test." not in path]
    assert files_below(installed) == sorted(wanted)
    assert files_below(install(str(tmp_path), "/opt/postern")) == sorted(wanted)


def test_programs_run_where_they_are(installed):
    assert output_of(os.path.join(installed, "sbin", "posternd"), "-V").strip() == f"posternd {declared_version()}"
    for program in ("posternctl", "tmtp"):
        done = subprocess.run([os.path.join(installed, "bin", program)], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and f"usage: {program}" in done.stderr


def test_example_configuration(installed, tmp_path):
    """It is taken as it is but for the user, who is not there on every machine."""
    example = read(installed, "share/doc/postern/examples/postern.conf")
    assert 'user      = "postern"' in example
    configuration = tmp_path / "postern.conf"
    configuration.write_text(re.sub(r"(?m)^user .*$", "", example).replace("/var/lib/postern", str(tmp_path)), encoding="utf-8")
    output_of(os.path.join(installed, "sbin", "posternd"), "-t", "-c", str(configuration))


@pytest.mark.parametrize("program", PROGRAMS)
def test_hardening(installed, program):
    path = os.path.join(installed, program)
    headers, dynamic = output_of("readelf", "-hlW", path), output_of("readelf", "-dW", path)
    symbols = output_of("readelf", "--dyn-syms", "-W", path)
    assert "DYN (Position-Independent Executable" in headers and re.search(r"FLAGS_1.*\bPIE\b", dynamic)
    assert "GNU_RELRO" in headers and re.search(r"FLAGS.*\bBIND_NOW\b|FLAGS_1.*\bNOW\b", dynamic)
    assert re.search(r"GNU_STACK.* RW ", headers) and not re.search(r" RWE ", headers)
    assert "RUNPATH" not in dynamic and "RPATH" not in dynamic
    assert "__stack_chk_fail" in symbols and "__snprintf_chk" in symbols
    with open(path, "rb") as file:
        built_in = re.search(rb"(?<![\w./-])" + re.escape(ROOT.encode()) + rb"/", file.read())   # and not the end of another path
        assert not built_in, "where it was built is in it"


def test_bill_of_materials(installed, tmp_path):
    """What the linker says is what the list says; and the check of it can fail."""
    out = str(tmp_path / "postern.spdx.json")
    output_of("scripts/sbom", "--version", "1.2.3", "--root", os.path.dirname(installed), "--out", out)
    output_of("scripts/sbom", "--check", out)
    with open(out, encoding="utf-8") as file:
        document = json.load(file)
    listed = {library for package in document["packages"][1:] for library in package["comment"].split(": ")[1].split(", ")}
    for program in PROGRAMS:
        needed = set(re.findall(r"NEEDED.*\[(.+)\]", output_of("readelf", "-dW", os.path.join(installed, program))))
        assert needed and needed <= listed
    assert {package["name"] for package in document["packages"]} >= {"postern", "libc6", "libsqlite3-0", "libssl3"}
    for spoil in (lambda d: d["packages"][1].pop("downloadLocation"), lambda d: d["relationships"].pop(0),
                  lambda d: d["files"][0]["checksums"].pop(0), lambda d: d.update(documentNamespace="here"),
                  lambda d: d["packages"].pop()):
        spoiled = json.loads(json.dumps(document))
        spoil(spoiled)
        with open(out, "w", encoding="utf-8") as file:
            json.dump(spoiled, file)
        assert subprocess.run(["scripts/sbom", "--check", out], cwd=ROOT, capture_output=True, check=False).returncode == 1


def declared_version():
    return re.search(r"(?m)^project\(postern VERSION ([0-9.]+)", read("CMakeLists.txt")).group(1)


def words_of_list(name):
    return {word for line in read("scripts", name).splitlines() for word in line.split("#")[0].split()}


def test_the_package_agrees_with_the_tree():
    """Its version is the tree's, which the changes name; and it is built with the packages that the tree is built with."""
    control, version = read("packaging", "debian", "control"), declared_version()
    assert output_of("dpkg-parsechangelog", "-l", "packaging/debian/changelog", "-S", "Version").strip() == version
    assert f"\n## {version} " in read("CHANGES.md") or f"\n## {version}\n" in read("CHANGES.md")
    declared = set(re.findall(r"(?m)^ ([a-z0-9.+-]+)", re.search(r"(?ms)^Build-Depends:\n(.*?)^\S", control).group(1)))
    tools = {"debhelper-compat", "dh-sequence-installsysusers", "gcc", "libc6-dev", "publicsuffix"}   # build-essential has the compiler
    listed = words_of_list("packages-build.txt")
    assert declared - tools == listed - tools, "packaging/debian/control and scripts/packages-build.txt differ"


PURGE = """
for place in /run /var/lib; do mount -t tmpfs tmpfs $place; done
[ ! -d /etc/postern ] || mount -t tmpfs tmpfs /etc/postern
{prepare}
echo mail >/var/lib/postern/postern.db
sh -s purge <<'END'
{script}
END
find /var/lib -mindepth 1 | sort
"""


@pytest.mark.parametrize("prepare, said, left", [
    ("mkdir /var/lib/postern", "removing /var/lib/postern", []),
    ("mkdir /var/lib/postern; mount -t tmpfs tmpfs /var/lib/postern", "left: the folder /var/lib/postern", ["/var/lib/postern"]),
    ("mkdir /var/lib/other; ln -s other /var/lib/postern", "left: other, ", ["/var/lib/other", "/var/lib/other/postern.db"])])
def test_a_purge_ends_whatever_the_state_is_on(prepare, said, left):
    """A script that fails leaves dpkg in the middle. In mounts of its own."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount, and not everywhere")
    script = read("packaging", "debian", "postern.postrm").replace("#DEBHELPER#", "")
    done = subprocess.run(["unshare", "--mount", "sh", "-ec", PURGE.format(prepare=prepare, script=script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout and [line for line in done.stdout.splitlines() if line.startswith("/")] == left, done.stdout
