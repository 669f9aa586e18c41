/*
 * Orders: how a worker speaks to the child process that does a task.
 *
 *     worker ── order, one JSON object on descriptor 0 ──► child
 *     worker ◄── words, one JSON object a line on descriptor 1 ── child
 *                    {"progress":417} … {"end":"ok"} | {"end":"failed","err":-20003,"text":"…"}
 *     worker ◄── files ── child:   <output>/media/…        what the task makes, under its final
 * names <output>/told.json      what it tells
 *
 * What told.json holds: of a PREPARE the recipe, of a CHUNK and of a SOUND the part, of a FINISH
 * the result, as origin/model and origin/media write them. A child that is asked for no task tells
 * its toolchain, as text. The child handles bytes of strangers: whoever reads its words and files
 * believes none of them.
 *
 * Ownership  A parsed order owns what its texts point into: zero → ..._done(), which wipes the key.
 * Threads    Pure functions, any thread.
 * Limits     ORIGIN_ORDER_MAX bytes; words of ORIGIN_WORD_MAX bytes.
 * Failures   FB_E_MALFORMED, FB_E_NOT_FOUND, FB_E_LIMIT, with a sentence.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/model/task.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_json;

enum {
    ORIGIN_ORDER_MAX = 6 << 20, /* bytes */
    ORIGIN_ORDER_PATH_MAX = 1023,
    ORIGIN_WORD_MAX = 4096, /* bytes of a line */
    ORIGIN_WORD_TEXT_MAX = 511
};

#define ORIGIN_ORDER_MEDIA "media"
#define ORIGIN_ORDER_TOLD  "told.json"

struct origin_order {
    bool is_about; /* no task: tell the toolchain; of the rest only `output` counts */
    enum origin_task_kind kind;
    enum origin_task_pass pass;
    uint32_t index;
    uint32_t n_threads;   /* of a PREPARE: of each encoder; 0: the child's preset */
    struct fb_str output; /* folder; the child makes `media` in it */
    struct fb_str source; /* file; of a FINISH empty */
    /* Folder with files named "0", "1", …: of a FINISH the parts; of a SOUND the subtitles of the
     * request, by their order. */
    struct fb_str inputs;
    uint32_t n_inputs;
    struct fb_str request; /* JSON */
    struct fb_str recipe;  /* JSON; of a PREPARE empty */
    struct origin_content_key key;

    struct fb_json *root; /* owned; of a parsed one */
};

void origin_order_done(struct origin_order *order);

void origin_order_dump(struct fb_buf *buf, const struct origin_order *order);
FB_MUST_CHECK int origin_order_parse(struct fb_str text, struct origin_order *ret_order,
                                     struct fb_diag *diag);

/* What a child says while it works, and at its end. */
struct origin_word {
    bool is_end;
    uint32_t permille;                   /* of a word that is not the end */
    int err;                             /* of the end: FB_OK or what the task failed with */
    char text[ORIGIN_WORD_TEXT_MAX + 1]; /* the sentence for the creator; printable UTF-8 */
};

/* With the end of the line. A text that is too long is cut. */
void origin_word_dump(struct fb_buf *buf, const struct origin_word *word);
FB_MUST_CHECK int origin_word_parse(struct fb_str line, struct origin_word *ret_word);
