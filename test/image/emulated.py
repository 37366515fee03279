# SPDX-License-Identifier: Apache-2.0
"""The unit tests as arm64 programs, under qemu-user."""
import os
import shutil
import subprocess

FOLDER = "build-image-arm64"

# Left out, because
#   cli, gpu    their programs start themselves and others anew, which the kernel does not know how to run here
SUITES = ("base", "metrics", "mig", "cluster", "sched")


def lacking():
    """What this machine has not got, as a sentence; None if it has all."""
    for program, package in (("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"), ("qemu-aarch64-static", "qemu-user-static")):
        if not shutil.which(program):
            return f"there is no {program}; install {package}"
    return None


def run_unit_tests(results, checkout):
    log = os.path.join(checkout, FOLDER, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    subprocess.run(["ninja", "-C", FOLDER, "--quiet"], cwd=checkout, check=True)
    suites = [word for suite in SUITES for word in ("--suite", suite)]
    subprocess.run(["meson", "test", "-C", FOLDER, "--no-rebuild", "--print-errorlogs", "--quiet", "--timeout-multiplier", "4",
                    *suites], cwd=checkout, check=False)
    done = subprocess.run(["test/parts/tally", "meson", FOLDER], cwd=checkout, stdout=subprocess.PIPE, text=True, check=False)
    passed, failed, skipped = (int(word.split()[0]) for word in done.stdout.strip().split(", "))
    print(f"arm64, unit tests under qemu: {done.stdout.strip()}")
    results.passed, results.failed, results.skipped = results.passed + passed, results.failed + failed, results.skipped + skipped
