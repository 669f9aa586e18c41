/*
 * Texts that people write.
 */
#include "origin/api/api_internal.h"
#include "origin/jobs/jobs.h"
#include "origin/model/text.h"

static size_t count_characters(struct fb_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        n += ((uint8_t)text.ptr[i] & 0xc0U) != 0x80U;
    }
    return n;
}

int origin_api_check_text(const char *key, struct fb_str text, size_t max_characters,
                          bool may_have_lines, struct fb_diag *diag)
{
    if (count_characters(text) > max_characters) {
        return fb_diag_set(diag, FB_E_LIMIT, "'%s' must have at most %zu characters", key,
                           max_characters);
    }
    if (!origin_text_is_printable(text, may_have_lines)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' must not have control characters", key);
    }
    return FB_OK;
}

int origin_api_read_text(const struct fb_json *body, const struct origin_api_text *rule,
                         struct fb_str *ret_text, struct fb_diag *diag)
{
    struct fb_str text;

    int err =
        fb_json_read_str(body, rule->key, ORIGIN_API_UTF8_MAX * rule->max_characters, &text, diag);
    if (err < 0) {
        return err;
    }
    text = fb_str_trim(text);
    if (text.len == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' must not be empty", rule->key);
    }
    err = origin_api_check_text(rule->key, text, rule->max_characters, rule->may_have_lines, diag);
    if (err == FB_OK) {
        *ret_text = text;
    }
    return err;
}

int origin_api_read_options(const struct origin_api *api, struct fb_arena *arena,
                            const struct fb_json *body, struct fb_str *ret_options,
                            struct fb_diag *diag)
{
    const struct fb_json *options = fb_json_find(body, "options");
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    *ret_options = FB_STR("");
    if (fb_json_type(options) == FB_JSON_ABSENT || fb_json_type(options) == FB_JSON_NULL) {
        return FB_OK;
    }
    int err = origin_jobs_check_options(api->options.jobs, options, diag);
    if (err == FB_OK) {
        fb_json_dump(options, &text);
        *ret_options = fb_arena_dup(arena, fb_buf_str(&text));
    }
    return err;
}
