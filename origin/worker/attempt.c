/*
 * One attempt at one task, on a worker's thread.
 */
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/sys/file.h"
#include "origin/media/transcode.h"
#include "origin/objects/objects.h"
#include "origin/worker/worker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BEAT_MS = 500,
    HASH_BYTES = 256 * 1024,
    MAX_PATH = 640,
    MODE_FOLDER = 0700,
    /* Shares of the progress, in 1000: the rest is the transcode. */
    SHARE_HASH = 20,
    SHARE_STORE = 50
};

#define PUBLISH_MAX_BYTES (128UL * 1024 * 1024)

/* Goes into every version: a change of what comes out changes it. */
#define RECIPE "forebay 1, segment_ms 4000"

static const char passing[] =
    "Something on our side went wrong while processing this video. Please try again later.";

struct attempt {
    const struct origin_attempt_options *options;
    const struct origin_whole_task *task;
    struct fb_diag diag;
    uint32_t permille;
    uint64_t beat_ms;    /* when the lease was last renewed */
    uint64_t renewed_ms; /* when that last succeeded */
    bool is_lost;        /* the lease */
    char source[MAX_PATH];
    char output[MAX_PATH];
    struct origin_result result; /* owned */
};

/* ---- the lease -------------------------------------------------------------- */

static uint64_t attempt_now(const struct attempt *attempt)
{
    return fb_clock_mono_ms(attempt->options->clock);
}

/* Renews, unless that was done a moment ago. A source that cannot be reached is
 * no reason to stop before the lease has run out. */
static void attempt_beat(struct attempt *attempt)
{
    const struct origin_whole_source *source = attempt->options->source;
    uint64_t now_ms = attempt_now(attempt);

    if (attempt->is_lost || now_ms - attempt->beat_ms < BEAT_MS) {
        return;
    }
    int err = source->renew(source->ctx, attempt->task, attempt->permille);
    attempt->beat_ms = attempt_now(attempt);
    if (err == FB_OK) {
        attempt->renewed_ms = attempt->beat_ms;
    }
    attempt->is_lost =
        err == FB_E_CONFLICT || attempt->beat_ms - attempt->renewed_ms >= attempt->task->lease_ms;
}

static bool attempt_is_canceled(void *ctx)
{
    struct attempt *attempt = ctx;

    attempt_beat(attempt);
    return attempt->is_lost || attempt->options->is_stopping(attempt->options->ctx);
}

static void attempt_on_progress(void *ctx, unsigned permille)
{
    struct attempt *attempt = ctx;
    attempt->permille = SHARE_HASH + permille * (1000 - SHARE_HASH - SHARE_STORE) / 1000;
}

/* ---- steps ------------------------------------------------------------------ */

static int attempt_locate(struct attempt *attempt)
{
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};
    const struct origin_attempt_options *options = attempt->options;

    int err =
        origin_objects_local_path(options->objects, fb_str_from(attempt->task->source), &path);
    if (err < 0) {
        return err;
    }
    int n = snprintf(attempt->source, sizeof(attempt->source), "%s", path.ptr);
    int m = snprintf(attempt->output, sizeof(attempt->output), "%s/out", options->scratch);
    return n < MAX_PATH && m < MAX_PATH ? FB_OK : -ENAMETOOLONG;
}

/* The version: a hash of the source's bytes and of what decides the output. */
static int attempt_name(struct attempt *attempt)
{
    FB_AUTO(fb_fd_done) int fd = open(attempt->source, O_RDONLY | O_CLOEXEC);
    FB_AUTO(fb_sha256_done) struct fb_sha256 hash;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint8_t digest[FB_SHA256_SIZE];

    fb_sha256_init(&hash);
    if (fd < 0) {
        return -errno;
    }
    char *bytes = fb_buf_reserve(&text, HASH_BYTES);
    ssize_t n = 0;
    while ((n = read(fd, bytes, HASH_BYTES)) != 0) {
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (attempt_is_canceled(attempt)) {
            return FB_E_CANCELED;
        }
        fb_sha256_update(&hash, (struct fb_str){bytes, n > 0 ? (size_t)n : 0});
    }
    fb_buf_printf(&text, RECIPE ", threads %u", attempt->options->n_threads);
    fb_sha256_update(&hash, fb_buf_str(&text));
    fb_sha256_finish(&hash, digest);
    fb_buf_clear(&text);
    fb_text_hex(&text, (struct fb_str){(const char *)digest, ORIGIN_VERSION_LEN / 2});
    memcpy(attempt->result.version, text.ptr, text.len);
    attempt->permille = SHARE_HASH;
    return FB_OK;
}

static int attempt_transcode(struct attempt *attempt)
{
    struct origin_result *result = &attempt->result;
    struct origin_transcode_result made;

    int err = fb_dir_remove(AT_FDCWD, attempt->output);
    if (err < 0 || (err = fb_dir_make(AT_FDCWD, attempt->output, MODE_FOLDER)) < 0) {
        return err;
    }
    err = origin_transcode(
        &(struct origin_transcode_options){
            .source_path = attempt->source,
            .output_dir = attempt->output,
            .n_threads = attempt->options->n_threads,
            .segment_ms = ORIGIN_TRANSCODE_SEGMENT_MS,
            .ctx = attempt,
            .progress = attempt_on_progress,
            .is_canceled = attempt_is_canceled,
        },
        &made, &attempt->diag);
    if (err < 0) {
        return err;
    }
    result->duration_ms = made.duration_ms;
    result->width = made.width;
    result->height = made.height;
    result->has_audio = made.has_audio;
    for (unsigned i = 0; i < made.n_renditions; i++) {
        struct origin_result_rendition *rendition = &result->renditions[result->n_renditions++];
        rendition->height = made.renditions[i].height;
        rendition->width = made.renditions[i].width;
        rendition->bandwidth = made.renditions[i].bandwidth;
        (void)snprintf(rendition->codecs, sizeof(rendition->codecs), "%s",
                       made.renditions[i].codecs);
    }
    return FB_OK;
}

