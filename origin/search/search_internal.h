/*
 * What the files of origin/search share.
 */
#pragma once

#include "origin/search/query.h"
#include "origin/search/search.h"

/* Each word that occurs nowhere as the nearest one that does, in `arena`.
 * FB_E_NOT_FOUND if there is none near one of them. */
FB_MUST_CHECK int origin_search_correct(struct origin_catalog *catalog, struct fb_arena *arena,
                                        const struct origin_query *query,
                                        struct origin_query *ret_query);
