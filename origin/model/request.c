#include "origin/model/request.h"

#include "base/core/err.h"
#include "base/json/json.h"

#include <stdio.h>
#include <string.h>

/* The bounds of numbers, as origin.yaml has them too. */
enum { SEGMENT_MIN_MS = 1000, SEGMENT_MAX_MS = 20000, CHUNK_MAX_MS = 3600000, CRF_MAX = 51 };

static const char *const presets[] = {
    "ultrafast", "superfast", "veryfast", "faster",   "fast",
    "medium",    "slow",      "slower",   "veryslow", "placebo",
};

bool origin_preset_is_known(struct fb_str text)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(presets); i++) {
        if (fb_str_equal(text, fb_str_from(presets[i]))) {
            return true;
        }
    }
    return false;
}

struct origin_request origin_request_preset(void)
{
    return (struct origin_request){
        .segment_ms = 4000,
        .chunk_ms = 60000,
        .preset = "veryfast",
        .crf = 23,
        .downmix = true,
        .storyboard = true,
        .trick_play = true,
        .encryption = ORIGIN_SCHEME_CLEAR,
    };
}

/* ---- the members that are true or false ------------------------------------- */

struct flag {
    const char *key;
    size_t at;
    bool is_creators; /* may be overridden */
};

#define FLAG(member, is_creators_)                                     \
    {                                                                  \
        .key = #member, .at = offsetof(struct origin_request, member), \
        .is_creators = (is_creators_)                                  \
    }
static const struct flag flags[] = {
    FLAG(early_ready, true), FLAG(with_hevc, false),  FLAG(with_av1, false),
    FLAG(per_title, true),   FLAG(loudness, true),    FLAG(downmix, true),
    FLAG(storyboard, true),  FLAG(trick_play, false), FLAG(is_degraded, false),
};
#undef FLAG

static bool *flag_of(struct origin_request *request, const struct flag *flag)
{
    return (bool *)(void *)((char *)request + flag->at);
}

static int flag_load(const struct fb_json *value, struct origin_request *request,
                     const struct flag *flag, struct fb_diag *diag)
{
    if (fb_json_type(value) != FB_JSON_BOOL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is neither true nor false", flag->key);
    }
    *flag_of(request, flag) = fb_json_bool(value, false);
    return FB_OK;
}

/* ---- numbers and texts -------------------------------------------------------- */

static int read_number(const struct fb_json *root, const char *key, int64_t min, int64_t max,
                       uint32_t *number, struct fb_diag *diag)
{
    int64_t value = 0;

    if (fb_json_find(root, key) == NULL) {
        return FB_OK;
    }
    int err = fb_json_read_int(root, key, min, max, &value, diag);
    if (err == FB_OK) {
        *number = (uint32_t)value;
    }
    return err;
}

static int read_preset(const struct fb_json *root, struct origin_request *request,
                       struct fb_diag *diag)
{
    struct fb_str text;

    if (fb_json_find(root, "preset") == NULL) {
        return FB_OK;
    }
    int err = fb_json_read_str(root, "preset", ORIGIN_PRESET_MAX, &text, diag);
    if (err < 0) {
        return err;
    }
    if (!origin_preset_is_known(text)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'preset' is none of the encoder's");
    }
    (void)snprintf(request->preset, sizeof(request->preset), "%.*s", FB_STR_ARG(text));
    return FB_OK;
}

static int read_encryption(const struct fb_json *root, struct origin_request *request,
                           struct fb_diag *diag)
{
    struct fb_str text;

    if (fb_json_find(root, "encryption") == NULL) {
        return FB_OK;
    }
    int err = fb_json_read_str(root, "encryption", 8, &text, diag);
    if (err < 0) {
        return err;
    }
    if (origin_scheme_parse(text, &request->encryption) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'encryption' is no scheme that is known");
    }
    return FB_OK;
}

/* ---- subtitles ------------------------------------------------------------------ */

static bool language_is_plain(struct fb_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-')) {
            return false;
        }
    }
    return text.len > 0;
}

static int read_subtitle(const struct fb_json *item, struct origin_request_subtitle *subtitle,
                         struct fb_diag *diag)
{
    struct fb_str key;
    struct fb_str language;
    struct fb_str name = FB_STR("");

