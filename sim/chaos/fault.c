/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/chaos/fault.h"

const ChaosFault chaos_faults[] = {
    {"pod", 700, true, chaos_strike_pod},
    {"pod-deletion", 30, true, chaos_strike_pod_deletion},
    {"scheduler-pause", 40, true, chaos_strike_scheduler_pause},
    /* the API server, as its clients see it */
    {"watch-cut", 10, false, chaos_strike_watch_cut},
    {"history-loss", 8, false, chaos_strike_history_loss},
    {"kind-stall", 12, false, chaos_strike_kind_stall},
    {"watch-stall", 15, false, chaos_strike_watch_stall},
    {"watch-silence", 3, false, chaos_strike_watch_silence},
    {"repetition", 8, false, chaos_strike_repetition},
    {"refusal", 20, false, chaos_strike_refusal},
    {"lost-answer", 15, false, chaos_strike_lost_answer},
    {"hung-answer", 8, false, chaos_strike_hung_answer},
    {"api-restart", 6, false, chaos_strike_api_restart},
    {"lost-second", 4, false, chaos_strike_lost_second},
    /* programs */
    {"scheduler-restart", 8, false, chaos_strike_scheduler_restart},
    {"agent-kill", 15, false, chaos_strike_agent},
    {"agent-kill-in-step", 20, false, chaos_strike_agent_in_step},
    {"agent-upgrade", 6, false, chaos_strike_agent_upgrade},
    {"controller-kill", 10, false, chaos_strike_controller},
    {"controller-kill-in-step", 12, false, chaos_strike_controller_in_step},
    {"second-controller", 8, false, chaos_strike_second_controller},
    {"lost-leader", 8, false, chaos_strike_lost_leader},
    {"kubelet-kill", 12, false, chaos_strike_kubelet},
    {"late-status", 10, false, chaos_strike_late_status},
    {"slow-sockets", 8, false, chaos_strike_slow_sockets},
    /* machines */
    {"reboot", 3, false, chaos_strike_reboot},
    {"replacement", 3, false, chaos_strike_replacement},
    {"nvml-refusal", 15, false, chaos_strike_nvml_refusal},
    {"nvml-death", 12, false, chaos_strike_nvml_death},
    {"lost-gpu", 3, false, chaos_strike_lost_gpu},
    {"clock-jump", 6, false, chaos_strike_clock_jump},
    /* people */
    {"reservation-deletion", 15, false, chaos_strike_reservation_deletion},
    {"annotation-edit", 10, false, chaos_strike_annotation_edit},
    {"amount-edit", 6, false, chaos_strike_amount_edit},
    {"node-pause", 5, false, chaos_strike_node_pause},
    {"node-unlabel", 4, false, chaos_strike_node_unlabel},
    {"cut-by-hand", 5, false, chaos_strike_cut_by_hand},
    {"destruction-by-hand", 4, false, chaos_strike_destruction_by_hand},
};

const size_t chaos_fault_count = COUNT_OF(chaos_faults);
_Static_assert(COUNT_OF(chaos_faults) <= CHAOS_FAULTS_MAX, "an outcome counts each of them");
