/*
 * What people did lately, out of the tables of likes, shares, comments and saves,
 * as trending weighs it.
 *
 * Taking a like or a save back takes its event back. A network is a keyed hash
 * of the address's prefix (/24, /48), made by origin/engagement: equal networks
 * have equal numbers, and no address can be told from one without the key.
 */
#pragma once

#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stdint.h>

enum origin_event_kind {
    ORIGIN_EVENT_LIKE,
    ORIGIN_EVENT_SHARE,
    ORIGIN_EVENT_COMMENT,
    ORIGIN_EVENT_SAVE,
    ORIGIN_EVENT_N_KINDS
};

struct origin_event {
    enum origin_event_kind kind;
    struct origin_id video;
    struct origin_id user;
    int64_t at_ms;
    int64_t account_ms; /* when the user's account was made */
    uint64_t network;
};

struct origin_event_visitor {
    /* A negative result ends the reading, which then gives it. */
    int (*visit)(void *ctx, const struct origin_event *event);
    void *ctx;
};

/* Shows each event at or after `since_ms` on a video that may be seen, in no
 * stated order. The catalog must not be called from the visitor. */
FB_MUST_CHECK int origin_catalog_events(struct origin_catalog *catalog, int64_t since_ms,
                                        const struct origin_event_visitor *visitor);
