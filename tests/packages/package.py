"""The package itself: that it is built, always the same, and as Debian wants it."""
import glob
import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile

NOBODY = "nobody"
LATER = "+1"   # of the version that the tests upgrade to


class Place:
    """Where the tests work: the tree, folders, and the packages that have been built."""

    def __init__(self, tree, work, base, keep):
        self.tree, self.work, self.base, self.keep = tree, work, base, keep
        self.temporary = os.path.join(work, "temporary")
        self.packages = os.path.join(work, "packages")
        shutil.rmtree(self.temporary, ignore_errors=True)
        os.makedirs(self.temporary)

    def folder(self, name):
        path = os.path.join(self.temporary, name)
        os.makedirs(path, exist_ok=True)
        return path

    def version(self):
        return run(["dpkg-parsechangelog", "-l", os.path.join(self.tree, "packaging/debian/changelog"), "-S", "Version"]).strip()

    def package(self, later=False):
        """The path of the package, built now if the step before this one was left out."""
        version = self.version() + (LATER if later else "")
        found = glob.glob(os.path.join(self.packages, f"postern_{glob.escape(version)}_*.deb"))
        if not found:
            build(self, ["--version", version] if later else [], self.packages)
            found = glob.glob(os.path.join(self.packages, f"postern_{glob.escape(version)}_*.deb"))
        assert len(found) == 1, found
        return found[0]


def run(command, **more):
    """Runs a command to its end, and returns what it printed; what it said is part of the failure."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **more)
    assert done.returncode == 0, f"{command} exited {done.returncode}:\n{(done.stdout + done.stderr)[-6000:]}"
    return done.stdout


def build(place, options, output):
    """Always in the same folder, so that ccache may help with the later version."""
    run(["nice", os.path.join(place.tree, "scripts", "build-deb"), *options, "--folder", place.folder("building"), output])


def check_build(place):
    shutil.rmtree(place.packages, ignore_errors=True)
    assert os.path.getsize(place.package()) > 100_000
    assert glob.glob(os.path.join(place.packages, "postern-dbgsym_*.deb")), "no debug symbols"


def digests(folder):
    found = {}
    for path in glob.glob(os.path.join(folder, "*.deb")):
        with open(path, "rb") as file:
            found[os.path.basename(path)] = hashlib.sha256(file.read()).hexdigest()
    return found


def check_again(place):
    """Another user, umask, path, time zone, language and number of processors; and files of another date."""
    place.package()
    elsewhere = tempfile.mkdtemp(prefix="postern-again-with-a-longer-name-")   # not below the work folder, where that user may not go
    try:
        output = build_elsewhere(place, elsewhere)
        first = {name: digest for name, digest in digests(place.packages).items() if LATER not in name}
        second = digests(output)
        assert first and first == second, f"not the same: {first} {second}"
    finally:
        if not place.keep:
            shutil.rmtree(elsewhere)


def build_elsewhere(place, elsewhere):
    """Builds as nobody; returns the folder of the packages."""
    tree, output = os.path.join(elsewhere, "a tree"), os.path.join(elsewhere, "output")
    shutil.copytree(place.tree, tree, ignore=shutil.ignore_patterns("build", ".git", "__pycache__"), copy_function=shutil.copy)
    os.makedirs(output)
    account = pwd.getpwnam(NOBODY)
    for folder, _, names in os.walk(elsewhere):
        for path in [folder, *(os.path.join(folder, name) for name in names)]:
            os.chown(path, account.pw_uid, account.pw_gid)
            os.chmod(path, os.stat(path).st_mode & ~0o077)
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": "/nonexistent", "TZ": "Pacific/Kiritimati", "LANG": "C", "LC_ALL": "C",
                   "DEB_BUILD_OPTIONS": "parallel=1", "USER": NOBODY}
    run(["nice", "setpriv", "--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups", "sh", "-c",
         'umask 077; exec "$1" --folder "$2" "$3"', "sh", os.path.join(tree, "scripts", "build-deb"),
         os.path.join(elsewhere, "built"), output], env=environment, cwd=elsewhere)
    return output


def check_lintian(place):
    """Nothing at all, pedantic remarks included; overrides carry their reasons."""
    place.package()
    changes = os.path.join(place.packages, f"postern_{place.version()}_{architecture()}.changes")
    said = run(["lintian", "--info", "--display-info", "--pedantic", "--allow-root", "--fail-on", "error,warning,info,pedantic", changes])
    remarks = [line for line in said.splitlines() if re.match("[EWIP]: ", line)]
    assert not remarks, "\n".join(remarks)


def architecture():
    return run(["dpkg", "--print-architecture"]).strip()


def check_contents(place):
    """Owned by root, writable by nobody else, no set-id bits; and the list of materials is that of these programs."""
    listing = run(["dpkg-deb", "--contents", place.package()])
    for line in listing.splitlines():
        mode, owner, _, _, _, name = line.split(None, 5)
        assert owner == "root/root" and mode[5] == "-" and mode[8] == "-" and "s" not in mode, line
        assert name.startswith(("./", "./etc/postern/", "./lib/systemd/system/", "./usr/")), line
    assert not re.search(r"\./(usr/local|var|run|opt)/.", listing)
    assert "./etc/postern/postern.conf" not in listing, "a configuration would be overwritten, or asked about, at upgrades"
    stopped = " ".join(re.findall(r"deb-systemd-invoke stop (.*?) >", run(["dpkg-deb", "--info", place.package(), "prerm"])))
    assert set(re.findall(r"postern[-a-z]*\.[a-z]+", stopped)) == {"postern-lmtp.socket", "postern-smtp.socket", "postern.service"}, stopped
    unpacked = place.folder("unpacked")
    run(["dpkg-deb", "-x", place.package(), unpacked])
    materials = os.path.join(unpacked, "usr/share/doc/postern/postern.spdx.json")
    run([os.path.join(place.tree, "scripts", "sbom"), "--check", materials])
    with open(materials, encoding="utf-8") as file:
        described = json.load(file)
    for entry in described["files"]:
        with open(os.path.join(unpacked, entry["fileName"]), "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        assert {"algorithm": "SHA256", "checksumValue": digest} in entry["checksums"], entry["fileName"]
    # What apt installs with it is what is listed: no more libraries, no fewer.
    fields = run(["dpkg-deb", "-f", place.package(), "Depends"])
    libraries = {word.split(" ")[0] for word in fields.strip().split(", ")} & {entry["name"] for entry in described["packages"]}
    direct = {relation["relatedSpdxElement"] for relation in described["relationships"]
              if relation["spdxElementId"] == "SPDXRef-Package-postern" and relation["relationshipType"] == "DEPENDS_ON"}
    assert {"SPDXRef-Package-" + name for name in libraries} == direct, f"{libraries} {direct}"


def note(text):
    print(f"     {text}", flush=True)
    sys.stdout.flush()
