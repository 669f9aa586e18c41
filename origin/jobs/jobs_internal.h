/*
 * What the files of origin/jobs share.
 */
#pragma once

#include "origin/catalog/whole_jobs.h"
#include "origin/jobs/jobs.h"

struct origin_jobs {
    struct origin_jobs_options options;
    struct origin_whole_job_rules rules;
    void (*queued)(void *ctx);
    void *queued_ctx;
};
