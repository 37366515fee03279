#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares a real NVIDIA driver with the simulated one, and prints the differences as a bug report.

usage: compare.py [--real LIBRARY] [--sim FOLDER] [--json] [--change GPU]
  --real  NVIDIA's library, default libnvidia-ml.so.1 as the dynamic linker finds it
  --sim   the folder with facet-sim-nvml and drivers/, default: the one in this checkout's build
  --json  print what the real driver said, too
  --change  on this GPU, which must have MIG mode on and neither instances nor processes: also create and destroy
          instances of every profile at every placement, and let the driver choose. It is left as it was.

Without --change it only asks: nothing on the GPUs is changed, no instance created, no mode set. Root sees more than
others (existing instances, placements). For every GPU it compares name, memory, MIG mode, profiles with all their numbers, placements,
existing instances, MIG devices, and which error answers which mistake. It needs python3 and the built simulator.
"""
import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
UINT = ctypes.c_uint
PROFILE_FIELDS = ["id", "p2p", "slices", "count", "multiprocessors", "copy_engines", "decoders", "encoders", "jpegs",
                  "ofas"]
CI_PROFILE_FIELDS = ["id", "slices", "count", "multiprocessors", "copy_engines", "decoders", "encoders", "jpegs",
                     "ofas"]
NOWHERE = 99  # an index or id that no GPU has


class Profile(ctypes.Structure):
    _fields_ = [(name, UINT) for name in PROFILE_FIELDS] + [("memory_mib", ctypes.c_ulonglong)]


class ProfileV2(ctypes.Structure):
    _fields_ = [("version", UINT)] + Profile._fields_ + [("name", ctypes.c_char * 96)]


class ComputeProfile(ctypes.Structure):
    _fields_ = [(name, UINT) for name in CI_PROFILE_FIELDS]


class Placement(ctypes.Structure):
    _fields_ = [("start", UINT), ("size", UINT)]


class InstanceInfo(ctypes.Structure):
    _fields_ = [("device", ctypes.c_void_p), ("id", UINT), ("profile_id", UINT), ("placement", Placement)]


class ComputeInfo(ctypes.Structure):
    _fields_ = [("device", ctypes.c_void_p), ("gpu_instance", ctypes.c_void_p), ("id", UINT), ("profile_id", UINT),
                ("placement", Placement)]


class Pci(ctypes.Structure):
    _fields_ = [("legacy", ctypes.c_char * 16), ("domain", UINT), ("bus", UINT), ("device", UINT), ("device_id", UINT),
                ("subsystem_id", UINT), ("bus_id", ctypes.c_char * 32)]


class Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class Attributes(ctypes.Structure):
    _fields_ = [(name, UINT) for name in ("multiprocessors", "copy_engines", "decoders", "encoders", "jpegs", "ofas",
                                          "gi_slices", "ci_slices")] + [("memory_mib", ctypes.c_ulonglong)]


class Library:
    """NVML with its errors as values: every question returns an answer or the code's text."""

    def __init__(self, path):
        self.nvml = ctypes.CDLL(path)
        self.nvml.nvmlErrorString.restype = ctypes.c_char_p

    def error(self, code):
        return f"{code} {self.nvml.nvmlErrorString(code).decode()}"

    def call(self, name, *arguments):
        """None for success, else the error; also where the function is absent."""
        try:
            function = getattr(self.nvml, name)
        except AttributeError:
            return "absent"
        code = function(*arguments)
        return self.error(code) if code else None

    def ask(self, name, answer, *arguments):
        """The answer, which is the last argument."""
        wrong = self.call(name, *arguments, ctypes.byref(answer))
        return wrong or answer

    def text(self, name, *arguments):
        buffer = ctypes.create_string_buffer(96)
        return self.call(name, *arguments, buffer, UINT(96)) or buffer.value.decode()

    def number(self, name, *arguments):
        answer = self.ask(name, UINT(), *arguments)
        return answer if isinstance(answer, str) else answer.value


def handle(value):
    return ctypes.c_void_p(value)


def fields(struct):
    return {name: getattr(struct, name) for name, *_ in struct._fields_ if name not in ("version", "p2p", "name")}


