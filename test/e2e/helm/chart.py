# SPDX-License-Identifier: Apache-2.0
"""The chart as text: what Helm's linter, the programs and a real API server say to what it renders, and what it refuses."""
import json
import os
import subprocess

import yaml

from helm_machine import CHART, NAMESPACE, RELEASE
from machine import ROOT, Failed, wait_until

RESTRICTED, BASELINE, PRIVILEGED = "pod-security-restricted", "pod-security-baseline", "pod-security-privileged"

# A name for it, and what is given by --set.
MATRIX = (
    ("the defaults",),
    ("the host's driver", "agent.driverAccess=host"),
    ("the host's processes", "agent.hostPID=true", "agent.runtimeClassName=nvidia"),
    ("the host's driver and processes", "agent.driverAccess=host", "agent.hostPID=true", "agent.driver.dev=/run/nvidia/driver/dev"),
    ("NVIDIA's plugin publishes", "agent.publish=nvidia", "agent.nvidiaPlugin.selector=app=plugin",
     "agent.nvidiaPlugin.namespace=" + NAMESPACE),
    ("components that are restarted", "agent.restartAfterChange[0]=" + NAMESPACE + "/app=nvidia-dcgm-exporter",
     "agent.restartAfterChange[1]=" + NAMESPACE + "/app.kubernetes.io/name=monitor", "agent.restartAfterChange[2]=default/app=x"),
    ("CDI", "agent.containerAccess=cdi", "agent.cdi.edits=/etc/facet/edits.json"),
    ("everything optional", "metrics.serviceMonitor.enabled=true", "metrics.serviceMonitor.interval=15s",
     "metrics.serviceMonitor.labels.release=prometheus", "networkPolicy.enabled=true", "flowSchema.enabled=true",
     "priorityQuota=true", "openshift.enabled=true", "image.digest=sha256:" + "0" * 64, "imagePullSecrets[0].name=registry",
     "commonLabels.team=ml", "schedulerName=other", "agent.disableHealthchecks=48\\,63", "agent.migMode=auto",
     "agent.seLinuxOptions.type=spc_t", "agent.podAnnotations.a=b", "controller.podLabels.a=b", "controller.observe=true"),
    ("next to nothing", "agent.ownNodePolicy=false", "agent.takeOver=false", "controller.podDisruptionBudget=false",
     "controller.priorityClassName=", "agent.priorityClassName=", "reservationPriorityClass=false", "agent.tolerations=null",
     "controller.resources=null", "agent.resources=null", "controller.replicas=1", "controller.leaderElection=false"),
    ("accounts that are there", "controller.serviceAccount.create=false", "controller.serviceAccount.name=one",
     "agent.serviceAccount.create=false", "agent.serviceAccount.name=two"),
    ("the controller alone", "agent.enabled=false", "networkPolicy.enabled=true", "flowSchema.enabled=true", "metrics.service=true"),
    ("the agents alone", "controller.enabled=false", "networkPolicy.enabled=true", "flowSchema.enabled=true",
     "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.a=b", "agent.updateStrategy.type=OnDelete",
     "agent.updateStrategy.rollingUpdate=null"),
    ("another name", "fullnameOverride=slices", "nameOverride=cutter", "metrics.port=9999"),
    ("nos' values", "batchWindowTimeoutSeconds=60", "batchWindowIdleSeconds=10", "logLevel=1", "replicaCount=1",
     "leaderElection.enabled=false", "podAnnotations.a=b", "nodeSelector.a=b", "resources.limits.memory=1Gi",
     "tolerations[0].operator=Exists", "podSecurityContext.runAsUser=1000", "migAgent.logLevel=0",
     "migAgent.tolerations[0].key=sku", "migAgent.tolerations[0].operator=Exists", "migAgent.resources.limits.memory=128Mi"),
)
# What is given, and what Helm says; of the schema's sentences the one behind the chart's name.
REFUSED = (
    ("agent.hostPid=true", "at '/agent': additional properties 'hostPid' not allowed"),
    ("replicas=3", "at '': additional properties 'replicas' not allowed"),
    ("agent.publish=both", "at '/agent/publish': value must be one of 'builtin', 'nvidia'"),
    ("agent.restartAfterChange=ops/app=x", "at '/agent/restartAfterChange': got string, want array"),
    ("agent.restartAfterChange[0]=app=x", "at '/agent/restartAfterChange/0': 'app=x' does not match pattern "
     "'^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9._/]*[A-Za-z0-9])?="
     "[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$'"),
    ("agent.takeOver=yes", "at '/agent/takeOver': got string, want boolean"),
    ("agent.terminationGracePeriodSeconds=30", "at '/agent/terminationGracePeriodSeconds': minimum: got 30, want 75"),
    ("agent.hostPaths.devicePlugins=plugins", "at '/agent/hostPaths/devicePlugins': 'plugins' does not match pattern '^/'"),
    ("agent.updateStrategy.rollingUpdate.maxSurge=1",
     "at '/agent/updateStrategy/rollingUpdate/maxSurge': value must be one of 0, '0', '0%'"),
    ("controller.batchWindowIdle=soon", "at '/controller/batchWindowIdle': 'soon' does not match pattern '^[0-9]+(ms|s|m|h)?$'"),
    ("controller.replicas=0", "at '/controller/replicas': minimum: got 0, want 1"),
    ("batchWindowTimeoutSeconds=60s", "at '/batchWindowTimeoutSeconds': got string, want null or integer"),
    ("image.digest=latest", "at '/image/digest': 'latest' does not match pattern '^(sha256:[0-9a-f]{64})?$'"),
    ("metrics=null", "at '': missing property 'metrics'"),
    ("controller.leaderElection=false", "controller.replicas: several controllers without leaderElection would write over each "
     "other's plans; set controller.leaderElection=true or controller.replicas=1"),
    ("agent.containerAccess=cdi", "agent.cdi.edits is needed with agent.containerAccess=cdi: on each GPU node run `nvidia-ctk cdi "
     "generate --format=json --output=FILE`, and give FILE"),
    ("agent.containerAccess=cdi,agent.publish=nvidia", "agent.containerAccess=cdi means nothing with agent.publish=nvidia: "
     "NVIDIA's device plugin decides; leave one away"),
    ("agent.serviceAccount.create=false", "agent.serviceAccount.name is needed where agent.serviceAccount.create is false"),
    ("agent.enabled=false,controller.enabled=false", "controller.enabled and agent.enabled are both false: nothing would be "
     "installed"),
    ("knownMigGeometries.A30=x", "knownMigGeometries is a value of nos' chart that means nothing here (NVML says which slices a "
     "GPU can have): remove it"),
    ("migAgent.reportConfigIntervalSeconds=10", "migAgent.reportConfigIntervalSeconds is a value of nos' chart that means nothing "
     "here (the agent reports when something changes): remove it"),
    ("image.repository=example.com/nos-gpu-partitioner", "image.repository is nos' image (example.com/nos-gpu-partitioner): give "
     "facet's, or remove it"),
)
# Kinds that a cluster has by somebody else's hand.
FOREIGN_KINDS = (("monitoring.coreos.com", "servicemonitors", "ServiceMonitor", "Namespaced"),
                 ("security.openshift.io", "securitycontextconstraints", "SecurityContextConstraints", "Cluster"))


