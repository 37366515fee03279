# SPDX-License-Identifier: Apache-2.0
"""The storm itself: short pods of mixed profiles, their number drawn anew every other moment, up to twice as many as
there is room for."""
import time

from ledger import NAMESPACE, is_ended
from worker import Worker

SLOTS = {"1g.10gb": 1, "2g.20gb": 2, "3g.40gb": 4, "7g.80gb": 8}
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
TICK_SECONDS = 0.05
REDRAW_SECONDS = (0.5, 2.5)
RUN_SECONDS = (0.1, 0.8)
PODS_PER_SECOND = 12
DEMAND = (0.2, 2.0)           # of the room
CANCELLED_SHARE = 0.5         # of the pods that wait and are not wanted any more
# Not 0: that deletes by force, and Kubernetes then gives the slice away while the container still ends.
GRACE_SECONDS = 1
RUNNING_DELETED_SHARE = 0.03  # of the running pods, at each drawing


def pod(name, profile, seconds):
    resource = "nvidia.com/mig-" + profile
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"profile": profile}},
            "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": GRACE_SECONDS, "enableServiceLinks": False,
                     "automountServiceAccountToken": False,
                     "containers": [{"name": "main", "image": "busybox", "imagePullPolicy": "IfNotPresent",
                                     "command": ["sleep", f"{seconds:.2f}"],
                                     "resources": {"limits": {resource: 1}}}]}}


class Load(Worker):
    def __init__(self, api, ledger, random, gpus, profiles):
        super().__init__("load")
        self.api, self.ledger, self.random = api, ledger, random
        self.slots, self.profiles = gpus * 8, profiles
        self.wanted, self.count, self.allowance = {}, 0, 0.0
        self.prefix = f"s{random.randrange(16 ** 4):04x}"
        self.deleted = set()

    def work(self):
        redraw_at = before = time.monotonic()
        while not self.stopping.wait(TICK_SECONDS):
            now = time.monotonic()
            if now >= redraw_at:
                self.draw()
                self.cancel()
                redraw_at = now + self.random.uniform(*REDRAW_SECONDS)
            self.allowance = min(self.allowance + (now - before) * PODS_PER_SECOND, 3)
            before = now
            self.top_up()
            self.clean()

    def draw(self):
        """Mostly two profiles at a time, so that the next drawing has to re-cut."""
        chosen = self.random.sample(self.profiles, min(len(self.profiles), self.random.choice((1, 2, 2, 3))))
        room = self.random.uniform(*DEMAND) * self.slots
        weights = [self.random.uniform(0.2, 1) for _ in chosen]
        self.wanted = {profile: max(1, round(room * weight / sum(weights) / SLOTS[profile]))
                       for profile, weight in zip(chosen, weights)}

    def top_up(self):
        live = self.ledger.live_by_profile()
        for profile in self.random.sample(list(self.wanted), len(self.wanted)):
            for _ in range(self.wanted[profile] - live.get(profile, 0)):
                if self.allowance < 1:
                    return
                self.allowance -= 1
                self.count += 1
                name = f"{self.prefix}-{self.count}-{profile}"
                self.ledger.note_created(name, profile)
                self.api.create(PODS, pod(name, profile, self.random.uniform(*RUN_SECONDS)))

    def delete(self, one):
        """Only as it was seen: a pod that is bound in this very moment would be deleted by force, as one that waits."""
        meta = one["metadata"]
        if self.api.delete(PODS + "/" + meta["name"], preconditions={"resourceVersion": meta["resourceVersion"]}):
            self.deleted.add(meta["name"])

    def cancel(self):
        """People change their minds about waiting pods, and sometimes about running ones."""
        surplus = {profile: count - self.wanted.get(profile, 0)
                   for profile, count in self.ledger.live_by_profile().items()}
        for one in self.ledger.storm_pods():
            if is_ended(one) or one["metadata"]["name"] in self.deleted:
                continue
            profile = one["metadata"]["labels"]["profile"]
            if one["spec"].get("nodeName"):
                if one["status"].get("phase") == "Running" and self.random.random() < RUNNING_DELETED_SHARE:
                    self.delete(one)
            elif surplus.get(profile, 0) > 0 and self.random.random() < CANCELLED_SHARE:
                surplus[profile] -= 1
                self.delete(one)

    def clean(self):
        for one in self.ledger.storm_pods():
            if is_ended(one) and one["metadata"]["name"] not in self.deleted:
                self.delete(one)
