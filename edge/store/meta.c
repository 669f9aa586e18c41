#include "edge/store/meta.h"

#include "base/core/err.h"
#include "edge/fresh/key.h"

enum {
    META_VERSION = 2,
    META_VERSION_WITHOUT_BIRTH = 1,
    META_MUST_REVALIDATE = 1,
    META_ALWAYS_VALIDATE = 2,
    META_IS_IMMUTABLE = 4,
    META_HAS_GUARDED = 8,
    META_IS_PLANNED = 16,
    META_IS_PREFETCHED = 32,
    META_FLAGS = 63,
    META_MIN_FIELD_BYTES = 8, /* of a field whose strings are empty */
    META_SLACK_MS = 60000     /* so far may a clock be set back unnoticed */
};

/* No span of time is longer; sums of a few do not overflow. */
#define META_MAX_SPAN_MS (INT64_MAX / 8)

/* ---- writing ------------------------------------------------------------- */

static void put_number(struct fb_buf *bytes, uint64_t value, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        fb_buf_append_byte(bytes, (char)(value >> 8 * i & 0xff));
    }
}

static void put_str(struct fb_buf *bytes, struct fb_str str)
{
    put_number(bytes, str.len, 4);
    fb_buf_append(bytes, str);
}

void edge_meta_encode(const struct edge_object_head *head, uint64_t birth, struct edge_moment now,
                      struct fb_buf *bytes)
{
    const struct edge_terms *terms = &head->terms;
    unsigned flags = (terms->must_revalidate ? META_MUST_REVALIDATE : 0U) |
                     (terms->always_validate ? META_ALWAYS_VALIDATE : 0U) |
                     (terms->is_immutable ? META_IS_IMMUTABLE : 0U) |
                     (terms->has_guarded ? META_HAS_GUARDED : 0U) |
                     (head->is_planned ? META_IS_PLANNED : 0U) |
                     (head->is_prefetched ? META_IS_PREFETCHED : 0U);

    put_number(bytes, META_VERSION, 1);
    put_number(bytes, birth, 8);
    put_str(bytes, head->tags);
    put_number(bytes, head->status, 2);
    put_number(bytes, (uint64_t)terms->class, 1);
    put_number(bytes, flags, 1);
    put_number(bytes, (uint64_t)(now.wall_ms - (now.mono_ms - terms->received_ms)), 8);
    put_number(bytes, (uint64_t)terms->initial_age_ms, 8);
    put_number(bytes, (uint64_t)terms->lifetime_ms, 8);
    put_number(bytes, (uint64_t)terms->while_revalidate_ms, 8);
    put_number(bytes, (uint64_t)terms->if_error_ms, 8);
    put_str(bytes, head->vary);
    put_str(bytes, head->variant);
    put_number(bytes, head->headers.n, 4);
    for (size_t i = 0; i < head->headers.n; i++) {
        put_str(bytes, head->headers.items[i].name);
        put_str(bytes, head->headers.items[i].value);
    }
}

/* ---- reading ------------------------------------------------------------- */

/* What is left to read; after the first thing that is not there, nothing is. */
struct meta_input {
    struct fb_str rest;
    bool is_bad;
};

static uint64_t get_number(struct meta_input *input, unsigned n)
{
    uint64_t value = 0;

    if (input->is_bad || input->rest.len < n) {
        input->is_bad = true;
        return 0;
    }
    for (unsigned i = n; i > 0; i--) {
        value = value << 8 | (uint8_t)input->rest.ptr[i - 1];
    }
    input->rest = fb_str_skip(input->rest, n);
    return value;
}

static struct fb_str get_str(struct meta_input *input)
{
    uint64_t len = get_number(input, 4);

    if (input->is_bad || len > input->rest.len) {
        input->is_bad = true;
        return FB_STR_NONE;
    }
    struct fb_str str = fb_str_first(input->rest, (size_t)len);
    input->rest = fb_str_skip(input->rest, (size_t)len);
    return str;
}

/* Not negative. */
static int64_t get_span(struct meta_input *input)
{
    uint64_t value = get_number(input, 8);

    if (value > META_MAX_SPAN_MS) {
        input->is_bad = true;
        return 0;
    }
    return (int64_t)value;
}

