#include "base/json/json.h"

#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/text.h"

#include <jansson.h>

#include <math.h>
#include <string.h>

/* A struct fb_json is jansson's json_t by another name. */

static json_t *json_in(struct fb_json *json)
{
    return (json_t *)(void *)json;
}

static const json_t *json_in_const(const struct fb_json *json)
{
    return (const json_t *)(const void *)json;
}

static struct fb_json *json_out(json_t *json)
{
    FB_REQUIRE(json != NULL);
    return (struct fb_json *)(void *)json;
}

static const struct fb_json *json_out_const(const json_t *json)
{
    return (const struct fb_json *)(const void *)json;
}

/* ---- parse ------------------------------------------------------------------ */

/* jansson recurses down to a depth of its own, which is fixed when it is built
 * and too deep for us. Brackets outside strings are counted before it starts. */
static int json_check_depth(struct fb_str text, struct fb_diag *diag)
{
    unsigned depth = 0;
    size_t line = 1;
    size_t line_start = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n') {
            line++;
            line_start = i + 1;
        } else if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > FB_JSON_MAX_DEPTH) {
                return fb_diag_set(diag, FB_E_LIMIT, "%zu:%zu: more than %d levels of nesting",
                                   line, i - line_start + 1, FB_JSON_MAX_DEPTH);
            }
        } else if (c == ']' || c == '}') {
            depth -= depth > 0 ? 1 : 0;
        }
    }
    return FB_OK;
}

int fb_json_parse(struct fb_str text, size_t max_bytes, struct fb_json **ret_json,
                  struct fb_diag *diag)
{
    if (text.len > max_bytes) {
        return fb_diag_set(diag, FB_E_LIMIT, "1:1: more than %zu bytes", max_bytes);
    }
    int err = json_check_depth(text, diag);
    if (err < 0) {
        return err;
    }
    json_error_t error;
    const char *start = text.ptr != NULL ? text.ptr : "";
    json_t *json = json_loadb(start, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json == NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "%d:%d: %s", FB_MAX(error.line, 1),
                           FB_MAX(error.column, 1), error.text);
    }
    *ret_json = json_out(json);
    return FB_OK;
}

void fb_json_free(struct fb_json *json)
{
    json_decref(json_in(json));
}

void fb_json_freep(struct fb_json **json)
{
    fb_json_free(*json);
    *json = NULL;
}

/* ---- read ------------------------------------------------------------------- */

enum fb_json_type fb_json_type(const struct fb_json *json)
{
    if (json == NULL) {
        return FB_JSON_ABSENT;
    }
    switch (json_typeof(json_in_const(json))) {
    case JSON_OBJECT:
        return FB_JSON_OBJECT;
    case JSON_ARRAY:
        return FB_JSON_ARRAY;
    case JSON_STRING:
        return FB_JSON_STR;
    case JSON_INTEGER:
        return FB_JSON_INT;
    case JSON_REAL:
        return FB_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return FB_JSON_BOOL;
    case JSON_NULL:
        break;
    }
    return FB_JSON_NULL;
}

const struct fb_json *fb_json_find(const struct fb_json *object, const char *key)
{
    return json_out_const(json_object_get(json_in_const(object), key));
}

const struct fb_json *fb_json_at(const struct fb_json *array, size_t i)
{
    return json_out_const(json_array_get(json_in_const(array), i));
}

size_t fb_json_count(const struct fb_json *json)
{
    const json_t *in = json_in_const(json);
    return json_is_array(in) ? json_array_size(in) : json_object_size(in);
}

bool fb_json_next(const struct fb_json *object, void **cursor, struct fb_str *ret_key,
                  const struct fb_json **ret_value)
{
    /* jansson's iterators take a pointer without const but change nothing. */
    json_t *in = (json_t *)(uintptr_t)object;

    *cursor = *cursor == NULL ? json_object_iter(in) : json_object_iter_next(in, *cursor);
    if (*cursor == NULL) {
        return false;
    }
    *ret_key = fb_str_from(json_object_iter_key(*cursor));
    *ret_value = json_out_const(json_object_iter_value(*cursor));
    return true;
}

struct fb_str fb_json_str(const struct fb_json *json)
{
    const json_t *in = json_in_const(json);
    if (!json_is_string(in)) {
        return FB_STR_NONE;
    }
    return (struct fb_str){json_string_value(in), json_string_length(in)};
}

int64_t fb_json_int(const struct fb_json *json, int64_t fallback)
{
    const json_t *in = json_in_const(json);
    return json_is_integer(in) ? (int64_t)json_integer_value(in) : fallback;
}

double fb_json_real(const struct fb_json *json, double fallback)
{
    const json_t *in = json_in_const(json);
    return json_is_number(in) ? json_number_value(in) : fallback;
}

