/* SPDX-License-Identifier: Apache-2.0 */
/* The node itself: its label, its kubelet, its GPUs. */
#include "check/pass.h"

#include "base/version.h"
#include "cluster/release.h"

#define LABEL_PRODUCT "nvidia.com/gpu.product"

/* ---- the label ---- */

void check_label(CheckPass *pass, const CheckNode *node) {
  char text[MIG_LABEL_TEXT_SIZE];
  if (mig_label_explain(node->label, text))
    check_add_node(pass, string_equal(node->label, "mps") ? CHECK_WARNING : CHECK_ERROR, node,
                   check_label_command(pass, node, MIG_LABEL_PARTITIONING "=mig"), "%s", text);
}

void check_ready(CheckPass *pass, const CheckNode *node) {
  const Condition *ready = node_find_condition(node->object, "Ready");
  if (!node->is_ours || !ready || string_equal(ready->status, "True"))
    return;
  check_add_node(pass, CHECK_WARNING, node,
                 check_format(pass, "kubectl describe node %s", check_word(pass, node->name)),
                 "it is not Ready (%s): no pod comes here, and nothing is planned for it",
                 *string_or_empty(ready->reason) ? check_excerpt(pass, ready->reason) : "no reason given");
}

void check_kubelet(CheckPass *pass, const CheckNode *node) {
  Release release = release_judge(node->object->kubelet_version);
  if (!node->is_ours || release == RELEASE_GOOD || release == RELEASE_UNKNOWN)
    return;
  const char *version = check_excerpt(pass, node->object->kubelet_version);
  if (release == RELEASE_TOO_OLD)
    check_add_node(pass, CHECK_ERROR, node, "on the node: kubeadm upgrade node",
                   "its kubelet is %s: facet needs %s or newer", version, RELEASE_OLDEST);
  else
    check_add_node(pass, CHECK_WARNING, node, "on the node: kubeadm upgrade node",
                   "its kubelet is %s: facet supports %s and newer, and was never tried with this one",
                   version, RELEASE_SUPPORTED);
}

void check_paused(CheckPass *pass, const CheckNode *node) {
  const char *paused = check_annotation_of(node, MIG_ANNOTATION_PAUSED);
  if (!node->is_ours || !paused || string_equal(paused, "false"))
    return;
  check_add_node(
      pass, CHECK_NOTE, node,
      check_format(pass, "kubectl annotate node %s " MIG_ANNOTATION_PAUSED "-", check_word(pass, node->name)),
      "it is paused by the annotation " MIG_ANNOTATION_PAUSED ": its slices stay as they are");
}

/* ---- GPUs ---- */

void check_gpus_there(CheckPass *pass, const CheckNode *node) {
  if (node->is_ours && !node->has_gpus)
    check_add_node(
        pass, CHECK_ERROR, node, check_label_command(pass, node, MIG_LABEL_PARTITIONING "-"),
        "it is handed to facet and shows no NVIDIA GPU: no label of GPU feature discovery, no nvidia.com/ "
        "resource, no report of an agent");
}

void check_mig_capable(CheckPass *pass, const CheckNode *node) {
  if (!node->is_ours || !string_equal(check_label_of(node, "nvidia.com/mig.capable"), "false"))
    return;
  const char *product = check_label_of(node, LABEL_PRODUCT);
  check_add_node(pass, CHECK_ERROR, node, check_label_command(pass, node, MIG_LABEL_PARTITIONING "-"),
                 "its GPUs (%s) cannot do MIG: the label nvidia.com/mig.capable says false",
                 product ? check_excerpt(pass, product) : "of an unknown product");
}

typedef struct DriverRow {
  const char *model; /* beginning of the key of a MigModelRow; "" is for all */
  const char *oldest;
} DriverRow;

/* The driver that can first cut the model: NVIDIA's MIG User Guide, "Supported GPUs". The last row is facet's
 * own floor (README.md). */
static const DriverRow drivers[] = {
    {"H100", "525.85.12"},
    {"H800", "525.85.12"},
    {"H20-", "535.161.07"},
    {"H200", "550.90.07"},
    {"B200", "570.133.20"},
    {"GB200", "570.133.20"},
    {"B300", "580.82.07"},
    {"RTX-PRO-6000", "575.51.03"},
    {"RTX-PRO-5000", "575.57.08"},
    {"RTX-PRO-4500", "575.64"},
    {"", "470.42.01"},
};

static const char *oldest_driver(const char *product) {
  const MigModelRow *model = product ? mig_model_find(product) : NULL;
  for (size_t i = 0; i < COUNT_OF(drivers); i++)
    if (string_has_prefix(model ? model->key : "", drivers[i].model))
      return drivers[i].oldest;
  return drivers[COUNT_OF(drivers) - 1].oldest;
}

/* As GPU feature discovery tells it: one label since its 0.17, three before. */
static const char *find_driver(CheckPass *pass, const CheckNode *node) {
  const char *full = check_label_of(node, "nvidia.com/cuda.driver-version.full");
  const char *major = check_label_of(node, "nvidia.com/cuda.driver.major");
  if (full || !major)
    return full;
  const char *minor = check_label_of(node, "nvidia.com/cuda.driver.minor");
  const char *revision = check_label_of(node, "nvidia.com/cuda.driver.rev");
  return check_format(pass, "%s.%s.%s", major, minor ? minor : "0", revision && *revision ? revision : "0");
}

