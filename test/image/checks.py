# SPDX-License-Identifier: Apache-2.0
"""What must hold of an image. Each function returns what is wrong, as sentences."""
import glob
import hashlib
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
DRIVERS = ("470.256.02", "535.261.03", "550.163.01")
PROGRAMS = ("usr/bin/facet", "usr/libexec/facet/facet-nvml-worker")


def differences(what, expected, found):
    return [] if expected == found else [f"{what} is {found}, not {expected}"]


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"LC_ALL": "C"}).stdout


def sysroot(checkout, arch):
    return run(os.path.join(checkout, "deploy/image/sysroot"), arch).strip()


def nvidia_libraries(checkout):
    """(driver, the folder of its libnvidia-ml.so.1 or None), from what the nvml-clients part fetches."""
    cache = run(os.path.join(checkout, "test/nvml-clients/fetch")).strip()
    for driver in DRIVERS:
        found = glob.glob(f"{cache}/driver-{driver}/usr/lib/*/nvidia/*/libnvidia-ml.so.1")
        yield driver, os.path.dirname(found[0]) if found else None


def config_problems(archive, arch, version):
    prefix = "org.opencontainers.image."
    labels = archive.manifest["annotations"]
    problems = differences("the labels of the configuration", labels, archive.config["config"]["Labels"])
    problems += differences("the set of labels", {"created", "description", "licenses", "revision", "title", "version"},
                            {label.removeprefix(prefix) for label in labels} - {"source"})
    for name, value in (("title", "facet"), ("version", version), ("licenses", "Apache-2.0")):
        problems += differences(f"the label {name}", value, labels.get(prefix + name))
    if not re.fullmatch(r"[0-9a-f]{40}(-changed)?", labels.get(prefix + "revision", "")):
        problems.append(f"the label revision is {labels.get(prefix + 'revision')}, not a commit")
    config = archive.config
    problems += differences("created", labels.get(prefix + "created"), config["created"])
    problems += differences("the platform", (arch, "linux"), (config["architecture"], config["os"]))
    problems += differences("the platform in the index", {"architecture": arch, "os": "linux"}, archive.entry["platform"])
    problems += differences("the name", "localhost/facet:" + version, archive.entry["annotations"]["io.containerd.image.name"])
    wanted = {"Entrypoint": ["/usr/bin/facet"], "Cmd": ["help"], "User": "65532:65532", "WorkingDir": "/", "Env": ["PATH=/usr/bin"]}
    return problems + differences("the configuration", wanted, {key: value for key, value in config["config"].items() if key != "Labels"})


def content_problems(found, arch):
    """contents.txt: lines as of archive.describe; "[arm64] " in front of one makes it that architecture's alone."""
    with open(os.path.join(HERE, "contents.txt"), encoding="utf-8") as file:
        lines = [line for line in file.read().split("\n") if line and not line.startswith("#")]
    lines = [re.sub(r"^\[" + arch + r"\] ", "", line).replace("{triplet}", TRIPLETS[arch]) for line in lines]
    expected = {line for line in lines if not line.startswith("[")}
    return [f"missing: {line}" for line in sorted(expected - set(found))] + \
        [f"not expected: {line}" for line in sorted(set(found) - expected)]


def elf_files(root):
    for where, _, names in os.walk(root):
        for name in names:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    if file.read(4) == b"\x7fELF":
                        yield path


def library_problems(root):
    there = {os.path.basename(path) for path in elf_files(root)}
    problems = []
    for path in elf_files(root):
        for name in re.findall(r"\(NEEDED\)\s+Shared library: \[(.*)\]", run("readelf", "-dW", path)):
            if name not in there:
                problems.append(f"{os.path.relpath(path, root)} needs {name}")
    return problems


def program_problems(root, checkout):
    problems = []
    for program in PROGRAMS:
        path = os.path.join(root, program)
        if ".symtab" in run("readelf", "-SW", path):
            problems.append(f"{program} has its symbols still")
        if not re.search(r"FLAGS_1.*NOW.*PIE", run("readelf", "-dW", path)):
            problems.append(f"{program} is not linked with -z now and -pie")
        with open(path, "rb") as file:
            content = file.read()
        problems += [f"{program} names {folder}" for folder in (checkout, os.path.expanduser("~/.cache")) if folder.encode() in content]
    return problems