def probe_profile(nvml, gpu, index):
    answer = nvml.ask("nvmlDeviceGetGpuInstanceProfileInfo", Profile(), gpu, UINT(index))
    if isinstance(answer, str):
        return answer
    found = fields(answer)
    named = ProfileV2(version=ctypes.sizeof(ProfileV2) | 2 << 24)
    named = nvml.ask("nvmlDeviceGetGpuInstanceProfileInfoV", named, gpu, UINT(index))
    found["name"] = named if isinstance(named, str) else named.name.decode()
    found["placements"] = probe_placements(nvml, gpu, answer.id)
    found["remaining"] = nvml.number("nvmlDeviceGetGpuInstanceRemainingCapacity", gpu, UINT(answer.id))
    return found


def probe_placements(nvml, gpu, profile_id):
    places, count = (Placement * 64)(), UINT(64)
    wrong = nvml.call("nvmlDeviceGetGpuInstancePossiblePlacements_v2", gpu, UINT(profile_id), places, ctypes.byref(count))
    return wrong or [f"{place.start}:{place.size}" for place in places[:count.value]]


def ask_compute_profile(nvml, instance, index):
    return nvml.ask("nvmlGpuInstanceGetComputeInstanceProfileInfo", ComputeProfile(), instance, UINT(index), UINT(0))


def probe_compute(nvml, instance):
    found = {}
    for index in range(10):
        answer = ask_compute_profile(nvml, instance, index)
        found[f"profile {index}"] = answer if isinstance(answer, str) else fields(answer)
        if isinstance(answer, str):
            continue
        handles, count = (ctypes.c_void_p * 16)(), UINT()
        wrong = nvml.call("nvmlGpuInstanceGetComputeInstances", instance, UINT(answer.id), handles, ctypes.byref(count))
        for compute in handles[:0 if wrong else count.value]:
            info = nvml.ask("nvmlComputeInstanceGetInfo_v2", ComputeInfo(), handle(compute))
            if not isinstance(info, str):
                is_mig = nvml.number("nvmlDeviceIsMigDeviceHandle", handle(info.device))
                found[f"ci {info.id}"] = {"profile_id": info.profile_id, "start": info.placement.start,
                                          "size": info.placement.size, "device is a MIG device": is_mig}
    return found


def probe_instances(nvml, gpu, profiles):
    found = {}
    for profile in profiles:
        handles, count = (ctypes.c_void_p * 32)(), UINT()
        wrong = nvml.call("nvmlDeviceGetGpuInstances", gpu, UINT(profile["id"]), handles, ctypes.byref(count))
        for instance in handles[:0 if wrong else count.value]:
            info = nvml.ask("nvmlGpuInstanceGetInfo", InstanceInfo(), handle(instance))
            if not isinstance(info, str):
                found[f"gi {info.id}"] = {"profile_id": info.profile_id, "start": info.placement.start,
                                          "size": info.placement.size, "compute": probe_compute(nvml, handle(instance))}
    return found


def probe_mig_devices(nvml, gpu):
    """By the ids of their instances: which index one has depends on what was created when."""
    found = {}
    count = nvml.number("nvmlDeviceGetMaxMigDeviceCount", gpu)
    for index in range(count if isinstance(count, int) else 1):
        mig = nvml.ask("nvmlDeviceGetMigDeviceHandleByIndex", ctypes.c_void_p(), gpu, UINT(index))
        if isinstance(mig, str):
            found["an index without device"] = mig
            continue
        attributes = nvml.ask("nvmlDeviceGetAttributes_v2", Attributes(), mig)
        memory = nvml.ask("nvmlDeviceGetMemoryInfo", Memory(), mig)
        ids = nvml.number("nvmlDeviceGetGpuInstanceId", mig), nvml.number("nvmlDeviceGetComputeInstanceId", mig)
        found[f"gi {ids[0]} ci {ids[1]}"] = {
            "name": nvml.text("nvmlDeviceGetName", mig),
            "index is its index": nvml.number("nvmlDeviceGetIndex", mig) == index,
            "attributes": attributes if isinstance(attributes, str) else fields(attributes),
            "memory_mib": memory if isinstance(memory, str) else memory.total >> 20,
            "minor": nvml.number("nvmlDeviceGetMinorNumber", mig)}
    return found


def create_at(nvml, gpu, profile_id, placement):
    """(handle, None) or (None, error)"""
    instance = ctypes.c_void_p()
    if placement is None:
        wrong = nvml.call("nvmlDeviceCreateGpuInstance", gpu, UINT(profile_id), ctypes.byref(instance))
    else:
        start, size = map(int, placement.split(":"))
        wrong = nvml.call("nvmlDeviceCreateGpuInstanceWithPlacement", gpu, UINT(profile_id),
                          ctypes.byref(Placement(start, size)), ctypes.byref(instance))
    return (None, wrong) if wrong else (instance, None)