void check_driver(CheckPass *pass, const CheckNode *node) {
  const char *driver = find_driver(pass, node), *product = check_label_of(node, LABEL_PRODUCT);
  Version version, oldest;
  if (!node->is_ours || !version_parse(driver, &version))
    return;
  const char *wanted = oldest_driver(product);
  if (!version_parse(wanted, &oldest) || version_compare(&version, &oldest) >= 0)
    return;
  check_add_node(pass, CHECK_ERROR, node,
                 check_format(pass,
                              "kubectl patch clusterpolicies.nvidia.com/cluster-policy --type merge -p "
                              "'{\"spec\":{\"driver\":{\"version\":\"%s\"}}}'",
                              wanted),
                 "NVIDIA's driver %s is too old to cut %s: %s or newer is needed",
                 check_excerpt(pass, driver), product ? check_excerpt(pass, product) : "GPUs", wanted);
}

/* "0", "0, 2 and 3" of the GPUs for which the test holds; NULL where there is none. */
typedef bool GpuTest(const SnapshotGpu *gpu);

static const char *list_gpus(CheckPass *pass, const CheckNode *node, GpuTest *test, const char *separator) {
  CLEANUP(text_deinit) Text list = {0};
  for (int i = 0; node->snapshot && i < node->snapshot->gpu_count; i++)
    if (test(&node->snapshot->gpus[i]))
      text_append_item(&list, separator, check_format(pass, "%d", node->snapshot->gpus[i].index));
  return list.size ? arena_strdup(&pass->findings->arena, text_string(&list)) : NULL;
}

static bool is_unknown(const SnapshotGpu *gpu) {
  return !gpu->model && !gpu->excluded && gpu->mode == MIG_MODE_ON;
}

static bool is_off(const SnapshotGpu *gpu) {
  return gpu->mode == MIG_MODE_OFF && !gpu->excluded;
}

static bool is_pending(const SnapshotGpu *gpu) {
  return gpu->mode == MIG_MODE_PENDING && !gpu->excluded;
}

static bool is_on(const SnapshotGpu *gpu) {
  return gpu->mode == MIG_MODE_ON;
}

static const char *first_model(const CheckNode *node, GpuTest *test) {
  for (int i = 0; i < node->snapshot->gpu_count; i++)
    if (test(&node->snapshot->gpus[i]) && *node->snapshot->gpus[i].model_label)
      return node->snapshot->gpus[i].model_label;
  return NULL;
}

void check_model(CheckPass *pass, const CheckNode *node) {
  const char *gpus = node->is_ours ? list_gpus(pass, node, is_unknown, ", ") : NULL;
  if (!gpus)
    return;
  const char *model = first_model(node, is_unknown);
  if (model)
    check_add_node(pass, CHECK_ERROR, node, "on the node: facet mig profiles",
                   "what MIG allows on a %s (GPU %s) is not known to facet, and no agent has said it "
                   "in " MIG_ANNOTATION_PROFILES ": nothing is cut there",
                   check_excerpt(pass, model), gpus);
  else
    check_add_node(
        pass, CHECK_ERROR, node,
        check_label_command(pass, node, "nvidia.com/gpu.deploy.gpu-feature-discovery=true"),
        "neither an agent nor the label " LABEL_PRODUCT " tells what GPU %s is: nothing is cut there", gpus);
}

/* What switches it on: an annotation where the GPU needs no reset, else two commands on the node. */
static const char *mode_command(CheckPass *pass, const CheckNode *node, const char *gpus) {
  const char *label = first_model(node, is_off);
  const MigModelRow *row = label ? mig_model_find(label) : NULL;
  if (row && !row->model.mode_needs_reset)
    return check_format(pass, "kubectl annotate node %s " MIG_ANNOTATION_MIG_MODE "=auto --overwrite",
                        check_word(pass, node->name));
  return check_format(pass,
                      "on the node, with nothing on the GPU: nvidia-smi -i %s -mig 1 && nvidia-smi -i %s -r",
                      gpus, gpus);
}

void check_mig_mode(CheckPass *pass, const CheckNode *node) {
  const char *off = node->is_ours ? list_gpus(pass, node, is_off, ",") : NULL;
  const char *pending = node->is_ours ? list_gpus(pass, node, is_pending, ",") : NULL;
  if (off)
    check_add_node(pass, list_gpus(pass, node, is_on, ",") ? CHECK_NOTE : CHECK_ERROR, node,
                   mode_command(pass, node, off), "MIG mode is off on GPU %s: offered whole, never cut", off);
  if (pending)
    check_add_node(pass, CHECK_ERROR, node,
                   check_format(pass, "on the node, with nothing on the GPU: nvidia-smi -i %s -r", pending),
                   "MIG mode of GPU %s is pending: it begins with a reset of the GPU or a reboot", pending);
}
