#include "base/core/err.h"
#include "edge/volume/volume_internal.h"

/*
 * The scrub reads one extent after the other, zone by zone, and waits after each for as
 * long as its bytes take at the rate that was asked for. A round takes as long as one of the
 * full volume would, so what little an empty one holds is not read over and over. fetch.c
 * counts and forgets what is rotten.
 */

enum { SCRUB_IDLE_MS = 1000, MS_PER_S = 1000 };

static void scrub_wait(struct edge_volume *volume, uint64_t n_bytes)
{
    uint64_t wait_ms = n_bytes * MS_PER_S / volume->scrub_rate;

    if (edge_volume_is(volume, VOLUME_ONLINE)) {
        fb_timer_set(&volume->scrub.timer, FB_MAX(wait_ms, (uint64_t)1));
    }
}

static void on_scrubbed(struct volume_fetch *fetch, int result)
{
    struct edge_volume *volume = fetch->io.volume;
    uint64_t n_bytes = (uint64_t)fetch->place.n_blocks * EDGE_FORMAT_BLOCK;

    (void)result; /* counted */
    fetch->is_busy = false;
    volume_count(&volume->shared.counts.scrubbed_bytes, n_bytes);
    scrub_wait(volume, n_bytes);
}

/* The next extent in the index; false at the end of a round. */
static bool scrub_next(struct edge_volume *volume)
{
    struct volume_scrub *scrub = &volume->scrub;

    while (scrub->zone < volume->superblock.n_zones) {
        if (edge_index_next_of_zone(volume->index, scrub->zone, &scrub->cursor, &scrub->fetch.id,
                                    &scrub->fetch.place)) {
            return true;
        }
        scrub->zone++;
        scrub->cursor = 0;
    }
    return false;
}

/* Until it is time for the next round. */
static void scrub_rest(struct edge_volume *volume)
{
    struct volume_scrub *scrub = &volume->scrub;
    uint64_t round_ms = volume->superblock.size / volume->scrub_rate * MS_PER_S;
    uint64_t now_ms = fb_loop_now_ms(volume->loop);
    uint64_t passed_ms = now_ms - FB_MIN(scrub->began_ms, now_ms);
    uint64_t rest_ms = round_ms > passed_ms ? round_ms - passed_ms : 0;

    rest_ms = FB_MAX(rest_ms, (uint64_t)SCRUB_IDLE_MS);
    scrub->zone = 0;
    scrub->cursor = 0;
    scrub->began_ms = now_ms + rest_ms;
    fb_timer_set(&scrub->timer, rest_ms);
}

static void on_scrub_due(struct fb_timer *timer)
{
    struct edge_volume *volume = FB_CONTAINER_OF(timer, struct edge_volume, scrub.timer);

    if (!edge_volume_is(volume, VOLUME_ONLINE)) {
        return;
    }
    if (!scrub_next(volume)) {
        scrub_rest(volume);
        return;
    }
    volume->scrub.fetch.done = on_scrubbed;
    edge_fetch_start(volume, &volume->scrub.fetch);
}

void edge_scrub_init(struct edge_volume *volume)
{
    fb_timer_init(&volume->scrub.timer, volume->loop, on_scrub_due);
}

void edge_scrub_start(struct edge_volume *volume)
{
    if (volume->scrub_rate > 0) {
        volume->scrub.began_ms = fb_loop_now_ms(volume->loop) + SCRUB_IDLE_MS;
        fb_timer_set(&volume->scrub.timer, SCRUB_IDLE_MS);
    }
}

void edge_scrub_stop(struct edge_volume *volume)
{
    fb_timer_clear(&volume->scrub.timer);
}

void edge_scrub_done(struct edge_volume *volume)
{
    edge_fetch_done(&volume->scrub.fetch);
}
