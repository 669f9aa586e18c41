#include "edge/access_log/access_log.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/list.h"
#include "base/log/log.h"
#include "base/loop/thread.h"
#include "base/metrics/metrics.h"
#include "base/sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINES, LOG_DROPPED, LOG_FAILED, LOG_N_ROWS };

enum { LOG_TURN_MS = 200, LOG_WAIT_MS = 100, LOG_FILE_MODE = 0640 };

static const struct fb_metric log_rows[LOG_N_ROWS] = {
    [LOG_LINES] = {"edge_access_log_lines_total", FB_METRIC_COUNTER, NULL,
                   "Requests that were written to the access log, or wait to be."},
    [LOG_DROPPED] = {"edge_access_log_dropped_total", FB_METRIC_COUNTER, NULL,
                     "Requests that the access log had no room for: its disk is too slow."},
    [LOG_FAILED] = {"edge_access_log_failed_total", FB_METRIC_COUNTER, NULL,
                    "Times that the access log could not be written or opened."},
};

struct edge_access_writer {
    struct edge_access_log *log;      /* borrowed */
    struct fb_metrics_table *metrics; /* borrowed, or NULL */
    struct fb_list link;              /* in log->writers, for good */
    struct fb_buf line;               /* the loop's alone */
    uint64_t chance;                  /* state of the sampling */

    struct fb_buf going; /* the thread's alone: what is being written */

    pthread_mutex_t lock; /* of what follows */
    struct fb_buf waiting;
};

struct edge_access_log {
    struct edge_access_log_options options;
    struct edge_access_view view;
    struct fb_str *hidden;            /* owned, with its strings */
    char *path;                       /* owned; NULL: the program's log */
    char *node;                       /* owned */
    struct fb_metrics_table *metrics; /* borrowed, or NULL */
    struct fb_thread *thread;
    int fd;          /* the thread's, once it runs; -1: the program's log */
    bool is_failing; /* the thread's: said so already */
    bool is_torn;    /* the thread's: the file ends within a line */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t news;
    struct fb_list writers;
    uint64_t n_writers;
    bool has_news; /* a buffer is half full */
    bool is_closing;
    bool wants_reopen;
};

static void log_count(struct fb_metrics_table *metrics, size_t row, size_t n)
{
    if (metrics != NULL) {
        fb_metrics_add(metrics, row, n);
    }
}

/* ---- the file ---------------------------------------------------------------- */

static void log_failed(struct edge_access_log *log, const char *what, int err)
{
    log_count(log->metrics, LOG_FAILED, 1);
    if (!log->is_failing) {
        FB_LOG(WARN, "access_log", what, FB_LOG_TEXT("path", log->path),
               FB_LOG_TEXT("error", fb_err_text(err)));
    }
    log->is_failing = true;
}

/* True if of `lines` a part has reached the file, which was `before` long, and that part
 * ends within a line. */
static bool log_has_torn(const struct edge_access_log *log, struct fb_str lines, off_t before)
{
    off_t after = lseek(log->fd, 0, SEEK_END);

    return before >= 0 && after > before && (uint64_t)(after - before) < lines.len &&
           lines.ptr[after - before - 1] != '\n';
}

static void log_write(struct edge_access_log *log, struct fb_str lines)
{
    if (lines.len == 0) {
        return;
    }
    if (log->fd < 0) {
        /* More at once than a pipe has room for: its reader gets a moment. */
        log_count(log->metrics, LOG_DROPPED, fb_log_write_lines(lines, LOG_WAIT_MS));
        return;
    }
    /* The line that a full disk cut is lost, the one after it must not be. */
    int err = log->is_torn ? fb_fd_write(log->fd, FB_STR("\n")) : FB_OK;
    if (err == FB_OK) {
        off_t before = lseek(log->fd, 0, SEEK_END); /* fails for a pipe, which is never cut */
        err = fb_fd_write(log->fd, lines);
        log->is_torn = err < 0 && log_has_torn(log, lines, before);
    }
    if (err < 0) {
        log_failed(log, "requests are lost to the access log", err);
    } else {
        log->is_failing = false;
    }
}

static int log_open_file(const struct edge_access_log *log, int *ret_fd)
{
    /* Links are followed: the path is an operator's. */
    int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, LOG_FILE_MODE);

    if (fd < 0) {
        return -errno;
    }
    *ret_fd = fd;
    return FB_OK;
}

static void log_write_head(struct edge_access_log *log)
{
    FB_AUTO(fb_buf_done) struct fb_buf head = {0};

    if (log->options.format == EDGE_ACCESS_W3C) {
        edge_access_w3c_head(&head, &log->view, fb_str_from(log->node),
                             fb_clock_wall_ms(fb_clock_system()));
        log_write(log, fb_buf_str(&head));
    }
}

