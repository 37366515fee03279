/* SPDX-License-Identifier: Apache-2.0 */
/* Time of day and zone are taken piece by piece; the calendar is the C library's. */
#include "kube/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct Cursor {
  const char *at;
  size_t size;
} Cursor;

static bool take_number(Cursor *cursor, size_t digits, int max, int *ret_value) {
  int value = 0;
  if (cursor->size < digits)
    return false;
  for (size_t i = 0; i < digits; i++) {
    if (cursor->at[i] < '0' || cursor->at[i] > '9')
      return false;
    value = value * 10 + (cursor->at[i] - '0');
  }
  cursor->at += digits;
  cursor->size -= digits;
  *ret_value = value;
  return value <= max;
}

static bool take_char(Cursor *cursor, char c) {
  if (cursor->size == 0 || *cursor->at != c)
    return false;
  cursor->at++;
  cursor->size--;
  return true;
}

static bool take_fraction(Cursor *cursor) {
  if (!take_char(cursor, '.'))
    return true;
  int digit, count = 0;
  while (cursor->size > 0 && *cursor->at >= '0' && *cursor->at <= '9' && take_number(cursor, 1, 9, &digit))
    count++;
  return count > 0;
}

static bool take_zone(Cursor *cursor, int64_t *ret_seconds) {
  *ret_seconds = 0;
  if (take_char(cursor, 'Z'))
    return true;
  int sign = take_char(cursor, '+') ? 1 : take_char(cursor, '-') ? -1 : 0;
  int hours, minutes;
  if (!sign || !take_number(cursor, 2, 23, &hours) || !take_char(cursor, ':') ||
      !take_number(cursor, 2, 59, &minutes))
    return false;
  *ret_seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

bool kube_time_parse(const char *text, size_t size, int64_t *ret_seconds) {
  Cursor cursor = {text, size};
  struct tm tm = {0};
  int64_t zone;
  if (!take_number(&cursor, 4, 9999, &tm.tm_year) || !take_char(&cursor, '-') ||
      !take_number(&cursor, 2, 12, &tm.tm_mon) || !take_char(&cursor, '-') ||
      !take_number(&cursor, 2, 31, &tm.tm_mday) || !take_char(&cursor, 'T') ||
      !take_number(&cursor, 2, 23, &tm.tm_hour) || !take_char(&cursor, ':') ||
      !take_number(&cursor, 2, 59, &tm.tm_min) || !take_char(&cursor, ':') ||
      !take_number(&cursor, 2, 59, &tm.tm_sec) || !take_fraction(&cursor) || !take_zone(&cursor, &zone) ||
      cursor.size > 0)
    return false;
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  /* timegm() turns the 31st of April into the 1st of May: such days are refused. */
  int day = tm.tm_mday, month = tm.tm_mon;
  int64_t seconds = timegm(&tm);
  if (tm.tm_mday != day || tm.tm_mon != month)
    return false;
  *ret_seconds = seconds - zone;
  return true;
}

void kube_time_format_micro(int64_t unix_ms, char ret_text[KUBE_MICRO_TIME_SIZE]) {
  time_t seconds = (time_t)(unix_ms / 1000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  char date[32];
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(ret_text, KUBE_MICRO_TIME_SIZE, "%s.%03d000Z", date, (int)(unix_ms % 1000));
}
