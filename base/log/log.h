/*
 * Logs: a sentence with keys and values, one line per record.
 *
 * To a terminal a line reads `12:00:01.123 WARN fill: upstream cut the body
 * key=/v/7/1.m4s offset=65536`; anywhere else it is one JSON object with the
 * members time, level, subject, message and the fields. The sentence is in
 * lower case, without full stop and without numbers: those are fields.
 * Secrets, addresses of viewers and agents are never logged.
 *
 *     FB_LOG(WARN, "fill", "upstream cut the body",
 *            FB_LOG_STR("key", key), FB_LOG_INT("offset", offset));
 *
 * The sink is the one piece of static mutable data besides the registry of
 * metrics.
 *
 * Nobody waits for a reader: lines that find no room in a pipe, a socket or a
 * terminal are dropped whole, and a line tells how many when there is room
 * again (sink.h).
 *
 * Threads    Any.
 * Limits     A line is cut at 8 KiB.
 */
#pragma once

#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fb_log_level { FB_LOG_DEBUG, FB_LOG_INFO, FB_LOG_WARN, FB_LOG_ERROR, FB_LOG_NEVER };

enum fb_log_format {
    FB_LOG_FORMAT_AUTO, /* text on a terminal, else JSON */
    FB_LOG_FORMAT_TEXT,
    FB_LOG_FORMAT_JSON
};

enum fb_log_kind { FB_LOG_KIND_END, FB_LOG_KIND_STR, FB_LOG_KIND_INT, FB_LOG_KIND_BOOL };

struct fb_log_field {
    enum fb_log_kind kind;
    const char *key;
    struct fb_str str;
    int64_t number;
};

#define FB_LOG_STR(name, value) \
    ((struct fb_log_field){.kind = FB_LOG_KIND_STR, .key = (name), .str = (value)})
#define FB_LOG_TEXT(name, value) FB_LOG_STR(name, fb_str_from(value))
#define FB_LOG_INT(name, value) \
    ((struct fb_log_field){.kind = FB_LOG_KIND_INT, .key = (name), .number = (int64_t)(value)})
#define FB_LOG_BOOL(name, value) \
    ((struct fb_log_field){.kind = FB_LOG_KIND_BOOL, .key = (name), .number = (value)})

/* Where lines go: descriptor `fd` (borrowed), standard error from the start. */
void fb_log_open(int fd, enum fb_log_format format, enum fb_log_level level);

bool fb_log_is_on(enum fb_log_level level);

/* The fields follow as struct fb_log_field, FB_LOG_LAST last. Call FB_LOG(). */
void fb_log_write(enum fb_log_level level, const char *subject, const char *message, ...);

/* Whole lines of another kind of record, as they are, whatever the level. Waits for room up to
 * `wait_ms` in all, for which others do not wait: a loop says 0. Returns how many were dropped. */
size_t fb_log_write_lines(struct fb_str lines, unsigned wait_ms);

/* The program ends, and its last words are worth a moment: until `wait_ms` have passed, lines
 * wait for room. */
void fb_log_end(unsigned wait_ms);

#define FB_LOG_LAST ((struct fb_log_field){.kind = FB_LOG_KIND_END})

/* FB_LOG(level, subject, message, fields...). */
#define FB_LOG(level, subject, ...)                                            \
    do {                                                                       \
        if (fb_log_is_on(FB_LOG_##level)) {                                    \
            fb_log_write(FB_LOG_##level, (subject), __VA_ARGS__, FB_LOG_LAST); \
        }                                                                      \
    } while (0)
