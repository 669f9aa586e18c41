#include "origin/node/ingest.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "origin/config/config.h"
#include "origin/jobs/jobs.h"
#include "origin/node/gates.h"
#include "origin/node/node.h"
#include "origin/node/rounds.h"

#include <stdio.h>

enum { COUNT_EVERY_MS = 5000, SWEEP_EVERY_MS = 60000 };

static void request_set(const struct origin_conf_transcode *conf, struct origin_request *request)
{
    *request = origin_request_preset();
    request->early_ready = conf->early_ready;
    request->segment_ms = (uint32_t)conf->segment;
    request->chunk_ms = (uint32_t)conf->chunk;
    request->crf = (uint32_t)conf->crf;
    request->with_hevc = conf->hevc;
    request->with_av1 = conf->av1;
    request->per_title = conf->per_title;
    request->loudness = conf->loudness;
    request->downmix = conf->downmix;
    request->storyboard = conf->storyboard;
    request->trick_play = conf->trick_play;
    request->encryption = (enum origin_scheme)conf->encryption; /* in the same order */
    (void)snprintf(request->preset, sizeof(request->preset), "%s",
                   origin_conf_preset_text(conf->preset));
}

static void attempts_set(const struct origin_conf_attempts *conf,
                         uint32_t attempts[ORIGIN_N_REASONS])
{
    attempts[ORIGIN_REASON_CODEC] = (uint32_t)conf->codec;
    attempts[ORIGIN_REASON_CRASHED] = (uint32_t)conf->crashed;
    attempts[ORIGIN_REASON_MEMORY] = (uint32_t)conf->memory;
    attempts[ORIGIN_REASON_TIME] = (uint32_t)conf->time;
    attempts[ORIGIN_REASON_OUTPUT] = (uint32_t)conf->output;
    attempts[ORIGIN_REASON_STORE] = (uint32_t)conf->store;
    attempts[ORIGIN_REASON_INTERNAL] = (uint32_t)conf->internal;
    attempts[ORIGIN_REASON_LEASE_LOST] = (uint32_t)conf->lost;
    attempts[ORIGIN_REASON_MISSING] = (uint32_t)conf->missing;
}

static void options_set(const struct origin_conf *conf, struct origin_jobs_options *options)
{
    const struct origin_conf_jobs *jobs = &conf->jobs;
    const struct origin_conf_transcode *transcode = &conf->transcode;

    options->clock = fb_clock_system();
    options->worker_token = conf->worker_token;
    options->limits.seconds = (uint32_t)(transcode->time / 1000);
    options->limits.memory = transcode->memory;
    options->limits.bytes = transcode->output;
    options->lease_ms = (uint32_t)jobs->lease;
    options->backoff_ms = (uint32_t)jobs->backoff;
    options->max_backoff_ms = (uint32_t)jobs->max_backoff;
    options->degrade_after_ms = jobs->degrade_after;
    options->first_from = jobs->first_from;
    options->drops_original = !conf->upload.keep_original;
    options->keep_replaced_ms = jobs->keep_replaced;
    options->keep_failed_ms = jobs->keep_failed;
    request_set(transcode, &options->request);
    attempts_set(&jobs->attempts, options->attempts);
}

void origin_ingest_open(struct origin_node *node)
{
    struct origin_jobs_options *options = FB_NEW(struct origin_jobs_options);

    options->catalog = node->catalog;
    options->objects = node->objects;
    options->metrics = node->metrics;
    options->content_key = origin_gates_key;
    options->content_key_ctx = &node->gates;
    options_set(node->conf, options);
    node->jobs = origin_jobs_new(options);
    fb_free(options);
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "jobs",
                                                           .period_ms = COUNT_EVERY_MS,
                                                           .run = origin_jobs_count_round,
                                                           .ctx = node->jobs});
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "sweep",
                                                           .period_ms = SWEEP_EVERY_MS,
                                                           .run = origin_jobs_sweep_round,
                                                           .ctx = node->jobs});
}
