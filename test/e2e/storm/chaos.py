# SPDX-License-Identifier: Apache-2.0
"""What befalls a cluster while it works. The scheduler is stopped and continued all the time; the other strikes come
one at a time, at random."""
import os
import signal
import subprocess
import time

from worker import Worker

SCHEDULER_STOPPED_SECONDS = 2.5
SCHEDULER_RUNS_SECONDS = (1.0, 5.0)
STRIKE_EVERY_SECONDS = (4.0, 9.0)
UPGRADE_SECONDS = 75


class SchedulerStops(Worker):
    """Seconds in which pods are promised a place by nobody, and in which what was promised is not told. A scheduler or
    controller manager that loses its lease over this (and over restarts of the API server) ends; it is started again,
    as a kubelet does with its static pods."""

    def __init__(self, machine, random):
        super().__init__("scheduler stops")
        self.machine, self.random = machine, random
        self.count, self.started_again = 0, 0

    def work(self):
        while not self.stopping.wait(self.random.uniform(*SCHEDULER_RUNS_SECONDS)):
            self.stop_and_continue()
            self.start_what_ended()
        self.start_what_ended()

    def stop_and_continue(self):
        pid = self.machine.pid_of("scheduler")
        try:
            os.kill(pid, signal.SIGSTOP)
            self.stopping.wait(self.random.uniform(0, SCHEDULER_STOPPED_SECONDS))
            os.kill(pid, signal.SIGCONT)
            self.count += 1
        except ProcessLookupError:  # it ended in this very moment
            pass

    def start_what_ended(self):
        for name in ("scheduler", "manager"):
            if not os.path.exists(f"/proc/{self.machine.pid_of(name)}"):
                self.machine.cluster("start", name, self.machine.kubernetes)
                self.started_again += 1


def upgrade_agent(machine, node):
    """The agent ends as on an upgrade: asked to, in its own time."""
    process = node.agent.process
    process.terminate()
    try:
        status = process.wait(UPGRADE_SECONDS)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{node.agent.name} did not end within {UPGRADE_SECONDS} s of SIGTERM") from None
    if status:
        raise OSError(f"{node.agent.name} ended with {status} after SIGTERM")
    node.upgraded_ms.append(int(time.time() * 1000))
    node.agent.start()


def kill_agent(machine, node):
    node.agent.kill()
    node.agent.start()


def restart_kubelet(machine, node):
    machine.kill("kubelet" + node.suffix)
    machine.cluster("start", "kubelet" + node.suffix, machine.kubernetes)


def restart_runtime(machine, node):
    os.kill(machine.pid_of("fakecri" + node.suffix), signal.SIGHUP)


def restart_apiserver(machine, _):
    machine.kill("apiserver")
    machine.cluster("start", "apiserver", machine.kubernetes)


def restart_controller(machine, _):
    machine.controller.kill()
    machine.controller.start()


GENTLE = {"agent upgrade": upgrade_agent, "runtime restart": restart_runtime, "API server restart": restart_apiserver,
          "controller kill -9": restart_controller}
KUBELET = "kubelet kill -9"
ROUGH = {KUBELET: restart_kubelet, "agent kill -9": kill_agent}


class Strikes(Worker):
    def __init__(self, machine, random, kinds):
        super().__init__("strikes")
        self.machine, self.random, self.kinds = machine, random, kinds
        self.done = []  # (ms, kind, node)

    def work(self):
        while self.kinds and not self.stopping.wait(self.random.uniform(*STRIKE_EVERY_SECONDS)):
            kind, node = self.random.choice(sorted(self.kinds)), self.random.choice(self.machine.nodes)
            self.done.append((int(time.time() * 1000), kind, node))
            self.kinds[kind](self.machine, node)

    def summary(self):
        counts = {}
        for _, kind, _ in self.done:
            counts[kind] = counts.get(kind, 0) + 1
        return ", ".join(f"{count} x {kind}" for kind, count in sorted(counts.items())) or "none"
