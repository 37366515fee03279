# SPDX-License-Identifier: Apache-2.0
"""What a test with a real Kubernetes needs before it begins: root, the programs, free ports. Where something cannot be
had the test is skipped, saying why."""
import os
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PORT_OFFSETS = (379, 380, 443, 444, 257, 259, *range(501, 509), *range(601, 609))


def skip(why):
    print(f"1..0 # SKIP {why}")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def become_root():
    if os.geteuid() == 0:
        return
    if subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode:
        skip("a kubelet needs root, and there is no sudo without a password")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    os.execvp("sudo", ["sudo", "-n", "--preserve-env=PATH", f"XDG_CACHE_HOME={home}", sys.executable, *sys.argv])


def kubernetes(what="kubernetes"):
    done = subprocess.run([os.path.join(HERE, "kubernetes", "build"), what], stdout=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode == 77:
        skip("Kubernetes cannot be built here (see above)")
    if done.returncode:
        print("Bail out! building Kubernetes failed")
        sys.exit(1)
    return done.stdout.strip()


def free_port_base():
    """Below the ephemeral ports, so that nobody's outgoing connection sits on one of them."""
    for base in range(20000, 32000, 1000):
        sockets = []
        try:
            for offset in PORT_OFFSETS:
                one = socket.socket()
                sockets.append(one)
                one.bind(("127.0.0.1", base + offset))
            return base
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    skip("no free ports between 20000 and 32000")
    return 0
