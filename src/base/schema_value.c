// SPDX-License-Identifier: MIT
// Values as schemas compare them: numbers by what they say in decimal, so that 0.0075 is a multiple of 0.0001, and
// items of a list by their hashes first, so that a long list is not compared each with each.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json_parts.h"
#include "base/schema_parts.h"

// ---- numbers -------------------------------------------------------------------------------------------------------

// ± digits · 10^exponent, as a number's text says it; digits that do not fit are dropped and said in is_cut.
typedef struct decimal {
    uint64_t digits;
    long exponent;
    bool is_negative, is_cut;
} decimal;

static void add_digit(decimal *d, unsigned digit, bool in_fraction) {
    bool has_room = d->digits < UINT64_MAX / 10 || (d->digits == UINT64_MAX / 10 && digit <= UINT64_MAX % 10);
    if (has_room) d->digits = d->digits * 10 + digit;
    d->exponent += has_room ? -in_fraction : !in_fraction;
    d->is_cut |= !has_room && digit != 0;
}

static decimal read_decimal(const char *p, const char *end) {
    decimal d = {.is_negative = p < end && *p == '-'};
    bool in_fraction = false, minus = false;
    long e = 0;
    for (p += d.is_negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.')
            in_fraction = true;
        else
            add_digit(&d, (unsigned)(*p - '0'), in_fraction);
    }
    if (p < end) p++;
    if (p < end && (*p == '-' || *p == '+')) minus = *p++ == '-';
    for (; p < end && e < 1000000; p++) e = e * 10 + (*p - '0');
    d.exponent += minus ? -e : e;
    while (d.digits && d.digits % 10 == 0) d.digits /= 10, d.exponent++;
    return d;
}

static decimal decimal_of(const mb_json *v) {
    char text[32];
    int len = 0;
    if (v->type == MB_JSON_NUMTEXT) return read_decimal(v->str, v->str + v->len);
    if (v->type == MB_JSON_DOUBLE) len = (int)mb_json_double_text(v->number, text);
    if (v->type == MB_JSON_INT) len = snprintf(text, sizeof text, "%" PRId64, v->integer);
    if (v->type == MB_JSON_UINT) len = snprintf(text, sizeof text, "%" PRIu64, v->uinteger);
    return read_decimal(text, text + len);
}

long double mb_schema_number(const mb_json *v) {
    if (v->type == MB_JSON_INT) return (long double)v->integer;
    if (v->type == MB_JSON_UINT) return (long double)v->uinteger;
    if (v->type == MB_JSON_DOUBLE) return (long double)v->number;
    if (v->type != MB_JSON_NUMTEXT) return 0;
    decimal d = decimal_of(v);
    long double n = (long double)d.digits;
    if (d.exponent > 5000) n = d.digits ? (long double)__builtin_inf() : 0;
    if (d.exponent < -5000) n = 0;
    for (long e = d.exponent; e > 0 && e <= 5000; e--) n *= 10;
    for (long e = d.exponent; e < 0 && e >= -5000; e++) n /= 10;
    return d.is_negative ? -n : n;
}

bool mb_schema_is_whole(const mb_json *v) {
    if (v->type == MB_JSON_INT || v->type == MB_JSON_UINT) return true;
    if (v->type == MB_JSON_NUMTEXT) return decimal_of(v).exponent >= 0;
    double n = v->number, size = n < 0 ? -n : n;
    return size >= 0x1p53 ? size <= 1.7976931348623157e308 : (double)(int64_t)n == n;
}

static uint64_t times(uint64_t a, uint64_t b, uint64_t modulus) {
    return (uint64_t)((unsigned __int128)a * b % modulus);
}

// a·10^x is a multiple of b·10^y where a·10^(x-y) mod b is 0, or, for x < y, a mod b·10^(y-x).
bool mb_schema_is_multiple(const mb_json *v, const mb_json *of) {
    decimal a = decimal_of(v), b = decimal_of(of);
    uint64_t m = a.digits, n = b.digits;
    long shift = a.exponent - b.exponent;
    if (m == 0 || n == 0) return m == 0;
    if (a.is_cut || b.is_cut) return mb_json_equal(v, of);
    for (; shift < 0 && n <= UINT64_MAX / 10; shift++) n *= 10;
    if (shift < 0) return false; // more than any m
    m %= n;
    for (uint64_t power = 10 % n; shift > 0; shift /= 2, power = times(power, power, n))
        if (shift % 2) m = times(m, power, n);
    return m == 0;
}

