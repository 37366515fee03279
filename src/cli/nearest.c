/* SPDX-License-Identifier: Apache-2.0 */
/* Pods of Deployments have long names of which people type the beginning; so that comes first. */
#include "cli/nearest.h"

#include "cli/verb.h"

#include <string.h>

enum { BEGIN_MIN = 3 /* letters that must agree */ };

static size_t common_beginning(const char *a, const char *b) {
  size_t size = 0;
  while (a[size] && a[size] == b[size])
    size++;
  return size;
}

/* The larger, the nearer; 0: not near. */
static size_t nearness(const char *name, const char *word) {
  if (*word && strstr(name, word))
    return SIZE_MAX / 2;
  if (cli_nearest(word, &name, 1))
    return SIZE_MAX / 4;
  size_t common = common_beginning(name, word);
  return common >= BEGIN_MIN && common * 2 >= strlen(word) ? common : 0;
}

void cli_nearest_pods(const Pod *const *pods, size_t count, const char *word, Text *text) {
  const Pod *best[CLI_NEAREST_MAX];
  size_t scores[CLI_NEAREST_MAX];
  int kept = 0;
  for (size_t i = 0; i < count; i++) {
    size_t score = nearness(string_or_empty(pods[i]->meta.name), word);
    int place = kept;
    while (place > 0 && scores[place - 1] < score)
      place--;
    if (!score || place == CLI_NEAREST_MAX)
      continue;
    kept += kept < CLI_NEAREST_MAX;
    for (int k = kept - 1; k > place; k--) {
      best[k] = best[k - 1];
      scores[k] = scores[k - 1];
    }
    best[place] = pods[i];
    scores[place] = score;
  }
  for (int i = 0; i < kept; i++)
    text_format(text, "%s%s/%s", i ? ", " : "", string_or_empty(best[i]->meta.namespace_),
                string_or_empty(best[i]->meta.name));
}
