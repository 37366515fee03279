# SPDX-License-Identifier: Apache-2.0
"""The third act on a real Kubernetes: containers get their slices by CDI (containerd 2.1), and nothing else.

There is no driver here: a file plays the output of nvidia-ctk, a folder the driver's part of /proc, and ordinary device
nodes those of the GPU, which lie below a root of their own as those of a driver in a container do.
"""
import json
import os
import stat

from machine import Failed, wait_until
from story import SMALL, deployment, expect_no_failed_pod, running, start_over

MAJOR = 511  # of nvidia-caps, as if


def capability_minor(gpu, instance, compute=None):
    """The kernel's numbering of the nodes in /dev/nvidia-caps."""
    return 3 + 135 * gpu + 9 * instance + (0 if compute is None else 1 + compute)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def play_driver(folder):
    lines = ["config 1", "monitor 2"]
    for instance in range(15):
        lines.append(f"gpu0/gi{instance}/access {capability_minor(0, instance)}")
        lines += [f"gpu0/gi{instance}/ci{c}/access {capability_minor(0, instance, c)}" for c in range(8)]
    write(os.path.join(folder, "proc", "driver", "nvidia-caps", "mig-minors"), "\n".join(lines) + "\n")
    write(os.path.join(folder, "proc", "devices"), f"Character devices:\n  1 mem\n{MAJOR} nvidia-caps\n")
    nodes = os.path.join(folder, "root", "dev")
    os.makedirs(nodes, exist_ok=True)
    for name in ("nvidiactl", "nvidia0"):
        if not os.path.exists(os.path.join(nodes, name)):
            os.mknod(os.path.join(nodes, name), 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    edits = {"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [],
             "containerEdits": {"env": ["DRIVER_OF_THE_TEST=550"],
                                "deviceNodes": [{"path": "/dev/nvidiactl", "hostPath": os.path.join(nodes, "nvidiactl")}]}}
    write(os.path.join(folder, "edits.json"), json.dumps(edits))


def cdi_folder(machine):
    return os.path.join(machine.kubernetes, "run", "cdi")


def containers(machine):
    """Of each container that runs: its environment, and its capability nodes with their device numbers."""
    found = []
    for pid in machine.pids_of_containers():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read().decode().split("\0")
            root = os.path.join("/proc", pid, "root", "dev")
            caps = sorted(os.listdir(os.path.join(root, "nvidia-caps"))) if "DRIVER_OF_THE_TEST=550" in environment else []
            devices = [os.stat(os.path.join(root, "nvidia-caps", name)).st_rdev for name in caps]
            gpus = sorted(name for name in os.listdir(root) if name.startswith("nvidia") and name != "nvidia-caps")
        except OSError:  # it ended meanwhile
            continue
        if caps:
            found.append({"environment": environment, "gpus": gpus, "caps": caps,
                          "numbers": [(os.major(d), os.minor(d)) for d in devices]})
    return found


def files(machine):
    return {name for name in os.listdir(cdi_folder(machine)) if name.startswith("facet-")}


def containers_get_their_slices_by_cdi(machine):
    """with --container-access cdi every container sees its own two capability nodes, and no variable"""
    folder = os.path.join(machine.folder, "driver")
    play_driver(folder)
    machine.agent.command += ["--container-access", "cdi", "--cdi-path", cdi_folder(machine), "--proc-path",
                              os.path.join(folder, "proc"), "--cdi-edits", os.path.join(folder, "edits.json")]
    start_over(machine)
    machine.apply(deployment("cdi", 3, SMALL))
    wait_until(60, "3 pods Running", lambda: len(running(machine, "cdi")) == 3)
    expect_no_failed_pod(machine)
    seen = wait_until(10, "3 containers with capabilities", lambda: len(containers(machine)) == 3 and containers(machine))
    for one in seen:
        if any(e.startswith("NVIDIA_VISIBLE_DEVICES=") for e in one["environment"]):
            raise Failed("a container got the variable, too")
        if one["gpus"] != ["nvidia0", "nvidiactl"]:
            raise Failed(f"a container sees {one['gpus']} in /dev")
        instance = one["numbers"][0][1]
        if one["numbers"] != [(MAJOR, instance), (MAJOR, instance + 1)] or (instance - 3) % 9:
            raise Failed(f"these are not the capabilities of one slice: {one['numbers']}")
    if len({tuple(one["caps"]) for one in seen}) != 3:
        raise Failed("two containers see the same slice")


def files_are_those_of_the_slices(machine):
    """there is a CDI file for each slice that exists; a stranger's stays and an old one of ours goes with a new start"""
    def agree():
        shown = machine.nvml("show")
        ours = files(machine)
        return len(ours) == shown.count("UUID: MIG-") and all(n[len("facet-"):-len(".json")] in shown for n in ours)
    wait_until(20, "the files are those of the slices", agree)
    for name in ("facet-MIG-of-an-earlier-life.json", "nvidia.json"):
        write(os.path.join(cdi_folder(machine), name), "{}")
    machine.agent.kill()
    machine.agent.start()
    wait_until(20, "the files are those of the slices again", agree)
    if not os.path.exists(os.path.join(cdi_folder(machine), "nvidia.json")):
        raise Failed("a file that is not ours was removed")
    os.unlink(os.path.join(cdi_folder(machine), "nvidia.json"))
    machine.agent.command = machine.agent.command[:machine.agent.command.index("--container-access")]


TESTS = [containers_get_their_slices_by_cdi, files_are_those_of_the_slices]
