/* SPDX-License-Identifier: Apache-2.0 */
/* facet mig apply, clear and restore: three ways to say how the GPUs shall look, one way to get there. */
#include "cli/input_file.h"
#include "cli/mig_change.h"
#include "cli/mig_guard.h"
#include "cli/mig_verb.h"
#include "cli/print_tree.h"

#include "base/text.h"

#include <string.h>

enum { WISH_TEXT_MAX = 1 << 20 };

typedef struct Options {
  const char *nvml_library;
  CliMigGuardOptions guard;
  const char *output;
  bool dry_run;
  bool used;
  const char *operand;
} Options;

#define CHANGE_OPTIONS                                                                                       \
  CLI_MIG_LIBRARY_OPTION(Options, nvml_library),                                                             \
      {"--output,-o", CLI_STRING, offsetof(Options, output), "table|json|yaml", "Format (default: table)."}, \
      {"--dry-run", CLI_FLAG, offsetof(Options, dry_run), NULL,                                              \
       "Say what would be done, and change nothing."},                                                       \
      {"--beside-kubelet", CLI_FLAG, offsetof(Options, guard.beside_kubelet), NULL,                          \
       "Change GPUs although a kubelet runs here: it serves no pod with a GPU."},                            \
      {"--device-plugin-path", CLI_STRING, offsetof(Options, guard.device_plugin_folder), "FOLDER",          \
       "Where an agent would be at work (default: /var/lib/kubelet/device-plugins)."},                       \
  {                                                                                                          \
    "--pod-resources-socket", CLI_STRING, offsetof(Options, guard.pod_resources_socket), "FILE",             \
        "By which a kubelet is known (default: /var/lib/kubelet/pod-resources/kubelet.sock)."                \
  }

static const CliOption change_options_table[] = {CHANGE_OPTIONS};
static const CliOption clear_options_table[] = {
    CHANGE_OPTIONS,
    {"--used", CLI_FLAG, offsetof(Options, used), NULL,
     "Slices that processes use as well: the driver refuses as long as they run."},
};

/* ---- the wish ---- */

static int read_file(const char *path, Text *text, Error *err) {
  CLEANUP(cli_input_file_freep) CliInputFile *file = NULL;
  int r = cli_input_file_open(path, &file, err);
  char chunk[4096];
  size_t size = 1;
  while (r == 0 && size) {
    r = cli_input_file_read(file, chunk, sizeof chunk, &size, err);
    if (r == 0)
      text_append_bytes(text, chunk, size);
    if (r == 0 && (text->size > WISH_TEXT_MAX || strlen(text_string(text)) != text->size))
      r = error_set(err, ERROR_INVALID, "%s is not a saved layout: it is larger than 1 MiB or not a text",
                    cli_input_file_name(file));
  }
  return r;
}

static int wish_for_apply(const Options *options, const GpuObservation *observation, MigWish *ret_wish,
                          Error *err) {
  return cli_mig_wish_parse(options->operand, observation, ret_wish, err);
}

static int wish_for_restore(const Options *options, const GpuObservation *observation, MigWish *ret_wish,
                            Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  int r = read_file(options->operand, &text, err);
  if (r < 0)
    return r;
  r = cli_mig_wish_parse(text_string(&text), observation, ret_wish, err);
  return r < 0 ? error_prefix(err, "%s", options->operand) : 0;
}

/* Clearing keeps what is in use, so that the wish for such a GPU is exactly these slices. */
static void clear_gpu(const GpuObserved *gpu, bool used, MigWishGpu *wish) {
  *wish = (MigWishGpu){.named = true};
  for (int i = 0; i < gpu->instance_count && !used; i++) {
    const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, gpu->instances[i].nvml_id);
    if (!profile || !gpu->instances[i].process_count)
      continue;
    MigWishSlice *slice = &wish->slices[wish->count++];
    snprintf(slice->profile, sizeof slice->profile, "%s", profile->name);
    slice->start = gpu->instances[i].start;
  }
}

/* Without an operand all GPUs that can have slices. */
static int wish_for_clear(const Options *options, const GpuObservation *observation, MigWish *ret_wish,
                          Error *err) {
  char text[512] = "";
  *ret_wish = (MigWish){0};
  if (options->operand) {
    snprintf(text, sizeof text, "%s:", options->operand);
    int r = cli_mig_wish_parse(text, observation, ret_wish, err);
    if (r < 0)
      return r;
  }
  for (int i = 0; i < observation->gpu_count; i++) {
    const GpuObserved *gpu = &observation->gpus[i];
    if (options->operand ? ret_wish->gpus[i].named : gpu->mode == MIG_MODE_ON)
      clear_gpu(gpu, options->used, &ret_wish->gpus[i]);
  }
  return 0;
}

/* ---- the course ---- */

typedef int Wish(const Options *options, const GpuObservation *observation, MigWish *ret_wish, Error *err);

