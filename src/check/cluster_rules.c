/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster as a whole: are there GPUs, is anything handed to facet, is what facet needs in place? */
#include "check/pass.h"

#include "cluster/release.h"

enum { LEASE_STALE_S = 60 };

/* ---- nodes ---- */

static size_t count_gpu_nodes(const CheckPass *pass, const CheckNode **ret_first) {
  size_t count = 0;
  for (size_t i = 0; i < pass->node_count; i++) {
    bool could = pass->nodes[i].has_gpus &&
                 !string_equal(check_label_of(&pass->nodes[i], "nvidia.com/mig.capable"), "false");
    if (could && !count)
      *ret_first = &pass->nodes[i];
    count += could;
  }
  return count;
}

static bool shows_any_gpu(const CheckPass *pass) {
  for (size_t i = 0; i < pass->node_count; i++)
    if (pass->nodes[i].has_gpus)
      return true;
  return false;
}

void check_no_gpu(CheckPass *pass) {
  if (pass->cluster->sees_nodes && !shows_any_gpu(pass))
    check_add(
        pass, CHECK_ERROR, "cluster",
        "helm install gpu-operator nvidia/gpu-operator --namespace gpu-operator --create-namespace --set "
        "mig.strategy=mixed",
        "of %zu node%s none shows an NVIDIA GPU: no label of GPU feature discovery, no nvidia.com/ resource",
        pass->node_count, pass->node_count == 1 ? "" : "s");
}

void check_no_node(CheckPass *pass) {
  const CheckNode *first = NULL;
  size_t count = count_gpu_nodes(pass, &first);
  for (size_t i = 0; i < pass->node_count; i++)
    if (pass->nodes[i].label)
      return;
  if (count)
    check_add(pass, CHECK_ERROR, "cluster", check_label_command(pass, first, MIG_LABEL_PARTITIONING "=mig"),
              "no node is handed to facet: of %zu with GPUs none carries the label " MIG_LABEL_PARTITIONING,
              count);
}

/* ---- Kubernetes ---- */

void check_server(CheckPass *pass) {
  const char *version = pass->cluster->server_version;
  Release release = release_judge(version);
  if (release == RELEASE_TOO_OLD)
    check_add(pass, CHECK_ERROR, "cluster", "on a control plane node: kubeadm upgrade plan",
              "Kubernetes is %s: facet needs %s or newer, and its programs refuse to work with older ones",
              check_excerpt(pass, version), RELEASE_OLDEST);
  else if (release == RELEASE_UNTESTED)
    check_add(pass, CHECK_WARNING, "cluster", "on a control plane node: kubeadm upgrade plan",
              "Kubernetes is %s: facet supports %s and newer, and was never tried with this one",
              check_excerpt(pass, version), RELEASE_SUPPORTED);
}

/* ---- what facet needs there ---- */

void check_namespace(CheckPass *pass) {
  const CheckCluster *cluster = pass->cluster;
  if (cluster->has_namespace == CHECK_NO)
    check_add(pass, CHECK_ERROR, check_format(pass, "namespace %s", cluster->namespace_),
              check_format(pass, "kubectl create namespace %s", check_word(pass, cluster->namespace_)),
              "it does not exist: agents have no place for their reservation pods, and free slices cannot be "
              "re-cut");
}

void check_priority_class(CheckPass *pass) {
  if (pass->cluster->has_priority_class == CHECK_NO)
    check_add(pass, CHECK_ERROR, "priorityclass facet-reservation",
              "kubectl create priorityclass facet-reservation --value=1000000000 --preemption-policy=Never",
              "it does not exist: the API server refuses the agents' reservation pods, and free slices "
              "cannot be re-cut");
}

/* As in deploy/rbac.yaml. */
static const CheckRight rights[] = {
    {false, "list", "", "nodes", "", false},
    {false, "watch", "", "nodes", "", false},
    {false, "patch", "", "nodes", "", false},
    {false, "list", "", "pods", "", false},
    {false, "watch", "", "pods", "", false},
    {false, "create", "events.k8s.io", "events", "", false},
    {false, "create", "coordination.k8s.io", "leases", "", true},
    {true, "list", "", "nodes", "", false},
    {true, "watch", "", "nodes", "", false},
    {true, "patch", "", "nodes", "status", false},
    {true, "create", "events.k8s.io", "events", "", false},
    {true, "list", "", "pods", "", true},
    {true, "watch", "", "pods", "", true},
    {true, "create", "", "pods", "", true},
    {true, "delete", "", "pods", "", true},
};

