/* SPDX-License-Identifier: Apache-2.0 */
/* A claim is bound to a volume, or waits for the first pod that uses it (WaitForFirstConsumer), or should
 * have been bound already. Words and order of the refusals are those of VolumeRestrictions, VolumeBinding and
 * VolumeZone in kube-scheduler 1.36, before they look at any node. */
#include "sched/volumes.h"

#include "sched/key.h"

#include "cluster/quantity.h"

#include <stdlib.h>
#include <string.h>

static const char bound_annotation[] = "pv.kubernetes.io/bind-completed";
static const char node_annotation[] = "volume.kubernetes.io/selected-node";
static const char class_annotation[] = "volume.beta.kubernetes.io/storage-class";

const char *sched_claim_class_name(const PersistentVolumeClaim *claim) {
  const char *annotated = key_values_find(&claim->meta.annotations, class_annotation);
  return annotated ? annotated : string_or_empty(claim->storage_class_name);
}

const char *sched_volume_class_name(const PersistentVolume *volume) {
  const char *annotated = key_values_find(&volume->meta.annotations, class_annotation);
  return annotated ? annotated : string_or_empty(volume->storage_class_name);
}

static bool has_claim(const Volume *volume) {
  return volume->claim_name || volume->is_ephemeral;
}

static const char *name_claim(SchedVolumes *volumes, const Pod *pod, const Volume *volume) {
  if (volume->claim_name)
    return volume->claim_name;
  return arena_format(&volumes->arena, "%s-%s", string_or_empty(pod->meta.name),
                      string_or_empty(volume->name));
}

static SchedClaimUsers *find_users(SchedVolumes *volumes, const Pod *pod, const char *claim) {
  CLEANUP(text_deinit) Text key = {0};
  text_format(&key, "%s/%s", string_or_empty(pod->meta.namespace_), claim);
  SchedClaimUsers *users = map_find(&volumes->users, text_string(&key));
  if (users)
    return users;
  users = arena_alloc(&volumes->arena, sizeof *users);
  users->node = -1;
  map_put(&volumes->users, text_string(&key), users);
  return users;
}

/* The first word against the pod counts. */
static void refuse(SchedPodVolumes *pod, const char *plugin, const char *reason) {
  if (pod->plugin)
    return;
  pod->plugin = plugin;
  pod->reason = reason;
}

static bool is_owned_by(const PersistentVolumeClaim *claim, const Pod *pod) {
  for (size_t i = 0; i < claim->meta.owners.count; i++) {
    const OwnerReference *owner = &claim->meta.owners.items[i];
    if (owner->controller && string_equal(owner->kind, "Pod") && string_equal(owner->name, pod->meta.name))
      return true;
  }
  return false;
}

/* What VolumeBinding says of a claim that is there; NULL: nothing. */
static const char *judge_claim(SchedVolumes *volumes, const Pod *pod, const SchedClaim *claim) {
  const PersistentVolumeClaim *object = claim->object;
  const char *name = string_or_empty(object->meta.name);
  if (string_equal(object->phase, "Lost"))
    return arena_format(&volumes->arena,
                        "persistentvolumeclaim \"%s\" bound to non-existent persistentvolume \"%s\"", name,
                        string_or_empty(object->volume_name));
  if (object->meta.deletion_time)
    return arena_format(&volumes->arena, "persistentvolumeclaim \"%s\" is being deleted", name);
  if (claim->is_ephemeral && !is_owned_by(object, pod))
    return arena_format(&volumes->arena, "PVC %s/%s was not created for pod %s/%s (pod is not owner)",
                        string_or_empty(object->meta.namespace_), name, string_or_empty(pod->meta.namespace_),
                        string_or_empty(pod->meta.name));
  return NULL;
}

