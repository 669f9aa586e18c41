#include "edge/views/views.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/loop/thread.h"
#include "base/metrics/metrics.h"
#include "base/regex/regex.h"
#include "base/sys/random.h"
#include "edge/views/pattern.h"
#include "edge/views/views_internal.h"

#include <time.h>

enum { VIEWS_TURN_MS = 200, VIEWS_ENTRIES_MAX = 32768 };

/* ---- numbers ----------------------------------------------------------- */

#define REASON_ROW(reason)                                                        \
    {                                                                             \
        "edge_views_uncounted_total", FB_METRIC_COUNTER, "reason=\"" reason "\"", \
            "Sessions that were no view, and why."                                \
    }

static const struct fb_metric views_rows[VIEWS_N_ROWS] = {
    [VIEWS_ROW_REQUESTS] = {"edge_views_requests_total", FB_METRIC_COUNTER, NULL,
                            "Requests that were noted for views."},
    [VIEWS_ROW_BEACONS] = {"edge_views_beacons_total", FB_METRIC_COUNTER, NULL,
                           "Beacons of players that were noted."},
    [VIEWS_ROW_REFUSED] = {"edge_views_beacons_refused_total", FB_METRIC_COUNTER, NULL,
                           "Beacons that were malformed, or too many of one client."},
    [VIEWS_ROW_DROPPED] = {"edge_views_dropped_total", FB_METRIC_COUNTER, NULL,
                           "Requests and beacons that found no room on their way to be counted."},
    [VIEWS_ROW_OPEN] = {"edge_views_sessions", FB_METRIC_GAUGE, NULL, "Sessions that go on."},
    [VIEWS_ROW_BEGUN] = {"edge_views_sessions_total", FB_METRIC_COUNTER, NULL,
                         "Sessions that began."},
    [VIEWS_ROW_VIEWS] = {"edge_views_total", FB_METRIC_COUNTER, NULL, "Views that were counted."},
    [VIEWS_ROW_CAPPED] = {"edge_views_capped_total", FB_METRIC_COUNTER, NULL,
                          "Views within the caps per viewer and network."},
    [VIEWS_ROW_EVICTED] = {"edge_views_evicted_total", FB_METRIC_COUNTER, NULL,
                           "Sessions that were ended for want of room (`views.sessions`)."},
    [VIEWS_ROW_ENTRIES] = {"edge_views_entries_total", FB_METRIC_COUNTER, NULL,
                           "Entries (video, rendition, minute) that were handed on."},
    [VIEWS_ROW_WAITING] = {"edge_views_waiting_entries", FB_METRIC_GAUGE, NULL,
                           "Entries that are not handed on yet, and which a crash would lose."},
    [VIEWS_ROW_UNCOUNTED + FB_VIEW_TOO_SHORT] = REASON_ROW("too-short"),
    [VIEWS_ROW_UNCOUNTED + FB_VIEW_DUPLICATE] = REASON_ROW("duplicate"),
    [VIEWS_ROW_UNCOUNTED + FB_VIEW_BOT] = REASON_ROW("bot"),
    [VIEWS_ROW_UNCOUNTED + FB_VIEW_RATE] = REASON_ROW("rate"),
    [VIEWS_ROW_UNCOUNTED + FB_VIEW_NO_MEDIA] = REASON_ROW("no-media"),
};

struct fb_metrics_table *edge_views_table(struct fb_metrics *metrics)
{
    return metrics == NULL ? NULL : fb_metrics_table_new(metrics, views_rows, VIEWS_N_ROWS, NULL);
}

void edge_views_count(struct fb_metrics_table *table, size_t row, uint64_t n)
{
    if (table != NULL) {
        fb_metrics_add(table, row, n);
    }
}

