#include "origin/removal/removal.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/sys/backoff.h"
#include "origin/objects/objects.h"

#include <stdbool.h>
#include <stdio.h>

enum {
    DUE_AT_ONCE = 32,
    TIMES = 2, /* at once, and later for what came behind */
    MULTIPARTS_MAX = 256,
    PREFIX_MAX = 64,
    BATCHES_MAX = 64, /* of one node in one run */
};

static const struct fb_backoff pauses = {5000, 3600000, FB_BACKOFF_HALF};
static const struct fb_backoff node_pauses = {1000, 60000, FB_BACKOFF_HALF};

enum removal_metric {
    REMOVAL_WAITING,
    REMOVAL_DONE,
    REMOVAL_FAILED,
    PURGE_WAITING,
    PURGE_AGE,
    PURGE_TOLD,
    PURGE_FAILED,
    PURGE_AWAY,
};

static const struct fb_metric removal_metrics[] = {
    [REMOVAL_WAITING] = {"origin_removals_waiting", FB_METRIC_GAUGE, NULL,
                         "Deleted videos whose objects are to be removed, or once more."},
    [REMOVAL_DONE] = {"origin_removals_total", FB_METRIC_COUNTER, NULL,
                      "Times that the objects of a deleted video were removed."},
    [REMOVAL_FAILED] = {"origin_removals_failed_total", FB_METRIC_COUNTER, NULL,
                        "Times that this failed, to be tried again."},
    [PURGE_WAITING] = {"origin_purges_waiting", FB_METRIC_GAUGE, NULL,
                       "Purges that a node has not been told of, of all nodes."},
    [PURGE_AGE] = {"origin_purges_oldest_seconds", FB_METRIC_GAUGE, NULL,
                   "The age of the oldest of them."},
    [PURGE_TOLD] = {"origin_purges_told_total", FB_METRIC_COUNTER, NULL,
                    "Purges that nodes were told of."},
    [PURGE_FAILED] = {"origin_purges_failed_total", FB_METRIC_COUNTER, NULL,
                      "Calls of nodes that did not take a purge, to be repeated."},
    [PURGE_AWAY] = {"origin_purge_nodes_away", FB_METRIC_GAUGE, NULL,
                    "Nodes whose last call failed."},
};

/* A node, as it has answered. */
struct node {
    const struct origin_purge_node *node;
    char *purge_url; /* owned */
    unsigned n_failed;
    uint64_t next_ns; /* not before, while it fails */

    /* Of one call. */
    struct origin_purge *purges;
    size_t n_purges;
    struct fb_buf body;
};

struct origin_removals {
    struct origin_removals_options options;
    struct fb_metrics_table *metrics; /* the registry's */
    struct node *nodes;               /* owned */
};

/* ---- new and free ------------------------------------------------------------------ */

static char *purge_url_of(struct fb_str base)
{
    FB_AUTO(fb_buf_done) struct fb_buf url = {0};

    while (fb_str_ends_with(base, FB_STR("/"))) {
        base.len--;
    }
    fb_buf_printf(&url, "%.*s/purge", FB_STR_ARG(base));
    return fb_str_dup(fb_buf_str(&url));
}

int origin_removals_new(const struct origin_removals_options *options,
                        struct origin_removals **ret_removals)
{
    int err = origin_catalog_purge_nodes_set(options->catalog, options->nodes, options->n_nodes);
    if (err < 0) {
        return err;
    }
    struct origin_removals *removals = FB_NEW(struct origin_removals);
    removals->options = *options;
    removals->metrics = fb_metrics_table_new(options->metrics, removal_metrics,
                                             FB_ARRAY_LEN(removal_metrics), NULL);
    removals->nodes = fb_alloc_array(options->n_nodes, sizeof(*removals->nodes));
    for (size_t i = 0; i < options->n_nodes; i++) {
        removals->nodes[i].node = &options->nodes[i];
        removals->nodes[i].purge_url = purge_url_of(options->nodes[i].url);
        removals->nodes[i].purges =
            fb_alloc_array(ORIGIN_REMOVAL_BATCH, sizeof(*removals->nodes[i].purges));
    }
    *ret_removals = removals;
    return FB_OK;
}

void origin_removals_free(struct origin_removals *removals)
{
    if (removals == NULL) {
        return;
    }
    for (size_t i = 0; i < removals->options.n_nodes; i++) {
        fb_free(removals->nodes[i].purge_url);
        fb_free(removals->nodes[i].purges);
        fb_buf_done(&removals->nodes[i].body);
    }
    fb_free(removals->nodes);
    fb_free(removals);
}

