/* SPDX-License-Identifier: Apache-2.0 */
/* One call at a time, one timer, and a place to go on from:
 *
 *     resource_version  set: watch from there; NULL: list first, as the beginning of a watch where the server
 *                       does that (WatchList), else page by page
 *     continue_token    the page of the list to ask for next, with the pages so far in the cache, unseen
 *
 * A failure waits for the back-off and then goes on from its place. It first forgets the place where the
 * server or the stream says that the place is no good: 410 Gone, garbage, a request that makes no sense. The
 * cache is touched only by a complete list and by watch events, so readers never see half a list. */
#include "kube/informer.h"

#include "base/memory.h"
#include "base/text.h"
#include "kube/cache.h"
#include "kube/escape.h"
#include "kube/refusal.h"

#include <assert.h>
#include <string.h>

enum {
  ANSWER_MS = 60000,       /* for a page, and for a watch to begin: as long as the server itself tries */
  RETRY_AFTER_MAX_S = 300, /* a server may ask for patience, not for a day */
  STREAMS_BROKEN_MAX = 2,  /* a list that breaks so often is asked for in pages, which are kept */
  SHORT_WATCH_MS = 1000,   /* a watch that ends sooner without a word counts as a failure */
  SHORT_WATCHES_MAX = 2,   /* so many in a row say that the place is no good, though the server does not */
  REFUSAL_SIZE_MAX = 64 << 10, /* bytes of an error's body that we look at */
};

typedef enum State {
  STATE_IDLE,
  STATE_LISTING,   /* a page */
  STATE_STREAMING, /* a watch that has not brought all objects yet */
  STATE_WATCHING,
  STATE_WAITING,
} State;

struct KubeInformer {
  Host *host;
  KubeTransport *transport;
  KubeInformerOptions options;
  char *selector;
  State state;
  HostTimer timer;         /* WAITING: until the next try; else until the silence is too long */
  uint32_t silence_ms;     /* so long it may last now */
  uint32_t failures;       /* in a row */
  uint32_t short_watches;  /* in a row */
  bool lost_place;         /* since the watch last went well */
  uint32_t streams_broken; /* in a row: lists that ended in the middle */

  KubeCache cache;
  bool is_synced;
  char *resource_version;
  char *continue_token;

  /* The call under way. */
  KubeCall *call;
  char *path;
  uint64_t started_ms;
  int status;
  int retry_after_s;
  KubeFormat format;
  Text refusal; /* body of an answer that is no success */
  KubeListReader *list_reader;
  KubeWatchReader *watch_reader;
  bool had_event;
  bool is_no_stream; /* the server does not stream lists: its answer was none */
  Error trouble;     /* found while feeding a reader, which must not be freed from inside */
};

static void go_on(KubeInformer *informer);

