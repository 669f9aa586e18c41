/*
 * One page of the feed, from who asks to what they get.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "base/sys/random.h"
#include "origin/catalog/follows.h"
#include "origin/catalog/watch_events.h"
#include "origin/feed/features.h"
#include "origin/feed/feed_internal.h"
#include "origin/feed/mix.h"
#include "origin/model/cursor.h"

#include <inttypes.h>

enum { CLOCK_EVERY = 16 };

/* ---- metrics ------------------------------------------------------------------------- */

enum { LISTS, LISTS_QUICK, PAGES_KEPT, LESSONS_WAITING, VIDEOS };

static const struct fb_metric rows[] = {
    [LISTS] = {"origin_feed_lists_total", FB_METRIC_COUNTER, "kind=\"ranked\"",
               "Lists made for viewers."},
    [LISTS_QUICK] = {"origin_feed_lists_total", FB_METRIC_COUNTER, "kind=\"quick\"",
                     "Lists made for viewers."},
    [PAGES_KEPT] = {"origin_feed_pages_kept_total", FB_METRIC_COUNTER, NULL,
                    "Pages from a list that was made before."},
    [LESSONS_WAITING] = {"origin_feed_lessons_waiting", FB_METRIC_GAUGE, NULL,
                         "Videos shown of which it is not known yet whether they were watched."},
    [VIDEOS] = {"origin_feed_videos", FB_METRIC_GAUGE, NULL, "Videos that the feed may show."},
};

static void feed_refresh(void *ctx)
{
    struct origin_feed *feed = ctx;

    (void)pthread_mutex_lock(&feed->lock);
    uint32_t n = feed->model == NULL ? 0 : origin_shelf_count(feed->model->shelf);
    size_t n_waiting = origin_lessons_waiting(feed->lessons);
    (void)pthread_mutex_unlock(&feed->lock);
    fb_metrics_set(feed->table, VIDEOS, n);
    fb_metrics_set(feed->table, LESSONS_WAITING, n_waiting);
}

void origin_feed_metrics_init(struct origin_feed *feed)
{
    if (feed->options.metrics != NULL) {
        feed->table = fb_metrics_table_new(feed->options.metrics, rows, FB_ARRAY_LEN(rows), NULL);
        fb_metrics_on_render(feed->options.metrics, feed_refresh, feed);
    }
}

static void feed_count(struct origin_feed *feed, size_t row)
{
    if (feed->table != NULL) {
        fb_metrics_add(feed->table, row, 1);
    }
}

/* ---- cursors ------------------------------------------------------------------------- */

struct cursor {
    uint64_t list; /* 0: whichever is fresh */
    uint64_t at;
};

/* Which list, and where in it. */
static struct fb_str cursor_write(struct fb_arena *arena, uint64_t list, size_t at)
{
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fb_buf_printf(&plain, "feed:%" PRIu64 ":%zu", list, at);
    origin_cursor_write(&text, fb_buf_str(&plain));
    return fb_arena_dup(arena, fb_buf_str(&text));
}

static int cursor_read(struct fb_str text, struct cursor *ret_cursor)
{
    FB_AUTO(fb_buf_done) struct fb_buf place = {0};
    struct cursor cursor = {0};

    if (text.len == 0) {
        *ret_cursor = cursor;
        return FB_OK;
    }
    int err = origin_cursor_read(text, FB_STR("feed:"), &place);
    if (err < 0) {
        return err;
    }
    struct fb_str rest = fb_buf_str(&place);
    struct fb_str list;
    if (!fb_str_cut(&rest, ':', &list) || fb_str_to_u64(list, &cursor.list) < 0 ||
        fb_str_to_u64(rest, &cursor.at) < 0 || cursor.list == 0 ||
        cursor.at > ORIGIN_LIST_ITEMS_MAX) {
        return FB_E_MALFORMED;
    }
    *ret_cursor = cursor;
    return FB_OK;
}

/* ---- who asks ------------------------------------------------------------------------- */

struct remembering {
    const struct origin_shelf *shelf;
    struct origin_viewer *viewer;
};

