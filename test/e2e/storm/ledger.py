# SPDX-License-Identifier: Apache-2.0
"""What became of every pod, from a watch of the API server."""
import threading
import time

from worker import Worker

RESERVATION = "facet.gpu/reservation"
NAMESPACE = "default"


def key_of(pod):
    return pod["metadata"]["namespace"] + "/" + pod["metadata"]["name"]


def is_ended(pod):
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def is_reservation(pod):
    return RESERVATION in pod["metadata"].get("labels", {})


class Ledger(Worker):
    def __init__(self, api):
        super().__init__("ledger")
        self.api, self.lock = api, threading.Lock()
        self.pods = {}          # by namespace/name: as the API server told last
        self.created = {}       # names that were created and not seen yet -> profile
        self.rejected = {}      # by namespace/name: (ms, node, "Reason: message")
        self.times = {}         # by namespace/name: {"created", "bound", "running"} in seconds
        self.succeeded = 0
        self.reservations = {}  # by namespace/name: when it was seen first
        self.reservation_lives = []  # seconds, of those that are gone

    def work(self):
        for kind, thing in self.api.watch("/api/v1/pods", self.stopping.is_set):
            with self.lock:
                if kind == "LIST":
                    self.take_list(thing)
                elif kind in ("ADDED", "MODIFIED"):
                    self.take(thing)
                elif kind == "DELETED":
                    self.take(thing)
                    self.forget(key_of(thing))

    def take_list(self, pods):
        gone = set(self.pods) - {key_of(p) for p in pods}
        for key in gone:
            self.forget(key)
        for pod in pods:
            self.take(pod)

    def forget(self, key):
        del self.pods[key]
        if key in self.reservations:
            self.reservation_lives.append(time.time() - self.reservations[key])

    def take(self, pod):
        key, status = key_of(pod), pod["status"]
        before = self.pods.get(key)
        self.pods[key] = pod
        self.created.pop(key, None)
        if is_reservation(pod):
            self.reservations.setdefault(key, time.time())
            return
        now = time.time()
        times = self.times.setdefault(key, {"created": now})
        if pod["spec"].get("nodeName"):
            times.setdefault("bound", now)
        if status.get("containerStatuses"):
            times.setdefault("seen by the kubelet", now)
        if status.get("phase") == "Succeeded" and not (before and is_ended(before)):
            self.succeeded += 1
        # Only the kubelet's admission writes a reason; a container that was ended has none.
        if status.get("phase") == "Failed" and status.get("reason") and key not in self.rejected:
            words = f"{status['reason']}: {status.get('message', '')}"
            self.rejected[key] = (int(now * 1000), pod["spec"].get("nodeName"), words)

    def note_created(self, name, profile):
        with self.lock:
            self.created[NAMESPACE + "/" + name] = profile

    def storm_pods(self):
        with self.lock:
            return [p for p in self.pods.values() if p["metadata"]["namespace"] == NAMESPACE]

    def live_by_profile(self):
        """How many pods of each profile are waiting or running, those included that the watch has not told of yet."""
        live = {}
        with self.lock:
            for pod in self.pods.values():
                profile = pod["metadata"].get("labels", {}).get("profile")
                if profile and not is_ended(pod):
                    live[profile] = live.get(profile, 0) + 1
            for profile in self.created.values():
                live[profile] = live.get(profile, 0) + 1
        return live

    def stop(self):
        """Without waiting for the watch, which may say nothing for a while."""
        self.stopping.set()