def must_fail(nvml, gpu, profile_id, placement):
    """The error of a creation that should be refused; what came about nevertheless is destroyed."""
    instance, wrong = create_at(nvml, gpu, profile_id, placement)
    return wrong or f"created, and destroyed: {destroy(nvml, 'nvmlGpuInstanceDestroy', instance)}"


def destroy(nvml, what, instance):
    """Some drivers say "in use" for a moment after what was inside went."""
    for _ in range(50):
        wrong = nvml.call(what, instance)
        if not wrong or not wrong.startswith("19 "):
            break
        time.sleep(0.2)
    return wrong


def whole_compute_profile(nvml, instance, slices):
    for index in range(9):
        answer = ask_compute_profile(nvml, instance, index)
        if not isinstance(answer, str) and answer.slices == slices:
            return answer.id
    return NOWHERE


def live_once(nvml, gpu, profile, placement):
    """One instance from its creation to its end."""
    instance, wrong = create_at(nvml, gpu, profile["id"], placement)
    if wrong:
        return wrong
    info = nvml.ask("nvmlGpuInstanceGetInfo", InstanceInfo(), instance)
    compute = ctypes.c_void_p()
    inside = nvml.call("nvmlGpuInstanceCreateComputeInstance", instance,
                       UINT(whole_compute_profile(nvml, instance, profile["slices"])), ctypes.byref(compute))
    found = {"gi": info if isinstance(info, str) else f"{info.id} at {info.placement.start}:{info.placement.size}",
             "the same again": must_fail(nvml, gpu, profile["id"], placement), "compute": inside,
             "destroy the full one": nvml.call("nvmlGpuInstanceDestroy", instance) if not inside else None}
    if not inside:
        found["destroy compute"] = destroy(nvml, "nvmlComputeInstanceDestroy", compute)
    found["destroy"] = destroy(nvml, "nvmlGpuInstanceDestroy", instance)
    found["ask the destroyed one"] = nvml.call("nvmlGpuInstanceGetInfo", instance, ctypes.byref(InstanceInfo()))
    return found


def fill(nvml, gpu, profile):
    """The driver's own choices until there is no room."""
    instances, starts, wrong = [], [], None
    while not wrong:
        instance, wrong = create_at(nvml, gpu, profile["id"], None)
        if not wrong:
            instances.append(instance)
            info = nvml.ask("nvmlGpuInstanceGetInfo", InstanceInfo(), instance)
            starts.append(info if isinstance(info, str) else info.placement.start)
    for instance in instances:
        destroy(nvml, "nvmlGpuInstanceDestroy", instance)
    return f"{starts}, then {wrong}"


def probe_changes(nvml, index, found):
    """Refuses where anything could be hurt."""
    gpu = nvml.ask("nvmlDeviceGetHandleByIndex_v2", ctypes.c_void_p(), UINT(index))
    count = UINT(0)
    users = nvml.call("nvmlDeviceGetComputeRunningProcesses_v3", gpu, ctypes.byref(count), None)
    if isinstance(gpu, str) or found["mig"] != [1, 1] or found["instances"] or users not in (None, "absent"):
        sys.exit(f"GPU {index} is not touched: it must be there, with MIG mode on, without instances and processes")
    changes = {}
    for profile in [profile for profile in found["profiles"].values() if isinstance(profile, dict)]:
        changes[f"profile {profile['id']}"] = {
            "by itself": fill(nvml, gpu, profile),
            **{f"at {place}": live_once(nvml, gpu, profile, place) for place in profile["placements"]},
            "at a wrong start": must_fail(nvml, gpu, profile["id"], f"{NOWHERE}:1"),
            "at a wrong size": must_fail(nvml, gpu, profile["id"], "0:99")}
    return changes


