# SPDX-License-Identifier: Apache-2.0
"""The rights of deploy/: all of them are used in a storm, no other is asked for, and an agent's token reaches no node
and no pod but its own."""
import http.client
import json
import os
import re
import ssl
import subprocess

from machine import Failed

NAMESPACE = "facet-system"
ACCOUNTS = ("facet-controller", "facet-agent")
FORBIDDEN = 403


class Use:
    """One kind of request, as a role would name it."""

    def __init__(self, entry):
        self.account = entry["user"]["username"].rsplit(":", 1)[1]
        reference = entry.get("objectRef", {})
        subresource = reference.get("subresource")
        self.resource = reference.get("resource", "") + (f"/{subresource}" if subresource else "")
        self.right = (self.account, reference.get("apiGroup", ""), self.resource, entry["verb"])
        self.is_denied = (entry.get("responseStatus", {}).get("code") == FORBIDDEN and
                          entry.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid")
        self.is_refused = entry.get("responseStatus", {}).get("code") == FORBIDDEN


def uses_of(machine):
    uses = []
    with open(os.path.join(machine.kubernetes, "log", "audit.log"), encoding="utf-8") as log:
        for line in log:
            try:
                uses.append(Use(json.loads(line)))
            except ValueError:  # an API server that was killed ends in the middle of a line
                continue
    return uses


def rights_given(machine):
    """Of the roles that deploy/rbac.yaml binds to the two accounts."""
    given = set()
    bindings = machine.get("clusterrolebindings")["items"] + machine.get("rolebindings", "-n", NAMESPACE)["items"]
    for binding in bindings:
        names = [s["name"] for s in binding.get("subjects", []) if s.get("namespace") == NAMESPACE and s["name"] in ACCOUNTS]
        if not names:
            continue
        where = ["-n", NAMESPACE] if binding["roleRef"]["kind"] == "Role" else []
        role = machine.get(binding["roleRef"]["kind"], binding["roleRef"]["name"], *where)
        given |= {(name, group, resource, verb) for name in names for rule in role["rules"] for group in rule["apiGroups"]
                  for resource in rule["resources"] for verb in rule["verbs"]}
    return given


def in_words(rights):
    return ", ".join(f"{account} {verb} {resource}" for account, _, resource, verb in sorted(rights))


def expect_minimal(machine):
    uses = uses_of(machine)
    if not uses:
        raise Failed("the audit log is empty")
    denied = {use.right for use in uses if use.is_denied}
    if denied:
        raise Failed("no role gives: " + in_words(denied))
    used = {use.right for use in uses}
    # This server streams lists as the beginning of a watch; one before 1.32, or with an old etcd, is asked to list.
    used |= {(account, group, resource, "list") for account, group, resource, verb in used if verb == "watch"}
    unused = rights_given(machine) - used
    if unused:
        raise Failed("a role gives, and nobody used: " + in_words(unused))
    refused = [use for use in uses if use.is_refused]
    if refused:
        raise Failed(f"{len(refused)} requests were refused, the first: {in_words({refused[0].right})}")


def patch_status(machine, kubeconfig, node, change):
    """As the agent does it; kubectl would read the node first, which the agent may not. The status and the answer."""
    with open(kubeconfig, encoding="utf-8") as file:
        token = re.search(r'token: "(.+)"', file.read()).group(1)
    context = ssl.create_default_context(cafile=os.path.join(machine.kubernetes, "pki", "ca.crt"))
    connection = http.client.HTTPSConnection("127.0.0.1", machine.port_base + 443, context=context, timeout=15)
    connection.request("PATCH", f"/api/v1/nodes/{node}/status", json.dumps(change),
                       {"Content-Type": "application/merge-patch+json", "Authorization": "Bearer " + token})
    answer = connection.getresponse()
    status, said = answer.status, answer.read().decode(errors="replace")
    connection.close()
    return status, said


def run(machine, kubeconfig, *arguments, given=None):
    done = subprocess.run([os.path.join(machine.kubernetes, "bin", "kubectl"), "--kubeconfig", kubeconfig, *arguments],
                          input=given, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr.strip()


def pod(node, owner_uid, **spec):
    return json.dumps({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "probe", "namespace": NAMESPACE, "labels": {"facet.gpu/reservation": node},
                     "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": node, "uid": owner_uid}]},
        "spec": {"automountServiceAccountToken": False, "activeDeadlineSeconds": 10, "schedulerName": "nobody",
                 "containers": [{"name": "reservation", "image": "facet.gpu/reservation", "imagePullPolicy": "Never"}]} | spec})


