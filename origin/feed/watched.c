#include "origin/feed/watched.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/order.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct event {
    uint64_t user;
    int64_t video;
    uint64_t order; /* counts up */
};

struct origin_watched {
    struct event *events; /* owned; a ring once it is full */
    size_t n;
    size_t room;
    uint64_t n_ever;
};

enum { ROOM_MIN = 1024 };

struct origin_watched *origin_watched_new(void)
{
    return FB_NEW(struct origin_watched);
}

void origin_watched_free(struct origin_watched *watched)
{
    if (watched != NULL) {
        fb_free(watched->events);
        fb_free(watched);
    }
}

void origin_watched_add(struct origin_watched *watched, uint64_t user, int64_t video)
{
    if (watched->n == watched->room && watched->room < ORIGIN_WATCHED_MAX) {
        watched->room =
            FB_MIN(FB_MAX(2 * watched->room, (size_t)ROOM_MIN), (size_t)ORIGIN_WATCHED_MAX);
        watched->events = fb_realloc(watched->events, watched->room * sizeof(struct event));
    }
    watched->events[watched->n_ever % ORIGIN_WATCHED_MAX] =
        (struct event){.user = user, .video = video, .order = watched->n_ever};
    watched->n_ever++;
    watched->n = FB_MIN(watched->n + 1, watched->room);
}

static int event_compare(const void *left, const void *right)
{
    const struct event *a = left;
    const struct event *b = right;

    int order = FB_ORDER(a->user, b->user);

    return order != 0 ? order : FB_ORDER(a->order, b->order);
}

static size_t history_append(uint32_t *history, size_t n, uint32_t video)
{
    for (size_t i = 0; i < n; i++) {
        if (history[i] == video) {
            return n;
        }
    }
    if (n == ORIGIN_LIKENESS_HISTORY_MAX) {
        memmove(history, history + 1, (n - 1) * sizeof(*history));
        n--;
    }
    history[n++] = video;
    return n;
}

struct origin_likeness *origin_watched_likeness(const struct origin_watched *watched,
                                                const struct origin_shelf *shelf)
{
    struct origin_likeness *likeness = origin_likeness_new(origin_shelf_count(shelf));
    FB_AUTO(fb_freep)
    struct event *events = fb_alloc_array(watched->n, sizeof(*events));
    uint32_t history[ORIGIN_LIKENESS_HISTORY_MAX];
    size_t n = 0;

    if (watched->n > 0) {
        memcpy(events, watched->events, watched->n * sizeof(*events));
        qsort(events, watched->n, sizeof(*events), event_compare);
    }
    for (size_t i = 0; i < watched->n; i++) {
        uint32_t video = 0;
        if (origin_shelf_find_seq(shelf, events[i].video, &video)) {
            n = history_append(history, n, video);
        }
        if (i + 1 == watched->n || events[i + 1].user != events[i].user) {
            origin_likeness_add(likeness, history, n);
            n = 0;
        }
    }
    origin_likeness_finish(likeness);
    return likeness;
}
