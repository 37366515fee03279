/* SPDX-License-Identifier: Apache-2.0 */
/* The words before the last say where we are: which verb, which options are given, whether the option before
 * waits for its value. Then one list is offered: verbs, options, or values. Nothing here is an error:
 * somebody is typing. */
#include "cli/complete.h"

#include "cli/option.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

enum { WORD_SIZE = 256 };

typedef struct Typing {
  const CliCompletion *completion;
  const char *word;       /* that is being typed */
  const CliVerb *verb;    /* NULL: it is the verb */
  CliGiven given;         /* options before it */
  const char *kubeconfig; /* of --kubeconfig, or NULL */
  bool has_operand;
  const CliOption *waiting; /* the word is its value; or NULL */
  Text *answer;
} Typing;

static void offer(const Typing *typing, const char *prefix, const char *word, size_t size,
                  const char *meaning) {
  char candidate[WORD_SIZE];
  int length = snprintf(candidate, sizeof candidate, "%s%.*s", prefix, (int)size, word);
  if (length <= 0 || length >= WORD_SIZE || !string_has_prefix(candidate, typing->word))
    return;
  text_format(typing->answer, "%s%s%s\n", candidate, meaning ? "\t" : "", string_or_empty(meaning));
}

/* ---- verbs ---- */

/* "apply" of "mig apply". */
static const char *last_word(const char *name) {
  const char *space = strrchr(name, ' ');
  return space ? space + 1 : name;
}

static const CliVerb *find_verb(const CliVerb *const *verbs, const char *word) {
  for (size_t i = 0; verbs[i]; i++)
    if (string_equal(last_word(verbs[i]->name), word))
      return verbs[i];
  return NULL;
}

static void offer_verbs(const Typing *typing, const CliVerb *const *verbs) {
  for (size_t i = 0; verbs[i]; i++)
    if (!verbs[i]->hidden)
      offer(typing, "", last_word(verbs[i]->name), WORD_SIZE, verbs[i]->help);
  if (*typing->word != '-')
    return;
  offer(typing, "", "--help", WORD_SIZE, "list the verbs");
  if (verbs == typing->completion->verbs)
    offer(typing, "", "--version", WORD_SIZE, cli_verb_version.help);
}

/* ---- options and their values ---- */

static void offer_options(const Typing *typing) {
  for (size_t i = 0; i < typing->verb->option_count; i++) {
    const CliOption *option = &typing->verb->options[i];
    if (!typing->given.options[i] || option->kind == CLI_STRINGS)
      offer(typing, "", option->name, cli_option_name_size(option), option->help);
  }
  offer(typing, "", "--help", WORD_SIZE, "say what this verb and its options do");
}

/* The lower-case words of "all|xids|NUMBERS". */
static bool offer_choices(const Typing *typing, const char *prefix, const char *argument) {
  if (!strchr(argument, '|'))
    return false;
  for (const char *word = argument; *word;) {
    size_t size = strcspn(word, "|");
    if (!isupper((unsigned char)*word))
      offer(typing, prefix, word, size, NULL);
    word += size + (word[size] == '|');
  }
  return true;
}

static void offer_contexts(const Typing *typing, const char *prefix) {
  CLEANUP(text_deinit) Text names = {0};
  typing->completion->list_contexts(typing->kubeconfig, &names);
  for (const char *name = text_string(&names); *name;) {
    size_t size = strcspn(name, "\n");
    offer(typing, prefix, name, size, NULL);
    name += size + (name[size] == '\n');
  }
}

static int directive_of(const char *argument) {
  static const char *const files[] = {"FILE", "SOCKET"};
  for (size_t i = 0; i < COUNT_OF(files); i++)
    if (string_equal(argument, files[i]))
      return CLI_COMPLETE_FILES;
  return string_equal(argument, "FOLDER") ? CLI_COMPLETE_FOLDERS : CLI_COMPLETE_WORDS;
}

/* What the shell shall do. prefix: "--output=" where the value stands in the same word, else "". */
static int offer_values(const Typing *typing, const CliOption *option, const char *prefix) {
  const char *argument = option->kind == CLI_FLAG ? "true|false" : option->argument;
  if (string_equal(option->name, "--context"))
    offer_contexts(typing, prefix);
  else if (!offer_choices(typing, prefix, argument))
    return directive_of(argument);
  return CLI_COMPLETE_WORDS;
}

static int offer_for_option(const Typing *typing) {
  const char *equals = strchr(typing->word, '='), *value;
  if (equals) {
    char prefix[WORD_SIZE];
    const CliOption *option = cli_option_find(typing->verb, typing->word, &value);
    snprintf(prefix, sizeof prefix, "%.*s", (int)(equals - typing->word) + 1, typing->word);
    return option ? offer_values(typing, option, prefix) : CLI_COMPLETE_WORDS;
  }
  offer_options(typing);
  return CLI_COMPLETE_WORDS;
}

/* ---- the words before ---- */

static void take_word(Typing *typing, const char *word) {
  const char *value = NULL;
  const CliOption *option = typing->waiting;
  typing->waiting = NULL;
  if (option) {
    value = word;
  } else {
    option = cli_option_find(typing->verb, word, &value);
    typing->has_operand |= !option && *word != '-';
  }
  if (!option)
    return;
  typing->given.options[option - typing->verb->options] = true;
  if (!value && option->kind != CLI_FLAG)
    typing->waiting = option;
  else if (string_equal(option->name, "--kubeconfig"))
    typing->kubeconfig = value;
}

static int offer_for_verb(const Typing *typing) {
  if (typing->waiting)
    return offer_values(typing, typing->waiting, "");
  const char *operand = typing->has_operand ? NULL : typing->verb->operand;
  bool wants_option = *typing->word == '-' || (!*typing->word && !operand);
  return wants_option ? offer_for_option(typing) : directive_of(operand);
}

/* The words that are verbs; *ret_verbs: those that may follow, NULL where none may. How many words they are,
 * or negative where one is no verb. */
static int take_verbs(Typing *typing, int count, char *const *words, const CliVerb *const **ret_verbs) {
  *ret_verbs = typing->completion->verbs;
  int at = 0;
  for (; *ret_verbs && at + 1 < count; at++) {
    typing->verb = find_verb(*ret_verbs, words[at]);
    if (!typing->verb)
      return -1;
    *ret_verbs = typing->verb->verbs;
  }
  return at;
}

static int answer(Typing *typing, int count, char *const *words) {
  const CliVerb *const *verbs;
  int at = take_verbs(typing, count, words, &verbs);
  if (at < 0)
    return CLI_COMPLETE_WORDS;
  if (verbs) {
    offer_verbs(typing, verbs);
    return CLI_COMPLETE_WORDS;
  }
  assert(typing->verb);
  for (; at + 1 < count; at++)
    take_word(typing, words[at]);
  return offer_for_verb(typing);
}

void cli_complete(const CliCompletion *completion, int count, char *const *words, Text *ret_answer) {
  assert(completion->verbs);
  Typing typing = {.completion = completion, .word = count ? words[count - 1] : "", .answer = ret_answer};
  int directive = answer(&typing, count, words);
  text_format(ret_answer, ":%d\n", directive);
}
