/*
 * A day of a region with everybody in it: the edges' counting and the origin's trending, the code
 * that is shipped, in one process under one clock.
 *
 *     viewers ──► edge/views of four boxes ──► reports, 40 s under way ──► origin/views ──►
 * trending
 *
 * Videos are chosen by Zipf's law (0.9), sessions follow the hours of the day, viewers leave after
 * a number of segments that is geometric. At 18:00 a video is released; from 20:00 to 21:00 a crowd
 * comes to an old one. From 19:00 on somebody tries to buy a place for each of four others: by
 * sessions of one network, by one viewer again and again, by likes and shares of accounts just
 * made, and by those of old accounts in one network.
 *
 *     crowd-bench FOLDER [SESSIONS] [VIDEOS]
 *
 * Tells when the crowd's video came to the first place of each list, and how high the bought ones
 * came; fails if the crowd waited for more than two minutes or a bought one was among the first
 * ten.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/mix.h"
#include "base/core/text.h"
#include "base/db/db.h"
#include "base/metrics/metrics.h"
#include "base/wire/view_report.h"
#include "edge/views/sessions.h"
#include "origin/catalog/shares.h"
#include "origin/catalog/users.h"
#include "origin/catalog/videos.h"
#include "origin/trending/trending.h"
#include "origin/views/views_internal.h"
#include "tests/support/test_clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BOXES = 4,
    VIEWERS = 100000,
    PER_NETWORK = 5,
    TICK_MS = 4000, /* a segment's length too */
    EVERY_MS = 20000,
    UNDER_WAY_MS = 40000, /* an edge's and the regional node's `reports.every` */
    ROUND_MS = 30000,
    CALM_MS = 600000, /* between rounds before anything happens */
    HOUR_MS = 3600000,
    END_MS = 22 * HOUR_MS,
    RELEASE_MS = 18 * HOUR_MS,
    BUYERS_MS = 19 * HOUR_MS,
    CROWD_MS = 20 * HOUR_MS,
    TOP = 10,
    MAX_PLAYING = 200000,
    MAX_SEGMENTS = 40,
    ACCOUNTS = 300
};

static const unsigned by_hour[24] = {10, 5,  3,  2,  2,  3,  6,  10, 12, 13, 14, 15,
                                     17, 16, 15, 16, 18, 22, 28, 35, 40, 40, 30, 20};

enum bought { BY_NETWORK, BY_REPEATING, BY_FRESH_ACCOUNTS, BY_OLD_ACCOUNTS, BOUGHT_N };
static const char *const bought_names[BOUGHT_N] = {
    "10,000 sessions of one network", "one viewer, 2,000 times", "300 accounts just made",
    "300 old accounts of one network"};

static const char *const window_names[] = {"1h", "24h", "7d"};

struct playing {
    uint32_t video;
    uint32_t viewer; /* from VIEWERS on: those who buy */
    uint32_t serial;
    uint16_t next;
    uint16_t end;
};

struct box {
    struct day *day;
    struct edge_sessions *sessions;
    struct fb_view_stream stream;
    uint64_t epoch;
};

struct under_way {
    struct fb_buf body;
    int64_t due_ms;
};

struct day {
    struct test_clock clock;
    int64_t midnight_ms;
    uint64_t chance;
    struct origin_catalog *catalog;
    struct origin_views *views;
    struct origin_trending *trending;
    struct origin_id owner;
    struct origin_id *videos; /* owned; the most popular first, then the special ones */
    double *shares;           /* owned; running sums of Zipf's weights */
    size_t n_videos;
    uint32_t released, crowd, bought[BOUGHT_N];
    struct origin_id accounts[2][ACCOUNTS]; /* old ones, fresh ones */
    struct box boxes[BOXES];
    struct playing *playing; /* owned */
    size_t n_playing;
    uint32_t serial;
    struct under_way *waiting; /* owned; in the order of time */
    size_t n_waiting, first_waiting;
    int64_t top_ms[ORIGIN_TRENDING_N_WINDOWS];   /* when the crowd's was of the first ten, */
    int64_t first_ms[ORIGIN_TRENDING_N_WINDOWS]; /* and the first, since it came; -1: not yet */
    uint32_t best[BOUGHT_N][ORIGIN_TRENDING_N_WINDOWS];
};

