# SPDX-License-Identifier: Apache-2.0
"""`facet check` against a real API server: rights as RBAC grants them, objects that are missing, and an account that may
see little."""
import json
import os
import subprocess

from machine import ROOT, Failed, wait_until

RBAC = os.path.join(ROOT, "deploy", "rbac.yaml")


AGENT, CLASS = ("rights", "serviceaccount facet-system/facet-agent"), ("priority-class", "priorityclass facet-reservation")


def rules(machine, exit_code):
    found = json.loads(machine.ask("check", "-o", "json", exit_code=exit_code))["findings"]
    return {(f["rule"], f["object"]): f for f in found if f["severity"] == "error"}


def wait_for(machine, exit_code, *expected):
    """The API server hears of changed roles a moment after it has stored them."""
    return wait_until(20, f"facet check finds the errors {expected}",
                      lambda: (found := rules(machine, exit_code)).keys() == set(expected) and (found or True))


def rights_are_enough(machine):
    """facet check finds no error on a cluster in order: deploy/rbac.yaml grants all that it asks for"""
    found = rules(machine, 0)
    if found:
        raise Failed(f"errors: {list(found.values())}")
    said = json.loads(machine.ask("check", "-o", "json", exit_code=0))
    if said["unseen"]:
        raise Failed(f"an administrator did not see {said['unseen']}")


def what_is_missing_is_told_and_its_command_mends_it(machine):
    """facet check tells missing rights and a missing PriorityClass; its commands mend the latter"""
    machine.kubectl("delete", "clusterrolebinding", "facet-agent")
    machine.kubectl("delete", "priorityclass", "facet-reservation")
    try:
        found = wait_for(machine, 2, AGENT, CLASS)
        rights = found[AGENT]["sentence"]
        if rights != "it lacks rights: list nodes, watch nodes, patch nodes/status, create events.events.k8s.io":
            raise Failed(rights)
        machine.kubectl(*found[CLASS]["command"].split()[1:])
        wait_for(machine, 2, AGENT)
        machine.kubectl("delete", "priorityclass", "facet-reservation")
    finally:
        machine.kubectl("apply", "-f", RBAC)
    wait_for(machine, 0)


def an_account_with_few_rights_is_told_what_it_did_not_see(machine):
    """facet check with the controller's account looks at nodes and pods, and says what it could not see"""
    path = os.path.join(machine.folder, "controller.kubeconfig")
    environment = dict(machine.environment, PATH=os.path.join(machine.kubernetes, "bin") + ":" + os.environ["PATH"])
    made = subprocess.run([os.path.join(ROOT, "deploy", "kubeconfig"), "facet-controller"], env=environment,
                          capture_output=True, text=True, check=True, timeout=60)
    with open(path, "w", encoding="utf-8") as file:
        file.write(made.stdout)
    os.chmod(path, 0o600)
    said = json.loads(machine.ask("check", "-o", "json", "--kubeconfig", path, exit_code=0))
    unseen = [sentence.split(":")[0] for sentence in said["unseen"]]
    if unseen != ["facet's namespace", "facet's PriorityClass", "the rights of facet's accounts"]:
        raise Failed(f"unseen: {said['unseen']}")
    if said["summary"]["nodes"] != 1:
        raise Failed(f"{said['summary']}")


TESTS = [rights_are_enough, what_is_missing_is_told_and_its_command_mends_it,
         an_account_with_few_rights_is_told_what_it_did_not_see]
