#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the bare NVML calls of a re-cut of one slice take: a slice of two slots is destroyed and one of one slot made in its
place, in a program that does nothing else. Prints milliseconds, one re-cut a line; its environment chooses the machine.

usage: bench/nvml_reference.py LIBRARY COUNT
"""
import ctypes
import sys
import time

WIDE, NARROW = 14, 19  # NVML's ids of 2g.20gb and 1g.10gb on an A100-80GB
COMPUTE = {WIDE: 1, NARROW: 0}  # and of the compute instance over the whole of each
START = {WIDE: 2, NARROW: 1}  # size in slots


class Placement(ctypes.Structure):
    _fields_ = [("start", ctypes.c_uint), ("size", ctypes.c_uint)]


class Slice:
    """A GPU instance with its compute instance at slot 4 of GPU 0."""

    def __init__(self, nvml, device, profile):
        self.nvml, self.instance, self.compute = nvml, ctypes.c_void_p(), ctypes.c_void_p()
        place = Placement(4, START[profile])
        self.call("nvmlDeviceCreateGpuInstanceWithPlacement", device, profile, ctypes.byref(place),
                  ctypes.byref(self.instance))
        self.call("nvmlGpuInstanceCreateComputeInstance", self.instance, COMPUTE[profile], ctypes.byref(self.compute))

    def call(self, name, *arguments):
        code = getattr(self.nvml, name)(*arguments)
        if code:
            sys.exit(f"{name} answers {code}")

    def destroy(self):
        self.call("nvmlComputeInstanceDestroy", self.compute)
        self.call("nvmlGpuInstanceDestroy", self.instance)


def main():
    nvml = ctypes.CDLL(sys.argv[1])
    device = ctypes.c_void_p()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)):
        sys.exit("the machine cannot be opened")
    for _ in range(int(sys.argv[2])):
        one = Slice(nvml, device, WIDE)
        began = time.monotonic()
        one.destroy()
        other = Slice(nvml, device, NARROW)
        print(f"{1000 * (time.monotonic() - began):.2f}", flush=True)
        other.destroy()


main()
