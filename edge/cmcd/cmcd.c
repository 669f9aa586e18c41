#include "edge/cmcd/cmcd.h"

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/text.h"

static const struct fb_str field_names[EDGE_CMCD_N_FIELDS] = {
    [EDGE_CMCD_OBJECT] = FB_STR("cmcd-object"),
    [EDGE_CMCD_REQUEST] = FB_STR("cmcd-request"),
    [EDGE_CMCD_SESSION] = FB_STR("cmcd-session"),
    [EDGE_CMCD_STATUS] = FB_STR("cmcd-status"),
};

/* ---- keys ---------------------------------------------------------------- */

/* Where a key of a query belongs (CTA-5004, table of keys); one that nobody
 * knows goes with the session. */
static enum edge_cmcd_field cmcd_field_of(struct fb_str name)
{
    static const struct {
        struct fb_str name;
        enum edge_cmcd_field field;
    } known[] = {
        {FB_STR("br"), EDGE_CMCD_OBJECT},   {FB_STR("d"), EDGE_CMCD_OBJECT},
        {FB_STR("ot"), EDGE_CMCD_OBJECT},   {FB_STR("tb"), EDGE_CMCD_OBJECT},
        {FB_STR("bl"), EDGE_CMCD_REQUEST},  {FB_STR("dl"), EDGE_CMCD_REQUEST},
        {FB_STR("mtp"), EDGE_CMCD_REQUEST}, {FB_STR("nor"), EDGE_CMCD_REQUEST},
        {FB_STR("nrr"), EDGE_CMCD_REQUEST}, {FB_STR("su"), EDGE_CMCD_REQUEST},
        {FB_STR("bs"), EDGE_CMCD_STATUS},   {FB_STR("rtp"), EDGE_CMCD_STATUS},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(known); i++) {
        if (fb_str_equal(name, known[i].name)) {
            return known[i].field;
        }
    }
    return EDGE_CMCD_SESSION;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' || c == '.';
}

static size_t cmcd_span(struct fb_str text, bool (*is_of)(char c))
{
    size_t n = 0;

    while (n < text.len && is_of(text.ptr[n])) {
        n++;
    }
    return n;
}

/* As JSON writes it, so that it can be written so. */
static bool cmcd_is_number(struct fb_str text)
{
    struct fb_str rest = fb_str_skip(text, text.len > 0 && text.ptr[0] == '-' ? 1 : 0);
    size_t whole = cmcd_span(rest, is_digit);

    if (whole == 0 || (whole > 1 && rest.ptr[0] == '0')) {
        return false;
    }
    rest = fb_str_skip(rest, whole);
    if (rest.len > 0 && rest.ptr[0] == '.') {
        rest = fb_str_skip(rest, 1);
        size_t part = cmcd_span(rest, is_digit);
        rest = part > 0 ? fb_str_skip(rest, part) : rest;
        return part > 0 && rest.len == 0;
    }
    return rest.len == 0;
}

/* ---- reading --------------------------------------------------------------- */

static bool is_token_char(char c)
{
    return c > ' ' && c < 0x7f && c != ',' && c != '"' && c != ';' && c != '=' && c != '\\';
}

/* Takes a quoted string off `*rest`; its escapes are taken out into cmcd->text, which has room. */
static bool cmcd_read_string(struct edge_cmcd *cmcd, struct fb_str *rest, struct fb_str *ret_value)
{
    size_t begin = cmcd->text.len;

    for (size_t i = 1; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (c == '"') {
            *ret_value = (struct fb_str){cmcd->text.ptr + begin, cmcd->text.len - begin};
            *rest = fb_str_skip(*rest, i + 1);
            return true;
        }
        if (c == '\\' && i + 1 < rest->len) {
            i++;
            c = rest->ptr[i];
        }
        fb_buf_append_byte(&cmcd->text, c);
    }
    return false;
}