// ---- equality ------------------------------------------------------------------------------------------------------

static bool is_container(const mb_json *v) { return v->type == MB_JSON_ARRAY || v->type == MB_JSON_OBJECT; }

// What comparing may cost: mb_json_equal looks names up one by one.
static size_t cost_of(const mb_json *v) {
    size_t cost = 1;
    if (v->type == MB_JSON_OBJECT) cost += (size_t)v->count * v->count / 8;
    if (v->type == MB_JSON_STRING) cost += v->len / 256;
    for (uint32_t i = 0; is_container(v) && i < v->count; i++) cost += cost_of(&v->children[i]);
    return cost;
}

bool mb_schema_equal(mb_schema_run *run, const mb_json *a, const mb_json *b) {
    if (is_container(a) != is_container(b)) return false;
    if (!is_container(a)) return mb_schema_charge(run, 1) && mb_json_equal(a, b);
    if (a->type != b->type || (a->type == MB_JSON_ARRAY && a->count != b->count)) return false;
    return mb_schema_charge(run, cost_of(a) + cost_of(b)) && mb_json_equal(a, b);
}

static uint64_t mix(uint64_t h) {
    h = (h ^ h >> 31) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

static uint64_t hash_text(uint64_t seed, const char *text, size_t len) {
    uint64_t h = seed ^ 0xCBF29CE484222325u;
    for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001B3u;
    return mix(h);
}

// Equal values have equal hashes: 1 and 1.0, members in any order. (Objects in which a name stands twice are the
// exception: two of them may count as different.)
static uint64_t hash_of(const mb_json *v) {
    uint64_t h = 17 + (uint64_t)v->type;
    double number;
    switch (v->type) {
    case MB_JSON_BOOL: return mix(h + v->boolean);
    case MB_JSON_INT:
    case MB_JSON_UINT:
    case MB_JSON_DOUBLE:
        number = (double)mb_schema_number(v) + 0.0; // -0 becomes 0
        memcpy(&h, &number, sizeof h);
        return mix(h);
    case MB_JSON_NUMTEXT:
    case MB_JSON_STRING: return hash_text(h, v->str, v->len);
    case MB_JSON_ARRAY:
        for (uint32_t i = 0; i < v->count; i++) h = mix(h + hash_of(&v->children[i]));
        return h;
    case MB_JSON_OBJECT:
        for (uint32_t i = 0; i < v->count; i++)
            h += mix(hash_text(1, v->children[i].key, v->children[i].key_len) + hash_of(&v->children[i]));
        return mix(h);
    default: return mix(h);
    }
}

typedef struct hashed {
    uint64_t hash;
    size_t index;
} hashed;

static int by_hash(const void *a, const void *b) {
    const hashed *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static bool are_different(mb_schema_run *run, const mb_json *list, const hashed *order, size_t *ret_a, size_t *ret_b) {
    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = i + 1; j < list->count && order[j].hash == order[i].hash; j++) {
            *ret_a = order[i].index;
            *ret_b = order[j].index;
            if (mb_schema_equal(run, &list->children[*ret_a], &list->children[*ret_b]) || run->fault) return false;
        }
    }
    return true;
}

bool mb_schema_are_unique(mb_schema_run *run, const mb_json *list, size_t *ret_a, size_t *ret_b) {
    if (list->count < 2) return true;
    hashed *order = mb_calloc(list->count, sizeof *order);
    if (!order) return mb_schema_fault(run, MEMBRANE_ENOMEM, "out of memory") == 0;
    for (size_t i = 0; i < list->count && mb_schema_charge(run, 20); i++)
        order[i] = (hashed){hash_of(&list->children[i]), i};
    qsort(order, list->count, sizeof *order, by_hash);
    bool unique = !run->fault && are_different(run, list, order, ret_a, ret_b);
    mb_free(order);
    return unique;
}
