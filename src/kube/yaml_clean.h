/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as text that libyaml takes. It gives up on the whole stream at a byte that is no UTF-8, or at a
 * control character; here each of them becomes a mark, so that only the object falls that it stands in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define KUBE_YAML_MARK "\xf4\x8f\xbf\xbe" /* U+10FFFE, which Unicode gives to nobody */

enum { KUBE_YAML_CHARACTER_MAX = 4 /* bytes; also of the mark */ };

/* Writes what fits, in whole characters, and returns how many bytes; ret_taken are those that it read. Unless
 * it is the end, a character that is not complete is left for the next time. */
size_t kube_yaml_clean(const char *bytes, size_t size, bool is_end, char *ret_text, size_t room,
                       size_t *ret_taken);
