# SPDX-License-Identifier: Apache-2.0
"""A rejection that Kubernetes does all by itself. When the API server dies in the middle of a binding, the scheduler never
gets the answer, takes the pod for unbound, and promises its slice to another one as well; it notices when its watch is
back, and says so. The kubelet rejects whichever pod comes second, with any device plugin.

Only what shows all of that is taken for it: an API server restarted shortly before, the scheduler's own word for a pod on
that node, and an agent that took no slice of that resource away in the minute before."""
import re

from timeline import log_times, parse
from verdicts import ms_of

RESTARTED_MS = 120000  # before the rejection
NOTICED_MS = 60000     # before or after it
UNTOUCHED_MS = 65000   # longer than a reservation outlives its re-cut

RESOURCE = re.compile(r"unavailable for (nvidia\.com/[\w.-]+?)\. ")
COUNT = re.compile(r"count=(\d+)")
FORGOTTEN = re.compile(r"^E(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+) .*\"Pod was added to a different node than it was assumed\""
                       r".* currentNode=\"([^\"]+)\"")


def was_restarted(storm, at_ms):
    return any(kind == "API server restart" and 0 <= at_ms - struck_ms <= RESTARTED_MS
               for struck_ms, kind, _ in storm.strikes.done)


def was_noticed(scheduler_log, node, at_ms):
    with open(scheduler_log, encoding="utf-8", errors="replace") as log:
        for line in log:
            match = FORGOTTEN.match(line)
            if match and match.group(4) == node:
                stamp = re.match(r"^\w(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+)", line)
                if abs(ms_of(stamp) - at_ms) <= NOTICED_MS:
                    return True
    return False


def was_untouched(agent, resource, at_ms):
    """The list that the kubelet followed did not shrink, and the agent did not start anew."""
    if any(0 <= at_ms - t <= UNTOUCHED_MS for t in log_times(agent, "registered with the kubelet")):
        return False
    before = None
    for line in agent.log():
        parsed = parse(line)
        if not parsed or parsed[0] > at_ms or parsed[1] != "kubelet knows the slices":
            continue
        if f"resource={resource} " not in parsed[2]:
            continue
        count = int(COUNT.search(parsed[2]).group(1))
        if before is not None and count < before and at_ms - parsed[0] <= UNTOUCHED_MS:
            return False
        before = count
    return before is not None


def explains(machine, storm, rejection):
    resource = RESOURCE.search(rejection.words)
    node = next((n for n in machine.nodes if n.name == rejection.node), None)
    return bool(resource and node and was_restarted(storm, rejection.at_ms) and
                was_noticed(f"{machine.kubernetes}/log/scheduler.log", rejection.node, rejection.at_ms) and
                was_untouched(node.agent, resource.group(1), rejection.at_ms))
