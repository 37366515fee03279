#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py with simulated machines in the place of real ones. argv[1] is the folder with facet-sim-nvml."""
import os
import subprocess
import sys
import tempfile

FOLDER = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
MACHINE = """driver: 535
gpus:
  - {model: A100-SXM4-80GB, instances: [3g.40gb@4, {gi: 2g.20gb@0, ci: [1c@1]}]}
  - {model: H100-80GB-HBM3, mig: off}
  - {model: A30, mig: off, pending: on}
"""


def sim(env, *words):
    return subprocess.run([os.path.join(FOLDER, "facet-sim-nvml"), *words], env=env, check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def compare(env, library, *words):
    done = subprocess.run([sys.executable, os.path.join(HERE, "compare.py"), "--sim", FOLDER, "--real", library, *words], env=env,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.stdout + done.stderr, done.returncode


def library_of(env):
    return os.path.join(sim(env, "library"), "libnvidia-ml.so.1")


def a_driver_is_like_itself(env, _):
    for driver in ("450", "535", "610"):
        sim(dict(env, FACET_SIM_NVML_DRIVER=driver), "init", "A100-SXM4-80GB,A100-SXM4-40GB:mig=off")
        said, status = compare(env, library_of(env))
        if status or not said.startswith("The simulated driver answers as driver " + driver):
            return said
    return None


def instances_are_rebuilt(env, folder):
    path = os.path.join(folder, "machine.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(MACHINE)
    sim(env, "init", path)
    said, status = compare(env, library_of(env))
    return said if status else None


def a_difference_is_one_line(env, _):
    sim(env, "init", "A100-SXM4-80GB")
    subprocess.run([sys.executable, "-c", """
import ctypes, sys
nvml = ctypes.CDLL(sys.argv[1])
gpu, gi, ci = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
assert nvml.nvmlInit_v2() == 0 and nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(gpu)) == 0
assert nvml.nvmlDeviceCreateGpuInstance(gpu, 9, ctypes.byref(gi)) == 0
assert nvml.nvmlGpuInstanceCreateComputeInstance(gi, 2, ctypes.byref(ci)) == 0
""", library_of(env)], env=env, check=True)
    sim(env, "set", "compute-device", "mig")
    said, status = compare(env, library_of(env))
    table = [line for line in said.splitlines() if line.startswith("|")]
    wanted = ["| what | real | simulated |", "|---|---|---|",
              "| GPU 0, instances, gi 2, compute, ci 0, device is a MIG device | 1 | 0 |"]
    return None if status == 1 and table == wanted else said


def changes_are_undone_and_refused_where_they_could_hurt(env, _):
    sim(env, "init", "A30,RTX-PRO-6000")
    before = sim(env, "show")
    said, status = compare(env, library_of(env), "--change", "1")
    if status or sim(env, "show") != before:
        return said
    sim(env, "attach", "1", "12", "job")
    said, status = compare(env, library_of(env), "--change", "1")
    refusal = "GPU 1 is not touched: it must be there, with MIG mode on, without instances and processes\n"
    return None if status == 1 and said == refusal else said


def a_driver_that_is_not_there_is_said(env, _):
    sim(env, "init", "A30")
    sim(env, "fault", "nvmlInit", "DRIVER_NOT_LOADED")
    library = library_of(env)
    said, status = compare(env, library)
    return None if status == 1 and said == f"{library}: nvmlInit_v2: 9 Driver Not Loaded\n" else said


def main():
    tests = [a_driver_is_like_itself, instances_are_rebuilt, a_difference_is_one_line,
             changes_are_undone_and_refused_where_they_could_hurt, a_driver_that_is_not_there_is_said]
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        with tempfile.TemporaryDirectory(prefix="facet-compare-test-") as folder:
            env = dict(os.environ, FACET_SIM_NVML_STATE=os.path.join(folder, "gpus"), FACET_SIM_NVML_LATENCY="0")
            env.pop("FACET_SIM_NVML_MACHINE", None)
            wrong = test(env, folder)
        print(f"{'not ok' if wrong else 'ok'} {number} - {test.__name__}")
        for line in (wrong or "").splitlines():
            print("#", line)


main()
