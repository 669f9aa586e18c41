#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "edge/fill/fill.h"
#include "edge/fill/fill_internal.h"

void edge_fill_prove_done(struct edge_fill *fill)
{
    edge_digest_done(&fill->proof.digest);
    fb_buf_done(&fill->proof.held);
    fill->proof = (struct fill_proof){0};
}

/* Where what is held ends. */
static uint64_t proof_held_until(const struct fill_proof *proof)
{
    return proof->hold + proof->held.len;
}

uint64_t edge_fill_offset(const struct edge_fill *fill)
{
    const struct fill_proof *proof = &fill->proof;

    return proof->held.len > 0 ? proof_held_until(proof) : edge_writer_offset(fill->writer);
}

/* ---- beginning --------------------------------------------------------- */

/* True if what runs follows this body too. */
static bool proof_goes_on(const struct edge_fill *fill)
{
    const struct fill_proof *proof = &fill->proof;

    return proof->is_running && proof->is_of_whole && fill->at <= proof->at &&
           edge_writer_offset(fill->writer) <= proof->at;
}

void edge_fill_prove_body(struct edge_fill *fill)
{
    struct fill_proof *proof = &fill->proof;
    int64_t length = edge_object_length(edge_writer_object(fill->writer));

    if (proof_goes_on(fill)) {
        return;
    }
    edge_fill_prove_done(fill);
    if (fill->claim.kind == EDGE_DIGEST_NONE) {
        return;
    }
    proof->is_running = true;
    proof->is_of_whole = fill->at == 0 && (fill->end == UINT64_MAX || (int64_t)fill->end == length);
    proof->at = fill->at;
    proof->end = fill->end;
    proof->hold = UINT64_MAX;
    if (proof->end != UINT64_MAX) {
        uint64_t n = proof->end - proof->at;
        proof->hold = proof->end - FB_MIN(n, (uint64_t)EDGE_FILL_HELD_BYTES);
    }
    edge_digest_begin(&proof->digest, &fill->claim);
    edge_writer_set_unproven(fill->writer);
}

void edge_fill_prove_broken(struct edge_fill *fill)
{
    if (!fill->proof.is_running || !fill->proof.is_of_whole) {
        edge_fill_prove_done(fill);
    }
}

/* ---- looking ----------------------------------------------------------- */

/* All bytes of the digest were there: what was held goes on its way. */
static int proof_conclude(struct edge_fill *fill)
{
    struct fill_proof *proof = &fill->proof;

    proof->is_running = false;
    if (!edge_digest_holds(&proof->digest)) {
        return FB_E_CORRUPT;
    }
    edge_fill_metric(fill->table, FILL_PROVEN, 1);
    struct fb_buf held = fb_buf_take(&proof->held);
    int err = edge_fill_write(fill, proof->hold, fb_buf_str(&held));
    fb_buf_done(&held);
    return err;
}

int edge_fill_prove(struct edge_fill *fill, uint64_t at, struct fb_str bytes)
{
    struct fill_proof *proof = &fill->proof;
    int err = FB_OK;

    struct fb_str fresh = fb_str_skip(bytes, (size_t)FB_MIN(proof->at - at, (uint64_t)bytes.len));
    edge_digest_update(&proof->digest, fresh);
    proof->at += fresh.len;

    size_t n_free = at < proof->hold ? (size_t)FB_MIN(proof->hold - at, (uint64_t)bytes.len) : 0;
    err = edge_fill_write(fill, at, fb_str_first(bytes, n_free));
    if (err < 0) {
        return err;
    }
    if (n_free < bytes.len) {
        uint64_t n_held = proof_held_until(proof) - (at + n_free);
        bytes = fb_str_skip(bytes, n_free);
        fb_buf_append(&proof->held, fb_str_skip(bytes, (size_t)FB_MIN(n_held, bytes.len)));
    }
    return proof->at == proof->end ? proof_conclude(fill) : FB_OK;
}

int edge_fill_prove_end(struct edge_fill *fill)
{
    return proof_conclude(fill);
}

/* ---- what is wrong ----------------------------------------------------- */

void edge_fill_disproved(struct edge_fill *fill)
{
    struct edge_object *object = edge_writer_object(fill->writer);
    bool is_retried =
        edge_writer_is_fresh(fill->writer) && fill->if_range.len > 0 && !fill->was_corrupt;

    edge_fill_metric(fill->table, FILL_CORRUPT, 1);
    FB_LOG(WARN, "fill", "the bytes are not those of the digest", FB_LOG_STR("key", fill->ask.key),
           FB_LOG_INT("upstream", fill->fetch.upstream), FB_LOG_BOOL("asks_again", is_retried));
    if (fill->fetch.blame != NULL && fill->ask.sha256 == NULL) { /* else it may be the plan */
        fill->fetch.blame(fill->answer->body);
    }
    edge_fill_prove_done(fill);
    if (is_retried) {
        fill->was_corrupt = true;
        edge_fill_retry_elsewhere(fill, FB_E_CORRUPT);
        return;
    }
    edge_object_break(object);
    edge_fill_forget(fill, object);
    edge_fill_end_body(fill, FB_E_CORRUPT);
}
