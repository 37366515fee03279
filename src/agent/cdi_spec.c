/* SPDX-License-Identifier: Apache-2.0 */
/* nvidia-ctk describes GPUs in MIG mode only by the MIG devices that exist while it runs. So its entries
 * serve for whole GPUs alone; the nodes of a slice follow from the numbers of its instances. They carry their
 * device numbers, because nobody makes the nodes of /dev/nvidia-caps on the host at the moment when an
 * instance appears. Where the driver's files lie below another root, nvidia-ctk's own nodes tell which. */
#include "agent/cdi_spec.h"

#include "base/memory.h"
#include "mig/scan.h"

#include <jansson.h>
#include <string.h>

#define CONTROL_NODE "/dev/nvidiactl"

enum { CAPABILITY_MODE = 0444, NUMBER_MAX = 1 << 20 /* the kernel gives a minor number 20 bits */ };

struct AgentCdiEdits {
  json_t *document;
  json_t *common; /* its containerEdits; borrowed */
  char *root;     /* of the driver's /dev on the host; "" */
};

static char *find_root(const json_t *common) {
  size_t i;
  json_t *node;
  json_array_foreach(json_object_get(common, "deviceNodes"), i, node) {
    const char *path = json_string_value(json_object_get(node, "path"));
    const char *host = json_string_value(json_object_get(node, "hostPath"));
    if (string_equal(path, CONTROL_NODE) && host && string_has_suffix(host, CONTROL_NODE))
      return mem_strndup(host, strlen(host) - strlen(CONTROL_NODE));
  }
  return mem_strdup("");
}

int agent_cdi_edits_parse(const char *text, AgentCdiEdits **ret_edits, Error *err) {
  json_error_t where;
  CLEANUP(agent_cdi_edits_freep) AgentCdiEdits *edits = mem_alloc(sizeof *edits);
  edits->document = json_loads(text, JSON_REJECT_DUPLICATES, &where);
  if (!edits->document)
    return error_set(err, ERROR_INVALID,
                     "the CDI edits are not JSON (line %d: %s): make them with `nvidia-ctk cdi generate "
                     "--format=json`",
                     where.line, where.text);
  edits->common = json_object_get(edits->document, "containerEdits");
  if (!json_is_string(json_object_get(edits->document, "cdiVersion")) || !json_is_object(edits->common))
    return error_set(err, ERROR_INVALID,
                     "the CDI edits have no cdiVersion or no containerEdits: make them with `nvidia-ctk cdi "
                     "generate --format=json`");
  edits->root = find_root(edits->common);
  *ret_edits = TAKE(edits);
  return 0;
}

void agent_cdi_edits_free(AgentCdiEdits *edits) {
  json_decref(edits->document);
  free(edits->root);
  free(edits);
}

static json_t *make_node(const AgentCdiEdits *edits, const char *path) {
  json_t *node = json_pack("{s:s}", "path", path);
  if (edits->root[0]) {
    CLEANUP(cleanup_free) char *host = mem_format("%s%s", edits->root, path);
    json_object_set_new(node, "hostPath", json_string(host));
  }
  return node;
}

static int make_gpu_node(const AgentCdiEdits *edits, const GpuObserved *gpu, json_t **ret_node, Error *err) {
  if (gpu->minor < 0)
    return error_set(err, ERROR_GPU, "NVML does not tell the number of GPU %d's node in /dev", gpu->index);
  char path[32];
  snprintf(path, sizeof path, "/dev/nvidia%d", gpu->minor);
  *ret_node = make_node(edits, path);
  return 0;
}

/* Of one line, "<name> <number>" or, as in /proc/devices, " <number> <name>"; -1 where it is another one. */
static long parse_line(const char *line, const char *name, bool number_first) {
  uint32_t number;
  line += strspn(line, " ");
  bool is_it = number_first ? mig_scan_number(&line, NUMBER_MAX, &number) && mig_scan_word(&line, " ") &&
                                  mig_scan_word(&line, name)
                            : mig_scan_word(&line, name) && mig_scan_word(&line, " ") &&
                                  mig_scan_number(&line, NUMBER_MAX, &number);
  return is_it && (*line == '\n' || !*line) ? (long)number : -1;
}

