#include "base/http/conditional.h"

#include "base/core/err.h"

/* ---- entity-tags -------------------------------------------------------- */

bool fb_etag_is_weak(struct fb_str etag)
{
    return fb_str_starts_with(etag, FB_STR("W/"));
}

/* The tag with its quotes, without W/. */
static struct fb_str opaque_tag(struct fb_str etag)
{
    return fb_etag_is_weak(etag) ? fb_str_skip(etag, 2) : etag;
}

bool fb_etag_is_valid(struct fb_str etag)
{
    struct fb_str tag = opaque_tag(etag);

    if (tag.len < 2 || tag.ptr[0] != '"' || tag.ptr[tag.len - 1] != '"') {
        return false;
    }
    for (size_t i = 1; i + 1 < tag.len; i++) {
        unsigned char c = (unsigned char)tag.ptr[i];
        if (c <= ' ' || c == '"' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

bool fb_etag_equal_strong(struct fb_str a, struct fb_str b)
{
    return fb_etag_is_valid(a) && !fb_etag_is_weak(a) && fb_str_equal(a, b);
}

bool fb_etag_equal_weak(struct fb_str a, struct fb_str b)
{
    return fb_etag_is_valid(a) && fb_str_equal(opaque_tag(a), opaque_tag(b));
}

/* Takes the next entity-tag of a list; a backslash escapes nothing in one.
 * False at the end, and at the first thing that is no entity-tag. */
static bool next_etag(struct fb_str *rest, struct fb_str *ret_etag)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t' || rest->ptr[0] == ',')) {
        *rest = fb_str_skip(*rest, 1);
    }
    size_t start = fb_etag_is_weak(*rest) ? 2 : 0;
    struct fb_str inner = fb_str_skip(*rest, start + 1);
    size_t len = start + 1 + fb_str_find(inner, '"') + 1;

    if (len > rest->len || rest->ptr[start] != '"') {
        return false;
    }
    *ret_etag = fb_str_first(*rest, len);
    *rest = fb_str_skip(*rest, len);
    return true;
}

bool fb_etag_list_has(struct fb_str value, struct fb_str etag, bool is_strong)
{
    struct fb_str rest = value;
    struct fb_str member;

    if (fb_str_equal(fb_str_trim(value), FB_STR("*"))) {
        return true;
    }
    while (next_etag(&rest, &member)) {
        if (is_strong ? fb_etag_equal_strong(member, etag) : fb_etag_equal_weak(member, etag)) {
            return true;
        }
    }
    return false;
}

/* ---- conditions --------------------------------------------------------- */

/* Reads a date field; false if it is absent, invalid or repeated, which means
 * that the condition is to be ignored. */
static bool find_date(const struct fb_headers *headers, struct fb_str name, int64_t now_s,
                      int64_t *ret_date)
{
    struct fb_str value = fb_headers_find(headers, name);
    return value.ptr != NULL && fb_headers_count(headers, name) == 1 &&
           fb_date_parse(value, now_s, ret_date) == FB_OK;
}

/* If-Match, else If-Unmodified-Since: false answers 412. */
static bool holds_for_change(const struct fb_headers *headers,
                             const struct fb_validators *validators, int64_t now_s,
                             struct fb_arena *arena)
{
    struct fb_str match = fb_headers_join(headers, arena, FB_STR("If-Match"));
    int64_t since = 0;

    if (match.ptr != NULL) {
        return validators != NULL && fb_etag_list_has(match, validators->etag, true);
    }
    if (validators == NULL || validators->last_modified == FB_DATE_NONE ||
        !find_date(headers, FB_STR("If-Unmodified-Since"), now_s, &since)) {
        return true;
    }
    return validators->last_modified <= since;
}

bool fb_condition_is_known(const struct fb_request_head *request,
                           const struct fb_validators *validators, int64_t now_s,
                           struct fb_arena *arena)
{
    const struct fb_headers *headers = &request->headers;
    bool is_read = request->method == FB_METHOD_GET || request->method == FB_METHOD_HEAD;
    struct fb_str none_match = fb_headers_join(headers, arena, FB_STR("If-None-Match"));
    int64_t since = 0;

    if (validators == NULL) {
        return false;
    }
    if (none_match.ptr != NULL) {
        return fb_etag_list_has(none_match, validators->etag, false);
    }
    return is_read && validators->last_modified != FB_DATE_NONE &&
           find_date(headers, FB_STR("If-Modified-Since"), now_s, &since) &&
           validators->last_modified <= since;
}

enum fb_condition fb_condition_evaluate(const struct fb_request_head *request,
                                        const struct fb_validators *validators, int64_t now_s,
                                        struct fb_arena *arena)
{
    bool is_read = request->method == FB_METHOD_GET || request->method == FB_METHOD_HEAD;

    if (!holds_for_change(&request->headers, validators, now_s, arena)) {
        return FB_CONDITION_FAILED;
    }
    if (fb_condition_is_known(request, validators, now_s, arena)) {
        return is_read ? FB_CONDITION_NOT_MODIFIED : FB_CONDITION_FAILED;
    }
    return FB_CONDITION_TRUE;
}

static int64_t date_of(const struct fb_headers *headers, struct fb_str name, int64_t now_s)
{
    struct fb_str text = fb_headers_find(headers, name);
    int64_t date = 0;

    return text.ptr != NULL && fb_date_parse(text, now_s, &date) == FB_OK ? date : FB_DATE_NONE;
}

struct fb_validators fb_validators_of(const struct fb_headers *response, int64_t now_s)
{
    return (struct fb_validators){
        .etag = fb_headers_find(response, FB_STR("etag")),
        .last_modified = date_of(response, FB_STR("last-modified"), now_s),
        .date = date_of(response, FB_STR("date"), now_s),
    };
}

/* A date is a strong validator only if the representation was a second old when
 * it was sent (RFC 9110 section 8.8.2.2). */
static bool is_strong_date(const struct fb_validators *validators)
{
    return validators->last_modified != FB_DATE_NONE && validators->date != FB_DATE_NONE &&
           validators->date > validators->last_modified;
}

struct fb_str fb_if_range_of(const struct fb_headers *response, int64_t now_s)
{
    struct fb_validators validators = fb_validators_of(response, now_s);

    if (fb_etag_is_valid(validators.etag) && !fb_etag_is_weak(validators.etag)) {
        return validators.etag;
    }
    /* Beside a weak tag the date is no better: whoever has the tag must not send
     * the date (section 13.1.5). */
    if (validators.etag.ptr != NULL || !is_strong_date(&validators)) {
        return FB_STR_NONE;
    }
    return fb_headers_find(response, FB_STR("last-modified"));
}

bool fb_if_range_holds(struct fb_str value, const struct fb_validators *validators, int64_t now_s)
{
    int64_t date = 0;

    if (value.len == 0) {
        return true;
    }
    if (value.ptr[0] == '"' || fb_etag_is_weak(value)) {
        return fb_etag_equal_strong(value, validators->etag);
    }
    return is_strong_date(validators) && fb_date_parse(value, now_s, &date) == FB_OK &&
           date == validators->last_modified;
}
