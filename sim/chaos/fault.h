/* SPDX-License-Identifier: Apache-2.0 */
/* The table of everything that can happen: pods that come, and what goes wrong. A row is added here and
 * nowhere else. */
#pragma once

#include "sim/chaos/world.h"

typedef struct ChaosFault {
  const char *name;
  uint16_t per_mille; /* of the moments, where a seed gives it its usual rate */
  bool is_calm;       /* belongs to an ordinary day; else a seed may leave it out, or bring more of it */
  void (*strike)(ChaosWorld *world, const ChaosStep *step);
} ChaosFault;

enum { CHAOS_FAULTS_MAX = 64 };
extern const ChaosFault chaos_faults[];
extern const size_t chaos_fault_count;

/* strike_pods.c */
void chaos_strike_pod(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_pod_deletion(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_reservation_deletion(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_scheduler_pause(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_scheduler_restart(ChaosWorld *world, const ChaosStep *step);
/* strike_api.c */
void chaos_strike_watch_cut(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_history_loss(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_kind_stall(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_watch_stall(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_watch_silence(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_repetition(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_refusal(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_lost_answer(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_hung_answer(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_api_restart(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_lost_second(ChaosWorld *world, const ChaosStep *step);
/* strike_programs.c */
void chaos_strike_agent(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_agent_in_step(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_agent_upgrade(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_controller(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_controller_in_step(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_second_controller(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_kubelet(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_late_status(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_slow_sockets(ChaosWorld *world, const ChaosStep *step);
/* strike_leaders.c */
void chaos_strike_lost_leader(ChaosWorld *world, const ChaosStep *step);
/* strike_nodes.c */
void chaos_strike_reboot(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_replacement(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_nvml_refusal(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_nvml_death(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_lost_gpu(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_clock_jump(ChaosWorld *world, const ChaosStep *step);
/* strike_hands.c */
void chaos_strike_annotation_edit(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_amount_edit(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_node_pause(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_node_unlabel(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_cut_by_hand(ChaosWorld *world, const ChaosStep *step);
void chaos_strike_destruction_by_hand(ChaosWorld *world, const ChaosStep *step);
/* The storm is over: what people have set on nodes is as it was. */
void chaos_strike_hands_off(ChaosWorld *world);
