/* SPDX-License-Identifier: Apache-2.0 */
/* A target with a planted mistake: a fuzzer that does not find it within seconds finds nothing at all. */
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size >= 4 && data[0] == 'B' && data[1] == 'U' && data[2] == 'G' && data[3] == '!')
    abort();
  return 0;
}
