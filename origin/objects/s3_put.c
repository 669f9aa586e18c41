/*
 * Puts: spooled, then sent at once, or in parts if it is much.
 *
 *     write ──► spool ──► (full: sent as a part, and empty again) ──► commit: the rest is sent
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/sys/file.h"
#include "origin/objects/s3_internal.h"
#include "origin/objects/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MIB (1UL << 20)

struct s3_put {
    struct origin_put base;
    struct s3 *s3;
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
    uint64_t size;
    uint64_t written;
    uint64_t piece_bytes; /* what is sent at once, but for the last */

    int spool; /* owned */
    uint64_t spooled;
    struct fb_sha256 hash; /* of what is spooled */

    char id[ORIGIN_MULTIPART_ID_MAX + 1]; /* "": sent at once */
    uint32_t number;                      /* of the part, or of the last sent */
    struct origin_part *sent;             /* owned; of the parts that were sent */
};

static struct s3_put *put_of(struct origin_put *base)
{
    return FB_CONTAINER_OF(base, struct s3_put, base);
}

static void put_free(struct s3_put *put)
{
    fb_fd_done(&put->spool);
    fb_sha256_done(&put->hash);
    fb_free(put->sent);
    fb_free(put);
}

/* So that no more than ORIGIN_PART_MAX parts come of it. */
static uint64_t piece_bytes_for(const struct s3 *s3, uint64_t size)
{
    uint64_t least = (size + ORIGIN_PART_MAX - 1) / ORIGIN_PART_MAX;

    return FB_MAX(s3->part_bytes, (least + MIB - 1) / MIB * MIB);
}

static int put_new(struct origin_objects *objects, struct fb_str key, uint64_t size,
                   uint64_t piece_bytes, struct s3_put **ret_put)
{
    struct s3_put *put = FB_NEW(struct s3_put);

    put->spool = -1;
    put->base.objects = objects;
    put->s3 = s3_of(objects);
    put->size = size;
    put->piece_bytes = piece_bytes;
    memcpy(put->key, key.ptr, key.len);
    fb_sha256_init(&put->hash);
    int err = origin_spool_open(put->s3->spool, FB_MIN(size, piece_bytes), &put->spool);
    if (err < 0) {
        put_free(put);
        return err;
    }
    *ret_put = put;
    return FB_OK;
}

int origin_bucket_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                            struct origin_put **ret_put)
{
    struct s3_put *put = NULL;

    int err = put_new(objects, key, size, piece_bytes_for(s3_of(objects), size), &put);
    if (err == FB_OK) {
        *ret_put = &put->base;
    }
    return err;
}

int origin_bucket_multipart_part(struct origin_objects *objects, struct fb_str key,
                                 struct fb_str id, uint32_t number, uint64_t size,
                                 struct origin_put **ret_put)
{
    struct s3_put *put = NULL;

    int err = put_new(objects, key, size, size, &put);
    if (err < 0) {
        return err;
    }
    memcpy(put->id, id.ptr, id.len);
    put->number = number;
    *ret_put = &put->base;
    return FB_OK;
}

/* ---- sending --------------------------------------------------------------------- */

static void digest_hex(const uint8_t digest[FB_SHA256_SIZE], char hex[S3_HEX_MAX])
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fb_text_hex(&text, fb_sha256_str(digest));
    memcpy(hex, text.ptr, S3_HEX_MAX);
}

static void hash_hex(struct fb_sha256 *hash, char hex[S3_HEX_MAX])
{
    uint8_t digest[FB_SHA256_SIZE];

    fb_sha256_finish(hash, digest);
    digest_hex(digest, hex);
}

static int whole_send(struct s3 *s3, struct fb_str key, int fd, uint64_t length, const char *sha256)
{
    struct s3_request request = S3_REQUEST("PUT", key);
    struct s3_answer answer;

    request.fd = fd;
    request.length = length;
    request.sha256 = sha256;
    return origin_bucket_do(s3, &request, &answer);
}

/* What is spooled, as the next part of its own multipart. */
static int put_send_piece(struct s3_put *put)
{
    struct fb_str key = fb_str_from(put->key);
    char sha256[S3_HEX_MAX];
    int err = FB_OK;

    if (put->id[0] == '\0') {
        err = origin_bucket_multipart_begin(put->base.objects, key, put->id);
        put->sent = fb_alloc(ORIGIN_PART_MAX * sizeof(*put->sent));
    }
    if (err < 0) {
        return err;
    }
    hash_hex(&put->hash, sha256);
    struct origin_part *part = &put->sent[put->number++];
    part->number = put->number;
    part->size = put->spooled;
    err = origin_bucket_part_send(
        put->s3, key, fb_str_from(put->id),
        &(struct s3_part_content){
            .number = part->number, .fd = put->spool, .length = put->spooled, .sha256 = sha256},
        part->etag);
    if (err == FB_OK && lseek(put->spool, 0, SEEK_SET) < 0) {
        err = -errno;
    }
    fb_sha256_init(&put->hash);
    put->spooled = 0;
    return err;
}

static int spool_append(struct s3_put *put, struct fb_str bytes)
{
    int err = fb_fd_write(put->spool, bytes);

    if (err == FB_OK) {
        fb_sha256_update(&put->hash, bytes);
        put->spooled += bytes.len;
        put->written += bytes.len;
    }
    return err;
}

