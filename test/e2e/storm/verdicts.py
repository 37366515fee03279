# SPDX-License-Identifier: Apache-2.0
"""The zeros: nobody rejected, nothing leaked."""
import datetime
import re
from collections import Counter

import chaos
from ledger import RESERVATION, is_ended
from machine import Failed
from timeline import log_times

WINDOW_MS_MAX = 15000
WINDOW_SLACK_MS = 100
FIRST_PODS_MS = 2000  # a kubelet's first batch comes about one second after the start of its loop

# The kubelet's own log is exact about the time of a rejection; the pod's status comes up to 5 s later.
REJECTION = re.compile(r"^\w(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+) .*\"Pod admission denied\"")
LOOP_STARTS = re.compile(r"^\w(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+) .*\"Starting kubelet main sync loop\"")
POD = re.compile(r'pod="?([^" ]+)"?')
PROFILE = re.compile(r"^nvidia\.com/mig-(.+)$")
GPU_LINE, INSTANCE_LINE = re.compile(r"^GPU (\d+):"), re.compile(r"^ +GI +\d+ +(\S+@\d+)$")
REPORT = "facet.gpu/status-gpu-"


def offered(node_object, field):
    """Profile -> count."""
    return {PROFILE.match(name).group(1): int(count) for name, count in node_object["status"][field].items()
            if PROFILE.match(name) and int(count)}


def reported(node_object):
    """What the agent reports: (GPU, "1g.10gb@6")."""
    found = set()
    for key, value in node_object["metadata"]["annotations"].items():
        if key.startswith(REPORT):
            found |= {(int(key.removeprefix(REPORT)), one.split(":")[0]) for one in filter(None, value.split(","))}
    return found


def on_gpus(machine, node):
    """What is there: (GPU, "1g.10gb@6")."""
    found, gpu = set(), None
    for line in machine.nvml_of(node, "show").splitlines():
        if match := GPU_LINE.match(line):
            gpu = int(match.group(1))
        elif match := INSTANCE_LINE.match(line):
            found.add((gpu, match.group(1)))
    return found


def expect_nothing_leaked(machine, api):
    """One look; Failed with what differs."""
    pods = api.get(f"/api/v1/pods?labelSelector={RESERVATION}")["items"]
    if pods:
        raise Failed(f"reservation pods are left: {[p['metadata']['name'] for p in pods]}")
    for node in machine.nodes:
        seen = api.get(f"/api/v1/nodes/{node.name}")
        annotations = seen["metadata"]["annotations"]
        plans = [annotations.get(f"nos.nebuly.com/{side}-partitioning-plan") for side in ("spec", "status")]
        exist, reports = on_gpus(machine, node), reported(seen)
        counts = dict(Counter(one.split("@")[0] for _, one in exist))
        if plans[0] != plans[1]:
            raise Failed(f"{node.name}: plan {plans[0]} is not done; the last that was is {plans[1]}")
        if exist != reports:
            raise Failed(f"{node.name}: on the GPUs alone {sorted(exist - reports)}, reported alone {sorted(reports - exist)}")
        for field in ("capacity", "allocatable"):
            if offered(seen, field) != counts:
                raise Failed(f"{node.name}: on the GPUs {counts}, {field} {offered(seen, field)}")


def expect_all_served(ledger):
    waiting = [p["metadata"]["name"] for p in ledger.storm_pods() if not is_ended(p)]
    if waiting:
        raise Failed(f"{len(waiting)} pods still wait or run, the first: {waiting[:3]}")


class Rejection:
    def __init__(self, at_ms, node, pod, words):
        self.at_ms, self.node, self.pod, self.words = at_ms, node, pod, words

    def is_reservation(self):
        return self.pod.startswith("facet-system/")

    def __str__(self):
        clock = datetime.datetime.fromtimestamp(self.at_ms / 1000).strftime("%H:%M:%S.%f")[:-3]
        return f"{clock} {self.node} {self.pod}: {self.words}"


class KubeletRejections:
    """What the kubelets' logs tell since this was made."""

    def __init__(self, machine):
        self.places = []
        for node in machine.nodes:
            path = node.kubelet_log(machine)
            with open(path, "rb") as log:
                self.places.append((node.name, path, log.seek(0, 2)))

    def read(self):
        found = {}
        for node, path, offset in self.places:
            with open(path, "rb") as log:
                log.seek(offset)
                for line in log.read().decode(errors="replace").splitlines():
                    match = REJECTION.match(line)
                    if match:
                        pod = POD.search(line)
                        rejection = Rejection(ms_of(match), node, pod.group(1) if pod else "?", line)
                        found.setdefault(rejection.pod, rejection)
        return found


def rejections_of(storm):
    """By the kubelets' logs; by the API server's word alone those of which no log tells."""
    found = storm.kubelet_rejections.read()
    for pod, (at_ms, node, words) in list(storm.ledger.rejected.items()):
        found.setdefault(pod, Rejection(at_ms, node, pod, words))
    return sorted(found.values(), key=lambda rejection: rejection.at_ms)


def loop_starts(machine, node):
    with open(node.kubelet_log(machine), encoding="utf-8", errors="replace") as log:
        return [ms_of(match) for match in map(LOOP_STARTS.match, log) if match]


class Window:
    """From the death of a kubelet or an agent until all resources are registered again. With a kubelet also until it has
    admitted its first batch of pods: it counts slices of pods that are gone until that is over, because it takes them off
    its books only when its sources are ready, and adds a source after the source's first pods (pkg/kubelet/kubelet.go,
    syncLoopIteration; pkg/kubelet/cm/devicemanager, UpdateAllocatedDevices). That is so with any device plugin."""

    def __init__(self, kind, node, begin_ms, end_ms, first_pods_ms):
        self.kind, self.node, self.begin_ms, self.end_ms = kind, node, begin_ms, end_ms
        self.first_pods_ms = first_pods_ms

    def covers(self, rejection):
        last_ms = max(self.end_ms + WINDOW_SLACK_MS, self.first_pods_ms)
        return rejection.node == self.node and self.begin_ms <= rejection.at_ms <= last_ms

    def is_without_plugin(self, rejection):
        return self.covers(rejection) and rejection.at_ms <= self.end_ms + WINDOW_SLACK_MS


def windows_without_plugin(storm):
    strikes = [s for s in storm.strikes.done if s[1] in chaos.ROUGH]
    windows = []
    for at_ms, kind, node in strikes:
        next_ms = min([s[0] for s in strikes if s[2] is node and s[0] > at_ms], default=at_ms + WINDOW_MS_MAX)
        registered = [t for t in log_times(node.agent, "registered with the kubelet")
                      if at_ms < t < min(next_ms, at_ms + WINDOW_MS_MAX)]
        started = [t + FIRST_PODS_MS for t in loop_starts(storm.machine, node) if at_ms < t < at_ms + WINDOW_MS_MAX
                   and kind == chaos.KUBELET]
        windows.append(Window(kind, node.name, at_ms, max(registered, default=next_ms), min(started, default=at_ms)))
    return windows


def ms_of(match):
    """klog writes neither year nor time zone: both are this machine's."""
    month, day, clock = match.groups()
    stamp = datetime.datetime.fromisoformat(f"{datetime.datetime.now().year}-{month}-{day}T{clock}")
    return int(stamp.timestamp() * 1000)
