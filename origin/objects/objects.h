/*
 * Objects: named runs of bytes that never change in place.
 *
 * A key is a relative path of plain names ("media/<video>/<version>/v/720p/
 * init.mp4"). An object appears whole or not at all: bytes are written aside,
 * made durable, and then given their name.
 *
 *     put_begin ──► write … write ──► commit ──► readable under its key
 *                        └──► abort (or a crash): nothing
 *
 *     multipart_begin ──► part, each a put, in any order ──► complete ──► readable
 *                             └──► abort, or found by multipart_list once it is too old
 *
 * Which store stands behind is chosen by URL: "file:<folder>", or "s3://<bucket>[/<prefix>]" of
 * any server that speaks S3; workers elsewhere have a third (origin/objects/lease.h). What only
 * some of them can is FB_E_UNSUPPORTED by the others, and said below.
 *
 * ETags      are the caller's business, who sees the bytes pass: it hands the ETag of a part (MD5
 *            in hexadecimal, without quotes) to origin_put_commit_part(), and has it back from
 *            there and from origin_multipart_parts(). S3 makes its own, which is the same unless it
 *            encrypts; so only what these two give is told to clients. Nothing here computes or
 *            checks ETags, SHA-256 or CRC32C for callers; what S3 is sent carries its
 *            SHA-256, so what the network damages is refused there.
 *
 * Ownership  open → close. A put belongs to its beginner until commit or abort,
 *            both of which free it. An opened object is the caller's, to be done with.
 * Threads    All functions block, with S3 for as long as its retries take; any thread. One put
 *            is used by one thread at a time, as is one opened object; several puts of
 *            one multipart at once are fine, even of one number: one of them stays.
 * Limits     Keys of ORIGIN_OBJECTS_KEY_MAX bytes; parts numbered 1 to ORIGIN_PART_MAX.
 *            (S3 refuses to complete with parts below 5 MiB, but for the last; folders do not.)
 * Failures   FB_E_MALFORMED for a bad key, FB_E_NOT_FOUND, -ENOSPC, -EDQUOT,
 *            -EIO and the like; FB_E_UNAVAILABLE or FB_E_TIMEOUT when a server does not answer,
 *            FB_E_DENIED when it refuses the credentials, FB_E_CONFLICT when the object that is
 *            read was replaced meanwhile.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_metrics;
struct origin_objects;
struct origin_put;

enum {
    ORIGIN_OBJECTS_KEY_MAX = 255,
    ORIGIN_ETAG_MAX = 63,
    ORIGIN_MULTIPART_ID_MAX = 255,
    ORIGIN_PART_MAX = 10000
};

/* ---- open and close ------------------------------------------------------- */

/* What "s3:" needs besides; zero means the value in brackets. */
struct origin_bucket_options {
    struct fb_str endpoint;    /* such as "https://s3.eu-central-1.amazonaws.com" */
    struct fb_str region;      /* ["us-east-1"] */
    struct fb_str credentials; /* a file: access_key and secret_key, one a line (docs/objects.md) */
    struct fb_str ca_file;     /* whom the endpoint's certificate is by; empty: the system's */
    struct fb_str spool;       /* a folder for what is being sent; empty: $TMPDIR or /tmp */
    bool has_bucket_host;      /* https://<bucket>.<endpoint>/ instead of a path */
    uint32_t connect_timeout_ms; /* [5 s] */
    uint32_t stall_timeout_ms;   /* [30 s] without a byte either way */
    uint32_t max_attempts;       /* [5] of one request */
    uint64_t part_bytes;         /* [16 MiB] of what is sent in several parts */
};

struct origin_objects_options {
    struct fb_str url;
    struct origin_bucket_options s3;
    const struct fb_clock *clock; /* borrowed; NULL: the system's */
    struct fb_metrics *metrics;   /* borrowed; NULL: nothing is counted */
};

/* Makes the folder if need be, and removes temporaries that a crash left; or sees that the bucket
 * is there and the credentials are good. */
FB_MUST_CHECK int origin_objects_open(const struct origin_objects_options *options,
                                      struct origin_objects **ret_objects, struct fb_diag *diag);

/* Requires that no put and no opened object is left. Accepts NULL. */
void origin_objects_close(struct origin_objects *objects);

