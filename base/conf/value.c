#include "base/conf/conf_internal.h"
#include "base/core/err.h"

#include <errno.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, so that printing takes the first that divides. */
static const struct unit size_units[] = {
    {"TiB", 1ULL << 40},
    {"GiB", 1ULL << 30},
    {"MiB", 1ULL << 20},
    {"KiB", 1ULL << 10},
    {"TB", 1000000000000U},
    {"GB", 1000000000U},
    {"MB", 1000000U},
    {"kB", 1000U},
    {"", 1},
    {"B", 1},
    {NULL, 0},
};
static const struct unit duration_units[] = {
    {"d", 86400000U}, {"h", 3600000U}, {"m", 60000U}, {"s", 1000U}, {"ms", 1}, {NULL, 0},
};
static const struct unit rate_units[] = {
    {"Tbit/s", 1000000000000U},
    {"Gbit/s", 1000000000U},
    {"Mbit/s", 1000000U},
    {"kbit/s", 1000U},
    {"bit/s", 1},
    {NULL, 0},
};

static const struct unit *value_units(enum fb_conf_type type)
{
    return type == FB_CONF_SIZE ? size_units : type == FB_CONF_RATE ? rate_units : duration_units;
}

/* ---- read ------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Up to six digits behind the point, as millionths. */
static int fraction_read(struct fb_str digits, uint64_t *ret_millionths)
{
    uint64_t value = 0;
    uint64_t scale = 1000000;

    if (digits.len == 0 || digits.len > 6 || fb_str_to_u64(digits, &value) < 0) {
        return FB_E_MALFORMED;
    }
    for (size_t i = 0; i < digits.len; i++) {
        scale /= 10;
    }
    *ret_millionths = value * scale;
    return FB_OK;
}

/* "64GiB", "1.5s", "0": digits, perhaps a fraction, a unit. */
static int quantity_read(const struct unit *units, struct fb_str text, uint64_t *ret_value)
{
    size_t n = 0;
    while (n < text.len && (is_digit(text.ptr[n]) || text.ptr[n] == '.')) {
        n++;
    }
    struct fb_str number = fb_str_first(text, n);
    struct fb_str unit_name = fb_str_trim(fb_str_skip(text, n));
    size_t point = fb_str_find(number, '.');
    uint64_t whole = 0;
    uint64_t millionths = 0;

    int err = fb_str_to_u64(fb_str_first(number, point), &whole);
    if (err == FB_OK && point < number.len) {
        err = fraction_read(fb_str_skip(number, point + 1), &millionths);
    }
    if (err < 0) {
        return err;
    }
    const struct unit *unit = units;
    while (unit->name != NULL && !fb_str_equal(fb_str_from(unit->name), unit_name)) {
        unit++;
    }
    if (unit->name == NULL) {
        *ret_value = 0;
        return text.len == 1 && text.ptr[0] == '0' ? FB_OK : FB_E_MALFORMED;
    }
    uint64_t value = 0;
    uint64_t part = (uint64_t)((unsigned __int128)millionths * unit->factor / 1000000U);
    if (__builtin_mul_overflow(whole, unit->factor, &value) ||
        __builtin_add_overflow(value, part, &value) || value > INT64_MAX) {
        return -ERANGE;
    }
    *ret_value = value;
    return FB_OK;
}

static int int_read(struct fb_str text, int64_t *ret_value)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t value = 0;

    int err = fb_str_to_u64(fb_str_skip(text, is_negative ? 1 : 0), &value);
    if (err == FB_OK && value > INT64_MAX) {
        err = -ERANGE;
    }
    if (err < 0) {
        return err;
    }
    *ret_value = is_negative ? -(int64_t)value : (int64_t)value;
    return FB_OK;
}

