/* SPDX-License-Identifier: Apache-2.0 */
/* The names of a kubeconfig's contexts, for whoever is typing one. */
#pragma once

#include "base/text.h"

/* Appends each on a line, by the rules of kube_config_load(): the file at `path` ("~/" is the home folder),
 * else all of $KUBECONFIG, else ~/.kube/config. What cannot be read has none. */
void cli_contexts_list(const char *path, Text *ret_names);
