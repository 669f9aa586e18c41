/*
 * What reports cost: bytes for a million views, entries merged in a second, and how far off a
 * HyperLogLog of ten million is. Views are of a catalogue by Zipf's law (exponent 1) in five
 * renditions, spread evenly over the minutes; each is watched in one minute.
 *
 *     report-bench FOLDER        (for the spools; removed by whoever made it)
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "base/core/mix.h"
#include "base/sketch/hyperloglog.h"
#include "edge/report/spool.h"

#include <math.h>
#include <stdio.h>

enum { VIEWS = 1000000, RENDITIONS = 5, NAME = 24, MAX_ENTRIES = 200000, MINUTE = 29000000 };

static uint64_t state = 1;

static uint64_t draw(void)
{
    return fb_draw(&state);
}

/* A rank from 0 by Zipf's law, by the inverse of its continuous form. */
static uint64_t draw_rank(uint64_t n_videos)
{
    double u = (double)(draw() >> 11) / (double)(1ULL << 53);
    double place = exp(u * log((double)n_videos + 1));
    uint64_t rank = (uint64_t)place - 1;
    return FB_MIN(rank, n_videos - 1);
}

struct minute {
    struct fb_view_entry *entries;
    char (*names)[NAME];
    size_t n;
    struct fb_map *by_key;
};

static const char *const renditions[RENDITIONS] = {"1080p", "720p", "480p", "360p", "240p"};

static struct fb_view_entry *minute_entry(struct minute *m, uint64_t rank, size_t rendition,
                                          int64_t minute)
{
    char key[NAME];
    /* names as an origin gives: 22 letters and digits that say nothing */
    uint64_t mixed = (rank + 1) * 0x9e3779b97f4a7c15;
    int len = snprintf(key, sizeof(key), "%016llx%05llu%zu", (unsigned long long)mixed,
                       (unsigned long long)(mixed % 99991), rendition);
    struct fb_view_entry *entry = fb_map_find(m->by_key, (struct fb_str){key, (size_t)len});

    if (entry == NULL) {
        entry = &m->entries[m->n];
        snprintf(m->names[m->n], NAME, "%.*s", len - 1, key);
        *entry = (struct fb_view_entry){
            .video = fb_str_from(m->names[m->n]),
            .rendition = fb_str_from(renditions[rendition]),
            .minute = minute,
            .span = 1,
            .viewers = fb_hyperloglog_new(FB_VIEW_VIEWERS_PRECISION),
            .networks = fb_hyperloglog_new(FB_VIEW_NETWORKS_PRECISION),
        };
        m->n++;
        (void)fb_map_put(m->by_key, (struct fb_str){key, (size_t)len}, entry);
    }
    return entry;
}

static void minute_view(struct minute *m, uint64_t n_videos, int64_t minute)
{
    struct fb_view_entry *entry = minute_entry(m, draw_rank(n_videos), draw() % RENDITIONS, minute);
    uint64_t watch_ms = 10000 + draw() % 50000;
    uint64_t viewer = (draw() % VIEWS) * 0x9e3779b97f4a7c15;

    entry->views++;
    entry->capped++;
    entry->sessions++;
    entry->watch_ms += watch_ms;
    entry->ends += draw() % 3 == 0;
    entry->bytes += watch_ms * 400;
    entry->bytes_missed += draw() % 10 == 0 ? watch_ms * 40 : 0;
    entry->startups++;
    entry->startup[draw() % 4]++;
    entry->sources[draw() % FB_VIEW_SOURCES_N]++;
    entry->uncounted[FB_VIEW_TOO_SHORT] += draw() % 5 == 0;
    fb_hyperloglog_add(entry->viewers, viewer);
    fb_hyperloglog_add(entry->networks, viewer >> 44 << 44);
}

static struct edge_spool *spool_open(const char *folder, const char *name)
{
    char path[512];
    struct edge_spool *spool = NULL;
    struct fb_diag diag = {0};

    snprintf(path, sizeof(path), "%s/%s.db", folder, name);
    if (edge_spool_open(&(struct edge_spool_options){.path = path,
                                                     .node = fb_str_from(name),
                                                     .region = FB_STR("de-south"),
                                                     .max_bytes = UINT64_C(8) << 30,
                                                     .clock = fb_clock_system()},
                        &spool, &diag) < 0) {
        printf("%s\n", diag.text);
    }
    return spool;
}

static double seconds(void)
{
    uint64_t ns = fb_clock_mono_ns(fb_clock_system());
    return (double)ns / 1e9;
}

