/* Texts put together from parts, without a C library. */

#ifndef KILN_TEXT_H
#define KILN_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Room for any number and the zero behind it. */
#define NUMBER_LENGTH 21

static inline size_t text_length(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

static inline int text_equal(const char *one, const char *other) {
    while (*one && *one == *other) one++, other++;
    return *one == *other;
}

/* Joins texts up to the first NULL among them; what has no room is left out. */
static inline void text_join(char *to, size_t room, const char *const *parts) {
    size_t at = 0;
    for (; *parts; parts++)
        for (const char *from = *parts; *from && at + 1 < room; from++) to[at++] = *from;
    to[at] = 0;
}

#define TEXT(to, room, ...) text_join(to, room, (const char *const[]){__VA_ARGS__, NULL})

/* A number in decimal. It is counted out, as 32-bit processors have no division
 * of 64 bits and would call the C library's. */
static inline const char *text_number(int64_t number, char *to) {
    static const uint64_t powers[] = {
        10000000000000000000u, 1000000000000000000u, 100000000000000000u, 10000000000000000u,
        1000000000000000u,     100000000000000u,     10000000000000u,     1000000000000u,
        100000000000u,         10000000000u,         1000000000u,         100000000u,
        10000000u,             1000000u,             100000u,             10000u,
        1000u,                 100u,                 10u,                 1u};
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char *at = to;
    if (number < 0) *at++ = '-';
    const char *first = at;
    for (int power = 0; power < 20; power++) {
        char digit = '0';
        for (; left >= powers[power]; left -= powers[power]) digit++;
        if (digit > '0' || at > first || power == 19) *at++ = digit;
    }
    *at = 0;
    return to;
}

#endif
