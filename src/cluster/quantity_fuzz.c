/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for quantities: a text that is one in units is one in thousandths, with the same sign. */
#include "cluster/quantity.h"

#include "base/memory.h"

#include <assert.h>
#include <stdbool.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CLEANUP(cleanup_free) char *text = mem_strndup((const char *)data, size);
  Error err;
  int64_t units = 0, thousandths = 0;
  bool is_one = quantity_parse(text, QUANTITY_UNITS, &units, &err) == 0;
  assert(is_one == (quantity_parse(text, QUANTITY_MILLI, &thousandths, &err) == 0));
  assert((units > 0) == (thousandths > 0) && (units < 0) == (thousandths < 0));
  return 0;
}
