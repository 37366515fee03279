# SPDX-License-Identifier: Apache-2.0
"""facet's life on a cluster by Helm, step by step: install, five pods, upgrade, rollback, uninstall. Each function is one
test, in this order."""
import os

import rights
from helm_machine import NAMESPACE, RELEASE
from load import Load
from machine import ROOT, Failed, wait_until
from story import (LABEL, LEFTOVER, PREFIX, SMALL, expect_no_failed_pod, phase_of, pod, running, slices_on_gpu, slices_on_node,
                   wait_for_offer)

DEVICE_PLUGIN = "nvidia.com/gpu.deploy.device-plugin"
SYS_ADMIN = 1 << 21
ENDED_UNDER_LOAD = 5  # pods, for a load to prove anything


def agents_words(machine):
    """What the agent writes on its node; the wish (spec) is the controller's."""
    metadata = machine.node()["metadata"]
    return sorted(key for key in [*metadata.get("annotations", {}), *metadata["labels"]]
                  if key.startswith(("facet.gpu/", "nos.nebuly.com/status")) and "/spec-" not in key or key == DEVICE_PLUGIN)


def containers_of_story(machine):
    """{pod: (container, restarts)}: whoever is killed or replaced shows here."""
    return {p["metadata"]["name"]: (p["status"]["containerStatuses"][0]["containerID"],
                                    p["status"]["containerStatuses"][0]["restartCount"]) for p in running(machine, "story")}


class Untouched:
    """with Untouched(machine): ... - whoever ran before runs on, with the slice that it had."""

    def __init__(self, machine):
        self.machine = machine

    def look(self):
        return containers_of_story(self.machine), set(self.machine.uuids_of_containers())

    def __enter__(self):
        self.containers, self.uuids = self.look()
        if not self.containers:
            raise Failed("no pod of the story runs")

    def __exit__(self, kind, *_):
        if kind:
            return
        containers, uuids = self.look()
        if containers != self.containers:
            raise Failed(f"containers were {self.containers}, and are {containers}")
        known = self.machine.nvml("show")
        lost = [uuid for uuid in self.uuids if uuid not in uuids or uuid not in known]
        if lost:
            raise Failed(f"slices of running containers are gone: {lost}")
        expect_no_failed_pod(self.machine)


def installs(machine):
    """helm install as the README says it: two controllers are ready, and no agent runs before a node is labelled"""
    said = machine.release("install", "--create-namespace")
    for word in ("kubectl label node NODE nos.nebuly.com/gpu-partitioning=mig", "kubectl get pods -n facet-system"):
        if word not in said:
            raise Failed(f"the notes do not say: {word}\n{said}")
    ready = [p for p in machine.pods_of("controller") if p["status"]["containerStatuses"][0]["ready"]]
    if len(ready) != 2 or machine.pods_of("agent"):
        raise Failed(f"{len(ready)} controllers are ready; agents: {len(machine.pods_of('agent'))}")


def labelled_node_gets_an_agent(machine):
    """a node that is labelled gets an agent, which reports its GPU and keeps NVIDIA's plugin away"""
    machine.kubectl("label", "node", "node1", LABEL + "=mig")

    def reported():
        metadata = machine.node()["metadata"]
        return "A100-SXM4-80GB mig=on" in metadata.get("annotations", {}).get("facet.gpu/gpu-0", "") and \
            metadata["labels"].get(DEVICE_PLUGIN) == "false"
    wait_until(60, "the node carries the GPU's identity", reported)
    machine.kubectl("rollout", "status", "-n", NAMESPACE, f"daemonset/{RELEASE}-agent", "--timeout=60s")


