#include "edge/volume/opening.h"

#include "base/core/err.h"
#include "edge/volume/layout.h"

bool edge_opening_is_refusal(int err)
{
    return err == FB_E_MALFORMED || err == FB_E_UNSUPPORTED || err == FB_E_CONFLICT ||
           err == FB_E_CORRUPT || err == FB_E_LIMIT;
}

static int format(struct edge_opening *opening, struct fb_disk *disk, struct fb_diag *diag)
{
    int err = edge_layout_make(disk, opening->node, opening->wall_ms, &opening->superblock, diag);

    opening->was_formatted = err == FB_OK;
    return err;
}

/* Writes down that there is a log of purges, or since when there is none. That is durable before
 * anything is purged by the one, or stored without the other. */
static int note_log(struct edge_opening *opening, struct fb_disk *disk, struct fb_diag *diag)
{
    struct edge_superblock *superblock = &opening->superblock;
    uint64_t doubted = superblock->doubted;

    if (opening->has_log) {
        doubted = 0; /* it tells of whatever was purged */
    } else if (superblock->was_logged) {
        doubted = opening->epoch;
    }
    if (doubted == superblock->doubted && superblock->was_logged == opening->has_log) {
        return FB_OK;
    }
    superblock->doubted = doubted;
    superblock->was_logged = opening->has_log;
    int err = edge_layout_write(disk, superblock);
    if (err < 0) {
        return fb_diag_set(diag, err, "note in '%s' whether purges are logged: %s", opening->path,
                           fb_err_text(err));
    }
    return FB_OK;
}

static int say_damage(const struct edge_opening *opening, const struct edge_layout *layout,
                      const struct fb_disk *disk, struct fb_diag *diag)
{
    if (layout->is_first_good || layout->is_copy_good) {
        return fb_diag_set(diag, FB_E_LIMIT,
                           "'%s' has %llu bytes, but was made a volume of %llu: it was cut short",
                           opening->path, (unsigned long long)fb_disk_size(disk),
                           (unsigned long long)layout->superblock.size);
    }
    return fb_diag_set(diag, FB_E_CORRUPT, "'%s' is a volume whose superblock is damaged",
                       opening->path);
}

/* Nothing, if it is blank or ours. */
static int judge(const struct edge_opening *opening, const struct edge_layout *layout,
                 const struct fb_disk *disk, struct fb_diag *diag)
{
    const char *node = layout->superblock.node;

    switch (layout->kind) {
    case EDGE_LAYOUT_BLANK:
        return FB_OK;
    case EDGE_LAYOUT_VOLUME:
        if (fb_str_equal(fb_str_from(node), opening->node)) {
            return FB_OK;
        }
        return fb_diag_set(diag, FB_E_CONFLICT, "'%s' is a volume of node '%s', not of '%.*s'",
                           opening->path, node, FB_STR_ARG(opening->node));
    case EDGE_LAYOUT_OTHER_VERSION:
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "'%s' is a volume of another format version",
                           opening->path);
    case EDGE_LAYOUT_DAMAGED:
        return say_damage(opening, layout, disk, diag);
    case EDGE_LAYOUT_FOREIGN:
        break;
    }
    return fb_diag_set(diag, FB_E_MALFORMED, "'%s' holds something else, which is left as it is",
                       opening->path);
}

static int look(const struct edge_opening *opening, struct fb_disk *disk,
                struct edge_layout *ret_layout, struct fb_diag *diag)
{
    int err = edge_layout_look(disk, ret_layout);

    if (err < 0) {
        return fb_diag_set(diag, err, "read '%s': %s", opening->path, fb_err_text(err));
    }
    return judge(opening, ret_layout, disk, diag);
}

static int take(struct edge_opening *opening, struct fb_disk *disk, struct fb_diag *diag)
{
    struct edge_layout layout;

    int err = look(opening, disk, &layout, diag);
    if (err < 0) {
        return err;
    }
    if (layout.kind == EDGE_LAYOUT_BLANK || opening->formats) {
        return format(opening, disk, diag);
    }
    err = edge_layout_mend(disk, &layout);
    if (err < 0) {
        return fb_diag_set(diag, err, "mend the superblock of '%s': %s", opening->path,
                           fb_err_text(err));
    }
    opening->superblock = layout.superblock;
    return FB_OK;
}

static int open_disk(const struct edge_opening *opening, const struct fb_disk_options *options,
                     struct fb_disk **ret_disk, struct fb_diag *diag)
{
    return opening->open != NULL
               ? opening->open(opening->ctx, opening->path, options, ret_disk, diag)
               : fb_disk_open(opening->path, options, ret_disk, diag);
}

int edge_opening_check(const struct edge_opening *opening, struct fb_diag *diag)
{
    const struct fb_disk_options options = {.is_read_only = true};
    struct edge_layout layout;
    struct fb_disk *disk = NULL;
    bool is_made = false;

    int err = fb_disk_rehearse(opening->path, opening->size, &is_made, diag);
    if (err < 0 || is_made) {
        return err;
    }
    err = open_disk(opening, &options, &disk, diag);
    if (err < 0) {
        return err;
    }
    err = look(opening, disk, &layout, diag);
    if (err == FB_OK && layout.kind == EDGE_LAYOUT_BLANK) {
        err = edge_layout_plan(disk, &layout.superblock, diag);
    }
    fb_disk_close(disk);
    return err;
}

int edge_opening_run(struct edge_opening *opening, struct fb_diag *diag)
{
    const struct fb_disk_options options = {.size = opening->size};
    struct fb_disk *disk = NULL;

    opening->was_formatted = false;
    int err = open_disk(opening, &options, &disk, diag);
    if (err < 0) {
        return err;
    }
    err = take(opening, disk, diag);
    if (err == FB_OK) {
        err = note_log(opening, disk, diag);
    }
    if (err < 0) {
        fb_disk_close(disk);
        return err;
    }
    opening->disk = disk;
    return FB_OK;
}
