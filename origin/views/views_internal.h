/*
 * What the files of origin/views share.
 */
#pragma once

#include "origin/views/views.h"

struct origin_views_listener {
    origin_views_changed_fn *changed;
    void *ctx;
};

struct origin_views {
    struct origin_views_options options;
    struct origin_views_listener listeners[ORIGIN_VIEWS_LISTENERS];
    size_t n_listeners;
};
