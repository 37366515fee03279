/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a simulated machine's folder: read without waiting, replaced as a whole by rename, locked by
 * flock, which the kernel lets go of when its holder dies. */
#pragma once

#include "base/error.h"
#include "base/text.h"

enum {
  SIM_FILE_ABSENT = 1,
  SIM_FILE_SIZE_MAX = 256 * 1024,
};

/* Appends the file's text. SIM_FILE_ABSENT where there is none; ERROR_PROTOCOL where it is too large. */
int sim_file_read(const char *folder, const char *name, Text *ret_text, Error *err) MUST_CHECK;
/* Readers see the old text or the new one. The caller holds a lock: there is one "<name>.new". */
int sim_file_replace(const char *folder, const char *name, const Text *text, Error *err) MUST_CHECK;
int sim_file_remove(const char *folder, const char *name, Error *err) MUST_CHECK;
/* Waits for the lock; closing the descriptor lets go of it. */
int sim_file_lock(const char *folder, const char *name, int *ret_fd, Error *err) MUST_CHECK;
