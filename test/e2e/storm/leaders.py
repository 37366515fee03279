# SPDX-License-Identifier: Apache-2.0
"""Several controllers and the real API server's Lease between them: one hands over at its end, one dies."""
import os

from machine import Failed, now_ms, wait_until

NAMESPACE, LEASE = "facet-system", "facet-controller"
HANDED_OVER_S, TAKEN_OVER_S = 10, 40  # the next look of who stands by; and the Lease of a dead one besides


def leads(program, times=1):
    return sum('msg="leading"' in line for line in program.log()) >= times


def stands_by(program):
    return any("another controller leads" in line for line in program.log())


def transitions(machine):
    return machine.get("lease", LEASE, "-n", NAMESPACE)["spec"].get("leaseTransitions", 0)


def expect_handover(machine):
    """The storm's own programs do not run."""
    command = [os.path.join(machine.build, "facet"), "controller", "--leader-elect"]
    first, second = (machine.program(f"controller-{i}", command, machine.controller.environment) for i in (1, 2))
    try:
        first.start()
        wait_until(HANDED_OVER_S, "the first controller leads", lambda: leads(first))
        second.start()
        wait_until(HANDED_OVER_S, "the second one stands by", lambda: stands_by(second))
        before, began = transitions(machine), now_ms()
        first.stop()
        ended = now_ms()
        wait_until(HANDED_OVER_S, "the second one leads", lambda: leads(second))
        handed_over = now_ms()
        second.kill()
        killed = now_ms()
        first.start()
        wait_until(TAKEN_OVER_S, "the first one leads again", lambda: leads(first, 2))
        print(f"# SIGTERM to end {ended - began} ms, to the next leader {handed_over - began} ms; kill -9 to the next leader "
              f"{now_ms() - killed} ms")
        if transitions(machine) != before + 2:
            raise Failed(f"the Lease counts {transitions(machine) - before} changes of the leader instead of 2")
    finally:
        for program in (first, second):
            if program.process.poll() is None:
                program.kill()
