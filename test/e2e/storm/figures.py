# SPDX-License-Identifier: Apache-2.0
"""Numbers from the programs' log lines: how many re-cuts, and how long each stage took."""
import re

from timeline import parse

FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


class Follower:
    """New lines of a program's log, as (ms, message, fields)."""

    def __init__(self, program):
        self.program, self.offset, self.rest = program, 0, ""

    def new_lines(self):
        try:
            with open(self.program.log_path, encoding="utf-8", errors="replace") as log:
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


class Recuts:
    """What the agents tell of re-cuts since this was made."""

    def __init__(self, nodes):
        self.followers = [Follower(node.agent) for node in nodes]
        self.by_plan, self.lost = {}, {}
        self.skip()

    def skip(self):
        for follower in self.followers:
            for _ in follower.new_lines():
                pass

    def count(self):
        for follower in self.followers:
            for _, message, fields in follower.new_lines():
                if message == "re-cut done":
                    self.by_plan[fields["plan"]] = fields
                elif message == "re-cut lost":
                    reason = fields.get("reason", "?").strip('"')
                    self.lost[reason] = self.lost.get(reason, 0) + 1
        return len(self.by_plan)

    @property
    def done(self):
        return list(self.by_plan.values())


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def line_of(name, values):
    if not values:
        return f"#   {name:<34} -"
    return (f"#   {name:<34} p50 {percentile(values, 0.5):>7.0f}   p99 {percentile(values, 0.99):>7.0f}   "
            f"max {max(values):>7.0f}   of {len(values)}")


def show_recuts(recuts, seconds):
    print(f"# re-cuts: {len(recuts.done)} in {seconds:.0f} s, {60 * len(recuts.done) / seconds:.1f} a minute; "
          f"lost and planned again: {sum(recuts.lost.values())}")
    for reason, count in sorted(recuts.lost.items(), key=lambda item: -item[1]):
        print(f"#   {count:>4} x {reason}")
    print("# stages of a re-cut, ms:")
    for stage in recuts.done[0] if recuts.done else ():
        if stage.endswith("_ms"):
            print(line_of(stage.removesuffix("_ms"), [int(fields[stage]) for fields in recuts.done]))


def show_pods(ledger, seconds):
    pods = list(ledger.times.values())
    print(f"# pods: {ledger.succeeded} succeeded, {60 * ledger.succeeded / seconds:.0f} a minute; "
          f"reservation pods: {len(ledger.reservations)}")
    for first, then in (("created", "bound"), ("bound", "seen by the kubelet")):
        print(line_of(f"{first} .. {then}", [(t[then] - t[first]) * 1000 for t in pods if first in t and then in t]))
    print(line_of("life of a reservation pod", [seconds * 1000 for seconds in ledger.reservation_lives]))