/* Says of an unbound claim why it is none that waits for its first pod; NULL where it is. */
static const char *find_class(SchedVolumes *volumes, SchedClaim *claim) {
  static const char unbound[] = "pod has unbound immediate PersistentVolumeClaims";
  const char *name = sched_claim_class_name(claim->object);
  const StorageClass *class_ = *name ? map_find(&volumes->snapshot->storage_classes, name) : NULL;
  if (claim->object->volume_name)
    return unbound;
  if (*name && !class_ && !volumes->snapshot->is_complete)
    return arena_format(&volumes->arena, "unknown storage class %s of volume claim %s/%s", name,
                        string_or_empty(claim->object->meta.namespace_),
                        string_or_empty(claim->object->meta.name));
  if (class_ && !class_->binding_mode)
    return arena_format(&volumes->arena, "VolumeBindingMode not set for StorageClass \"%s\"", name);
  if (!class_ || strcmp(class_->binding_mode, "WaitForFirstConsumer") != 0)
    return unbound;
  claim->class_ = class_;
  claim->selected_node = key_values_find(&claim->object->meta.annotations, node_annotation);
  return NULL;
}

static const char *find_volume(SchedVolumes *volumes, SchedClaim *claim) {
  const char *name = claim->object->volume_name;
  claim->volume = map_find(&volumes->snapshot->volumes, name);
  if (claim->volume || claim->is_ephemeral)
    return NULL; /* VolumeBinding has words for ephemeral ones, node by node */
  if (volumes->snapshot->is_complete)
    return arena_format(&volumes->arena, "persistentvolume \"%s\" not found", name);
  return arena_format(&volumes->arena, "unknown volume %s of claim %s/%s", name,
                      string_or_empty(claim->object->meta.namespace_),
                      string_or_empty(claim->object->meta.name));
}

static void refuse_missing(SchedVolumes *volumes, const Pod *pod, const SchedClaim *claim, const char *name,
                           SchedPodVolumes *found) {
  const char *reason =
      !volumes->snapshot->is_complete ? arena_format(&volumes->arena, "unknown volume claim %s/%s",
                                                     string_or_empty(pod->meta.namespace_), name)
      : claim->is_ephemeral
          ? arena_format(&volumes->arena,
                         "waiting for ephemeral volume controller to create the persistentvolumeclaim \"%s\"",
                         name)
          : arena_format(&volumes->arena, "persistentvolumeclaim \"%s\" not found", name);
  refuse(found, claim->is_ephemeral ? "VolumeBinding" : "VolumeRestrictions", reason);
}

static bool is_for_one_pod(const SchedClaim *claim) {
  for (size_t i = 0; i < claim->object->access_modes.count; i++)
    if (string_equal(claim->object->access_modes.items[i], "ReadWriteOncePod") && !claim->is_ephemeral)
      return true;
  return false;
}

/* The plugins go over the claims one after the other, so each looks at all claims before the next does. */
static void read_claims(SchedVolumes *volumes, const Pod *pod, SchedPodVolumes *found) {
  const PodCommon *common = pod_common(pod);
  const char *unbound = NULL, *gone = NULL;
  for (size_t i = 0; i < common->volumes.count; i++) {
    const Volume *volume = &common->volumes.items[i];
    if (!has_claim(volume))
      continue;
    SchedClaim claim = {.is_ephemeral = volume->is_ephemeral && !volume->claim_name};
    const char *name = name_claim(volumes, pod, volume);
    claim.object = snapshot_find_claim(volumes->snapshot, pod->meta.namespace_, name);
    if (!claim.object) {
      refuse_missing(volumes, pod, &claim, name, found);
      continue;
    }
    const char *reason = judge_claim(volumes, pod, &claim);
    if (reason)
      refuse(found, "VolumeBinding", reason);
    claim.users = find_users(volumes, pod, name);
    claim.is_bound = claim.object->volume_name &&
                     key_values_find(&claim.object->meta.annotations, bound_annotation) != NULL;
    if (claim.is_bound)
      gone = gone ? gone : find_volume(volumes, &claim);
    else
      unbound = unbound ? unbound : find_class(volumes, &claim);
    found->claims[found->claim_count++] = claim;
  }
  if (unbound)
    refuse(found, "VolumeBinding", unbound);
  if (gone)
    refuse(found, "VolumeZone", gone);
}

/* VolumeRestrictions looks for all its claims before VolumeBinding looks for any. */
static void find_missing(SchedVolumes *volumes, const Pod *pod, SchedPodVolumes *found) {
  const PodCommon *common = pod_common(pod);
  for (size_t i = 0; i < common->volumes.count; i++) {
    const Volume *volume = &common->volumes.items[i];
    if (volume->claim_name &&
        !snapshot_find_claim(volumes->snapshot, pod->meta.namespace_, volume->claim_name))
      refuse_missing(volumes, pod, &(SchedClaim){0}, volume->claim_name, found);
  }
}

