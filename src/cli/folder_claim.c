/* SPDX-License-Identifier: Apache-2.0 */
/* The lock is on the folder and not on a file inside: a kubelet that starts deletes every file there. It
 * works across containers, which see the same folder through different mounts. */
#include "cli/folder_claim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

int cli_folder_claim(const char *folder, int *ret_fd, Error *err) {
  CLEANUP(cleanup_close) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return error_set_errno(err, ERROR_UNAVAILABLE, errno, "the device plugin folder %s cannot be opened",
                           folder);
  if (flock(fd, LOCK_EX | LOCK_NB) < 0)
    return errno == EWOULDBLOCK
               ? error_set(err, ERROR_CONFLICT, "another facet agent serves the device plugin folder %s",
                           folder)
               : error_set_errno(err, ERROR_IO, errno, "locking the device plugin folder %s", folder);
  *ret_fd = fd;
  fd = -1;
  return 0;
}
