/*
 * The table of jobs: rows with a lease.
 *
 *     queued ──take──► running ──finish──► done
 *        ▲                │ └────fail────► failed
 *        └── fail, give_back, the lease expired, reclaim ──┘
 *
 * Whoever names the job's present lease may change it; a lease that expired is
 * still good until somebody else takes the job. Every change of a job moves its
 * video along in the same transaction.
 */
#pragma once

#include "origin/catalog/catalog.h"
#include "origin/model/whole_task.h"

#include <stdbool.h>
#include <stdint.h>

struct origin_whole_job_rules {
    uint32_t lease_ms;
    uint32_t max_attempts;
    uint32_t backoff_ms; /* before the second attempt; doubled for each next */
    uint32_t max_backoff_ms;
    const char *exhausted; /* the reason when attempts were cut off, one after the other */
};

/* The longest waiting job that may run now, in the name of `worker`. FB_E_LATER
 * if there is none. */
FB_MUST_CHECK int origin_catalog_whole_job_take(struct origin_catalog *catalog,
                                                const struct origin_whole_job_rules *rules,
                                                struct fb_str worker,
                                                struct origin_whole_task *ret_task);

/* All that follows: FB_E_CONFLICT if the lease is not the job's (any more). */

FB_MUST_CHECK int origin_catalog_whole_job_renew(struct origin_catalog *catalog,
                                                 const struct origin_whole_job_rules *rules,
                                                 const struct origin_whole_task *task,
                                                 uint32_t permille);

/* Publishes `result`: one compare-and-set on the video's version. */
FB_MUST_CHECK int origin_catalog_whole_job_finish(struct origin_catalog *catalog,
                                                  const struct origin_whole_task *task,
                                                  const struct origin_result *result);

/* *ret_is_over: there will be no further attempt. */
FB_MUST_CHECK int origin_catalog_whole_job_fail(struct origin_catalog *catalog,
                                                const struct origin_whole_job_rules *rules,
                                                const struct origin_whole_task *task,
                                                struct fb_str reason, bool is_final,
                                                bool *ret_is_over);

FB_MUST_CHECK int origin_catalog_whole_job_give_back(struct origin_catalog *catalog,
                                                     const struct origin_whole_task *task);

/* Queues again what `worker` had when it ended without a word. */
FB_MUST_CHECK int origin_catalog_whole_job_reclaim(struct origin_catalog *catalog,
                                                   struct fb_str worker, uint32_t *ret_n);

struct origin_whole_job_counts {
    uint64_t queued;
    uint64_t running;
    uint64_t failed;
};
FB_MUST_CHECK int origin_catalog_whole_job_count(struct origin_catalog *catalog,
                                                 struct origin_whole_job_counts *ret_counts);
