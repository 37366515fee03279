# SPDX-License-Identifier: Apache-2.0
"""Numbers from the programs' log lines: how many re-cuts, and how long each stage took."""
import re

from timeline import log_times, parse

FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')
PREFIX = "nvidia.com/mig-"


class Follower:
    """New lines of a program's log from now on, as (ms, message, fields)."""

    def __init__(self, program):
        self.path, self.offset, self.rest = program.log_path, 0, ""
        for _ in self.new_lines():
            pass

    def new_lines(self):
        try:
            with open(self.path, encoding="utf-8", errors="replace") as log:
                log.seek(self.offset)
                text = self.rest + log.read()
                self.offset = log.tell()
        except FileNotFoundError:
            return
        *whole, self.rest = text.split("\n")
        for line in whole:
            parsed = parse(line)
            if parsed:
                yield parsed[0], parsed[1], dict(FIELD.findall(parsed[2]))


class Growth:
    """Of one agent: from a slice that NVML has made to the node that offers it."""

    def __init__(self):
        self.created, self.known = [], []  # (ms, resource) on their way
        self.known_ms, self.offered_ms = [], []

    def take(self, at, message, fields):
        if message == "slice created":
            self.created.append((at, PREFIX + fields["profile"].replace("+", ".")))
        elif message == "kubelet knows the slices":
            news = [one for one in self.created if one[1] == fields["resource"]]
            self.known_ms += [at - one[0] for one in news]
            self.known += news
            self.created = [one for one in self.created if one not in news]
        elif message == "reported":
            self.offered_ms += [at - one[0] for one in self.known]
            self.known = []


class Told:
    """What the programs tell of a storm, since this was made."""

    def __init__(self, controller, nodes):
        self.controller = Follower(controller)
        self.agents = [(node.name, Follower(node.agent), Growth()) for node in nodes]
        self.written, self.answered = {}, {}  # (node, plan) -> ms
        self.recuts, self.lost = [], {}       # the fields of their lines; reason -> count

    def read(self):
        for at, message, fields in self.controller.new_lines():
            if message == "node written":
                self.written[fields["node"], fields["plan"]] = at
        for node, follower, growth in self.agents:
            for at, message, fields in follower.new_lines():
                growth.take(at, message, fields)
                self.take(node, at, message, fields)

    def take(self, node, at, message, fields):
        if message == "re-cut done":
            self.recuts.append(fields)
        elif message == "plan done":
            self.answered[node, fields["plan"]] = at
        elif message == "re-cut lost":
            reason = fields.get("reason", "?").strip('"').split(" preemption: ")[0]
            self.lost[reason] = self.lost.get(reason, 0) + 1

    def count_recuts(self):
        self.read()
        return len(self.recuts)

    def answer_ms(self):
        return [at - self.written[plan] for plan, at in self.answered.items() if plan in self.written]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def line_of(name, values):
    if not values:
        return f"#   {name:<34} -"
    return (f"#   {name:<34} p50 {percentile(values, 0.5):>7.0f}   p99 {percentile(values, 0.99):>7.0f}   "
            f"max {max(values):>7.0f}   of {len(values)}")


def show_told(told, seconds):
    told.read()
    recuts = told.recuts
    print(f"# re-cuts: {len(recuts)} in {seconds:.0f} s, {60 * len(recuts) / seconds:.1f} a minute; "
          f"lost and planned again: {sum(told.lost.values())}")
    for reason, count in sorted(told.lost.items(), key=lambda item: -item[1]):
        print(f"#   {count:>4} x {reason}")
    print("# stages of a re-cut, ms:")
    for stage in recuts[0] if recuts else ():
        if stage.endswith("_ms"):
            print(line_of(stage.removesuffix("_ms"), [int(fields[stage]) for fields in recuts]))
    print("# from the driver's answer, ms:")
    print(line_of("slice made .. kubelet knows it", [ms for _, _, growth in told.agents for ms in growth.known_ms]))
    print(line_of("slice made .. node offers it", [ms for _, _, growth in told.agents for ms in growth.offered_ms]))
    print("# from the controller's decision, ms:")
    print(line_of("plan written .. carried out", told.answer_ms()))


def show_upgrades(nodes):
    """Between the start of the new agent and its first report, in which the node offers its slices again."""
    took = []
    for node in nodes:
        reports = log_times(node.agent, "reported")
        took += [min(later) - at for at in node.upgraded_ms if (later := [t for t in reports if t > at])]
    if took:
        print(line_of("agent started .. reported, ms", took))


def show_pods(ledger, seconds):
    pods = list(ledger.times.values())
    print(f"# pods: {ledger.succeeded} succeeded, {60 * ledger.succeeded / seconds:.0f} a minute; "
          f"reservation pods: {len(ledger.reservations)}; ms:")
    for first, then in (("created", "bound"), ("bound", "seen by the kubelet")):
        print(line_of(f"{first} .. {then}", [(t[then] - t[first]) * 1000 for t in pods if first in t and then in t]))
    print(line_of("life of a reservation pod", [seconds * 1000 for seconds in ledger.reservation_lives]))