static void log_open_again(struct edge_access_log *log)
{
    int fd = -1;

    if (log->path == NULL) {
        return;
    }
    int err = log_open_file(log, &fd);
    if (err < 0) {
        log_failed(log, "the access log cannot be opened, the old file is kept", err);
        return;
    }
    fb_fd_done(&log->fd);
    log->fd = fd;
    log->is_failing = false;
    log->is_torn = false;
    log_write_head(log);
}

/* ---- the thread ---------------------------------------------------------------- */

/* Waits for news, at most one turn. */
static void log_wait(struct edge_access_log *log, bool *ret_is_closing, bool *ret_wants_reopen)
{
    uint64_t until_ns =
        fb_clock_steady_ns(fb_clock_system()) + (uint64_t)LOG_TURN_MS * FB_NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                             .tv_nsec = (long)(until_ns % 1000000000)};

    (void)pthread_mutex_lock(&log->lock);
    while (!log->has_news && !log->is_closing && !log->wants_reopen &&
           pthread_cond_timedwait(&log->news, &log->lock, &until) == 0) {
    }
    log->has_news = false;
    *ret_is_closing = log->is_closing;
    *ret_wants_reopen = log->wants_reopen;
    log->wants_reopen = false;
    (void)pthread_mutex_unlock(&log->lock);
}

static void log_flush_one(struct edge_access_log *log, struct edge_access_writer *writer)
{
    (void)pthread_mutex_lock(&writer->lock);
    struct fb_buf waiting = writer->waiting;
    writer->waiting = writer->going;
    (void)pthread_mutex_unlock(&writer->lock);
    writer->going = waiting;
    log_write(log, fb_buf_str(&writer->going));
    fb_buf_clear(&writer->going);
}

/* The writer after `writer`, the first after NULL. None ever leaves the list. */
static struct edge_access_writer *log_next_writer(struct edge_access_log *log,
                                                  struct edge_access_writer *writer)
{
    (void)pthread_mutex_lock(&log->lock);
    struct fb_list *node = writer != NULL ? writer->link.next : log->writers.next;
    struct edge_access_writer *next =
        node == &log->writers ? NULL : FB_CONTAINER_OF(node, struct edge_access_writer, link);
    (void)pthread_mutex_unlock(&log->lock);
    return next;
}

static void log_flush(struct edge_access_log *log)
{
    struct edge_access_writer *writer = NULL;

    while ((writer = log_next_writer(log, writer)) != NULL) {
        log_flush_one(log, writer);
    }
}

static void log_run(void *ctx)
{
    struct edge_access_log *log = ctx;
    bool is_closing = false;
    bool wants_reopen = false;

    while (!is_closing) {
        log_wait(log, &is_closing, &wants_reopen);
        log_flush(log); /* to the old file, in whose time it happened */
        if (wants_reopen) {
            log_open_again(log);
        }
    }
}

/* ---- life ---------------------------------------------------------------------- */

static void log_free(struct edge_access_log *log)
{
    struct fb_list *node = NULL;

    while ((node = fb_list_pop(&log->writers)) != NULL) {
        struct edge_access_writer *writer = FB_CONTAINER_OF(node, struct edge_access_writer, link);
        (void)pthread_mutex_destroy(&writer->lock);
        fb_buf_done(&writer->line);
        fb_buf_done(&writer->going);
        fb_buf_done(&writer->waiting);
        fb_free(writer);
    }
    for (size_t i = 0; i < log->options.n_hidden; i++) {
        union {
            const char *ptr;
            char *owned;
        } name = {.ptr = log->hidden[i].ptr};
        fb_free(name.owned);
    }
    (void)pthread_cond_destroy(&log->news);
    (void)pthread_mutex_destroy(&log->lock);
    fb_fd_done(&log->fd);
    fb_free(log->hidden);
    fb_free(log->path);
    fb_free(log->node);
    fb_free(log);
}

static void log_copy_options(struct edge_access_log *log,
                             const struct edge_access_log_options *options)
{
    log->options = *options;
    log->options.sample = FB_MAX(options->sample, 1U);
    log->path = options->path.ptr != NULL ? fb_str_dup(options->path) : NULL;
    log->node = fb_str_dup(options->node);
    log->hidden = fb_alloc_array(options->n_hidden, sizeof(*log->hidden));
    for (size_t i = 0; i < options->n_hidden; i++) {
        log->hidden[i] = (struct fb_str){fb_str_dup(options->hidden[i]), options->hidden[i].len};
    }
    log->view = (struct edge_access_view){
        .client = options->client,
        .has_cmcd = options->has_cmcd,
        .hidden = log->hidden,
        .n_hidden = options->n_hidden,
        .sample = log->options.sample,
        .has_subject = log->path == NULL,
    };
}

