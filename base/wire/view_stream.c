#include "base/core/err.h"
#include "base/core/varint.h"
#include "base/wire/view_report.h"

#include <string.h>

enum fb_view_verdict fb_view_report_judge(const struct fb_view_stream *last,
                                          const struct fb_view_report *report,
                                          const uint8_t digest[FB_VIEW_DIGEST_SIZE])
{
    if (report->sequence > last->sequence && report->sequence - last->sequence > 1) {
        return FB_VIEW_GAP;
    }
    if (report->sequence > last->sequence) {
        bool is_next = memcmp(report->previous, last->digest, FB_VIEW_DIGEST_SIZE) == 0;
        return is_next ? FB_VIEW_APPLY : FB_VIEW_CHANGED;
    }
    bool is_other = report->sequence == last->sequence &&
                    memcmp(digest, last->digest, FB_VIEW_DIGEST_SIZE) != 0;
    return is_other ? FB_VIEW_CHANGED : FB_VIEW_REPEATED;
}

void fb_view_batch_add(struct fb_buf *body, struct fb_str report)
{
    fb_varint_append(body, report.len);
    fb_buf_append(body, report);
}

int fb_view_batch_next(struct fb_str *rest, struct fb_str *ret_report)
{
    struct fb_str after = *rest;
    uint64_t len = 0;

    if (after.len == 0) {
        return FB_E_END;
    }
    int err = fb_varint_take(&after, &len);
    if (err < 0) {
        return err;
    }
    if (len > FB_VIEW_REPORT_MAX) {
        return FB_E_LIMIT;
    }
    if (len == 0 || len > after.len) {
        return FB_E_MALFORMED;
    }
    *ret_report = fb_str_first(after, (size_t)len);
    *rest = fb_str_skip(after, (size_t)len);
    return FB_OK;
}