static void show(const CliMigPlan *plan, const Options *options, bool done) {
  CLEANUP(text_deinit) Text out = {0};
  if (cli_print_tree_knows(options->output)) {
    json_t *tree = cli_mig_plan_tree(plan, done);
    cli_print_tree(tree, options->output);
    json_decref(tree);
    return;
  }
  cli_mig_plan_format(plan, &out);
  fputs(plan->count ? text_string(&out) : "No GPU is named: nothing to change.\n", stdout);
  fflush(stdout);
}

static int change(const Options *options, Wish *wish_for, Error *err) {
  CLEANUP(cli_mig_gpus_freep) CliMigGpus *gpus = NULL;
  CLEANUP(cleanup_close) int claim = -1;
  MigWish wish;
  CliMigPlan plan = {0};
  int r = options->dry_run ? 0 : cli_mig_guard(&options->guard, &claim, err);
  if (r == 0)
    r = cli_mig_gpus_new(options->nvml_library, &gpus, err);
  if (r == 0)
    r = cli_mig_gpus_observe(gpus, err);
  if (r == 0)
    r = wish_for(options, &gpus->result.observation, &wish, err);
  if (r == 0)
    r = cli_mig_plan(&wish, &gpus->result.observation, options->used, &plan, err);
  if (r < 0)
    return r;
  bool is_tree = cli_print_tree_knows(options->output);
  if (!is_tree || options->dry_run)
    show(&plan, options, false);
  if (options->dry_run)
    return 0;
  r = cli_mig_carry_out(&plan, gpus, !is_tree, err);
  if (is_tree)
    show(&plan, options, true);
  return r;
}

/* missing: what to say where there is no operand; NULL where none is needed. */
static int run(const CliVerb *verb, int argc, char **argv, Wish *wish_for, const char *missing) {
  Options options = {.output = "table",
                     .guard = {.device_plugin_folder = "/var/lib/kubelet/device-plugins",
                               .pod_resources_socket = "/var/lib/kubelet/pod-resources/kubelet.sock"}};
  int exit_code;
  Error err;
  if (!cli_begin(verb, argc, argv, &options, &exit_code))
    return exit_code;
  if (missing && !options.operand) {
    fprintf(stderr, "facet %s: %s\n", verb->name, missing);
    return CLI_EXIT_USAGE;
  }
  if (!cli_mig_knows_output(verb, options.output))
    return CLI_EXIT_USAGE;
  if (change(&options, wish_for, &err) == 0)
    return CLI_EXIT_OK;
  fprintf(stderr, "facet %s: %s\n", verb->name, err.text);
  return CLI_EXIT_FAILED;
}

static int run_apply(const CliVerb *verb, int argc, char **argv) {
  return run(verb, argc, argv, wish_for_apply,
             "how shall the GPUs look? As in facet mig apply '0: 3g.40gb@4,2g.20gb@0'");
}

static int run_clear(const CliVerb *verb, int argc, char **argv) {
  return run(verb, argc, argv, wish_for_clear, NULL);
}

static int run_restore(const CliVerb *verb, int argc, char **argv) {
  return run(verb, argc, argv, wish_for_restore, "which file? `facet mig save > FILE` writes one");
}

const CliVerb cli_mig_verb_apply = {
    .name = "mig apply",
    .help = "make the named GPUs look like this, with as few changes as can be",
    .more = "    facet mig apply '0: 3g.40gb@4,2g.20gb@0; 1-3: 7x1g.10gb'\n\n"
            "An entry names GPUs by index, range, UUID or \"all\", then all slices that they shall have: at "
            "a slot with\n"
            "\"@\", else wherever all of them fit. Nothing behind the colon means no slices. Other GPUs stay "
            "as they are.\n"
            "Slices that exist at such a place stay; those in use stay in any case, or the command is "
            "refused as a\n"
            "whole. A GPU whose change fails gets its layout back.",
    .operand = "LAYOUTS",
    .operand_offset = offsetof(Options, operand),
    .options = change_options_table,
    .option_count = COUNT_OF(change_options_table),
    .run = run_apply,
};

const CliVerb cli_mig_verb_clear = {
    .name = "mig clear",
    .help = "take all free slices away, of all GPUs or of those named",
    .more = "    facet mig clear            all GPUs whose MIG mode is on\n"
            "    facet mig clear 0,2-3      these\n",
    .operand = "GPUS",
    .operand_offset = offsetof(Options, operand),
    .options = clear_options_table,
    .option_count = COUNT_OF(clear_options_table),
    .run = run_clear,
};

const CliVerb cli_mig_verb_restore = {
    .name = "mig restore",
    .help = "bring back what `facet mig save` printed",
    .more = "    facet mig save > layouts\n"
            "    facet mig restore layouts      or - for standard input",
    .operand = "FILE",
    .operand_offset = offsetof(Options, operand),
    .options = change_options_table,
    .option_count = COUNT_OF(change_options_table),
    .run = run_restore,
};
