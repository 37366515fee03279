# SPDX-License-Identifier: Apache-2.0
"""The root file system of the image, as values: two programs, what they load, and what a scanner needs to know.

Everything but facet comes from installed Debian 12 packages; each file is held against its package's checksum. There is
no shell, no package manager, and no file that nothing reads.
"""
import glob
import os
import re
import subprocess

from dpkg import ImageError, normalize, read
from oci import Entry

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
LOADERS = {"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}

# Nothing of ours is linked to them; NVIDIA's libnvidia-ml.so.1, which comes from the host, is (470 to 550 were looked
# at), and the loader takes them from here. It asks for glibc 2.7, Debian 12 has 2.36. libgcc_s is what glibc itself
# loads when a thread is cancelled.
FOR_NVML = ("libpthread.so.0", "libdl.so.2", "librt.so.1", "libm.so.6", "libgcc_s.so.1")

USER = 65532
PASSWD = f"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n"
GROUP = f"root:x:0:\nnonroot:x:{USER}:\n"


def needed(path):
    """Libraries that this program or library names."""
    done = subprocess.run(["readelf", "--dynamic", "--wide", path], capture_output=True, text=True, check=True,
                          env=os.environ | {"LC_ALL": "C"})
    return re.findall(r"\(NEEDED\)\s+Shared library: \[(.*)\]", done.stdout)


def libraries(dpkg, architecture, programs):
    """{name: its path below the root}: everything that the programs load, however indirectly, and NVML's needs."""
    folder = "/usr/lib/" + TRIPLETS[architecture]
    loader = os.path.basename(LOADERS[architecture])
    found, waiting = {}, [name for program in programs for name in needed(program)] + [*FOR_NVML, loader]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = LOADERS[architecture] if name == loader else f"{folder}/{name}"
        real = dpkg.real(found[name])
        if not real:
            raise ImageError(f"{found[name]} is missing below {dpkg.root}")
        waiting += needed(real)
    return found


def origin(dpkg, path):
    """The path that a package ships: what a library's name is a link to."""
    real = os.path.realpath(dpkg.real(path))
    return normalize("/" + os.path.relpath(real, os.path.realpath(dpkg.root)))


def certificates(dpkg):
    """Mozilla's list as Debian ships it, without what this machine's owner may have added."""
    folder = os.path.join(dpkg.root, "usr/share/ca-certificates/mozilla")
    return ["/usr/share/ca-certificates/mozilla/" + os.path.basename(path) for path in sorted(glob.glob(folder + "/*.crt"))]


def licences(dpkg):
    """The long texts that copyright files point to."""
    folder = os.path.join(dpkg.root, "usr/share/common-licenses")
    return ["/usr/share/common-licenses/" + name for name in sorted(os.listdir(folder))]


def check_release(dpkg):
    release = read(dpkg.real("/usr/lib/os-release")).decode()
    if not re.search(r'^ID="?debian"?$', release, re.MULTILINE) or not re.search(r'^VERSION_ID="?12"?$', release, re.MULTILINE):
        raise ImageError("the image is made from Debian 12's libraries; build it on Debian 12")


def stanza(package):
    """What vulnerability scanners read in images without dpkg."""
    return (f"Package: {package.name}\nStatus: install ok installed\nVersion: {package.version}\n"
            f"Architecture: {package.architecture}\nSource: {package.source} ({package.source_version})\n"
            f"Maintainer: {package.maintainer}\n\n").encode()


def folders(entries):
    """The folders above these paths."""
    above = {}
    for path in entries:
        while (path := os.path.dirname(path)):
            above[path] = Entry()
    return above | entries


def system_layer(dpkg, architecture, programs):
    """(entries, [dpkg.Package], {package name: its copyright file})"""
    check_release(dpkg)
    bundle = certificates(dpkg)
    files = {path: (origin(dpkg, path), 0o755) for path in libraries(dpkg, architecture, programs).values()}
    files |= {path: (origin(dpkg, path), 0o644) for path in [*licences(dpkg), "/usr/lib/os-release"]}
    sources = sorted({source for source, _ in files.values()} | set(bundle))
    owners = dpkg.owners(sources)
    contents = {source: dpkg.check(owners[source], source) for source in sources}

    entries = {normalize(path)[1:]: Entry(contents[source], mode=mode) for path, (source, mode) in files.items()}
    entries["etc/ssl/certs/ca-certificates.crt"] = Entry(b"".join(contents[path] for path in bundle), mode=0o644)
    described = sorted({dpkg.describe(name) for name in owners.values()})
    copyrights = {}
    for package in described:
        text = read(dpkg.real(f"/usr/share/doc/{package.name}/copyright"))
        copyrights[package.name] = text.decode(errors="replace")
        entries[f"usr/share/doc/{package.name}/copyright"] = Entry(text, mode=0o644)
        entries[f"var/lib/dpkg/status.d/{package.name}"] = Entry(stanza(package), mode=0o644)
    entries |= {
        "etc/passwd": Entry(PASSWD.encode(), mode=0o644), "etc/group": Entry(GROUP.encode(), mode=0o644),
        # NVIDIA's container runtime puts the driver's libraries where this loader looks only if it finds this file.
        "etc/debian_version": Entry(read(dpkg.real("/etc/debian_version")), mode=0o644),
        "etc/nsswitch.conf": Entry(b"hosts: files dns\n", mode=0o644),
        "etc/os-release": Entry(link="../usr/lib/os-release"), "lib": Entry(link="usr/lib"),
        "dev": Entry(), "proc": Entry(), "sys": Entry(), "run": Entry(), "var/run": Entry(link="../run"),
    }
    if LOADERS[architecture].startswith("/lib64/"):
        entries["lib64"] = Entry(link="usr/lib64")
    return folders(entries), described, copyrights


def program_layer(programs, licence, packing_list):
    """facet itself; programs: {path in the image: file}."""
    entries = {path: Entry(read(file)) for path, file in programs.items()}
    entries["usr/share/doc/facet/copyright"] = Entry(read(licence), mode=0o644)
    entries["usr/share/doc/facet/facet.spdx.json"] = Entry(packing_list, mode=0o644)
    return folders(entries)