static long find_number(const char *text, const char *name, bool number_first) {
  for (const char *line = text; *line; line += *line == '\n') {
    long number = parse_line(line, name, number_first);
    if (number >= 0)
      return number;
    line += strcspn(line, "\n");
  }
  return -1;
}

static int add_capability(const AgentCdiKernel *kernel, const char *name, json_t *nodes, Error *err) {
  long minor = find_number(kernel->mig_minors, name, false);
  long major = find_number(kernel->numbers, "nvidia-caps", true);
  if (minor < 0)
    return error_set(err, ERROR_NOT_FOUND, "the driver's list of MIG capabilities (mig-minors) has no %s",
                     name);
  if (major < 0)
    return error_set(err, ERROR_NOT_FOUND, "/proc/devices has no nvidia-caps: is the nvidia module loaded?");
  char path[64];
  snprintf(path, sizeof path, "/dev/nvidia-caps/nvidia-cap%ld", minor);
  json_array_append_new(nodes, json_pack("{s:s,s:s,s:I,s:I,s:i}", "path", path, "type", "c", "major",
                                         (json_int_t)major, "minor", (json_int_t)minor, "fileMode",
                                         CAPABILITY_MODE));
  return 0;
}

static int make_slice_edits(const AgentCdiEdits *edits, const AgentCdiKernel *kernel, const GpuObserved *gpu,
                            const GpuInstance *instance, json_t **ret_edits, Error *err) {
  json_auto_t *nodes = json_array();
  json_t *node;
  char name[64];
  int r = make_gpu_node(edits, gpu, &node, err);
  if (r < 0)
    return r;
  json_array_append_new(nodes, node);
  snprintf(name, sizeof name, "gpu%d/gi%u/access", gpu->minor, instance->gpu_instance_id);
  r = add_capability(kernel, name, nodes, err);
  if (r < 0)
    return r;
  snprintf(name, sizeof name, "gpu%d/gi%u/ci%u/access", gpu->minor, instance->gpu_instance_id,
           instance->compute_instance_id);
  r = add_capability(kernel, name, nodes, err);
  if (r < 0)
    return r;
  *ret_edits = json_pack("{s:O}", "deviceNodes", nodes);
  return 0;
}

/* nvidia-ctk names GPUs by index or by UUID, as it was told. */
static int make_whole_edits(const AgentCdiEdits *edits, const GpuObserved *gpu, json_t **ret_edits,
                            Error *err) {
  char index[16];
  snprintf(index, sizeof index, "%d", gpu->index);
  size_t i;
  json_t *entry, *node;
  json_array_foreach(json_object_get(edits->document, "devices"), i, entry) {
    const char *name = json_string_value(json_object_get(entry, "name"));
    json_t *found = json_object_get(entry, "containerEdits");
    if (found && (string_equal(name, index) || string_equal(name, gpu->uuid))) {
      *ret_edits = json_incref(found);
      return 0;
    }
  }
  int r = make_gpu_node(edits, gpu, &node, err);
  if (r == 0)
    *ret_edits = json_pack("{s:[o]}", "deviceNodes", node);
  return r;
}

int agent_cdi_spec_format(const AgentCdiEdits *edits, const AgentCdiKernel *kernel, const GpuObserved *gpu,
                          const GpuInstance *instance, Text *ret_spec, Error *err) {
  json_t *own = NULL;
  int r = instance ? make_slice_edits(edits, kernel, gpu, instance, &own, err)
                   : make_whole_edits(edits, gpu, &own, err);
  if (r < 0)
    return r;
  json_auto_t *spec =
      json_pack("{s:O,s:s,s:O,s:[{s:s,s:o}]}", "cdiVersion", json_object_get(edits->document, "cdiVersion"),
                "kind", AGENT_CDI_KIND, "containerEdits", edits->common, "devices", "name",
                instance ? instance->uuid : gpu->uuid, "containerEdits", own);
  CLEANUP(cleanup_free) char *text = json_dumps(spec, JSON_COMPACT);
  if (!text)
    return error_set(err, ERROR_INVALID, "the CDI edits cannot be written as JSON");
  text_append(ret_spec, text);
  text_append(ret_spec, "\n");
  return 0;
}