static int bool_read(struct fb_str text, bool *ret_value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < FB_ARRAY_LEN(words); i++) {
        if (fb_str_equal(text, fb_str_from(words[i]))) {
            *ret_value = i % 2 == 1;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

static int enum_read(const char *const *names, struct fb_str text, int *ret_value)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (fb_str_equal(text, fb_str_from(names[i]))) {
            *ret_value = i;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

void fb_conf_bounds(const struct fb_conf_item *item, int64_t *ret_min, int64_t *ret_max)
{
    enum { TEXT_MAX = 4096, LIST_MAX = 1024 };
    int64_t most = item->type == FB_CONF_STRING || item->type == FB_CONF_PATH        ? TEXT_MAX
                   : item->type == FB_CONF_STRINGS || item->type == FB_CONF_SECTIONS ? LIST_MAX
                                                                                     : INT64_MAX;
    bool is_open = item->max == 0 && item->min >= 0;

    *ret_min = item->type == FB_CONF_INT && is_open && item->min == 0 ? INT64_MIN : item->min;
    *ret_max = is_open ? most : item->max;
}

static int number_read(const struct fb_conf_item *item, struct fb_str text, int64_t *ret_value)
{
    int64_t min = 0;
    int64_t max = 0;
    int64_t value = 0;
    uint64_t quantity = 0;
    int err = FB_OK;

    if (item->type == FB_CONF_COUNT && fb_str_equal(text, FB_STR("auto"))) {
        *ret_value = FB_CONF_AUTO;
        return FB_OK;
    }
    if (item->type == FB_CONF_INT || item->type == FB_CONF_COUNT) {
        err = int_read(text, &value);
    } else {
        err = quantity_read(value_units(item->type), text, &quantity);
        value = (int64_t)quantity;
    }
    if (err < 0) {
        return err;
    }
    fb_conf_bounds(item, &min, &max);
    if (value < min || value > max) {
        return -ERANGE;
    }
    *ret_value = value;
    return FB_OK;
}

static int string_read(const struct fb_conf_item *item, struct fb_str text, struct fb_str *ret_str)
{
    int64_t min = 0;
    int64_t max = 0;

    fb_conf_bounds(item, &min, &max);
    if ((int64_t)text.len < min || (int64_t)text.len > max) {
        return -ERANGE;
    }
    *ret_str = (struct fb_str){fb_str_dup(text), text.len};
    return FB_OK;
}

static int value_read(const struct fb_conf_item *item, struct fb_str text, void *member)
{
    switch (item->type) {
    case FB_CONF_BOOL:
        return bool_read(text, member);
    case FB_CONF_ENUM:
        return enum_read(item->names, text, member);
    case FB_CONF_STRING:
    case FB_CONF_PATH:
        return string_read(item, text, member);
    case FB_CONF_INT:
    case FB_CONF_COUNT:
    case FB_CONF_SIZE:
    case FB_CONF_DURATION:
    case FB_CONF_RATE:
        /* An int64_t and a uint64_t that is no larger have the same bytes. */
        return number_read(item, text, member);
    case FB_CONF_STRINGS:
    case FB_CONF_SECTION:
    case FB_CONF_SECTIONS:
        break;
    }
    return FB_E_UNSUPPORTED;
}

int fb_conf_value_read(const struct fb_conf_item *item, struct fb_str text, void *member,
                       struct fb_diag *diag)
{
    enum { SHOWN = 80 };

    if (item->check != NULL) {
        int err = item->check(text, diag);
        if (err < 0) {
            return fb_diag_prefix(diag, err, "'%s'", item->key);
        }
    }
    int err = value_read(item, text, member);
    if (err < 0) {
        FB_AUTO(fb_buf_done) struct fb_buf expected = {0};
        fb_conf_expected(item, &expected);
        if (item->is_secret) {
            return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is wrong, expected %s", item->key,
                               expected.ptr);
        }
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is '%.*s', expected %s", item->key,
                           FB_STR_ARG(fb_str_first(text, SHOWN)), expected.ptr);
    }
    return FB_OK;
}

/* ---- print ------------------------------------------------------------------ */

static void quantity_print(const struct unit *units, uint64_t value, struct fb_buf *buf)
{
    if (value == 0) {
        fb_buf_append_byte(buf, '0');
        return;
    }
    while (value % units->factor != 0) {
        units++;
    }
    fb_buf_printf(buf, "%llu%s", (unsigned long long)(value / units->factor), units->name);
}

/* The code point at the front of well-formed UTF-8, which is cut off. */
static uint32_t utf8_next(struct fb_str *str)
{
    uint8_t lead = (uint8_t)str->ptr[0];
    size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t point = n == 1 ? lead : lead & (0xffU >> (n + 1));

    for (size_t i = 1; i < n && i < str->len; i++) {
        point = point << 6 | ((uint8_t)str->ptr[i] & 0x3fU);
    }
    *str = fb_str_skip(*str, n);
    return point;
}

/* True for words, paths, addresses and URLs, which need no quotes in a list
 * either. */
static bool is_bare(struct fb_str str)
{
    static const char inside[] = "._/:-";
    static const char first[] = "._/";

    for (size_t i = 0; i < str.len; i++) {
        char c = str.ptr[i];
        char lower = (char)(c | 0x20);
        bool is_word = (lower >= 'a' && lower <= 'z') || is_digit(c);
        if (!is_word && (c == '\0' || strchr(i == 0 ? first : inside, c) == NULL)) {
            return false;
        }
    }
    return str.len > 0 && str.ptr[str.len - 1] != ':' && !fb_str_equal(str, FB_STR("..."));
}

void fb_conf_string_print(struct fb_str str, struct fb_buf *buf)
{
    if (is_bare(str)) {
        fb_buf_append(buf, str);
        return;
    }
    fb_buf_append_byte(buf, '"');
    while (str.len > 0) {
        uint32_t point = utf8_next(&str);
        if (point == '"' || point == '\\') {
            fb_buf_printf(buf, "\\%c", (char)point);
        } else if (point >= ' ' && point < 0x7f) {
            fb_buf_append_byte(buf, (char)point);
        } else {
            fb_buf_printf(buf, point > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)point);
        }
    }
    fb_buf_append_byte(buf, '"');
}

