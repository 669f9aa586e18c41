/*
 * Subtitle files: whatever is read is written as WebVTT that reads as the same again.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/cues/cues.h"
#include "origin/cues/markup.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(origin_cues_done) struct origin_cues cues = {0};
    FB_AUTO(origin_cues_done) struct origin_cues again = {0};
    FB_AUTO(fb_buf_done) struct fb_buf once = {0};
    FB_AUTO(fb_buf_done) struct fb_buf twice = {0};
    FB_AUTO(fb_buf_done) struct fb_buf markup = {0};
    struct fb_str input = {(const char *)data, size};
    bool is_top = false;

    origin_markup_from_ass(&markup, input);
    origin_markup_clean(&once, fb_buf_str(&markup), &is_top);
    fb_buf_clear(&once);
    if (origin_cues_parse(input, &cues, NULL) < 0) {
        return 0;
    }
    origin_cues_write(&once, &cues);
    int err = origin_cues_parse(fb_buf_str(&once), &again, NULL);
    if (err == FB_E_LIMIT) {
        return 0; /* escaping made a text longer than one may be */
    }
    FB_REQUIRE(err == FB_OK);
    origin_cues_write(&twice, &again);
    FB_REQUIRE(fb_str_equal(fb_buf_str(&once), fb_buf_str(&twice)));
    fb_buf_clear(&once);
    origin_cues_write_segment(&once, &cues, 0, 4000);
    return 0;
}
