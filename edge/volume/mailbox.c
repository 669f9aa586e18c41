#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/volume/volume_internal.h"

#include <string.h>

/* ---- jobs ------------------------------------------------------------------ */

void edge_job_free(struct edge_volume *volume, struct volume_job *job)
{
    if (job->release != NULL) {
        job->release(job->owner);
    }
    if (job->n_queued > 0) {
        __atomic_fetch_sub(&volume->shared.queued_bytes, job->n_queued, __ATOMIC_RELAXED);
    }
    fb_free(job->strings);
    fb_free(job);
}

static void on_answer(struct fb_post *post)
{
    struct edge_volume_request *request = FB_CONTAINER_OF(post, struct edge_volume_request, post);
    fb_op_finish(&request->op, request->outcome);
}

void edge_request_answer(struct edge_volume_request *request, int result)
{
    request->outcome = result;
    request->post.run = on_answer;
    fb_loop_post(request->op.loop, &request->post);
}

static struct volume_job *job_new(enum volume_job_kind kind, uint64_t fingerprint)
{
    struct volume_job *job = FB_NEW(struct volume_job);

    fb_list_init(&job->link);
    job->kind = kind;
    job->fingerprint = fingerprint;
    return job;
}

/* ---- the mailbox --------------------------------------------------------------- */

static void mailbox_take(struct edge_volume *volume, struct fb_list *ret_jobs)
{
    struct volume_mailbox *mailbox = &volume->mailbox;

    fb_list_init(ret_jobs);
    (void)pthread_mutex_lock(&mailbox->lock);
    fb_list_splice(ret_jobs, &mailbox->jobs);
    mailbox->is_posted = false;
    (void)pthread_mutex_unlock(&mailbox->lock);
}

static void on_mail(struct fb_post *post)
{
    struct edge_volume *volume = FB_CONTAINER_OF(post, struct edge_volume, mailbox.post);
    struct fb_list jobs;
    struct fb_list *node = NULL;

    mailbox_take(volume, &jobs);
    while ((node = fb_list_pop(&jobs)) != NULL) {
        edge_writer_add(volume, FB_CONTAINER_OF(node, struct volume_job, link));
    }
    edge_writer_pump(volume);
    edge_volume_settle(volume);
}

/* False if the box does not take this kind now. */
static bool mailbox_put(struct edge_volume *volume, struct volume_job *job)
{
    struct volume_mailbox *mailbox = &volume->mailbox;
    bool is_extent = job->kind == VOLUME_JOB_EXTENT;
    bool is_taken = false;

    (void)pthread_mutex_lock(&mailbox->lock);
    is_taken = is_extent ? mailbox->takes_extents : mailbox->takes_requests;
    if (is_taken) {
        fb_list_append(&mailbox->jobs, &job->link);
        if (!mailbox->is_posted) {
            /* Under the lock: once it is let go the volume may see its mail and end. */
            mailbox->is_posted = true;
            fb_loop_post(volume->loop, &mailbox->post);
        }
    }
    (void)pthread_mutex_unlock(&mailbox->lock);
    return is_taken;
}

void edge_mailbox_init(struct edge_volume *volume)
{
    struct volume_mailbox *mailbox = &volume->mailbox;

    FB_REQUIRE(pthread_mutex_init(&mailbox->lock, NULL) == 0);
    fb_list_init(&mailbox->jobs);
    mailbox->takes_requests = true;
    mailbox->post.run = on_mail;
}

void edge_mailbox_done(struct edge_volume *volume)
{
    FB_REQUIRE(fb_list_empty(&volume->mailbox.jobs) && !volume->mailbox.is_posted);
    (void)pthread_mutex_destroy(&volume->mailbox.lock);
}

void edge_mailbox_open(struct edge_volume *volume, bool takes_extents, bool takes_requests)
{
    (void)pthread_mutex_lock(&volume->mailbox.lock);
    volume->mailbox.takes_extents = takes_extents;
    volume->mailbox.takes_requests = takes_requests;
    (void)pthread_mutex_unlock(&volume->mailbox.lock);
}

