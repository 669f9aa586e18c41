#include "base/wire/plan.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/jose/jose.h"
#include "base/json/json.h"
#include "base/wire/plan_internal.h"

#include <string.h>

static const char plan_format[] = "forebay-plan/1";

/* ---- what an entry may be ------------------------------------------------- */

static bool plan_is_small(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool plan_is_word(struct fb_str str, size_t max)
{
    for (size_t i = 0; i < str.len; i++) {
        if (!plan_is_small(str.ptr[i])) {
            return false;
        }
    }
    return str.len > 0 && str.len <= max;
}

bool fb_plan_is_region(struct fb_str region)
{
    return plan_is_word(region, FB_PLAN_REGION_MAX);
}

/* What can stand in a request line, and means itself: no other host, no fragment. */
static bool plan_is_path(struct fb_str path)
{
    if (path.len == 0 || path.len > FB_PLAN_PATH_MAX || path.ptr[0] != '/' ||
        (path.len > 1 && path.ptr[1] == '/')) {
        return false;
    }
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '#' || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

int fb_plan_entry_check(const struct fb_plan_entry *entry, struct fb_diag *diag)
{
    if (!plan_is_path(entry->path)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'path' is no path of at most %d letters",
                           FB_PLAN_PATH_MAX);
    }
    if (entry->size == 0 || entry->size > INT64_MAX || entry->value > INT64_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'size' or 'value' is out of bounds");
    }
    if (!plan_is_word(entry->reason, FB_PLAN_REASON_MAX)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'reason' is not made of 1 to %d of a-z, 0-9 and '-'",
                           FB_PLAN_REASON_MAX);
    }
    return FB_OK;
}

void fb_plan_digest_text(const uint8_t digest[FB_SHA256_SIZE], char text[FB_PLAN_DIGEST_TEXT + 1])
{
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};

    fb_text_hex(&hex, fb_sha256_str(digest));
    memcpy(text, hex.ptr, FB_PLAN_DIGEST_TEXT + 1);
}

/* ---- making --------------------------------------------------------------- */

void fb_plan_draft_done(struct fb_plan_draft *draft)
{
    fb_buf_done(&draft->body);
    *draft = (struct fb_plan_draft){0};
}

int fb_plan_add(struct fb_plan_draft *draft, const struct fb_plan_entry *entry)
{
    char digest[FB_PLAN_DIGEST_TEXT + 1];
    size_t before = draft->body.len;

    int err = fb_plan_entry_check(entry, NULL);
    if (err < 0) {
        return err;
    }
    if (draft->n_entries >= FB_PLAN_ENTRIES_MAX) {
        return FB_E_LIMIT;
    }
    FB_AUTO(fb_json_freep) struct fb_json *line = fb_json_new_object();
    fb_plan_digest_text(entry->sha256, digest);
    fb_json_set_str(line, "path", entry->path);
    fb_json_set_int(line, "size", (int64_t)entry->size);
    fb_json_set_text(line, "sha256", digest);
    fb_json_set_int(line, "value", (int64_t)entry->value);
    fb_json_set_str(line, "reason", entry->reason);
    if (entry->is_now) {
        fb_json_set_bool(line, "now", true);
    }
    fb_json_dump(line, &draft->body);
    fb_buf_append_byte(&draft->body, '\n');
    if (draft->body.len > FB_PLAN_BODY_MAX) {
        fb_buf_truncate(&draft->body, before);
        return FB_E_LIMIT;
    }
    draft->n_entries++;
    draft->n_bytes += entry->size;
    return FB_OK;
}

int fb_plan_seal(const struct fb_plan_draft *draft, const struct fb_jose_key *key,
                 struct fb_str kid, struct fb_plan_head *head, struct fb_buf *token)
{
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf payload = {0};
    char digest[FB_PLAN_DIGEST_TEXT + 1];

    if (!fb_plan_is_region(fb_str_from(head->region)) || head->serial == 0 ||
        head->serial > INT64_MAX || fb_jose_key_algorithm(key) != FB_JOSE_ES256) {
        return FB_E_MALFORMED;
    }
    head->n_entries = draft->n_entries;
    head->body_bytes = draft->body.len;
    fb_sha256(fb_buf_str(&draft->body), head->digest);
    fb_plan_digest_text(head->digest, digest);
    fb_json_set_text(json, "format", plan_format);
    fb_json_set_text(json, "region", head->region);
    fb_json_set_int(json, "serial", (int64_t)head->serial);
    fb_json_set_int(json, "made", head->made_ms);
    if (head->until_ms != 0) {
        fb_json_set_int(json, "until", head->until_ms);
    }
    fb_json_set_int(json, "entries", (int64_t)head->n_entries);
    fb_json_set_int(json, "bytes", (int64_t)head->body_bytes);
    fb_json_set_text(json, "sha256", digest);
    fb_json_dump(json, &payload);
    return fb_jose_sign(key, kid, fb_buf_str(&payload), token);
}

