/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/node_check.h"

#include "base/test.h"

#include "base/text.h"

#include <string.h>

enum { TEXTS_MAX = 6 };

typedef struct Case {
  const char *name;
  KeyValue labels[TEXTS_MAX];
  KeyValue annotations[TEXTS_MAX];
  const char *warnings; /* one line each */
} Case;

#define MIG                                                                                                  \
  { "nos.nebuly.com/gpu-partitioning", "mig" }
#define A100                                                                                                 \
  { "facet.gpu/gpu-0", "GPU-0 NVIDIA-A100-SXM4-80GB mig=on" }

static const Case cases[] = {
    {"a node that is of one mind",
     {MIG, {"nvidia.com/gpu.count", "8"}, {"nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"}},
     {A100,
      {"facet.gpu/spec-gpu-0", "GPU-0 1g.10gb@6"},
      {"facet.gpu/status-gpu-0", "1g.10gb@6:used"},
      {"nos.nebuly.com/status-gpu-0-1g.10gb-used", "1"}},
     ""},
    {"another product",
     {MIG, {"nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"}},
     {A100, {"facet.gpu/status-gpu-0", ""}},
     "the label nvidia.com/gpu.product says NVIDIA-H100-80GB-HBM3, the annotation of the GPU says "
     "NVIDIA-A100-SXM4-80GB: the annotation counts\n"},
    {"a mixed node, of which the label names one GPU",
     {MIG, {"nvidia.com/gpu.product", "NVIDIA-A30"}},
     {A100,
      {"facet.gpu/gpu-1", "GPU-1 NVIDIA-A30 mig=on"},
      {"facet.gpu/status-gpu-0", ""},
      {"facet.gpu/status-gpu-1", ""}},
     ""},
    {"a count below nothing",
     {MIG, {"nvidia.com/gpu.count", "-4"}},
     {A100, {"facet.gpu/status-gpu-0", ""}},
     "the label nvidia.com/gpu.count says \"-4\", which is no number of GPUs from 0 to 64\n"},
    {"a count above all nodes",
     {MIG, {"nvidia.com/gpu.count", "65"}},
     {A100, {"facet.gpu/status-gpu-0", ""}},
     "the label nvidia.com/gpu.count says \"65\", which is no number of GPUs from 0 to 64\n"},
    {"one GPU at two places",
     {MIG},
     {A100,
      {"facet.gpu/gpu-1", "GPU-0 NVIDIA-A100-SXM4-80GB mig=on"},
      {"facet.gpu/status-gpu-0", ""},
      {"facet.gpu/status-gpu-1", ""}},
     "GPU 0 and GPU 1 are both called GPU-0\n"},
    {"slices where there can be none",
     {MIG},
     {{"facet.gpu/gpu-0", "GPU-0 NVIDIA-A100-SXM4-80GB mig=off"},
      {"facet.gpu/status-gpu-0", "1g.10gb@6:used"}},
     "facet.gpu/status-gpu-0 tells of slices, though facet.gpu/gpu-0 says that MIG mode is off\n"},
    {"a wish that the model cannot fulfil",
     {MIG},
     {A100, {"facet.gpu/spec-gpu-0", "GPU-0 7g.80gb@3"}, {"facet.gpu/status-gpu-0", ""}},
     "facet.gpu/spec-gpu-0 cannot be fulfilled: 7g.80gb cannot start at slot 3 of NVIDIA-A100-SXM4-80GB\n"},
    {"counts that differ from places",
     {MIG},
     {A100,
      {"facet.gpu/status-gpu-0", "1g.10gb@6:used"},
      {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "0"},
      {"nos.nebuly.com/status-gpu-0-1g.10gb-used", "3"},
      {"nos.nebuly.com/status-gpu-0-9g.90gb-used", "many"}},
     "nos.nebuly.com/status-gpu-0-1g.10gb-used says 3, facet.gpu/status-gpu-0 says 1: the latter counts\n"
     "nos.nebuly.com/status-gpu-0-9g.90gb-used says many, facet.gpu/status-gpu-0 says 0: the latter "
     "counts\n"},
    {"counts alone contradict nobody",
     {MIG, {"nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB"}},
     {{"nos.nebuly.com/status-gpu-0-1g.10gb-used", "3"}},
     ""},
};

static KeyValues list_of(const KeyValue texts[TEXTS_MAX]) {
  KeyValues list = {.items = (KeyValue *)texts};
  while (list.count < TEXTS_MAX && texts[list.count].key)
    list.count++;
  return list;
}

static void what_a_node_says_twice_is_compared(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(snapshot_deinit) Snapshot snapshot;
    CLEANUP(text_deinit) Text said = {0};
    SnapshotWarnings warnings = {0};
    Node node = {.meta = {.name = "n1"}};
    node.meta.labels = list_of(cases[i].labels);
    node.meta.annotations = list_of(cases[i].annotations);
    snapshot_init(&snapshot);
    snapshot_add_node(&snapshot, &node, NULL, NULL);
    node_check(&snapshot, &snapshot.nodes.items[0], &warnings);
    for (size_t w = 0; w < warnings.count; w++) {
      assert_string_equal(warnings.items[w].object, "node n1");
      text_format(&said, "%s\n", warnings.items[w].text);
    }
    if (strcmp(text_string(&said), cases[i].warnings) != 0)
      fail_msg("%s: %s", cases[i].name, text_string(&said));
    array_deinit(&warnings);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_node_says_twice_is_compared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
