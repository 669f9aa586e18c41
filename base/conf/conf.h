/*
 * Configuration: YAML bound to typed structs by tables.
 *
 * A section is a struct and a table of its keys: name, type, place, bounds,
 * preset, help. Loading, printing, freeing and the reference documentation all
 * read the same table.
 *
 *     struct disk { struct fb_str path; uint64_t max_bytes; };
 *
 *     #define ITEM(member) offsetof(struct disk, member)
 *     static const struct fb_conf_item disk_items[] = {
 *         {"path", FB_CONF_PATH, ITEM(path), .is_required = true, .help = "Where it is mounted."},
 *         {"max-bytes", FB_CONF_SIZE, ITEM(max_bytes), .min = 1 << 30, .max = INT64_MAX,
 *          .preset = "64GiB", .help = "Most the cache may use."},
 *         {0},
 *     };
 *     static const struct fb_conf_section disk_section = {
 *         .name = "disk", .size = sizeof(struct disk), .items = disk_items};
 *
 * What is written in a file, by type:
 *
 *     type       member               written
 *     BOOL       bool                 true, false (also yes, no, on, off)
 *     INT        int64_t              42, within min..max
 *     COUNT      int64_t              42, or auto, which is FB_CONF_AUTO
 *     SIZE       uint64_t, bytes      512, 64KiB 256MiB 64GiB 2TiB, 10kB 10MB 10GB 1TB
 *     DURATION   uint64_t, ms         250ms, 30s, 5m, 12h, 7d, or 0
 *     RATE       uint64_t, bit/s      500kbit/s, 20Mbit/s, 2Gbit/s, or 0
 *     STRING     struct fb_str        text of min..max bytes (max 0: 4096)
 *     PATH       struct fb_str        the same; relative ones mean the current folder
 *     ENUM       int                  one of `names`; its index
 *     STRINGS    struct fb_conf_list  of struct fb_str: [a, b], or one a line
 *     SECTION    the struct itself    a mapping
 *     SECTIONS   struct fb_conf_list  of the struct: a sequence of mappings
 *
 * A key that is not written takes its preset, given as it would be written; no
 * preset means zero, or for STRING and PATH a view with ptr NULL. In an optional
 * section that is not written, required keys are not missed. min and max bound
 * the number of entries of lists (max 0: 1024).
 *
 * Errors read `edge.yaml:7:3: unknown key 'memroy' (did you mean 'memory'?)`.
 *
 * Ownership  The caller owns the struct; load → fb_conf_done(). Its strings
 *            (with a NUL behind) and lists are owned by it.
 * Threads    Pure functions over the struct; loading reads a file.
 * Limits     256 KiB of text, 16 levels. One document; anchors, aliases, tags
 *            and repeated keys are refused.
 * Failures   FB_E_MALFORMED, FB_E_LIMIT, -ENOENT and the like.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fb_conf_type {
    FB_CONF_BOOL,
    FB_CONF_INT,
    FB_CONF_COUNT,
    FB_CONF_SIZE,
    FB_CONF_DURATION,
    FB_CONF_RATE,
    FB_CONF_STRING,
    FB_CONF_PATH,
    FB_CONF_ENUM,
    FB_CONF_STRINGS,
    FB_CONF_SECTION,
    FB_CONF_SECTIONS
};

#define FB_CONF_AUTO ((int64_t)-1)

struct fb_conf_list;
struct fb_conf_section;

struct fb_conf_item {
    const char *key;
    enum fb_conf_type type;
    size_t offset;      /* of the member in the section's struct */
    int64_t min;        /* see above; both 0: any value of the type */
    int64_t max;        /* 0 with a min above it: no upper bound */
    const char *preset; /* as it would be written, or NULL */
    const char *help;   /* one sentence for the reference */
    bool is_required;
    bool is_live;                          /* a reload takes it; else it needs a restart */
    bool is_secret;                        /* STRING: neither printed nor quoted in a sentence */
    const char *const *names;              /* ENUM: up to a NULL */
    const struct fb_conf_section *section; /* SECTION, SECTIONS */
    /* Says with a sentence what is wrong with a STRING or PATH, or each of
     * STRINGS. May be NULL. */
    int (*check)(struct fb_str value, struct fb_diag *diag);
    /* Says what keeps a written PATH from being used on this machine; only while probing. May be
     * NULL. */
    int (*probe)(const char *path, struct fb_diag *diag);
    /* Says what is wrong with the entries of STRINGS or SECTIONS together, and which of them
     * it is. May be NULL. */
    int (*check_all)(const struct fb_conf_list *list, size_t *ret_entry, struct fb_diag *diag);
};

