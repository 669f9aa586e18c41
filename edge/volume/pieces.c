#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/volume/volume_internal.h"

#include <string.h>

static void on_piece_written(struct volume_io *io, int result)
{
    struct volume_piece *piece = FB_CONTAINER_OF(io, struct volume_piece, io);
    struct edge_volume *volume = io->volume;
    struct volume_pieces *pieces = &volume->pieces;

    if (result < 0) {
        edge_volume_fail(volume, result);
        return;
    }
    piece->is_written = true;
    /* In order: a sync covers what is on the disk without a gap. */
    while (!fb_list_empty(&pieces->flying)) {
        struct volume_piece *first =
            FB_CONTAINER_OF(pieces->flying.next, struct volume_piece, link);
        if (!first->is_written) {
            break;
        }
        fb_list_remove(&first->link);
        fb_list_append(&pieces->free, &first->link);
        pieces->written = first->end;
    }
    edge_writer_on_written(volume);
}

void edge_pieces_init(struct edge_volume *volume)
{
    struct volume_pieces *pieces = &volume->pieces;

    fb_list_init(&pieces->free);
    fb_list_init(&pieces->flying);
    for (unsigned i = 0; i < VOLUME_PIECES; i++) {
        struct volume_piece *piece = &pieces->pieces[i];
        fb_list_init(&piece->link);
        fb_list_append(&pieces->free, &piece->link);
        piece->io.done = on_piece_written;
    }
}

void edge_pieces_done(struct edge_volume *volume)
{
    fb_free(volume->pieces.memory);
}

/* All in one run, which then is of huge pages: a write of small ones costs five times as
 * much. */
static void pieces_take_memory(struct volume_pieces *pieces)
{
    pieces->memory = fb_disk_buffer((size_t)VOLUME_PIECES * VOLUME_PIECE_BYTES);
    for (size_t i = 0; i < VOLUME_PIECES; i++) {
        pieces->pieces[i].bytes = pieces->memory + i * VOLUME_PIECE_BYTES;
    }
}

/* The piece that is filled, or NULL if all are on their way. */
static struct volume_piece *pieces_current(struct edge_volume *volume)
{
    struct volume_pieces *pieces = &volume->pieces;
    struct fb_list *node = NULL;

    if (pieces->current != NULL) {
        return pieces->current;
    }
    if ((node = fb_list_pop(&pieces->free)) == NULL) {
        return NULL;
    }
    pieces->current = FB_CONTAINER_OF(node, struct volume_piece, link);
    pieces->current->n = 0;
    if (pieces->memory == NULL) {
        pieces_take_memory(pieces);
    }
    fb_timer_set(&volume->writer.flush_timer, EDGE_VOLUME_FLUSH_MS);
    if (!fb_timer_is_set(&volume->writer.sync_timer)) {
        fb_timer_set(&volume->writer.sync_timer, EDGE_VOLUME_SYNC_MS);
    }
    return pieces->current;
}

uint64_t edge_pieces_position(const struct edge_volume *volume)
{
    const struct volume_pieces *pieces = &volume->pieces;

    return pieces->sent + (pieces->current == NULL ? 0 : pieces->current->n / EDGE_FORMAT_BLOCK);
}

/* `bytes` NULL: zeros. */
static size_t pieces_fill(struct edge_volume *volume, const char *bytes, size_t n)
{
    size_t n_put = 0;

    while (n_put < n) {
        struct volume_piece *piece = pieces_current(volume);
        if (piece == NULL) {
            break;
        }
        size_t n_now = FB_MIN(n - n_put, (size_t)VOLUME_PIECE_BYTES - piece->n);
        if (bytes != NULL) {
            memcpy(piece->bytes + piece->n, bytes + n_put, n_now);
        } else {
            memset(piece->bytes + piece->n, 0, n_now);
        }
        piece->n += n_now;
        n_put += n_now;
        if (piece->n == VOLUME_PIECE_BYTES) {
            edge_pieces_submit(volume);
        }
    }
    return n_put;
}

size_t edge_pieces_put(struct edge_volume *volume, const char *bytes, size_t n)
{
    return pieces_fill(volume, bytes, n);
}

size_t edge_pieces_pad(struct edge_volume *volume, size_t n)
{
    return pieces_fill(volume, NULL, n);
}

void edge_pieces_submit(struct edge_volume *volume)
{
    struct volume_pieces *pieces = &volume->pieces;
    struct volume_piece *piece = pieces->current;

    fb_timer_clear(&volume->writer.flush_timer);
    if (piece == NULL) {
        return;
    }
    FB_REQUIRE(piece->n > 0 && piece->n % EDGE_FORMAT_BLOCK == 0);
    pieces->current = NULL;
    pieces->sent += piece->n / EDGE_FORMAT_BLOCK;
    piece->end = pieces->sent;
    piece->is_written = false;
    fb_list_append(&pieces->flying, &piece->link);
    piece->io.io.verb = FB_DISK_WRITE;
    piece->io.io.offset = pieces->offset;
    piece->io.io.bytes = piece->bytes;
    piece->io.io.n = piece->n;
    pieces->offset += piece->n;
    edge_volume_io_start(volume, &piece->io);
}

void edge_pieces_seek(struct edge_volume *volume, uint64_t offset)
{
    FB_REQUIRE(volume->pieces.current == NULL && fb_list_empty(&volume->pieces.flying));
    volume->pieces.offset = offset;
}

void edge_pieces_reset(struct edge_volume *volume)
{
    struct volume_pieces *pieces = &volume->pieces;

    if (pieces->current != NULL) {
        fb_list_append(&pieces->free, &pieces->current->link);
        pieces->current = NULL;
    }
    fb_list_splice(&pieces->free, &pieces->flying);
    pieces->sent = pieces->written;
}
