/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trouble.h"

#include "base/memory.h"
#include "base/text.h"

bool agent_trouble_set(AgentTroubles *troubles, const char *subject, const char *sentence) {
  const char *old = map_find(&troubles->sentences, subject);
  if (string_equal(old, sentence))
    return false;
  free(sentence ? map_put(&troubles->sentences, subject, mem_strdup(sentence))
                : map_remove(&troubles->sentences, subject));
  return true;
}

const char *agent_trouble_format(const AgentTroubles *troubles, char *buffer, size_t size) {
  const Map *sentences = &troubles->sentences;
  if (!sentences->count)
    return NULL;
  if (sentences->count == 1)
    snprintf(buffer, size, "%s", (const char *)sentences->entries[0].value);
  else
    snprintf(buffer, size, "%s (and %zu more: see the agent's log)",
             (const char *)sentences->entries[0].value, sentences->count - 1);
  return buffer;
}

void agent_trouble_deinit(AgentTroubles *troubles) {
  for (size_t i = 0; i < troubles->sentences.count; i++)
    free(troubles->sentences.entries[i].value);
  map_deinit(&troubles->sentences);
}
