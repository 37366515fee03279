/* SPDX-License-Identifier: Apache-2.0 */
/* The file becomes a state by the same rules as calls of NVML would change one, so that no machine can be
 * described that could not have come about. */
#include "sim/nvml/machine_file.h"

#include "base/memory.h"
#include "sim/nvml/code.h"
#include "sim/nvml/instance.h"
#include "sim/nvml/options.h"
#include "sim/nvml/yaml_map.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* "NAME" or "NAME@START"; start -1 where there is none. */
static bool split_place(const char *text, char *ret_name, size_t size, int *ret_start) {
  const char *at = strchr(text, '@');
  size_t length = at ? (size_t)(at - text) : strlen(text);
  *ret_start = -1;
  if (length == 0 || length >= size)
    return false;
  memcpy(ret_name, text, length);
  ret_name[length] = '\0';
  char *end = NULL;
  if (at) {
    unsigned long start = strtoul(at + 1, &end, 10);
    if (!isdigit((unsigned char)at[1]) || *end || start >= MIG_SLOTS_MAX)
      return false;
    *ret_start = (int)start;
  }
  return true;
}

static int add_ci(SimYaml *yaml, const yaml_node_t *node, SimState *state, SimGpu *gpu, SimGi *gi, int slices,
                  int start, Error *err) {
  const SimComputeProfile *profile = sim_ci_profile_of(sim_gi_profile(gpu, gi)->slice_count, slices);
  if (!profile)
    return sim_yaml_set_error(yaml, node, err, "%s holds no compute instance of %d slices",
                              sim_gi_profile(gpu, gi)->name, slices);
  NvmlReturn result = sim_ci_choose(gi, profile, start, &start);
  if (result != NVML_SUCCESS)
    return sim_yaml_set_error(yaml, node, err, "no compute instance of %d slices can be there: %s", slices,
                              sim_code_text(result));
  sim_ci_add(gpu, gi, profile, start, ++state->last_serial);
  return 0;
}

/* "2c", "2c@1"; g instead of c means the same. */
static int read_ci(SimYaml *yaml, const yaml_node_t *node, SimState *state, SimGpu *gpu, SimGi *gi,
                   Error *err) {
  const char *text = sim_yaml_text(node);
  char name[8];
  int start;
  if (!text || !split_place(text, name, sizeof name, &start) || strlen(name) != 2 ||
      !isdigit((unsigned char)name[0]) || (name[1] != 'c' && name[1] != 'g'))
    return sim_yaml_set_error(yaml, node, err, "\"%.40s\" is no compute instance: such as 2c or 2c@1",
                              text ? text : "...");
  return add_ci(yaml, node, state, gpu, gi, name[0] - '0', start, err);
}

static int add_gi(SimYaml *yaml, const yaml_node_t *node, const char *text, SimState *state, SimGpu *gpu,
                  SimGi **ret_gi, Error *err) {
  char name[MIG_PROFILE_NAME_SIZE];
  int start;
  int profile =
      split_place(text, name, sizeof name, &start) ? mig_model_find_profile(sim_gpu_model(gpu), name) : -1;
  if (profile < 0)
    return sim_yaml_set_error(yaml, node, err, "\"%.40s\" is no instance of %s: such as %s or %s@0", text,
                              gpu->product, sim_gpu_model(gpu)->profiles[0].name,
                              sim_gpu_model(gpu)->profiles[0].name);
  NvmlReturn result = sim_gi_choose(gpu, profile, start, &start);
  if (result != NVML_SUCCESS)
    return sim_yaml_set_error(yaml, node, err, "%.40s cannot be there: %s", text, sim_code_text(result));
  *ret_gi = sim_gi_add(gpu, profile, start, ++state->last_serial);
  return 0;
}

/* "3g.40gb@4", whole; or {gi: 3g.40gb@4, ci: [1c, 2c@1]}. */
static int read_instance(SimYaml *yaml, const yaml_node_t *node, SimState *state, SimGpu *gpu, Error *err) {
  static const char *const keys[] = {"gi", "ci", NULL};
  const char *text = sim_yaml_text(node);
  yaml_node_t *list = NULL;
  SimGi *gi = NULL;
  int result = text ? 0 : sim_yaml_check_map(yaml, node, keys, err);
  bool is_whole = result == 0 && (text || !sim_yaml_find(yaml, node, "ci"));
  if (result == 0 && !text)
    result = sim_yaml_find_text(yaml, node, "gi", &text, err);
  if (result == 0 && !text)
    result = sim_yaml_set_error(yaml, node, err, "an instance needs gi, such as gi: %s",
                                sim_gpu_model(gpu)->profiles[0].name);
  if (result == 0 && text)
    result = add_gi(yaml, node, text, state, gpu, &gi, err);
  if (result < 0 || !gi)
    return result;
  if (is_whole)
    return add_ci(yaml, node, state, gpu, gi, sim_gi_profile(gpu, gi)->slice_count, 0, err);
  result = sim_yaml_find_list(yaml, node, "ci", &list, err);
  const yaml_node_t *item;
  for (int i = 0; result == 0 && (item = sim_yaml_item(yaml, list, i)); i++)
    result = read_ci(yaml, item, state, gpu, gi, err);
  return result;
}

