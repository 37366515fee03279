/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/recording.h"

#include "simulate/fleet.h"

#include "base/text.h"

#include <math.h>

enum { MILLI = 1000, GPU_COUNT_MAX = SIMULATE_JOB_SLICES_MAX };

typedef enum Column {
  PROFILE,
  COUNT,
  ARRIVAL,
  DURATION,
  GPU_COUNT,
  GPU_MILLI,
  CREATION,
  DELETION,
  INSTANCE_SIZE,
  COLUMN_COUNT
} Column;

static const char *const column_names[COLUMN_COUNT] = {[PROFILE] = "profile",
                                                       [COUNT] = "count",
                                                       [ARRIVAL] = "arrival_s",
                                                       [DURATION] = "duration_s",
                                                       [GPU_COUNT] = "num_gpu",
                                                       [GPU_MILLI] = "gpu_milli",
                                                       [CREATION] = "creation_time",
                                                       [DELETION] = "deletion_time",
                                                       [INSTANCE_SIZE] = "Instance size"};

/* Spreadsheets write it in front of UTF-8. */
static const char byte_order_mark[] = "\xef\xbb\xbf";

typedef struct Reader {
  const MigModel *model;
  SimulateRecording *recording;
  int place[COLUMN_COUNT]; /* which field of a line it is; -1: the table has no such column */
  char line[SIMULATE_LINE_MAX];
  char *fields[SIMULATE_COLUMNS_MAX];
  int field_count, column_count; /* of this line, of the first line */
  int line_number;
} Reader;

/* ---- lines ---- */

/* Without blanks and quotes around it. */
static char *trim(char *field) {
  while (*field == ' ' || *field == '"')
    field++;
  char *end = field + strlen(field);
  while (end > field && (end[-1] == ' ' || end[-1] == '"' || end[-1] == '\r'))
    *--end = '\0';
  return field;
}

/* Cuts the next line into fields; false at the end of the text. Lines that are too long are told by an error.
 */
static int next_line(Reader *reader, const char **text, const char *end, bool *ret_found, Error *err) {
  *ret_found = *text < end;
  if (!*ret_found)
    return 0;
  const char *stop = memchr(*text, '\n', (size_t)(end - *text));
  size_t size = (size_t)((stop ? stop : end) - *text);
  reader->line_number++;
  if (size >= sizeof reader->line || memchr(*text, '\0', size))
    return error_set(err, ERROR_INVALID, "line %d is no line of a table: it %s", reader->line_number,
                     size >= sizeof reader->line ? "has more than 4095 bytes" : "holds a NUL byte");
  memcpy(reader->line, *text, size);
  reader->line[size] = '\0';
  *text = stop ? stop + 1 : end;
  reader->field_count = 0;
  for (char *rest = reader->line; rest && reader->field_count < SIMULATE_COLUMNS_MAX;) {
    char *field = strsep(&rest, ",");
    reader->fields[reader->field_count++] = trim(field);
  }
  return 0;
}

static bool has(const Reader *reader, Column column) {
  return reader->place[column] >= 0;
}

static bool has_shares(const Reader *reader) {
  return has(reader, GPU_COUNT) && has(reader, GPU_MILLI);
}

static int find_columns(Reader *reader, Error *err) {
  for (int c = 0; c < COLUMN_COUNT; c++) {
    reader->place[c] = -1;
    for (int i = 0; i < reader->field_count; i++) {
      if (strcmp(reader->fields[i], column_names[c]) != 0)
        continue;
      if (has(reader, c))
        return error_set(err, ERROR_INVALID, "its first line names %s twice", column_names[c]);
      reader->place[c] = i;
    }
  }
  reader->column_count = reader->field_count;
  return 0;
}

static int read_header(Reader *reader, Error *err) {
  int result = find_columns(reader, err);
  if (result < 0)
    return result;
  bool known = has(reader, PROFILE) || has(reader, INSTANCE_SIZE) || has_shares(reader);
  if (!known)
    return error_set(
        err, ERROR_INVALID,
        "its first line names none of the tables that are understood: it needs a column \"profile\" "
        "(with \"arrival_s\" and \"duration_s\"), or \"num_gpu\" and \"gpu_milli\", or \"Instance size\"");
  if (has(reader, ARRIVAL) != has(reader, DURATION) || has(reader, CREATION) != has(reader, DELETION))
    return error_set(err, ERROR_INVALID,
                     "it has a column for the begin but none for the end of jobs, or the reverse");
  reader->recording->has_times = has(reader, ARRIVAL) || has(reader, CREATION);
  return 0;
}

