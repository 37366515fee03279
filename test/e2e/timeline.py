# SPDX-License-Identifier: Apache-2.0
"""When did what happen, in milliseconds since the first Pending pod was seen: from the programs' logs and from watches
of pods and node, all on the clock of one machine."""
import datetime
import re

LINE = re.compile(r'^time=(\S+) level=\S+ component=(\S+) msg="((?:[^"\\]|\\.)*)" ?(.*)$')


def parse(line):
    match = LINE.match(line)
    if not match:
        return None
    stamp = datetime.datetime.fromisoformat(match.group(1).replace("Z", "+00:00"))
    return int(stamp.timestamp() * 1000), match.group(3), match.group(4)


def log_times(program, message, contains=""):
    parsed = [parse(line) for line in program.log()]
    return [p[0] for p in parsed if p and p[1] == message and contains in p[2]]


def pod_times(watch, test):
    """The first time of each pod of the Deployment at which the test holds."""
    first = {}
    for at, _, thing in watch.events:
        name = thing["metadata"]["name"]
        if name.startswith("story-") and name not in first and test(thing):
            first[name] = at
    return sorted(first.values())


def is_unschedulable(thing):
    return any(c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable"
               for c in thing["status"].get("conditions", []))


def node_times(watch, resource):
    """When the node first offered 1, 2, ... of the resource."""
    first = {}
    for at, _, thing in watch.events:
        count = int(thing["status"]["allocatable"].get(resource, 0))
        for n in range(1, count + 1):
            first.setdefault(n, at)
    return [first[n] for n in sorted(first)]


def steps(machine, pods, nodes):
    small = "nvidia.com/mig-1g.10gb"
    return [
        ("pod Pending (Unschedulable)", pod_times(pods, is_unschedulable)),
        ("planned", log_times(machine.controller, "planned", "writes=1")[:1]),
        ("written to the node", log_times(machine.controller, "node written")[:1]),
        ("slice created", log_times(machine.agent, "slice created", "profile=1g.10gb")),
        ("known to the kubelet", [t for count in range(1, 8) for t in log_times(
            machine.agent, "kubelet knows the slices", f"resource={small} count={count}")]),
        ("allocatable on the node", node_times(nodes, small)),
        ("bound", pod_times(pods, lambda p: p["spec"].get("nodeName"))),
        ("Running", pod_times(pods, lambda p: p["status"].get("phase") == "Running")),
    ]


def took_ms(machine):
    """What the simulated driver itself took for the demanded slices."""
    found = [re.search(r"took_ms=(\d+)", line) for line in machine.agent.log()
             if 'msg="slice created"' in line and "profile=1g.10gb" in line]
    return sum(int(m.group(1)) for m in found if m)


def show(machine, pods, nodes):
    table = steps(machine, pods, nodes)
    if not table[0][1]:
        return
    start = table[0][1][0]
    print("# timeline, ms since the first Pending pod was seen (first .. last):")
    for name, times in table:
        text = " .. ".join(str(t - start) for t in (times[:1] + times[-1:] if len(times) > 1 else times))
        print(f"#   {name:<30} {text or '-'}")
    allocatable = table[5][1]
    if len(allocatable) >= 5:
        driver = took_ms(machine)
        print(f"#   all five allocatable after {allocatable[4] - start} ms, of which {driver} ms in the driver: "
              f"{allocatable[4] - start - driver} ms are facet's, the kubelet's and the API server's")


def memory_of(pid):
    """Resident and anonymous kB; None where the process is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file.read().splitlines()[1:])
    except OSError:
        return None
    return tuple(int(fields[name].split()[0]) for name in ("Rss", "Anonymous"))


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def show_memory(machine):
    for program in (machine.agent, machine.controller):
        pid = program.process.pid
        parts = [m for m in map(memory_of, [pid, *children_of(pid)]) if m]
        more = f" with {len(parts) - 1} NVML worker" if len(parts) > 1 else ""
        print(f"#   {program.name}{more}: {sum(m[0] for m in parts)} kB resident, "
              f"{sum(m[1] for m in parts)} kB anonymous")