/* Newest first here, the oldest first there; what is not on the shelf is of no use. */
static int viewer_remember(void *ctx, const struct origin_watch_event *event)
{
    struct remembering *remembering = ctx;
    struct origin_viewer *viewer = remembering->viewer;
    uint32_t video = 0;

    if (origin_shelf_find_seq(remembering->shelf, event->video, &video) &&
        !origin_viewer_has_watched(viewer, video)) {
        viewer->history[viewer->n_history++] = video;
    }
    return FB_OK;
}

static void viewer_turn_history(struct origin_viewer *viewer)
{
    for (size_t i = 0, k = viewer->n_history; i + 1 < k; i++) {
        uint32_t swapped = viewer->history[i];
        viewer->history[i] = viewer->history[--k];
        viewer->history[k] = swapped;
    }
}

static int viewer_load(struct origin_catalog *catalog, const struct origin_shelf *shelf,
                       const struct origin_id *user, struct origin_viewer *ret_viewer)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct origin_page page = {.user = *user, .limit = ORIGIN_VIEWER_FOLLOWS_MAX};
    struct origin_followed *followed = NULL;
    size_t n = 0;

    *ret_viewer = (struct origin_viewer){.n_history = 0};
    struct remembering remembering = {.shelf = shelf, .viewer = ret_viewer};
    int err = origin_catalog_watch_of(catalog, user, ORIGIN_VIEWER_HISTORY_MAX, viewer_remember,
                                      &remembering);
    if (err == FB_OK) {
        err = origin_catalog_follow_list(catalog, &arena, &page, &followed, &n);
    }
    if (err < 0) {
        return err;
    }
    viewer_turn_history(ret_viewer);
    for (size_t i = 0; i < n; i++) {
        ret_viewer->follows[ret_viewer->n_follows++] = followed[i].user;
    }
    origin_viewer_sum_up(ret_viewer, shelf);
    return FB_OK;
}

/* ---- making a list ----------------------------------------------------------------------- */

/* False if it takes longer than it may. */
static bool list_rank(struct origin_feed *feed, const struct origin_feed_model *model,
                      const struct origin_viewer *viewer, struct origin_candidate *candidates,
                      size_t n, uint64_t begin_ms)
{
    for (size_t i = 0; i < n; i++) {
        struct origin_features features;
        if (i % CLOCK_EVERY == 0 &&
            fb_clock_mono_ms(feed->options.clock) - begin_ms > feed->options.budget_ms) {
            return false;
        }
        origin_features_of(model->shelf, viewer, &candidates[i], &features);
        candidates[i].chance = origin_ranker_chance(model->ranker, &features);
    }
    return true;
}

/* What they follow, then what trends, then the rest, each in the order in which it was named. */
static void list_order_quickly(struct origin_candidate *candidates, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double step = candidates[i].source == ORIGIN_FEED_FOLLOWED   ? 2
                      : candidates[i].source == ORIGIN_FEED_TRENDING ? 1
                                                                     : 0;
        candidates[i].chance = step + 1 - (double)i / (double)ORIGIN_CANDIDATES_MAX;
    }
}

static void list_make(struct origin_feed *feed, const struct origin_feed_model *model,
                      const struct origin_viewer *viewer, size_t window,
                      struct origin_list *ret_list)
{
    uint64_t begin_ms = fb_clock_mono_ms(feed->options.clock);
    FB_AUTO(fb_freep)
    struct origin_candidate *candidates =
        fb_alloc_array(ORIGIN_CANDIDATES_MAX, sizeof(*candidates));

    size_t n = origin_candidates_gather(model->shelf, model->likeness, viewer, candidates);
    ret_list->is_ranked = list_rank(feed, model, viewer, candidates, n, begin_ms);
    if (!ret_list->is_ranked) {
        list_order_quickly(candidates, n);
    }
    do {
        ret_list->id = fb_random_u64();
    } while (ret_list->id == 0);
    ret_list->n =
        origin_mix(model->shelf, candidates, n,
                   &(struct origin_mix_options){
                       .window = window, .max = ORIGIN_LIST_ITEMS_MAX, .seed = ret_list->id});
    for (size_t i = 0; i < ret_list->n; i++) {
        const struct origin_shelf_video *video = origin_shelf_at(model->shelf, candidates[i].video);
        ret_list->items[i] = (struct origin_list_item){
            .seq = video->seq, .video = video->id, .source = candidates[i].source};
    }
    feed_count(feed, ret_list->is_ranked ? LISTS : LISTS_QUICK);
}

