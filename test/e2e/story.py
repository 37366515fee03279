# SPDX-License-Identifier: Apache-2.0
"""The story of the README on a real Kubernetes, step by step; each function is one test, in this order."""
import json
import re
from collections import Counter

from machine import Failed, wait_until

LABEL = "nos.nebuly.com/gpu-partitioning"
PREFIX = "nvidia.com/mig-"
SMALL, LEFTOVER = PREFIX + "1g.10gb", PREFIX + "2g.20gb"


def container(resource):
    return {"name": "main", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "120"],
            "resources": {"limits": {resource: 1}}}


def deployment(name, replicas, resource):
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels},
                                  "spec": {"terminationGracePeriodSeconds": 0,
                                           "containers": [container(resource)]}}}}


def pod(name, resource):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container(resource)]}}


def running(machine, app=None):
    return [p for p in machine.pods() if p["status"].get("phase") == "Running"
            and (app is None or p["metadata"].get("labels", {}).get("app") == app)]


def expect_no_failed_pod(machine):
    failed = [(p["metadata"]["name"], p["status"].get("message", p["status"].get("reason")))
              for p in machine.pods() if p["status"].get("phase") == "Failed"]
    if failed:
        raise Failed(f"pods failed: {failed}")


def offers(machine, resource):
    status = machine.node()["status"]
    return int(status["allocatable"].get(resource, 0)), int(status["capacity"].get(resource, 0))


def wait_for_offer(machine, resource, count, seconds=20):
    wait_until(seconds, f"the node offers {count} x {resource}",
               lambda: offers(machine, resource) == (count, count) or None)


def phase_of(machine, name):
    return machine.get("pod", name)["status"].get("phase")


def slices_on_gpu(machine):
    """Counts by profile."""
    return dict(Counter(re.findall(r"^ +GI +\d+ +(\S+)@", machine.nvml("show"), re.MULTILINE)))


def slices_on_node(machine):
    allocatable = machine.node()["status"]["allocatable"]
    return {name.removeprefix(PREFIX): int(count) for name, count in allocatable.items()
            if name.startswith(PREFIX) and int(count)}


def reports_its_gpu(machine):
    """the agent reports the GPU of a labelled node, and no slices"""
    machine.kubectl("label", "node", "node1", LABEL + "=mig", "--overwrite")
    machine.agent.start()
    machine.controller.start()

    def reported():
        annotations = machine.node()["metadata"]["annotations"]
        return "A100-SXM4-80GB mig=on" in annotations.get("facet.gpu/gpu-0", "") and \
            annotations.get("facet.gpu/status-gpu-0") == ""
    wait_until(20, "the node carries the GPU's identity and an empty layout", reported)


def five_pods_run(machine):
    """a Deployment of 5 replicas goes from Pending to Running"""
    machine.apply(deployment("story", 5, SMALL))
    wait_until(60, "5 pods Running", lambda: len(running(machine, "story")) == 5)
    expect_no_failed_pod(machine)


def node_offers_five_and_one(machine):
    """the node then offers five 1g.10gb, and one 2g.20gb from what was left over"""
    wait_for_offer(machine, SMALL, 5)
    wait_for_offer(machine, LEFTOVER, 1)


def containers_see_their_own_slices(machine):
    """every container sees its own MIG UUID, and NVML knows each"""
    uuids = machine.uuids_of_containers()
    if len(uuids) != 5 or len(set(uuids)) != 5:
        raise Failed(f"expected 5 different UUIDs, got {uuids}")
    known = machine.nvml("show")
    unknown = [u for u in uuids if u not in known]
    if unknown:
        raise Failed(f"NVML does not know {unknown}")


def leftover_is_taken(machine):
    """a pod asking 2g.20gb takes the left-over slice"""
    machine.apply(pod("two", LEFTOVER))
    wait_until(30, "pod two Running", lambda: phase_of(machine, "two") == "Running")
    if len(set(machine.uuids_of_containers())) != 6:
        raise Failed(f"expected 6 different UUIDs, got {machine.uuids_of_containers()}")


def whole_gpu_stays_pending(machine):
    """a pod asking 7g.80gb stays Pending, and an Event says what blocks it"""
    machine.apply(pod("seven", "nvidia.com/mig-7g.80gb"))
    notes = wait_until(20, "an Event NotTriggeredRepartition on pod seven",
                       lambda: machine.events_of("seven", "NotTriggeredRepartition"))
    if "node1" not in notes[0] or "GPU 0" not in notes[0]:
        raise Failed(f"the Event does not name the node and the GPU: {notes[0]}")
    if phase_of(machine, "seven") != "Pending":
        raise Failed("pod seven is not Pending")
    print(f"#   Event: {notes[0]}")