def five_pods_run(machine):
    """the five pods of deploy/examples go from Pending to Running"""
    with open(os.path.join(ROOT, "deploy", "examples", "five-pods.yaml"), encoding="utf-8") as file:
        example = file.read().replace('sleep, "120"', 'sleep, "3600"')  # a container that starts again would look hurt
    machine.kubectl("apply", "-f", "-", given=example)
    wait_until(90, "5 pods Running", lambda: len(running(machine, "story")) == 5)
    expect_no_failed_pod(machine)
    wait_for_offer(machine, SMALL, 5)
    wait_for_offer(machine, LEFTOVER, 1)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def expect_privileges(machine, role, uid, capabilities, no_new_privileges, seccomp):
    pids = machine.processes(role)
    if not pids:
        raise Failed(f"no {role} runs")
    for pid in pids:
        status = status_of(pid)
        seen = (int(status["Uid"].split()[0]), int(status["CapEff"], 16), int(status["NoNewPrivs"]), int(status["Seccomp"]))
        if seen != (uid, capabilities, no_new_privileges, seccomp):
            raise Failed(f"{role}: uid, capabilities, no_new_privs and seccomp are {seen}")
        with open(f"/proc/{pid}/mounts", encoding="utf-8") as file:
            if "ro" not in next(line.split()[3].split(",") for line in file if line.split()[1] == "/"):
                raise Failed(f"{role}: its root is writable")


def privileges_are_the_least(machine):
    """the controller has no privilege and no capability, the agent SYS_ADMIN alone, both a read-only root and seccomp"""
    expect_privileges(machine, "controller", 65532, 0, 1, 2)
    expect_privileges(machine, "agent", 0, SYS_ADMIN, 0, 2)


def one_controller_leads(machine):
    """one of the controllers holds the Lease; when its pod is deleted the other one takes over"""
    def holder():
        return machine.get("lease", f"{RELEASE}-controller", "-n", NAMESPACE)["spec"].get("holderIdentity", "").split("_")[0]
    first, pods = holder(), {p["metadata"]["name"] for p in machine.pods_of("controller")}
    if first not in pods:
        raise Failed(f"the Lease is {first}'s, the pods are {pods}")
    machine.kubectl("delete", "pod", first, "-n", NAMESPACE, "--wait=true")
    wait_until(30, "another one leads", lambda: holder() not in ("", first))


def change_under_load(machine, change):
    """Pods come and go before, while and after; who ran before runs on. Whoever had to be replaced was."""
    before = {p["metadata"]["name"] for p in machine.pods_of("agent")}
    with Untouched(machine), Load(machine) as load:
        wait_until(60, "the load runs", lambda: load.ended >= ENDED_UNDER_LOAD or load.trouble)
        change()
        machine.kubectl("rollout", "status", "-n", NAMESPACE, f"daemonset/{RELEASE}-agent", "--timeout=120s")
        ended = load.ended
        wait_until(60, "the load goes on", lambda: load.ended >= ended + ENDED_UNDER_LOAD or load.trouble)
    load.expect_unhurt()
    load.clear()
    after = {p["metadata"]["name"] for p in machine.pods_of("agent")}
    if before & after or not after:
        raise Failed(f"agents were {before}, and are {after}")
    print(f"#   {load.ended} pods ended, {ended - ENDED_UNDER_LOAD} of them until the new agent was ready")


def upgrade_hurts_nobody(machine):
    """helm upgrade with another value while short pods come and go: nobody is rejected or touched"""
    change_under_load(machine, lambda: machine.release("upgrade", "--set", "logLevel=debug"))


def rollback_hurts_nobody(machine):
    """helm rollback while short pods come and go: nobody is rejected or touched"""
    change_under_load(machine, lambda: machine.helm("rollback", RELEASE, "1", "--namespace", NAMESPACE, "--wait"))