/* ---- rows ---- */

static int read_number(const Reader *reader, Column column, double most, double *ret_number, Error *err) {
  int place = reader->place[column];
  const char *text = place < reader->field_count ? reader->fields[place] : "";
  char *end;
  double number = strtod(text, &end);
  if (end == text || *end || !isfinite(number))
    return error_set(err, ERROR_INVALID, "%s is no number: \"%.40s\"", column_names[column], text);
  if (number < 0 || number > most)
    return error_set(err, ERROR_INVALID, "%s is %.40s, which is not between 0 and %.0f", column_names[column],
                     text, most);
  *ret_number = number;
  return 0;
}

static int read_whole(const Reader *reader, Column column, int most, int *ret_number, Error *err) {
  double number = 0;
  int result = read_number(reader, column, most, &number, err);
  if (result < 0)
    return result;
  if (number != (double)(int)number)
    return error_set(err, ERROR_INVALID, "%s is no whole number", column_names[column]);
  *ret_number = (int)number;
  return 0;
}

int simulate_recording_find_profile(const MigModel *model, int slice_count) {
  int found = -1;
  for (int i = 0; i < model->profile_count; i++) {
    const MigProfile *profile = &model->profiles[i];
    if (profile->kind != MIG_PLAIN || profile->slice_count < slice_count || !profile->starts)
      continue;
    if (found < 0 || profile->slice_count < model->profiles[found].slice_count ||
        (profile->slice_count == model->profiles[found].slice_count &&
         profile->size < model->profiles[found].size))
      found = i;
  }
  return found;
}

typedef struct Row {
  char profile[MIG_PROFILE_NAME_SIZE]; /* "": it asks no GPU */
  int count;
  int64_t arrival_ms, duration_ms;
} Row;

static int use_profile(const Reader *reader, int slice_count, Row *row, Error *err) {
  int profile = simulate_recording_find_profile(reader->model, slice_count);
  if (profile < 0)
    return error_set(err, ERROR_INVALID, "%s has no profile of %d compute slices", reader->model->name,
                     slice_count);
  memcpy(row->profile, reader->model->profiles[profile].name, sizeof row->profile);
  return 0;
}

static int read_profile(const Reader *reader, Row *row, Error *err) {
  int place = reader->place[PROFILE];
  char key[MIG_PROFILE_NAME_SIZE];
  const char *text = place < reader->field_count ? reader->fields[place] : "";
  if (strlen(text) >= sizeof key)
    return error_set(err, ERROR_INVALID, "\"%.40s\" is no MIG profile", text);
  mig_profile_format_key(text, key);
  int result = mig_profile_parse_key(key, row->profile, err);
  if (result < 0 || !has(reader, COUNT))
    return result;
  result = read_whole(reader, COUNT, SIMULATE_JOB_SLICES_MAX, &row->count, err);
  if (result == 0 && row->count == 0)
    row->profile[0] = '\0';
  return result;
}

static int read_share(const Reader *reader, Row *row, Error *err) {
  int gpus = 0, milli = 0;
  int result = read_whole(reader, GPU_COUNT, GPU_COUNT_MAX, &gpus, err);
  if (result == 0)
    result = read_whole(reader, GPU_MILLI, MILLI, &milli, err);
  if (result < 0 || gpus == 0 || milli == 0)
    return result;
  int slices = simulate_model_slices(reader->model);
  row->count = gpus;
  return use_profile(reader, (milli * slices + MILLI - 1) / MILLI, row, err);
}

static int read_instance(const Reader *reader, Row *row, Error *err) {
  int slices = 0;
  int result = read_whole(reader, INSTANCE_SIZE, MIG_SLOTS_MAX, &slices, err);
  return result < 0 ? result : use_profile(reader, slices, row, err);
}

