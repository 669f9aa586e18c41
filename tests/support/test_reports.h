/*
 * For tests of reports: entries made by chance, a ledger of what they say, and a receiver that does
 * what an origin does, in memory.
 */
#pragma once

#include "base/core/check.h"
#include "base/core/err.h"
#include "base/sketch/hyperloglog.h"
#include "base/wire/view_report.h"
#include "tests/support/test_random.h"

#include <stdio.h>
#include <string.h>

enum { TEST_VIDEOS = 5, TEST_STREAMS = 4096, TEST_NODE_MAX = 32 };

/* All that has to arrive: sums by video, who watched, and totals. */
struct test_ledger {
    struct fb_view_entry videos[TEST_VIDEOS];
    struct fb_view_totals totals;
};

static const char *const test_videos[TEST_VIDEOS] = {"a", "bb", "ccc", "v-4", "v-5"};

static inline void test_ledger_done(struct test_ledger *ledger)
{
    for (size_t i = 0; i < TEST_VIDEOS; i++) {
        fb_view_entry_done(&ledger->videos[i]);
    }
}

static inline void test_ledger_add(struct test_ledger *ledger, const struct fb_view_entry *entries,
                                   size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t video = 0;
        while (!fb_str_equal(entries[i].video, fb_str_from(test_videos[video]))) {
            FB_REQUIRE(++video < TEST_VIDEOS);
        }
        fb_view_entry_merge(&ledger->videos[video], &entries[i]);
    }
}

static inline bool test_ledger_same(const struct test_ledger *a, const struct test_ledger *b)
{
    bool same = a->totals.bytes_served == b->totals.bytes_served;

    for (size_t i = 0; i < TEST_VIDEOS; i++) {
        struct fb_buf x = {0};
        struct fb_buf y = {0};
        fb_view_counts_encode(&a->videos[i], &x);
        fb_view_counts_encode(&b->videos[i], &y);
        same = same && fb_str_equal(fb_buf_str(&x), fb_buf_str(&y));
        fb_buf_done(&x);
        fb_buf_done(&y);
    }
    return same;
}

static inline void test_entries_done(struct fb_view_entry *entries, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fb_view_entry_done(&entries[i]);
    }
}

/* `n` entries of the minutes up to `minute`; their sketches are the caller's. */
static inline void test_entries_make(struct test_random *random, int64_t minute,
                                     struct fb_view_entry *entries, size_t n)
{
    static const struct fb_str renditions[] = {{"", 0}, {"720p", 4}, {"360p", 4}};

    for (size_t i = 0; i < n; i++) {
        uint64_t views = test_random_below(random, 4);
        entries[i] = (struct fb_view_entry){
            .video = fb_str_from(test_videos[test_random_below(random, TEST_VIDEOS)]),
            .rendition = renditions[test_random_below(random, 3)],
            .minute = minute - (int64_t)test_random_below(random, 3),
            .span = 1,
            .views = views,
            .sessions = views + test_random_below(random, 2),
            .watch_ms = test_random_below(random, 100000),
            .bytes = test_random_next(random) >> 30,
            .uncounted = {test_random_below(random, 3)},
            .sources = {views},
        };
        for (uint64_t v = 0; v < views; v++) {
            uint64_t viewer = test_random_below(random, 5000) * 0x9e3779b97f4a7c15;
            if (entries[i].viewers == NULL) {
                entries[i].viewers = fb_hyperloglog_new(FB_VIEW_VIEWERS_PRECISION);
                entries[i].networks = fb_hyperloglog_new(FB_VIEW_NETWORKS_PRECISION);
            }
            fb_hyperloglog_add(entries[i].viewers, viewer);
            fb_hyperloglog_add(entries[i].networks, viewer >> 50 << 50);
        }
    }
}

/* A receiver at the end of the way: the decision is the shared code's, and what is applied is kept
 * together with the number or not at all. */
struct test_origin {
    char id[FB_VIEW_RECEIVER_SIZE + 1];
    struct test_ledger ledger;
    struct test_origin_stream {
        char node[TEST_NODE_MAX];
        uint64_t epoch;
        struct fb_view_stream last;
    } streams[TEST_STREAMS];
    size_t n_streams;
    size_t n_applied;
    size_t n_repeated;
};

struct test_origin_answer {
    unsigned status; /* 200, 400 or 409 */
    uint64_t epoch;
    uint64_t acked;
    uint64_t refused;
};

static inline struct test_origin_stream *test_origin_stream(struct test_origin *origin,
                                                            const struct fb_view_report *report)
{
    for (size_t i = 0; i < origin->n_streams; i++) {
        struct test_origin_stream *stream = &origin->streams[i];
        if (stream->epoch == report->epoch &&
            fb_str_equal(fb_str_from(stream->node), report->node)) {
            return stream;
        }
    }
    FB_REQUIRE(origin->n_streams < TEST_STREAMS && report->node.len < TEST_NODE_MAX);
    struct test_origin_stream *stream = &origin->streams[origin->n_streams++];
    stream->epoch = report->epoch;
    memcpy(stream->node, report->node.ptr, report->node.len);
    return stream;
}

static inline void test_origin_take(struct test_origin *origin, struct fb_str bytes,
                                    struct test_origin_answer *answer)
{
    struct fb_view_report report = {0};
    uint8_t digest[FB_VIEW_DIGEST_SIZE];

    if (fb_view_report_decode(bytes, &report) < 0) {
        answer->status = 400;
        return;
    }
    fb_view_report_digest(bytes, digest);
    struct test_origin_stream *stream = test_origin_stream(origin, &report);
    enum fb_view_verdict verdict = fb_view_report_judge(&stream->last, &report, digest);
    if (verdict == FB_VIEW_APPLY) {
        origin->n_applied++;
        test_ledger_add(&origin->ledger, report.entries, report.n_entries);
        fb_view_totals_add(&origin->ledger.totals, &report.totals);
        stream->last.sequence = report.sequence;
        memcpy(stream->last.digest, digest, sizeof(digest));
    } else if (verdict == FB_VIEW_REPEATED) {
        origin->n_repeated++;
    } else {
        answer->status = 409;
        answer->refused = report.sequence;
    }
    answer->epoch = report.epoch;
    answer->acked = stream->last.sequence;
    fb_view_report_done(&report);
}

static inline struct test_origin_answer test_origin_receive(struct test_origin *origin,
                                                            struct fb_str body)
{
    struct test_origin_answer answer = {.status = 200};
    struct fb_str bytes;

    while (answer.status == 200 && fb_view_batch_next(&body, &bytes) == FB_OK) {
        test_origin_take(origin, bytes, &answer);
    }
    return answer;
}
