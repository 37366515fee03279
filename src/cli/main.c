/* SPDX-License-Identifier: Apache-2.0 */
/* facet: one executable, the role is the first word. Under the name kubectl-facet it is a plugin of kubectl,
 * which hands on the words behind `kubectl facet`, and under the name kubectl_complete-facet what kubectl
 * asks when somebody is typing them. */
#include "cli/verb.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const CliVerb *const cli_verbs[] = {
    &cli_verb_controller, &cli_verb_agent,       &cli_verb_plan,     &cli_verb_explain, &cli_verb_view,
    &cli_verb_check,      &cli_verb_simulate,    &cli_verb_mig,      &cli_verb_debug,   &cli_verb_demo,
    &cli_verb_version,    &cli_verb_nvml_worker, &cli_verb_complete, &cli_verb_manual,  NULL,
};
enum { VERB_COUNT = COUNT_OF(cli_verbs) - 1 };

static const char *name_of(const char *path) {
  const char *slash = path ? strrchr(path, '/') : NULL;
  return slash ? slash + 1 : path;
}

/* What the user types. */
static const char *program_of(const char *path) {
  return string_equal(name_of(path), "kubectl-facet") ? "kubectl facet" : "facet";
}

static void print_help(const char *program, FILE *out) {
  fprintf(out, "facet cuts GPUs to fit the pods that wait.\n\nUsage: %s VERB [OPTIONS]\n\nVerbs:\n", program);
  for (size_t i = 0; i < VERB_COUNT; i++)
    if (!cli_verbs[i]->hidden)
      fprintf(out, "  %-12s %s\n", cli_verbs[i]->name, cli_verbs[i]->help);
  fprintf(out, "\n`%s VERB --help` says more. Try `%s demo` first: it needs no GPU and no cluster.\n",
          program, program);
}

static int refuse(const char *word) {
  const char *names[VERB_COUNT];
  size_t count = 0;
  for (size_t i = 0; i < VERB_COUNT; i++)
    if (!cli_verbs[i]->hidden)
      names[count++] = cli_verbs[i]->name;
  const char *nearest = cli_nearest(word, names, count);
  if (nearest)
    fprintf(stderr, "facet: there is no verb \"%s\"; did you mean \"%s\"?\n", word, nearest);
  else
    fprintf(stderr, "facet: there is no verb \"%s\"; `facet --help` lists them\n", word);
  return CLI_EXIT_USAGE;
}

static int run_version(const CliVerb *verb, int argc, char **argv) {
  printf("facet %s\n", FACET_VERSION);
  return CLI_EXIT_OK;
}

const CliVerb cli_verb_version = {.name = "version", .help = "print the version", .run = run_version};

/* Where one of them is closed, the next file or socket that is opened would get its number, and what is
 * printed would go there. Reading and writing them fails instead. */
static void hold_standard_files(void) {
  static const int modes[] = {
      [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};
  for (int fd = 0; fd < (int)COUNT_OF(modes); fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0)
      return;
}

/* Half an answer is none, even where all was well but the disk was full. Who stopped reading knows it. */
static int finish(int exit_code) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout))
    return exit_code;
  int reason = errno;
  if (reason != EPIPE)
    fprintf(stderr, "facet: the output is incomplete: it cannot be written%s%s\n", reason ? ": " : "",
            reason ? strerror(reason) : "");
  return CLI_EXIT_FAILED;
}

static int run(int argc, char **argv) {
  if (argc && string_equal(name_of(argv[0]), "kubectl_complete-facet"))
    return cli_verb_complete.run(&cli_verb_complete, argc - 1, argv + 1);
  if (argc < 2) {
    print_help(program_of(argv[0]), stderr);
    return CLI_EXIT_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
    print_help(program_of(argv[0]), stdout);
    return CLI_EXIT_OK;
  }
  if (strcmp(argv[1], "--version") == 0)
    return run_version(&cli_verb_version, 0, NULL);
  for (size_t i = 0; i < VERB_COUNT; i++)
    if (strcmp(argv[1], cli_verbs[i]->name) == 0)
      return cli_verbs[i]->run(cli_verbs[i], argc - 2, argv + 2);
  return refuse(argv[1]);
}

int main(int argc, char **argv) {
  hold_standard_files();
  return finish(run(argc, argv));
}
