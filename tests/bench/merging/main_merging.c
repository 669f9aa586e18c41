/*
 * What it costs the origin to take reports in: reports and entries merged per second, each request
 * one durable transaction, in one thread.
 *
 *     merging-bench FOLDER [VIDEOS] [ENTRIES] [REPORTS]
 *
 * Prints a line for requests of one report and one for requests of eight, as after an outage.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/mix.h"
#include "base/metrics/metrics.h"
#include "base/sketch/hyperloglog.h"
#include "origin/catalog/users.h"
#include "origin/catalog/videos.h"
#include "origin/views/views_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { NODES = 8, VIEWERS = 5 };

struct bench {
    struct origin_catalog *catalog;
    struct origin_views *views;
    struct origin_id *videos; /* owned */
    size_t n_videos;
    size_t n_entries; /* of a report */
    size_t n_reports;
    uint64_t random;
};

struct node {
    uint64_t epoch;
    uint64_t sequence;
    uint8_t digest[FB_VIEW_DIGEST_SIZE];
};

static uint64_t draw(struct bench *bench)
{
    return fb_draw(&bench->random);
}

static void must(int err, const char *what)
{
    if (err < 0) {
        (void)fprintf(stderr, "merging-bench: %s: %s\n", what, fb_err_text(err));
        exit(1);
    }
}

/* Entries of different videos, in the minute of the report. */
static void report_add(struct bench *bench, struct node *node, struct fb_buf *body)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct fb_view_entry *entries = fb_alloc(bench->n_entries * sizeof(*entries));
    int64_t now_ms = fb_clock_wall_ms(fb_clock_system());
    size_t first = (size_t)(draw(bench) % bench->n_videos);

    for (size_t i = 0; i < bench->n_entries; i++) {
        const struct origin_id *video = &bench->videos[(first + i) % bench->n_videos];
        entries[i] = (struct fb_view_entry){
            .video = origin_id_str(video),
            .rendition = FB_STR("720p"),
            .minute = now_ms / 60000,
            .span = 1,
            .views = VIEWERS,
            .capped = VIEWERS,
            .sessions = VIEWERS + 1,
            .watch_ms = VIEWERS * 30000,
            .bytes = VIEWERS * UINT64_C(4000000),
            .startups = VIEWERS,
            .viewers = fb_hyperloglog_new(FB_VIEW_VIEWERS_PRECISION),
            .networks = fb_hyperloglog_new(FB_VIEW_NETWORKS_PRECISION),
        };
        entries[i].sources[FB_VIEW_FEED] = VIEWERS;
        entries[i].startup[2] = VIEWERS;
        for (int k = 0; k < VIEWERS; k++) {
            fb_hyperloglog_add(entries[i].viewers, draw(bench));
            fb_hyperloglog_add(entries[i].networks, draw(bench));
        }
    }
    struct fb_view_report report = {
        .node = FB_STR("edge"),
        .region = FB_STR("de-south"),
        .epoch = node->epoch,
        .sequence = ++node->sequence,
        .made_ms = now_ms,
        .entries = entries,
        .n_entries = bench->n_entries,
    };
    memcpy(report.previous, node->digest, sizeof(report.previous));
    must(fb_view_report_encode(&report, &bytes), "encode a report");
    fb_view_report_digest(fb_buf_str(&bytes), node->digest);
    fb_view_batch_add(body, fb_buf_str(&bytes));
    for (size_t i = 0; i < bench->n_entries; i++) {
        fb_view_entry_done(&entries[i]);
    }
    fb_free(entries);
}

static double cpu_s(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void run(struct bench *bench, size_t batch, uint64_t epoch)
{
    struct node nodes[NODES];
    size_t n_bodies = bench->n_reports / batch;
    struct fb_buf *bodies = fb_alloc(n_bodies * sizeof(*bodies));
    uint64_t n_bytes = 0;

    memset(nodes, 0, sizeof(nodes));
    memset(bodies, 0, n_bodies * sizeof(*bodies));
    for (size_t i = 0; i < n_bodies; i++) {
        struct node *node = &nodes[i % NODES];
        node->epoch = epoch + i % NODES;
        for (size_t k = 0; k < batch; k++) {
            report_add(bench, node, &bodies[i]);
        }
        n_bytes += bodies[i].len;
    }
    double cpu = cpu_s();
    uint64_t since_ns = fb_clock_mono_ns(fb_clock_system());
    for (size_t i = 0; i < n_bodies; i++) {
        struct origin_views_answer answer = {.acked = 0};
        must(origin_views_take(bench->views, fb_buf_str(&bodies[i]), &answer), "take reports");
        fb_buf_done(&answer.node);
    }
    double seconds = (double)(fb_clock_mono_ns(fb_clock_system()) - since_ns) / 1e9;
    size_t n_reports = n_bodies * batch;
    double n_entries = (double)(n_reports * bench->n_entries);
    (void)printf("%zu a request: %.0f reports/s, %.0f entries/s, %.1f us CPU an entry, "
                 "%.1f bytes an entry\n",
                 batch, (double)n_reports / seconds, n_entries / seconds,
                 (cpu_s() - cpu) / n_entries * 1e6, (double)n_bytes / n_entries);
    for (size_t i = 0; i < n_bodies; i++) {
        fb_buf_done(&bodies[i]);
    }
    fb_free(bodies);
}

static void make_videos(struct bench *bench)
{
    struct origin_video video = {.title = FB_STR("t"),
                                 .description = FB_STR(""),
                                 .tags = FB_STR("[]"),
                                 .filename = FB_STR("f"),
                                 .source_bytes = 1};
    must(
        origin_catalog_user_add(bench->catalog, FB_STR("a@example.org"), FB_STR("x"), &video.owner),
        "make an account");
    bench->videos = fb_alloc(bench->n_videos * sizeof(*bench->videos));
    for (size_t i = 0; i < bench->n_videos; i++) {
        video.id = bench->videos[i] = origin_id_new();
        must(origin_catalog_video_add(bench->catalog, &video), "make a video");
    }
}

static size_t number(int argc, char **argv, int i, size_t preset)
{
    uint64_t n = preset;
    return argc > i && fb_str_to_u64(fb_str_from(argv[i]), &n) == FB_OK && n > 0 ? (size_t)n
                                                                                 : preset;
}

int main(int argc, char **argv)
{
    struct bench bench = {
        .n_videos = number(argc, argv, 2, 2000),
        .n_entries = number(argc, argv, 3, 200),
        .n_reports = number(argc, argv, 4, 400),
        .random = 7,
    };
    char url[512];

    if (argc < 2) {
        (void)fprintf(stderr, "usage: merging-bench FOLDER [VIDEOS] [ENTRIES] [REPORTS]\n");
        return 2;
    }
    (void)snprintf(url, sizeof(url), "sqlite:%s/origin.db", argv[1]);
    must(origin_catalog_open(fb_str_from(url), 2, fb_clock_system(), &bench.catalog, NULL),
         "open the catalog");
    struct fb_metrics *metrics = fb_metrics_new();
    bench.views = origin_views_new(&(struct origin_views_options){
        .catalog = bench.catalog, .clock = fb_clock_system(), .metrics = metrics});
    make_videos(&bench);
    (void)printf("%zu videos, %zu entries a report\n", bench.n_videos, bench.n_entries);
    run(&bench, 1, 1);
    run(&bench, NODES, 100);
    origin_views_free(bench.views);
    fb_metrics_free(metrics);
    origin_catalog_close(bench.catalog);
    fb_free(bench.videos);
    return 0;
}