static int read_instances(SimYaml *yaml, const yaml_node_t *node, SimState *state, SimGpu *gpu, Error *err) {
  yaml_node_t *list = NULL;
  int result = sim_yaml_find_list(yaml, node, "instances", &list, err);
  if (result == 0 && list && !gpu->mig_on)
    result = sim_yaml_set_error(yaml, list, err, "instances need MIG mode: on");
  const yaml_node_t *item;
  for (int i = 0; result == 0 && (item = sim_yaml_item(yaml, list, i)); i++)
    result = read_instance(yaml, item, state, gpu, err);
  return result;
}

/* One item of gpus: so many equal GPUs. */
static int read_gpus(SimYaml *yaml, const yaml_node_t *node, SimState *state, Error *err) {
  static const char *const keys[] = {"model", "count", "mig", "pending", "lost", "instances", NULL};
  const char *model = NULL;
  uint32_t count = 1;
  SimState parsed;
  int result = sim_yaml_check_map(yaml, node, keys, err);
  if (result == 0)
    result = sim_yaml_find_text(yaml, node, "model", &model, err);
  if (result == 0 && !model)
    result = sim_yaml_set_error(yaml, node, err, "a GPU needs its model");
  if (result == 0)
    result = sim_yaml_find_number(yaml, node, "count", SIM_GPUS_MAX, &count, err);
  if (result < 0 || !model)
    return result;
  if (strchr(model, ',') || strchr(model, ':') || sim_state_parse_machine(model, &parsed, err) < 0)
    return err->code ? sim_yaml_place_error(yaml, node, err)
                     : sim_yaml_set_error(yaml, node, err, "\"%.60s\" is no model", model);
  SimGpu gpu = parsed.gpus[0];
  result = sim_yaml_find_switch(yaml, node, "mig", &gpu.mig_on, err);
  gpu.mig_on_pending = gpu.mig_on;
  if (result == 0)
    result = sim_yaml_find_switch(yaml, node, "pending", &gpu.mig_on_pending, err);
  if (result == 0)
    result = sim_yaml_find_switch(yaml, node, "lost", &gpu.lost, err);
  if (result == 0 && (count == 0 || count + state->gpu_count > SIM_GPUS_MAX))
    result = sim_yaml_set_error(yaml, node, err, "a simulated machine has 1 to %d GPUs", SIM_GPUS_MAX);
  for (uint32_t i = 0; result == 0 && i < count; i++) {
    state->gpus[state->gpu_count] = gpu;
    result = read_instances(yaml, node, state, &state->gpus[state->gpu_count++], err);
  }
  return result;
}

static int read_process(SimYaml *yaml, const yaml_node_t *node, SimState *state, Error *err) {
  static const char *const keys[] = {"on", "pid", "name", "memory-mib", NULL};
  const char *place = NULL, *name = "process";
  SimClient client = {.memory_mib = 256, .gi_id = -1, .ci_id = -1};
  int result = sim_yaml_check_map(yaml, node, keys, err);
  if (result == 0)
    result = sim_yaml_find_text(yaml, node, "on", &place, err);
  if (result == 0)
    result = sim_yaml_find_text(yaml, node, "name", &name, err);
  if (result == 0)
    result = sim_yaml_find_number(yaml, node, "pid", UINT32_MAX, &client.pid, err);
  if (result == 0)
    result = sim_yaml_find_number(yaml, node, "memory-mib", UINT32_MAX, &client.memory_mib, err);
  if (result < 0)
    return result;
  if (!place || client.pid == 0 || !sim_client_set_name(&client, name))
    return sim_yaml_set_error(yaml, node, err, "a process needs on (such as 0/13/0), pid and a short name");
  if (!sim_client_set_place(&client, place))
    return sim_yaml_set_error(yaml, node, err, "\"%.40s\" is no place: GPU, GPU/GI or GPU/GI/CI", place);
  return sim_state_attach(state, &client, err) < 0 ? sim_yaml_place_error(yaml, node, err) : 0;
}

static int read_options(SimYaml *yaml, const yaml_node_t *map, SimOptions *options, Error *err) {
  int result = sim_yaml_check_map(yaml, map, NULL, err);
  for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
       result == 0 && pair < map->data.mapping.pairs.top; pair++) {
    const yaml_node_t *key = yaml_document_get_node(&yaml->document, pair->key);
    const char *value = sim_yaml_text(yaml_document_get_node(&yaml->document, pair->value));
    if (sim_options_set(options, sim_yaml_text(key), value ? value : "", err) < 0)
      result = sim_yaml_place_error(yaml, key, err);
  }
  return result;
}

