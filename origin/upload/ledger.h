/*
 * The ledger of uploads: what may come for a video, what has come, and when it is whole.
 *
 *     put_begin ──► put_write … ──► put_commit ──► the file is whole (or its part is there)
 *          └────────────┴──► put_abort: nothing
 *
 *     begin ──► parts, each a put ──► complete ──► the file is whole
 *       └──► abort, or the sweep finds it untouched for too long
 *
 *     claim: what is whole is the job's now, and nothing more is taken
 *
 * Each upload has an object of its own, "uploads/<video>/<upload>", that comes first; then one
 * transaction of the catalog makes it the video's file. So at any moment a video has the whole
 * of one upload or none, whatever is under way, and whatever is killed. What a crash leaves
 * is found by the sweep: by its row, or because it has none.
 *
 * Bounds: a file, or all its parts, must have just the declared size; parts but the last have at
 * least ORIGIN_PART_LEAST bytes, as S3 wants; the type, if one was declared. Of what is under way
 * at once for one video, at most ORIGIN_PUTS_AT_ONCE puts with twice its declared size in all.
 *
 * Ownership  new → free; a put is its beginner's until commit or abort.
 * Threads    Blocking; any thread. One put is used by one thread at a time.
 * Failures   As struct origin_fault.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/crypto/checksum.h"
#include "origin/catalog/uploads.h"
#include "origin/model/id.h"
#include "origin/upload/content.h"
#include "origin/upload/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct origin_catalog;
struct origin_ledger;
struct origin_ledger_put;
struct origin_objects;

enum {
    ORIGIN_PART_LEAST = 5 * 1024 * 1024,
    ORIGIN_PUTS_AT_ONCE = 64, /* for one video */
    ORIGIN_OPEN_AT_ONCE = 3,  /* multiparts of one video; one more ends the oldest */
    ORIGIN_KEY_NAME_MAX = 255,
    ORIGIN_META_MAX = 2048
};

struct origin_ledger_options {
    struct origin_objects *objects; /* borrowed, as all of these */
    struct origin_catalog *catalog;
    const struct fb_clock *clock;
    uint64_t unfinished_ms; /* after which what is not touched is forgotten */
};

struct origin_ledger *origin_ledger_new(const struct origin_ledger_options *options);

/* Requires that no put is left. Accepts NULL. */
void origin_ledger_free(struct origin_ledger *ledger);

/* What an upload is for. */
struct origin_ledger_place {
    struct origin_id video;
    struct origin_id owner; /* whose the video must be; empty: somebody has said so */
    struct fb_str name;
};

/* ---- content ------------------------------------------------------------------------- */

struct origin_ledger_ask {
    struct origin_ledger_place place;
    uint64_t size;
    struct fb_str type;             /* of the request; ptr NULL: none */
    struct fb_str meta;             /* of a whole file; see uploads.h */
    const struct origin_id *upload; /* of a part; NULL: a whole file */
    uint32_t number;
};

FB_MUST_CHECK int origin_ledger_put_begin(struct origin_ledger *ledger,
                                          const struct origin_ledger_ask *ask,
                                          struct origin_ledger_put **ret_put,
                                          struct origin_fault *fault);
FB_MUST_CHECK int origin_ledger_put_write(struct origin_ledger_put *put,
                                          const struct fb_str *pieces, size_t n_pieces,
                                          struct origin_fault *fault);

/* Frees it in every case. The ETag is the MD5 in hexadecimal. */
FB_MUST_CHECK int origin_ledger_put_commit(struct origin_ledger_put *put,
                                           const uint8_t md5[FB_MD5_SIZE],
                                           const struct origin_sum *sum,
                                           struct origin_fault *fault);

/* Accepts NULL. */
void origin_ledger_put_abort(struct origin_ledger_put *put);

/* ---- multiparts ---------------------------------------------------------------------- */

/* `sum_kind`: what its parts' checksums will be, to be made one of. */
FB_MUST_CHECK int origin_ledger_begin(struct origin_ledger *ledger,
                                      const struct origin_ledger_ask *ask,
                                      enum origin_sum_kind sum_kind, struct origin_id *ret_upload,
                                      struct origin_fault *fault);

/* The upload, which belongs to `place`: NO_UPLOAD. A place without a name has any. */
FB_MUST_CHECK int origin_ledger_find(struct origin_ledger *ledger, struct fb_arena *arena,
                                     const struct origin_ledger_place *place,
                                     const struct origin_id *upload,
                                     struct origin_upload_row *ret_row, struct origin_fault *fault);

/* A part as its completer names it. */
struct origin_ledger_part {
    uint32_t number;
    struct fb_str etag; /* without quotes; ptr NULL: whatever is there */
    struct fb_str sum;  /* in base64; ptr NULL: not said */
};

/* What is to be made a file; all borrowed for the call. */
struct origin_ledger_completion {
    const struct origin_ledger_place *place; /* as origin_ledger_find() takes it */
    const struct origin_id *upload;
    const struct origin_ledger_part *parts; /* ascending; NULL: all that are there */
    size_t n;                               /* of `parts` */
};

/* Makes the file. Doing it again is fine, and tells the same. `ret_row` has ETag, checksum and
 * size, in the arena. */
FB_MUST_CHECK int origin_ledger_complete(struct origin_ledger *ledger, struct fb_arena *arena,
                                         const struct origin_ledger_completion *completion,
                                         struct origin_upload_row *ret_row,
                                         struct origin_fault *fault);

FB_MUST_CHECK int origin_ledger_abort(struct origin_ledger *ledger,
                                      const struct origin_ledger_place *place,
                                      const struct origin_id *upload, struct origin_fault *fault);

/* ---- the whole ------------------------------------------------------------------------- */

/* Its row: NO_KEY if there is none, or of another name. */
FB_MUST_CHECK int origin_ledger_whole(struct origin_ledger *ledger, struct fb_arena *arena,
                                      const struct origin_ledger_place *place,
                                      struct origin_upload_row *ret_row,
                                      struct origin_fault *fault);

/* Takes it away again, unless it is claimed: CLOSED. Fine if there is none. */
FB_MUST_CHECK int origin_ledger_remove(struct origin_ledger *ledger,
                                       const struct origin_ledger_place *place,
                                       struct origin_fault *fault);

/* It is the job's. PART: there is none. *ret_key is the object's. */
FB_MUST_CHECK int origin_ledger_claim(struct origin_ledger *ledger, const struct origin_id *video,
                                      struct fb_buf *ret_key, struct origin_fault *fault);

/* Ends all uploads in parts that are open: of a video that is complete, or about to be removed. */
FB_MUST_CHECK int origin_ledger_end_open(struct origin_ledger *ledger,
                                         const struct origin_id *video);

/* A round: forgets what nobody ends. */
FB_MUST_CHECK int origin_ledger_sweep(struct origin_ledger *ledger);
