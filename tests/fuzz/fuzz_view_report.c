/*
 * Reports of views: as they come, and the plain form that Zstandard's checksum would hide. What is
 * decoded is encoded to the same again.
 */
#include "base/compress/compress.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/wire/view_report.h"

#include <stdint.h>

enum { HEAD = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plain_of(struct fb_str bytes, struct fb_buf *plain)
{
    FB_REQUIRE(fb_decompress(fb_str_skip(bytes, HEAD), FB_VIEW_PLAIN_MAX, plain) == FB_OK);
}

static void try_report(struct fb_str bytes)
{
    FB_AUTO(fb_view_report_done) struct fb_view_report report = {0};
    FB_AUTO(fb_buf_done) struct fb_buf again = {0};
    FB_AUTO(fb_buf_done) struct fb_buf was = {0};
    FB_AUTO(fb_buf_done) struct fb_buf is = {0};

    if (fb_view_report_decode(bytes, &report) != FB_OK) {
        return;
    }
    FB_REQUIRE(fb_view_report_encode(&report, &again) == FB_OK);
    plain_of(bytes, &was);
    plain_of(fb_buf_str(&again), &is);
    FB_REQUIRE(fb_str_equal(fb_buf_str(&was), fb_buf_str(&is)));
}

static void try_batch(struct fb_str rest)
{
    struct fb_str report;

    while (fb_view_batch_next(&rest, &report) == FB_OK) {
        FB_REQUIRE(report.len > 0 && report.len <= FB_VIEW_REPORT_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str input = {(const char *)data, size};
    FB_AUTO(fb_buf_done) struct fb_buf framed = {0};
    FB_AUTO(fb_view_entry_done) struct fb_view_entry entry = {0};

    try_report(input);
    try_batch(input);
    fb_buf_append(&framed, (struct fb_str){"FBVR\1", HEAD});
    FB_REQUIRE(fb_compress(input, &framed) == FB_OK);
    try_report(fb_buf_str(&framed));
    FB_IGNORE(fb_view_counts_merge(&entry, input)); /* whatever it says, it ends */
    return 0;
}