static int read_fault(SimYaml *yaml, const yaml_node_t *node, SimFaults *faults, Error *err) {
  const char *text = sim_yaml_text(node);
  SimFault fault;
  if (!text)
    return sim_yaml_set_error(yaml, node, err, "a fault is one text: FUNCTION EFFECT ...");
  if (sim_fault_parse(text, &fault, err) < 0 || sim_faults_add(faults, &fault, err) < 0)
    return sim_yaml_place_error(yaml, node, err);
  return 0;
}

typedef int ReadItem(SimYaml *yaml, const yaml_node_t *node, SimState *state, Error *err);

static int read_list(SimYaml *yaml, const yaml_node_t *root, const char *key, ReadItem *read, SimState *state,
                     Error *err) {
  yaml_node_t *list = NULL;
  int result = sim_yaml_find_list(yaml, root, key, &list, err);
  const yaml_node_t *item;
  for (int i = 0; result == 0 && (item = sim_yaml_item(yaml, list, i)); i++)
    result = read(yaml, item, state, err);
  return result;
}

static int read_faults(SimYaml *yaml, const yaml_node_t *root, SimFaults *faults, Error *err) {
  yaml_node_t *list = NULL;
  int result = sim_yaml_find_list(yaml, root, "faults", &list, err);
  const yaml_node_t *item;
  for (int i = 0; result == 0 && (item = sim_yaml_item(yaml, list, i)); i++)
    result = read_fault(yaml, item, faults, err);
  return result;
}

static int read_root(SimYaml *yaml, SimMachineFile *file, Error *err) {
  static const char *const keys[] = {"driver", "gpus", "processes", "options", "faults", NULL};
  const yaml_node_t *root = yaml_document_get_root_node(&yaml->document);
  if (!root)
    return error_set(err, ERROR_INVALID, "%s holds nothing", yaml->path);
  const char *driver = "";
  int result = sim_yaml_check_map(yaml, root, keys, err);
  if (result == 0)
    result = sim_yaml_find_text(yaml, root, "driver", &driver, err);
  if (result == 0 && strlen(driver) >= sizeof file->driver)
    result = sim_yaml_set_error(yaml, root, err, "driver is too long for a version");
  if (result == 0)
    result = read_list(yaml, root, "gpus", read_gpus, &file->state, err);
  if (result == 0 && file->state.gpu_count == 0)
    result = sim_yaml_set_error(yaml, root, err, "a machine needs gpus");
  if (result == 0)
    result = read_list(yaml, root, "processes", read_process, &file->state, err);
  const yaml_node_t *options = result == 0 ? sim_yaml_find(yaml, root, "options") : NULL;
  if (options)
    result = read_options(yaml, options, &file->state.options, err);
  if (result == 0)
    result = read_faults(yaml, root, &file->faults, err);
  if (result == 0)
    memcpy(file->driver, driver, strlen(driver) + 1);
  return result;
}

static int read_bytes(const char *path, Text *ret_text, Error *err) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "re");
  if (!file)
    return error_set_errno(err, ERROR_IO, errno, "cannot read %s", path);
  char piece[4096];
  for (size_t size; (size = fread(piece, 1, sizeof piece, file)) > 0;) {
    text_append_bytes(ret_text, piece, size);
    if (ret_text->size > SIM_MACHINE_FILE_MAX)
      return error_set(err, ERROR_LIMIT, "%s is larger than any machine", path);
  }
  return ferror(file) ? error_set_errno(err, ERROR_IO, errno, "cannot read %s", path) : 0;
}

static void cleanup_document(SimYaml *yaml) {
  yaml_document_delete(&yaml->document);
}

static void cleanup_parser(yaml_parser_t *parser) {
  yaml_parser_delete(parser);
}

int sim_machine_file_load(const char *path, SimMachineFile *ret_file, Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  int result = read_bytes(path, &text, err);
  if (result < 0)
    return result;
  CLEANUP(cleanup_parser) yaml_parser_t parser = {0};
  CLEANUP(cleanup_document) SimYaml yaml = {.path = path};
  if (!yaml_parser_initialize(&parser))
    mem_fail();
  yaml_parser_set_input_string(&parser, (const unsigned char *)text_string(&text), text.size);
  if (!yaml_parser_load(&parser, &yaml.document))
    return error_set(err, ERROR_INVALID, "%s, line %zu: no YAML: %s", path, parser.problem_mark.line + 1,
                     parser.problem ? parser.problem : "the parser gave up");
  CLEANUP(cleanup_free) SimMachineFile *file = mem_alloc(sizeof *file);
  file->state.options = SIM_OPTIONS_USUAL;
  result = read_root(&yaml, file, err);
  if (result == 0)
    *ret_file = *file;
  return result;
}
