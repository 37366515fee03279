/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes quantities ("100m", "2Gi", "1e3") as int64, rounded up, as k8s.io/apimachinery does. */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef enum QuantityScale { QUANTITY_UNITS, QUANTITY_MILLI } QuantityScale;

/* Value() or MilliValue() of a resource.Quantity: rounded up (away from zero where negative). What int64
 * cannot hold saturates at INT64_MAX or INT64_MIN; quantity.c says where Go does otherwise. */
int quantity_parse(const char *text, QuantityScale scale, int64_t *ret_value, Error *err) MUST_CHECK;
/* The scale that kube-scheduler uses for a resource: milli for "cpu", units for all others. */
QuantityScale quantity_scale_of(const char *resource);
