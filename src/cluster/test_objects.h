/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: lists of Kubernetes objects as literals.
 *     Node node = {.meta = {.name = "n1", .labels = LIST_OF(KeyValue, {"zone", "z1"})}}; */
#pragma once

#define LIST_OF(Type, ...)                                                                                   \
  { .items = (Type[]){__VA_ARGS__}, .count = sizeof((Type[]){__VA_ARGS__}) / sizeof(Type) }