/* ---- objects -------------------------------------------------------------------------- */

/* Uploads in parts that nobody will complete. */
static int abort_multiparts(struct origin_removals *removals, const char *prefix)
{
    struct origin_objects *objects = removals->options.objects;
    struct origin_multipart *items = fb_alloc_array(MULTIPARTS_MAX, sizeof(*items));
    size_t n = 0;

    int err = origin_multipart_list(objects, INT64_MAX, items, MULTIPARTS_MAX, &n);
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        struct fb_str key = fb_str_from(items[i].key);
        if (fb_str_starts_with(key, fb_str_from(prefix)) && key.ptr[strlen(prefix)] == '/') {
            err = origin_multipart_abort(objects, key, fb_str_from(items[i].id));
        }
    }
    fb_free(items);
    return err;
}

static int remove_objects(struct origin_removals *removals, const struct origin_id *video)
{
    static const char *const folders[] = {"media", "uploads", "work"};
    char prefix[PREFIX_MAX];
    int result = FB_OK;

    for (size_t i = 0; i < FB_ARRAY_LEN(folders); i++) {
        (void)snprintf(prefix, sizeof(prefix), "%s/%s", folders[i], video->text);
        int err = origin_objects_remove_prefix(removals->options.objects, fb_str_from(prefix));
        result = result < 0 ? result : err;
    }
    (void)snprintf(prefix, sizeof(prefix), "uploads/%s", video->text);
    int err = abort_multiparts(removals, prefix);
    return result < 0 ? result : err;
}

/* One try, and what comes of it. */
static int run_removal(struct origin_removals *removals, struct origin_removal *removal)
{
    int err = remove_objects(removals, &removal->video);
    int64_t wait_ms = removals->options.late_ms;

    if (err < 0) {
        wait_ms = (int64_t)fb_backoff_ms(&pauses, removal->n_failed++);
        FB_LOG(WARN, "removal", "could not remove the objects of a deleted video, tries again",
               FB_LOG_TEXT("video", removal->video.text), FB_LOG_TEXT("cause", fb_err_text(err)));
    } else {
        removal->n_failed = 0;
        removal->n_done++;
    }
    fb_metrics_add(removals->metrics, err < 0 ? REMOVAL_FAILED : REMOVAL_DONE, 1);
    return origin_catalog_removal_set(removals->options.catalog, removal, wait_ms,
                                      removal->n_done >= TIMES);
}

void origin_removals_video(struct origin_removals *removals, const struct origin_id *video)
{
    struct origin_removal removal = {.video = *video};

    int err = run_removal(removals, &removal);
    if (err < 0) {
        FB_LOG(WARN, "removal", "could not note that objects were removed, removes them again",
               FB_LOG_TEXT("video", video->text), FB_LOG_TEXT("cause", fb_err_text(err)));
    }
}

int origin_removals_run(void *ctx)
{
    struct origin_removals *removals = ctx;
    struct origin_removal due[DUE_AT_ONCE];
    uint64_t n_waiting = 0;
    size_t n = 0;

    int err = origin_catalog_removals_due(removals->options.catalog, DUE_AT_ONCE, due, &n);
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        err = run_removal(removals, &due[i]);
    }
    if (err == FB_OK) {
        err = origin_catalog_removal_count(removals->options.catalog, &n_waiting);
        fb_metrics_set(removals->metrics, REMOVAL_WAITING, n_waiting);
    }
    return err;
}

/* ---- copies ---------------------------------------------------------------------------- */

static uint64_t now_ns(const struct origin_removals *removals)
{
    return fb_clock_mono_ns(removals->options.clock);
}

/* Reads what the node waits for; FB_E_END if that is nothing, FB_E_LATER while it is given time. */
static int node_load(struct origin_removals *removals, struct node *node)
{
    if (node->n_failed > 0 && now_ns(removals) < node->next_ns) {
        return FB_E_LATER;
    }
    int err = origin_catalog_purges_for(removals->options.catalog, node->node->url,
                                        ORIGIN_REMOVAL_BATCH, node->purges, &node->n_purges);
    if (err < 0 || node->n_purges == 0) {
        return err < 0 ? err : FB_E_END;
    }
    fb_buf_clear(&node->body);
    fb_buf_append(&node->body, FB_STR("{\"purges\":["));
    for (size_t i = 0; i < node->n_purges; i++) {
        fb_buf_printf(&node->body, "%s{\"tag\":", i > 0 ? "," : "");
        fb_text_json_string(&node->body, fb_str_from(node->purges[i].tag));
        fb_buf_append_byte(&node->body, '}');
    }
    fb_buf_append(&node->body, FB_STR("]}"));
    return FB_OK;
}

