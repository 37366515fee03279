# SPDX-License-Identifier: Apache-2.0
"""A real one-node Kubernetes, a simulated GPU and the two facet programs, as objects that a test can start, kill and ask."""
import json
import os
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Failed(Exception):
    """An expectation that did not hold; its text is a sentence."""


def now_ms():
    return int(time.time() * 1000)


class Program:
    """One facet process with its log; keeps its options for a restart."""

    def __init__(self, name, command, environment, log_path):
        self.name, self.command, self.environment, self.log_path = name, command, environment, log_path
        self.process = None

    def start(self):
        log = open(self.log_path, "a", encoding="utf-8")
        self.process = subprocess.Popen(self.command, env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log)
        log.close()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failed(f"{self.name} did not stop within 30 s of SIGTERM") from None

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                return log.read().splitlines()
        except FileNotFoundError:
            return []


class Watch(threading.Thread):
    """Follows a watch of the API server and stamps each event with the time of its arrival."""

    def __init__(self, machine, path):
        super().__init__(daemon=True)
        self.events, self.changed = [], threading.Condition()
        self.process = subprocess.Popen(machine.kubectl_command("get", "--raw", path), stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.start()

    def run(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            with self.changed:
                self.events.append((now_ms(), event["type"], event["object"]))
                self.changed.notify_all()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Machine:
    def __init__(self, binaries, build, folder, port_base):
        self.folder, self.build = folder, build
        os.makedirs(os.path.join(folder, "facet"), exist_ok=True)
        self.kubernetes = os.path.join(folder, "k")
        os.makedirs(self.kubernetes, exist_ok=True)
        link = os.path.join(self.kubernetes, "bin")
        if not os.path.islink(link):
            os.symlink(os.path.join(binaries, "bin"), link)
        self.port_base = port_base
        self.environment = dict(os.environ, KUBECONFIG=os.path.join(self.kubernetes, "admin.kubeconfig"),
                                FACET_SIM_NVML_STATE=os.path.join(folder, "nvml"),
                                FACET_SIM_NVML_MACHINE="1xA100-SXM4-80GB")
        self.programs = []
        self.agent = self.agent_program("agent", "node1", self.kubernetes, self.environment)
        self.controller = self.program("controller", [os.path.join(build, "facet"), "controller"], self.environment)

    def program(self, name, command, environment):
        self.programs.append(Program(name, command, environment, os.path.join(self.folder, "facet", name + ".log")))
        return self.programs[-1]

    def agent_program(self, name, node, home, environment):
        return self.program(name, [
            os.path.join(self.build, "facet"), "agent", "--node-name", node,
            "--nvml-library", os.path.join(self.build, "sim", "nvml", "libnvidia-ml.so.1"),
            "--device-plugin-path", os.path.join(home, "device-plugins"),
            "--pod-resources-socket", os.path.join(home, "kubelet", "pod-resources", "kubelet.sock")], environment)

    # ---- the cluster ----

    def cluster(self, *arguments, **environment):
        subprocess.run([os.path.join(HERE, "kubernetes", "cluster"), *arguments], check=True,
                       env=os.environ | environment)

    def up(self, *options):
        self.cluster("up", self.kubernetes, str(self.port_base), *options)
        self.kubectl("apply", "-f", os.path.join(ROOT, "deploy", "rbac.yaml"))

    def down(self):
        for program in self.programs:
            if program.process and program.process.poll() is None:
                program.kill()
        self.cluster("down", self.kubernetes)

    def show_logs(self, lines=6):
        """How every program of a cluster that did not come up ended."""
        folder = os.path.join(self.kubernetes, "log")
        for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as log:
                for line in log.read().splitlines()[-lines:]:
                    print(f"# {name}: {line[:300]}")

    def kill(self, name):
        self.cluster("kill", name, self.kubernetes)

    def restart_kubelet(self, options=""):
        self.cluster("restart-kubelet", self.kubernetes, KUBELET_OPTIONS=options)

    # ---- kubectl ----

    def kubectl_command(self, *arguments):
        return [os.path.join(self.kubernetes, "bin", "kubectl"), "--kubeconfig", self.environment["KUBECONFIG"],
                *arguments]

    def kubectl(self, *arguments, given=None):
        done = subprocess.run(self.kubectl_command(*arguments), input=given, capture_output=True, text=True,
                              check=False, timeout=60)
        if done.returncode:
            raise Failed(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, thing):
        self.kubectl("apply", "-f", "-", given=json.dumps(thing))

    def node(self):
        return self.get("node", "node1")

    def pods(self):
        return self.get("pods", "-n", "default")["items"]

    def events_of(self, pod, reason):
        items = self.get("events.v1.events.k8s.io", "-n", "default")["items"]
        return [e["note"] for e in items if e["regarding"]["name"] == pod and e["reason"] == reason]

    # ---- the simulated GPU ----

    def ask(self, *arguments, exit_code):
        """What facet prints for people."""
        done = subprocess.run([os.path.join(self.build, "facet"), *arguments], env=self.environment, capture_output=True,
                              text=True, check=False, timeout=60)
        if done.returncode != exit_code:
            raise Failed(f"facet {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip() or done.stdout}")
        return done.stdout

    def nvml(self, *arguments):
        done = subprocess.run([os.path.join(self.build, "sim", "nvml", "facet-sim-nvml"), *arguments],
                              env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def pids_of_containers(self):
        listing = subprocess.run([os.path.join(self.kubernetes, "bin", "ctr"), "-a",
                                  os.path.join(self.kubernetes, "run", "containerd.sock"), "-n", "k8s.io", "task", "ls"],
                                 capture_output=True, text=True, check=True).stdout
        return [line.split()[1] for line in listing.splitlines()[1:]]

    def words_of_containers(self, name):
        """(process id, words) of each running container; name: the file in /proc/PID that holds them."""
        for pid in self.pids_of_containers():
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:  # it ended between the listing and here
                continue
            yield int(pid), words

    def uuids_of_containers(self):
        """The MIG UUIDs that the running containers see in their environment."""
        return [word.split(b"=", 1)[1].decode() for _, environment in self.words_of_containers("environ")
                for word in environment if word.startswith(b"NVIDIA_VISIBLE_DEVICES=")]


def wait_until(seconds, what, condition):
    """Polls a condition of the real system; its last answer (or a Failed sentence) explains a timeout."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except Failed as error:
            last = error
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds} s (last: {last})")
        time.sleep(0.02)
