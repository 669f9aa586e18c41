/*
 * What the files of origin/plan share.
 */
#pragma once

#include "base/jose/jose.h"
#include "base/metrics/metrics.h"
#include "origin/plan/plan.h"

#include <pthread.h>

enum { ORIGIN_PLAN_KID_MAX = 32 };

enum origin_plan_metric {
    ORIGIN_PLAN_MADE,
    ORIGIN_PLAN_SAME,
    ORIGIN_PLAN_ENTRIES,
    ORIGIN_PLAN_SECONDS,
    ORIGIN_PLAN_METRICS_N
};

struct origin_plan {
    struct origin_plan_options options;
    struct fb_metrics_table *metrics; /* the registry's */
    struct fb_jose_key *key;          /* owned */
    char kid[ORIGIN_PLAN_KID_MAX + 1];
    pthread_mutex_t making; /* held while plans are made */
    int64_t made_ms;        /* when all were made last; under `making` */
    int64_t released_ms;    /* and up to when large releases have been seen */
};

/* The key in `folder`, drawn if there is none; `kid` names it: the beginning of its hash. */
FB_MUST_CHECK int origin_plan_key_load(const char *folder, struct fb_jose_key **ret_key,
                                       char kid[ORIGIN_PLAN_KID_MAX + 1], struct fb_diag *diag);
