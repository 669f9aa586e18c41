#include "origin/node/ingest.h"

#include "base/core/clock.h"
#include "origin/config/config.h"
#include "origin/jobs/jobs.h"
#include "origin/node/gates.h"
#include "origin/node/node.h"
#include "origin/node/rounds.h"

#include <stdio.h>

enum { COUNT_EVERY_MS = 5000, SWEEP_EVERY_MS = 60000 };

static struct origin_request request_of(const struct origin_conf_transcode *conf)
{
    struct origin_request request = origin_request_preset();

    request.early_ready = conf->early_ready;
    request.segment_ms = (uint32_t)conf->segment;
    request.chunk_ms = (uint32_t)conf->chunk;
    request.crf = (uint32_t)conf->crf;
    request.with_hevc = conf->hevc;
    request.with_av1 = conf->av1;
    request.per_title = conf->per_title;
    request.loudness = conf->loudness;
    request.downmix = conf->downmix;
    request.storyboard = conf->storyboard;
    request.trick_play = conf->trick_play;
    request.encryption = (enum origin_scheme)conf->encryption; /* in the same order */
    (void)snprintf(request.preset, sizeof(request.preset), "%s",
                   origin_conf_preset_text(conf->preset));
    return request;
}

static struct origin_jobs_options options_of(const struct origin_conf *conf)
{
    const struct origin_conf_jobs *jobs = &conf->jobs;
    const struct origin_conf_attempts *attempts = &jobs->attempts;
    const struct origin_conf_transcode *transcode = &conf->transcode;

    return (struct origin_jobs_options){
        .clock = fb_clock_system(),
        .worker_token = conf->worker_token,
        .request = request_of(transcode),
        .limits = {.seconds = (uint32_t)(transcode->time / 1000),
                   .memory = transcode->memory,
                   .bytes = transcode->output},
        .lease_ms = (uint32_t)jobs->lease,
        .attempts = {[ORIGIN_REASON_CODEC] = (uint32_t)attempts->codec,
                     [ORIGIN_REASON_CRASHED] = (uint32_t)attempts->crashed,
                     [ORIGIN_REASON_MEMORY] = (uint32_t)attempts->memory,
                     [ORIGIN_REASON_TIME] = (uint32_t)attempts->time,
                     [ORIGIN_REASON_OUTPUT] = (uint32_t)attempts->output,
                     [ORIGIN_REASON_STORE] = (uint32_t)attempts->store,
                     [ORIGIN_REASON_INTERNAL] = (uint32_t)attempts->internal,
                     [ORIGIN_REASON_LEASE_LOST] = (uint32_t)attempts->lost,
                     [ORIGIN_REASON_MISSING] = (uint32_t)attempts->missing},
        .backoff_ms = (uint32_t)jobs->backoff,
        .max_backoff_ms = (uint32_t)jobs->max_backoff,
        .degrade_after_ms = jobs->degrade_after,
        .first_from = jobs->first_from,
        .drops_original = !conf->upload.keep_original,
        .keep_replaced_ms = jobs->keep_replaced,
        .keep_failed_ms = jobs->keep_failed,
    };
}

void origin_ingest_open(struct origin_node *node)
{
    struct origin_jobs_options options = options_of(node->conf);

    options.catalog = node->catalog;
    options.objects = node->objects;
    options.metrics = node->metrics;
    options.content_key = origin_gates_key;
    options.content_key_ctx = &node->gates;
    node->jobs = origin_jobs_new(&options);
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "jobs",
                                                           .period_ms = COUNT_EVERY_MS,
                                                           .run = origin_jobs_count_round,
                                                           .ctx = node->jobs});
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "sweep",
                                                           .period_ms = SWEEP_EVERY_MS,
                                                           .run = origin_jobs_sweep_round,
                                                           .ctx = node->jobs});
}
