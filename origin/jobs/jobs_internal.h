/*
 * What the files of origin/jobs share.
 */
#pragma once

#include "origin/catalog/jobs.h"
#include "origin/jobs/jobs.h"

struct origin_jobs {
    struct origin_jobs_options options;
    struct origin_job_rules rules;
    void (*queued)(void *ctx);
    void *queued_ctx;
};
