/*
 * The table of published renditions.
 */
#pragma once

#include "origin/catalog/catalog.h"
#include "origin/model/id.h"
#include "origin/model/result.h"

#include <stddef.h>

/* The renditions of a published version, in the order of its playlist. */
FB_MUST_CHECK int origin_catalog_rendition_list(
    struct origin_catalog *catalog, const struct origin_id *video, struct fb_str version,
    struct origin_result_rendition ret_renditions[ORIGIN_RENDITIONS_MAX], size_t *ret_n);