static struct edge_access_log *log_new(const struct edge_access_log_options *options)
{
    struct edge_access_log *log = FB_NEW(struct edge_access_log);
    pthread_condattr_t attributes;

    log->fd = -1;
    log_copy_options(log, options);
    fb_list_init(&log->writers);
    (void)pthread_mutex_init(&log->lock, NULL); /* these cannot fail on Linux */
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&log->news, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (options->metrics != NULL) {
        log->metrics = fb_metrics_table_new(options->metrics, log_rows, LOG_N_ROWS, NULL);
    }
    return log;
}

int edge_access_log_open(const struct edge_access_log_options *options,
                         struct edge_access_log **ret_log, struct fb_diag *diag)
{
    if (options->format == EDGE_ACCESS_OFF) {
        *ret_log = NULL;
        return FB_OK;
    }
    struct edge_access_log *log = log_new(options);
    int err = log->path != NULL ? log_open_file(log, &log->fd) : FB_OK;
    if (err == FB_OK) {
        log_write_head(log);
        err = fb_thread_start_body("access-log", log_run, log, &log->thread);
    }
    if (err < 0) {
        err = fb_diag_set(diag, err, "open the access log %s: %s",
                          log->path != NULL ? log->path : "", fb_err_text(err));
        log_free(log);
        return err;
    }
    *ret_log = log;
    return FB_OK;
}

/* Tells the thread, through one of its flags. */
static void log_tell(struct edge_access_log *log, bool *flag)
{
    (void)pthread_mutex_lock(&log->lock);
    *flag = true;
    (void)pthread_cond_signal(&log->news);
    (void)pthread_mutex_unlock(&log->lock);
}

void edge_access_log_reopen(struct edge_access_log *log)
{
    if (log != NULL) {
        log_tell(log, &log->wants_reopen);
    }
}

void edge_access_log_close(struct edge_access_log *log)
{
    if (log == NULL) {
        return;
    }
    log_tell(log, &log->is_closing);
    fb_thread_join(log->thread);
    log_free(log);
}

/* ---- for loops ----------------------------------------------------------------- */

struct edge_access_writer *edge_access_writer_new(struct edge_access_log *log)
{
    if (log == NULL) {
        return NULL;
    }
    struct edge_access_writer *writer = FB_NEW(struct edge_access_writer);
    writer->log = log;
    writer->metrics = log->options.metrics != NULL
                          ? fb_metrics_table_new(log->options.metrics, log_rows, LOG_N_ROWS, NULL)
                          : NULL;
    (void)pthread_mutex_init(&writer->lock, NULL);
    (void)pthread_mutex_lock(&log->lock);
    writer->chance = log->options.seed + ++log->n_writers;
    fb_list_append(&log->writers, &writer->link);
    (void)pthread_mutex_unlock(&log->lock);
    return writer;
}

/* By chance and not by count: what comes in turns would be seen in part for ever. */
static bool writer_samples(struct edge_access_writer *writer)
{
    uint32_t sample = writer->log->options.sample;

    if (sample == 1) {
        return true;
    }
    writer->chance = writer->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (writer->chance >> 33) % sample == 0;
}

void edge_access_writer_add(struct edge_access_writer *writer,
                            const struct edge_access_entry *entry)
{
    if (writer == NULL || !writer_samples(writer)) {
        return;
    }
    struct edge_access_log *log = writer->log;
    fb_buf_clear(&writer->line);
    if (log->options.format == EDGE_ACCESS_W3C) {
        edge_access_w3c(&writer->line, entry, &log->view);
    } else {
        edge_access_json(&writer->line, entry, &log->view);
    }
    (void)pthread_mutex_lock(&writer->lock);
    size_t before = writer->waiting.len;
    bool fits = before + writer->line.len <= EDGE_ACCESS_LOG_BUFFER;
    if (fits) {
        fb_buf_append(&writer->waiting, fb_buf_str(&writer->line));
    }
    size_t after = writer->waiting.len;
    (void)pthread_mutex_unlock(&writer->lock);
    log_count(writer->metrics, fits ? LOG_LINES : LOG_DROPPED, 1);
    if (before < EDGE_ACCESS_LOG_BUFFER / 2 && after >= EDGE_ACCESS_LOG_BUFFER / 2) {
        log_tell(log, &log->has_news);
    }
}
