#include "base/http2/hpack.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/check.h"

#include <string.h>

enum {
    ENTRY_OVERHEAD = 32, /* RFC 7541 section 4.1 */
    LAST_STATIC = 61,    /* of its table, in Appendix A */
    STATUS_INDEX = 8,    /* a status of 200 */
    MAX_KEPT_TEXT = 512  /* of a field: what is longer is written out */
};

/* How a field begins: the byte, and how many of its bits are the number's. */
enum hpack_form { FORM_INDEXED = 0x80, FORM_KEPT = 0x40, FORM_PLAIN = 0x00, FORM_NEVER = 0x10 };

/* ---- names ----------------------------------------------------------------- */

struct known {
    struct fb_str name;
    uint8_t index; /* in the static table; 0: it is not there */
    uint8_t form;
};

static const struct known of_3[] = {{FB_STR("age"), 21, FORM_PLAIN},
                                    {FB_STR("via"), 60, FORM_KEPT}};
static const struct known of_4[] = {{FB_STR("etag"), 34, FORM_PLAIN},
                                    {FB_STR("date"), 33, FORM_KEPT},
                                    {FB_STR("vary"), 59, FORM_KEPT},
                                    {FB_STR("link"), 45, FORM_PLAIN}};
static const struct known of_5[] = {{FB_STR("allow"), 22, FORM_KEPT}};
static const struct known of_6[] = {{FB_STR("server"), 54, FORM_KEPT}};
static const struct known of_7[] = {{FB_STR("expires"), 36, FORM_PLAIN},
                                    {FB_STR("refresh"), 52, FORM_KEPT}};
static const struct known of_8[] = {{FB_STR("location"), 46, FORM_PLAIN}};
static const struct known of_9[] = {{FB_STR("cache-tag"), 0, FORM_PLAIN}};
static const struct known of_10[] = {{FB_STR("set-cookie"), 55, FORM_NEVER}};
static const struct known of_11[] = {{FB_STR("retry-after"), 53, FORM_KEPT},
                                     {FB_STR("repr-digest"), 0, FORM_PLAIN},
                                     {FB_STR("content-md5"), 0, FORM_PLAIN}};
static const struct known of_12[] = {{FB_STR("content-type"), 31, FORM_KEPT},
                                     {FB_STR("cache-status"), 0, FORM_PLAIN}};
static const struct known of_13[] = {{FB_STR("cache-control"), 24, FORM_KEPT},
                                     {FB_STR("last-modified"), 44, FORM_PLAIN},
                                     {FB_STR("accept-ranges"), 18, FORM_KEPT},
                                     {FB_STR("content-range"), 30, FORM_PLAIN}};
static const struct known of_14[] = {{FB_STR("content-length"), 28, FORM_PLAIN},
                                     {FB_STR("content-digest"), 0, FORM_PLAIN}};
static const struct known of_16[] = {{FB_STR("content-encoding"), 26, FORM_KEPT},
                                     {FB_STR("content-language"), 27, FORM_KEPT},
                                     {FB_STR("content-location"), 29, FORM_PLAIN},
                                     {FB_STR("www-authenticate"), 61, FORM_KEPT}};
static const struct known of_19[] = {{FB_STR("content-disposition"), 25, FORM_PLAIN}};
static const struct known of_25[] = {{FB_STR("strict-transport-security"), 56, FORM_KEPT}};
static const struct known of_27[] = {{FB_STR("access-control-allow-origin"), 20, FORM_KEPT}};

#define KNOWN(items)               \
    {                              \
        items, FB_ARRAY_LEN(items) \
    }
