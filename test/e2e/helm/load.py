# SPDX-License-Identifier: Apache-2.0
"""A stream of short pods that ask for slices while things are installed, upgraded and taken away; and what became of them."""
import json
import subprocess
import threading
import time

from machine import Failed
from story import SMALL, pod

AT_ONCE = 3
PAUSE_S = 0.2


class Load(threading.Thread):
    """Pods of one second each, so many at once. with Load(machine) as load: ..."""

    def __init__(self, machine):
        super().__init__(daemon=True, name="load")
        self.machine, self.stopping, self.trouble = machine, threading.Event(), None
        self.made, self.ended, self.failed = 0, 0, {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.renew(self.look())
                time.sleep(PAUSE_S)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            self.trouble = error

    def look(self):
        """Those that still wait or run; those that have ended are counted and removed."""
        pods = self.machine.get("pods", "-n", "default", "-l", "load=yes")["items"]
        over = [p for p in pods if p["status"].get("phase") in ("Succeeded", "Failed")]
        for one in over:
            if one["status"]["phase"] == "Failed":
                self.failed[one["metadata"]["name"]] = f"{one['status'].get('reason')}: {one['status'].get('message')}"
        self.ended += len(over)
        if over:
            self.machine.kubectl("delete", "pod", "-n", "default", "--wait=false", *(p["metadata"]["name"] for p in over))
        return [p for p in pods if p not in over and "deletionTimestamp" not in p["metadata"]]

    def renew(self, left):
        fresh = []
        for _ in range(AT_ONCE - len(left)):
            self.made += 1
            one = pod(f"load-{self.made}", SMALL)
            one["metadata"]["labels"] = {"load": "yes"}
            one["spec"]["restartPolicy"] = "Never"
            one["spec"]["containers"][0]["command"] = ["sleep", "1"]
            fresh.append(one)
        if fresh:
            self.machine.kubectl("create", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": fresh}))

    def expect_unhurt(self):
        """None was rejected."""
        if self.trouble:
            raise Failed(f"the load itself failed: {self.trouble}")
        if self.failed:
            raise Failed(f"{len(self.failed)} of {self.ended} pods failed: {self.failed}")

    def clear(self):
        self.machine.kubectl("delete", "pod", "-n", "default", "-l", "load=yes", "--wait=true", "--grace-period=0")