/* ---- a page -------------------------------------------------------------------------------- */

static void page_cut(struct fb_arena *arena, const struct origin_list *list, size_t at,
                     size_t limit, struct origin_feed_page *ret_page)
{
    size_t from = FB_MIN(at, list->n);
    size_t n = FB_MIN(limit, list->n - from);
    bool is_end = from + n == list->n;

    *ret_page = (struct origin_feed_page){
        .items = fb_arena_alloc(arena, FB_MAX(n, (size_t)1) * sizeof(list->items[0])),
        .n = n,
        .next_cursor = is_end ? FB_STR_NONE : cursor_write(arena, list->id, from + n),
        .is_ranked = list->is_ranked,
    };
    for (size_t i = 0; i < n; i++) {
        ret_page->items[i] = list->items[from + i];
    }
}

/* Each page teaches, whichever list it comes from: what a list had and nobody saw does not. */
static void page_teach(struct origin_feed *feed, struct fb_arena *arena,
                       const struct origin_feed_model *model, const struct origin_viewer *viewer,
                       const struct origin_id *user, const struct origin_feed_page *page)
{
    struct origin_features *features =
        fb_arena_alloc(arena, FB_MAX(page->n, (size_t)1) * sizeof(*features));
    int64_t videos[ORIGIN_FEED_PAGE_MAX];
    size_t n = 0;

    for (size_t i = 0; i < page->n; i++) {
        struct origin_candidate candidate = {.source = page->items[i].source};
        if (origin_shelf_find_seq(model->shelf, page->items[i].seq, &candidate.video)) {
            candidate.likeness = origin_viewer_likeness(viewer, model->likeness, candidate.video);
            origin_features_of(model->shelf, viewer, &candidate, &features[n]);
            videos[n++] = page->items[i].seq;
        }
    }
    origin_feed_shown(feed, user, videos, features, n);
}

static bool page_from_kept(struct origin_feed *feed, struct fb_arena *arena,
                           const struct cursor *cursor, struct fb_str viewer, size_t limit,
                           struct origin_feed_page *ret_page)
{
    int64_t now_ms = fb_clock_wall_ms(feed->options.clock);

    (void)pthread_mutex_lock(&feed->lock);
    const struct origin_list *list = origin_lists_find(feed->lists, viewer, cursor->list, now_ms);
    if (list != NULL) {
        page_cut(arena, list, cursor->at, limit, ret_page);
    }
    (void)pthread_mutex_unlock(&feed->lock);
    if (list != NULL) {
        feed_count(feed, PAGES_KEPT);
    }
    return list != NULL;
}

int origin_feed_home(struct origin_feed *feed, struct fb_arena *arena,
                     const struct origin_feed_query *query, struct origin_feed_page *ret_page)
{
    struct fb_str name = query->user == NULL ? FB_STR("") : origin_id_str(query->user);
    FB_AUTO(origin_feed_modelp) struct origin_feed_model *model = origin_feed_current(feed);
    struct origin_viewer *viewer = fb_arena_alloc(arena, sizeof(*viewer));
    struct cursor cursor;

    int err = cursor_read(query->cursor, &cursor);
    if (err < 0) {
        return err;
    }
    if (model == NULL) {
        *ret_page = (struct origin_feed_page){.n = 0};
        return FB_OK;
    }
    if (query->user != NULL) {
        err = viewer_load(feed->options.catalog, model->shelf, query->user, viewer);
        if (err < 0) {
            return err;
        }
    }
    if (!page_from_kept(feed, arena, &cursor, name, query->limit, ret_page)) {
        FB_AUTO(fb_freep) struct origin_list *list = FB_NEW(struct origin_list);
        list_make(feed, model, viewer, query->limit, list);
        (void)pthread_mutex_lock(&feed->lock);
        origin_lists_put(feed->lists, name, list, fb_clock_wall_ms(feed->options.clock));
        (void)pthread_mutex_unlock(&feed->lock);
        page_cut(arena, list, cursor.at, query->limit, ret_page);
    }
    if (query->user != NULL) {
        page_teach(feed, arena, model, viewer, query->user, ret_page);
    }
    return FB_OK;
}
