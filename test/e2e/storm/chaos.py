# SPDX-License-Identifier: Apache-2.0
"""What befalls a cluster while it works. The scheduler is stopped and continued all the time; the other strikes come
one at a time, at random."""
import os
import signal
import subprocess
import threading
import time

SCHEDULER_STOPPED_SECONDS = 2.5
SCHEDULER_RUNS_SECONDS = (1.0, 5.0)
STRIKE_EVERY_SECONDS = (4.0, 9.0)
UPGRADE_SECONDS = 60


class SchedulerStops(threading.Thread):
    """Seconds in which pods are promised a place by nobody, and in which what was promised is not told."""

    def __init__(self, machine, random):
        super().__init__(daemon=True, name="scheduler-stops")
        self.machine, self.random, self.stopping, self.count = machine, random, threading.Event(), 0

    def run(self):
        while not self.stopping.wait(self.random.uniform(*SCHEDULER_RUNS_SECONDS)):
            pid = self.machine.pid_of("scheduler")
            os.kill(pid, signal.SIGSTOP)
            self.stopping.wait(self.random.uniform(0, SCHEDULER_STOPPED_SECONDS))
            os.kill(pid, signal.SIGCONT)
            self.count += 1

    def stop(self):
        self.stopping.set()
        self.join()


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
ROUGH = {"kubelet kill -9": restart_kubelet, "agent kill -9": kill_agent}


class Strikes(threading.Thread):
    def __init__(self, machine, random, kinds):
        super().__init__(daemon=True, name="strikes")
        self.machine, self.random, self.kinds = machine, random, kinds
        self.stopping, self.trouble = threading.Event(), None
        self.done = []  # (ms, kind, node)

    def run(self):
        try:
            while self.kinds and not self.stopping.wait(self.random.uniform(*STRIKE_EVERY_SECONDS)):
                kind, node = self.random.choice(sorted(self.kinds)), self.random.choice(self.machine.nodes)
                self.done.append((int(time.time() * 1000), kind, node))
                self.kinds[kind](self.machine, node)
        except (OSError, subprocess.SubprocessError) as error:  # the main thread tells it
            self.trouble = error

    def stop(self):
        self.stopping.set()
        self.join()

    def summary(self):
        counts = {}
        for _, kind, _ in self.done:
            counts[kind] = counts.get(kind, 0) + 1
        return ", ".join(f"{count} x {kind}" for kind, count in sorted(counts.items())) or "none"