def template(machine, values, *arguments):
    given = [word for value in values for word in ("--set", value)]
    return machine.helm("template", RELEASE, CHART, "--namespace", NAMESPACE, "--kube-version", "1.36.2", *given, *arguments)


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def workload(text, kind):
    found = [document for document in documents(text) if document["kind"] == kind]
    return found[0] if found else None


def together(found):
    if found:
        raise Failed("\n#   ".join(found))


def linter_is_content(machine):
    """helm lint --strict has nothing to say"""
    done = machine.run_helm("lint", "--strict", CHART)
    if done.returncode or "[WARNING]" in done.stdout or "[ERROR]" in done.stdout:
        raise Failed(done.stdout.strip())


def manifests_are_the_charts(machine):
    """deploy/rbac.yaml, deploy/manifests and the like are what the chart renders"""
    done = subprocess.run([os.path.join(ROOT, "tools", "manifests"), "--check"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"run tools/manifests:\n{done.stdout[:2000]}{done.stderr}")


def every_value_is_described(machine):
    """values.yaml has each value that the schema knows, and no other"""
    with open(os.path.join(CHART, "values.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    with open(os.path.join(CHART, "values.yaml"), encoding="utf-8") as file:
        text = file.read()
    only_refused = {"global", "knownMigGeometries", "devicePlugin", "scheduler", "gpuAgent", "kubeRbacProxy"}
    wanted, has = set(schema["properties"]) - only_refused, set(yaml.safe_load(text))
    for role in ("controller", "agent", "metrics", "image", "networkPolicy"):
        wanted |= {f"{role}.{name}" for name in schema["properties"][role]["properties"]}
        has |= {f"{role}.{name}" for name in yaml.safe_load(text)[role]}
    together([f"only in the schema: {sorted(wanted - has)}"] * bool(wanted - has) +
             [f"only in values.yaml: {sorted(has - wanted)}"] * bool(has - wanted))


def wrong_values_are_refused(machine):
    """wrong values are refused by their name, each with its sentence"""
    found = []
    for values, sentence in REFUSED:
        done = machine.run_helm("template", RELEASE, CHART, "--namespace", NAMESPACE, "--set", values)
        if not done.returncode or not any(line.removeprefix("- ") == sentence or line.endswith("): " + sentence)
                                          for line in done.stderr.splitlines()):
            found.append(f"{values}: {done.returncode} {done.stderr.strip()[:400]}")
    together(found)


def old_kubernetes_is_refused(machine):
    """a Kubernetes before 1.26 is refused; one before 1.30 gets no admission policies, one before 1.29 an older FlowSchema"""
    done = machine.run_helm("template", RELEASE, CHART, "--kube-version", "1.25.16")
    sentence = "Error: chart requires kubeVersion: >=1.26.0-0 which is incompatible with Kubernetes v1.25.16"
    if sentence not in done.stderr:
        raise Failed(f"1.25: {done.stderr.strip()}")
    text = {version: machine.helm("template", RELEASE, CHART, "--set", "flowSchema.enabled=true", "--kube-version", version)
            for version in ("1.28.3", "1.29.0", "1.30.1-gke.200")}
    kinds = {version: {(d["kind"], d["apiVersion"]) for d in documents(text[version])} for version in text}
    together([f"{version}: {(kind, api)}" for version, kind, api, is_there in (
        ("1.28.3", "ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1", False),
        ("1.30.1-gke.200", "ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1", True),
        ("1.28.3", "FlowSchema", "flowcontrol.apiserver.k8s.io/v1beta3", True),
        ("1.29.0", "FlowSchema", "flowcontrol.apiserver.k8s.io/v1", True)) if ((kind, api) in kinds[version]) != is_there])


def install_foreign_kinds(machine):
    for group, plural, kind, scope in FOREIGN_KINDS:
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        machine.apply({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                       "metadata": {"name": f"{plural}.{group}", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
                       "spec": {"group": group, "scope": scope, "names": {"plural": plural, "kind": kind},
                                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}]}})
        machine.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{group}", "--timeout=30s")


def real_api_server_takes_it(machine):
    """a real API server takes what is rendered from a matrix of values, without a warning"""
    install_foreign_kinds(machine)
    machine.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    found = []
    for name, *values in MATRIX:
        text = template(machine, values)
        done = subprocess.run(machine.kubectl_command("apply", "--dry-run=server", "--warnings-as-errors", "-f", "-"), input=text,
                              capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            found.append(f"{name}: {done.stderr.strip()[:500]}")
    together(found)


def programs_understand_their_options(machine):
    """both programs understand every option that the chart gives them"""
    found = []
    for name, *values in MATRIX:
        text = template(machine, values)
        for kind in ("Deployment", "DaemonSet"):
            thing = workload(text, kind)
            if not thing:
                continue
            arguments = thing["spec"]["template"]["spec"]["containers"][0]["args"]
            done = subprocess.run([os.path.join(machine.build, "facet"), *arguments, "--print-config"], capture_output=True,
                                  text=True, check=False, timeout=20)
            if done.returncode:
                found.append(f"{name}: {arguments}: {done.stderr.strip()}")
    together(found)


def rights_to_restart_are_made_where_they_are_named(machine):
    """the right to restart components is made once in each namespace named for it, and not by default"""
    def found(*values):
        return sorted((thing["kind"], thing["metadata"]["namespace"], str(thing.get("rules", thing.get("subjects"))))
                      for thing in documents(template(machine, values)) if thing["metadata"]["name"] == "facet-agent-restart")
    rules = str([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]}])
    subjects = str([{"kind": "ServiceAccount", "name": "facet-agent", "namespace": NAMESPACE}])
    wanted = [("Role", "gpu-operator", rules), ("Role", "ops", rules), ("RoleBinding", "gpu-operator", subjects),
              ("RoleBinding", "ops", subjects)]
    given = "agent.restartAfterChange={gpu-operator/app=a,gpu-operator/app=b,ops/app.kubernetes.io/name=c}"
    together([f"{values}: {found(*values)}" for values, expected in (
        ((), []), ((given,), wanted), ((given, "agent.enabled=false"), [])) if found(*values) != expected])


def as_pod(workload_, namespace):
    """Pod Security judges pods; of a workload it only warns. Its account need not be there."""
    inner = workload_["spec"]["template"]
    spec = dict(inner["spec"], serviceAccountName="default")
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": spec,
                       "metadata": dict(inner["metadata"], name="probe", namespace=namespace)})


