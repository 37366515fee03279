/* SPDX-License-Identifier: Apache-2.0 */
/* Requirements on labels, and label selectors: k8s.io/apimachinery, LabelSelectorAsSelector, and
 * k8s.io/component-helpers/scheduling/corev1/nodeaffinity. */
#pragma once

#include "cluster/object.h"

/* Can key and values be a label's, does the operator exist, and does it have as many values as it takes? Gt
 * and Lt are for nodes only. */
bool sched_requirement_is_valid(const Requirement *requirement);
/* Of a valid requirement. */
bool sched_requirement_matches(const Requirement *requirement, const KeyValues *labels);

bool sched_selector_is_valid(const LabelSelector *selector);
bool sched_selector_is_empty(const LabelSelector *selector);
/* Of a valid selector; an empty one matches all. */
bool sched_selector_matches(const LabelSelector *selector, const KeyValues *labels);

bool sched_strings_contain(const Strings *strings, const char *string);