static const struct {
    const struct known *items;
    size_t n;
} known_of_length[] = {
    [3] = KNOWN(of_3),   [4] = KNOWN(of_4),   [5] = KNOWN(of_5),   [6] = KNOWN(of_6),
    [7] = KNOWN(of_7),   [8] = KNOWN(of_8),   [9] = KNOWN(of_9),   [10] = KNOWN(of_10),
    [11] = KNOWN(of_11), [12] = KNOWN(of_12), [13] = KNOWN(of_13), [14] = KNOWN(of_14),
    [16] = KNOWN(of_16), [19] = KNOWN(of_19), [25] = KNOWN(of_25), [27] = KNOWN(of_27)};

static const struct known *known_of(struct fb_str name)
{
    static const struct known unknown = {.form = FORM_KEPT};

    if (name.len >= FB_ARRAY_LEN(known_of_length) || known_of_length[name.len].n == 0) {
        return &unknown;
    }
    char last = (char)(name.ptr[name.len - 1] | 0x20);
    for (size_t i = 0; i < known_of_length[name.len].n; i++) {
        const struct known *known = &known_of_length[name.len].items[i];
        if (known->name.ptr[name.len - 1] == last && fb_str_equal_nocase(name, known->name)) {
            return known;
        }
    }
    return &unknown;
}

/* ---- the table ------------------------------------------------------------- */

static uint32_t max_bytes(const struct fb_hpack *hpack)
{
    return (uint32_t)FB_HPACK_TABLE_BYTES - hpack->n_taken;
}

/* The entry that came `age` before the newest. */
static struct fb_hpack_entry *entry_at(struct fb_hpack *hpack, uint32_t age)
{
    return &hpack->entries[(hpack->newest - age) % FB_HPACK_MAX_ENTRIES];
}

static void drop_oldest(struct fb_hpack *hpack)
{
    struct fb_hpack_entry *entry = entry_at(hpack, hpack->n_entries - 1);

    hpack->n_bytes -= entry->n_name + entry->n_value + ENTRY_OVERHEAD;
    hpack->n_entries--;
    fb_free(entry->text);
    *entry = (struct fb_hpack_entry){0};
}

void fb_hpack_done(struct fb_hpack *hpack)
{
    while (hpack->n_entries > 0) {
        drop_oldest(hpack);
    }
}

void fb_hpack_limit(struct fb_hpack *hpack, uint32_t n_bytes)
{
    hpack->n_taken = (uint32_t)FB_HPACK_TABLE_BYTES - FB_MIN(n_bytes, FB_HPACK_TABLE_BYTES);
    while (hpack->n_bytes > max_bytes(hpack)) {
        drop_oldest(hpack);
    }
}

static void keep(struct fb_hpack *hpack, const struct fb_header *field)
{
    uint32_t n_bytes = (uint32_t)(field->name.len + field->value.len) + ENTRY_OVERHEAD;

    while (hpack->n_entries == FB_HPACK_MAX_ENTRIES ||
           (hpack->n_entries > 0 && hpack->n_bytes + n_bytes > max_bytes(hpack))) {
        drop_oldest(hpack);
    }
    if (n_bytes > max_bytes(hpack)) {
        return; /* which has emptied the other end's table as well */
    }
    hpack->newest++;
    hpack->n_entries++;
    hpack->n_bytes += n_bytes;
    struct fb_hpack_entry *entry = entry_at(hpack, 0);
    entry->text = fb_alloc(field->name.len + field->value.len);
    entry->n_name = (uint32_t)field->name.len;
    entry->n_value = (uint32_t)field->value.len;
    memcpy(entry->text, field->name.ptr, field->name.len);
    if (field->value.len > 0) {
        memcpy(entry->text + field->name.len, field->value.ptr, field->value.len);
    }
}

static bool is_entry(const struct fb_hpack_entry *entry, const struct fb_header *field)
{
    size_t n_name = field->name.len;

    /* With capital letters elsewhere it would not be found, which costs some bytes. */
    return entry->n_value == field->value.len && entry->n_name == n_name &&
           memcmp(entry->text, field->name.ptr, n_name) == 0 &&
           fb_str_equal((struct fb_str){entry->text + n_name, entry->n_value}, field->value);
}