def licence_words(expression):
    return [word for word in re.split(r"[\s()]+", expression) if word not in ("", "AND", "OR")]


def spdx_problems(spdx, version):
    problems = differences("the version", ("SPDX-2.3", "CC0-1.0"), (spdx["spdxVersion"], spdx["dataLicense"]))
    identities = [package["SPDXID"] for package in spdx["packages"]]
    problems += differences("the number of packages", len(identities), len(set(identities)))
    known = {*identities, "SPDXRef-DOCUMENT"}
    problems += [f"no valid SPDXID: {name}" for name in known if not re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name)]
    problems += [f"a relationship with the unknown {end}" for relation in spdx["relationships"]
                 for end in (relation["spdxElementId"], relation["relatedSpdxElement"]) if end not in known]
    contained = {relation["relatedSpdxElement"] for relation in spdx["relationships"] if relation["relationshipType"] == "CONTAINS"}
    problems += differences("what the image contains", set(identities) - {"SPDXRef-facet-image"}, contained)
    facet = [package["versionInfo"] for package in spdx["packages"] if package["name"] == "facet"]
    problems += differences("facet's version", [version], facet)
    explained = {info["licenseId"] for info in spdx["hasExtractedLicensingInfos"]}
    used = {word for package in spdx["packages"] for word in licence_words(package["licenseDeclared"])}
    problems += differences("the set of explained licences", {word for word in used if word.startswith("LicenseRef-")}, explained)
    return problems + [f"no licence for {package['name']}" for package in spdx["packages"]
                       if not package["licenseDeclared"] or (package["licenseDeclared"] == "NOASSERTION" and package["name"] != "facet-image")]


def shipped_by(root):
    """{md5 of a file: (package, version) of the sysroot}"""
    listed = run("dpkg-query", "--admindir", root + "/var/lib/dpkg", "-W", "-f", "${Package}\t${binary:Package}\t${Version}\n")
    found = {}
    for line in listed.splitlines():
        name, binary, version = line.split("\t")
        for form in (name, binary, f"{name}:{os.path.basename(os.path.dirname(root)).removeprefix('debian-')}"):
            sums = os.path.join(root, "var/lib/dpkg/info", form + ".md5sums")
            if os.path.exists(sums):
                with open(sums, encoding="utf-8") as file:
                    found |= {entry.split()[0]: (name, version) for entry in file}
    return found


def md5(path):
    with open(path, "rb") as file:
        return hashlib.md5(file.read(), usedforsecurity=False).hexdigest()


def origin_problems(spdx, root, packages):
    """Each library of the image is, by its bytes, that of a listed package; each listed package gave a file."""
    owners = shipped_by(packages)
    problems, met = [], {"ca-certificates", "base-files"} # the bundle is checked by itself; base-files gives texts
    listed = {package["name"]: package["versionInfo"] for package in spdx["packages"] if package["SPDXID"].startswith("SPDXRef-Debian-")}
    for path in elf_files(root):
        name = os.path.relpath(path, root)
        if name in PROGRAMS:
            continue
        package, version = owners.get(md5(path), (None, None))
        if listed.get(package) != version or package is None:
            problems.append(f"{name} is of {package} {version}, which is not listed")
        met.add(package)
    return problems + [f"{package} is listed, but gave no library" for package in sorted(set(listed) - met)]


def certificate_problems(root, packages):
    files = sorted(glob.glob(packages + "/usr/share/ca-certificates/mozilla/*.crt"))
    with open(os.path.join(root, "etc/ssl/certs/ca-certificates.crt"), encoding="ascii") as file:
        bundle = file.read()
    problems = [] if len(files) > 100 else [f"only {len(files)} certificates"]
    problems += differences("the number of certificates", len(files), bundle.count("-----BEGIN CERTIFICATE-----"))
    for path in files:
        with open(path, encoding="ascii") as file:
            if file.read().strip() not in bundle:
                problems.append(f"{os.path.basename(path)} is missing")
    return problems
