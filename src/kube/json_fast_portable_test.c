/* SPDX-License-Identifier: Apache-2.0 */
/* The same tests of the way that machines without SSE2 take. */
#undef __SSE2__
#include "kube/json_fast.c"
/* Behind it, for it is the second program in this file. */
#include "kube/json_fast_test.c"