def unknown_profile_names_the_known(machine):
    """a pod asking a profile that no GPU has hears which ones exist"""
    machine.apply(pod("wrong", "nvidia.com/mig-3g.20gb"))
    notes = wait_until(20, "an Event NotTriggeredRepartition on pod wrong",
                       lambda: machine.events_of("wrong", "NotTriggeredRepartition"))
    if "3g.40gb" not in notes[0]:
        raise Failed(f"the Event does not name the profiles that exist: {notes[0]}")
    print(f"#   Event: {notes[0]}")


def people_are_answered(machine):
    """facet plan, explain and view answer from the live cluster"""
    plan = json.loads(machine.ask("plan", "-o", "json", exit_code=0))
    verdicts = {p["name"]: p["verdict"] for p in plan["pods"]}
    if verdicts.get("seven") != "blocked":
        raise Failed(f"facet plan: {verdicts}")
    machine.ask("plan", "--check", exit_code=2)
    explained = machine.ask("explain", "seven", exit_code=0)
    if "default/seven is blocked" not in explained or "7g.80gb needs all slots" not in explained:
        raise Failed(f"facet explain: {explained}")
    for line in explained.splitlines()[:4]:
        print(f"#   {line}")
    view = machine.ask("view", "--ascii", exit_code=0)
    if "2g.20gb" not in view or "default/two" not in view:
        raise Failed(f"facet view: {view}")


def triggered_events_exist(machine):
    """the five pods heard TriggeredRepartition"""
    for one in running(machine, "story"):
        if not machine.events_of(one["metadata"]["name"], "TriggeredRepartition"):
            raise Failed(f"no Event TriggeredRepartition on {one['metadata']['name']}")


def free_slices_are_recut(machine):
    """other profiles arrive: free slices are re-cut for them, used ones stay, no pod fails"""
    machine.kubectl("delete", "pod", "two", "seven", "wrong", "--wait=true")
    machine.kubectl("scale", "deployment", "story", "--replicas=1")
    wait_until(60, "one container is left", lambda: len(machine.uuids_of_containers()) == 1)
    kept = machine.uuids_of_containers()
    machine.apply(pod("three", "nvidia.com/mig-3g.40gb"))
    wait_until(60, "pod three Running", lambda: phase_of(machine, "three") == "Running")
    expect_no_failed_pod(machine)
    uuids = machine.uuids_of_containers()
    if len(set(uuids)) != 2 or not set(kept) < set(uuids):
        raise Failed(f"the container had {kept}, and now they have {uuids}")
    known = machine.nvml("show")
    if any(u not in known for u in uuids):
        raise Failed(f"NVML does not know all of {uuids}")
    if not machine.events_of("three", "TriggeredRepartition"):
        raise Failed("no Event TriggeredRepartition on pod three")


def reservations_are_gone(machine):
    """the reservation pods of the re-cut are gone, and the node offers what is on the GPU"""
    def quiet():
        pods = machine.get("pods", "--all-namespaces", "-l", "facet.gpu/reservation")["items"]
        if pods:
            raise Failed(f"still there: {[p['metadata']['name'] for p in pods]}")
        return slices_on_gpu(machine) == slices_on_node(machine)
    wait_until(30, "the node and the GPU agree without a reservation pod", quiet)


def second_agent_refuses(machine):
    """a second agent on the same node keeps out, and says why"""
    second = machine.agent_program("second-agent", "node1", machine.kubernetes, machine.environment)
    second.start()
    sentence = "another facet agent serves the device plugin folder"
    wait_until(10, "the second agent's sentence", lambda: any(sentence in line for line in second.log()))
    before = slices_on_node(machine)
    second.stop()
    if any("registered" in line for line in second.log()) or slices_on_node(machine) != before:
        raise Failed("the second agent did more than to wait")


def agent_is_upgraded(machine):
    """an agent that is upgraded leaves without a victim, and the slices are offered again"""
    uuids = set(machine.uuids_of_containers())
    machine.kubectl("scale", "deployment", "story", "--replicas=3")
    machine.agent.stop()
    if machine.agent.process.returncode:
        raise Failed(f"the agent ended with {machine.agent.process.returncode}")
    offered = slices_on_node(machine)
    if offered:
        raise Failed(f"the node of an agent that has ended offers {offered}")
    machine.agent.start()
    wait_until(60, "3 pods Running", lambda: len(running(machine, "story")) == 3)
    wait_until(30, "the node offers its slices again", lambda: slices_on_node(machine) == slices_on_gpu(machine))
    if not uuids < set(machine.uuids_of_containers()):
        raise Failed("a container lost its slice")
    expect_no_failed_pod(machine)


def label_is_removed(machine):
    """without its label the node is left alone: no slices offered, no reports, the GPU as it was; and back again"""
    slices, uuids = slices_on_gpu(machine), set(machine.uuids_of_containers())
    machine.kubectl("label", "node", "node1", LABEL + "-")

    def left():
        reports = [key for key in machine.node()["metadata"].get("annotations", {}) if key.startswith("facet.gpu/status")]
        return not slices_on_node(machine) and not reports
    wait_until(40, "nothing is offered or reported", left)
    if slices_on_gpu(machine) != slices or set(machine.uuids_of_containers()) != uuids:
        raise Failed("the GPU or the containers did not stay as they were")
    machine.kubectl("label", "node", "node1", LABEL + "=mig")
    wait_until(30, "the slices are offered again", lambda: slices_on_node(machine) == slices)
    expect_no_failed_pod(machine)


