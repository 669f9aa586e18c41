#include "origin/delivery/whole.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/loop/ahead_reader.h"
#include "origin/catalog/files.h"
#include "origin/objects/objects.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LEN = 32, ENDS_FIRST = 16 };

enum piece { PIECE_INIT, PIECE_INDEX, PIECE_FIRST_SEGMENT };

struct origin_whole {
    struct origin_objects *objects; /* borrowed */
    struct fb_buf prefix;           /* owned; of the pieces' keys, with the slash */
    uint64_t *ends;                 /* owned; of the pieces, from the beginning of the whole */
    size_t n;
    uint8_t digest[FB_SHA256_SIZE];

    struct origin_object object; /* owned; the piece that was read last, */
    size_t opened;               /* and its number */
};

static void piece_name(size_t piece, char name[NAME_MAX_LEN])
{
    switch (piece) {
    case PIECE_INIT:
        (void)snprintf(name, NAME_MAX_LEN, "init.mp4");
        break;
    case PIECE_INDEX:
        (void)snprintf(name, NAME_MAX_LEN, "index.sidx");
        break;
    default:
        (void)snprintf(name, NAME_MAX_LEN, "seg-%05zu.m4s", piece - PIECE_FIRST_SEGMENT + 1);
        break;
    }
}

/* ---- what there is -------------------------------------------------------------- */

/* The catalog's list of a folder, as it comes: by name, the segments last. */
struct survey {
    struct origin_whole *whole;
    size_t skip; /* bytes of a path before its file's name */
    struct origin_result_file heads[PIECE_FIRST_SEGMENT];
    struct fb_sha256 hash;
};

static void survey_add(struct survey *survey, const struct origin_result_file *file)
{
    struct origin_whole *whole = survey->whole;
    size_t n = whole->n;
    uint64_t begin = n == 0 ? 0 : whole->ends[n - 1];
    bool is_full = n == 0 || (n >= ENDS_FIRST && (n & (n - 1)) == 0);

    if (is_full) {
        size_t room = FB_MAX(n * 2, (size_t)ENDS_FIRST);
        whole->ends = fb_realloc(whole->ends, room * sizeof(*whole->ends));
    }
    whole->ends[whole->n++] = begin + file->size;
    fb_sha256_update(&survey->hash, fb_sha256_str(file->sha256));
}

static void survey_note(struct survey *survey, const struct origin_result_file *file,
                        const char *name)
{
    char wanted[NAME_MAX_LEN];

    for (size_t i = 0; i < PIECE_FIRST_SEGMENT; i++) {
        piece_name(i, wanted);
        if (strcmp(name, wanted) == 0) {
            survey->heads[i] = *file;
        }
    }
}

static int survey_visit(void *ctx, const struct origin_result_file *file)
{
    struct survey *survey = ctx;
    const char *name = file->path + survey->skip;
    char wanted[NAME_MAX_LEN];

    if (!fb_str_starts_with(fb_str_from(name), FB_STR("seg-"))) {
        survey_note(survey, file, name);
        return FB_OK;
    }
    while (survey->whole->n < PIECE_FIRST_SEGMENT) {
        const struct origin_result_file *head = &survey->heads[survey->whole->n];
        if (head->size == 0) {
            return FB_E_NOT_FOUND;
        }
        survey_add(survey, head);
    }
    piece_name(survey->whole->n, wanted);
    if (strcmp(name, wanted) != 0) {
        return FB_E_CORRUPT; /* one is missing */
    }
    survey_add(survey, file);
    return FB_OK;
}

static void survey_done(struct survey *survey)
{
    fb_sha256_done(&survey->hash);
}

static void whole_freep(struct origin_whole **slot)
{
    origin_whole_free(*slot);
}

int origin_whole_find(struct origin_catalog *catalog, struct origin_objects *objects,
                      const struct origin_id *video, struct fb_str version, struct fb_str folder,
                      struct origin_whole **ret_whole)
{
    FB_AUTO(whole_freep) struct origin_whole *whole = FB_NEW(struct origin_whole);
    FB_AUTO(survey_done) struct survey survey = {.whole = whole, .skip = folder.len + 1};
    struct origin_file_visitor visitor = {survey_visit, &survey};

