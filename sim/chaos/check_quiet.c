/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/chaos/check.h"

/* Who changed what is the store's history to say. */
int chaos_check_quiet(ChaosWorld *world, uint64_t version, Error *err) {
  const SimApiStore *store = sim_api_store(world->cluster->api);
  if (store->version == version)
    return 0;
  const SimApiChange *last = store->history.count ? &store->history.items[store->history.count - 1] : NULL;
  return error_set(err, ERROR_CONFLICT, "%llu changes at rest, the last of the object %s",
                   (unsigned long long)(store->version - version), last ? last->key : "that is forgotten");
}
