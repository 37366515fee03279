/* SPDX-License-Identifier: Apache-2.0 */
/* Values in the query of a request. */
#pragma once

#include "base/text.h"

/* With %XX for all but letters, digits and -_.~ (RFC 3986). */
void kube_escape_append(Text *query, const char *text);
