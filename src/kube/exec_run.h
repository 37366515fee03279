/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the exec plugin of a config and hears its credential. Private to kube/. */
#pragma once

#include "kube/exec_plugin.h"

#include <uv.h>

typedef struct KubeExecRun KubeExecRun;

/* One of both is NULL. The credential is gone when this returns. */
typedef void KubeOnExec(void *userdata, const KubeExecCredential *credential, const Error *err);

/* on_exec comes once, from the loop; the run is gone then. The config is borrowed until it ends. */
KubeExecRun *kube_exec_run_start(uv_loop_t *loop, const KubeConfig *config, KubeOnExec *on_exec,
                                 void *userdata);
void kube_exec_run_cancel(KubeExecRun *run);
/* The same, waited for; on_exec comes before this returns. */
int kube_exec_run_now(const KubeConfig *config, KubeExecCredential *ret_credential, Error *err) MUST_CHECK;
