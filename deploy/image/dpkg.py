# SPDX-License-Identifier: Apache-2.0
"""What dpkg knows of the packages below a root folder: "/" for this machine, or a sysroot of another architecture."""
import hashlib
import os
import subprocess
from dataclasses import dataclass


class ImageError(Exception):
    """A sentence for whoever builds the image."""


@dataclass(frozen=True, order=True)
class Package:
    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    maintainer: str


def normalize(path):
    """Debian 12's packages still name files in /lib that are in /usr/lib on every machine."""
    return "/usr" + path if path.startswith(("/lib/", "/lib64/", "/bin/", "/sbin/")) else path


class Dpkg:
    def __init__(self, root):
        self.root = root
        self.admin = os.path.join(root, "var/lib/dpkg")

    def query(self, *arguments, status_max=0):
        done = subprocess.run(["dpkg-query", "--admindir", self.admin, *arguments], capture_output=True, text=True,
                              check=False, env=os.environ | {"LC_ALL": "C"})
        if done.returncode > status_max:
            raise ImageError(f"dpkg-query {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def real(self, path):
        """Where this file of a package is: a sysroot has it in /lib where the package says so."""
        for form in (normalize(path), path.removeprefix("/usr")):
            found = os.path.join(self.root, form.lstrip("/"))
            if os.path.exists(found):
                return found
        return None

    def owners(self, paths):
        """{path: dpkg's name of the package that ships it}; each must have one."""
        forms = {form: path for path in paths for form in (normalize(path), normalize(path).removeprefix("/usr"))}
        found = {}
        for line in self.query("-S", *sorted(forms), status_max=1).splitlines():
            name, _, path = line.rpartition(": ")
            found[forms[path]] = name
        for path in paths: # dpkg-query's status 1: some form of a path was not found
            if path not in found:
                raise ImageError(f"{path}: no Debian package below {self.root} ships it, so its licence and version are unknown")
        return found

    def describe(self, name):
        fields = ("binary:Package", "Version", "Architecture", "source:Package", "source:Version", "Maintainer")
        line = self.query("-W", "-f", "\\t".join("${%s}" % field for field in fields), name)
        values = line.split("\t")
        return Package(values[0].partition(":")[0], *values[1:])

    def check(self, name, path):
        """That the file is the one that Debian shipped, not one that somebody put over it."""
        content = read(self.real(path))
        sums = self.query("--control-show", name, "md5sums").splitlines()
        expected = {normalize("/" + line[34:]): line[:32] for line in sums}.get(normalize(path))
        if expected != hashlib.md5(content, usedforsecurity=False).hexdigest():
            raise ImageError(f"{path} is not what {name} shipped (md5sums); reinstall the package")
        return content


def read(path):
    with open(path, "rb") as file:
        return file.read()
