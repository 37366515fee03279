/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: an exec plugin that is a line of shell. */
#pragma once

#include "base/memory.h"
#include "kube/exec_plugin.h"

#define EXEC_V1 "client.authentication.k8s.io/v1"

/* The script's $0 is "plugin". */
static inline KubeExec *exec_of_script(const char *script) {
  KubeExec *exec = mem_alloc(sizeof *exec);
  *exec = (KubeExec){.api_version = mem_strdup(EXEC_V1),
                     .command = mem_strdup("/bin/sh"),
                     .args = mem_alloc(5 * sizeof(char *)),
                     .env = mem_alloc(2 * sizeof(char *))};
  exec->args[0] = mem_strdup("/bin/sh");
  exec->args[1] = mem_strdup("-c");
  exec->args[2] = mem_strdup(script);
  exec->args[3] = mem_strdup("plugin");
  exec->env[0] = mem_strdup("PROFILE=test");
  return exec;
}