int origin_bucket_put_write(struct origin_put *base, const struct fb_str *pieces, size_t n_pieces)
{
    struct s3_put *put = put_of(base);

    for (size_t i = 0; i < n_pieces; i++) {
        struct fb_str rest = pieces[i];
        if (rest.len > put->size - put->written) {
            return FB_E_LIMIT;
        }
        while (rest.len > 0) {
            size_t n = (size_t)FB_MIN((uint64_t)rest.len, put->piece_bytes - put->spooled);
            int err = spool_append(put, fb_str_first(rest, n));
            if (err == FB_OK && put->spooled == put->piece_bytes && put->written < put->size) {
                err = put_send_piece(put);
            }
            if (err < 0) {
                return err;
            }
            rest = fb_str_skip(rest, n);
        }
    }
    return FB_OK;
}

void origin_bucket_put_abort(struct origin_put *base)
{
    struct s3_put *put = put_of(base);

    if (put->sent != NULL && put->id[0] != '\0') {
        /* Nobody waits for more than the attempt: what stays is listed, and swept. */
        FB_IGNORE(origin_bucket_multipart_abort(base->objects, fb_str_from(put->key),
                                                fb_str_from(put->id)));
    }
    put_free(put);
}

static int sent_complete(struct origin_objects *objects, struct fb_str key, struct fb_str id,
                         const struct origin_part *sent, size_t n)
{
    FB_AUTO(fb_freep)
    struct origin_part_name *names = fb_alloc(n * sizeof(*names));

    for (size_t i = 0; i < n; i++) {
        names[i] = (struct origin_part_name){sent[i].number, fb_str_from(sent[i].etag)};
    }
    return origin_bucket_multipart_complete(objects, key, id, names, n);
}

int origin_bucket_put_commit(struct origin_put *base)
{
    struct s3_put *put = put_of(base);
    struct fb_str key = fb_str_from(put->key);
    char sha256[S3_HEX_MAX];
    int err = FB_E_CLOSED;

    if (put->written == put->size && put->sent == NULL) {
        hash_hex(&put->hash, sha256);
        err = whole_send(put->s3, key, put->spool, put->size, sha256);
    } else if (put->written == put->size) {
        err = put_send_piece(put);
        if (err == FB_OK) {
            err = sent_complete(base->objects, key, fb_str_from(put->id), put->sent, put->number);
        }
    }
    if (err < 0) {
        origin_bucket_put_abort(base);
        return err;
    }
    put_free(put);
    return FB_OK;
}

int origin_bucket_put_commit_part(struct origin_put *base, struct fb_str etag,
                                  struct origin_part *ret_part)
{
    struct s3_put *put = put_of(base);
    struct origin_part part = {.number = put->number, .size = put->size};
    char sha256[S3_HEX_MAX];
    int err = FB_E_CLOSED;

    (void)etag; /* the server makes its own */
    part.modified_ms = fb_clock_wall_ms(base->objects->clock);
    if (put->written == put->size) {
        hash_hex(&put->hash, sha256);
        err = origin_bucket_part_send(
            put->s3, fb_str_from(put->key), fb_str_from(put->id),
            &(struct s3_part_content){
                .number = put->number, .fd = put->spool, .length = put->size, .sha256 = sha256},
            part.etag);
    }
    put_free(put);
    if (err == FB_OK) {
        *ret_part = part;
    }
    return err;
}

/* ---- files ------------------------------------------------------------------------- */

static int file_send_parts(struct origin_objects *objects, struct fb_str key, int fd, uint64_t size,
                           uint64_t piece_bytes)
{
    FB_AUTO(fb_freep) struct origin_part *sent = fb_alloc(ORIGIN_PART_MAX * sizeof(*sent));
    char id[ORIGIN_MULTIPART_ID_MAX + 1];
    uint8_t digest[FB_SHA256_SIZE];
    char sha256[S3_HEX_MAX];
    uint32_t n = 0;

    int err = origin_bucket_multipart_begin(objects, key, id);
    if (err < 0) {
        return err;
    }
    for (uint64_t at = 0; err == FB_OK && at < size; at += piece_bytes) {
        uint64_t length = FB_MIN(piece_bytes, size - at);
        err = origin_file_hash(fd, at, length, digest);
        if (err == FB_OK) {
            digest_hex(digest, sha256);
            sent[n].number = n + 1;
            err = origin_bucket_part_send(
                s3_of(objects), key, fb_str_from(id),
                &(struct s3_part_content){
                    .number = n + 1, .fd = fd, .offset = at, .length = length, .sha256 = sha256},
                sent[n].etag);
            n++;
        }
    }
    if (err == FB_OK) {
        err = sent_complete(objects, key, fb_str_from(id), sent, n);
    }
    if (err < 0) {
        FB_IGNORE(origin_bucket_multipart_abort(
            objects, key, fb_str_from(id))); /* as origin_bucket_put_abort() */
    }
    return err;
}

int origin_bucket_put_file(struct origin_objects *objects, struct fb_str key, const char *path,
                           struct origin_stored *ret_stored)
{
    FB_AUTO(fb_fd_done) int fd = -1;
    char sha256[S3_HEX_MAX];
    uint64_t size = 0;

    int err = fb_file_open(AT_FDCWD, path, O_RDONLY, 0, &fd);
    if (err < 0 || (err = fb_file_size(fd, &size)) < 0 ||
        (err = origin_file_hash(fd, 0, size, ret_stored->sha256)) < 0) {
        return err;
    }
    uint64_t piece_bytes = piece_bytes_for(s3_of(objects), size);
    if (size > piece_bytes) {
        err = file_send_parts(objects, key, fd, size, piece_bytes);
    } else {
        digest_hex(ret_stored->sha256, sha256);
        err = whole_send(s3_of(objects), key, fd, size, sha256);
    }
    if (err == FB_OK) {
        ret_stored->size = size;
        (void)unlink(path);
    }
    return err;
}
