/*
 * The table of sweeps: objects that nobody needs any more, or soon.
 *
 *     version   media/<video>/<version>, and its rows of files and renditions
 *     work      work/<video>/<version>
 *     source    uploads/<video>
 *     video     all of these of a video that was removed
 *
 * What is to be swept is noted in the transaction that ends its use, so that nothing is forgotten
 * whatever ends when. A sweep is begun only if its objects are not in use again, and while it runs
 * no job can begin to use them.
 */
#pragma once

#include "origin/catalog/catalog.h"
#include "origin/model/id.h"
#include "origin/model/result.h"

#include <stdint.h>

enum origin_sweep_kind {
    ORIGIN_SWEEP_VERSION,
    ORIGIN_SWEEP_WORK,
    ORIGIN_SWEEP_SOURCE,
    ORIGIN_SWEEP_VIDEO,
    ORIGIN_N_SWEEP_KINDS
};

struct origin_sweep {
    int64_t id;
    enum origin_sweep_kind kind;
    struct origin_id video;
    char version[ORIGIN_VERSION_LEN + 1]; /* of the first two; else empty */
};

/* Begins the next whose time has come, or one that was begun and not ended. FB_E_LATER if there is
 * none. */
FB_MUST_CHECK int origin_catalog_sweep_begin(struct origin_catalog *catalog,
                                             struct origin_sweep *ret_sweep);

/* Its objects are gone. */
FB_MUST_CHECK int origin_catalog_sweep_end(struct origin_catalog *catalog,
                                           const struct origin_sweep *sweep);
