#include "edge/volume/layout.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "base/sys/random.h"

#include <inttypes.h>
#include <string.h>

enum {
    /* Every file system, partition table and RAID shows itself in it, at one of the ends. */
    LAYOUT_LOOK_BYTES = 1024 * 1024,
    COPY_OFFSET = EDGE_FORMAT_BLOCK
};

static bool is_zero(const char *bytes, size_t n)
{
    return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

static enum edge_layout_kind layout_of_errors(int first, int copy)
{
    if (first == FB_E_UNSUPPORTED || copy == FB_E_UNSUPPORTED) {
        return EDGE_LAYOUT_OTHER_VERSION;
    }
    return first == FB_E_CORRUPT || copy == FB_E_CORRUPT ? EDGE_LAYOUT_DAMAGED
                                                         : EDGE_LAYOUT_FOREIGN;
}

/* Uses `buffer` of `n` bytes. */
static int layout_look_at_end(struct fb_disk *disk, char *buffer, size_t n,
                              enum edge_layout_kind *ret_kind)
{
    int err = fb_disk_read_now(disk, fb_disk_size(disk) - n, buffer, n);

    if (err == FB_OK) {
        *ret_kind = is_zero(buffer, n) ? EDGE_LAYOUT_BLANK : EDGE_LAYOUT_FOREIGN;
    }
    return err;
}

int edge_layout_look(struct fb_disk *disk, struct edge_layout *ret_layout)
{
    size_t n = (size_t)FB_MIN(fb_disk_size(disk), (uint64_t)LAYOUT_LOOK_BYTES);
    FB_AUTO(fb_freep) char *front = fb_disk_buffer(FB_MAX(n, (size_t)2 * EDGE_FORMAT_BLOCK));
    struct edge_layout layout = {.kind = EDGE_LAYOUT_BLANK};
    struct edge_superblock copy;

    if (n < (size_t)2 * EDGE_FORMAT_BLOCK) {
        memset(front, 0, (size_t)2 * EDGE_FORMAT_BLOCK);
    }
    int err = fb_disk_read_now(disk, 0, front, n);
    if (err < 0) {
        return err;
    }
    int first_err = edge_superblock_decode(front, &layout.superblock);
    int copy_err = edge_superblock_decode(front + COPY_OFFSET, &copy);
    layout.is_first_good = first_err == FB_OK;
    layout.is_copy_good = copy_err == FB_OK;
    if (!layout.is_first_good && layout.is_copy_good) {
        layout.superblock = copy;
    }
    if (layout.is_first_good || layout.is_copy_good) {
        bool is_whole = layout.superblock.size <= fb_disk_size(disk);
        layout.kind = is_whole ? EDGE_LAYOUT_VOLUME : EDGE_LAYOUT_DAMAGED;
    } else if (!is_zero(front, n)) {
        layout.kind = layout_of_errors(first_err, copy_err);
    } else {
        err = layout_look_at_end(disk, front, n, &layout.kind);
        if (err < 0) {
            return err;
        }
    }
    *ret_layout = layout;
    return FB_OK;
}

/* The copy is durable before the first is touched: cut anywhere, the disk is wholly what it
 * was or wholly new, for the first one counts if it is good. */
int edge_layout_write(struct fb_disk *disk, const struct edge_superblock *superblock)
{
    FB_AUTO(fb_freep) char *block = fb_disk_buffer(EDGE_FORMAT_BLOCK);
    static const uint64_t offsets[] = {COPY_OFFSET, 0};

    edge_superblock_encode(superblock, block);
    for (size_t i = 0; i < FB_ARRAY_LEN(offsets); i++) {
        int err = fb_disk_write_now(disk, offsets[i], block, EDGE_FORMAT_BLOCK);
        if (err == FB_OK) {
            err = fb_disk_sync_now(disk);
        }
        if (err < 0) {
            return err;
        }
    }
    return FB_OK;
}

int edge_layout_plan(const struct fb_disk *disk, struct edge_superblock *ret_superblock,
                     struct fb_diag *diag)
{
    int err = edge_superblock_plan(fb_disk_size(disk), ret_superblock);

    if (err < 0) {
        return fb_diag_set(diag, err,
                           "'%s' has %" PRIu64 " bytes, too few for a volume: 64MiB will do",
                           fb_disk_path(disk), fb_disk_size(disk));
    }
    return FB_OK;
}

int edge_layout_make(struct fb_disk *disk, struct fb_str node, int64_t wall_ms,
                     struct edge_superblock *ret_superblock, struct fb_diag *diag)
{
    struct edge_superblock superblock;

    FB_REQUIRE(node.len > 0 && node.len <= EDGE_FORMAT_NODE_MAX);
    int err = edge_layout_plan(disk, &superblock, diag);
    if (err < 0) {
        return err;
    }
    memcpy(superblock.node, node.ptr, node.len);
    superblock.created_ms = wall_ms;
    fb_random_bytes(superblock.uuid, sizeof(superblock.uuid));
    err = edge_layout_write(disk, &superblock);
    if (err < 0) {
        return fb_diag_set(diag, err, "cannot write to '%s': %s", fb_disk_path(disk),
                           fb_err_text(err));
    }
    *ret_superblock = superblock;
    return FB_OK;
}

int edge_layout_mend(struct fb_disk *disk, const struct edge_layout *layout)
{
    FB_REQUIRE(layout->kind == EDGE_LAYOUT_VOLUME);
    if (layout->is_first_good && layout->is_copy_good) {
        return FB_OK;
    }
    return edge_layout_write(disk, &layout->superblock);
}