static void views_publish(const struct edge_views *views)
{
    struct edge_sessions_counts counts = edge_sessions_count(views->sessions);

    if (views->metrics == NULL) {
        return;
    }
    fb_metrics_set(views->metrics, VIEWS_ROW_BEGUN, counts.begun);
    fb_metrics_set(views->metrics, VIEWS_ROW_VIEWS, counts.views);
    fb_metrics_set(views->metrics, VIEWS_ROW_CAPPED, counts.capped);
    fb_metrics_set(views->metrics, VIEWS_ROW_EVICTED, counts.evicted);
    fb_metrics_set(views->metrics, VIEWS_ROW_ENTRIES, counts.entries);
    fb_metrics_set(views->metrics, VIEWS_ROW_WAITING, counts.waiting);
    for (size_t i = 0; i < FB_VIEW_REASONS_N; i++) {
        fb_metrics_set(views->metrics, VIEWS_ROW_UNCOUNTED + i, counts.uncounted[i]);
    }
    /* The last: whoever reads that none is open reads with it what became of them. */
    fb_metrics_set(views->metrics, VIEWS_ROW_OPEN, counts.open);
}

/* ---- the thread -------------------------------------------------------- */

static bool views_is_bot(void *ctx, struct fb_str agent)
{
    struct edge_views *views = ctx;
    bool is_bot = false;

    for (size_t i = 0; i < views->options.n_bots && !is_bot; i++) {
        is_bot = fb_regex_match(views->bots[i], &views->matching, agent) == FB_REGEX_MATCHES;
    }
    fb_arena_reset(&views->matching);
    return is_bot;
}

/* Looks at the next note of a writer, if there is one. */
static void views_line_up(struct edge_views *views, struct edge_views_writer *writer)
{
    if (writer->rest.len == 0) {
        fb_buf_clear(&writer->going);
        fb_list_remove(&writer->busy);
        return;
    }
    writer->next_ms = edge_note_mono_ms(writer->rest);
    if (fb_list_empty(&writer->busy)) {
        fb_list_append(&views->busy, &writer->busy);
    }
}

/* What waits at one moment: a request that ended before another one is not seen after it. */
static void views_take(struct edge_views *views)
{
    (void)pthread_mutex_lock(&views->lock);
    FB_LIST_EACH(node, &views->writers) {
        struct edge_views_writer *writer = FB_CONTAINER_OF(node, struct edge_views_writer, link);
        (void)pthread_mutex_lock(&writer->lock);
    }
    FB_LIST_EACH(node, &views->writers) {
        struct edge_views_writer *writer = FB_CONTAINER_OF(node, struct edge_views_writer, link);
        struct fb_buf waiting = writer->waiting;
        writer->waiting = writer->going;
        writer->going = waiting;
        writer->rest = fb_buf_str(&writer->going);
        views_line_up(views, writer);
    }
    FB_LIST_EACH(node, &views->writers) {
        struct edge_views_writer *writer = FB_CONTAINER_OF(node, struct edge_views_writer, link);
        (void)pthread_mutex_unlock(&writer->lock);
    }
    (void)pthread_mutex_unlock(&views->lock);
}

/* The writer whose next note is the oldest; NULL when there is none. */
static struct edge_views_writer *views_oldest(struct edge_views *views)
{
    struct edge_views_writer *oldest = NULL;

    FB_LIST_EACH(node, &views->busy) {
        struct edge_views_writer *writer = FB_CONTAINER_OF(node, struct edge_views_writer, busy);
        if (oldest == NULL || writer->next_ms < oldest->next_ms) {
            oldest = writer;
        }
    }
    return oldest;
}

static void views_turn(struct edge_views *views)
{
    const struct fb_clock *clock = views->options.clock;
    struct edge_views_writer *writer = NULL;
    struct edge_view_fact fact;
    bool is_fact = false;
    /* Before what waits is taken: a session must not be over for a request that is still to come.
     */
    uint64_t mono_ms = fb_clock_mono_ms(clock);
    int64_t wall_ms = fb_clock_wall_ms(clock);

    views_take(views);
    while ((writer = views_oldest(views)) != NULL) {
        (void)edge_note_next(&writer->rest, &views->paths, &views->cmcd, &fact, &is_fact);
        if (is_fact) {
            edge_sessions_add(views->sessions, &fact);
        }
        views_line_up(views, writer);
    }
    edge_sessions_advance(views->sessions, mono_ms, wall_ms);
    views_publish(views);
}

