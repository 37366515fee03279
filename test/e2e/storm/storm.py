# SPDX-License-Identifier: Apache-2.0
"""One storm: the load, what befalls the cluster meanwhile, and the witnesses."""
import random
import time

import chaos
import figures
import verdicts
from ledger import Ledger
from load import SLOTS, Load
from machine import Failed
from oracle import Oracle


class Storm:
    def __init__(self, machine, api, rng, strikes):
        self.machine, self.api = machine, api
        self.ledger = Ledger(api)
        self.oracle = Oracle(machine, machine.nodes)
        self.told = figures.Told(machine.controller, machine.nodes)
        self.kubelet_rejections = verdicts.KubeletRejections(machine)
        gpus = sum(node.gpus for node in machine.nodes)
        self.load = Load(api, self.ledger, random.Random(rng.random()), gpus, list(SLOTS))
        self.stops = chaos.SchedulerStops(machine, random.Random(rng.random()))
        self.strikes = chaos.Strikes(machine, random.Random(rng.random()), strikes)
        self.began = time.monotonic()
        self.seconds = 0
        self.workers = (self.ledger, self.oracle, self.load, self.stops, self.strikes)
        for worker in self.workers:
            worker.start()

    def blow(self, seconds, enough):
        deadline = time.monotonic() + seconds
        while not enough() and time.monotonic() < deadline:
            time.sleep(0.5)
            self.expect_no_trouble()
        self.seconds = time.monotonic() - self.began

    def expect_no_trouble(self):
        for worker in self.workers:
            if worker.trouble:
                raise Failed(f"the storm itself failed ({worker.name}): {worker.trouble!r}")

    def calm_down(self):
        for worker in (self.strikes, self.stops, self.load):
            worker.stop()
        self.expect_no_trouble()

    def close(self):
        self.oracle.stop()
        self.ledger.stop()