bool fb_json_bool(const struct fb_json *json, bool fallback)
{
    const json_t *in = json_in_const(json);
    return json_is_boolean(in) ? json_is_true(in) : fallback;
}

/* The member `key`, which a null counts as absent. */
static int json_need(const struct fb_json *object, const char *key,
                     const struct fb_json **ret_value, struct fb_diag *diag)
{
    const struct fb_json *value = fb_json_find(object, key);

    if (value == NULL || fb_json_type(value) == FB_JSON_NULL) {
        return fb_diag_set(diag, FB_E_NOT_FOUND, "'%s' is missing", key);
    }
    *ret_value = value;
    return FB_OK;
}

int fb_json_read_str(const struct fb_json *object, const char *key, size_t max_bytes,
                     struct fb_str *ret_str, struct fb_diag *diag)
{
    const struct fb_json *value = NULL;

    int err = json_need(object, key, &value, diag);
    if (err < 0) {
        return err;
    }
    struct fb_str str = fb_json_str(value);
    if (str.ptr == NULL || str.len > max_bytes) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' must be a string of at most %zu bytes", key,
                           max_bytes);
    }
    *ret_str = str;
    return FB_OK;
}

int fb_json_read_int(const struct fb_json *object, const char *key, int64_t min, int64_t max,
                     int64_t *ret_number, struct fb_diag *diag)
{
    const struct fb_json *value = NULL;

    int err = json_need(object, key, &value, diag);
    if (err < 0) {
        return err;
    }
    int64_t number = fb_json_int(value, min);
    if (fb_json_type(value) != FB_JSON_INT || number < min || number > max) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' must be an integer from %lld to %lld", key,
                           (long long)min, (long long)max);
    }
    *ret_number = number;
    return FB_OK;
}

/* ---- build ------------------------------------------------------------------ */

/* Strings from outside may hold anything; what is no UTF-8 goes through the
 * escaper of base/core, which puts U+FFFD in its place. */
static json_t *json_from_str(struct fb_str str)
{
    if (str.ptr == NULL) {
        return json_null();
    }
    if (fb_text_is_utf8(str)) {
        return json_stringn(str.ptr, str.len);
    }
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_text_json_string(&text, str);
    return json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static void json_put(struct fb_json *object, const char *key, json_t *value)
{
    int failed = json_object_set_new(json_in(object), key, value);
    FB_REQUIRE(failed == 0);
}

static void json_append(struct fb_json *array, json_t *value)
{
    int failed = json_array_append_new(json_in(array), value);
    FB_REQUIRE(failed == 0);
}

struct fb_json *fb_json_new_object(void)
{
    return json_out(json_object());
}

struct fb_json *fb_json_new_array(void)
{
    return json_out(json_array());
}

void fb_json_set_str(struct fb_json *object, const char *key, struct fb_str str)
{
    json_put(object, key, json_from_str(str));
}

void fb_json_set_text(struct fb_json *object, const char *key, const char *text)
{
    json_put(object, key, json_from_str(fb_str_from(text)));
}

void fb_json_set_int(struct fb_json *object, const char *key, int64_t number)
{
    json_put(object, key, json_integer(number));
}

void fb_json_set_real(struct fb_json *object, const char *key, double number)
{
    FB_REQUIRE(isfinite(number));
    json_put(object, key, json_real(number));
}

void fb_json_set_bool(struct fb_json *object, const char *key, bool value)
{
    json_put(object, key, json_boolean(value));
}

void fb_json_set_null(struct fb_json *object, const char *key)
{
    json_put(object, key, json_null());
}

void fb_json_set(struct fb_json *object, const char *key, struct fb_json *value)
{
    json_put(object, key, json_in(value));
}

struct fb_json *fb_json_set_object(struct fb_json *object, const char *key)
{
    json_t *value = json_object();
    json_put(object, key, value);
    return json_out(value);
}

struct fb_json *fb_json_set_array(struct fb_json *object, const char *key)
{
    json_t *value = json_array();
    json_put(object, key, value);
    return json_out(value);
}

void fb_json_add_str(struct fb_json *array, struct fb_str str)
{
    json_append(array, json_from_str(str));
}

void fb_json_add_int(struct fb_json *array, int64_t number)
{
    json_append(array, json_integer(number));
}

struct fb_json *fb_json_add_object(struct fb_json *array)
{
    json_t *value = json_object();
    json_append(array, value);
    return json_out(value);
}

struct fb_json *fb_json_add_array(struct fb_json *array)
{
    json_t *value = json_array();
    json_append(array, value);
    return json_out(value);
}

static int json_dump_piece(const char *piece, size_t size, void *buf)
{
    fb_buf_append(buf, (struct fb_str){piece, size});
    return 0;
}

void fb_json_dump(const struct fb_json *json, struct fb_buf *buf)
{
    int failed = json_dump_callback(json_in_const(json), json_dump_piece, buf,
                                    JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    FB_REQUIRE(failed == 0);
}