/* Sends what `from` has to `to`, and counts the bytes. */
static uint64_t move_all(struct edge_spool *from, struct edge_spool *to, double *seconds_in)
{
    uint64_t n_bytes = 0;
    struct edge_spool_batch batch = {0};
    struct edge_spool_answer answer;
    int err = FB_OK;

    do {
        while ((err = edge_spool_seal(from, edge_spool_id(to))) == FB_OK) {
        }
        err = edge_spool_batch(from, edge_spool_id(to), &batch);
        if (err == FB_OK) {
            n_bytes += batch.body.len;
            double begin = seconds();
            err = edge_spool_receive(to, FB_STR_NONE, fb_buf_str(&batch.body), &answer);
            *seconds_in += seconds() - begin;
        }
        if (err == FB_OK) {
            err = edge_spool_acked(from, edge_spool_id(to), batch.epoch, answer.acked);
        }
        edge_spool_batch_done(&batch);
    } while (err == FB_OK);
    return n_bytes;
}

static void mix(const char *folder, const char *name, uint64_t n_videos, size_t minutes)
{
    char above[64];
    struct minute m = {.entries = fb_alloc_array(MAX_ENTRIES, sizeof(struct fb_view_entry)),
                       .names = fb_alloc_array(MAX_ENTRIES, NAME)};
    struct edge_spool *edge = spool_open(folder, name);
    uint64_t n_entries = 0;
    uint64_t n_bytes = 0;
    double seconds_in = 0;
    double seconds_add = 0;

    snprintf(above, sizeof(above), "%s-above", name);
    struct edge_spool *regional = spool_open(folder, above);
    if (edge == NULL || regional == NULL) {
        return;
    }
    for (size_t i = 0; i < minutes; i++) {
        m.n = 0;
        m.by_key = fb_map_new(1);
        for (size_t v = 0; v < VIEWS / minutes; v++) {
            minute_view(&m, n_videos, MINUTE + (int64_t)i);
        }
        double begin = seconds();
        FB_IGNORE(
            edge_spool_add(edge, m.entries, m.n, NULL)); /* its bytes would be missing below */
        seconds_add += seconds() - begin;
        n_bytes += move_all(edge, regional, &seconds_in);
        n_entries += m.n;
        for (size_t e = 0; e < m.n; e++) {
            fb_view_entry_done(&m.entries[e]);
        }
        fb_map_free(m.by_key);
    }
    printf("%-24s %8llu entries  %6.2f MB a million views  %5.1f bytes an entry  add %.0f/s  "
           "receive %.0f/s\n",
           name, (unsigned long long)n_entries, (double)n_bytes / 1e6,
           (double)n_bytes / (double)n_entries, (double)n_entries / seconds_add,
           (double)n_entries / seconds_in);
    edge_spool_close(edge);
    edge_spool_close(regional);
    fb_free(m.entries);
    fb_free(m.names);
}

static void sketch(uint64_t n)
{
    enum { MERGES = 100000 };
    struct fb_hyperloglog *a = fb_hyperloglog_new(FB_VIEW_VIEWERS_PRECISION);
    struct fb_hyperloglog *b = fb_hyperloglog_new(FB_VIEW_VIEWERS_PRECISION);

    double begin = seconds();
    for (uint64_t i = 0; i < n; i++) {
        fb_hyperloglog_add(a, draw());
    }
    double adding = seconds() - begin;
    begin = seconds();
    for (size_t i = 0; i < MERGES; i++) {
        fb_hyperloglog_merge(b, a);
    }
    double merging = seconds() - begin;
    uint64_t estimate = fb_hyperloglog_estimate(a);
    printf("hyperloglog of %llu: %+.2f %%, %.1f million adds/s, %.2f million merges/s, %zu bytes\n",
           (unsigned long long)n, 100 * ((double)estimate / (double)n - 1),
           (double)n / adding / 1e6, MERGES / merging / 1e6, fb_hyperloglog_memory(a));
    fb_hyperloglog_free(a);
    fb_hyperloglog_free(b);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        printf("usage: report-bench FOLDER\n");
        return 2;
    }
    for (uint64_t n = 100; n <= 10000000; n *= 10) {
        sketch(n);
    }
    mix(argv[1], "isp-box-10k-videos", 10000, 240);
    mix(argv[1], "isp-box-100k-videos", 100000, 240);
    mix(argv[1], "busy-10k-videos", 10000, 10);
    return 0;
}
