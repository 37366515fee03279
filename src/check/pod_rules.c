/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: those of nos, and those that wait for what nobody can make. */
#include "check/pass.h"

#include "base/map.h"

#include <string.h>

#define APP_NAME     "app.kubernetes.io/name"
#define APP_INSTANCE "app.kubernetes.io/instance"
#define NOS_CHART    "oci://ghcr.io/nebuly-ai/helm-charts/nos"

/* ---- nos ---- */

typedef struct NosRow {
  const char *name; /* label app.kubernetes.io/name, as nos' chart sets it */
  const char *does;
} NosRow;

static const NosRow parts[] = {
    {"nos-gpu-partitioner", "writes layouts into the annotations of nodes"},
    {"nos-mig-agent", "cuts GPUs and reports them"},
    {"nos-gpu-agent", "reports GPUs"},
};

static const Pod *find_nos(const CheckPass *pass, const char *name, size_t *ret_count) {
  const Pod *found = NULL;
  *ret_count = 0;
  for (size_t i = 0; i < pass->cluster->pod_count; i++) {
    const Pod *pod = pass->cluster->pods[i];
    if (pod_is_terminal(pod) || !string_equal(key_values_find(&pod->meta.labels, APP_NAME), name))
      continue;
    found = found ? found : pod;
    (*ret_count)++;
  }
  return found;
}

static const char *disable_command(CheckPass *pass, const Pod *pod) {
  const char *release = key_values_find(&pod->meta.labels, APP_INSTANCE);
  return check_format(
      pass, "helm upgrade %s " NOS_CHART " --namespace %s --reuse-values --set gpuPartitioner.enabled=false",
      check_word(pass, release ? release : "nos"), check_word(pass, string_or_empty(pod->meta.namespace_)));
}

void check_nos(CheckPass *pass) {
  for (size_t i = 0; i < COUNT_OF(parts); i++) {
    size_t count;
    const Pod *pod = find_nos(pass, parts[i].name, &count);
    if (pod)
      check_add(pass, CHECK_ERROR, check_format(pass, "pod %s", check_pod_name(pass, pod)),
                disable_command(pass, pod),
                "%s runs (%zu pod%s) and %s, as facet does: two that cut undo each other's work",
                parts[i].name, count, count == 1 ? "" : "s", parts[i].does);
  }
}

void check_nos_scheduler(CheckPass *pass) {
  size_t schedulers, waiting = 0;
  const Pod *first = NULL;
  (void)find_nos(pass, "nos-scheduler", &schedulers);
  for (size_t i = 0; !schedulers && i < pass->cluster->pod_count; i++) {
    const Pod *pod = pass->cluster->pods[i];
    bool waits = !pod->node_name && !pod_is_terminal(pod) &&
                 string_has_prefix(string_or_empty(pod_common(pod)->scheduler_name), "nos-");
    first = waits && !first ? pod : first;
    waiting += waits;
  }
  if (first)
    check_add(
        pass, CHECK_ERROR, check_format(pass, "pod %s", check_pod_name(pass, first)),
        check_format(pass, "kubectl get pods --all-namespaces --field-selector spec.schedulerName=%s",
                     check_word(pass, pod_common(first)->scheduler_name)),
        "%zu pod%s for the scheduler %s, of which no pod runs: leave schedulerName out of their templates",
        waiting, waiting == 1 ? " waits" : "s wait", check_excerpt(pass, pod_common(first)->scheduler_name));
}

/* ---- profiles that nobody has ---- */

static bool is_made(const CheckPass *pass, const char *resource) {
  char profile[MIG_PROFILE_NAME_SIZE];
  Error err;
  if (!mig_profile_is_resource(resource) || mig_profile_parse_resource(resource, profile, &err) < 0)
    return false;
  const Snapshot *snapshot = pass->cluster->snapshot;
  for (size_t n = 0; n < snapshot->nodes.count; n++)
    for (int g = 0; snapshot->nodes.items[n].managed && g < snapshot->nodes.items[n].gpu_count; g++) {
      const MigModel *model = snapshot->nodes.items[n].gpus[g].model;
      if (model && mig_model_find_profile(model, profile) >= 0)
        return true;
    }
  return false;
}

/* A node that facet has no hand in may have the slice as well. */
static bool is_offered(const CheckPass *pass, const char *resource) {
  for (size_t n = 0; n < pass->node_count; n++) {
    const Node *node = pass->nodes[n].object;
    for (size_t i = 0; i < node->allocatable.count; i++)
      if (string_equal(node->allocatable.items[i].key, resource))
        return true;
  }
  return false;
}

typedef struct Wanted {
  const Pod *first, *last;
  const char *resource;
  size_t pods;
  bool is_known; /* somebody has it, or can make it */
} Wanted;

typedef struct Wants {
  Map seen;               /* resource -> Wanted */
  ARRAY(Wanted *) wanted; /* in the order of the first pods */
} Wants;

/* One more pod for a resource that was asked for before; several containers of it may ask. */
static bool note_again(Wants *wants, const char *resource, const Pod *pod) {
  Wanted *wanted = map_find(&wants->seen, resource);
  if (!wanted)
    return false;
  wanted->pods += wanted->last != pod;
  wanted->last = pod;
  return true;
}

static void note_first(CheckPass *pass, Wants *wants, const char *resource, const Pod *pod) {
  Wanted *wanted = arena_alloc(&pass->findings->arena, sizeof *wanted);
  *wanted = (Wanted){.first = pod,
                     .last = pod,
                     .resource = resource,
                     .pods = 1,
                     .is_known = is_made(pass, resource) || is_offered(pass, resource)};
  map_put(&wants->seen, resource, wanted);
  *array_push(&wants->wanted) = wanted;
}

static bool is_share(const char *resource) {
  return string_has_prefix(resource, "nvidia.com/gpu-") && string_has_suffix(resource, "gb");
}

static void note_container(CheckPass *pass, Wants *wants, const Pod *pod, const ResourceTexts *requests) {
  for (size_t i = 0; i < requests->count; i++) {
    const char *resource = requests->items[i].key;
    if ((mig_profile_is_resource(resource) || is_share(resource)) && !note_again(wants, resource, pod))
      note_first(pass, wants, resource, pod);
  }
}

static void note_pod(CheckPass *pass, Wants *wants, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  for (size_t i = 0; i < common->containers.count; i++) {
    const Container *container = &common->containers.items[i];
    note_container(pass, wants, pod, container->requests.count ? &container->requests : &container->limits);
  }
}

void check_profiles(CheckPass *pass) {
  Wants wants = {0};
  for (size_t i = 0; pass->ours && i < pass->cluster->pod_count; i++)
    if (!pass->cluster->pods[i]->node_name && !pod_is_terminal(pass->cluster->pods[i]))
      note_pod(pass, &wants, pass->cluster->pods[i]);
  for (size_t i = 0; i < wants.wanted.count; i++) {
    const Wanted *wanted = wants.wanted.items[i];
    if (wanted->is_known)
      continue;
    const char *name = check_pod_name(pass, wanted->first);
    check_add(pass, CHECK_WARNING, check_format(pass, "pod %s", name),
              check_format(pass, "facet explain %s", check_word(pass, name)), "%zu pod%s for %s, which %s",
              wanted->pods, wanted->pods == 1 ? " waits" : "s wait", check_excerpt(pass, wanted->resource),
              is_share(wanted->resource) ? "are shares of nos' MPS: facet does not serve them yet"
                                         : "no GPU that is handed to facet can be cut into");
  }
  array_deinit(&wants.wanted);
  map_deinit(&wants.seen);
}
