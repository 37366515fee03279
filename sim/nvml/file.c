/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nvml/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>

static void path_of(const char *folder, const char *name, const char *suffix, char ret_path[PATH_MAX]) {
  snprintf(ret_path, PATH_MAX, "%s/%s%s", folder, name, suffix);
}

int sim_file_read(const char *folder, const char *name, Text *ret_text, Error *err) {
  char path[PATH_MAX];
  path_of(folder, name, "", path);
  CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return SIM_FILE_ABSENT;
  if (fd < 0)
    return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot open %s", path);
  char part[4096];
  ssize_t got;
  while ((got = read(fd, part, sizeof part)) > 0) {
    text_append_bytes(ret_text, part, (size_t)got);
    if (ret_text->size > SIM_FILE_SIZE_MAX)
      return error_set(err, ERROR_PROTOCOL, "simulated GPUs: %s is larger than any state", path);
  }
  if (got < 0)
    return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot read %s", path);
  return 0;
}

static int write_all(int fd, const Text *text) {
  for (size_t done = 0; done < text->size;) {
    ssize_t written = write(fd, text->bytes + done, text->size - done);
    if (written < 0)
      return -1;
    done += (size_t)written;
  }
  return 0;
}

int sim_file_replace(const char *folder, const char *name, const Text *text, Error *err) {
  char path[PATH_MAX], new_path[PATH_MAX];
  path_of(folder, name, "", path);
  path_of(folder, name, ".new", new_path);
  CLEANUP(cleanup_close) int fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0 || write_all(fd, text) < 0)
    return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot write %s", new_path);
  if (rename(new_path, path) < 0)
    return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot rename %s to %s", new_path, path);
  return 0;
}

int sim_file_remove(const char *folder, const char *name, Error *err) {
  char path[PATH_MAX];
  path_of(folder, name, "", path);
  if (unlink(path) < 0 && errno != ENOENT)
    return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot remove %s", path);
  return 0;
}

int sim_file_lock(const char *folder, const char *name, int *ret_fd, Error *err) {
  char path[PATH_MAX];
  path_of(folder, name, "", path);
  CLEANUP(cleanup_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0)
    return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot open %s", path);
  int locked;
  do
    locked = flock(fd, LOCK_EX);
  while (locked < 0 && errno == EINTR);
  if (locked < 0)
    return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot lock %s", path);
  *ret_fd = fd;
  fd = -1;
  return 0;
}
