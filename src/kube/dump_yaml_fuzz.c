/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for dumps in YAML: whatever comes is taken for YAML. */
#include "kube/dump_parts.h"
#include "kube/dump_testing.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drop_object(void *userdata, KubeObject *object) {
  kube_object_free(object);
}

static void drop_bad(void *userdata, const Error *err) {
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  DumpBytes nothing = {.at = "", .piece = 1};
  KubeDumpSource source = {.read = dump_bytes_read, .userdata = &nothing};
  KubeDumpSink sink = {.on_object = drop_object, .on_bad = drop_bad};
  KubeDump dump = {.source = &source, .sink = &sink};
  Error err;
  (void)!kube_dump_yaml(&dump, (const char *)data, size, &err);
  return 0;
}
