/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of a folder, each whole and cut at every byte, without a fuzzer. Prints
 * TAP.
 *
 *     replay-TARGET FOLDER */
#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void cleanup_closedir(DIR **dir) {
  if (*dir)
    closedir(*dir);
}

static bool read_file(const char *path, Text *ret_bytes) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "r");
  char buffer[4096];
  size_t size;
  while (file && (size = fread(buffer, 1, sizeof buffer, file)) > 0)
    text_append_bytes(ret_bytes, buffer, size);
  return file && !ferror(file);
}

/* Each prefix in memory of exactly its size, so that a sanitizer sees the first byte read behind it. */
static void run_all_prefixes(const Text *bytes) {
  for (size_t size = 0; size <= bytes->size; size++) {
    CLEANUP(cleanup_free) uint8_t *copy = mem_alloc(size ? size : 1);
    memcpy(copy, text_string(bytes), size);
    LLVMFuzzerTestOneInput(copy, size);
  }
}

int main(int argc, char **argv) {
  CLEANUP(cleanup_closedir) DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
  int count = 0, failed = 0;
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    if (entry->d_name[0] == '.')
      continue;
    CLEANUP(cleanup_free) char *path = mem_format("%s/%s", argv[1], entry->d_name);
    CLEANUP(text_deinit) Text bytes = {0};
    bool is_read = read_file(path, &bytes);
    if (is_read)
      run_all_prefixes(&bytes);
    failed += !is_read;
    printf("%sok %d - %s\n", is_read ? "" : "not ", ++count, entry->d_name);
  }
  printf("1..%d\n", count);
  return count == 0 || failed > 0;
}
