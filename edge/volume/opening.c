#include "edge/volume/opening.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/sys/random.h"

#include <stdio.h>
#include <string.h>

enum { LOOKED_AT_BYTES = 1024 * 1024, N_COPIES = 2 };

bool edge_opening_is_refusal(int err)
{
    return err == FB_E_MALFORMED || err == FB_E_UNSUPPORTED || err == FB_E_CONFLICT ||
           err == FB_E_CORRUPT || err == FB_E_LIMIT;
}

/* ---- what is there --------------------------------------------------------- */

static int say_why_unreadable(const char *path, int err, struct fb_diag *diag)
{
    switch (err) {
    case FB_E_MALFORMED:
        return fb_diag_set(diag, err, "'%s' holds something else, which is left as it is", path);
    case FB_E_UNSUPPORTED:
        return fb_diag_set(diag, err, "'%s' is a volume of another format version", path);
    case FB_E_CORRUPT:
        return fb_diag_set(diag, err, "'%s' is a volume whose superblock is damaged", path);
    default:
        return fb_diag_set(diag, err, "read '%s': %s", path, fb_err_text(err));
    }
}

/* What both copies say together: the better news, but a newer format before all. */
static int worse_of(int first, int second)
{
    if (first == FB_E_UNSUPPORTED || second == FB_E_UNSUPPORTED) {
        return FB_E_UNSUPPORTED;
    }
    if (first == FB_E_CORRUPT || second == FB_E_CORRUPT) {
        return FB_E_CORRUPT;
    }
    return first;
}

/* The copy counts if the superblock itself cannot be read, and is then put in its place. */
static int read_copies(struct fb_disk *disk, struct edge_superblock *superblock, bool *ret_mends)
{
    FB_AUTO(fb_freep)
    char *blocks = fb_disk_buffer((size_t)N_COPIES * EDGE_FORMAT_BLOCK);

    if (fb_disk_size(disk) < (uint64_t)N_COPIES * EDGE_FORMAT_BLOCK) {
        return FB_E_LIMIT;
    }
    int err = fb_disk_read_now(disk, 0, blocks, (size_t)N_COPIES * EDGE_FORMAT_BLOCK);
    if (err < 0) {
        return err;
    }
    err = edge_superblock_decode(blocks, superblock);
    *ret_mends = err != FB_OK;
    if (err == FB_OK || err == FB_E_UNSUPPORTED) {
        return err;
    }
    int of_copy = edge_superblock_decode(blocks + EDGE_FORMAT_BLOCK, superblock);
    return of_copy == FB_OK ? FB_OK : worse_of(err, of_copy);
}

static int identify(struct fb_disk *disk, struct edge_superblock *ret_superblock, bool *ret_mends,
                    struct fb_diag *diag)
{
    const char *path = fb_disk_path(disk);
    struct edge_superblock superblock;

    int err = read_copies(disk, &superblock, ret_mends);
    if (err == FB_E_LIMIT) {
        return fb_diag_set(diag, err, "'%s' is too small for a volume", path);
    }
    if (err < 0) {
        return say_why_unreadable(path, err, diag);
    }
    if (superblock.size > fb_disk_size(disk)) {
        return fb_diag_set(diag, FB_E_LIMIT,
                           "'%s' has %llu bytes, but was made a volume of %llu: it was cut short",
                           path, (unsigned long long)fb_disk_size(disk),
                           (unsigned long long)superblock.size);
    }
    *ret_superblock = superblock;
    return FB_OK;
}

int edge_disk_identify(struct fb_disk *disk, struct edge_superblock *ret_superblock,
                       struct fb_diag *diag)
{
    bool mends = false;

    return identify(disk, ret_superblock, &mends, diag);
}

static int is_zero(struct fb_disk *disk, uint64_t offset, size_t n, char *buffer, bool *ret_is_zero)
{
    int err = fb_disk_read_now(disk, offset, buffer, n);

    if (err == FB_OK) {
        *ret_is_zero = buffer[0] == 0 && memcmp(buffer, buffer + 1, n - 1) == 0;
    }
    return err;
}

