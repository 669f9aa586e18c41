#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "base/sys/random.h"
#include "edge/views/views_internal.h"

struct edge_views_writer *edge_views_writer_new(struct edge_views *views)
{
    if (views == NULL) {
        return NULL;
    }
    struct edge_views_writer *writer = FB_NEW(struct edge_views_writer);

    writer->views = views;
    fb_list_init(&writer->busy);
    fb_list_init(&writer->link);
    writer->metrics = edge_views_table(views->options.metrics);
    writer->pacer = edge_pacer_new(views->options.beacons_per_s, fb_random_u64());
    (void)pthread_mutex_init(&writer->lock, NULL); /* cannot fail on Linux */
    (void)pthread_mutex_lock(&views->lock);
    fb_list_append(&views->writers, &writer->link);
    (void)pthread_mutex_unlock(&views->lock);
    return writer;
}

void edge_views_writer_free(struct edge_views_writer *writer)
{
    (void)pthread_mutex_destroy(&writer->lock);
    edge_pacer_free(writer->pacer);
    fb_buf_done(&writer->going);
    fb_buf_done(&writer->waiting);
    fb_free(writer);
}

static struct edge_note_time writer_time(const struct edge_views_writer *writer)
{
    const struct fb_clock *clock = writer->views->options.clock;

    return (struct edge_note_time){.mono_ms = fb_clock_mono_ms(clock),
                                   .wall_ms = fb_clock_wall_ms(clock)};
}

/* What is counted as waiting for the thread, or dropped. Returns with the lock let go. */
static void writer_leave(struct edge_views_writer *writer, size_t before, size_t row)
{
    struct edge_views *views = writer->views;
    size_t after = writer->waiting.len;

    (void)pthread_mutex_unlock(&writer->lock);
    edge_views_count(writer->metrics, row, 1);
    if (row == VIEWS_ROW_DROPPED) {
        atomic_fetch_add_explicit(&views->n_dropped, 1, memory_order_relaxed);
    }
    if (before < EDGE_VIEWS_BUFFER / 2 && after >= EDGE_VIEWS_BUFFER / 2) {
        edge_views_tell(views, &views->has_news);
    }
}

void edge_views_writer_add(struct edge_views_writer *writer,
                           const struct edge_views_request *request)
{
    if (!fb_str_starts_with(request->path, writer->views->prefix)) {
        return;
    }
    struct edge_note_time time = writer_time(writer);
    (void)pthread_mutex_lock(&writer->lock);
    size_t before = writer->waiting.len;
    size_t row = VIEWS_ROW_DROPPED;
    if (before < EDGE_VIEWS_BUFFER) {
        if (!edge_note_request(&writer->waiting, request, time)) {
            (void)pthread_mutex_unlock(&writer->lock);
            return;
        }
        row = VIEWS_ROW_REQUESTS;
    }
    writer_leave(writer, before, row);
}

bool edge_views_is_beacon(const struct edge_views_writer *writer, struct fb_str path)
{
    struct fb_str beacon = writer->views->options.beacon;

    return beacon.len > 0 && fb_str_equal(path, beacon);
}

int edge_views_writer_beacon(struct edge_views_writer *writer, const struct fb_request_head *head,
                             const struct fb_address *client, struct fb_str body,
                             struct fb_diag *diag)
{
    struct edge_note_time time = writer_time(writer);
    struct fb_network address = edge_note_address(client);
    struct edge_beacon beacon;

    int err = edge_pacer_take(writer->pacer, &address, time.mono_ms)
                  ? edge_beacon_parse(body, &beacon, diag)
                  : fb_diag_set(diag, FB_E_BUSY, "too many beacons from this client");
    if (err < 0) {
        edge_views_count(writer->metrics, VIEWS_ROW_REFUSED, 1);
        return err;
    }
    (void)pthread_mutex_lock(&writer->lock);
    size_t before = writer->waiting.len;
    bool fits = before < EDGE_VIEWS_BUFFER;
    if (fits) {
        edge_note_beacon(&writer->waiting, &beacon, head, client, time);
    }
    writer_leave(writer, before, fits ? VIEWS_ROW_BEACONS : VIEWS_ROW_DROPPED);
    return FB_OK;
}
