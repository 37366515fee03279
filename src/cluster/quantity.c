/* SPDX-License-Identifier: Apache-2.0 */
/* A quantity is digits around a point, times a power of ten or of two:
 *
 *     1.5Gi  =  15 x 10^-1 x 2^30          250m  =  250 x 10^-3
 *
 * Powers of ten only move the point. Powers of two, and the thousand of the milli scale, are one multiplier.
 * The digits behind the point are multiplied from the right, one by one as on paper: what stays behind the
 * point rounds the magnitude up, what crosses it is added to the digits before it. So every text gets its
 * exact value from 128-bit integers, whatever its length.
 *
 * The grammar is that of resource.ParseQuantity in k8s.io/apimachinery, where a number without a digit is
 * zero. Two things differ on purpose: where Go's int64 wraps around we saturate, and negative fractions are
 * always rounded away from zero, which Go does only for short numbers. The API server refuses both. */
#include "cluster/quantity.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 Wide;

typedef struct Exponent {
  const char *suffix;
  int64_t ten;
  int two;
} Exponent;

static const Exponent exponents[] = {
    {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
    {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
    {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
};

/* A larger power of ten changes no result any more: it is zero, one unit or saturated. */
enum { TEN_MAX = 1 << 20 };

/* The digits of a number, the point left out. */
typedef struct Digits {
  const char *whole; /* before the point */
  const char *fraction;
  int64_t whole_count, count;
} Digits;

static int digit_at(const Digits *digits, int64_t i) {
  return (i < digits->whole_count ? digits->whole[i] : digits->fraction[i - digits->whole_count]) - '0';
}

/* Returns where the suffix begins. */
static const char *scan_digits(const char *text, Digits *ret_digits) {
  size_t whole_count = strspn(text, "0123456789");
  const char *fraction = text + whole_count;
  size_t fraction_count = 0;
  if (*fraction == '.')
    fraction_count = strspn(++fraction, "0123456789");
  *ret_digits = (Digits){.whole = text,
                         .fraction = fraction,
                         .whole_count = (int64_t)whole_count,
                         .count = (int64_t)(whole_count + fraction_count)};
  return fraction + fraction_count;
}

/* "e3", "E-6": the decimal exponent form. */
static bool scan_scientific(const char *suffix, int64_t *ret_ten) {
  if (*suffix != 'e' && *suffix != 'E')
    return false;
  const char *number = suffix + 1;
  if (strspn(number + (*number == '+' || *number == '-'), "0123456789") == 0)
    return false;
  char *end;
  errno = 0;
  int64_t ten = strtoll(number, &end, 10);
  if (*end || errno)
    return false;
  *ret_ten = ten > TEN_MAX ? TEN_MAX : ten < -TEN_MAX ? -TEN_MAX : ten;
  return true;
}

static bool scan_suffix(const char *suffix, int64_t *ret_ten, int *ret_two) {
  for (size_t i = 0; i < COUNT_OF(exponents); i++)
    if (strcmp(exponents[i].suffix, suffix) == 0) {
      *ret_ten = exponents[i].ten;
      *ret_two = exponents[i].two;
      return true;
    }
  *ret_two = 0;
  return scan_scientific(suffix, ret_ten);
}

/* The digits before the point as a number; anything above INT64_MAX stands for "too large". */
static Wide compute_whole(const Digits *digits, int64_t point) {
  Wide value = 0;
  for (int64_t i = 0; i < point && value <= INT64_MAX; i++) {
    if (i >= digits->count && value == 0)
      break;
    value = value * 10 + (Wide)(i < digits->count ? digit_at(digits, i) : 0);
  }
  return value;
}

/* The digits behind the point times the multiplier, rounded up. */
static Wide compute_fraction(const Digits *digits, int64_t point, Wide multiplier) {
  Wide carry = 0;
  bool rest = false;
  for (int64_t i = digits->count - 1; i >= 0 && i >= point; i--) {
    Wide product = (Wide)digit_at(digits, i) * multiplier + carry;
    rest |= product % 10 != 0;
    carry = product / 10;
  }
  for (int64_t i = point; i < 0 && carry; i++) { /* zeros between the point and the first digit */
    rest |= carry % 10 != 0;
    carry /= 10;
  }
  return carry + rest;
}

static int64_t saturate(bool negative, Wide magnitude) {
  if (magnitude > INT64_MAX)
    return negative ? INT64_MIN : INT64_MAX;
  return negative ? -(int64_t)magnitude : (int64_t)magnitude;
}

int quantity_parse(const char *text, QuantityScale scale, int64_t *ret_value, Error *err) {
  assert(text && ret_value);
  bool negative = *text == '-';
  const char *number = text + (*text == '-' || *text == '+');
  Digits digits;
  int64_t ten;
  int two;
  if (!*text || !scan_suffix(scan_digits(number, &digits), &ten, &two))
    return error_set(err, ERROR_INVALID, "\"%.64s\" is not a quantity such as 500m, 4 or 2Gi", text);

  Wide multiplier = ((Wide)1 << two) * (scale == QUANTITY_MILLI ? 1000 : 1);
  int64_t point = digits.whole_count + ten;
  Wide whole = compute_whole(&digits, point);
  bool too_large = whole > INT64_MAX / multiplier;
  Wide magnitude =
      too_large ? (Wide)INT64_MAX + 1 : whole * multiplier + compute_fraction(&digits, point, multiplier);
  *ret_value = saturate(negative, magnitude);
  return 0;
}

QuantityScale quantity_scale_of(const char *resource) {
  return strcmp(resource, "cpu") == 0 ? QUANTITY_MILLI : QUANTITY_UNITS;
}