static bool cmcd_has(const struct edge_cmcd *cmcd, struct fb_str name)
{
    for (size_t i = 0; i < cmcd->n; i++) {
        if (fb_str_equal(cmcd->keys[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Takes one key off `*rest`; false at the end or at what is malformed. */
static bool cmcd_read_key(struct edge_cmcd *cmcd, struct fb_str *rest,
                          struct edge_cmcd_key *ret_key)
{
    struct edge_cmcd_key key = {.kind = EDGE_CMCD_TRUE};

    *rest = fb_str_trim(*rest);
    key.name = fb_str_first(*rest, cmcd_span(*rest, is_name_char));
    *rest = fb_str_skip(*rest, key.name.len);
    if (key.name.len == 0) {
        return false;
    }
    if (rest->len > 0 && rest->ptr[0] == '=') {
        *rest = fb_str_skip(*rest, 1);
        if (rest->len > 0 && rest->ptr[0] == '"') {
            key.kind = EDGE_CMCD_STRING;
            if (!cmcd_read_string(cmcd, rest, &key.value)) {
                return false;
            }
        } else {
            key.value = fb_str_first(*rest, cmcd_span(*rest, is_token_char));
            key.kind = cmcd_is_number(key.value) ? EDGE_CMCD_NUMBER : EDGE_CMCD_TOKEN;
            *rest = fb_str_skip(*rest, key.value.len);
            if (key.value.len == 0) {
                return false;
            }
        }
    }
    *rest = fb_str_trim(*rest);
    if (rest->len > 0 && rest->ptr[0] != ',') {
        return false;
    }
    *rest = fb_str_skip(*rest, 1);
    *ret_key = key;
    return true;
}

static void cmcd_read_list(struct edge_cmcd *cmcd, struct fb_str list,
                           const enum edge_cmcd_field *field)
{
    struct edge_cmcd_key key;

    while (cmcd->n < EDGE_CMCD_KEYS_MAX && cmcd_read_key(cmcd, &list, &key)) {
        if (!cmcd_has(cmcd, key.name)) {
            key.field = field != NULL ? *field : cmcd_field_of(key.name);
            cmcd->keys[cmcd->n++] = key;
        }
    }
}

bool edge_cmcd_is_param(struct fb_str name)
{
    return fb_str_equal(name, FB_STR("CMCD"));
}

/* The decoded value stands in `text` for good, so that keys can be views into it. */
static void cmcd_read_query(struct edge_cmcd *cmcd, struct fb_str query)
{
    struct fb_str part = FB_STR_NONE;

    while (query.ptr != NULL && fb_str_cut(&query, '&', &part)) {
        struct fb_str name = FB_STR_NONE;
        if (!fb_str_cut(&part, '=', &name) || !edge_cmcd_is_param(name)) {
            continue;
        }
        size_t begin = cmcd->text.len;
        if (part.len <= EDGE_CMCD_TEXT_MAX && fb_text_percent_decode(&cmcd->text, part) == FB_OK) {
            cmcd_read_list(cmcd, (struct fb_str){cmcd->text.ptr + begin, cmcd->text.len - begin},
                           NULL);
        }
        return;
    }
}

void edge_cmcd_read(const struct fb_request_head *request, struct edge_cmcd *ret_cmcd)
{
    size_t left = EDGE_CMCD_TEXT_MAX;

    ret_cmcd->n = 0;
    fb_buf_clear(&ret_cmcd->text);
    /* Reserved once, so that views into it hold: what is decoded, and again without escapes. */
    (void)fb_buf_reserve(&ret_cmcd->text, (size_t)3 * EDGE_CMCD_TEXT_MAX);
    for (size_t i = 0; i < request->headers.n; i++) {
        const struct fb_header *header = &request->headers.items[i];
        for (size_t j = 0; j < EDGE_CMCD_N_FIELDS; j++) {
            enum edge_cmcd_field field = (enum edge_cmcd_field)j;
            if (fb_str_equal_nocase(header->name, field_names[j]) && header->value.len <= left) {
                left -= header->value.len;
                cmcd_read_list(ret_cmcd, header->value, &field);
            }
        }
    }
    cmcd_read_query(ret_cmcd, request->query);
}

void edge_cmcd_done(struct edge_cmcd *cmcd)
{
    fb_buf_done(&cmcd->text);
    cmcd->n = 0;
}

/* ---- writing --------------------------------------------------------------- */

static void cmcd_append_string(struct fb_buf *buf, struct fb_str value)
{
    fb_buf_append_byte(buf, '"');
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\') {
            fb_buf_append_byte(buf, '\\');
        }
        fb_buf_append_byte(buf, value.ptr[i]);
    }
    fb_buf_append_byte(buf, '"');
}

void edge_cmcd_append(struct fb_buf *buf, const struct edge_cmcd *cmcd, enum edge_cmcd_field field)
{
    bool is_first = true;

    for (size_t i = 0; i < cmcd->n; i++) {
        const struct edge_cmcd_key *key = &cmcd->keys[i];
        if (key->field != field) {
            continue;
        }
        if (!is_first) {
            fb_buf_append_byte(buf, ',');
        }
        is_first = false;
        fb_buf_append(buf, key->name);
        if (key->kind == EDGE_CMCD_STRING) {
            fb_buf_append_byte(buf, '=');
            cmcd_append_string(buf, key->value);
        } else if (key->kind != EDGE_CMCD_TRUE) {
            fb_buf_append_byte(buf, '=');
            fb_buf_append(buf, key->value);
        }
    }
}
