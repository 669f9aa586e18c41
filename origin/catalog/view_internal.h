/*
 * What the files of the tables of views share.
 */
#pragma once

#include "origin/catalog/catalog_internal.h"
#include "origin/catalog/view_reports.h"

/* Sums stop here, whatever nodes say: numbers that JSON's readers know, and that SQL can add. */
#define ORIGIN_VIEW_SUM_MAX      (UINT64_C(1) << 53)
#define ORIGIN_VIEW_SUM_MAX_TEXT "9007199254740992"

/* X(name): the columns of counts of a day, in the order of their enums. */
#define ORIGIN_VIEW_DAY_COUNTS(X) \
    X(source_feed)                \
    X(source_search)              \
    X(source_trending)            \
    X(source_share)               \
    X(source_external)            \
    X(source_other)               \
    X(uncounted_too_short)        \
    X(uncounted_duplicate)        \
    X(uncounted_bot)              \
    X(uncounted_rate)             \
    X(uncounted_no_media)         \
    X(startup_0)                  \
    X(startup_1)                  \
    X(startup_2)                  \
    X(startup_3)                  \
    X(startup_4)                  \
    X(startup_5)                  \
    X(startup_6)                  \
    X(startup_7)

/* Moves the stream from where the caller read it; FB_E_CONFLICT if it stands elsewhere. */
FB_MUST_CHECK int origin_catalog_stream_move(struct fb_db *db,
                                             const struct origin_view_apply *apply, int64_t now_ms);

/* Notes the streams that the reports stand for. */
FB_MUST_CHECK int origin_catalog_streams_merged(struct fb_db *db, struct origin_view_apply *apply,
                                                int64_t now_ms);