/* True if objects are files of this machine: opened ones have a descriptor, reads do not wait for
 * a network, and origin_objects_local_path() works. */
bool origin_objects_are_local(const struct origin_objects *objects);

/* ---- writing --------------------------------------------------------------- */

/* Begins an object of exactly `size` bytes; reserves the space if it can. */
FB_MUST_CHECK int origin_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                                   struct origin_put **ret_put);

/* Appends pieces; FB_E_LIMIT beyond `size`. */
FB_MUST_CHECK int origin_put_write(struct origin_put *put, const struct fb_str *pieces,
                                   size_t n_pieces);

/* Makes the bytes durable and visible, replacing an older object of that key.
 * FB_E_CLOSED if fewer than `size` were written. Frees in every case. Not for puts of parts. */
FB_MUST_CHECK int origin_put_commit(struct origin_put *put);

/* Forgets it all. Accepts NULL. */
void origin_put_abort(struct origin_put *put);

/* What was put. */
struct origin_stored {
    uint64_t size;
    uint8_t sha256[32];
};

/* Moves the file at `path` in (copies it where it cannot be moved). *ret_stored, which may be NULL,
 * is what was read of it on the way. */
FB_MUST_CHECK int origin_objects_put_file(struct origin_objects *objects, struct fb_str key,
                                          const char *path, struct origin_stored *ret_stored);

/* Puts `bytes` at once. */
FB_MUST_CHECK int origin_objects_put_bytes(struct origin_objects *objects, struct fb_str key,
                                           struct fb_str bytes);

/* ---- writing in parts ------------------------------------------------------- */

struct origin_part {
    uint32_t number;
    uint64_t size;
    int64_t modified_ms; /* Unix time */
    char etag[ORIGIN_ETAG_MAX + 1];
};

/* What a caller of complete names: a part, by number and ETag. */
struct origin_part_name {
    uint32_t number;
    struct fb_str etag; /* without quotes */
};

/* One that was begun and is neither complete nor aborted. */
struct origin_multipart {
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
    char id[ORIGIN_MULTIPART_ID_MAX + 1];
    int64_t begun_ms; /* Unix time */
};

/* Begins an object that will come in parts. The id is visible ASCII without '/', to be
 * percent-encoded in URLs; no secret, but the right to write is not proved by it either. */
FB_MUST_CHECK int origin_multipart_begin(struct origin_objects *objects, struct fb_str key,
                                         char ret_id[ORIGIN_MULTIPART_ID_MAX + 1]);

/* Begins a part of exactly `size` bytes, to be written as any put. It replaces an older one of
 * that number when it is committed. FB_E_NOT_FOUND if there is no such multipart: it was
 * completed or aborted, or never begun; the same from writing and committing. */
FB_MUST_CHECK int origin_multipart_part(struct origin_objects *objects, struct fb_str key,
                                        struct fb_str id, uint32_t number, uint64_t size,
                                        struct origin_put **ret_put);

/* As origin_put_commit(), for a part. `etag` as above; `ret_part` may be NULL. */
FB_MUST_CHECK int origin_put_commit_part(struct origin_put *put, struct fb_str etag,
                                         struct origin_part *ret_part);

/* The parts that are there with numbers above `after`, in their order, at most `max`. All were
 * given if page->n < page->max. */
struct origin_part_page {
    uint32_t after;            /* in */
    size_t max;                /* in */
    struct origin_part *parts; /* in: where they go */
    size_t n;                  /* out */
};
FB_MUST_CHECK int origin_multipart_parts(struct origin_objects *objects, struct fb_str key,
                                         struct fb_str id, struct origin_part_page *page);

/* Makes one object of the parts named, whose numbers ascend; others are forgotten (but
 * Ceph's gateway, for one, wants all to be named). FB_E_CONFLICT if one of them is not there with
 * that ETag, and then nothing has changed. FB_E_NOT_FOUND once it is complete: whoever may ask
 * again looks whether the object is there. After a crash it either happened or can be done again.
 * Takes as long as the bytes take to be joined, where the file system cannot share them. */
FB_MUST_CHECK int origin_multipart_complete(struct origin_objects *objects, struct fb_str key,
                                            struct fb_str id, const struct origin_part_name *parts,
                                            size_t n_parts);

