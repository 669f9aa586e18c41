#include "edge/fill/digest.h"

#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/crypto/base64.h"
#include "base/http/structured.h"

#include <string.h>

static size_t digest_size(enum edge_digest_kind kind)
{
    switch (kind) {
    case EDGE_DIGEST_SHA256:
        return FB_SHA256_SIZE;
    case EDGE_DIGEST_SHA512:
        return FB_SHA512_SIZE;
    case EDGE_DIGEST_NONE:
        break;
    }
    return 0;
}

/* ---- claims ------------------------------------------------------------ */

/* Keys of dictionaries are in lower case (RFC 8941 section 3.2). */
static enum edge_digest_kind claim_kind(struct fb_str key)
{
    if (fb_str_equal(key, FB_STR("sha-512"))) {
        return EDGE_DIGEST_SHA512;
    }
    return fb_str_equal(key, FB_STR("sha-256")) ? EDGE_DIGEST_SHA256 : EDGE_DIGEST_NONE;
}

/* Takes a member over if it is no weaker than what `claim` has: of two of one name the last one
 * counts. */
static void claim_take(struct edge_digest_claim *claim, const struct fb_sf_member *member)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    enum edge_digest_kind kind = claim_kind(member->key);

    if (kind == EDGE_DIGEST_NONE || kind < claim->kind || member->kind != FB_SF_BYTES ||
        fb_base64_decode(&bytes, FB_BASE64_STD, member->text) < 0 ||
        bytes.len != digest_size(kind)) {
        return;
    }
    claim->kind = kind;
    memcpy(claim->bytes, bytes.ptr, bytes.len);
}

static struct edge_digest_claim claim_read(struct fb_str field)
{
    struct edge_digest_claim claim = {0};
    struct fb_sf_member member;
    int err = FB_OK;

    while ((err = fb_sf_next_member(&field, &member)) == FB_OK) {
        claim_take(&claim, &member);
    }
    return err == FB_E_END ? claim : (struct edge_digest_claim){0};
}

struct edge_digest_claim edge_digest_claim_of(const struct fb_response_head *response,
                                              struct fb_arena *arena)
{
    const struct fb_headers *headers = &response->headers;
    struct edge_digest_claim of_all = {0};

    if (response->status == 200) {
        of_all = claim_read(fb_headers_join(headers, arena, FB_STR("repr-digest")));
    }
    struct edge_digest_claim of_content =
        claim_read(fb_headers_join(headers, arena, FB_STR("content-digest")));
    return of_content.kind > of_all.kind ? of_content : of_all;
}

/* ---- checking ---------------------------------------------------------- */

void edge_digest_begin(struct edge_digest *digest, const struct edge_digest_claim *claim)
{
    FB_REQUIRE(claim->kind != EDGE_DIGEST_NONE);
    digest->claim = *claim;
    if (claim->kind == EDGE_DIGEST_SHA256) {
        fb_sha256_init(&digest->hash.sha256);
    } else {
        fb_sha512_init(&digest->hash.sha512);
    }
}

void edge_digest_update(struct edge_digest *digest, struct fb_str bytes)
{
    if (digest->claim.kind == EDGE_DIGEST_SHA256) {
        fb_sha256_update(&digest->hash.sha256, bytes);
    } else {
        fb_sha512_update(&digest->hash.sha512, bytes);
    }
}

bool edge_digest_holds(struct edge_digest *digest)
{
    uint8_t bytes[FB_SHA512_SIZE];

    if (digest->claim.kind == EDGE_DIGEST_SHA256) {
        fb_sha256_finish(&digest->hash.sha256, bytes);
    } else {
        fb_sha512_finish(&digest->hash.sha512, bytes);
    }
    bool holds = memcmp(bytes, digest->claim.bytes, digest_size(digest->claim.kind)) == 0;
    *digest = (struct edge_digest){0};
    return holds;
}

void edge_digest_done(struct edge_digest *digest)
{
    if (digest->claim.kind == EDGE_DIGEST_SHA256) {
        fb_sha256_done(&digest->hash.sha256);
    } else if (digest->claim.kind == EDGE_DIGEST_SHA512) {
        fb_sha512_done(&digest->hash.sha512);
    }
    *digest = (struct edge_digest){0};
}
