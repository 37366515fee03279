# SPDX-License-Identifier: Apache-2.0
"""The unit tests as arm64 programs, under qemu-user. They are about what differs on another processor: signedness of
char, alignment, fused floating point, code without SSE2, and the libraries of Debian's arm64."""
import json
import os
import shutil
import subprocess

FOLDER = "build-image-arm64"

# Exhaustive tests and random ones over many rounds take minutes each under emulation. Their smaller siblings run the
# same code.
TOO_SLOW = {
    "cluster/live", "cluster/node_gpus", "controller/cluster", "controller/controller", "controller/pass", "explain/random",
    "kube/decode_protobuf", "kube/election", "kube/json_fast", "kube/json_fast_portable", "kube/reader_random",
    "kube/watch_reader", "kubelet/grpc_random", "mig/contract_garbage", "mig/contract_list", "mig/layout_count", "plan/bulk",
    "plan/convergence", "plan/coupled", "plan/disturbance", "plan/fit", "plan/hole", "plan/known_mistakes", "plan/options",
    "plan/oracle", "plan/recut", "plan/settle", "plan/standing", "sched/verdicts", "simulate/run", "simulate/size",
}
STARTS_A_PROGRAM = {"cli/demo"}  # for arm64, which this machine's kernel cannot do
# Left out as a whole: agent (long stories), gpu (starts its worker), and what is not in the image: the simulated cluster
# and driver, peers in other languages, fuzz corpora, benchmarks.
SUITES = {"base", "metrics", "http", "mig", "cluster", "sched", "plan", "simulate", "explain", "kube", "kubelet",
          "controller", "cli"}


def lacking():
    """What this machine has not got, as a sentence; None if it has all."""
    for program, package in (("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"), ("qemu-aarch64-static", "qemu-user-static")):
        if not shutil.which(program):
            return f"there is no {program}; install {package}"
    return None


def chosen(checkout):
    """{name: program}; what is left out must exist."""
    done = subprocess.run(["meson", "introspect", "--tests", FOLDER], cwd=checkout, stdout=subprocess.PIPE, check=True)
    listed = {test["name"]: test["cmd"][0] for test in json.loads(done.stdout)}
    unknown = sorted((TOO_SLOW | STARTS_A_PROGRAM) - set(listed))
    if unknown:
        raise SystemExit(f"test/image/emulated.py leaves out tests that do not exist: {', '.join(unknown)}")
    return {name: program for name, program in listed.items()
            if name.partition("/")[0] in SUITES and name not in TOO_SLOW | STARTS_A_PROGRAM}


def run_unit_tests(results, checkout):
    folder = os.path.join(checkout, FOLDER)
    tests = chosen(checkout)
    subprocess.run(["ninja", "-C", folder, "--quiet", *(os.path.relpath(program, folder) for program in tests.values())], check=True)
    log = os.path.join(folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    subprocess.run(["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", "--quiet", "--timeout-multiplier", "4",
                    *tests], check=False)
    done = subprocess.run(["test/parts/tally", "meson", FOLDER], cwd=checkout, stdout=subprocess.PIPE, text=True, check=False)
    passed, failed, skipped = (int(word.split()[0]) for word in done.stdout.strip().split("\n")[-1].split(", "))
    print(f"arm64, {len(tests)} unit tests under qemu: {passed} passed, {failed} failed, {skipped} skipped")
    results.passed, results.failed, results.skipped = results.passed + passed, results.failed + failed, results.skipped + skipped
