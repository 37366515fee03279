/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/escape.h"

#include <string.h>

void kube_escape_append(Text *query, const char *text) {
  for (const char *p = text; *p; p++) {
    bool is_plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
                    strchr("-_.~", *p);
    text_format(query, is_plain ? "%c" : "%%%02X", (unsigned char)*p);
  }
}
