/*
 * The table of what stands among the objects of versions that are being made: size and digest of
 * each file, noted by whom the bytes passed. What is published is held against it.
 *
 * Rows go with their video, and once nothing is made of their version any more.
 */
#pragma once

#include "origin/catalog/catalog.h"
#include "origin/model/result.h"
#include "origin/model/task.h"

enum origin_stored_match {
    ORIGIN_STORED_SAME,
    ORIGIN_STORED_UNKNOWN, /* nobody noted it */
    ORIGIN_STORED_OTHER    /* what was noted last is something else */
};

/* Notes files of the version that `task` (by its id and lease) makes, in the place of what was
 * noted of them before. FB_E_CONFLICT when the lease is lost or the task is done. */
FB_MUST_CHECK int origin_catalog_stored_note(struct origin_catalog *catalog,
                                             const struct origin_task *task,
                                             const struct origin_result_file *files, size_t n);

/* Whether `file` of the version that `task` makes may be put: FB_E_CORRUPT if it is published
 * with other bytes that never change (all but playlists and manifests, which a version that is made
 * anew may bring anew). */
FB_MUST_CHECK int origin_catalog_stored_may_put(struct origin_catalog *catalog,
                                                const struct origin_task *task,
                                                const struct origin_result_file *file);

/* How each of `files` compares, into as many of `ret_matches`. */
FB_MUST_CHECK int origin_catalog_stored_compare(struct origin_catalog *catalog,
                                                const struct origin_id *video, const char *version,
                                                const struct origin_result_file *files, size_t n,
                                                enum origin_stored_match *ret_matches);
