# SPDX-License-Identifier: Apache-2.0
"""Slices a GPU with NVIDIA's Python bindings, whatever their release, and says what it saw."""
import subprocess

import pynvml as n


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def attempt(call, *arguments):
    """What the call returned, or the error's text."""
    try:
        return call(*arguments)
    except n.NVMLError as error:
        return str(error)


def show(what, *values):
    print(what + ":", *[text(value) for value in values])


def show_gpu(gpu):
    show("gpu", n.nvmlDeviceGetIndex(gpu), n.nvmlDeviceGetName(gpu), n.nvmlDeviceGetUUID(gpu))
    show("pci", n.nvmlDeviceGetPciInfo(gpu).busId, "minor", n.nvmlDeviceGetMinorNumber(gpu))
    show("memory", n.nvmlDeviceGetMemoryInfo(gpu).total >> 20, "MiB")
    show("mig", n.nvmlDeviceGetMigMode(gpu), "at most", n.nvmlDeviceGetMaxMigDeviceCount(gpu))
    same = n.nvmlDeviceGetHandleByUUID(n.nvmlDeviceGetUUID(gpu))
    show("found by uuid", n.nvmlDeviceGetIndex(same))


def show_profiles(gpu):
    for index in range(20):
        info = attempt(n.nvmlDeviceGetGpuInstanceProfileInfo, gpu, index)
        if isinstance(info, str):
            show(f"profile {index}", info)
            continue
        free = n.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, info.id)
        show(f"profile {index}", f"id {info.id} {free}/{info.instanceCount} slices {info.sliceCount} "
             f"{info.memorySizeMB} MiB {info.multiprocessorCount} SM")


def create(gpu, profile, compute_profile):
    instance = n.nvmlDeviceCreateGpuInstance(gpu, profile)
    compute = n.nvmlGpuInstanceCreateComputeInstance(instance, compute_profile)
    info = n.nvmlGpuInstanceGetInfo(instance)
    show("created", f"gi {info.id} profile {info.profileId} at {info.placement.start}:{info.placement.size}")
    return instance, compute


def show_mig_devices(gpu):
    for index in range(n.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        mig = attempt(n.nvmlDeviceGetMigDeviceHandleByIndex, gpu, index)
        if isinstance(mig, str):
            show(f"mig device {index}", mig)
            continue
        attributes = n.nvmlDeviceGetAttributes(mig)
        show(f"mig device {index}", n.nvmlDeviceGetName(mig), n.nvmlDeviceGetUUID(mig))
        show(f"mig device {index}", f"gi {n.nvmlDeviceGetGpuInstanceId(mig)} ci {n.nvmlDeviceGetComputeInstanceId(mig)}",
             f"{attributes.memorySizeMB} MiB {attributes.multiprocessorCount} SM",
             f"{attributes.gpuInstanceSliceCount} {attributes.computeInstanceSliceCount} slices")
        parent = n.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(mig)
        show(f"mig device {index}", "of gpu", n.nvmlDeviceGetIndex(parent))


def show_processes(gpu):
    for process in n.nvmlDeviceGetComputeRunningProcesses(gpu):
        show("process", process.pid, n.nvmlSystemGetProcessName(process.pid), process.usedGpuMemory >> 20, "MiB")


def outside(*words):
    subprocess.run(["facet-sim-nvml", *words], check=True, stdout=subprocess.DEVNULL)


def wait_for_xid(gpu):
    events = n.nvmlEventSetCreate()
    n.nvmlDeviceRegisterEvents(gpu, n.nvmlEventTypeXidCriticalError, events)
    show("before the xid", attempt(n.nvmlEventSetWait, events, 0))
    outside("xid", "0", "94", "2", "0")
    data = n.nvmlEventSetWait(events, 10000)
    show("xid", data.eventData, "type", data.eventType)
    n.nvmlEventSetFree(events)


def main():
    n.nvmlInit()
    show("driver", n.nvmlSystemGetDriverVersion(), "gpus", n.nvmlDeviceGetCount())
    gpu = n.nvmlDeviceGetHandleByIndex(0)
    show_gpu(gpu)
    show_profiles(gpu)
    whole = create(gpu, 9, 2)
    part = create(gpu, 14, 0)
    show("too much", attempt(n.nvmlDeviceCreateGpuInstance, gpu, 9), attempt(n.nvmlDeviceCreateGpuInstance, gpu, 3))
    show_mig_devices(gpu)
    outside("attach", "0/2/0", "4711", "python3", "500")
    show_processes(gpu)
    show("in use", attempt(n.nvmlComputeInstanceDestroy, whole[1]), attempt(n.nvmlGpuInstanceDestroy, part[0]))
    wait_for_xid(gpu)
    n.nvmlComputeInstanceDestroy(part[1])
    n.nvmlGpuInstanceDestroy(part[0])
    show("stale", attempt(n.nvmlGpuInstanceGetInfo, part[0]))
    show("unknown", attempt(n.nvmlDeviceGetHandleByUUID, b"GPU-0"), attempt(n.nvmlDeviceGetHandleByIndex, 9))
    n.nvmlShutdown()
    show("after shutdown", attempt(n.nvmlDeviceGetCount))


main()