enum { NOT_KEPT = FB_HPACK_MAX_ENTRIES };

/* How long before the newest the field came that was kept after the last that was found:
 * responses of a kind have the same fields in the same order. NOT_KEPT if it is another. */
static uint32_t guess(struct fb_hpack *hpack, const struct fb_header *field)
{
    uint32_t age = hpack->newest - hpack->next;

    return age < hpack->n_entries && is_entry(entry_at(hpack, age), field) ? age : NOT_KEPT;
}

static uint32_t find(struct fb_hpack *hpack, const struct fb_header *field)
{
    for (uint32_t age = 0; age < hpack->n_entries; age++) {
        if (is_entry(entry_at(hpack, age), field)) {
            return age;
        }
    }
    return NOT_KEPT;
}

/* ---- writing --------------------------------------------------------------- */

/* RFC 7541 section 5.1: in what `first` leaves of its byte, `max` at most, and in bytes after it.
 */
static char *put_int(char *at, unsigned first, uint32_t max, uint32_t value)
{
    if (value < max) {
        *at++ = (char)(first | value);
        return at;
    }
    *at++ = (char)(first | max);
    for (value -= max; value >= 0x80; value >>= 7) {
        *at++ = (char)(0x80 | (value & 0x7f));
    }
    *at++ = (char)value;
    return at;
}

static char *put_indexed(char *at, uint32_t index)
{
    return put_int(at, FORM_INDEXED, 0x7f, index);
}

static char *put_text(char *at, struct fb_str text)
{
    at = put_int(at, 0, 0x7f, (uint32_t)text.len);
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

static char *put_literal(char *at, const struct known *known, unsigned form,
                         const struct fb_header *field)
{
    at = put_int(at, form, form == FORM_KEPT ? 0x3f : 0x0f, known->index);
    if (known->index == 0 && known->name.len > 0) {
        at = put_text(at, known->name);
    } else if (known->index == 0) {
        at = put_int(at, 0, 0x7f, (uint32_t)field->name.len);
        fb_str_put_lower(at, field->name);
        at += field->name.len;
    }
    return put_text(at, field->value);
}

char *fb_hpack_put_status(char *at, unsigned status)
{
    static const unsigned statics[] = {200, 204, 206, 304, 400, 404, 500};

    FB_REQUIRE(status >= 100 && status <= 999);
    for (unsigned i = 0; i < FB_ARRAY_LEN(statics); i++) {
        if (statics[i] == status) {
            return put_indexed(at, STATUS_INDEX + i);
        }
    }
    const char digits[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                           (char)('0' + status % 10)};
    at = put_int(at, FORM_PLAIN, 0x0f, STATUS_INDEX);
    return put_text(at, (struct fb_str){digits, sizeof(digits)});
}

char *fb_hpack_put(struct fb_hpack *hpack, char *at, const struct fb_header *field)
{
    uint32_t age = guess(hpack, field);

    if (age == NOT_KEPT) {
        const struct known *known = known_of(field->name);
        bool is_long = field->name.len + field->value.len > MAX_KEPT_TEXT;
        if (known->form != FORM_KEPT || is_long || max_bytes(hpack) == 0) {
            unsigned form = known->form == FORM_KEPT ? FORM_PLAIN : known->form;
            return put_literal(at, known, form, field);
        }
        age = find(hpack, field);
        if (age == NOT_KEPT) {
            keep(hpack, field);
            hpack->next = hpack->newest + 1;
            return put_literal(at, known, FORM_KEPT, field);
        }
    }
    hpack->next = hpack->newest - age + 1;
    return put_indexed(at, LAST_STATIC + 1 + age);
}

char *fb_hpack_put_all(struct fb_hpack *hpack, char *at, const struct fb_header *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct fb_header trimmed = {fields[i].name, fb_str_trim(fields[i].value)};
        at = fb_hpack_put(hpack, at, &trimmed);
    }
    return at;
}
