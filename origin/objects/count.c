#include "origin/objects/count.h"

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "origin/objects/objects_internal.h"

enum {
    ROW_REQUESTS = 0,
    ROW_ERRORS = ORIGIN_COUNT_N,
    ROW_SECONDS = 2 * ORIGIN_COUNT_N,
    ROW_BYTES = 3 * ORIGIN_COUNT_N,
    ROW_RETRIES = ROW_BYTES + 2,
    N_ROWS
};

#define REQUESTS(op)                                                                     \
    {                                                                                    \
        "origin_objects_requests_total", FB_METRIC_COUNTER, "op=\"" op "\"",             \
            "What was asked of the store of objects; reads of local files not included." \
    }
#define ERRORS(op)                                                          \
    {                                                                       \
        "origin_objects_errors_total", FB_METRIC_COUNTER, "op=\"" op "\"",  \
            "Of these, failed; that something is not there does not count." \
    }
#define SECONDS(op)                                                      \
    {                                                                    \
        "origin_objects_seconds", FB_METRIC_HISTOGRAM, "op=\"" op "\"",  \
            "How long they took; a put from its first byte to its last." \
    }
#define BYTES(way)                                                                \
    {                                                                             \
        "origin_objects_bytes_total", FB_METRIC_COUNTER, "direction=\"" way "\"", \
            "Bytes of objects."                                                   \
    }
#define EACH(ROW, base)                                                                 \
    [(base) + ORIGIN_COUNT_PUT] = ROW("put"), [(base) + ORIGIN_COUNT_GET] = ROW("get"), \
              [(base) + ORIGIN_COUNT_STAT] = ROW("stat"),                               \
              [(base) + ORIGIN_COUNT_READ] = ROW("read"),                               \
              [(base) + ORIGIN_COUNT_LIST] = ROW("list"),                               \
              [(base) + ORIGIN_COUNT_REMOVE] = ROW("remove"),                           \
              [(base) + ORIGIN_COUNT_MULTIPART] = ROW("multipart")

static const struct fb_metric count_rows[N_ROWS] = {
    EACH(REQUESTS, ROW_REQUESTS),
    EACH(ERRORS, ROW_ERRORS),
    EACH(SECONDS, ROW_SECONDS),
    [ROW_BYTES + ORIGIN_COUNT_WRITTEN] = BYTES("written"),
    [ROW_BYTES + ORIGIN_COUNT_READ_BYTES] = BYTES("read"),
    [ROW_RETRIES] = {"origin_objects_retries_total", FB_METRIC_COUNTER, NULL,
                     "Requests to the store's server that were made again."},
};

struct fb_metrics_table *origin_count_table(struct fb_metrics *metrics, const char *kind)
{
    FB_AUTO(fb_buf_done) struct fb_buf label = {0};

    if (metrics == NULL) {
        return NULL;
    }
    fb_metrics_label(&label, "store", fb_str_from(kind));
    return fb_metrics_table_new(metrics, count_rows, N_ROWS, label.ptr);
}

uint64_t origin_count_begin(const struct origin_objects *objects)
{
    return objects->metrics != NULL ? fb_clock_mono_ns(objects->clock) : 0;
}

void origin_count_end(struct origin_objects *objects, enum origin_count_op op, uint64_t begun_ns,
                      int err)
{
    if (objects->metrics == NULL) {
        return;
    }
    fb_metrics_add(objects->metrics, ROW_REQUESTS + op, 1);
    fb_metrics_observe_ns(objects->metrics, ROW_SECONDS + op,
                          fb_clock_mono_ns(objects->clock) - begun_ns);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        fb_metrics_add(objects->metrics, ROW_ERRORS + op, 1);
    }
}

void origin_count_bytes(struct origin_objects *objects, enum origin_count_way way, uint64_t n)
{
    if (objects->metrics != NULL && n > 0) {
        fb_metrics_add(objects->metrics, ROW_BYTES + way, n);
    }
}

void origin_count_retry(struct origin_objects *objects)
{
    if (objects->metrics != NULL) {
        fb_metrics_add(objects->metrics, ROW_RETRIES, 1);
    }
}
