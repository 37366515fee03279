/* SPDX-License-Identifier: Apache-2.0 */
/* Most options choose between the usual behaviour, which is named first, and another one. */
#include "sim/nvml/options.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { LINGER_MAX_MS = 60000, LATENCY_MAX = 1000 };

static const struct {
  const char *name, *usual, *other;
  size_t offset; /* of a bool in SimOptions: the other one */
} choices[] = {
    {"uuids", "place", "random", offsetof(SimOptions, random_uuids)},
    {"handles", "strict", "alias", offsetof(SimOptions, alias_handles)},
    {"compute-device", "gpu", "mig", offsetof(SimOptions, compute_is_mig_device)},
    {"event-sets", "free", "hold", offsetof(SimOptions, event_sets_hold)},
    {"mode-reset", "needed", "automatic", offsetof(SimOptions, mode_resets_itself)},
};

static bool *find(SimOptions *options, size_t choice) {
  return (bool *)((char *)options + choices[choice].offset);
}

static int set_linger(SimOptions *options, const char *value, Error *err) {
  char *end = NULL;
  unsigned long milliseconds = strtoul(value, &end, 10);
  if (!isdigit((unsigned char)value[0]) || *end || milliseconds > LINGER_MAX_MS)
    return error_set(err, ERROR_INVALID, "linger-ms is \"%.40s\": not a number up to %d", value,
                     LINGER_MAX_MS);
  options->linger_ms = (uint32_t)milliseconds;
  return 0;
}

static int set_latency(SimOptions *options, const char *value, Error *err) {
  char *end = NULL;
  double latency = strtod(value, &end);
  if (!*value || *end || !isfinite(latency) || latency < 0 || latency > LATENCY_MAX)
    return error_set(err, ERROR_INVALID, "latency is \"%.40s\": not a factor from 0 to %d", value,
                     LATENCY_MAX);
  options->latency = latency;
  return 0;
}

static int set_root(SimOptions *options, const char *value, Error *err) {
  bool none = strcmp(value, "none") == 0;
  if (!none &&
      (value[0] != '/' || value[1] == '\0' || strlen(value) >= SIM_ROOT_SIZE || strpbrk(value, " \t\n")))
    return error_set(err, ERROR_INVALID,
                     "root is \"%.60s\": not an absolute path without blanks below /, nor none", value);
  snprintf(options->root, sizeof options->root, "%s", none ? "" : value);
  return 0;
}

int sim_options_set(SimOptions *options, const char *name, const char *value, Error *err) {
  if (strcmp(name, "linger-ms") == 0)
    return set_linger(options, value, err);
  if (strcmp(name, "latency") == 0)
    return set_latency(options, value, err);
  if (strcmp(name, "root") == 0)
    return set_root(options, value, err);
  for (size_t i = 0; i < COUNT_OF(choices); i++) {
    if (strcmp(choices[i].name, name) != 0)
      continue;
    if (strcmp(value, choices[i].usual) != 0 && strcmp(value, choices[i].other) != 0)
      return error_set(err, ERROR_INVALID, "%s is \"%.40s\": neither %s nor %s", name, value,
                       choices[i].usual, choices[i].other);
    *find(options, i) = strcmp(value, choices[i].other) == 0;
    return 0;
  }
  return error_set(
      err, ERROR_INVALID,
      "there is no option \"%.40s\": uuids, handles, compute-device, event-sets, mode-reset, latency, "
      "linger-ms and root exist",
      name);
}

void sim_options_format(const SimOptions *options, Text *text) {
  SimOptions copy = *options;
  for (size_t i = 0; i < COUNT_OF(choices); i++)
    if (*find(&copy, i))
      text_format(text, "option %s %s\n", choices[i].name, choices[i].other);
  if (options->latency < 1 || options->latency > 1)
    text_format(text, "option latency %g\n", options->latency);
  if (options->linger_ms)
    text_format(text, "option linger-ms %u\n", options->linger_ms);
  if (options->root[0])
    text_format(text, "option root %s\n", options->root);
}
