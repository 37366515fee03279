#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a container image (docker archive) from a folder, without a container engine.

usage: mkimage.py OUT.tar NAME FOLDER [ENTRYPOINT...]
"""
import hashlib
import io
import json
import os
import sys
import tarfile


def layer_of(folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for where, folders, files in sorted(os.walk(folder)):
            for name in sorted(folders + files):
                path = os.path.join(where, name)
                info = layer.gettarinfo(path, os.path.relpath(path, folder))
                info.uid = info.gid = 0
                info.uname = info.gname = ""
                info.mtime = 0
                with open(path, "rb") if info.isfile() else io.BytesIO() as content:
                    layer.addfile(info, content if info.isfile() else None)
    return buffer.getvalue()


def add(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def main():
    out, name, folder, entrypoint = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    layer = layer_of(folder)
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": entrypoint, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
    }).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [digest + "/layer.tar"]}]
    with tarfile.open(out, "w") as archive:
        add(archive, config_name, config)
        add(archive, digest + "/layer.tar", layer)
        add(archive, "manifest.json", json.dumps(manifest).encode())


main()