const CheckRight *check_rights(size_t *ret_count) {
  *ret_count = COUNT_OF(rights);
  return rights;
}

static const char *format_right(CheckPass *pass, const CheckRight *right) {
  return check_format(pass, "%s %s%s%s%s%s", right->verb, right->resource, *right->subresource ? "/" : "",
                      right->subresource, *right->group ? "." : "", right->group);
}

static void add_missing(CheckPass *pass, const char *account, bool is_agent) {
  CLEANUP(text_deinit) Text missing = {0};
  const CheckCluster *cluster = pass->cluster;
  size_t count = 0, asked = 0;
  for (size_t i = 0; i < COUNT_OF(rights); i++) {
    bool is_missing = rights[i].is_agent == is_agent && cluster->allowed[i] == CHECK_NO;
    asked += rights[i].is_agent == is_agent && cluster->allowed[i] != CHECK_UNKNOWN;
    count += is_missing;
    if (is_missing)
      text_append_item(&missing, ", ", format_right(pass, &rights[i]));
  }
  if (count)
    check_add(pass, CHECK_ERROR, check_format(pass, "serviceaccount %s/%s", cluster->namespace_, account),
              check_install_command(pass), "it lacks %s: %s", count == asked ? "all rights" : "rights",
              text_string(&missing));
}

void check_account_rights(CheckPass *pass) {
  add_missing(pass, pass->cluster->controller_account, false);
  add_missing(pass, pass->cluster->agent_account, true);
}

/* ---- the controller ---- */

static const Pod *find_controller(const CheckPass *pass, bool *ret_runs) {
  const Pod *found = NULL;
  *ret_runs = false;
  for (size_t i = 0; i < pass->cluster->pod_count; i++) {
    const Pod *pod = pass->cluster->pods[i];
    if (pod_is_terminal(pod) || !check_is_facet(pod, "controller"))
      continue;
    found = found ? found : pod;
    *ret_runs |= check_pod_runs(pod);
  }
  return found;
}

/* One outside of the cluster is seen by its Lease alone, and only with --leader-elect. Where the agents are
 * pods it would be one, too. */
static void check_lease(CheckPass *pass) {
  const CheckCluster *cluster = pass->cluster;
  bool is_fresh = cluster->has_lease == CHECK_YES && cluster->now - cluster->lease_renewed <= LEASE_STALE_S;
  if (cluster->has_lease == CHECK_UNKNOWN || !cluster->now)
    check_add(pass, CHECK_NOTE, "cluster", check_install_command(pass),
              "no pod of facet's controller is to be seen; one that runs elsewhere would not be seen here");
  else if (!is_fresh)
    check_add(
        pass, pass->has_agent_pods ? CHECK_ERROR : CHECK_WARNING, "cluster", check_install_command(pass),
        "no controller of facet is to be seen: there is no pod of it, and %s (one that runs elsewhere "
        "without --leader-elect is never seen)",
        cluster->has_lease == CHECK_NO ? "nobody holds its Lease" : "its Lease was not renewed for a minute");
}

void check_controller(CheckPass *pass) {
  bool runs;
  const Pod *pod = find_controller(pass, &runs);
  if (!pass->ours || !pass->cluster->sees_pods || runs)
    return;
  if (!pod) {
    check_lease(pass);
    return;
  }
  check_add(pass, CHECK_ERROR, check_format(pass, "pod %s", check_pod_name(pass, pod)),
            check_format(pass, "kubectl describe pod --namespace %s %s",
                         check_word(pass, string_or_empty(pod->meta.namespace_)),
                         check_word(pass, string_or_empty(pod->meta.name))),
            "facet's controller does not run: the pod is %s",
            string_equal(pod_common(pod)->phase, "Running") ? "not ready"
                                                            : check_excerpt(pass, pod_common(pod)->phase));
}
