/* SPDX-License-Identifier: Apache-2.0 */
/* A shorter history that fails in the same way. */
#pragma once

#include "sim/chaos/trial.h"

/* Whether a history fails as it should; negative: it could not be tried. */
typedef int ChaosFails(void *userdata, const ChaosHistory *history, Error *err);

/* Leaves out as many steps as it can within so many tries; the history given fails. */
int chaos_shrink(const ChaosHistory *history, ChaosFails *fails, void *userdata, int tries_max,
                 ChaosHistory *ret_history, Error *err) MUST_CHECK;
/* chaos_shrink by trials that fail by this checker. */
int chaos_shrink_by_trials(const ChaosHistory *history, const char *checker, int tries_max,
                           ChaosHistory *ret_history, Error *err) MUST_CHECK;
