/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that are equal for pods which a filter cannot tell apart: parts of the keys of classes. */
#pragma once

#include "base/text.h"
#include "cluster/object.h"

/* Marked off, so that no two sequences of words give the same text. */
void sched_key_add(Text *key, const char *word);
void sched_key_add_pairs(Text *key, const KeyValues *pairs);
void sched_key_add_strings(Text *key, const Strings *strings);
void sched_key_add_requirements(Text *key, const Requirement *requirements, size_t count);
void sched_key_add_selector(Text *key, const LabelSelector *selector);
/* spec.nodeSelector and the required node affinity */
void sched_key_add_node_affinity(Text *key, const Pod *pod);
void sched_key_add_tolerations(Text *key, const Pod *pod);
void sched_key_add_term(Text *key, const Pod *pod, const PodAffinityTerm *term);
/* Hard constraints, and what decides which nodes count for them. */
void sched_key_add_spread(Text *key, const Pod *pod);
/* Host ports that are held while the pod runs. */
void sched_key_add_ports(Text *key, const Pod *pod);
