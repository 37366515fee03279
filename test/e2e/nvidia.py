# SPDX-License-Identifier: Apache-2.0
"""`facet agent --publish nvidia` beside a stand-in for NVIDIA's device plugin (nvidia_plugin.c): five pods from Pending to
Running and a re-cut, once with a plugin that reads the GPUs on SIGHUP, once with one whose pod has to start again."""
import os

from machine import ROOT, Failed, wait_until
from story import (LEFTOVER, SMALL, clear, count_logged, deployment, expect_no_failed_pod, offers, phase_of, pod, running,
                   slices_on_gpu, slices_on_node)

LARGE = "nvidia.com/mig-3g.40gb"
LABELS = {"app": "nvidia-device-plugin-daemonset"}


def stand_in(machine, *options):
    return [os.path.join(machine.build, "test", "nvidia-device-plugin"),
            os.path.join(machine.build, "sim", "nvml", "libnvidia-ml.so.1"), *options]


def pid_of(machine, name):
    with open(os.path.join(machine.kubernetes, "pids"), encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.split()[0] == name)


def let_it_publish(machine):
    """The same agent, from its next start on in nvidia mode. It has to be gone before NVIDIA's plugin comes: where two
    plugins register one resource, the end of the one can leave the kubelet with slices that nobody announces any more,
    and it refuses every pod that gets one."""
    machine.agent.stop()
    if "--publish" not in machine.agent.command:
        machine.agent.command += ["--publish", "nvidia"]
    machine.kubectl("apply", "-f", os.path.join(ROOT, "deploy", "rbac.yaml"))


def start_over(machine):
    """For some minutes the kubelet counts as capacity what a plugin does not announce any more: only what can be had
    counts here."""
    clear(machine)
    wait_until(90, "the node offers nothing", lambda: not slices_on_node(machine))


def five_pods_and_a_re_cut(machine):
    machine.apply(deployment("story", 5, SMALL))
    wait_until(120, "5 pods Running", lambda: len(running(machine, "story")) == 5)
    wait_until(60, "the left-over slice is on offer", lambda: offers(machine, LEFTOVER)[0] == 1)
    machine.apply(pod("two", LEFTOVER))
    wait_until(60, "pod two Running", lambda: phase_of(machine, "two") == "Running")
    expect_no_failed_pod(machine)
    used = machine.get("node", "node1")["metadata"]["annotations"]["facet.gpu/status-gpu-0"]
    if "2g.20gb@0:used" not in used:
        raise Failed(f"pod two is not on the left-over slice: {used}")
    machine.kubectl("delete", "deployment", "story", "--wait=true")
    wait_until(60, "the five pods are gone", lambda: not running(machine, "story"))
    machine.apply(pod("three", LARGE))
    wait_until(180, "pod three Running", lambda: phase_of(machine, "three") == "Running")
    expect_no_failed_pod(machine)
    if phase_of(machine, "two") != "Running":
        raise Failed("pod two does not run any more")
    wait_until(60, "the reservation is gone", lambda: not machine.get("pods", "-n", "facet-system")["items"])
    if slices_on_node(machine) != slices_on_gpu(machine):
        raise Failed(f"the node offers {slices_on_node(machine)}, the GPU has {slices_on_gpu(machine)}")


def asked_since(machine, before, how):
    lines = [line for line in machine.agent.log()[before:] if "is to read the GPUs again" in line]
    return lines, [line for line in lines if how in line]


def sighup_is_enough(machine):
    """NVIDIA's plugin publishes and reads the GPUs on SIGHUP: 5 pods run, free slices are re-cut, no pod fails"""
    let_it_publish(machine)
    plugin = machine.program("nvidia-plugin", ["nsenter", "-m", "-t", pid_of(machine, "node"), *stand_in(machine)],
                             machine.environment)
    plugin.start()
    try:
        start_over(machine)
        before = len(machine.agent.log())
        five_pods_and_a_re_cut(machine)
        asked, signalled = asked_since(machine, before, f"its process {plugin.process.pid}")
        if not asked or asked != signalled:
            raise Failed(f"it was asked otherwise than by SIGHUP: {asked}")
        print(f"#   SIGHUP was sent {len(asked)} times")
    finally:
        plugin.stop()


def mounts(*folders):
    volumes = [{"name": f"v{i}", "hostPath": {"path": inside}} for i, inside in enumerate(folders)]
    return volumes, [{"name": f"v{i}", "mountPath": inside} for i, inside in enumerate(folders)]


def daemon_set(machine):
    """Its process has another name, so that nobody sees that it could be sent a signal."""
    loader = "/lib64/ld-linux-x86-64.so.2"
    volumes, inside = mounts("/usr", "/lib64", "/lib", machine.build, machine.folder, "/var/lib/kubelet/device-plugins")
    container = {"name": "nvidia-device-plugin", "image": "busybox", "imagePullPolicy": "IfNotPresent",
                 "command": [loader, *stand_in(machine, "--deaf")], "volumeMounts": inside,
                 "securityContext": {"privileged": True},
                 "env": [{"name": k, "value": machine.environment[k]}
                         for k in ("FACET_SIM_NVML_STATE", "FACET_SIM_NVML_MACHINE")]}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "nvidia-device-plugin-daemonset", "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": LABELS},
                     "template": {"metadata": {"labels": LABELS},
                                  "spec": {"terminationGracePeriodSeconds": 1, "tolerations": [{"operator": "Exists"}],
                                           "containers": [container], "volumes": volumes}}}}


def plugin_pods(machine):
    return [p for p in machine.get("pods", "-n", "kube-system", "-l", "app=" + LABELS["app"])["items"]
            if p["status"].get("phase") == "Running"]


def a_new_pod_is_enough(machine):
    """NVIDIA's plugin reads the GPUs only when its pod starts: 5 pods run, free slices are re-cut, no pod fails"""
    let_it_publish(machine)
    machine.apply(daemon_set(machine))
    try:
        wait_until(60, "the plugin's pod runs", lambda: plugin_pods(machine))
        start_over(machine)
        before = len(machine.agent.log())
        five_pods_and_a_re_cut(machine)
        asked, deleted = asked_since(machine, before, "was deleted")
        if not asked or asked != deleted:
            raise Failed(f"it was asked otherwise than by a new pod: {asked}")
        print(f"#   its pod was deleted {len(asked)} times")
    finally:
        machine.kubectl("delete", "daemonset", "-n", "kube-system", "nvidia-device-plugin-daemonset", "--wait=true")


def nobody_publishes(machine):
    """without a plugin to be found the node says so, and it goes when one comes"""
    let_it_publish(machine)
    start_over(machine)
    machine.apply(deployment("story", 1, SMALL))

    def error():
        return machine.node()["metadata"]["annotations"].get("facet.gpu/error", "")
    wait_until(60, "the node says that NVIDIA's plugin cannot be found",
               lambda: "is it installed?" in error())
    print(f"#   facet.gpu/error: {error()}")
    plugin = machine.program("nvidia-plugin", ["nsenter", "-m", "-t", pid_of(machine, "node"), *stand_in(machine)],
                             machine.environment)
    plugin.start()
    try:
        wait_until(60, "the pod runs", lambda: len(running(machine, "story")) == 1)
        wait_until(30, "the error is gone", lambda: not error())
    finally:
        plugin.stop()
    if not count_logged(machine, "NVIDIA's device plugin shows the slices"):
        raise Failed("the agent did not say that it is over")


TESTS = [sighup_is_enough, a_new_pod_is_enough, nobody_publishes]