void fb_conf_value_print(const struct fb_conf_item *item, const void *member, struct fb_buf *buf)
{
    switch (item->type) {
    case FB_CONF_BOOL:
        fb_buf_printf(buf, "%s", *(const bool *)member ? "true" : "false");
        break;
    case FB_CONF_ENUM:
        fb_buf_printf(buf, "%s", item->names[*(const int *)member]);
        break;
    case FB_CONF_STRING:
    case FB_CONF_PATH:
        fb_conf_string_print(*(const struct fb_str *)member, buf);
        break;
    case FB_CONF_COUNT:
    case FB_CONF_INT:
        if (item->type == FB_CONF_COUNT && *(const int64_t *)member == FB_CONF_AUTO) {
            fb_buf_append(buf, FB_STR("auto"));
        } else {
            fb_buf_printf(buf, "%lld", (long long)*(const int64_t *)member);
        }
        break;
    case FB_CONF_SIZE:
    case FB_CONF_DURATION:
    case FB_CONF_RATE:
        quantity_print(value_units(item->type), *(const uint64_t *)member, buf);
        break;
    case FB_CONF_STRINGS:
    case FB_CONF_SECTION:
    case FB_CONF_SECTIONS:
        break;
    }
}

/* ---- describe --------------------------------------------------------------- */

static void bound_print(const struct fb_conf_item *item, int64_t bound, struct fb_buf *buf)
{
    fb_conf_value_print(item, &bound, buf);
}

static void bounds_print(const struct fb_conf_item *item, struct fb_buf *buf)
{
    int64_t min = 0;
    int64_t max = 0;
    bool has_min = item->type == FB_CONF_INT ? item->min != 0 || item->max != 0 : item->min > 0;

    fb_conf_bounds(item, &min, &max);
    if (has_min) {
        fb_buf_append(buf, FB_STR(", from "));
        bound_print(item, min, buf);
    }
    if (max != INT64_MAX) {
        fb_buf_append(buf, has_min ? FB_STR(" to ") : FB_STR(", at most "));
        bound_print(item, max, buf);
    }
}

static void names_print(const char *const *names, struct fb_buf *buf)
{
    fb_buf_append(buf, FB_STR("one of "));
    for (size_t i = 0; names[i] != NULL; i++) {
        fb_buf_printf(buf, "%s%s", i > 0 ? ", " : "", names[i]);
    }
}

void fb_conf_expected(const struct fb_conf_item *item, struct fb_buf *buf)
{
    static const char *const what[] = {
        [FB_CONF_BOOL] = "true or false",
        [FB_CONF_INT] = "a whole number",
        [FB_CONF_COUNT] = "a whole number or auto",
        [FB_CONF_SIZE] = "a size such as 256MiB",
        [FB_CONF_DURATION] = "a duration such as 250ms, 30s or 5m",
        [FB_CONF_RATE] = "a rate such as 2Gbit/s",
        [FB_CONF_STRING] = "a text",
        [FB_CONF_PATH] = "a path",
        [FB_CONF_ENUM] = "",
        [FB_CONF_STRINGS] = "a list of texts",
        [FB_CONF_SECTION] = "a section with keys",
        [FB_CONF_SECTIONS] = "a list of sections",
    };

    fb_buf_printf(buf, "%s", what[item->type]);
    switch (item->type) {
    case FB_CONF_ENUM:
        names_print(item->names, buf);
        break;
    case FB_CONF_INT:
    case FB_CONF_COUNT:
    case FB_CONF_SIZE:
    case FB_CONF_DURATION:
    case FB_CONF_RATE:
        bounds_print(item, buf);
        break;
    case FB_CONF_STRING:
    case FB_CONF_PATH:
        if (item->min > 0 || item->max > 0) {
            int64_t min = 0;
            int64_t max = 0;
            fb_conf_bounds(item, &min, &max);
            fb_buf_printf(buf, " of %lld to %lld bytes", (long long)min, (long long)max);
        }
        break;
    case FB_CONF_BOOL:
    case FB_CONF_STRINGS:
    case FB_CONF_SECTION:
    case FB_CONF_SECTIONS:
        break;
    }
}