static bool get_flag(uint64_t flags, uint64_t flag)
{
    return (flags & flag) != 0;
}

/* What may stand in a field's value on the wire (RFC 9110 section 5.5). */
static bool is_field_value(struct fb_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static void get_terms(struct meta_input *input, struct edge_moment now, struct edge_meta *meta)
{
    struct edge_terms *terms = &meta->terms;
    uint64_t class = get_number(input, 1);
    uint64_t flags = get_number(input, 1);
    int64_t received_ms = get_span(input);

    terms->initial_age_ms = get_span(input);
    terms->lifetime_ms = get_span(input);
    terms->while_revalidate_ms = get_span(input);
    terms->if_error_ms = get_span(input);
    if (class > EDGE_CLASS_MANIFEST || flags > META_FLAGS) {
        input->is_bad = true;
        return;
    }
    terms->class = (enum edge_class) class;
    terms->must_revalidate = get_flag(flags, META_MUST_REVALIDATE);
    terms->always_validate = get_flag(flags, META_ALWAYS_VALIDATE);
    terms->is_immutable = get_flag(flags, META_IS_IMMUTABLE);
    terms->has_guarded = get_flag(flags, META_HAS_GUARDED);
    meta->is_planned = get_flag(flags, META_IS_PLANNED);
    meta->is_prefetched = get_flag(flags, META_IS_PREFETCHED);
    if (received_ms > now.wall_ms + META_SLACK_MS) {
        terms->initial_age_ms =
            FB_MIN(terms->initial_age_ms + terms->lifetime_ms + 1, META_MAX_SPAN_MS);
    }
    terms->received_ms = now.mono_ms - (now.wall_ms - FB_MIN(received_ms, now.wall_ms));
}

static void get_headers(struct meta_input *input, struct fb_arena *arena,
                        struct fb_headers *headers)
{
    uint64_t n = get_number(input, 4);

    if (n > input->rest.len / META_MIN_FIELD_BYTES) {
        input->is_bad = true;
    }
    for (uint64_t i = 0; i < n && !input->is_bad; i++) {
        struct fb_str name = get_str(input);
        struct fb_str value = get_str(input);
        if (input->is_bad || !fb_is_token(name) || !is_field_value(value)) {
            input->is_bad = true;
            return;
        }
        fb_headers_add(headers, arena, name, value);
    }
}

static void get_birth(struct meta_input *input, uint64_t *birth, struct fb_str *tags)
{
    uint64_t version = get_number(input, 1);

    if (version == META_VERSION) {
        *birth = get_number(input, 8);
        *tags = get_str(input);
    } else if (version != META_VERSION_WITHOUT_BIRTH) {
        input->is_bad = true;
    }
    if (!is_field_value(*tags)) {
        input->is_bad = true;
    }
}

int edge_meta_decode_birth(struct fb_str bytes, uint64_t *ret_birth, struct fb_str *ret_tags)
{
    struct meta_input input = {.rest = bytes};
    struct fb_str tags = FB_STR_NONE;
    uint64_t birth = 0;

    get_birth(&input, &birth, &tags);
    if (input.is_bad) {
        return FB_E_MALFORMED;
    }
    *ret_birth = birth;
    *ret_tags = tags;
    return FB_OK;
}

int edge_meta_decode(struct fb_str bytes, struct edge_moment now, struct fb_arena *arena,
                     struct edge_meta *ret_meta)
{
    struct meta_input input = {.rest = bytes};
    struct edge_meta meta = {0};

    get_birth(&input, &meta.birth, &meta.tags);
    meta.status = (unsigned)get_number(&input, 2);
    get_terms(&input, now, &meta);
    meta.vary = get_str(&input);
    meta.variant = get_str(&input);
    get_headers(&input, arena, &meta.headers);
    if (input.is_bad || input.rest.len > 0 || meta.status < 100 || meta.status > 599 ||
        !is_field_value(meta.vary) || !edge_vary_fits(meta.vary)) {
        return FB_E_MALFORMED;
    }
    *ret_meta = meta;
    return FB_OK;
}
