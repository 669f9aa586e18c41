/*
 * The table of what the feed has learned, so that a restart does not forget it.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"

/* Keeps `bytes` under `name`, in the place of what was there. */
FB_MUST_CHECK int origin_catalog_feed_model_put(struct origin_catalog *catalog, struct fb_str name,
                                                struct fb_str bytes);

/* In `arena`; FB_E_NOT_FOUND. */
FB_MUST_CHECK int origin_catalog_feed_model_get(struct origin_catalog *catalog,
                                                struct fb_arena *arena, struct fb_str name,
                                                struct fb_str *ret_bytes);
