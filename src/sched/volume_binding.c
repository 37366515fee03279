/* SPDX-License-Identifier: Apache-2.0 */
/* A bound volume must be reachable from the node. A claim that waits for its first pod takes, the smallest
 * claim first, the smallest ready volume of its class that the node can reach; where there is none, its class
 * must be able to make one there.
 *
 * A claim that two waiting pods share is bound when the first of them is placed: the second one follows it to
 * its node, because nobody knows yet from where else that volume will be reachable. */
#include "sched/volumes.h"

#include "sched/node_affinity.h"
#include "sched/selector.h"

#include "base/memory.h"

#include <string.h>

static bool is_reachable(const PersistentVolume *volume, const Node *node) {
  return !volume->has_required_node_affinity ||
         sched_terms_match(volume->required_terms.items, volume->required_terms.count, &node->meta.labels,
                           NULL);
}

static bool is_meant_for(const PersistentVolume *volume, const PersistentVolumeClaim *claim) {
  return volume->has_claim && string_equal(volume->claim_name, claim->meta.name) &&
         strcmp(string_or_empty(volume->claim_namespace), string_or_empty(claim->meta.namespace_)) == 0 &&
         (!volume->claim_uid || string_equal(volume->claim_uid, OBJECT_UID(claim->meta.uid)));
}

static bool has_modes(const PersistentVolume *volume, const PersistentVolumeClaim *claim) {
  for (size_t i = 0; i < claim->access_modes.count; i++)
    if (!sched_strings_contain(&volume->access_modes, string_or_empty(claim->access_modes.items[i])))
      return false;
  return true;
}

static const char *mode_of(const char *volume_mode) {
  return volume_mode ? volume_mode : "Filesystem";
}

/* Whether it could serve the claim on some node. */
static bool suits(const PersistentVolume *volume, const PersistentVolumeClaim *claim) {
  return (!volume->has_claim || is_meant_for(volume, claim)) &&
         sched_storage_amount(&volume->capacity) >= sched_storage_amount(&claim->requests) &&
         strcmp(mode_of(volume->volume_mode), mode_of(claim->volume_mode)) == 0 &&
         strcmp(string_or_empty(volume->attributes_class_name),
                string_or_empty(claim->attributes_class_name)) == 0 &&
         !volume->meta.deletion_time &&
         strcmp(sched_volume_class_name(volume), sched_claim_class_name(claim)) == 0;
}

static bool is_available(const PersistentVolume *volume, const PersistentVolumeClaim *claim) {
  return string_equal(volume->phase, "Available") &&
         (!claim->has_selector || (sched_selector_is_valid(&claim->selector) &&
                                   sched_selector_matches(&claim->selector, &volume->meta.labels))) &&
         has_modes(volume, claim);
}

typedef struct Search {
  const SchedVolumes *volumes;
  const Node *node;
  const PersistentVolume **chosen; /* by this pod */
  int chosen_count;
} Search;

static bool is_taken(const Search *search, const PersistentVolume *volume) {
  for (int i = 0; i < search->chosen_count; i++)
    if (search->chosen[i] == volume)
      return true;
  for (size_t i = 0; i < search->volumes->chosen.count; i++)
    if (search->volumes->chosen.items[i] == volume)
      return true;
  return false;
}

/* A volume that is meant for the claim is the only one; else the smallest. */
static const PersistentVolume *find_volume(const Search *search, const PersistentVolumeClaim *claim) {
  const PersistentVolume *smallest = NULL;
  for (size_t i = 0; i < search->volumes->sorted_count; i++) {
    const PersistentVolume *volume = search->volumes->sorted[i];
    if (is_taken(search, volume) || !suits(volume, claim))
      continue;
    if (is_meant_for(volume, claim))
      return is_reachable(volume, search->node) ? volume : NULL;
    if (!smallest && is_available(volume, claim) && is_reachable(volume, search->node))
      smallest = volume;
  }
  return smallest;
}