static const char *resource_of(const KubeInformer *informer) {
  const char *path = informer->options.type->path, *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static void set_text(char **place, const char *text) {
  char *old = *place;
  *place = mem_strdup(text && *text ? text : NULL);
  free(old);
}

/* The next try begins with a fresh list: soon, because a server that says so is there; but when it says so
 * again before the watch brought anything, patience goes on growing. */
static void forget_place(KubeInformer *informer) {
  if (!informer->lost_place)
    informer->failures = 0;
  informer->lost_place = true;
  set_text(&informer->resource_version, NULL);
  set_text(&informer->continue_token, NULL);
  kube_cache_drop_list(&informer->cache);
}

static void went_well(KubeInformer *informer) {
  informer->failures = 0;
  informer->short_watches = 0;
  informer->lost_place = false;
}

static bool is_success(int status) {
  return status >= 200 && status < 300;
}

/* What servers answer that do not stream lists: older ones refuse the question, those with an etcd before
 * 3.4.31 fail at it. */
static bool is_refused_stream(const KubeInformer *informer, int status) {
  return informer->state == STATE_STREAMING &&
         (status == 400 || status == 405 || status == 422 || status == 500 || status == 501);
}

/* Statuses that speak of the server or of us, not of the place we asked for. */
static bool keeps_place(int status) {
  static const int statuses[] = {401, 403, 408, 429, 500, 502, 503};
  for (size_t i = 0; i < COUNT_OF(statuses); i++)
    if (status == statuses[i])
      return true;
  return false;
}

static void end_call(KubeInformer *informer) {
  timer_cancel(informer->host, &informer->timer);
  kube_list_reader_free(TAKE(informer->list_reader));
  kube_watch_reader_free(TAKE(informer->watch_reader));
  text_deinit(&informer->refusal);
  set_text(&informer->path, NULL);
  informer->call = NULL;
}

static uint64_t compute_delay_ms(KubeInformer *informer) {
  uint32_t doublings = informer->failures < 16 ? informer->failures : 16;
  uint64_t full = (uint64_t)KUBE_INFORMER_BACKOFF_FIRST_MS << doublings;
  if (full > KUBE_INFORMER_BACKOFF_MAX_MS)
    full = KUBE_INFORMER_BACKOFF_MAX_MS;
  uint64_t delay_ms = full / 2 + random_below(&informer->host->random, full / 2 + 1);
  int asked_s = informer->retry_after_s < RETRY_AFTER_MAX_S ? informer->retry_after_s : RETRY_AFTER_MAX_S;
  return asked_s > 0 && (uint64_t)asked_s * 1000 > delay_ms ? (uint64_t)asked_s * 1000 : delay_ms;
}

/* The call is over or cancelled: report, wait, go on. */
static void wait_after(KubeInformer *informer, const Error *reason) {
  Error err = *reason;
  error_prefix(&err, "%s %s", informer->state == STATE_WATCHING ? "watching" : "listing",
               resource_of(informer));
  informer->streams_broken += informer->state == STATE_STREAMING && informer->had_event;
  end_call(informer);
  uint64_t delay_ms = compute_delay_ms(informer);
  informer->failures++;
  informer->state = STATE_WAITING;
  timer_set(informer->host, &informer->timer, delay_ms);
  informer->options.on_trouble(informer->options.userdata, &err, delay_ms);
}

static void bear_silence(KubeInformer *informer, uint32_t silence_ms) {
  informer->silence_ms = silence_ms;
  timer_set(informer->host, &informer->timer, silence_ms);
}

static void on_timer(void *userdata) {
  KubeInformer *informer = userdata;
  if (informer->state == STATE_WAITING) {
    go_on(informer);
    return;
  }
  Error err = {0};
  error_set(&err, ERROR_TIMEOUT, "nothing came from the API server for %u s", informer->silence_ms / 1000);
  kube_transport_cancel_silent(informer->transport, informer->call);
  wait_after(informer, &err);
}

/* Nothing failed: the same question, put in the other way. */
static void ask_for_pages(KubeInformer *informer) {
  informer->transport->streams_lists = false;
  end_call(informer);
  go_on(informer);
}

static void on_list_object(void *userdata, KubeObject *object) {
  KubeInformer *informer = userdata;
  if (kube_object_meta(object)->name) {
    kube_cache_collect(&informer->cache, object);
    return;
  }
  kube_object_free(object);
  error_set(&informer->trouble, ERROR_PROTOCOL, "the API server sent an object without a name");
}

/* An ERROR event carries what would have been an HTTP status before the stream began. */
static void note_error_event(KubeInformer *informer, const KubeStatus *failure) {
  int status = failure->code >= 300 ? failure->code : 500;
  informer->retry_after_s = failure->retry_after_s;
  informer->is_no_stream = is_refused_stream(informer, status);
  kube_refusal_set("GET", informer->path, status, failure, &informer->trouble);
  if (!keeps_place(status))
    forget_place(informer);
}

static void finish_list(KubeInformer *informer) {
  kube_cache_replace(&informer->cache);
  informer->is_synced = true;
  informer->streams_broken = 0;
  informer->options.on_synced(informer->options.userdata);
}

/* The bookmark that ends the list says so; another one comes from a server that took no notice of our wish
 * for a list. */
static void end_stream(KubeInformer *informer, const KubeObject *bookmark) {
  if (!string_equal(key_values_find(kube_object_annotations(bookmark), "k8s.io/initial-events-end"),
                    "true")) {
    informer->is_no_stream = true;
    error_set(&informer->trouble, ERROR_UNSUPPORTED, "the API server does not stream lists");
    return;
  }
  informer->state = STATE_WATCHING;
  went_well(informer);
  set_text(&informer->resource_version, kube_object_meta(bookmark)->resource_version.text);
  finish_list(informer);
}

static void collect_event(KubeInformer *informer, KubeEventType type, KubeObject *object) {
  CLEANUP(kube_object_freep) KubeObject *owned = object;
  if (type == KUBE_EVENT_BOOKMARK)
    end_stream(informer, owned);
  else if (type == KUBE_EVENT_DELETED)
    kube_cache_uncollect(&informer->cache, kube_object_meta(owned));
  else
    kube_cache_collect(&informer->cache, TAKE(owned));
}

static void apply_event(KubeInformer *informer, KubeEventType type, KubeObject *object) {
  CLEANUP(kube_object_freep) KubeObject *owned = object;
  const ObjectMeta *meta = kube_object_meta(owned);
  const char *version = meta->resource_version.text; /* as it was read */
  if (*string_or_empty(version))
    set_text(&informer->resource_version, version);
  went_well(informer);
  if (type == KUBE_EVENT_BOOKMARK)
    return;
  if (type == KUBE_EVENT_DELETED)
    kube_cache_remove(&informer->cache, meta);
  else
    kube_cache_put(&informer->cache, TAKE(owned));
}

static void take_event(KubeInformer *informer, KubeEventType type, KubeObject *object) {
  informer->had_event = true;
  if (type != KUBE_EVENT_BOOKMARK && !kube_object_meta(object)->name) {
    kube_object_free(object);
    error_set(&informer->trouble, ERROR_PROTOCOL, "the API server sent an object without a name");
    forget_place(informer);
  } else if (informer->state == STATE_STREAMING) {
    collect_event(informer, type, object);
  } else {
    apply_event(informer, type, object);
  }
}

static void on_watch_event(void *userdata, KubeWatchEvent *event) {
  KubeInformer *informer = userdata;
  KubeObject *object = TAKE(event->object);
  if (informer->trouble.code) /* nothing counts behind an error */
    kube_object_free(object);
  else if (event->type == KUBE_EVENT_ERROR)
    note_error_event(informer, &event->status);
  else
    take_event(informer, event->type, object);
}

static void on_head(void *userdata, int status, const char *content_type, int retry_after_s) {
  KubeInformer *informer = userdata;
  const KubeType *type = informer->options.type;
  bear_silence(informer, KUBE_INFORMER_SILENCE_MS);
  informer->status = status;
  informer->retry_after_s = retry_after_s;
  informer->format = kube_format_of(content_type);
  if (!is_success(status))
    return;
  if (informer->state == STATE_LISTING)
    informer->list_reader = kube_list_reader_new(type, informer->format, on_list_object, informer);
  else
    informer->watch_reader = kube_watch_reader_new(type, informer->format, on_watch_event, informer);
}

/* Bytes that do not decode leave no place to trust. */
static void feed(KubeInformer *informer, const void *bytes, size_t size) {
  Error err = {0};
  int r = informer->list_reader ? kube_list_reader_feed(informer->list_reader, bytes, size, &err)
                                : kube_watch_reader_feed(informer->watch_reader, bytes, size, &err);
  if (r >= 0 && !informer->trouble.code)
    return;
  if (!informer->trouble.code)
    informer->trouble = err;
  if (r < 0 || informer->list_reader)
    forget_place(informer);
  kube_transport_cancel(informer->transport, informer->call);
  if (informer->is_no_stream)
    ask_for_pages(informer);
  else
    wait_after(informer, &informer->trouble);
}

static void on_body(void *userdata, const void *bytes, size_t size) {
  KubeInformer *informer = userdata;
  bear_silence(informer, KUBE_INFORMER_SILENCE_MS);
  if (is_success(informer->status))
    feed(informer, bytes, size);
  else if (informer->refusal.size + size <= REFUSAL_SIZE_MAX)
    text_append_bytes(&informer->refusal, bytes, size);
}

static void refused(KubeInformer *informer) {
  if (is_refused_stream(informer, informer->status)) {
    ask_for_pages(informer);
    return;
  }
  KubeStatus failure = {0};
  Error err = {0};
  kube_status_decode(informer->format, text_string(&informer->refusal), informer->refusal.size, &failure);
  if (informer->retry_after_s < 0)
    informer->retry_after_s = failure.retry_after_s;
  kube_refusal_set("GET", informer->path, informer->status, &failure, &err);
  if (!keeps_place(informer->status))
    forget_place(informer);
  wait_after(informer, &err);
}

static void finish_page(KubeInformer *informer) {
  const char *resource_version = NULL, *continue_token = NULL;
  Error err = {0};
  if (kube_list_reader_finish(informer->list_reader, &resource_version, &continue_token, &err) < 0) {
    forget_place(informer);
    wait_after(informer, &err);
    return;
  }
  set_text(&informer->continue_token, continue_token);
  if (!informer->continue_token)
    set_text(&informer->resource_version, resource_version);
  end_call(informer);
  if (!informer->continue_token)
    finish_list(informer);
  go_on(informer);
}

/* Streams end by themselves after timeoutSeconds; one that ends at once would be asked for in a tight loop.
 */
static void finish_watch(KubeInformer *informer) {
  bool is_short = informer->host->now_ms - informer->started_ms < SHORT_WATCH_MS && !informer->had_event;
  if (is_short || informer->state == STATE_STREAMING) {
    Error err = {0};
    error_set(&err, ERROR_UNAVAILABLE, "the API server ended the stream %s",
              is_short ? "at once" : "before all objects were there");
    if (is_short && ++informer->short_watches == SHORT_WATCHES_MAX)
      forget_place(informer);
    wait_after(informer, &err);
    return;
  }
  went_well(informer);
  end_call(informer);
  go_on(informer);
}

static void on_done(void *userdata, const Error *err) {
  KubeInformer *informer = userdata;
  if (err)
    wait_after(informer, err);
  else if (!is_success(informer->status))
    refused(informer);
  else if (informer->state == STATE_LISTING)
    finish_page(informer);
  else
    finish_watch(informer);
}

static void append_page(const KubeInformer *informer, Text *path) {
  text_format(path, "?limit=%d", KUBE_INFORMER_PAGE);
  if (!informer->continue_token)
    return;
  text_append(path, "&continue=");
  kube_escape_append(path, informer->continue_token);
}

static void append_watch(KubeInformer *informer, Text *path) {
  uint64_t more = random_below(&informer->host->random, KUBE_INFORMER_WATCH_SECONDS + 1);
  text_format(path, "?watch=1&allowWatchBookmarks=true&timeoutSeconds=%d",
              KUBE_INFORMER_WATCH_SECONDS + (int)more);
  if (informer->state == STATE_STREAMING) {
    text_append(path, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    return;
  }
  text_append(path, "&resourceVersion=");
  kube_escape_append(path, informer->resource_version);
}

static char *make_path(KubeInformer *informer) {
  CLEANUP(text_deinit) Text path = {0};
  text_append(&path, informer->options.type->path);
  if (informer->state == STATE_LISTING)
    append_page(informer, &path);
  else
    append_watch(informer, &path);
  if (informer->selector)
    text_format(&path, "&%s", informer->selector);
  return text_take(&path);
}

static State next_state(const KubeInformer *informer) {
  if (informer->resource_version)
    return STATE_WATCHING;
  bool streams = informer->transport->streams_lists && informer->streams_broken < STREAMS_BROKEN_MAX;
  return streams && !informer->continue_token ? STATE_STREAMING : STATE_LISTING;
}

static void go_on(KubeInformer *informer) {
  informer->state = next_state(informer);
  if (informer->state != STATE_WATCHING && !informer->continue_token)
    kube_cache_drop_list(&informer->cache); /* what is there of a list: it begins anew, of a later moment */
  informer->path = make_path(informer);
  informer->started_ms = informer->host->now_ms;
  informer->status = 0;
  informer->retry_after_s = -1;
  informer->had_event = false;
  informer->is_no_stream = false;
  informer->trouble = (Error){0};
  bool is_list = informer->state == STATE_LISTING;
  uint32_t answer_ms = informer->options.answer_ms ? informer->options.answer_ms : ANSWER_MS;
  bear_silence(informer, is_list ? KUBE_INFORMER_SILENCE_MS : answer_ms);
  KubeRequest request = {
      .method = "GET",
      .path = informer->path,
      .accept = "application/vnd.kubernetes.protobuf,application/json",
      .timeout_ms = is_list ? answer_ms : 0,
      .on_head = on_head,
      .on_body = on_body,
      .on_done = on_done,
      .userdata = informer,
  };
  informer->call = kube_transport_start(informer->transport, &request);
}

KubeInformer *kube_informer_new(Host *host, KubeTransport *transport, const KubeInformerOptions *options) {
  assert(host && transport && options->type);
  assert(options->on_change && options->on_synced && options->on_trouble);
  KubeInformer *informer = mem_alloc(sizeof *informer);
  informer->host = host;
  informer->transport = transport;
  informer->options = *options;
  informer->selector = mem_strdup(options->selector);
  informer->timer = (HostTimer){.fire = on_timer, .userdata = informer};
  kube_cache_init(&informer->cache, options->type, options->on_change, options->userdata);
  informer->cache.trim = options->trim;
  return informer;
}

void kube_informer_start(KubeInformer *informer) {
  assert(informer->state == STATE_IDLE);
  go_on(informer);
}

void kube_informer_free(KubeInformer *informer) {
  if (!informer)
    return;
  if (informer->call)
    kube_transport_cancel(informer->transport, informer->call);
  end_call(informer);
  forget_place(informer);
  kube_cache_deinit(&informer->cache);
  free(informer->selector);
  free(informer);
}

bool kube_informer_is_synced(const KubeInformer *informer) {
  return informer->is_synced;
}

const void *kube_informer_find(const KubeInformer *informer, const char *key) {
  return kube_cache_find(&informer->cache, key);
}

size_t kube_informer_count(const KubeInformer *informer) {
  return informer->cache.objects.items.count;
}

const void *kube_informer_at(const KubeInformer *informer, size_t i) {
  return kube_cache_at(&informer->cache, i);
}