/* Forgets all parts; fine if there is no such multipart. Puts of parts that are under way fail. */
FB_MUST_CHECK int origin_multipart_abort(struct origin_objects *objects, struct fb_str key,
                                         struct fb_str id);

/* Multiparts begun before `before_ms`, at most `max`, in no order, for who sweeps: those given are
 * aborted or let be, so a full answer does not mean that there are others. */
FB_MUST_CHECK int origin_multipart_list(struct origin_objects *objects, int64_t before_ms,
                                        struct origin_multipart *items, size_t max, size_t *ret_n);

/* ---- reading ----------------------------------------------------------------- */

/* Found, or opened. Zero is closed; once the descriptor is taken out, there is nothing left to be
 * done with. */
struct origin_object {
    int fd; /* owned; a file with the bytes, to be read as one likes; -1: not local, or after stat
             */
    uint64_t size;
    int64_t modified_ms;            /* Unix time */
    char etag[ORIGIN_ETAG_MAX + 1]; /* S3's; empty where the store keeps none */

    /* Private to origin/objects. */
    bool is_open;
    struct origin_objects *objects; /* NULL: a file of its own */
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
};

FB_MUST_CHECK int origin_objects_get(struct origin_objects *objects, struct fb_str key,
                                     struct origin_object *ret_object);
FB_MUST_CHECK int origin_objects_stat(struct origin_objects *objects, struct fb_str key,
                                      struct origin_object *ret_object);

/* An opened object of any file, which it takes over. */
struct origin_object origin_object_of_file(int fd, uint64_t size, int64_t modified_ms);

/* Reads all of `n` bytes from `offset`; FB_E_CLOSED beyond the end. Any range, in any order; far
 * stores like them large (ORIGIN_OBJECT_READ). */
enum { ORIGIN_OBJECT_READ = 1 << 20 };
FB_MUST_CHECK int origin_object_read(const struct origin_object *object, uint64_t offset, void *buf,
                                     size_t n);

/* The SHA-256 of it all, for which all of it is read. */
FB_MUST_CHECK int origin_object_hash(const struct origin_object *object, uint8_t sha256[32]);

/* Closes it; safe on zero, and after fb_fd_take(&object.fd). */
void origin_object_done(struct origin_object *object);

/* The whole object into `ret_bytes`; FB_E_LIMIT if it has more than `max` bytes. */
FB_MUST_CHECK int origin_objects_get_bytes(struct origin_objects *objects, struct fb_str key,
                                           size_t max, struct fb_buf *ret_bytes);

/* Appends the path of a local file with the object's bytes, to be read only, for libraries that
 * read files themselves. FB_E_UNSUPPORTED if the objects are not local: fetch it. */
FB_MUST_CHECK int origin_objects_local_path(struct origin_objects *objects, struct fb_str key,
                                            struct fb_buf *ret_path);

/* Who waits for something long. Both may be NULL; they are asked every few MiB. */
struct origin_transfer {
    void *ctx;
    void (*progress)(void *ctx, uint64_t done_bytes, uint64_t all_bytes);
    bool (*is_canceled)(void *ctx); /* true: FB_E_CANCELED */
};

/* Makes the file `path` with the object's bytes, not durable; what broke in the middle goes on
 * from there. A failure leaves no file. `transfer` may be NULL. */
FB_MUST_CHECK int origin_objects_fetch(struct origin_objects *objects, struct fb_str key,
                                       const char *path, const struct origin_transfer *transfer);

/* ---- listing and removal --------------------------------------------------------- */

struct origin_listed {
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
    uint64_t size;
    int64_t modified_ms; /* Unix time */
};

/* The objects whose key begins with `prefix` and a slash (empty: all), from the first after the
 * key `after` (empty: from the start) in the order of their bytes, at most `max`. All were given
 * if *ret_n < max. */
FB_MUST_CHECK int origin_objects_list(struct origin_objects *objects, struct fb_str prefix,
                                      struct fb_str after, struct origin_listed *items, size_t max,
                                      size_t *ret_n);

/* Removing what is not there is fine. */
FB_MUST_CHECK int origin_objects_remove(struct origin_objects *objects, struct fb_str key);

/* Removes every object whose key begins with `prefix` and a slash. */
FB_MUST_CHECK int origin_objects_remove_prefix(struct origin_objects *objects,
                                               struct fb_str prefix);
