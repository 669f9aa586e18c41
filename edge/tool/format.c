#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "base/http/node_name.h"
#include "edge/tool/tool_internal.h"
#include "edge/volume/layout.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const char *path, const struct edge_layout *layout, struct fb_diag *diag)
{
    const char *node = layout->superblock.node;

    switch (layout->kind) {
    case EDGE_LAYOUT_BLANK:
        return FB_OK;
    case EDGE_LAYOUT_VOLUME:
        return fb_diag_set(diag, FB_E_EXISTS,
                           "'%s' is a volume of node '%s' already; --force gives up what it holds",
                           path, node);
    case EDGE_LAYOUT_OTHER_VERSION:
        return fb_diag_set(diag, FB_E_EXISTS,
                           "'%s' is a volume of another format version; --force gives up what it "
                           "holds",
                           path);
    case EDGE_LAYOUT_DAMAGED:
        return fb_diag_set(diag, FB_E_EXISTS,
                           "'%s' is a damaged volume; --force gives up what it holds", path);
    case EDGE_LAYOUT_FOREIGN:
        break;
    }
    return fb_diag_set(diag, FB_E_EXISTS,
                       "'%s' holds something that is no volume; --force gives it up", path);
}

/* A file keeps the size that it has: to say another one is a mistake. */
static int check_size(const struct tool_args *args, const struct fb_disk *disk,
                      struct fb_diag *diag)
{
    uint64_t wanted = args->size / FB_DISK_BLOCK * FB_DISK_BLOCK;

    if (args->size > 0 && fb_disk_size(disk) != wanted) {
        char size[TOOL_SIZE_MAX];
        return fb_diag_set(diag, FB_E_CONFLICT,
                           "'%s' is there already, with %s; --size is for a file to be made",
                           args->path, edge_tool_size(fb_disk_size(disk), size));
    }
    return FB_OK;
}

static int format_disk(const struct tool_args *args, struct fb_disk *disk, struct fb_diag *diag)
{
    struct edge_layout layout;
    struct edge_superblock superblock = {.size = 0};
    char sizes[2][TOOL_SIZE_MAX];

    int err = edge_layout_look(disk, &layout);
    if (err < 0) {
        return fb_diag_set(diag, err, "cannot read '%s': %s", args->path, fb_err_text(err));
    }
    if (!args->force) {
        err = refuse(args->path, &layout, diag);
    }
    if (err == FB_OK) {
        err = check_size(args, disk, diag);
    }
    if (err == FB_OK) {
        err = edge_layout_make(disk, fb_str_from(args->node), fb_clock_wall_ms(fb_clock_system()),
                               &superblock, diag);
    }
    if (err < 0) {
        return err;
    }
    (void)printf("%s is a volume of node %s: %s, %u zones of %s\n", args->path, superblock.node,
                 edge_tool_size(superblock.size, sizes[0]), superblock.n_zones,
                 edge_tool_size(superblock.zone_bytes, sizes[1]));
    return FB_OK;
}

int edge_tool_format(const struct tool_args *args)
{
    struct fb_diag diag = {0};
    struct fb_disk *disk = NULL;
    struct stat status;

    if (fb_node_name_check(fb_str_from(args->node), &diag) < 0) {
        (void)fb_diag_prefix(&diag, diag.err, "--node");
        return edge_tool_complain(args, &diag, TOOL_EXIT_USAGE);
    }
    if (fb_str_from(args->node).len > EDGE_FORMAT_NODE_MAX) {
        (void)fb_diag_set(&diag, FB_E_LIMIT, "--node: more than %d letters", EDGE_FORMAT_NODE_MAX);
        return edge_tool_complain(args, &diag, TOOL_EXIT_USAGE);
    }
    struct edge_superblock planned;
    if (args->size > 0 && edge_superblock_plan(args->size, &planned) < 0) {
        (void)fb_diag_set(&diag, FB_E_LIMIT, "--size: too small for a volume; 64MiB is enough");
        return edge_tool_complain(args, &diag, TOOL_EXIT_USAGE);
    }
    bool is_new = stat(args->path, &status) < 0;
    if (args->size == 0 && is_new) {
        (void)fb_diag_set(&diag, FB_E_NOT_FOUND,
                          "'%s' is not there; --size says how long to make it", args->path);
        return edge_tool_complain(args, &diag, TOOL_EXIT_FAILED);
    }
    int err = fb_disk_open(args->path, &(struct fb_disk_options){.size = args->size}, &disk, &diag);
    if (err == FB_OK) {
        err = format_disk(args, disk, &diag);
    }
    if (err < 0 && disk != NULL && is_new) {
        (void)unlink(args->path); /* made here, and of no use */
    }
    fb_disk_close(disk);
    return err < 0 ? edge_tool_complain(args, &diag, TOOL_EXIT_FAILED) : TOOL_EXIT_DONE;
}
