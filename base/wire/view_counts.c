#include "base/core/err.h"
#include "base/core/varint.h"
#include "base/sketch/hyperloglog.h"
#include "base/wire/view_entry.h"
#include "base/wire/view_internal.h"

/*
 *     counts = n which | n number … | sketch …
 *
 * The low bits of `which` say which numbers follow, the two above them which sketches.
 */
enum { VIEWERS_BIT = FB_VIEW_NUMBERS_N, NETWORKS_BIT, BITS };

static uint64_t bit(unsigned n)
{
    return UINT64_C(1) << n;
}

void fb_view_counts_encode(const struct fb_view_entry *entry, struct fb_buf *to)
{
    struct fb_view_entry copy = *entry;
    uint64_t which = 0;

    for (unsigned i = 0; i < FB_VIEW_NUMBERS_N; i++) {
        which |= *fb_view_entry_number(&copy, i) != 0 ? bit(i) : 0;
    }
    which |= fb_hyperloglog_is_empty(entry->viewers) ? 0 : bit(VIEWERS_BIT);
    which |= fb_hyperloglog_is_empty(entry->networks) ? 0 : bit(NETWORKS_BIT);
    fb_varint_append(to, which);
    for (unsigned i = 0; i < FB_VIEW_NUMBERS_N; i++) {
        if ((which & bit(i)) != 0) {
            fb_varint_append(to, *fb_view_entry_number(&copy, i));
        }
    }
    if ((which & bit(VIEWERS_BIT)) != 0) {
        fb_hyperloglog_encode(entry->viewers, to);
    }
    if ((which & bit(NETWORKS_BIT)) != 0) {
        fb_hyperloglog_encode(entry->networks, to);
    }
}

static int counts_take(struct fb_str *bytes, struct fb_view_entry *entry)
{
    uint64_t which = 0;

    int err = fb_varint_take(bytes, &which);
    if (err == FB_OK && which >= bit(BITS)) {
        err = FB_E_UNSUPPORTED;
    }
    for (unsigned i = 0; i < FB_VIEW_NUMBERS_N && err == FB_OK; i++) {
        if ((which & bit(i)) != 0) {
            err = fb_varint_take(bytes, fb_view_entry_number(entry, i));
        }
    }
    if (err == FB_OK && (which & bit(VIEWERS_BIT)) != 0) {
        err = fb_hyperloglog_decode(bytes, FB_VIEW_VIEWERS_PRECISION, &entry->viewers);
    }
    if (err == FB_OK && (which & bit(NETWORKS_BIT)) != 0) {
        err = fb_hyperloglog_decode(bytes, FB_VIEW_NETWORKS_PRECISION, &entry->networks);
    }
    return err == FB_OK && bytes->len > 0 ? FB_E_MALFORMED : err;
}

int fb_view_counts_merge(struct fb_view_entry *into, struct fb_str bytes)
{
    FB_AUTO(fb_view_entry_done) struct fb_view_entry entry = {0};

    int err = counts_take(&bytes, &entry);
    if (err == FB_OK) {
        fb_view_entry_merge(into, &entry);
    }
    return err;
}
