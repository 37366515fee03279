/* SPDX-License-Identifier: Apache-2.0 */
/* ReadWriteOncePod: a claim that some pod uses, wherever that is, can be used by no other. The old in-tree
 * disks (GCE, AWS, iSCSI, RBD as volumes of the pod itself), which the plugin also looks at, are not read. */
#include "sched/volumes.h"

bool sched_volume_restrictions(const SchedVolumes *volumes, int pod, int node, char *ret_reason,
                               size_t size) {
  const SchedPodVolumes *found = volumes->pods[pod];
  for (int i = 0; found && i < found->claim_count; i++)
    if (found->claims[i].is_alone && found->claims[i].users->on_nodes > 0) {
      snprintf(ret_reason, size,
               "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already "
               "in-use by another pod");
      return false;
    }
  return true;
}