    int err = fb_json_read_str(item, "key", ORIGIN_KEY_MAX, &key, diag);
    if (err < 0 ||
        (err = fb_json_read_str(item, "language", ORIGIN_LANGUAGE_MAX, &language, diag)) < 0) {
        return err;
    }
    if (fb_json_find(item, "name") != NULL &&
        (err = fb_json_read_str(item, "name", ORIGIN_NAME_MAX, &name, diag)) < 0) {
        return err;
    }
    if (!origin_path_is_plain(key, ORIGIN_KEY_MAX) || !language_is_plain(language)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "a subtitle is not well described");
    }
    (void)snprintf(subtitle->key, sizeof(subtitle->key), "%.*s", FB_STR_ARG(key));
    (void)snprintf(subtitle->language, sizeof(subtitle->language), "%.*s", FB_STR_ARG(language));
    (void)snprintf(subtitle->name, sizeof(subtitle->name), "%.*s", FB_STR_ARG(name));
    return FB_OK;
}

static int read_subtitles(const struct fb_json *root, struct origin_request *request,
                          struct fb_diag *diag)
{
    const struct fb_json *items = fb_json_find(root, "subtitles");
    size_t n = fb_json_count(items);
    int err = FB_OK;

    if (n > ORIGIN_SUBTITLES_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "there are more than %d subtitles",
                           ORIGIN_SUBTITLES_MAX);
    }
    request->n_subtitles = 0;
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        err = read_subtitle(fb_json_at(items, i), &request->subtitles[i], diag);
        request->n_subtitles += err == FB_OK;
    }
    return err;
}

/* ---- the whole -------------------------------------------------------------------- */

void origin_request_store(struct fb_json *root, const struct origin_request *request)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(flags); i++) {
        const bool *flag = (const bool *)(const void *)((const char *)request + flags[i].at);
        fb_json_set_bool(root, flags[i].key, *flag);
    }
    fb_json_set_int(root, "segment_ms", request->segment_ms);
    fb_json_set_int(root, "chunk_ms", request->chunk_ms);
    fb_json_set_text(root, "preset", request->preset);
    fb_json_set_int(root, "crf", request->crf);
    fb_json_set_text(root, "encryption", origin_scheme_text(request->encryption));
    if (request->n_subtitles == 0) {
        return;
    }
    struct fb_json *items = fb_json_set_array(root, "subtitles");
    for (uint32_t i = 0; i < request->n_subtitles; i++) {
        struct fb_json *item = fb_json_add_object(items);
        fb_json_set_text(item, "key", request->subtitles[i].key);
        fb_json_set_text(item, "language", request->subtitles[i].language);
        fb_json_set_text(item, "name", request->subtitles[i].name);
    }
}

int origin_request_load(const struct fb_json *root, struct origin_request *ret_request,
                        struct fb_diag *diag)
{
    struct origin_request request = origin_request_preset();
    int err = FB_OK;

    if (fb_json_type(root) != FB_JSON_OBJECT) {
        return fb_diag_set(diag, FB_E_MALFORMED, "a request is an object");
    }
    for (size_t i = 0; err == FB_OK && i < FB_ARRAY_LEN(flags); i++) {
        const struct fb_json *value = fb_json_find(root, flags[i].key);
        err = value != NULL ? flag_load(value, &request, &flags[i], diag) : FB_OK;
    }
    if (err < 0 ||
        (err = read_number(root, "segment_ms", SEGMENT_MIN_MS, SEGMENT_MAX_MS, &request.segment_ms,
                           diag)) < 0 ||
        (err = read_number(root, "chunk_ms", SEGMENT_MIN_MS, CHUNK_MAX_MS, &request.chunk_ms,
                           diag)) < 0 ||
        (err = read_number(root, "crf", 0, CRF_MAX, &request.crf, diag)) < 0 ||
        (err = read_preset(root, &request, diag)) < 0 ||
        (err = read_encryption(root, &request, diag)) < 0 ||
        (err = read_subtitles(root, &request, diag)) < 0) {
        return err;
    }
    *ret_request = request;
    return FB_OK;
}

static const struct flag *flag_find(struct fb_str key)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(flags); i++) {
        if (flags[i].is_creators && fb_str_equal(key, fb_str_from(flags[i].key))) {
            return &flags[i];
        }
    }
    return NULL;
}

int origin_request_override(const struct fb_json *object, struct origin_request *request,
                            struct fb_diag *diag)
{
    struct origin_request changed = *request;
    const struct fb_json *value = NULL;
    struct fb_str key;
    void *cursor = NULL;

    if (fb_json_type(object) != FB_JSON_OBJECT) {
        return fb_diag_set(diag, FB_E_MALFORMED, "an object of options is expected");
    }
    while (fb_json_next(object, &cursor, &key, &value)) {
        const struct flag *flag = flag_find(key);
        if (flag == NULL) {
            return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' is no option of a video",
                               FB_STR_ARG(key));
        }
        int err = flag_load(value, &changed, flag, diag);
        if (err < 0) {
            return err;
        }
    }
    *request = changed;
    return FB_OK;
}
