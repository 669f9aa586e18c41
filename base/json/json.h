/*
 * JSON: parse, read, build, dump (RFC 8259, on jansson).
 *
 * A value is read through functions that never fail on a wrong type: they give
 * the fallback, NULL or an empty string instead, so a chain of look-ups needs
 * no checks in between. What a peer must send is read with fb_json_read_*(),
 * which say in a sentence what was expected.
 *
 *     FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
 *     int err = fb_json_parse(body, 64 * 1024, &root, diag);
 *     ...
 *     err = fb_json_read_str(root, "title", 200, &title, diag);
 *     int64_t size = fb_json_int(fb_json_find(root, "size"), -1);
 *
 * Ownership  Whoever parses or makes a root owns it; everything below it is
 *            borrowed until the root changes or is freed.
 * Threads    One at a time.
 * Limits     The caller's bound on bytes; FB_JSON_MAX_DEPTH levels. Members
 *            with the same name, NUL and malformed UTF-8 in strings, and
 *            integers beyond 64 bits are refused.
 * Failures   FB_E_LIMIT, FB_E_MALFORMED, FB_E_NOT_FOUND.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_json;

enum { FB_JSON_MAX_DEPTH = 64 };

enum fb_json_type {
    FB_JSON_ABSENT, /* the type of a NULL pointer */
    FB_JSON_NULL,
    FB_JSON_BOOL,
    FB_JSON_INT,
    FB_JSON_REAL,
    FB_JSON_STR,
    FB_JSON_ARRAY,
    FB_JSON_OBJECT
};

/* Parses all of `text`. The sentence begins with "line:column: ". */
FB_MUST_CHECK int fb_json_parse(struct fb_str text, size_t max_bytes, struct fb_json **ret_json,
                                struct fb_diag *diag);

/* Frees a root. Accepts NULL. */
void fb_json_free(struct fb_json *json);
void fb_json_freep(struct fb_json **json); /* for FB_AUTO */

/* ---- read: every argument may be NULL or of another type ---------------- */

enum fb_json_type fb_json_type(const struct fb_json *json);

/* The member `key` of an object, or NULL. */
const struct fb_json *fb_json_find(const struct fb_json *object, const char *key);

/* The element `i` of an array, or NULL. */
const struct fb_json *fb_json_at(const struct fb_json *array, size_t i);

/* Members of an object or elements of an array, else 0. */
size_t fb_json_count(const struct fb_json *json);

/* Visits an object's members in the order of the text: start with *cursor NULL;
 * false at the end. */
bool fb_json_next(const struct fb_json *object, void **cursor, struct fb_str *ret_key,
                  const struct fb_json **ret_value);

/* The string, with a NUL behind it; ptr NULL if it is none. */
struct fb_str fb_json_str(const struct fb_json *json);
int64_t fb_json_int(const struct fb_json *json, int64_t fallback);
double fb_json_real(const struct fb_json *json, double fallback); /* of integers too */
bool fb_json_bool(const struct fb_json *json, bool fallback);

/* ---- read what must be there -------------------------------------------- */

/* FB_E_NOT_FOUND if `object` has no such member (or a null), FB_E_MALFORMED if
 * it is of another type or out of bounds. */
FB_MUST_CHECK int fb_json_read_str(const struct fb_json *object, const char *key, size_t max_bytes,
                                   struct fb_str *ret_str, struct fb_diag *diag);
FB_MUST_CHECK int fb_json_read_int(const struct fb_json *object, const char *key, int64_t min,
                                   int64_t max, int64_t *ret_number, struct fb_diag *diag);

/* ---- build --------------------------------------------------------------- */

struct fb_json *fb_json_new_object(void);
struct fb_json *fb_json_new_array(void);

/* Set a member of an object. Keys are ours, and UTF-8; in values, bytes that are
 * not become U+FFFD, and a NUL is kept. A string with ptr NULL becomes null. */
void fb_json_set_str(struct fb_json *object, const char *key, struct fb_str str);
void fb_json_set_text(struct fb_json *object, const char *key, const char *text);
void fb_json_set_int(struct fb_json *object, const char *key, int64_t number);
void fb_json_set_real(struct fb_json *object, const char *key, double number); /* finite */
void fb_json_set_bool(struct fb_json *object, const char *key, bool value);
void fb_json_set_null(struct fb_json *object, const char *key);
void fb_json_set(struct fb_json *object, const char *key, struct fb_json *value); /* taken over */

/* A new, empty value as a member; borrowed. */
struct fb_json *fb_json_set_object(struct fb_json *object, const char *key);
struct fb_json *fb_json_set_array(struct fb_json *object, const char *key);

/* Append to an array. */
void fb_json_add_str(struct fb_json *array, struct fb_str str);
void fb_json_add_int(struct fb_json *array, int64_t number);
struct fb_json *fb_json_add_object(struct fb_json *array); /* new, borrowed */
struct fb_json *fb_json_add_array(struct fb_json *array);  /* new, borrowed */

/* Appends the text without white space, members in the order of insertion. */
void fb_json_dump(const struct fb_json *json, struct fb_buf *buf);
