/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes quantities ("100m", "2Gi", "1e3") as int64, rounded up, as k8s.io/apimachinery does. */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef enum QuantityScale { QUANTITY_UNITS, QUANTITY_MILLI } QuantityScale;

/* Values beyond int64 saturate at INT64_MAX / INT64_MIN like Go's Value()/MilliValue(). */
int quantity_parse(const char *text, QuantityScale scale, int64_t *ret_value, Error *err) MUST_CHECK;
/* The scale that kube-scheduler uses for a resource: milli for "cpu", units for all others. */
QuantityScale quantity_scale_of(const char *resource);
