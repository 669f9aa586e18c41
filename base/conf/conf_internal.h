/*
 * What the files of base/conf share: the tree of a YAML text and the scalars.
 *
 *     text ── tree.c ──► nodes with places ── conf.c, value.c ──► the struct
 */
#pragma once

#include "base/conf/conf.h"
#include "base/core/arena.h"

enum { FB_CONF_MAX_BYTES = 256 * 1024, FB_CONF_MAX_DEPTH = 16, FB_CONF_MAX_KEYS = 256 };

enum fb_conf_kind { FB_CONF_SCALAR, FB_CONF_MAP, FB_CONF_LIST };

/* A place in the text, counted from 1. */
struct fb_conf_place {
    unsigned line;
    unsigned column;
};

struct fb_conf_node {
    enum fb_conf_kind kind;
    struct fb_conf_place place;
    struct fb_str text; /* SCALAR; in the arena, with a NUL behind it */
    bool is_plain;      /* SCALAR: without quotes */

    struct fb_conf_node *first; /* MAP, LIST: children in order */
    struct fb_conf_node *last;
    size_t n;

    struct fb_conf_node *next; /* sibling */
    struct fb_str key;         /* in a MAP */
    struct fb_conf_place key_place;
};

/* The root of `text`, a mapping, in `arena`. */
FB_MUST_CHECK int fb_conf_tree(struct fb_str text, const char *name, struct fb_arena *arena,
                               struct fb_conf_node **ret_root, struct fb_diag *diag);

/* Puts "name:line:column: " before the sentence of `diag`; returns `err`. */
int fb_conf_fail(struct fb_diag *diag, int err, const char *name, struct fb_conf_place place);

/* What was bound to the member, the entry or the section at the address `at`, somewhere in `conf`
 * that `map` was bound to; NULL: nothing that is written. */
const struct fb_conf_node *fb_conf_find_node(const struct fb_conf_section *section,
                                             const struct fb_conf_node *map, const void *conf,
                                             const void *at);

/* Reads a scalar into the member at `member` (strings are copied to the heap). */
FB_MUST_CHECK int fb_conf_value_read(const struct fb_conf_item *item, struct fb_str text,
                                     void *member, struct fb_diag *diag);

/* Appends a scalar as it would be written. */
void fb_conf_value_print(const struct fb_conf_item *item, const void *member, struct fb_buf *buf);

/* Appends a string as a YAML scalar. */
void fb_conf_string_print(struct fb_str str, struct fb_buf *buf);

/* Appends what `item` takes: "a size such as 256MiB, from 1MiB to 1TiB". */
void fb_conf_expected(const struct fb_conf_item *item, struct fb_buf *buf);

/* The bounds on numbers, lengths and counts of entries. */
void fb_conf_bounds(const struct fb_conf_item *item, int64_t *ret_min, int64_t *ret_max);

/* The key of `section` most like `key`, or NULL if none is. */
const char *fb_conf_nearest(const struct fb_conf_section *section, struct fb_str key);