struct fb_conf_section {
    const char *name; /* for the reference, such as "store" */
    const char *help;
    size_t size;                      /* of the struct */
    const struct fb_conf_item *items; /* up to one without a key */
    /* Says what is wrong with the whole section, once its keys are read, and may say by
     * fb_diag_blame() with which of them. May be NULL. */
    int (*check)(const void *conf, struct fb_diag *diag);
    /* The same of what keeps it from being used on this machine; only while probing. May be
     * NULL. */
    int (*probe)(const void *conf, struct fb_diag *diag);
};

struct fb_conf_list {
    void *items; /* owned by the configuration; of struct fb_str or the section's struct */
    size_t n;
};

/* Element `i` of a list of `type`. */
#define FB_CONF_AT(type, list, i) (&((const type *)(list).items)[i])

/* For check_all of STRINGS: no text stands there twice. */
int fb_conf_check_distinct(const struct fb_conf_list *list, size_t *ret_entry,
                           struct fb_diag *diag);

/* A text in each entry of a list of SECTIONS, and what to call it in a sentence. */
struct fb_conf_text {
    const char *noun;
    size_t entry_size;
    size_t offset;
};

#define FB_CONF_TEXT(noun, type, member) \
    (&(const struct fb_conf_text){noun, sizeof(struct type), offsetof(struct type, member)})

/* For a check_all of SECTIONS: no two entries have the same `text`. */
FB_MUST_CHECK int fb_conf_check_distinct_by(const struct fb_conf_list *list,
                                            const struct fb_conf_text *text, size_t *ret_entry,
                                            struct fb_diag *diag);

/* Reads the file at `path` into `conf`, which is written on success only. */
FB_MUST_CHECK int fb_conf_load(const struct fb_conf_section *section, const char *path, void *conf,
                               struct fb_diag *diag);

/* The same from memory; `name` stands for the file in sentences. */
FB_MUST_CHECK int fb_conf_parse(const struct fb_conf_section *section, struct fb_str text,
                                const char *name, void *conf, struct fb_diag *diag);

struct fb_conf_loading {
    const char *path;
    bool probes; /* what the file names has to be usable on this machine */
    /* Checks beyond the tables, when all is read: what it blames is told with its place. `ctx` is
     * handed on. May be NULL. */
    int (*check)(const void *ctx, const void *conf, struct fb_diag *diag);
    const void *ctx;
};

/* fb_conf_load() with more checks. */
FB_MUST_CHECK int fb_conf_load_with(const struct fb_conf_section *section,
                                    const struct fb_conf_loading *loading, void *conf,
                                    struct fb_diag *diag);

/* Frees what the struct owns and leaves it zero. */
void fb_conf_done(const struct fb_conf_section *section, void *conf);

/* Calls `tell` with each key ("timeouts.head") whose values differ and which is not live, nor
 * in a section that is. */
struct fb_conf_teller {
    void (*tell)(void *ctx, struct fb_str key);
    void *ctx;
};
void fb_conf_tell_restarts(const struct fb_conf_section *section, const void *old, const void *news,
                           const struct fb_conf_teller *teller);

/* Appends YAML that loads to an equal struct, presets included; only secrets are
 * replaced by a remark. */
void fb_conf_print(const struct fb_conf_section *section, const void *conf, struct fb_buf *buf);

/* Appends the reference in Markdown: one table per section, keys in order. */
void fb_conf_reference(const struct fb_conf_section *section, struct fb_buf *buf);
