/* SPDX-License-Identifier: Apache-2.0 */
/* Times as Kubernetes writes them in JSON: RFC 3339. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "2026-01-31T12:00:00Z", with or without a fraction (dropped) or an offset, to Unix seconds. */
bool kube_time_parse(const char *text, size_t size, int64_t *ret_seconds);
