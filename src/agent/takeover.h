/* SPDX-License-Identifier: Apache-2.0 */
/* Switching NVIDIA's device plugin off on our node, and on again. Its GPU Operator takes the plugin away from
 * nodes with the label nvidia.com/gpu.deploy.device-plugin=false. What was there before is kept in an
 * annotation, which says at the same time that it was us:
 *
 *     facet.gpu/took-over: "absent"     there was no such label
 *                          "=true"      it was "true"
 *
 * Where somebody else wrote "false", it is not ours to take away. Pure; each writes the body of a merge patch
 * of the node and returns false where there is nothing to do. */
#pragma once

#include "base/text.h"
#include "cluster/object.h"

bool agent_takeover_format_take(const Node *node, Text *ret_body);
bool agent_takeover_format_give_back(const Node *node, Text *ret_body);
