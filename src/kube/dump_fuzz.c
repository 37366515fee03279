/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for dumps in whatever format they are. The first byte chooses the size of the pieces that
 * the rest comes in; what comes out must be the same as in one piece. */
#include "kube/dump_testing.h"

#include "base/text.h"
#include "cluster/object.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note_object(void *userdata, KubeObject *object) {
  const ObjectMeta *meta = object->value;
  text_format(userdata, "%s %s/%s\n", object->type->kind, string_or_empty(meta->namespace_), meta->name);
  kube_object_free(object);
}

static void note_bad(void *userdata, const Error *err) {
  text_format(userdata, "bad: %s\n", err->text);
}

static void read_all(const char *bytes, size_t size, size_t piece, Text *ret_diary) {
  Error err = {0};
  KubeDumpCounts counts;
  KubeDumpSink sink = {.on_object = note_object, .on_bad = note_bad, .userdata = ret_diary};
  int result = dump_read_bytes(bytes, size, piece, &sink, &counts, &err);
  assert((result < 0) == (err.code != 0));
  text_format(ret_diary, "%zu, %zu, %zu: %s\n", counts.objects, counts.bad, counts.skipped, err.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1)
    return 0;
  CLEANUP(text_deinit) Text once = {0};
  CLEANUP(text_deinit) Text split = {0};
  read_all((const char *)data + 1, size - 1, size, &once);
  read_all((const char *)data + 1, size - 1, 1 + (size_t)data[0], &split);
  assert(strcmp(text_string(&once), text_string(&split)) == 0);
  return 0;
}