# What node2's agent may not write: a name for it, the node, and the patch of its status.
FOREIGN = (
    ("another node", "node1", {"metadata": {"annotations": {"facet.gpu/error": "x"}}}),
    ("a foreign annotation", "node2", {"metadata": {"annotations": {"example.com/x": "1"}}}),
    ("a foreign label", "node2", {"metadata": {"labels": {"example.com/x": "1"}}}),
    ("the label that hands a node to facet", "node2", {"metadata": {"labels": {"nos.nebuly.com/gpu-partitioning": None}}}),
    ("a foreign amount", "node2", {"status": {"capacity": {"example.com/x": "1"}}}),
    ("cpu", "node2", {"status": {"allocatable": {"cpu": "1000"}}}),
    ("no cpu", "node2", {"status": {"capacity": {"cpu": None}}}),
    ("a condition", "node2", {"status": {"conditions": []}}),
    ("an address", "node2", {"status": {"addresses": []}}),
)
OWN = (
    ("an annotation", {"metadata": {"annotations": {"facet.gpu/probe": "x"}}}),
    ("no annotation", {"metadata": {"annotations": {"facet.gpu/probe": None}}}),
    ("an amount", {"status": {"capacity": {"nvidia.com/mig-9g.90gb": "1"}, "allocatable": {"nvidia.com/mig-9g.90gb": "1"}}}),
    ("no amount", {"status": {"capacity": {"nvidia.com/mig-9g.90gb": None}, "allocatable": {"nvidia.com/mig-9g.90gb": None}}}),
    ("a label", {"metadata": {"labels": {"facet.gpu/offer": "99999"}}}),
)


def expect_own_node_only(machine):
    """The programs do not run: their agents would answer what is written here."""
    own, nobody = machine.account("facet-agent", "node2"), machine.account("facet-agent")
    found = []
    for name, change in OWN:
        status, said = patch_status(machine, own, "node2", change)
        if status != 200:
            found.append(f"refused on its own node, {name}: {said[:300]}")
    for name, node, change in FOREIGN:
        status, said = patch_status(machine, own, node, change)
        if status != FORBIDDEN or "ValidatingAdmissionPolicy" not in said:
            found.append(f"not refused by the policy, {name}: {status} {said[:300]}")
    status, said = patch_status(machine, nobody, "node2", OWN[0][1])
    if status != FORBIDDEN or "names no node" not in said:
        found.append(f"not refused by the policy, a token without a node: {status} {said[:300]}")
    if found:
        raise Failed("\n#   ".join(found))


def expect_own_pods_only(machine):
    own = machine.account("facet-agent", "node2")
    uids = {node: machine.get("node", node)["metadata"]["uid"] for node in ("node1", "node2")}
    privileged = [{"name": "reservation", "image": "facet.gpu/reservation", "imagePullPolicy": "Never",
                   "securityContext": {"privileged": True}}]
    pods = (("another node's", "node1", {}), ("one that could run", "node2", {"containers": [
        {"name": "reservation", "image": "busybox"}]}), ("a privileged one", "node2", {"containers": privileged}),
            ("one with the host's files", "node2", {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}),
            ("one with the host's network", "node2", {"hostNetwork": True}),
            ("one past the scheduler", "node2", {"nodeName": "node2"}))
    found = []
    for name, node, spec in pods:
        code, said = run(machine, own, "create", "-f", "-", given=pod(node, uids[node], **spec))
        if not code or "ValidatingAdmissionPolicy" not in said:
            found.append(f"not refused by the policy, {name}: {code} {said}")
    code, said = run(machine, own, "create", "-f", "-", given=pod("node2", uids["node2"]))
    if code:
        found.append(f"its own was refused: {said}")
    code, said = run(machine, machine.account("facet-agent", "node1"), "delete", "pod", "probe", "-n", NAMESPACE,
                     "--wait=false")
    if not code or "ValidatingAdmissionPolicy" not in said:
        found.append(f"another agent deleted it: {code} {said}")
    code, said = run(machine, own, "delete", "pod", "probe", "-n", NAMESPACE, "--wait=false")
    if code:
        found.append(f"its own agent could not delete it: {said}")
    if found:
        raise Failed("\n#   ".join(found))