static void must(int err, const char *what)
{
    if (err < 0) {
        (void)fprintf(stderr, "crowd-bench: %s: %s\n", what, fb_err_text(err));
        exit(1);
    }
}

static double chance(struct day *day)
{
    return (double)(fb_draw(&day->chance) >> 11) / 9007199254740992.0;
}

static int64_t of_day_ms(const struct day *day)
{
    return day->clock.wall_now_ms - day->midnight_ms;
}

/* ---- from the boxes to the origin -------------------------------------------------------- */

static void on_entries(void *ctx, const struct fb_view_entry *entries, size_t n)
{
    struct box *box = ctx;
    struct day *day = box->day;
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct fb_view_entry *copies = fb_alloc(n * sizeof(*copies)); /* sketches stay the lender's */
    memcpy(copies, entries, n * sizeof(*copies));
    struct fb_view_report report = {
        .node = FB_STR("box"),
        .region = FB_STR("de-south"),
        .epoch = box->epoch,
        .sequence = ++box->stream.sequence,
        .made_ms = day->clock.wall_now_ms,
        .entries = copies,
        .n_entries = n,
    };

    memcpy(report.previous, box->stream.digest, sizeof(report.previous));
    must(fb_view_report_encode(&report, &bytes), "encode a report");
    fb_free(copies);
    fb_view_report_digest(fb_buf_str(&bytes), box->stream.digest);
    day->waiting = fb_realloc(day->waiting, (day->n_waiting + 1) * sizeof(*day->waiting));
    struct under_way *way = &day->waiting[day->n_waiting++];
    *way = (struct under_way){.due_ms = day->clock.wall_now_ms + UNDER_WAY_MS};
    fb_view_batch_add(&way->body, fb_buf_str(&bytes));
}

static void arrive(struct day *day)
{
    while (day->first_waiting < day->n_waiting &&
           day->waiting[day->first_waiting].due_ms <= day->clock.wall_now_ms) {
        struct under_way *way = &day->waiting[day->first_waiting++];
        struct origin_views_answer answer = {.acked = 0};

        must(origin_views_take(day->views, fb_buf_str(&way->body), &answer), "take a report");
        fb_buf_done(&answer.node);
        fb_buf_done(&way->body);
    }
}

/* ---- who watches ------------------------------------------------------------------------- */

static struct fb_network network_of(uint32_t network, uint32_t host)
{
    struct fb_network address = {.bits = 128};

    address.bytes[12] = (uint8_t)(network >> 16);
    address.bytes[13] = (uint8_t)(network >> 8);
    address.bytes[14] = (uint8_t)network;
    address.bytes[15] = (uint8_t)host;
    return address;
}

static void begin(struct day *day, uint32_t video, uint32_t viewer, double stay)
{
    uint16_t n = 1;

    while (n < MAX_SEGMENTS && chance(day) < stay) {
        n++;
    }
    if (day->n_playing < MAX_PLAYING) {
        day->playing[day->n_playing++] = (struct playing){
            .video = video, .viewer = viewer, .serial = day->serial++, .next = 1, .end = n};
    }
}

static void fetch(struct day *day, const struct playing *one)
{
    char sid[32];
    bool is_bought = one->viewer >= VIEWERS;
    uint32_t network = is_bought ? 0x800000 : one->viewer / PER_NETWORK;
    uint32_t host = is_bought ? one->viewer - VIEWERS : one->viewer % PER_NETWORK;

    (void)snprintf(sid, sizeof(sid), "session-%u", one->serial);
    struct edge_view_fact fact = {
        .kind = EDGE_VIEW_MEDIA,
        .mono_ms = day->clock.mono_now_ns / 1000000,
        .wall_ms = day->clock.wall_now_ms,
        .sid = fb_str_from(sid),
        .agent = FB_STR("a player"),
        .address = network_of(network, host),
        .network = network_of(network, 0),
        .video = origin_id_str(&day->videos[one->video]),
        .rendition = FB_STR("720p"),
        .segment = one->next,
        .media_ms = TICK_MS,
        .bytes = 1000000,
        .is_ok = true,
        .is_whole = true,
    };
    fact.network.bits = 120;
    edge_sessions_add(day->boxes[network % BOXES].sessions, &fact);
}