static SchedPodVolumes *read_pod(SchedVolumes *volumes, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  size_t count = 0;
  for (size_t i = 0; i < common->volumes.count; i++)
    count += has_claim(&common->volumes.items[i]);
  if (!count)
    return NULL;
  SchedPodVolumes *found = arena_alloc(&volumes->arena, sizeof *found);
  found->claims = arena_alloc(&volumes->arena, count * sizeof *found->claims);
  find_missing(volumes, pod, found);
  read_claims(volumes, pod, found);
  return found;
}

/* ---- who uses what ---- */

/* Only claims that some waiting pod uses have an entry. */
static void count_users(SchedVolumes *volumes, const Pod *pod, bool waits) {
  const PodCommon *common = pod_common(pod);
  CLEANUP(text_deinit) Text key = {0};
  for (size_t i = 0; i < common->volumes.count; i++) {
    if (!common->volumes.items[i].claim_name)
      continue;
    text_clear(&key);
    text_format(&key, "%s/%s", string_or_empty(pod->meta.namespace_), common->volumes.items[i].claim_name);
    SchedClaimUsers *users = map_find(&volumes->users, text_string(&key));
    if (!users)
      continue;
    users->waiting += waits;
    users->on_nodes += !waits;
  }
}

/* What cannot be read counts as nothing. */
int64_t sched_storage_amount(const ResourceTexts *texts) {
  int64_t amount;
  Error ignored;
  for (size_t i = 0; i < texts->count; i++)
    if (strcmp(texts->items[i].key, "storage") == 0)
      return quantity_parse(texts->items[i].value, QUANTITY_UNITS, &amount, &ignored) == 0 ? amount : 0;
  return 0;
}

static int64_t capacity_of(const PersistentVolume *volume) {
  return sched_storage_amount(&volume->capacity);
}

static int compare_volumes(const void *a, const void *b) {
  const PersistentVolume *left = *(const PersistentVolume *const *)a;
  const PersistentVolume *right = *(const PersistentVolume *const *)b;
  int64_t size_left = capacity_of(left), size_right = capacity_of(right);
  if (size_left != size_right)
    return size_left < size_right ? -1 : 1;
  return strcmp(string_or_empty(left->meta.name), string_or_empty(right->meta.name));
}

static void sort_volumes(SchedVolumes *volumes) {
  const Map *all = &volumes->snapshot->volumes;
  volumes->sorted_count = all->count;
  volumes->sorted = arena_alloc(&volumes->arena, all->count * sizeof(void *));
  for (size_t i = 0; i < all->count; i++)
    volumes->sorted[i] = all->entries[i].value;
  if (all->count)
    qsort(volumes->sorted, all->count, sizeof(void *), compare_volumes);
}

/* Volumes made by hand that wait for a claim of this class. */
static bool has_ready_volumes(const SchedVolumes *volumes, const SchedClaim *claim) {
  for (size_t i = 0; i < volumes->sorted_count; i++)
    if (string_equal(sched_volume_class_name(volumes->sorted[i]), sched_claim_class_name(claim->object)))
      return true;
  return false;
}

static void judge_coupling(const SchedVolumes *volumes, SchedPodVolumes *pod) {
  for (int i = 0; i < pod->claim_count; i++) {
    SchedClaim *claim = &pod->claims[i];
    bool is_shared = claim->users->waiting > 1;
    claim->is_alone = is_for_one_pod(claim);
    claim->has_choice = !claim->is_bound && has_ready_volumes(volumes, claim);
    pod->is_coupled |= (is_shared && (claim->is_alone || !claim->is_bound)) || claim->has_choice;
  }
}

