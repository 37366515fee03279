/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for kubeconfig files. */
#include "kube/kubeconfig.h"

#include "base/memory.h"

#include <stdint.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file that is only in memory, or -1. */
static int make_file(const uint8_t *data, size_t size) {
  int fd = memfd_create("kubeconfig", MFD_CLOEXEC);
  return fd >= 0 && write(fd, data, size) == (ssize_t)size ? fd : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CLEANUP(cleanup_close) int fd = make_file(data, size);
  CLEANUP(cleanup_free) char *path = mem_format("/proc/self/fd/%d", fd);
  CLEANUP(kube_yaml_freep) KubeYaml *yaml = NULL;
  Error err;
  if (kube_yaml_load(path, &yaml, &err) != 0)
    return 0;
  KubeconfigFiles files = {.items = {yaml}, .count = 1, .where = "the file"};
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  (void)!kube_kubeconfig_select(&files, NULL, &config, &err);
  return 0;
}
