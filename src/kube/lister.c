/* SPDX-License-Identifier: Apache-2.0 */
/* One page at a time: the token at the end of a page asks for the next one. The pages of a list show one
 * moment; when the server has forgotten it (410 Gone, after some minutes), half a list would be left, and
 * that is an error. */
#include "kube/lister.h"

#include "base/memory.h"
#include "base/text.h"
#include "kube/escape.h"
#include "kube/refusal.h"

#include <assert.h>
#include <string.h>

enum { REFUSAL_SIZE_MAX = 64 << 10 /* bytes of an error's body that we look at */ };

struct KubeLister {
  KubeTransport *transport;
  KubeListerOptions options;
  char *continue_token;
  /* The page under way. */
  KubeCall *call;
  char *path;
  int status;
  KubeFormat format;
  KubeListReader *reader;
  Text refusal;
  Error trouble; /* found while the answer came; told when it is over */
};

static void ask(KubeLister *lister);

static bool is_success(int status) {
  return status >= 200 && status < 300;
}

static void end_page(KubeLister *lister) {
  lister->call = NULL;
  kube_list_reader_free(TAKE(lister->reader));
  text_deinit(&lister->refusal);
  free(TAKE(lister->path));
}

static void on_head(void *userdata, int status, const char *content_type, int retry_after_s) {
  KubeLister *lister = userdata;
  lister->status = status;
  lister->format = kube_format_of(content_type);
  if (is_success(status))
    lister->reader = kube_list_reader_new(lister->options.type, lister->format, lister->options.on_object,
                                          lister->options.userdata);
}

static void on_body(void *userdata, const void *bytes, size_t size) {
  KubeLister *lister = userdata;
  if (lister->trouble.code)
    return; /* the answer's end is waited for, and then this is told */
  if (lister->reader)
    (void)!kube_list_reader_feed(lister->reader, bytes, size, &lister->trouble);
  else if (lister->refusal.size + size <= REFUSAL_SIZE_MAX)
    text_append_bytes(&lister->refusal, bytes, size);
}

static int fail_status(KubeLister *lister, Error *err) {
  KubeStatus failure = {0};
  kube_status_decode(lister->format, text_string(&lister->refusal), lister->refusal.size, &failure);
  return kube_refusal_set("GET", lister->path, lister->status, &failure, err);
}

/* Negative, or 0 with the token of the next page in place. */
static int finish_page(KubeLister *lister, const Error *broken, Error *err) {
  if (broken || lister->trouble.code) {
    *err = broken ? *broken : lister->trouble;
    return -err->code;
  }
  if (!is_success(lister->status))
    return fail_status(lister, err);
  const char *resource_version = NULL, *continue_token = NULL;
  int result = kube_list_reader_finish(lister->reader, &resource_version, &continue_token, err);
  if (result < 0)
    return result;
  free(lister->continue_token);
  lister->continue_token = mem_strdup(continue_token && *continue_token ? continue_token : NULL);
  return 0;
}

static void on_done(void *userdata, const Error *broken) {
  KubeLister *lister = userdata;
  Error err;
  int result = finish_page(lister, broken, &err);
  end_page(lister);
  if (result < 0)
    lister->options.on_done(lister->options.userdata, &err);
  else if (lister->continue_token)
    ask(lister);
  else
    lister->options.on_done(lister->options.userdata, NULL);
}

static char *make_path(const KubeLister *lister) {
  CLEANUP(text_deinit) Text path = {0};
  text_format(&path, "%s?limit=%d", lister->options.type->path, KUBE_LISTER_PAGE);
  if (lister->continue_token) {
    text_append(&path, "&continue=");
    kube_escape_append(&path, lister->continue_token);
  }
  return text_take(&path);
}

static void ask(KubeLister *lister) {
  lister->path = make_path(lister);
  lister->status = 0;
  KubeRequest request = {
      .method = "GET",
      .path = lister->path,
      .accept = "application/vnd.kubernetes.protobuf,application/json",
      .timeout_ms = KUBE_LISTER_TIMEOUT_MS,
      .on_head = on_head,
      .on_body = on_body,
      .on_done = on_done,
      .userdata = lister,
  };
  lister->call = kube_transport_start(lister->transport, &request);
}

KubeLister *kube_lister_new(KubeTransport *transport, const KubeListerOptions *options) {
  assert(options->type && options->on_object && options->on_done);
  KubeLister *lister = mem_alloc(sizeof *lister);
  lister->transport = transport;
  lister->options = *options;
  ask(lister);
  return lister;
}

void kube_lister_free(KubeLister *lister) {
  if (!lister)
    return;
  if (lister->call)
    kube_transport_cancel(lister->transport, lister->call);
  end_page(lister);
  free(lister->continue_token);
  free(lister);
}