static int node_settle(struct origin_removals *removals, struct node *node, int result)
{
    if (result < 0) {
        if (node->n_failed == 0) {
            FB_LOG(WARN, "removal", "a node does not take purges, it is told later",
                   FB_LOG_STR("url", node->node->url), FB_LOG_TEXT("cause", fb_err_text(result)));
        }
        node->next_ns =
            now_ns(removals) + fb_backoff_ms(&node_pauses, node->n_failed++) * FB_NS_PER_MS;
        fb_metrics_add(removals->metrics, PURGE_FAILED, 1);
        return FB_OK;
    }
    if (node->n_failed > 0) {
        FB_LOG(INFO, "removal", "a node takes purges again", FB_LOG_STR("url", node->node->url));
    }
    node->n_failed = 0;
    fb_metrics_add(removals->metrics, PURGE_TOLD, node->n_purges);
    return origin_catalog_purges_told(removals->options.catalog, node->node->url,
                                      node->purges[node->n_purges - 1].seq);
}

/* One batch for each node of a kind; *ret_n is how many were called and answered. */
static int tell_once(struct origin_removals *removals, bool is_upper, size_t *ret_n)
{
    const struct origin_removals_options *options = &removals->options;
    struct origin_purge_post *posts = fb_alloc_array(options->n_nodes, sizeof(*posts));
    struct node **called = fb_alloc_array(options->n_nodes, sizeof(struct node *));
    size_t n = 0;
    size_t n_told = 0;
    int err = FB_OK;

    for (size_t i = 0; err == FB_OK && i < options->n_nodes; i++) {
        struct node *node = &removals->nodes[i];
        int loaded = node->node->is_upper == is_upper ? node_load(removals, node) : FB_E_END;
        if (loaded == FB_OK) {
            posts[n] = (struct origin_purge_post){.url = fb_str_from(node->purge_url),
                                                  .body = fb_buf_str(&node->body)};
            called[n++] = node;
        } else if (loaded != FB_E_END && loaded != FB_E_LATER) {
            err = loaded;
        }
    }
    if (err == FB_OK && n > 0) {
        options->way.post(options->way.ctx, posts, n);
    }
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        n_told += posts[i].result == FB_OK ? 1 : 0;
        err = node_settle(removals, called[i], posts[i].result);
    }
    fb_free(called);
    fb_free(posts);
    *ret_n = n_told;
    return err;
}

static int measure(struct origin_removals *removals)
{
    int64_t now_ms = fb_clock_wall_ms(removals->options.clock);
    int64_t oldest_ms = now_ms;
    uint64_t n_waiting = 0;
    uint64_t n_away = 0;

    for (size_t i = 0; i < removals->options.n_nodes; i++) {
        uint64_t n = 0;
        int64_t at_ms = 0;
        int err = origin_catalog_purges_waiting(removals->options.catalog,
                                                removals->nodes[i].node->url, &n, &at_ms);
        if (err < 0) {
            return err;
        }
        n_waiting += n;
        oldest_ms = n > 0 ? FB_MIN(oldest_ms, at_ms) : oldest_ms;
        n_away += removals->nodes[i].n_failed > 0 ? 1 : 0;
    }
    fb_metrics_set(removals->metrics, PURGE_WAITING, n_waiting);
    fb_metrics_set(removals->metrics, PURGE_AGE, (uint64_t)((now_ms - oldest_ms) / 1000));
    fb_metrics_set(removals->metrics, PURGE_AWAY, n_away);
    return FB_OK;
}

int origin_removals_run_purges(void *ctx)
{
    struct origin_removals *removals = ctx;
    int err = FB_OK;

    /* Upper nodes first, as others fetch from them what they have just forgotten. */
    for (int is_upper = 1; is_upper >= 0; is_upper--) {
        size_t n = 1;
        for (unsigned i = 0; err == FB_OK && n > 0 && i < BATCHES_MAX; i++) {
            err = tell_once(removals, is_upper == 1, &n);
        }
    }
    if (err == FB_OK) {
        err = origin_catalog_purges_prune(removals->options.catalog);
    }
    return err == FB_OK ? measure(removals) : err;
}
