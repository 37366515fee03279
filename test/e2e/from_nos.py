# SPDX-License-Identifier: Apache-2.0
"""Moving over from nos: a node as nos left it (its annotations, slices used and free, NVIDIA's plugin publishing them) is
handed to facet. Nothing is touched by that: GPU, pods and UUIDs stay; then facet serves new pods."""
import os
import re
import subprocess

from machine import Failed, wait_until
from nvidia import pid_of, stand_in
from story import (LEFTOVER, SMALL, clear, deployment, expect_no_failed_pod, phase_of, pod, running, slices_on_gpu,
                   slices_on_node, wait_for_offer)

NOS = {"spec-partitioning-plan": "1690000000", "status-partitioning-plan": "1690000000",
       "spec-gpu-0-1g.10gb": "2", "spec-gpu-0-2g.20gb": "1",
       "status-gpu-0-1g.10gb-used": "1", "status-gpu-0-1g.10gb-free": "1", "status-gpu-0-2g.20gb-free": "1"}


def cut(machine, layout):
    """As nos' agent would, through NVML."""
    done = subprocess.run([os.path.join(machine.build, "facet"), "mig", "apply", layout, "--nvml-library",
                           os.path.join(machine.build, "sim", "nvml", "libnvidia-ml.so.1"),
                           "--device-plugin-path", machine.folder], env=machine.environment, capture_output=True,
                          text=True, check=False, timeout=60)
    if done.returncode:
        raise Failed(f"facet mig apply: {done.stderr.strip()}")


def instances(machine):
    """Every GPU instance with its id and place, and every MIG UUID."""
    shown = machine.nvml("show")
    return sorted(re.findall(r"^ +GI +\d+ +\S+@\S+", shown, re.MULTILINE)) + sorted(re.findall(r"MIG-[0-9a-f-]+", shown))


def lives(machine):
    """Each pod with the life of its container: nobody was restarted or replaced."""
    return sorted((p["metadata"]["uid"], [(c["containerID"], c["restartCount"]) for c in p["status"]["containerStatuses"]])
                  for p in running(machine, "old"))


def annotations(machine):
    return machine.node()["metadata"]["annotations"]


def leave_as_nos_does(machine):
    clear(machine)
    for program in (machine.agent, machine.controller):
        program.stop()
    machine.kubectl("label", "node", "node1", "nos.nebuly.com/gpu-partitioning=mig", "--overwrite")
    left = [key + "-" for key in annotations(machine) if key.startswith("facet.gpu/")]
    machine.kubectl("annotate", "node", "node1", "--overwrite", *left,
                    *[f"nos.nebuly.com/{key}={value}" for key, value in NOS.items()])
    cut(machine, "0: 1g.10gb@6,1g.10gb@5,2g.20gb@0")


def nothing_is_touched(machine):
    """a node of nos is handed to facet: slices, UUIDs and the running pod stay as they are"""
    leave_as_nos_does(machine)
    plugin = machine.program("nvidia-plugin", ["nsenter", "-m", "-t", pid_of(machine, "node"), *stand_in(machine)],
                             machine.environment)
    plugin.start()
    wait_for_offer(machine, SMALL, 2, 60)
    machine.apply(deployment("old", 1, SMALL))
    wait_until(60, "the old pod runs", lambda: len(running(machine, "old")) == 1)
    before = instances(machine), lives(machine), machine.uuids_of_containers()
    said = machine.ask("check", exit_code=2)
    if "(left-orders)" not in said or "no agent of facet is at work here" not in said:
        raise Failed(f"facet check: {said}")
    plugin.stop()
    machine.agent.start()
    machine.controller.start()
    wait_until(60, "facet reports what it found", lambda: len(annotations(machine).get("facet.gpu/status-gpu-0", "").split(
        ",")) == 3 and "1g.10gb@5:" in annotations(machine)["facet.gpu/status-gpu-0"])
    wait_until(60, "the node offers what is there", lambda: slices_on_node(machine) == slices_on_gpu(machine))
    after = instances(machine), lives(machine), machine.uuids_of_containers()
    if after != before:
        raise Failed(f"before: {before}, after: {after}")
    status = annotations(machine)["facet.gpu/status-gpu-0"]
    if status.count(":used") != 1 or status.count(":free") != 2:
        raise Failed(f"the node says {status}")
    expect_no_failed_pod(machine)
    print(f"#   facet.gpu/status-gpu-0: {status}")


def new_pods_are_served(machine):
    """then facet serves: a pod takes a slice of nos, another one gets a new one, and the old pod still has its own"""
    old, old_uuids = lives(machine), set(machine.uuids_of_containers())
    slices = set(instances(machine))
    machine.apply(pod("two", LEFTOVER))
    wait_until(60, "pod two Running", lambda: phase_of(machine, "two") == "Running")
    if set(instances(machine)) != slices:
        raise Failed(f"the free slice of nos was there, and yet {instances(machine)} came of {slices}")
    machine.apply(pod("three", LEFTOVER))
    wait_until(60, "pod three Running", lambda: phase_of(machine, "three") == "Running")
    uuids = set(machine.uuids_of_containers())
    if lives(machine) != old or len(uuids) != 3 or not old_uuids < uuids:
        raise Failed(f"the old pod had {old_uuids}, and now all have {uuids}")
    expect_no_failed_pod(machine)


TESTS = [nothing_is_touched, new_pods_are_served]
