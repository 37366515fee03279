# SPDX-License-Identifier: Apache-2.0
"""Reads an OCI archive by the specification, holding every digest and size against the bytes that it names."""
import gzip
import hashlib
import io
import json
import stat
import tarfile


class BadArchive(Exception):
    """What is wrong with it, as a sentence."""


class Archive:
    """index, manifest, config: parsed; layers: tar archives, the lowest first."""

    def __init__(self, path):
        with tarfile.open(path) as tar:
            self.files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}
        if json.loads(self.files["oci-layout"]) != {"imageLayoutVersion": "1.0.0"}:
            raise BadArchive("oci-layout does not say version 1.0.0")
        self.index = json.loads(self.files["index.json"])
        (self.entry,) = self.index["manifests"]
        self.manifest = json.loads(self.blob(self.entry))
        self.config = json.loads(self.blob(self.manifest["config"]))
        self.layers = [gzip.decompress(self.blob(layer)) for layer in self.manifest["layers"]]
        said = self.config["rootfs"]["diff_ids"]
        found = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in self.layers]
        if said != found:
            raise BadArchive(f"diff_ids are {said}, the layers' digests {found}")

    def blob(self, descriptor):
        digest = descriptor["digest"].removeprefix("sha256:")
        data = self.files["blobs/sha256/" + digest]
        if hashlib.sha256(data).hexdigest() != digest or len(data) != descriptor["size"]:
            raise BadArchive(f"{descriptor['digest']} is not what its name and size say")
        return data

    def members(self):
        """tarfile.TarInfo of all layers; a later layer's path takes an earlier one's place."""
        found = {}
        for layer in self.layers:
            with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
                found |= {member.name: member for member in tar}
        return [found[name] for name in sorted(found)]

    def unpack(self, folder):
        for layer in self.layers:
            with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
                tar.extractall(folder, numeric_owner=True)


def describe(member):
    """One line: kind and mode, owner, path, where a link points."""
    kind = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.REGTYPE: stat.S_IFREG}.get(member.type)
    if kind is None:
        raise BadArchive(f"{member.name} is neither a file nor a folder nor a link")
    link = f" -> {member.linkname}" if member.issym() else ""
    return f"{stat.filemode(kind | member.mode)} {member.uid}:{member.gid} {member.name}{link}"
