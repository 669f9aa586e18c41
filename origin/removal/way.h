/*
 * How nodes are called: POST to their admin addresses, all at once (origin/calls).
 */
#pragma once

#include "origin/removal/removal.h"

struct origin_calls;

/* Good as long as `calls`, borrowed, are. */
struct origin_purge_way origin_way_of(struct origin_calls *calls);
