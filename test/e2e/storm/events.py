# SPDX-License-Identifier: Apache-2.0
"""An error of a GPU that repeats: one Event with a count, on the real API server and with the agent's own rights."""
from machine import Failed, wait_until

XID, TIMES, SEEN_S = "79", 3, 60


def of_node(machine, node):
    events = machine.get("events.events.k8s.io", "-n", "default")["items"]
    return [event for event in events if event.get("reason") == "GpuError" and event["regarding"]["name"] == node.name]


def times(event):
    return event.get("series", {}).get("count", 1)


def strike(machine, node):
    """An agent that looks at its GPUs just now, or changes them, misses it."""
    machine.nvml_of(node, "xid", "0", XID)
    return sum(map(times, of_node(machine, node))) >= TIMES


def expect_one_that_is_counted(machine):
    """The storm's own programs do not run."""
    node = machine.nodes[-1]
    node.agent.start()
    try:
        wait_until(SEEN_S, f"the error has been told of {TIMES} times", lambda: strike(machine, node))
        found = of_node(machine, node)
        if len(found) != 1:
            raise Failed(f"one error that repeats became {len(found)} Events, counted {[times(event) for event in found]}")
    finally:
        node.agent.kill()