static int read_times(const Reader *reader, Row *row, Error *err) {
  double begin = 0, end = 0;
  bool by_end = has(reader, CREATION);
  int result = read_number(reader, by_end ? CREATION : ARRIVAL, SIMULATE_TIME_MAX_S, &begin, err);
  if (result == 0)
    result = read_number(reader, by_end ? DELETION : DURATION, SIMULATE_TIME_MAX_S, &end, err);
  if (result < 0)
    return result;
  if (by_end && end < begin)
    return error_set(err, ERROR_INVALID, "deletion_time is before creation_time");
  row->arrival_ms = (int64_t)(begin * 1000);
  row->duration_ms = (int64_t)((by_end ? end - begin : end) * 1000);
  return 0;
}

static int read_row(const Reader *reader, Row *ret_row, Error *err) {
  *ret_row = (Row){.count = 1};
  if (reader->field_count < reader->column_count)
    return error_set(err, ERROR_INVALID, "it has %d of the %d columns; they are cut at commas",
                     reader->field_count, reader->column_count);
  int result = has(reader, PROFILE) ? read_profile(reader, ret_row, err)
               : has_shares(reader) ? read_share(reader, ret_row, err)
                                    : read_instance(reader, ret_row, err);
  if (result == 0 && ret_row->profile[0] && reader->recording->has_times)
    result = read_times(reader, ret_row, err);
  return result;
}

static int keep_row(const Reader *reader, const Row *row, Error *err) {
  SimulateRecording *recording = reader->recording;
  if (!row->profile[0]) {
    recording->without_gpu++;
    return 0;
  }
  int kind = simulate_load_kind(&recording->load, row->profile);
  int class_ = kind < 0 ? -1 : simulate_load_class(&recording->load, kind, row->count);
  if (class_ < 0 || recording->load.jobs.count == SIMULATE_JOBS_MAX)
    return error_set(err, ERROR_LIMIT, "there are more than %d jobs, %d profiles or %d different requests",
                     SIMULATE_JOBS_MAX, SIMULATE_KINDS_MAX, SIMULATE_CLASSES_MAX);
  *array_push(&recording->load.jobs) =
      (SimulateJob){.arrival_ms = row->arrival_ms, .duration_ms = row->duration_ms, .class_ = class_};
  return 0;
}

/* A row that cannot be read is left out. */
static int take_row(Reader *reader, Error *err) {
  SimulateRecording *recording = reader->recording;
  Error bad;
  Row row;
  if (reader->field_count == 1 && !*reader->fields[0])
    return 0;
  if (read_row(reader, &row, &bad) == 0)
    return keep_row(reader, &row, err);
  (void)error_prefix(&bad, "line %d", reader->line_number);
  if (!recording->bad++)
    memcpy(recording->first_bad, bad.text, sizeof recording->first_bad);
  return 0;
}

static void begin_at_zero(SimulateLoad *load) {
  simulate_load_sort(load);
  int64_t first_ms = load->jobs.count ? load->jobs.items[0].arrival_ms : 0;
  for (size_t i = 0; i < load->jobs.count; i++)
    load->jobs.items[i].arrival_ms -= first_ms;
}

int simulate_recording_parse(const char *text, size_t size, const MigModel *model,
                             SimulateRecording *ret_recording, Error *err) {
  CLEANUP(simulate_recording_deinit) SimulateRecording recording = {0};
  Reader reader = {.model = model, .recording = &recording};
  const char *end = text + size;
  const char *rest = text + (size >= strlen(byte_order_mark) && !memcmp(text, byte_order_mark, 3) ? 3 : 0);
  bool found;
  for (int i = 0; i < model->profile_count; i++) /* in the model's order, which people expect */
    (void)simulate_load_kind(&recording.load, model->profiles[i].name);
  int result = next_line(&reader, &rest, end, &found, err);
  if (result == 0)
    result = read_header(&reader, err);
  while (result == 0 && (result = next_line(&reader, &rest, end, &found, err)) == 0 && found)
    result = take_row(&reader, err);
  if (result < 0)
    return result;
  if (!recording.load.jobs.count)
    return error_set(err, ERROR_INVALID, "no row asks for a slice%s%s", recording.bad ? "; " : "",
                     recording.first_bad);
  begin_at_zero(&recording.load);
  *ret_recording = recording;
  recording = (SimulateRecording){0};
  return 0;
}

void simulate_recording_deinit(SimulateRecording *recording) {
  simulate_load_deinit(&recording->load);
}