static int attempt_list(struct attempt *attempt)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    FB_AUTO(fb_fd_done) int fd = open(attempt->output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    int err = fb_file_read(fd, "publish.json", PUBLISH_MAX_BYTES, &text, NULL);
    if (err < 0 || (err = fb_json_parse(fb_buf_str(&text), PUBLISH_MAX_BYTES, &root, NULL)) < 0) {
        return err;
    }
    return origin_files_load(root, &attempt->result, NULL);
}

static int attempt_store(struct attempt *attempt)
{
    struct origin_result *result = &attempt->result;

    for (size_t i = 0; i < result->n_files; i++) {
        char key[ORIGIN_KEY_MAX + 1];
        char path[MAX_PATH + ORIGIN_PATH_MAX];

        (void)snprintf(key, sizeof(key), "media/%s/%s/%s", attempt->task->video.text,
                       result->version, result->files[i].path);
        (void)snprintf(path, sizeof(path), "%s/%s", attempt->output, result->files[i].path);
        int err = origin_objects_put_file(attempt->options->objects, fb_str_from(key), path);
        if (err < 0) {
            return err;
        }
        attempt->permille =
            1000 - SHARE_STORE + (uint32_t)(i * (SHARE_STORE - 1) / result->n_files);
        if (attempt_is_canceled(attempt)) {
            return FB_E_CANCELED;
        }
    }
    return FB_OK;
}

/* ---- the end ----------------------------------------------------------------- */

/* What no further attempt can change. */
static bool is_fault_of_input(int err)
{
    return err == FB_E_UNSUPPORTED || err == FB_E_MALFORMED || err == FB_E_CORRUPT ||
           err == FB_E_LIMIT;
}

/* What is this machine's trouble and passes: no attempt of the video's. */
static bool is_want_of_room(int err)
{
    return err == -ENOSPC || err == -EDQUOT || err == -EROFS || err == -EMFILE || err == -ENFILE;
}

static int attempt_make(struct attempt *attempt)
{
    int err = attempt_locate(attempt);
    if (err < 0 || (err = attempt_name(attempt)) < 0 || (err = attempt_transcode(attempt)) < 0 ||
        (err = attempt_list(attempt)) < 0 || (err = attempt_store(attempt)) < 0) {
        return err;
    }
    const struct origin_whole_source *source = attempt->options->source;
    return source->finish(source->ctx, attempt->task, &attempt->result);
}

/* Tells the source how it went wrong; should that fail too, the lease expires. */
static void attempt_report(struct attempt *attempt, int err)
{
    const struct origin_whole_source *source = attempt->options->source;
    const struct origin_whole_task *task = attempt->task;
    int told = FB_OK;

    if (attempt->is_lost || err == FB_E_CONFLICT) {
        FB_LOG(WARN, "worker", "lost the lease, dropped the work",
               FB_LOG_TEXT("video", task->video.text));
        /* The job is another's, or nobody's: what was stored for a video that is
         * gone, the source removes. */
        told = source->give_back(source->ctx, task);
    } else if (is_want_of_room(err)) {
        FB_LOG(WARN, "worker", "no room for the work, gave it back",
               FB_LOG_TEXT("video", task->video.text), FB_LOG_TEXT("cause", fb_err_text(err)),
               FB_LOG_TEXT("detail", attempt->diag.text));
        told = source->give_back(source->ctx, task);
    } else if (err == FB_E_CANCELED) {
        told = source->give_back(source->ctx, task);
    } else if (is_fault_of_input(err) && attempt->diag.text[0] != '\0') {
        told = source->fail(source->ctx, task,
                            fb_str_first(fb_str_from(attempt->diag.text), ORIGIN_REASON_MAX), true);
    } else {
        FB_LOG(WARN, "worker", "an attempt broke", FB_LOG_TEXT("video", task->video.text),
               FB_LOG_TEXT("cause", fb_err_text(err)), FB_LOG_TEXT("detail", attempt->diag.text));
        /* A codec's own words help; those about our disks would not. */
        bool is_told = err == FB_E_FOREIGN && attempt->diag.text[0] != '\0';
        told =
            source->fail(source->ctx, task,
                         is_told ? fb_str_first(fb_str_from(attempt->diag.text), ORIGIN_REASON_MAX)
                                 : FB_STR(passing),
                         false);
    }
    if (told < 0 && told != FB_E_CONFLICT) {
        FB_LOG(WARN, "worker", "could not report, the lease will expire",
               FB_LOG_TEXT("video", task->video.text), FB_LOG_TEXT("cause", fb_err_text(told)));
    }
}

bool origin_attempt_run(const struct origin_attempt_options *options,
                        const struct origin_whole_task *task)
{
    struct attempt attempt = {.options = options, .task = task};

    attempt.beat_ms = attempt_now(&attempt);
    attempt.renewed_ms = attempt.beat_ms;
    FB_LOG(INFO, "worker", "took a task", FB_LOG_TEXT("video", task->video.text),
           FB_LOG_INT("attempt", task->attempt));
    int err = attempt_make(&attempt);
    if (err < 0) {
        attempt_report(&attempt, err);
    }
    origin_result_done(&attempt.result);
    FB_IGNORE(fb_dir_remove(AT_FDCWD, attempt.output)); /* the next start sweeps what stays */
    return !is_want_of_room(err);
}
