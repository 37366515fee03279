# SPDX-License-Identifier: Apache-2.0
"""Whether each container has what it asked for: what the container runtime was told, held against what is on the GPUs.
A container must find exactly one slice, of its own profile, on the GPU from its start to its exit, and alone."""
import json
import os
import re
import time

from worker import Worker

LOOK_SECONDS = 0.1
GI_LINE = re.compile(r"^ +GI +\d+ +(\S+)@\d+$")
CI_LINE = re.compile(r"\(UUID: (MIG-\S+)\)$")


def slices_on(machine, node):
    """UUID -> profile of what exists on the node's GPUs."""
    found, profile = {}, None
    for line in machine.nvml_of(node, "show").splitlines():
        instance, compute = GI_LINE.search(line), CI_LINE.search(line)
        if instance:
            profile = instance.group(1)
        elif compute:
            found[compute.group(1)] = profile
    return found


def slices_given(line):
    """By environment variable or by CDI, whichever way the node has."""
    given = [u for u in line.get("env", {}).get("NVIDIA_VISIBLE_DEVICES", "").split(",") if u.startswith("MIG-")]
    return given + [name.split("=", 1)[1] for name in line.get("cdi", []) if "=MIG-" in name]


class Record:
    """The lines that a node's container runtime writes, as they come from now on."""

    def __init__(self, path):
        self.file, self.rest = open(path, encoding="utf-8"), ""
        self.file.seek(0, os.SEEK_END)

    def new_lines(self):
        self.rest += self.file.read()
        *whole, self.rest = self.rest.split("\n")
        return [json.loads(line) for line in whole]


class Oracle(Worker):
    def __init__(self, machine, nodes):
        super().__init__("oracle")
        self.machine, self.nodes = machine, nodes
        self.records = {node.name: Record(node.record) for node in nodes}
        self.running = {node.name: {} for node in nodes}  # container -> (pod, UUID, profile)
        self.started, self.looks, self.wrong = 0, 0, []

    def work(self):
        while not self.stopping.wait(LOOK_SECONDS):
            for node in self.nodes:
                self.look(node)

    def look(self, node):
        self.read(node)
        before = dict(self.running[node.name])
        exist = slices_on(self.machine, node)
        self.read(node)
        self.looks += 1
        for container, (pod, uuid, profile) in before.items():
            if container in self.running[node.name] and exist.get(uuid) != profile:
                self.complain(node, container, f"{pod} runs on {uuid}, which is {exist.get(uuid, 'not there')}")

    def read(self, node):
        running = self.running[node.name]
        for line in self.records[node.name].new_lines():
            container = line["container"]
            if line["event"] == "exit":
                running.pop(container, None)
                continue
            profile = line["pod"].split("-", 2)[2]
            self.started += 1
            given = slices_given(line)
            if len(given) != 1:
                self.complain(node, container, f"{line['pod']} was given {given or 'no slice'}")
                continue
            for other, uuid, _ in running.values():
                if uuid == given[0]:
                    self.complain(node, container, f"{line['pod']} and {other} were both given {uuid}")
            running[container] = (line["pod"], given[0], profile)

    def complain(self, node, container, sentence):
        self.running[node.name].pop(container, None)
        self.wrong.append(f"{time.strftime('%H:%M:%S')} {node.name}: {sentence}")