def clear(machine):
    """Nothing running, empty GPU, programs started anew."""
    machine.kubectl("delete", "deployments,pods", "--all", "-n", "default", "--wait=true", "--grace-period=0", "--force")
    wait_until(30, "all containers are gone", lambda: not machine.uuids_of_containers())
    machine.agent.stop()
    machine.controller.stop()
    machine.nvml("reset")
    annotations = [k + "-" for k in machine.node()["metadata"]["annotations"] if k.startswith(("facet.gpu/", "nos."))]
    if annotations:
        machine.kubectl("annotate", "node", "node1", *annotations)
    machine.agent.start()
    machine.controller.start()


def start_over(machine):
    """Empty GPU, empty node, nothing running: as on the first day."""
    clear(machine)
    wait_for_offer(machine, SMALL, 0)
    wait_for_offer(machine, LEFTOVER, 0)


def count_logged(machine, message):
    return sum(f'msg="{message}"' in line for line in machine.agent.log())


def story_survives(machine, strike):
    """Strikes when some slices exist and were taken and the next one is being created. (A pod that the scheduler binds
    in the instant in which a device plugin is dead is rejected by the kubelet for good: nobody can help that.)"""
    start_over(machine)
    created, allocated = (count_logged(machine, m) for m in ("slice created", "slice allocated"))
    machine.apply(deployment("story", 5, SMALL))

    def in_the_middle():
        taken = count_logged(machine, "slice allocated") - allocated
        return taken >= 1 and taken == count_logged(machine, "slice created") - created
    wait_until(30, "the first slices are created and taken", in_the_middle)
    strike()
    wait_until(90, "5 pods Running", lambda: len(running(machine, "story")) == 5)
    wait_for_offer(machine, SMALL, 5, 60)
    wait_for_offer(machine, LEFTOVER, 1, 60)
    expect_no_failed_pod(machine)


def agent_may_die(machine):
    """kill -9 of the agent in the middle: everything continues and no pod fails"""
    def strike():
        machine.agent.kill()
        machine.agent.start()
    story_survives(machine, strike)


def controller_may_die(machine):
    """kill -9 of the controller in the middle: everything continues and no pod fails"""
    def strike():
        machine.controller.kill()
        machine.controller.start()
    story_survives(machine, strike)


def kubelet_may_die(machine):
    """kill -9 of the kubelet in the middle: everything continues and no pod fails"""
    def strike():
        machine.kill("kubelet")
        machine.restart_kubelet()
    story_survives(machine, strike)


def agent_adopts_what_it_finds(machine):
    """kill -9 of the agent afterwards: it adopts the slices, running pods keep running, a new pod still comes"""
    uuids = set(machine.uuids_of_containers())
    machine.agent.kill()
    machine.agent.start()
    wait_for_offer(machine, LEFTOVER, 1, 60)
    machine.apply(pod("two", LEFTOVER))
    wait_until(60, "pod two Running", lambda: phase_of(machine, "two") == "Running")
    if not uuids <= set(machine.uuids_of_containers()):
        raise Failed("a container lost its slice")
    expect_no_failed_pod(machine)


def slices_of_ended_pods_are_recut(machine):
    """slices of pods that have ended are re-cut, also where the kubelet lists such pods, as those before 1.34 do"""
    machine.kill("kubelet")
    machine.restart_kubelet("--feature-gates=KubeletPodResourcesListUseActivePods=false")
    start_over(machine)
    names = [f"work-{i}" for i in range(7)]
    for name in names:
        work = pod(name, SMALL)
        work["spec"]["restartPolicy"] = "Never"
        work["spec"]["containers"][0]["command"] = ["sleep", "1"]
        machine.apply(work)
    wait_until(90, "seven pods have ended",
               lambda: all(phase_of(machine, name) == "Succeeded" for name in names))
    machine.apply(pod("three", PREFIX + "3g.40gb"))
    wait_until(60, "pod three Running", lambda: phase_of(machine, "three") == "Running")
    expect_no_failed_pod(machine)
    machine.kill("kubelet")
    machine.restart_kubelet()


STORY = [reports_its_gpu, five_pods_run, node_offers_five_and_one, containers_see_their_own_slices,
         leftover_is_taken, whole_gpu_stays_pending, unknown_profile_names_the_known, triggered_events_exist,
         people_are_answered]
SECOND_ACT = [free_slices_are_recut, reservations_are_gone, second_agent_refuses, agent_is_upgraded, label_is_removed]
DEATHS = [agent_may_die, controller_may_die, kubelet_may_die, agent_adopts_what_it_finds,
          slices_of_ended_pods_are_recut]
