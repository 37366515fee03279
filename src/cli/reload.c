/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reload.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/config_file.h"

#include <assert.h>
#include <string.h>

static bool is_same(const CliOption *option, const void *a, const void *b) {
  const char *left = (const char *)a + option->offset, *right = (const char *)b + option->offset;
  const CliStrings *some, *others;
  switch (option->kind) {
  case CLI_FLAG:
    return *(const bool *)left == *(const bool *)right;
  case CLI_STRING:
    return string_equal(*(const char *const *)left, *(const char *const *)right);
  case CLI_NUMBER:
  case CLI_DURATION_MS:
    return *(const int64_t *)left == *(const int64_t *)right;
  case CLI_STRINGS:
    some = (const CliStrings *)left;
    others = (const CliStrings *)right;
    if (some->count != others->count)
      return false;
    for (int i = 0; i < some->count; i++)
      if (strcmp(some->items[i], others->items[i]) != 0)
        return false;
    return true;
  }
  return false;
}

static void adopt(CliReload *reload, const CliOption *option, int live, const void *fresh) {
  char *place = (char *)reload->values + option->offset;
  const char *source = (const char *)fresh + option->offset;
  assert(live < CLI_RELOAD_LIVE_MAX && option->kind != CLI_STRINGS && option->kind != CLI_FLAG);
  if (option->kind != CLI_STRING) {
    memcpy(place, source, sizeof(int64_t));
    return;
  }
  free(reload->texts[live]);
  reload->texts[live] = mem_strdup(*(const char *const *)source);
  *(const char **)place = reload->texts[live];
}

/* True where something live changed. */
static bool take_over(CliReload *reload, const void *fresh) {
  bool has_changed = false;
  for (size_t i = 0; i < reload->verb->option_count; i++) {
    const CliOption *option = &reload->verb->options[i];
    int size = (int)cli_option_name_size(option), live = cli_option_find_live(reload->verb, option);
    if (is_same(option, reload->values, fresh))
      continue;
    if (live < 0) {
      log_warn("shell", "an option changed that needs a restart; the old value stays", "option=%.*s", size,
               option->name);
      continue;
    }
    adopt(reload, option, live, fresh);
    log_info("shell", "option changed", "option=%.*s", size, option->name);
    has_changed = true;
  }
  return has_changed;
}

void cli_reload_run(CliReload *reload) {
  CLEANUP(arena_deinit) Arena texts = {0};
  CLEANUP(cleanup_free) void *fresh = mem_alloc(reload->verb->values_size);
  reload->verb->set_defaults(fresh);
  Error err;
  int r = cli_config_parse(reload->verb, reload->argc, reload->argv, fresh, &texts, &err);
  if (r == 0 && reload->check)
    r = reload->check(fresh, &err);
  if (r < 0) {
    log_error("shell", "the configuration was not read again: everything stays as it is", "err=" LOG_QUOTED,
              err.text);
    return;
  }
  log_info("shell", "the configuration was read again", "%s", "");
  if (take_over(reload, fresh))
    reload->apply(reload->userdata, reload->values);
}

void cli_reload_deinit(CliReload *reload) {
  for (size_t i = 0; i < COUNT_OF(reload->texts); i++)
    free(reload->texts[i]);
}