int edge_disk_is_blank(struct fb_disk *disk, bool *ret_is_blank)
{
    FB_AUTO(fb_freep) char *buffer = fb_disk_buffer(LOOKED_AT_BYTES);
    uint64_t size = fb_disk_size(disk);
    size_t n = (size_t)FB_MIN(size, (uint64_t)LOOKED_AT_BYTES);
    bool is_blank = false;

    int err = is_zero(disk, 0, n, buffer, &is_blank);
    if (err == FB_OK && is_blank) {
        err = is_zero(disk, size - n, n, buffer, &is_blank);
    }
    if (err == FB_OK) {
        *ret_is_blank = is_blank;
    }
    return err;
}

/* ---- a new volume ------------------------------------------------------------ */

static int write_block(struct fb_disk *disk, uint64_t offset, const char *block)
{
    int err = fb_disk_write_now(disk, offset, block, EDGE_FORMAT_BLOCK);

    return err == FB_OK ? fb_disk_sync_now(disk) : err;
}

/* The copy first: whatever stays of this after a crash is either no volume yet, or this one. */
static int write_superblock(struct fb_disk *disk, const struct edge_superblock *superblock)
{
    FB_AUTO(fb_freep) char *block = fb_disk_buffer(EDGE_FORMAT_BLOCK);

    edge_superblock_encode(superblock, block);
    int err = write_block(disk, EDGE_FORMAT_BLOCK, block);
    return err == FB_OK ? write_block(disk, 0, block) : err;
}

int edge_disk_format(struct fb_disk *disk, const char *node, int64_t wall_ms,
                     struct edge_superblock *ret_superblock, struct fb_diag *diag)
{
    const char *path = fb_disk_path(disk);
    struct edge_superblock superblock;

    int err = edge_superblock_plan(fb_disk_size(disk), &superblock);
    if (err < 0) {
        return fb_diag_set(diag, err, "'%s' is too small for a volume: %llu bytes", path,
                           (unsigned long long)fb_disk_size(disk));
    }
    FB_REQUIRE(node[0] != '\0' && strlen(node) < sizeof(superblock.node));
    (void)snprintf(superblock.node, sizeof(superblock.node), "%s", node);
    fb_random_bytes(superblock.uuid, sizeof(superblock.uuid));
    superblock.created_ms = wall_ms;
    err = write_superblock(disk, &superblock);
    if (err < 0) {
        return fb_diag_set(diag, err, "write '%s': %s", path, fb_err_text(err));
    }
    *ret_superblock = superblock;
    return FB_OK;
}

/* ---- opening ------------------------------------------------------------------- */

static int format(struct edge_opening *opening, struct fb_disk *disk, struct fb_diag *diag)
{
    int err = edge_disk_format(disk, opening->node, opening->wall_ms, &opening->superblock, diag);

    opening->was_formatted = err == FB_OK;
    return err;
}

static int format_if_blank(struct edge_opening *opening, struct fb_disk *disk, struct fb_diag *diag)
{
    bool is_blank = false;

    int err = edge_disk_is_blank(disk, &is_blank);
    if (err < 0 || !is_blank) {
        return say_why_unreadable(opening->path, err < 0 ? err : FB_E_MALFORMED, diag);
    }
    return format(opening, disk, diag);
}

static int take(struct edge_opening *opening, struct fb_disk *disk, struct fb_diag *diag)
{
    struct edge_superblock *superblock = &opening->superblock;
    bool mends = false;

    int err = identify(disk, superblock, &mends, diag);
    if (err == FB_E_MALFORMED) {
        return format_if_blank(opening, disk, diag);
    }
    if (err < 0) {
        return err;
    }
    if (strcmp(superblock->node, opening->node) != 0) {
        return fb_diag_set(diag, FB_E_CONFLICT, "'%s' is a volume of node '%s', not of '%s'",
                           opening->path, superblock->node, opening->node);
    }
    if (opening->formats) {
        return format(opening, disk, diag);
    }
    if (mends) {
        err = write_superblock(disk, superblock);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "mend the superblock of '%s': %s", opening->path,
                           fb_err_text(err));
    }
    return FB_OK;
}

int edge_opening_run(struct edge_opening *opening, struct fb_diag *diag)
{
    const struct fb_disk_options options = {.size = opening->size};
    struct fb_disk *disk = NULL;

    opening->was_formatted = false;
    int err = opening->open(opening->ctx, opening->path, &options, &disk, diag);
    if (err < 0) {
        return err;
    }
    err = take(opening, disk, diag);
    if (err < 0) {
        fb_disk_close(disk);
        return err;
    }
    opening->disk = disk;
    return FB_OK;
}