/* ---- taking --------------------------------------------------------------- */

int fb_plan_read_digest(const struct fb_json *json, uint8_t digest[FB_SHA256_SIZE],
                        struct fb_diag *diag)
{
    struct fb_str text;

    int err = fb_json_read_str(json, "sha256", FB_PLAN_DIGEST_TEXT, &text, diag);
    if (err == FB_OK && fb_text_unhex(text, digest, FB_SHA256_SIZE) < 0) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "'sha256' is not %d hexadecimal digits",
                          FB_PLAN_DIGEST_TEXT);
    }
    return err;
}

static int head_read_format(const struct fb_json *json, struct fb_diag *diag)
{
    struct fb_str format;

    int err = fb_json_read_str(json, "format", FB_PLAN_REASON_MAX, &format, diag);
    if (err < 0) {
        return err;
    }
    if (fb_str_equal(format, fb_str_from(plan_format))) {
        return FB_OK;
    }
    return fb_diag_set(diag, FB_E_UNSUPPORTED, "the format is '%.*s', and only '%s' is understood",
                       FB_STR_ARG(format), plan_format);
}

static int head_read_region(const struct fb_json *json, struct fb_plan_head *head,
                            struct fb_diag *diag)
{
    struct fb_str region;

    int err = fb_json_read_str(json, "region", FB_PLAN_REGION_MAX, &region, diag);
    if (err < 0) {
        return err;
    }
    if (!fb_plan_is_region(region)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'region' is not made of a-z, 0-9 and '-'");
    }
    memcpy(head->region, region.ptr, region.len);
    return FB_OK;
}

static int head_read_number(const struct fb_json *json, const char *key, int64_t least,
                            int64_t most, uint64_t *ret_number, struct fb_diag *diag)
{
    int64_t number = 0;

    int err = fb_json_read_int(json, key, least, most, &number, diag);
    if (err == FB_OK) {
        *ret_number = (uint64_t)number;
    }
    return err;
}

static int head_read(const struct fb_json *json, struct fb_plan_head *head, struct fb_diag *diag)
{
    int err = head_read_format(json, diag);

    if (err == FB_OK) {
        err = head_read_region(json, head, diag);
    }
    if (err == FB_OK) {
        err = head_read_number(json, "serial", 1, INT64_MAX, &head->serial, diag);
    }
    if (err == FB_OK) {
        err = fb_json_read_int(json, "made", 0, INT64_MAX, &head->made_ms, diag);
    }
    if (err == FB_OK && fb_json_find(json, "until") != NULL) {
        err = fb_json_read_int(json, "until", 1, INT64_MAX, &head->until_ms, diag);
    }
    if (err == FB_OK) {
        err = head_read_number(json, "entries", 0, FB_PLAN_ENTRIES_MAX, &head->n_entries, diag);
    }
    if (err == FB_OK) {
        err = head_read_number(json, "bytes", 0, FB_PLAN_BODY_MAX, &head->body_bytes, diag);
    }
    return err == FB_OK ? fb_plan_read_digest(json, head->digest, diag) : err;
}

/* The payload of a token that one of the keys has signed. */
static int head_verify(struct fb_str token, const struct fb_jose_key *const *keys, size_t n_keys,
                       struct fb_buf *payload, struct fb_diag *diag)
{
    struct fb_jose_header header;

    int err = fb_jose_header_read(token, &header);
    if (err < 0) {
        return fb_diag_set(diag, err, "it is no signed token");
    }
    for (size_t i = 0; i < n_keys; i++) {
        if (fb_jose_key_algorithm(keys[i]) == FB_JOSE_ES256 &&
            fb_jose_verify(keys[i], token, payload) == FB_OK) {
            return FB_OK;
        }
    }
    return fb_diag_set(diag, FB_E_DENIED, "no key that this node knows has signed it");
}

int fb_plan_head_open(struct fb_str token, const struct fb_jose_key *const *keys, size_t n_keys,
                      struct fb_plan_head *ret_head, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf payload = {0};
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;
    struct fb_plan_head head = {0};

    int err = head_verify(token, keys, n_keys, &payload, diag);
    if (err == FB_OK) {
        err = fb_json_parse(fb_buf_str(&payload), FB_JOSE_TOKEN_MAX, &json, diag);
    }
    if (err == FB_OK) {
        err = head_read(json, &head, diag);
    }
    if (err == FB_OK) {
        *ret_head = head;
    }
    return err;
}
