/* SPDX-License-Identifier: Apache-2.0 */
/* facet mig: the GPUs of this machine, without Kubernetes. Its second word is a verb of its own. */
#include "cli/mig_show.h"
#include "cli/mig_verb.h"
#include "cli/print_tree.h"
#include "cli/terminal.h"

#include "base/text.h"

#include <string.h>

typedef struct Options {
  const char *nvml_library;
  const char *output;
} Options;

static const CliOption options_table[] = {
    CLI_MIG_LIBRARY_OPTION(Options, nvml_library),
    {"--output,-o", CLI_STRING, offsetof(Options, output), "table|json|yaml", "Format (default: table)."},
};

static const CliOption save_options_table[] = {CLI_MIG_LIBRARY_OPTION(Options, nvml_library)};

typedef void Show(const GpuObservation *observation, const Options *options);

static void show_tree(json_t *tree, const char *output) {
  cli_print_tree(tree, output);
  json_decref(tree);
}

static void show_list(const GpuObservation *observation, const Options *options) {
  CLEANUP(text_deinit) Text out = {0};
  if (cli_print_tree_knows(options->output)) {
    show_tree(cli_mig_list_tree(observation), options->output);
    return;
  }
  cli_mig_list_table(observation, cli_terminal_has_colours(), &out);
  fputs(text_string(&out), stdout);
}

static void show_profiles(const GpuObservation *observation, const Options *options) {
  CLEANUP(text_deinit) Text out = {0};
  if (cli_print_tree_knows(options->output)) {
    show_tree(cli_mig_profiles_tree(observation), options->output);
    return;
  }
  cli_mig_profiles_table(observation, &out);
  fputs(text_string(&out), stdout);
}

static void show_saved(const GpuObservation *observation, const Options *options) {
  CLEANUP(text_deinit) Text out = {0};
  cli_mig_save(observation, &out);
  fputs(text_string(&out), stdout);
}

bool cli_mig_knows_output(const CliVerb *verb, const char *output) {
  Error err;
  if (cli_print_tree_check(output, &err) == 0)
    return true;
  fprintf(stderr, "facet %s: %s\n", verb->name, err.text);
  return false;
}

static int look(const CliVerb *verb, int argc, char **argv, Show *show) {
  Options options = {.output = "table"};
  int exit_code;
  Error err;
  if (!cli_begin(verb, argc, argv, &options, &exit_code))
    return exit_code;
  if (!cli_mig_knows_output(verb, options.output))
    return CLI_EXIT_USAGE;
  CLEANUP(cli_mig_gpus_freep) CliMigGpus *gpus = NULL;
  if (cli_mig_gpus_new(options.nvml_library, &gpus, &err) < 0 || cli_mig_gpus_observe(gpus, &err) < 0) {
    fprintf(stderr, "facet %s: %s\n", verb->name, err.text);
    return CLI_EXIT_FAILED;
  }
  show(&gpus->result.observation, &options);
  return CLI_EXIT_OK;
}

static int run_list(const CliVerb *verb, int argc, char **argv) {
  return look(verb, argc, argv, show_list);
}

static int run_profiles(const CliVerb *verb, int argc, char **argv) {
  return look(verb, argc, argv, show_profiles);
}

static int run_save(const CliVerb *verb, int argc, char **argv) {
  return look(verb, argc, argv, show_saved);
}

static const CliVerb verb_list = {.name = "mig list",
                                  .help = "the GPUs of this machine and their slices",
                                  .options = options_table,
                                  .option_count = COUNT_OF(options_table),
                                  .run = run_list};
static const CliVerb verb_profiles = {.name = "mig profiles",
                                      .help = "what each GPU can be cut into, and what still fits",
                                      .options = options_table,
                                      .option_count = COUNT_OF(options_table),
                                      .run = run_profiles};
static const CliVerb verb_save = {.name = "mig save",
                                  .help = "print the exact layout of all GPUs, for restore and apply",
                                  .options = save_options_table,
                                  .option_count = COUNT_OF(save_options_table),
                                  .run = run_save};

static const CliVerb *const verbs[] = {
    &verb_list, &verb_profiles, &cli_mig_verb_apply, &cli_mig_verb_clear, &verb_save, &cli_mig_verb_restore,
    NULL};

enum { VERB_COUNT = COUNT_OF(verbs) - 1, PREFIX_SIZE = sizeof "mig " - 1 };

static void print_help(FILE *out) {
  fprintf(out, "facet mig: look at the MIG slices of this machine and change them, without Kubernetes\n\n"
               "Usage: facet mig VERB [OPTIONS]\n\nVerbs:\n");
  for (size_t i = 0; i < VERB_COUNT; i++)
    fprintf(out, "  %-12s %s\n", verbs[i]->name + PREFIX_SIZE, verbs[i]->help);
  fprintf(out, "\nSlices that processes use are never touched. `facet mig VERB --help` says more.\n");
}

static int run(const CliVerb *verb, int argc, char **argv) {
  const char *names[VERB_COUNT];
  if (!argc) {
    print_help(stderr);
    return CLI_EXIT_USAGE;
  }
  if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
    print_help(stdout);
    return CLI_EXIT_OK;
  }
  for (size_t i = 0; i < VERB_COUNT; i++) {
    names[i] = verbs[i]->name + PREFIX_SIZE;
    if (strcmp(argv[0], names[i]) == 0)
      return verbs[i]->run(verbs[i], argc - 1, argv + 1);
  }
  const char *nearest = cli_nearest(argv[0], names, VERB_COUNT);
  if (nearest)
    fprintf(stderr, "facet mig: there is no verb \"%s\"; did you mean \"%s\"?\n", argv[0], nearest);
  else
    fprintf(stderr, "facet mig: there is no verb \"%s\"; `facet mig --help` lists them\n", argv[0]);
  return CLI_EXIT_USAGE;
}

const CliVerb cli_verb_mig = {.name = "mig",
                              .help = "look at and change the MIG slices of this machine, without Kubernetes",
                              .verbs = verbs,
                              .run = run};
