/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on nodes and pods, by the names of mig/contract.h. */
#include "cli/manual_contract.h"

#include "mig/contract.h"

const CliManualKey cli_manual_node_keys[] = {
    {"label `" MIG_LABEL_PARTITIONING "`", "people",
     "`mig` hands the MIG slices of the node's GPUs to facet."},
    {"`" MIG_ANNOTATION_PAUSED "`", "people", "`true`: nothing is cut here. What exists stays in service."},
    {"`" MIG_ANNOTATION_EXCLUDE "`", "people", "`2,3`: these GPUs are never cut."},
    {"`" MIG_ANNOTATION_ALLOWED "`", "people", "`1g.10gb,2g.20gb`: only these profiles are created."},
    {"`" MIG_ANNOTATION_KEEP_PREFIX "<i>`", "people", "`3g.40gb@0`: these slices are never taken away."},
    {"`" MIG_ANNOTATION_MIG_MODE "`", "people",
     "`auto`: MIG mode is switched on for idle GPUs where that needs no reset; else `" MIG_ANNOTATION_ERROR
     "` says what to do. It wins over the agent's `--mig-mode`."},
    {"`" MIG_ANNOTATION_SPEC_PLAN "`", "controller", "The id of the plan that the node shall carry out."},
    {"`" MIG_ANNOTATION_SPEC_GPU_PREFIX "<i>`", "controller",
     "`GPU-<uuid> 1g.10gb@6,2g.20gb@0`: the slices that GPU shall have, in the order of creation; nothing "
     "behind the UUID: none."},
    {"`" MIG_ANNOTATION_SPEC_COUNT_PREFIX "<i>-<profile>`", "controller, nos",
     "A number of slices. Read only where the exact form is absent."},
    {"`" MIG_ANNOTATION_STATUS_PLAN "`", "agent", "The id of the plan that is done."},
    {"`" MIG_ANNOTATION_IDENTITY_PREFIX "<i>`", "agent", "`GPU-<uuid> <model> mig=on|off|pending`."},
    {"`" MIG_ANNOTATION_STATUS_GPU_PREFIX "<i>`", "agent",
     "`1g.10gb@6:used,1g.10gb@4:free`: the slices that exist."},
    {"`" MIG_ANNOTATION_STATUS_COUNT_PREFIX "<i>-<profile>-free`, `-used`", "agent",
     "The same as numbers, for nos' tools."},
    {"`" MIG_ANNOTATION_PROFILES "`", "agent", "What NVIDIA's library allows, for each model of the node."},
    {"`" MIG_ANNOTATION_ERROR "`", "agent",
     "What went wrong last, in one sentence; removed when it is well again."},
    {"`" MIG_ANNOTATION_STAGE "`", "agent",
     "With `--publish nvidia`: what it has waited for, for 5 s or longer, and since when."},
    {"`" MIG_ANNOTATION_TOOK_OVER "`", "agent",
     "With `--take-over`: what the label `" MIG_LABEL_DEVICE_PLUGIN "` was before."},
    {"label `" MIG_LABEL_DEVICE_PLUGIN "`", "people, agent with `--take-over`",
     "`false`: the GPU Operator keeps NVIDIA's device plugin away from the node."},
    {"label `" MIG_LABEL_OFFER "`", "agent",
     "A number that grows with each re-cut, told together with the amounts after it."},
    {"label `" MIG_LABEL_RESERVATION "`, on pods", "agent",
     "Its own pods, by which it takes free slices out of the scheduler's reach before it takes them away."},
    {0},
};