bool edge_mailbox_is_posted(struct edge_volume *volume)
{
    (void)pthread_mutex_lock(&volume->mailbox.lock);
    bool is_posted = volume->mailbox.is_posted;
    (void)pthread_mutex_unlock(&volume->mailbox.lock);
    return is_posted;
}

/* ---- on any thread --------------------------------------------------------------- */

static struct fb_str copy_into(char **at, struct fb_str from)
{
    struct fb_str copy = {*at, from.len};

    if (from.len > 0) {
        memcpy(*at, from.ptr, from.len);
    }
    *at += from.len;
    return copy;
}

/* What the record will be like, but for its place. */
static struct edge_record record_of(const struct edge_volume_write *write, unsigned n_head_blocks)
{
    struct edge_record record = {
        .kind = EDGE_RECORD_EXTENT,
        .n_head_blocks = (uint8_t)n_head_blocks,
        .n_blocks = n_head_blocks,
        .head = write->head,
    };

    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if ((write->head.mask >> i & 1) != 0) {
            record.chunk_bytes[i] = (uint32_t)write->chunks[i].len;
            record.n_blocks += edge_record_chunk_blocks(record.chunk_bytes[i]);
        }
    }
    return record;
}

static struct volume_job *job_of(const struct edge_volume_write *write,
                                 const struct edge_record *record)
{
    struct volume_job *job = job_new(VOLUME_JOB_EXTENT, write->head.id.fingerprint);
    char *at = NULL;

    job->record = *record;
    job->strings = fb_alloc(write->head.key.len + write->head.meta.len);
    at = job->strings;
    job->record.head.key = copy_into(&at, write->head.key);
    job->record.head.meta = copy_into(&at, write->head.meta);
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        job->chunks[i] = write->chunks[i];
    }
    job->n_queued = (size_t)record->n_blocks * EDGE_FORMAT_BLOCK;
    return job;
}

int edge_volume_write(struct edge_volume *volume, const struct edge_volume_write *write)
{
    struct volume_shared *shared = &volume->shared;
    unsigned n_head_blocks = edge_record_head_blocks(write->head.key.len, write->head.meta.len);
    struct edge_record record = record_of(write, n_head_blocks);
    struct edge_record probe = record;
    size_t n = (size_t)record.n_blocks * EDGE_FORMAT_BLOCK;

    if (n_head_blocks == 0 || n > __atomic_load_n(&shared->content_left, __ATOMIC_RELAXED)) {
        return FB_E_LIMIT;
    }
    probe.block = 1; /* anywhere */
    probe.generation = 1;
    FB_REQUIRE(edge_record_is_sound(&probe));
    if (!edge_volume_is_online(volume)) {
        return FB_E_UNAVAILABLE;
    }
    if (__atomic_add_fetch(&shared->queued_bytes, n, __ATOMIC_RELAXED) > EDGE_VOLUME_QUEUE_BYTES) {
        __atomic_fetch_sub(&shared->queued_bytes, n, __ATOMIC_RELAXED);
        return FB_E_BUSY;
    }
    struct volume_job *job = job_of(write, &record);
    job->release = write->release;
    job->owner = write->owner;
    if (!mailbox_put(volume, job)) {
        job->release = NULL; /* as if it had never been given */
        edge_job_free(volume, job);
        return FB_E_UNAVAILABLE;
    }
    return FB_OK;
}

static void request_start(struct edge_volume *volume, struct edge_volume_request *request,
                          enum volume_job_kind kind)
{
    struct volume_job *job = job_new(kind, request->fingerprint);

    fb_op_begin(&request->op, NULL);
    request->is_purge = kind == VOLUME_JOB_PURGE;
    request->n_extents = 0;
    request->volume = volume;
    fb_list_init(&request->link);
    job->request = request;
    if (!mailbox_put(volume, job)) {
        edge_job_free(volume, job);
        fb_op_finish(&request->op, FB_E_UNAVAILABLE);
    }
}

void edge_volume_purge(struct edge_volume *volume, struct edge_volume_request *request)
{
    request_start(volume, request, VOLUME_JOB_PURGE);
}

void edge_volume_flush(struct edge_volume *volume, struct edge_volume_request *request)
{
    request_start(volume, request, VOLUME_JOB_FLUSH);
}