SchedVolumes *sched_volumes_new(Snapshot *snapshot) {
  if (!snapshot->knows_volumes)
    return NULL;
  SchedVolumes *volumes = mem_alloc(sizeof *volumes);
  bool found = false;
  volumes->snapshot = snapshot;
  volumes->pods = mem_alloc(snapshot->pods.count * sizeof *volumes->pods);
  for (size_t i = 0; i < snapshot->pods.count; i++) {
    volumes->pods[i] = read_pod(volumes, snapshot->pods.items[i].object);
    found |= volumes->pods[i] != NULL;
  }
  if (!found) {
    sched_volumes_free(volumes);
    return NULL;
  }
  sort_volumes(volumes);
  for (size_t i = 0; i < snapshot->pods.count; i++)
    count_users(volumes, snapshot->pods.items[i].object, true);
  for (size_t i = 0; i < snapshot->placed.count; i++)
    count_users(volumes, snapshot->placed.items[i].object, false);
  for (size_t i = 0; i < snapshot->pods.count; i++)
    if (volumes->pods[i])
      judge_coupling(volumes, volumes->pods[i]);
  return volumes;
}

void sched_volumes_free(SchedVolumes *volumes) {
  if (!volumes)
    return;
  free(volumes->pods);
  map_deinit(&volumes->users);
  array_deinit(&volumes->chosen);
  array_deinit(&volumes->chosen_counts);
  arena_deinit(&volumes->arena);
  free(volumes);
}

/* Nobody else may have them. */
static void choose(SchedVolumes *volumes, int pod, int node) {
  const SchedPodVolumes *found = volumes->pods[pod];
  const PersistentVolume **chosen = mem_alloc((size_t)found->claim_count * sizeof(void *));
  int count = sched_volumes_choose(volumes, pod, node, chosen);
  *array_push(&volumes->chosen_counts) = count > 0 ? count : 0;
  for (int i = 0; i < count; i++)
    *array_push(&volumes->chosen) = chosen[i];
  free(chosen);
}

void sched_volumes_on_bind(SchedVolumes *volumes, int pod, int node, int sign) {
  const SchedPodVolumes *found = volumes->pods[pod];
  if (!found || !found->is_coupled)
    return;
  if (sign > 0)
    choose(volumes, pod, node);
  else
    volumes->chosen.count -= (size_t)volumes->chosen_counts.items[--volumes->chosen_counts.count];
  for (int i = 0; i < found->claim_count; i++) {
    SchedClaimUsers *users = found->claims[i].users;
    if (!users)
      continue;
    users->on_nodes += sign;
    users->in_fork += sign;
    users->node = users->in_fork ? node : -1;
  }
}

bool sched_volumes_are_known(const SchedVolumes *volumes, int pod, const char **ret_plugin, char *ret_reason,
                             size_t size) {
  const SchedPodVolumes *found = volumes->pods[pod];
  if (!found || !found->plugin)
    return true;
  *ret_plugin = found->plugin;
  snprintf(ret_reason, size, "%s", found->reason);
  return false;
}

static void add_volume(Text *key, const PersistentVolume *volume) {
  for (size_t t = 0; t < volume->required_terms.count; t++) {
    const NodeSelectorTerm *term = &volume->required_terms.items[t];
    sched_key_add_requirements(key, term->match_expressions.items, term->match_expressions.count);
    sched_key_add_requirements(key, term->match_fields.items, term->match_fields.count);
  }
  for (int i = 0; i < SCHED_ZONE_LABELS; i++)
    sched_key_add(key, key_values_find(&volume->meta.labels, sched_zone_labels[i]));
}

/* A bound claim says where its volume is, an unbound one where volumes of its class can be; names matter only
 * where the place of one pod changes what another may do. */
void sched_volumes_add_key(const SchedVolumes *volumes, int pod, Text *key) {
  const SchedPodVolumes *found = volumes->pods[pod];
  if (!found)
    return;
  text_append(key, "volumes");
  sched_key_add(key, found->reason);
  for (int i = 0; i < found->claim_count && !found->plugin; i++) {
    const SchedClaim *claim = &found->claims[i];
    if (found->is_coupled || claim->is_alone) {
      sched_key_add(key, claim->object->meta.namespace_);
      sched_key_add(key, claim->object->meta.name);
    }
    sched_key_add(key, claim->class_ ? claim->class_->meta.name : NULL);
    sched_key_add(key, claim->selected_node);
    text_append(key, claim->volume && claim->volume->has_required_node_affinity ? "terms" : "");
    if (claim->volume)
      add_volume(key, claim->volume);
  }
}