/* Waits for news, at most one turn. */
static bool views_wait(struct edge_views *views)
{
    uint64_t until_ns =
        fb_clock_steady_ns(fb_clock_system()) + (uint64_t)VIEWS_TURN_MS * FB_NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                             .tv_nsec = (long)(until_ns % 1000000000)};

    (void)pthread_mutex_lock(&views->lock);
    while (!views->has_news && !views->is_closing &&
           pthread_cond_timedwait(&views->news, &views->lock, &until) == 0) {
    }
    views->has_news = false;
    bool is_closing = views->is_closing;
    (void)pthread_mutex_unlock(&views->lock);
    return !is_closing;
}

static void views_run(void *ctx)
{
    struct edge_views *views = ctx;
    bool goes_on = true;

    while (goes_on) {
        goes_on = views_wait(views);
        views_turn(views);
    }
    edge_sessions_finish(views->sessions);
    views_publish(views);
}

void edge_views_tell(struct edge_views *views, bool *flag)
{
    (void)pthread_mutex_lock(&views->lock);
    *flag = true;
    (void)pthread_cond_signal(&views->news);
    (void)pthread_mutex_unlock(&views->lock);
}

/* ---- life -------------------------------------------------------------- */

static void views_free(struct edge_views *views)
{
    struct fb_list *node = NULL;

    while ((node = fb_list_pop(&views->writers)) != NULL) {
        edge_views_writer_free(FB_CONTAINER_OF(node, struct edge_views_writer, link));
    }
    edge_sessions_free(views->sessions);
    edge_cmcd_done(&views->cmcd);
    for (size_t i = 0; i < views->options.n_bots; i++) {
        fb_regex_free(views->bots[i]);
    }
    fb_free(views->bots);
    (void)pthread_cond_destroy(&views->news);
    (void)pthread_mutex_destroy(&views->lock);
    fb_arena_done(&views->matching);
    fb_arena_done(&views->arena);
    fb_free(views);
}

static const struct fb_str *copy_list(struct fb_arena *arena, const struct fb_str *list, size_t n)
{
    struct fb_str *copy = fb_arena_alloc(arena, FB_MAX(n, 1U) * sizeof(*copy));

    for (size_t i = 0; i < n; i++) {
        copy[i] = fb_arena_dup(arena, list[i]);
    }
    return copy;
}

/* What all patterns begin with: most other requests are told by it. */
static void views_find_prefix(struct edge_views *views)
{
    const struct edge_note_paths *paths = &views->paths;
    bool is_first = true;

    for (size_t kind = 0; kind < FB_ARRAY_LEN(paths->patterns); kind++) {
        for (size_t i = 0; i < paths->n[kind]; i++) {
            struct fb_str one = edge_pattern_prefix(paths->patterns[kind][i]);
            struct fb_str all = is_first ? one : views->prefix;
            size_t n = 0;
            while (n < one.len && n < all.len && one.ptr[n] == all.ptr[n]) {
                n++;
            }
            views->prefix = fb_str_first(one, n);
            is_first = false;
        }
    }
}

static void views_copy_options(struct edge_views *views, const struct edge_views_options *options)
{
    struct fb_arena *arena = &views->arena;

    views->options = *options;
    views->options.n_bots = 0; /* until they are there */
    views->options.media = copy_list(arena, options->media, options->n_media);
    views->options.audio = copy_list(arena, options->audio, options->n_audio);
    views->options.manifests = copy_list(arena, options->manifests, options->n_manifests);
    views->options.beacon = fb_arena_dup(arena, options->beacon);
    views->options.key = FB_STR_NONE; /* only salts.c keeps what is made of it */
    views->paths = (struct edge_note_paths){
        .patterns = {[EDGE_VIEW_MEDIA] = views->options.media,
                     [EDGE_VIEW_AUDIO] = views->options.audio,
                     [EDGE_VIEW_MANIFEST] = views->options.manifests},
        .n = {[EDGE_VIEW_MEDIA] = options->n_media,
              [EDGE_VIEW_AUDIO] = options->n_audio,
              [EDGE_VIEW_MANIFEST] = options->n_manifests},
    };
    views_find_prefix(views);
}

