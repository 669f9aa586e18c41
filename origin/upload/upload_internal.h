/*
 * What the files of origin/upload share.
 */
#pragma once

#include "origin/upload/upload.h"

struct fb_metrics_table;

enum upload_metric {
    UPLOAD_REQUESTS,
    UPLOAD_REFUSED,
    UPLOAD_FILES,
    UPLOAD_PARTS,
    UPLOAD_COMPLETED,
    UPLOAD_BYTES
};

struct origin_upload {
    struct origin_upload_options options;
    struct origin_ledger *ledger;     /* owned */
    struct fb_metrics_table *metrics; /* the registry's, or NULL */
};

void origin_upload_count(struct origin_upload *service, enum upload_metric row, uint64_t n);
