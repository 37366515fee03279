# SPDX-License-Identifier: Apache-2.0
"""The machine of the other end-to-end tests, where both programs come by Helm and run as pods."""
import json
import os
import subprocess

from machine import ROOT, Failed, Machine
from service_network import ServiceNetwork
from setting import kubernetes

CHART = os.path.join(ROOT, "deploy", "helm", "facet")
NAMESPACE, RELEASE = "facet-system", "facet"
SIMULATED = "/simulated-nvml"  # in the agent's container


class HelmMachine(Machine):
    def __init__(self, binaries, build, folder, port_base):
        super().__init__(binaries, build, folder, port_base)
        self.helm_program = os.path.join(kubernetes("helm"), "bin", "helm")
        self.network = ServiceNetwork(port_base)
        self.environment |= {"HELM_CACHE_HOME": os.path.join(folder, "helm"), "HELM_CONFIG_HOME": os.path.join(folder, "helm"),
                             "HELM_DATA_HOME": os.path.join(folder, "helm")}
        self.values = os.path.join(folder, "values.yaml")
        with open(self.values, "w", encoding="utf-8") as file:
            json.dump(self.values_of_the_test(), file)

    def values_of_the_test(self):
        """Where this machine is unusual: a simulated driver in the place of NVIDIA's, and a kubelet in a folder."""
        state = self.environment["FACET_SIM_NVML_STATE"]
        return {"agent": {
            "nvmlLibrary": SIMULATED + "/libnvidia-ml.so.1",
            "hostPaths": {"podResources": os.path.join(self.kubernetes, "kubelet", "pod-resources")},
            "extraEnv": [{"name": name, "value": self.environment[name]}
                         for name in ("FACET_SIM_NVML_STATE", "FACET_SIM_NVML_MACHINE")],
            "extraVolumes": [
                {"name": "simulated-nvml", "hostPath": {"path": os.path.join(self.build, "sim", "nvml"), "type": "Directory"}},
                {"name": "simulated-gpus", "hostPath": {"path": state, "type": "DirectoryOrCreate"}}],
            "extraVolumeMounts": [{"name": "simulated-nvml", "mountPath": SIMULATED, "readOnly": True},
                                  {"name": "simulated-gpus", "mountPath": state}]}}

    # ---- the cluster ----

    def up(self, *options):
        self.network.start()
        self.cluster("up", self.kubernetes, str(self.port_base), *options)

    def import_image(self):
        """What `make image` makes, into containerd. False: it cannot be made here, and has said why."""
        done = subprocess.run([os.path.join(ROOT, "deploy", "image", "build")], cwd=ROOT, capture_output=True, text=True,
                              check=False)
        if done.returncode == 77:
            print("# " + done.stderr.strip()[-500:])
            return False
        if done.returncode:
            raise Failed(f"the image was not built: {done.stderr.strip()[-500:]}")
        archive = done.stdout.strip().splitlines()[-1].split(": ")[0]
        subprocess.run([os.path.join(self.kubernetes, "bin", "ctr"), "-a",
                        os.path.join(self.kubernetes, "run", "containerd.sock"), "-n", "k8s.io", "image", "import",
                        os.path.join(ROOT, archive)], check=True, stdout=subprocess.DEVNULL)
        return True

    # ---- helm ----

    def run_helm(self, *arguments):
        return subprocess.run([self.helm_program, *arguments], env=self.environment, capture_output=True, text=True, check=False,
                              timeout=300)

    def helm(self, *arguments):
        done = self.run_helm(*arguments)
        if done.returncode:
            raise Failed(f"helm {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def release(self, verb, *arguments):
        """install or upgrade, with what this machine needs and what is given; waits until all pods are ready."""
        return self.helm(verb, RELEASE, CHART, "--namespace", NAMESPACE, "--values", self.values, "--wait",
                         "--timeout", "180s", *arguments)

    # ---- pods ----

    def uuids_of_containers(self):
        """Without the agent, which is to see "all"."""
        return [uuid for uuid in super().uuids_of_containers() if uuid.startswith("MIG-")]

    def pods_of(self, component):
        return self.get("pods", "-n", NAMESPACE, "-l", f"app.kubernetes.io/component={component}")["items"]

    def logs_of_pods(self):
        """{file: lines} of all containers of facet that ever ran: kubectl logs needs more of a kubelet than there is here."""
        found = {}
        for where, _, names in os.walk("/var/log/pods"):
            for name in names:
                if f"{NAMESPACE}_{RELEASE}-" in where:
                    path = os.path.join(where, name)
                    with open(path, encoding="utf-8", errors="replace") as log:
                        found[path] = [line.split(" ", 3)[-1] for line in log.read().splitlines()]
        return found

    def processes(self, role):
        """Process ids of the containers that run this role of facet."""
        return [pid for pid, words in self.words_of_containers("cmdline")
                if words[0].endswith(b"/facet") and words[1] == role.encode()]