static struct edge_views *views_new(const struct edge_views_options *options)
{
    struct edge_views *views = FB_NEW(struct edge_views);
    pthread_condattr_t attributes;

    fb_list_init(&views->writers);
    fb_list_init(&views->busy);
    (void)pthread_mutex_init(&views->lock, NULL); /* these cannot fail on Linux */
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&views->news, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    views_copy_options(views, options);
    views->metrics = edge_views_table(options->metrics);
    views->sessions = edge_sessions_new(&(struct edge_sessions_options){
        .segment_ms = options->segment_ms,
        .least_ms = options->least_ms,
        .share_percent = options->share_percent,
        .again_ms = options->again_ms,
        .idle_ms = options->idle_ms,
        .starts = options->starts,
        .max_sessions = options->max_sessions,
        .every_ms = options->every_ms,
        .max_entries = VIEWS_ENTRIES_MAX,
        .key = options->key,
        .seed = fb_random_u64(),
        .wall_ms = fb_clock_wall_ms(options->clock),
        .is_bot = views_is_bot,
        .is_bot_ctx = views,
        .deliver = options->deliver,
        .deliver_ctx = options->ctx,
    });
    return views;
}

static int views_compile_bots(struct edge_views *views, const struct edge_views_options *options,
                              struct fb_diag *diag)
{
    int err = FB_OK;

    views->bots = fb_alloc_array(options->n_bots, sizeof(struct fb_regex *));
    for (size_t i = 0; i < options->n_bots && err == FB_OK; i++) {
        err = fb_regex_new(options->bots[i], &views->bots[i], diag);
        views->options.n_bots += err == FB_OK;
    }
    return err;
}

int edge_views_open(const struct edge_views_options *options, struct edge_views **ret_views,
                    struct fb_diag *diag)
{
    if (!options->is_on) {
        *ret_views = NULL;
        return FB_OK;
    }
    struct edge_views *views = views_new(options);

    int err = views_compile_bots(views, options, diag);
    if (err == FB_OK) {
        err = fb_thread_start_body("views", views_run, views, &views->thread);
        if (err < 0) {
            err = fb_diag_set(diag, err, "start a thread: %s", fb_err_text(err));
        }
    }
    if (err < 0) {
        views_free(views);
        return err;
    }
    *ret_views = views;
    return FB_OK;
}

void edge_views_close(struct edge_views *views)
{
    if (views == NULL) {
        return;
    }
    edge_views_tell(views, &views->is_closing);
    fb_thread_join(views->thread);
    views_free(views);
}

uint64_t edge_views_dropped(const struct edge_views *views)
{
    return views == NULL ? 0 : atomic_load_explicit(&views->n_dropped, memory_order_relaxed);
}

void edge_views_status(const struct edge_views *views, struct fb_json *status)
{
    if (views == NULL || views->metrics == NULL) {
        return;
    }
    struct fb_json *object = fb_json_set_object(status, "views");
    struct fb_json *uncounted = NULL;

    fb_json_set_int(object, "open", (int64_t)fb_metrics_get(views->metrics, VIEWS_ROW_OPEN));
    fb_json_set_int(object, "sessions", (int64_t)fb_metrics_get(views->metrics, VIEWS_ROW_BEGUN));
    fb_json_set_int(object, "views", (int64_t)fb_metrics_get(views->metrics, VIEWS_ROW_VIEWS));
    fb_json_set_int(object, "waiting", (int64_t)fb_metrics_get(views->metrics, VIEWS_ROW_WAITING));
    fb_json_set_int(object, "dropped", (int64_t)edge_views_dropped(views));
    uncounted = fb_json_set_object(object, "uncounted");
    for (size_t i = 0; i < FB_VIEW_REASONS_N; i++) {
        fb_json_set_int(uncounted, fb_view_reason_name((enum fb_view_reason)i),
                        (int64_t)fb_metrics_get(views->metrics, VIEWS_ROW_UNCOUNTED + i));
    }
}