def probe_mistakes(nvml, gpu):
    bad = ProfileV2(version=1)
    nothing = ctypes.c_void_p()
    return {
        "profile index past the last": nvml.ask("nvmlDeviceGetGpuInstanceProfileInfo", Profile(), gpu, UINT(NOWHERE)),
        "profile struct of no version": nvml.ask("nvmlDeviceGetGpuInstanceProfileInfoV", bad, gpu, UINT(0)),
        "placements of no profile": probe_placements(nvml, gpu, NOWHERE),
        "capacity of no profile": nvml.number("nvmlDeviceGetGpuInstanceRemainingCapacity", gpu, UINT(NOWHERE)),
        "instance that is not there": nvml.ask("nvmlDeviceGetGpuInstanceById", ctypes.c_void_p(), gpu, UINT(NOWHERE)),
        "MIG device past the last": nvml.ask("nvmlDeviceGetMigDeviceHandleByIndex", ctypes.c_void_p(), gpu, UINT(NOWHERE)),
        "attributes of a whole GPU": nvml.ask("nvmlDeviceGetAttributes_v2", Attributes(), gpu),
        "GPU instance id of a whole GPU": nvml.number("nvmlDeviceGetGpuInstanceId", gpu),
        "parent of a whole GPU": nvml.ask("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", ctypes.c_void_p(), gpu),
        "name into 4 bytes": nvml.call("nvmlDeviceGetName", gpu, ctypes.create_string_buffer(4), UINT(4)),
        "name into nothing": nvml.call("nvmlDeviceGetName", gpu, nothing, UINT(96)),
        "MIG mode into nothing": nvml.call("nvmlDeviceGetMigMode", gpu, nothing, nothing),
        "no GPU at all": nvml.text("nvmlDeviceGetName", nothing),
    }


def probe_gpu(nvml, index):
    gpu = nvml.ask("nvmlDeviceGetHandleByIndex_v2", ctypes.c_void_p(), UINT(index))
    if isinstance(gpu, str):
        return gpu
    current, pending = UINT(), UINT()
    wrong = nvml.call("nvmlDeviceGetMigMode", gpu, ctypes.byref(current), ctypes.byref(pending))
    memory = nvml.ask("nvmlDeviceGetMemoryInfo", Memory(), gpu)
    pci = nvml.ask("nvmlDeviceGetPciInfo_v3", Pci(), gpu)
    profiles = {f"index {i}": probe_profile(nvml, gpu, i) for i in range(20)}
    known = [profile for profile in profiles.values() if isinstance(profile, dict)]
    return {"name": nvml.text("nvmlDeviceGetName", gpu), "mig": wrong or [current.value, pending.value],
            "memory_mib": memory if isinstance(memory, str) else memory.total >> 20,
            "pci_device_id": pci if isinstance(pci, str) else hex(pci.device_id),
            "max_mig_devices": nvml.number("nvmlDeviceGetMaxMigDeviceCount", gpu), "profiles": profiles,
            "instances": probe_instances(nvml, gpu, known), "mig_devices": probe_mig_devices(nvml, gpu),
            "mistakes": {what: answer if isinstance(answer, (str, int, list, type(None))) else "success"
                         for what, answer in probe_mistakes(nvml, gpu).items()}}


def probe(path, change):
    """What one library says; run in a process of its own."""
    nvml = Library(path)
    before = nvml.number("nvmlDeviceGetCount_v2")
    wrong = nvml.call("nvmlInit_v2")
    if wrong:
        sys.exit(f"{path}: nvmlInit_v2: {wrong}")
    count = nvml.number("nvmlDeviceGetCount_v2")
    with open(os.path.join(HERE, "functions.txt"), encoding="utf-8") as file:
        names = [line.split()[0] for line in file if line.startswith("nvml")]
    found = {"driver": nvml.text("nvmlSystemGetDriverVersion"), "nvml": nvml.text("nvmlSystemGetNVMLVersion"),
             "cuda": nvml.number("nvmlSystemGetCudaDriverVersion_v2"),
             "functions": {name: hasattr(nvml.nvml, name) for name in names},
             "mistakes": {"count before init": before,
                          "GPU past the last": str(nvml.ask("nvmlDeviceGetHandleByIndex_v2", ctypes.c_void_p(), UINT(NOWHERE))),
                          "UUID of no GPU": str(nvml.ask("nvmlDeviceGetHandleByUUID", ctypes.c_void_p(), b"GPU-0"))},
             "gpus": [probe_gpu(nvml, index) for index in range(count)]}
    if change is not None:
        if not change < count or isinstance(found["gpus"][change], str):
            sys.exit(f"there is no GPU {change}")
        found["gpus"][change]["changes"] = probe_changes(nvml, change, found["gpus"][change])
    nvml.call("nvmlShutdown")
    return found


def ask_library(path, env=None, change=None):
    words = ["--probe", path] + ([] if change is None else ["--change", str(change)])
    done = subprocess.run([sys.executable, os.path.abspath(__file__), *words], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.strip() or f"{path}: the process that asked it ended with {done.returncode}")
    return json.loads(done.stdout)


