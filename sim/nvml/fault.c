/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of one function are one function here: whoever plans that creating fails does not care whether the
 * client is old. So names are compared without "_v2" and without the V of the versioned structs. */
#include "sim/nvml/fault.h"

#include "base/memory.h"
#include "sim/nvml/code.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

/* "nvmlDeviceGetCount_v2" -> "nvmlDeviceGetCount", "GpuInstanceDestroy" -> "nvmlGpuInstanceDestroy". False
 * where it is too long or no pattern of a name. */
static bool strip(const char *function, char ret_name[SIM_FAULT_FUNCTION_SIZE]) {
  bool bare = !string_has_prefix(function, "nvml") && function[0] != '*';
  int needed = snprintf(ret_name, SIM_FAULT_FUNCTION_SIZE, "%s%s", bare ? "nvml" : "", function);
  if (needed >= SIM_FAULT_FUNCTION_SIZE || needed == 0)
    return false;
  size_t size = strlen(ret_name);
  if (size > 3 && isdigit((unsigned char)ret_name[size - 1]) && ret_name[size - 2] == 'v' &&
      ret_name[size - 3] == '_')
    ret_name[size - 3] = '\0';
  else if (ret_name[size - 1] == 'V')
    ret_name[size - 1] = '\0';
  for (const char *c = ret_name; *c; c++)
    if (!isalnum((unsigned char)*c) && *c != '*' && *c != '_')
      return false;
  return true;
}

static bool parse_number(const char *text, uint32_t *ret_number) {
  char *end = NULL;
  unsigned long number = isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : UINT32_MAX;
  *ret_number = (uint32_t)number;
  return end && *end == '\0' && number < UINT32_MAX / 2;
}

/* SUCCESS without the work leaves nothing to answer with, but where there is nothing to answer. */
static bool may_pretend(const char *function) {
  return strstr(function, "Destroy") || strstr(function, "SetMigMode");
}

static int parse_effect(const char *word, SimFault *fault, Error *err) {
  const char *effect = word;
  fault->after = string_has_prefix(effect, "after:");
  if (fault->after)
    effect += strlen("after:");
  if (strcmp(effect, "kill") == 0) {
    fault->kind = SIM_FAULT_KILL;
    return 0;
  }
  if (strcmp(effect, "hang") == 0 || string_has_prefix(effect, "hang=")) {
    fault->kind = SIM_FAULT_HANG;
    if (effect[4] && (!parse_number(effect + 5, &fault->hang_ms) || fault->hang_ms == 0))
      return error_set(err, ERROR_INVALID, "\"%.40s\": hang=MS needs milliseconds from 1 on", word);
    return 0;
  }
  fault->kind = SIM_FAULT_RETURN;
  if (!sim_code_parse(effect, &fault->code))
    return error_set(err, ERROR_INVALID,
                     "\"%.40s\" is no effect: give a return code such as IN_USE, hang, hang=MS or kill, with "
                     "after: in front where the call does its work first",
                     word);
  if (fault->code == NVML_SUCCESS && (fault->after || !may_pretend(fault->function)))
    return error_set(err, ERROR_INVALID,
                     "\"%.40s\": only what destroys or sets MIG mode can succeed without doing it", word);
  return 0;
}

static int parse_option(const char *word, SimFault *fault, Error *err) {
  uint32_t number = 0;
  const char *value = strchr(word, '=');
  bool is_number = value && parse_number(value + 1, &number);
  if (string_has_prefix(word, "call=") && is_number && number > 0)
    fault->call = number;
  else if (strcmp(word, "times=always") == 0)
    fault->times = 0;
  else if (string_has_prefix(word, "times=") && is_number && number > 0)
    fault->times = number;
  else if (string_has_prefix(word, "gpu=") && is_number && number < 256)
    fault->gpu = (int)number;
  else if (string_has_prefix(word, "seen=") && is_number)
    fault->seen = number;
  else
    return error_set(err, ERROR_INVALID, "\"%.40s\" is none of call=N, times=N, times=always and gpu=I",
                     word);
  return 0;
}

static int parse_words(char *rest, SimFault *fault, Error *err) {
  for (int number = 0; rest;) {
    const char *word = strsep(&rest, " \t");
    if (!*word)
      continue;
    int result = 0;
    if (number == 0 && !strip(word, fault->function))
      result = error_set(err, ERROR_INVALID, "\"%.70s\" is no function of NVML", word);
    else if (number == 1)
      result = parse_effect(word, fault, err);
    else if (number > 1)
      result = parse_option(word, fault, err);
    if (result < 0)
      return result;
    number++;
  }
  return 0;
}

int sim_fault_parse(const char *text, SimFault *ret_fault, Error *err) {
  CLEANUP(cleanup_free) char *copy = mem_strdup(text);
  SimFault fault = {.gpu = -1, .call = 1, .times = 1};
  if (parse_words(copy, &fault, err) < 0)
    return error_prefix(err, "fault \"%.80s\"", text);
  if (fault.kind == SIM_FAULT_NONE)
    return error_set(err, ERROR_INVALID, "fault \"%.80s\": needs a function and an effect", text);
  *ret_fault = fault;
  return 0;
}

void sim_fault_format(const SimFault *fault, Text *text) {
  text_format(text, "%s %s", fault->function, fault->after ? "after:" : "");
  if (fault->kind == SIM_FAULT_RETURN)
    text_append(text, sim_code_name(fault->code));
  else
    text_append(text, fault->kind == SIM_FAULT_KILL ? "kill" : "hang");
  if (fault->kind == SIM_FAULT_HANG && fault->hang_ms)
    text_format(text, "=%u", fault->hang_ms);
  text_format(text, " call=%u", fault->call);
  if (fault->times)
    text_format(text, " times=%u", fault->times);
  else
    text_append(text, " times=always");
  if (fault->gpu >= 0)
    text_format(text, " gpu=%d", fault->gpu);
  if (fault->seen)
    text_format(text, " seen=%u", fault->seen);
}

int sim_faults_add(SimFaults *faults, const SimFault *fault, Error *err) {
  if (faults->count == SIM_FAULTS_MAX)
    return error_set(err, ERROR_LIMIT, "a fault plan has at most %d faults", SIM_FAULTS_MAX);
  faults->list[faults->count++] = *fault;
  return 0;
}

static bool is_used_up(const SimFault *fault) {
  return fault->times && fault->seen >= fault->call - 1 + fault->times;
}

static bool concerns(const SimFault *fault, const char *name, int gpu) {
  return !is_used_up(fault) && (fault->gpu < 0 || fault->gpu == gpu) &&
         fnmatch(fault->function, name, 0) == 0;
}

bool sim_faults_concern(const SimFaults *faults, const char *function, int gpu) {
  char name[SIM_FAULT_FUNCTION_SIZE];
  bool found = false;
  if (strip(function, name))
    for (int i = 0; i < faults->count && !found; i++)
      found = concerns(&faults->list[i], name, gpu);
  return found;
}

SimFault sim_faults_count_call(SimFaults *faults, const char *function, int gpu) {
  SimFault due = {0};
  char name[SIM_FAULT_FUNCTION_SIZE];
  if (!faults->count || !strip(function, name))
    return due;
  for (int i = 0; i < faults->count; i++) {
    SimFault *fault = &faults->list[i];
    if (!concerns(fault, name, gpu))
      continue;
    fault->seen++;
    if (fault->seen >= fault->call && due.kind == SIM_FAULT_NONE)
      due = *fault;
  }
  return due;
}