static bool matches_topology(const TopologyTerm *term, const KeyValues *labels) {
  for (size_t i = 0; i < term->requirements.count; i++) {
    const char *label = key_values_find(labels, string_or_empty(term->requirements.items[i].key));
    if (!label || !sched_strings_contain(&term->requirements.items[i].values, label))
      return false;
  }
  return term->requirements.count > 0;
}

static bool can_be_made(const StorageClass *class_, const Node *node) {
  if (!class_->provisioner || strcmp(class_->provisioner, "kubernetes.io/no-provisioner") == 0)
    return false;
  for (size_t i = 0; i < class_->allowed_topologies.count; i++)
    if (matches_topology(&class_->allowed_topologies.items[i], &node->meta.labels))
      return true;
  return class_->allowed_topologies.count == 0;
}

/* The unbound claims, the smallest first; returns how many. */
static int sort_claims(const SchedPodVolumes *found, const SchedClaim **ret_claims) {
  int count = 0;
  for (int i = 0; i < found->claim_count; i++) {
    const SchedClaim *claim = &found->claims[i];
    if (claim->is_bound)
      continue;
    int place = count++;
    int64_t size = sched_storage_amount(&claim->object->requests);
    for (; place > 0 && sched_storage_amount(&ret_claims[place - 1]->object->requests) > size; place--)
      ret_claims[place] = ret_claims[place - 1];
    ret_claims[place] = claim;
  }
  return count;
}

static bool serve_claim(Search *search, const SchedClaim *claim) {
  const PersistentVolume *volume =
      claim->selected_node || !claim->has_choice ? NULL : find_volume(search, claim->object);
  if (volume)
    search->chosen[search->chosen_count++] = volume;
  return volume || (claim->class_ && can_be_made(claim->class_, search->node));
}

int sched_volumes_choose(const SchedVolumes *volumes, int pod, int node,
                         const PersistentVolume **ret_chosen) {
  const SchedPodVolumes *found = volumes->pods[pod];
  const SnapshotNode *on = &volumes->snapshot->nodes.items[node];
  CLEANUP(cleanup_free)
  const PersistentVolume **chosen = mem_alloc((size_t)found->claim_count * sizeof(void *));
  CLEANUP(cleanup_free) const SchedClaim **claims = mem_alloc((size_t)found->claim_count * sizeof(void *));
  Search search = {.volumes = volumes, .node = on->object, .chosen = ret_chosen ? ret_chosen : chosen};
  int count = sort_claims(found, claims);
  for (int i = 0; i < count; i++) {
    bool is_elsewhere = claims[i]->selected_node && strcmp(claims[i]->selected_node, on->name) != 0;
    if (claims[i]->users->node >= 0) {
      if (claims[i]->users->node != node)
        return -1;
      continue;
    }
    if (is_elsewhere || !serve_claim(&search, claims[i]))
      return -1;
  }
  return search.chosen_count;
}

bool sched_volume_binding(const SchedVolumes *volumes, int pod, int node, char *ret_reason, size_t size) {
  const SchedPodVolumes *found = volumes->pods[pod];
  if (!found)
    return true;
  bool reachable = true, there = true;
  /* The first claim that is wrong ends the look at bound ones. */
  for (int i = 0; i < found->claim_count && reachable && there; i++) {
    const SchedClaim *claim = &found->claims[i];
    there = !claim->is_bound || claim->volume;
    reachable = !claim->volume || is_reachable(claim->volume, volumes->snapshot->nodes.items[node].object);
  }
  bool served = sched_volumes_choose(volumes, pod, node, NULL) >= 0;
  if (reachable && there && served)
    return true;
  snprintf(ret_reason, size, "%s%s%s%s%s",
           reachable ? "" : "node(s) didn't match PersistentVolume's node affinity",
           !reachable && !served ? ", " : "",
           served ? "" : "node(s) didn't find available persistent volumes to bind",
           !there && (!reachable || !served) ? ", " : "",
           there ? "" : "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
  return false;
}