def host_driver_works(machine):
    """the agent works with driverAccess=host as well, as a privileged container that sees the host's files"""
    with Untouched(machine):
        machine.release("upgrade", "--set", "agent.driverAccess=host", "--set", "agent.hostPID=true")
        wait_until(60, "the node offers its slices", lambda: slices_on_node(machine) == slices_on_gpu(machine))
    machine.helm("rollback", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout", "180s")


def uninstall_under_load_hurts_nobody(machine):
    """helm uninstall while short pods come and go: nobody is rejected or touched, and who comes later waits until it is back"""
    with Untouched(machine), Load(machine) as load:
        wait_until(60, "the load runs", lambda: load.ended >= ENDED_UNDER_LOAD or load.trouble)
        print("#   " + machine.helm("uninstall", RELEASE, "--namespace", NAMESPACE).strip().replace("\n", "\n#   "))
        wait_until(90, "the agent has ended", lambda: not machine.processes("agent"))
        wait_until(60, "the node offers nothing", lambda: not slices_on_node(machine))
        machine.release("install")
        ended = load.ended
        wait_until(90, "the load goes on", lambda: load.ended >= ended + ENDED_UNDER_LOAD or load.trouble)
    load.expect_unhurt()
    load.clear()


def uninstall_in_a_recut_hurts_nobody(machine):
    """helm uninstall in the middle of a re-cut: who runs, runs on, the reservation goes, and nothing is promised any more"""
    machine.kubectl("scale", "deployment", "story", "--replicas=1")
    wait_until(60, "one pod is left", lambda: len(machine.uuids_of_containers()) == 1)
    with Untouched(machine):
        machine.apply(pod("three", PREFIX + "3g.40gb"))
        wait_until(30, "a reservation pod", lambda: machine.get("pods", "-n", NAMESPACE, "-l", "facet.gpu/reservation")["items"])
        machine.helm("uninstall", RELEASE, "--namespace", NAMESPACE)
        wait_until(90, "the agent has ended", lambda: not machine.processes("agent"))
        wait_until(30, "all of its pods are gone", lambda: not machine.get("pods", "-n", NAMESPACE)["items"])
        wait_until(30, "the node offers nothing", lambda: not slices_on_node(machine))


def installs_again(machine):
    """installed again, it goes on where it was: the waiting pod gets its slice, and who ran runs on"""
    with Untouched(machine):
        machine.release("install")
        wait_until(90, "pod three Running", lambda: phase_of(machine, "three") == "Running")
        wait_until(60, "the node offers its slices", lambda: slices_on_node(machine) == slices_on_gpu(machine))


def node_is_given_back(machine):
    """a node whose label goes has nothing of facet any more, and no agent; its GPU and its pods stay as they are"""
    slices = slices_on_gpu(machine)
    with Untouched(machine):
        machine.kubectl("label", "node", "node1", LABEL + "-")
        wait_until(90, "the agent has ended", lambda: not machine.processes("agent"))
        if agents_words(machine):
            raise Failed(f"the node still says {agents_words(machine)}")
    if slices_on_gpu(machine) != slices or slices_on_node(machine):
        raise Failed(f"slices on the GPU: {slices_on_gpu(machine)}, were {slices}; on the node: {slices_on_node(machine)}")


def uninstall_leaves_pods_alone(machine):
    """helm uninstall then leaves accounts and rights of the agents, and running pods as they are"""
    with Untouched(machine):
        machine.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait")
    kinds = "deployments,daemonsets,pods,services,poddisruptionbudgets"
    wait_until(60, "nothing is left but accounts and rights",
               lambda: not machine.kubectl("get", kinds, "-n", NAMESPACE, "-o", "name"))
    machine.kubectl("get", f"serviceaccount/{RELEASE}-agent", f"clusterrole/{RELEASE}-agent", "-n", NAMESPACE)


def refusals(machine, accounts):
    return [use for use in rights.uses_of(machine) if use.is_refused and use.account in accounts]


def nothing_was_refused(machine):
    """so far nobody of facet asked for anything that the roles or the admission policies refuse"""
    refused = refusals(machine, rights.ACCOUNTS)
    if refused:
        raise Failed(f"{len(refused)} requests were refused, of them: {rights.in_words({use.right for use in refused})}")


def no_agent_was_refused(machine):
    """and agents kept their rights until their end"""
    refused = refusals(machine, ["facet-agent"])
    if refused:
        raise Failed(f"{len(refused)} requests were refused, of them: {rights.in_words({use.right for use in refused})}")


TESTS = [installs, labelled_node_gets_an_agent, five_pods_run, privileges_are_the_least, one_controller_leads,
         upgrade_hurts_nobody, rollback_hurts_nobody, host_driver_works, nothing_was_refused,
         uninstall_under_load_hurts_nobody, uninstall_in_a_recut_hurts_nobody, installs_again, node_is_given_back,
         uninstall_leaves_pods_alone, no_agent_was_refused]