static uint32_t usual_video(struct day *day)
{
    double at = chance(day) * day->shares[day->n_videos - 1];
    size_t low = 0;
    size_t high = day->n_videos - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (day->shares[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (uint32_t)low;
}

/* So many as chance brings of `per_hour` in one tick. */
static unsigned arrivals(struct day *day, double per_hour)
{
    double mean = per_hour * TICK_MS / HOUR_MS;
    unsigned n = (unsigned)mean;

    return n + (chance(day) < mean - n ? 1 : 0);
}

static uint32_t anybody(struct day *day)
{
    return (uint32_t)(fb_draw(&day->chance) % VIEWERS);
}

static void come(struct day *day, double sessions)
{
    int64_t now = of_day_ms(day);
    double weight = 0;

    for (int i = 0; i < 24; i++) {
        weight += by_hour[i];
    }
    unsigned n = arrivals(day, sessions * by_hour[now / HOUR_MS] / weight);
    for (unsigned i = 0; i < n; i++) {
        bool is_new = now >= RELEASE_MS && chance(day) < 1.0 / 7;
        begin(day, is_new ? day->released : usual_video(day), anybody(day), 0.88);
    }
    if (now >= CROWD_MS && now < CROWD_MS + HOUR_MS) {
        n = arrivals(day, sessions / 8);
        for (unsigned i = 0; i < n; i++) {
            begin(day, day->crowd, anybody(day), 0.88);
        }
    }
    if (now >= BUYERS_MS && now < BUYERS_MS + HOUR_MS) {
        n = arrivals(day, 10000);
        for (unsigned i = 0; i < n; i++) {
            begin(day, day->bought[BY_NETWORK], VIEWERS + 1 + day->serial % 250, 0.97);
        }
        n = arrivals(day, 2000);
        for (unsigned i = 0; i < n; i++) {
            begin(day, day->bought[BY_REPEATING], VIEWERS, 0.97);
        }
    }
}

static void play(struct day *day)
{
    size_t kept = 0;

    for (size_t i = 0; i < day->n_playing; i++) {
        struct playing *one = &day->playing[i];
        fetch(day, one);
        if (++one->next <= one->end) {
            day->playing[kept++] = *one;
        }
    }
    day->n_playing = kept;
    for (int i = 0; i < BOXES; i++) {
        edge_sessions_advance(day->boxes[i].sessions, day->clock.mono_now_ns / 1000000,
                              day->clock.wall_now_ms);
    }
}

static bool is_bot(void *ctx, struct fb_str agent)
{
    (void)ctx;
    (void)agent;
    return false;
}

/* ---- accounts ---------------------------------------------------------------------------- */

static void make_accounts(struct day *day, int which)
{
    for (int i = 0; i < ACCOUNTS; i++) {
        char email[64];
        (void)snprintf(email, sizeof(email), "a%d-%d@example.org", which, i);
        must(origin_catalog_user_add(day->catalog, fb_str_from(email), FB_STR("x"),
                                     &day->accounts[which][i]),
             "make an account");
    }
}

static void like_and_share(struct day *day, const struct origin_actor *actor, uint32_t video)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct origin_video_counters counters;
    struct origin_once once = {.key = FB_STR_NONE};
    struct fb_str earlier;

    must(origin_catalog_reaction_put(day->catalog, ORIGIN_REACTION_LIKE, actor, &day->videos[video],
                                     &counters),
         "like");
    must(origin_catalog_share_add(day->catalog, &arena,
                                  &(struct origin_share){.actor = *actor,
                                                         .video = day->videos[video],
                                                         .channel = FB_STR("link")},
                                  &once, &earlier),
         "share");
}

/* Fresh ones come from as many networks as they are; old ones from one. */
static void buy(struct day *day)
{
    make_accounts(day, 1);
    for (int i = 0; i < ACCOUNTS; i++) {
        struct origin_actor fresh = {.user = day->accounts[1][i], .network = 1000 + (uint64_t)i};
        struct origin_actor old = {.user = day->accounts[0][i], .network = 7};
        like_and_share(day, &fresh, day->bought[BY_FRESH_ACCOUNTS]);
        like_and_share(day, &old, day->bought[BY_OLD_ACCOUNTS]);
    }
}

/* ---- what trends ------------------------------------------------------------------------- */

static void look(struct day *day)
{
    struct origin_snapshot *snapshot = origin_trending_hold(day->trending);
    int64_t now = of_day_ms(day);

    for (int w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
        const struct origin_snapshot_video *found =
            origin_snapshot_find(snapshot, &day->videos[day->crowd]);
        uint32_t rank = found != NULL && now >= CROWD_MS ? found->ranks[w] : 0;
        if (rank == 1 && day->first_ms[w] < 0) {
            day->first_ms[w] = now - CROWD_MS;
        }
        if (rank > 0 && rank <= TOP && day->top_ms[w] < 0) {
            day->top_ms[w] = now - CROWD_MS;
        }
        for (int i = 0; i < BOUGHT_N; i++) {
            found = origin_snapshot_find(snapshot, &day->videos[day->bought[i]]);
            if (found != NULL && found->ranks[w] > 0 && found->ranks[w] < day->best[i][w]) {
                day->best[i][w] = found->ranks[w];
            }
        }
    }
    origin_snapshot_unref(snapshot);
}

static void run(struct day *day, double sessions)
{
    int64_t round_ms = 0;
    bool has_bought = false;

    for (int64_t now = 0; now < END_MS; now = of_day_ms(day)) {
        come(day, sessions);
        play(day);
        arrive(day);
        if (now >= BUYERS_MS && !has_bought) {
            buy(day);
            has_bought = true;
        }
        if (now >= round_ms) {
            must(origin_trending_run(day->trending), "make a round");
            look(day);
            round_ms = now + (now < RELEASE_MS ? CALM_MS : ROUND_MS);
        }
        test_clock_advance_ms(&day->clock, TICK_MS);
    }
}

/* ---- making and telling ------------------------------------------------------------------ */

static void describe(void *ctx, const struct origin_video *video, struct fb_buf *json)
{
    (void)ctx;
    fb_buf_printf(json, "\"%s\"", video->id.text);
}

/* What transcoding would do in time. */
static void publish_all(const char *path)
{
    struct fb_db *db = NULL;

    must(fb_db_open(path, NULL, &db, NULL), "open the catalog beside itself");
    struct fb_db_query q = fb_db_query(
        db, "UPDATE videos SET status = 'ready', version = '0123456789abcdef', published_ms = 1");
    must(fb_db_run(&q), "publish");
    fb_db_query_done(&q);
    fb_db_close(db);
}

static void make_videos(struct day *day)
{
    struct origin_video video = {.title = FB_STR("t"),
                                 .description = FB_STR(""),
                                 .tags = FB_STR("[]"),
                                 .filename = FB_STR("f"),
                                 .source_bytes = 1};
    size_t n = day->n_videos + 2 + BOUGHT_N;
    double sum = 0;

    must(origin_catalog_user_add(day->catalog, FB_STR("o@example.org"), FB_STR("x"), &video.owner),
         "make an account");
    day->videos = fb_alloc(n * sizeof(*day->videos));
    day->shares = fb_alloc(day->n_videos * sizeof(*day->shares));
    for (size_t i = 0; i < n; i++) {
        video.id = day->videos[i] = origin_id_new();
        must(origin_catalog_video_add(day->catalog, &video), "make a video");
        if (i < day->n_videos) {
            sum += pow((double)(i + 1), -0.9);
            day->shares[i] = sum;
        }
    }
    day->released = (uint32_t)day->n_videos;
    day->crowd = day->released + 1;
    for (uint32_t i = 0; i < BOUGHT_N; i++) {
        day->bought[i] = day->crowd + 1 + i;
    }
}

static void make_boxes(struct day *day)
{
    for (int i = 0; i < BOXES; i++) {
        struct box *box = &day->boxes[i];
        *box = (struct box){.day = day, .epoch = 1 + (uint64_t)i};
        box->sessions = edge_sessions_new(&(struct edge_sessions_options){
            .segment_ms = TICK_MS,
            .least_ms = 10000,
            .share_percent = 50,
            .again_ms = 1800000,
            .idle_ms = 60000,
            .starts = 100,
            .max_sessions = 200000,
            .every_ms = EVERY_MS,
            .max_entries = 50000,
            .key = FB_STR("a key that all boxes share, of 32 bytes or more"),
            .seed = 1 + (uint64_t)i,
            .wall_ms = day->clock.wall_now_ms,
            .is_bot = is_bot,
            .deliver = on_entries,
            .deliver_ctx = box,
        });
    }
}

static int tell(const struct day *day)
{
    int failed = 0;

    for (int w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
        int64_t top_ms = day->top_ms[w];
        int64_t first_ms = day->first_ms[w];
        (void)printf(
            "the crowd's video in the list of %-4s among the first ten after %lld s, first "
            "after %lld s\n",
            window_names[w], (long long)(top_ms < 0 ? -1 : top_ms / 1000),
            (long long)(first_ms < 0 ? -1 : first_ms / 1000));
        /* The week's list is of what lasts (docs/trending.md). */
        failed |= w != ORIGIN_TRENDING_WEEK && (top_ms < 0 || top_ms > 120000);
    }
    for (int i = 0; i < BOUGHT_N; i++) {
        (void)printf("%-32s best place", bought_names[i]);
        for (int w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
            (void)printf("  %s: %u", window_names[w], day->best[i][w]);
            failed |= day->best[i][w] <= TOP;
        }
        (void)printf("\n");
    }
    return failed;
}

static size_t number(int argc, char **argv, int i, size_t preset)
{
    uint64_t n = preset;
    return argc > i && fb_str_to_u64(fb_str_from(argv[i]), &n) == FB_OK && n > 0 ? (size_t)n
                                                                                 : preset;
}

int main(int argc, char **argv)
{
    static struct day day;
    size_t sessions = number(argc, argv, 2, 200000);
    char url[512];

    if (argc < 2) {
        (void)fprintf(stderr, "usage: crowd-bench FOLDER [SESSIONS] [VIDEOS]\n");
        return 2;
    }
    day.clock = test_clock_at_start();
    day.chance = 5;
    day.n_videos = number(argc, argv, 3, 3000);
    day.playing = fb_alloc(MAX_PLAYING * sizeof(*day.playing));
    memset(day.best, 0xff, sizeof(day.best));
    memset(day.first_ms, 0xff, sizeof(day.first_ms));
    memset(day.top_ms, 0xff, sizeof(day.top_ms));
    (void)snprintf(url, sizeof(url), "sqlite:%s/origin.db", argv[1]);
    must(origin_catalog_open(fb_str_from(url), 4, &day.clock.clock, &day.catalog, NULL),
         "open the catalog");
    make_videos(&day);
    publish_all(url + strlen("sqlite:"));
    make_accounts(&day, 0);
    test_clock_advance_ms(&day.clock, 2 * 24 * (uint64_t)HOUR_MS);
    day.midnight_ms = day.clock.wall_now_ms;
    struct fb_metrics *metrics = fb_metrics_new();
    day.views = origin_views_new(&(struct origin_views_options){
        .catalog = day.catalog, .clock = &day.clock.clock, .metrics = metrics});
    day.trending = origin_trending_new(&(struct origin_trending_options){.catalog = day.catalog,
                                                                         .views = day.views,
                                                                         .clock = &day.clock.clock,
                                                                         .metrics = metrics,
                                                                         .describe = describe});
    make_boxes(&day);
    run(&day, (double)sessions);
    (void)printf("%u sessions of %zu videos, at %d boxes\n", day.serial, day.n_videos, BOXES);
    int failed = tell(&day);

    for (int i = 0; i < BOXES; i++) {
        edge_sessions_free(day.boxes[i].sessions);
    }
    for (size_t i = day.first_waiting; i < day.n_waiting; i++) {
        fb_buf_done(&day.waiting[i].body);
    }
    origin_trending_free(day.trending);
    origin_views_free(day.views);
    fb_metrics_free(metrics);
    origin_catalog_close(day.catalog);
    fb_free(day.waiting);
    fb_free(day.playing);
    fb_free(day.shares);
    fb_free(day.videos);
    return failed;
}