def describe(gpu, names):
    """One item of a machine file's gpus."""
    item = {"model": gpu["name"], "mig": "on" if gpu["mig"] == [1, 1] or gpu["mig"] == [1, 0] else "off"}
    if isinstance(gpu["mig"], list) and gpu["mig"][0] != gpu["mig"][1]:
        item["pending"] = "on" if gpu["mig"][1] else "off"
    item["instances"] = [
        {"gi": f"{names[instance['profile_id']]}@{instance['start']}",
         "ci": [f"{compute['size']}c@{compute['start']}" for what, compute in instance["compute"].items()
                if what.startswith("ci ")]}
        for instance in gpu["instances"].values() if instance["profile_id"] in names]
    if not item["instances"]:
        del item["instances"]
    return item


class Simulator:
    def __init__(self, folder, state):
        self.folder = folder
        self.env = dict(os.environ, FACET_SIM_NVML_STATE=state, FACET_SIM_NVML_LATENCY="0")
        for name in ("FACET_SIM_NVML_FAULTS", "FACET_SIM_NVML_PRIVILEGED", "FACET_SIM_NVML_TRACE"):
            self.env.pop(name, None)
        if os.geteuid() != 0:
            self.env["FACET_SIM_NVML_PRIVILEGED"] = "no"

    def command(self, *words):
        done = subprocess.run([os.path.join(self.folder, "facet-sim-nvml"), *words], env=self.env, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            sys.exit(f"The simulator cannot be such a machine, which is worth a report by itself:\n{done.stderr.strip()}")
        return done.stdout.strip()

    def machine(self, driver, gpus, change=None):
        path = self.env["FACET_SIM_NVML_STATE"] + ".yaml"
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"driver": driver, "gpus": gpus}, file)  # JSON is YAML
        self.command("init", path)
        return ask_library(os.path.join(self.command("library"), "libnvidia-ml.so.1"), self.env, change)


def simulate(real, folder, change):
    """What the simulator says when it is the real machine: first without instances, for the profiles' names."""
    with tempfile.TemporaryDirectory(prefix="facet-compare-") as place:
        sim = Simulator(folder, os.path.join(place, "gpus"))
        bare = [dict(model=gpu["name"], mig="on") for gpu in real["gpus"]]
        sim.machine(real["driver"], bare)
        named = ask_library(os.path.join(folder, "libnvidia-ml.so.1"), dict(sim.env, FACET_SIM_NVML_PRIVILEGED="yes"))
        names = [{profile["id"]: profile["name"].removeprefix("MIG ") for profile in gpu["profiles"].values()
                  if isinstance(profile, dict)} for gpu in named["gpus"]]
        return sim.machine(real["driver"], [describe(gpu, names[i]) for i, gpu in enumerate(real["gpus"])], change)


def differences(path, real, sim):
    if isinstance(real, dict) and isinstance(sim, dict):
        for key in list(real) + [key for key in sim if key not in real]:
            yield from differences(f"{path}, {key}" if path else str(key), real.get(key, "nothing"), sim.get(key, "nothing"))
    elif isinstance(real, list) and isinstance(sim, list) and path == "gpus":
        for index, (one, other) in enumerate(zip(real, sim)):
            yield from differences(f"GPU {index}", one, other)
    elif real != sim:
        yield path, real, sim


def report(real, found, with_json):
    lines = [f"Simulated driver differs from driver {real['driver']} in {len(found)} points" if found else
             f"The simulated driver answers as driver {real['driver']} does", "",
             f"Driver {real['driver']}, NVML {real['nvml']}, asked as {'root' if os.geteuid() == 0 else 'another user'}, on"]
    lines += [f"* GPU {index}: {gpu if isinstance(gpu, str) else gpu['name']}" for index, gpu in enumerate(real["gpus"])]
    if found:
        lines += ["", "| what | real | simulated |", "|---|---|---|"]
        lines += [f"| {path} | {one} | {other} |" for path, one, other in found]
    if with_json:
        lines += ["", "```json", json.dumps(real, indent=1), "```"]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", default="libnvidia-ml.so.1")
    parser.add_argument("--sim", default=os.path.join(ROOT, "build", "sim", "nvml"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--change", type=int)
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        json.dump(probe(options.probe, options.change), sys.stdout)
        return
    real = ask_library(options.real, change=options.change)
    if any(isinstance(gpu, str) for gpu in real["gpus"]):
        sys.exit("A GPU cannot be asked: " + ", ".join(gpu for gpu in real["gpus"] if isinstance(gpu, str)))
    found = list(differences("", real, simulate(real, os.path.abspath(options.sim), options.change)))
    print(report(real, found, options.json))
    sys.exit(1 if found else 0)


main()