    whole->objects = objects;
    whole->object.fd = -1;
    fb_buf_printf(&whole->prefix, "media/%s/%.*s/%.*s/", video->text, FB_STR_ARG(version),
                  FB_STR_ARG(folder));
    fb_sha256_init(&survey.hash);
    int err = origin_catalog_file_list(catalog, video, version, folder, &visitor);
    if (err == FB_OK && whole->n == 0) {
        err = FB_E_NOT_FOUND;
    }
    if (err < 0) {
        return err;
    }
    fb_sha256_finish(&survey.hash, whole->digest);
    *ret_whole = whole;
    whole = NULL;
    return FB_OK;
}

void origin_whole_free(struct origin_whole *whole)
{
    if (whole != NULL) {
        origin_object_done(&whole->object);
        fb_buf_done(&whole->prefix);
        fb_free(whole->ends);
        fb_free(whole);
    }
}

uint64_t origin_whole_size(const struct origin_whole *whole)
{
    return whole->ends[whole->n - 1];
}

const uint8_t *origin_whole_digest(const struct origin_whole *whole)
{
    return whole->digest;
}

/* ---- reading -------------------------------------------------------------------- */

/* The one that byte `offset` lies in, which there is. */
static size_t piece_at(const struct origin_whole *whole, uint64_t offset)
{
    size_t low = 0;
    size_t high = whole->n - 1;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (whole->ends[middle] > offset) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static uint64_t piece_begin(const struct origin_whole *whole, size_t piece)
{
    return piece == 0 ? 0 : whole->ends[piece - 1];
}

static int piece_open(struct origin_whole *whole, size_t piece)
{
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    char name[NAME_MAX_LEN];

    if (whole->object.is_open && whole->opened == piece) {
        return FB_OK;
    }
    origin_object_done(&whole->object);
    piece_name(piece, name);
    fb_buf_append(&key, fb_buf_str(&whole->prefix));
    fb_buf_append(&key, fb_str_from(name));
    int err = origin_objects_get(whole->objects, fb_buf_str(&key), &whole->object);
    if (err < 0) {
        return err;
    }
    whole->opened = piece;
    if (whole->object.size != whole->ends[piece] - piece_begin(whole, piece)) {
        origin_object_done(&whole->object);
        return FB_E_CORRUPT;
    }
    return FB_OK;
}

int origin_whole_read(struct origin_whole *whole, uint64_t offset, void *buf, size_t n)
{
    uint64_t size = origin_whole_size(whole);
    char *to = buf;

    if (offset > size || n > size - offset) {
        return FB_E_CLOSED;
    }
    for (size_t piece = n > 0 ? piece_at(whole, offset) : 0; n > 0; piece++) {
        size_t part = (size_t)FB_MIN(whole->ends[piece] - offset, (uint64_t)n);
        int err = piece_open(whole, piece);
        if (err == FB_OK) {
            err = origin_object_read(&whole->object, offset - piece_begin(whole, piece), to, part);
        }
        if (err < 0) {
            return err;
        }
        to += part;
        offset += part;
        n -= part;
    }
    return FB_OK;
}

/* ---- off the loop -------------------------------------------------------------- */

static int source_read(void *ctx, uint64_t offset, char *to, size_t n)
{
    return origin_whole_read(ctx, offset, to, n);
}

static void source_done(void *ctx)
{
    origin_whole_free(ctx);
}

struct fb_reader *origin_whole_reader_open(struct fb_loop *loop, struct fb_pool *pool,
                                           struct origin_whole *whole, uint64_t offset,
                                           uint64_t length)
{
    return fb_ahead_reader_open(loop, pool,
                                &(struct fb_ahead_source){.ctx = whole,
                                                          .read = source_read,
                                                          .done = source_done,
                                                          .piece_bytes = ORIGIN_OBJECT_READ},
                                offset, length);
}
