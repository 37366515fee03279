/* SPDX-License-Identifier: Apache-2.0 */
/* zlib's gzFile knows gzip by its first two bytes and hands on everything else as it is. */
#include "cli/input_file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER_SIZE = 128 << 10 };

struct CliInputFile {
  gzFile stream;
  const char *name;
  bool is_begun;
};

/* How other compressed files begin, and one that was compressed twice. */
static const struct {
  const char *bytes;
  size_t size;
  const char *name;
} packed[] = {{"\x28\xb5\x2f\xfd", 4, "zstd"},
              {"\xfd"
               "7zXZ",
               5, "xz"},
              {"BZh", 3, "bzip2"},
              {"PK\x03\x04", 4, "zip"},
              {"\x1f\x8b", 2, "gzip a second time"}};

int cli_input_file_open(const char *path, CliInputFile **ret_file, Error *err) {
  bool is_stdin = strcmp(path, "-") == 0;
  int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return error_set_errno(err, ERROR_IO, errno, "cannot open %s",
                           is_stdin ? "standard input"
                           : *path  ? path
                                    : "\"\"");
  gzFile stream = gzdopen(fd, "rb");
  if (!stream)
    mem_fail();
  gzbuffer(stream, BUFFER_SIZE);
  CliInputFile *file = mem_alloc(sizeof *file);
  *file = (CliInputFile){.stream = stream, .name = is_stdin ? "standard input" : path};
  *ret_file = file;
  return 0;
}

void cli_input_file_free(CliInputFile *file) {
  if (!file)
    return;
  gzclose(file->stream);
  free(file);
}

const char *cli_input_file_name(const CliInputFile *file) {
  return file->name;
}

static int fail_read(const CliInputFile *file, int errno_value, Error *err) {
  int code;
  const char *text = gzerror(file->stream, &code);
  if (code == Z_ERRNO)
    return error_set_errno(err, ERROR_IO, errno_value, "cannot read %s", file->name);
  if (code == Z_BUF_ERROR)
    return error_set(err, ERROR_INVALID,
                     "the gzip file ends in the middle: it was not copied or downloaded whole");
  const char *reason = strstr(text, ": "); /* behind zlib's name of the file */
  return error_set(err, ERROR_INVALID, "the gzip file is damaged: %s", reason ? reason + 2 : text);
}

static int check_begin(CliInputFile *file, const char *bytes, size_t size, Error *err) {
  bool is_begin = !file->is_begun;
  file->is_begun = true;
  for (size_t i = 0; is_begin && i < COUNT_OF(packed); i++)
    if (size >= packed[i].size && memcmp(bytes, packed[i].bytes, packed[i].size) == 0)
      return error_set(err, ERROR_INVALID,
                       "the file is compressed with %s: unpack it first; only plain text and gzip are read",
                       packed[i].name);
  return 0;
}

int cli_input_file_read(void *userdata, char *buffer, size_t room, size_t *ret_size, Error *err) {
  CliInputFile *file = userdata;
  int size = gzread(file->stream, buffer, room < INT_MAX ? (unsigned)room : INT_MAX);
  int errno_value = errno, code;
  if (size < 0)
    return fail_read(file, errno_value, err);
  gzerror(file->stream, &code); /* a file that is cut is told with its last bytes */
  if (size == 0 && code != Z_OK && code != Z_STREAM_END)
    return fail_read(file, errno_value, err);
  int result = check_begin(file, buffer, (size_t)size, err);
  if (result < 0)
    return result;
  *ret_size = (size_t)size;
  return 0;
}
