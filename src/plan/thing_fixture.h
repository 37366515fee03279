/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: nodes and pods that come and go one by one. */
#pragma once

#include "plan/plan_fixture.h"

/* An object with memory of its own, as in an informer: it is gone once it is replaced. */
typedef struct Thing {
  Fixture f;
  Node *node;
  Pod *pod;
} Thing;

static inline void thing_free(Thing *thing) {
  if (!thing)
    return;
  fixture_deinit(&thing->f);
  free(thing);
}
