/* SPDX-License-Identifier: Apache-2.0 */
/* What tests about models and layouts begin with. Tests only. */
#pragma once

#include "base/test.h"
#include "mig/model.h"

/* A model of the table by key or product name, which must be there. */
static inline const MigModel *test_model(const char *key) {
  const MigModelRow *row = mig_model_find(key);
  assert_non_null(row);
  return &row->model;
}
