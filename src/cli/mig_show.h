/* SPDX-License-Identifier: Apache-2.0 */
/* The GPUs of this machine, for people and as a tree for programs. Pure. */
#pragma once

#include "base/text.h"
#include "gpu/driver.h"

#include <jansson.h>

/* Each GPU with its slots drawn and its slices: profile, place, UUID, processes. */
void cli_mig_list_table(const GpuObservation *observation, bool colours, Text *out);
json_t *cli_mig_list_tree(const GpuObservation *observation);
/* Each model with its profiles: how many, how large, where; and how many more would fit on each GPU now. */
void cli_mig_profiles_table(const GpuObservation *observation, Text *out);
json_t *cli_mig_profiles_tree(const GpuObservation *observation);
/* The layouts of today as the text that `facet mig apply` takes. GPUs whose layout that form cannot hold
 * (MIG mode off, other compute instances, not readable) are comments that say so. */
void cli_mig_save(const GpuObservation *observation, Text *out);
/* "on", "off", "on after a GPU reset" */
const char *cli_mig_mode_word(MigMode mode);