def admission_says(machine, pod):
    done = subprocess.run(machine.kubectl_command("create", "--dry-run=server", "--warnings-as-errors", "-f", "-"), input=pod,
                          capture_output=True, text=True, check=False, timeout=30)
    return "" if done.returncode == 0 else done.stderr.strip()


def pod_security_is_kept(machine):
    """the controller passes Pod Security "restricted" with any values; the agent "privileged", and no less"""
    for namespace in (RESTRICTED, BASELINE, PRIVILEGED):
        machine.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {
            "pod-security.kubernetes.io/enforce": namespace.removeprefix("pod-security-")}}})
        wait_until(30, f"the account of namespace {namespace}", lambda n=namespace: machine.kubectl("get", "sa", "default", "-n", n))
    machine.apply({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "nvidia"}, "handler": "runc"})
    found = []
    for name, *values in MATRIX:
        text = template(machine, values)
        controller, agent = workload(text, "Deployment"), workload(text, "DaemonSet")
        cases = [(controller, RESTRICTED, "")] if controller else []
        cases += [(agent, PRIVILEGED, ""), (agent, BASELINE, 'violates PodSecurity "baseline:latest"')] if agent else []
        for thing, namespace, sentence in cases:
            said = admission_says(machine, as_pod(thing, namespace))
            if (sentence not in said) if sentence else said:
                found.append(f"{name}, {thing['kind']} in {namespace}: {said[:400] or 'was admitted'}")
    together(found)


