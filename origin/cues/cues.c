#include "origin/cues/cues.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/order.h"
#include "origin/cues/markup.h"

#include <inttypes.h>
#include <stdlib.h>

enum { MS_PER_S = 1000, MS_PER_MIN = 60000, MS_PER_H = 3600000, CUES_FIRST = 64, CUE_FRAME = 64 };

/* ---- the list ---------------------------------------------------------- */

void origin_cues_done(struct origin_cues *cues)
{
    fb_free(cues->cues);
    fb_buf_done(&cues->bytes);
    *cues = (struct origin_cues){0};
}

struct fb_str origin_cue_text(const struct origin_cues *cues, size_t index)
{
    const struct origin_cue *cue = &cues->cues[index];
    return (struct fb_str){cues->bytes.ptr + cue->text, cue->text_len};
}

struct fb_str origin_cue_settings(const struct origin_cues *cues, size_t index)
{
    const struct origin_cue *cue = &cues->cues[index];
    return (struct fb_str){cues->bytes.ptr + cue->settings, cue->settings_len};
}

static struct origin_cue *cues_append(struct origin_cues *cues)
{
    if (cues->n_cues == cues->max_cues) {
        cues->max_cues = FB_MAX(cues->max_cues * 2, (size_t)CUES_FIRST);
        cues->cues = fb_realloc(cues->cues, cues->max_cues * sizeof(*cues->cues));
    }
    return &cues->cues[cues->n_cues++];
}

static bool setting_is_plain(struct fb_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '%' || c == ',' ||
                        c == '.' || c == '-';
        if (!is_plain) {
            return false;
        }
    }
    return value.len > 0;
}

/* Appends the settings that we know, with a space between. */
static void cues_put_settings(struct fb_buf *buf, struct fb_str settings)
{
    static const char *const names[] = {"vertical:", "line:", "position:", "size:", "align:"};
    size_t begin = buf->len;
    struct fb_str part;

    while (fb_str_cut(&settings, ' ', &part)) {
        for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
            struct fb_str name = fb_str_from(names[i]);
            if (fb_str_starts_with(part, name) && setting_is_plain(fb_str_skip(part, name.len))) {
                fb_buf_append(buf, buf->len > begin ? FB_STR(" ") : FB_STR_NONE);
                fb_buf_append(buf, part);
            }
        }
    }
}

int origin_cues_add(struct origin_cues *cues, int64_t begin_ms, int64_t end_ms,
                    struct fb_str settings, struct fb_str markup)
{
    struct fb_buf *bytes = &cues->bytes;
    struct origin_cue cue = {.begin_ms = begin_ms, .end_ms = end_ms, .text = bytes->len};
    bool is_top = false;

    if (cues->n_cues == ORIGIN_CUES_MAX || markup.len > ORIGIN_CUE_MAX_BYTES) {
        return FB_E_LIMIT;
    }
    if (begin_ms < 0 || end_ms <= begin_ms) {
        return FB_OK;
    }
    origin_markup_clean(bytes, markup, &is_top);
    cue.text_len = bytes->len - cue.text;
    if (cue.text_len == 0) {
        return FB_OK;
    }
    uint64_t seconds = (uint64_t)(end_ms - begin_ms) / MS_PER_S + 1;
    cues->weight += seconds * (cue.text_len + CUE_FRAME);
    if (cues->weight > ORIGIN_CUES_MAX_WEIGHT) {
        return FB_E_LIMIT;
    }
    cue.settings = bytes->len;
    cues_put_settings(bytes, settings);
    if (is_top && bytes->len == cue.settings) {
        fb_buf_append(bytes, FB_STR("line:0"));
    }
    cue.settings_len = bytes->len - cue.settings;
    *cues_append(cues) = cue;
    return FB_OK;
}

/* Texts lie in the order in which they came. */
static int cue_compare(const void *a, const void *b)
{
    const struct origin_cue *left = a;
    const struct origin_cue *right = b;
    int by_time = FB_ORDER(left->begin_ms, right->begin_ms);
    return by_time != 0 ? by_time : FB_ORDER(left->text, right->text);
}

void origin_cues_sort(struct origin_cues *cues)
{
    if (cues->n_cues > 1) {
        qsort(cues->cues, cues->n_cues, sizeof(*cues->cues), cue_compare);
    }
}

/* ---- writing ----------------------------------------------------------- */

static void cues_put_time(struct fb_buf *buf, int64_t ms)
{
    fb_buf_printf(buf, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, ms / MS_PER_H,
                  ms / MS_PER_MIN % 60, ms / MS_PER_S % 60, ms % MS_PER_S);
}

static void cues_put(struct fb_buf *buf, const struct origin_cues *cues, size_t index)
{
    const struct origin_cue *cue = &cues->cues[index];

    fb_buf_append_byte(buf, '\n');
    cues_put_time(buf, cue->begin_ms);
    fb_buf_append(buf, FB_STR(" --> "));
    cues_put_time(buf, cue->end_ms);
    fb_buf_append(buf, cue->settings_len > 0 ? FB_STR(" ") : FB_STR_NONE);
    fb_buf_append(buf, origin_cue_settings(cues, index));
    fb_buf_append_byte(buf, '\n');
    fb_buf_append(buf, origin_cue_text(cues, index));
    fb_buf_append_byte(buf, '\n');
}

void origin_cues_write(struct fb_buf *buf, const struct origin_cues *cues)
{
    fb_buf_append(buf, FB_STR("WEBVTT\n"));
    for (size_t i = 0; i < cues->n_cues; i++) {
        cues_put(buf, cues, i);
    }
}

/* Times of our fragments begin at 0, so cue time 0 is media time 0. */
void origin_cues_write_segment(struct fb_buf *buf, const struct origin_cues *cues, int64_t begin_ms,
                               int64_t end_ms)
{
    fb_buf_append(buf, FB_STR("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"));
    for (size_t i = 0; i < cues->n_cues && cues->cues[i].begin_ms < end_ms; i++) {
        if (cues->cues[i].end_ms > begin_ms) {
            cues_put(buf, cues, i);
        }
    }
}
