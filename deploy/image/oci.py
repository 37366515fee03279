# SPDX-License-Identifier: Apache-2.0
"""An OCI image layout in a tar archive, the same bytes for the same input: sorted names, one time for all, no owner."""
import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """What stands at one path of the image: a file with content, a link, or (neither) a folder."""
    content: bytes | None = None
    link: str | None = None
    mode: int = 0o755


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encode(tree):
    return json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()


def tar(entries, epoch):
    """entries: {path without a leading slash: Entry}; everything belongs to root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(entries):
            entry = entries[path]
            info = tarfile.TarInfo(path)
            info.mtime, info.mode = epoch, entry.mode
            if entry.link is not None:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
            elif entry.content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(entry.content)
            archive.addfile(info, io.BytesIO(entry.content) if entry.content is not None else None)
    return buffer.getvalue()


def descriptor(media_type, data, **more):
    return {"mediaType": "application/vnd.oci.image." + media_type, "digest": digest(data), "size": len(data)} | more


def archive(layers, config, annotations, name, epoch):
    """layers: (entries, their time), the lowest first; config: what its "config" and "architecture" say; name: with its tag.
    Returns the archive and the digest of the image."""
    tars = [tar(entries, time) for entries, time in layers]
    blobs = [gzip.compress(data, 9, mtime=0) for data in tars]
    config_data = encode(config | {"rootfs": {"type": "layers", "diff_ids": [digest(data) for data in tars]}})
    manifest = encode({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "annotations": annotations,
        "config": descriptor("config.v1+json", config_data),
        "layers": [descriptor("layer.v1.tar+gzip", blob) for blob in blobs],
    })
    # ref.name: buildah, skopeo, umoci; the other one: containerd.
    names = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
    platform = {"os": "linux", "architecture": config["architecture"]}
    index = encode({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        descriptor("manifest.v1+json", manifest, platform=platform, annotations=names)]})
    files = {"oci-layout": Entry(b'{"imageLayoutVersion":"1.0.0"}', mode=0o644), "index.json": Entry(index, mode=0o644)}
    for blob in [*blobs, config_data, manifest]:
        files["blobs/sha256/" + digest(blob).removeprefix("sha256:")] = Entry(blob, mode=0o644)
    return tar(files, epoch), digest(manifest)
