# SPDX-License-Identifier: Apache-2.0
"""Several nodes with simulated GPUs on a real Kubernetes, whose containers run in memory."""
import os
import subprocess
import threading

from machine import ROOT, Machine
from setting import kubernetes

LABEL = "nos.nebuly.com/gpu-partitioning"
NAIVE = "FACET_TEST_NAIVE_WITHDRAWAL"
GPUS = (1, 2, 1, 1)  # of the nodes


class Node:
    def __init__(self, machine, number, gpus):
        self.number, self.name, self.gpus = number, f"node{number}", gpus
        self.suffix = "" if number == 1 else str(number)
        self.home = machine.kubernetes if number == 1 else os.path.join(machine.kubernetes, self.name)
        self.upgraded_ms = []  # when a new agent was started in the place of one that had ended in order
        self.record = os.path.join(self.home, "containers.jsonl")
        self.environment = dict(machine.environment, FACET_SIM_NVML_STATE=os.path.join(machine.folder, "nvml" + self.suffix),
                                FACET_SIM_NVML_MACHINE=f"{gpus}xA100-SXM4-80GB")
        self.agent = machine.agent_program("agent" + self.suffix, self.name, self.home, self.environment)

    def kubelet_log(self, machine):
        return os.path.join(machine.kubernetes, "log", f"kubelet{self.suffix}.log")


class StormMachine(Machine):
    def __init__(self, binaries, build, folder, port_base):
        super().__init__(binaries, build, folder, port_base)
        self.lock = threading.Lock()  # of the cluster script's file of process ids
        helpers = os.path.join(self.kubernetes, "helpers")
        if not os.path.islink(helpers):
            os.symlink(os.path.join(kubernetes("helpers"), "bin"), helpers)
        self.programs.remove(self.agent)
        self.nodes = [Node(self, number, gpus) for number, gpus in enumerate(GPUS, 1)]
        self.agent = self.nodes[0].agent

    def up(self, *options):
        super().up("--fake-cri", str(len(self.nodes)), *options)
        self.kubectl("apply", "-f", os.path.join(ROOT, "deploy", "agent-own-node.yaml"))
        self.controller.environment = dict(self.environment, KUBECONFIG=self.account("facet-controller"))
        for node in self.nodes:
            node.environment["KUBECONFIG"] = self.account("facet-agent", node.name)
            self.kubectl("label", "node", node.name, LABEL + "=mig")
        # A driver that refuses: the agent takes its change back and says so by an Event.
        self.nvml_of(self.nodes[-1], "fault", "nvmlDeviceCreateGpuInstanceWithPlacement", "UNKNOWN", "call=3")

    def account(self, name, node=""):
        """A kubeconfig with no more rights than the program has on a real cluster; node: whose agent it is."""
        path = os.path.join(self.folder, f"{name}{node}.kubeconfig")
        search = os.path.join(self.kubernetes, "bin") + ":" + os.environ["PATH"]
        with open(path, "w", encoding="utf-8") as file:
            subprocess.run([os.path.join(ROOT, "deploy", "kubeconfig"), name, "24h", node], stdout=file, check=True,
                           env=dict(self.environment, PATH=search))
        return path

    def start_programs(self, naive=False):
        for node in self.nodes:
            node.agent.environment = dict(node.environment, **({NAIVE: "1"} if naive else {}))
            node.agent.start()
        self.controller.start()

    def stop_programs(self):
        for program in self.programs:
            if program.process and program.process.poll() is None:
                program.kill()

    def cluster(self, *arguments):
        with self.lock:
            super().cluster(*arguments)

    def pid_of(self, name):
        with self.lock, open(os.path.join(self.kubernetes, "pids"), encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.split()[0] == name)

    def nvml_of(self, node, *arguments):
        done = subprocess.run([os.path.join(self.build, "sim", "nvml", "facet-sim-nvml"), *arguments],
                              env=node.environment, capture_output=True, text=True, check=True)
        return done.stdout
