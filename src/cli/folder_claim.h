/* SPDX-License-Identifier: Apache-2.0 */
/* One agent a node: whoever serves the kubelet's device plugin folder holds a lock on the folder itself. Two
 * agents would take each other's sockets away for ever, and pods that come meanwhile would be rejected. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

/* Never waits. The claim lasts until the descriptor is closed, at the latest with the process, whatever way
 * it ends. Fails, with a sentence, where the folder is not there or another process has it. */
int cli_folder_claim(const char *folder, int *ret_fd, Error *err) MUST_CHECK;
