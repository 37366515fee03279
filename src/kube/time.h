/* SPDX-License-Identifier: Apache-2.0 */
/* Times as Kubernetes writes them in JSON: RFC 3339. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "2026-01-31T12:00:00Z", with or without a fraction (dropped) or an offset, to Unix seconds. */
bool kube_time_parse(const char *text, size_t size, int64_t *ret_seconds);

enum { KUBE_MICRO_TIME_SIZE = 64 };
/* A MicroTime: "2026-01-31T12:00:00.123000Z". */
void kube_time_format_micro(int64_t unix_ms, char ret_text[KUBE_MICRO_TIME_SIZE]);