def missing_kind_is_named(machine):
    """where a kind is missing, such as ServiceMonitor, an install says so and leaves nothing"""
    done = machine.run_helm("install", RELEASE, CHART, "--namespace", NAMESPACE, "--set", "metrics.serviceMonitor.enabled=true")
    if 'no matches for kind "ServiceMonitor" in version "monitoring.coreos.com/v1"' not in done.stderr:
        raise Failed(f"helm said: {done.returncode} {done.stderr.strip()}")
    if machine.helm("list", "--all", "--namespace", NAMESPACE, "--short").strip():
        raise Failed("there is a release")


def plain_manifests_are_taken(machine):
    """the plain manifests are taken as their heads say: rights and policies first, then the workloads"""
    files = ("rbac.yaml", "agent-own-node.yaml", "publish-nvidia.yaml", "manifests")
    given = [word for name in files[:2] + files[3:] for word in ("-f", os.path.join(ROOT, "deploy", name))]
    machine.kubectl("apply", "--dry-run=server", *given)


TESTS = [linter_is_content, manifests_are_the_charts, every_value_is_described, wrong_values_are_refused,
         old_kubernetes_is_refused, rights_to_restart_are_made_where_they_are_named, programs_understand_their_options,
         missing_kind_is_named, real_api_server_takes_it, plain_manifests_are_taken, pod_security_is_kept]
