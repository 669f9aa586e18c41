/*
 * What stands between a node's videos and the world: keys, passes, countries, and what has to go.
 *
 * Ownership  The node's; open → close.
 * Threads    The main loop's; what is in it as its header says.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "origin/access/pass.h"
#include "origin/model/content_key.h"
#include "origin/removal/removal.h"

#include <stddef.h>

struct fb_network;
struct origin_access;
struct origin_calls;
struct origin_geo;
struct origin_keys;
struct origin_node;
struct origin_sealer_file;

struct origin_gates {
    struct origin_sealer_file *sealer; /* owned, as all that follows */
    struct origin_keys *keys;
    struct origin_geo *geo; /* NULL: no country is known */
    struct origin_access *access;
    struct origin_calls *calls; /* NULL: there are no nodes */
    struct origin_removals *removals;
    struct origin_pass_key *pass_keys; /* their secrets too */
    size_t n_pass_keys;
    struct fb_network *tiers;
    struct origin_purge_node *nodes;
    char *countries;
};

/* Opens all of it, with the node's catalog, objects, accounts and engagement; adds its rounds. */
FB_MUST_CHECK int origin_gates_open(struct origin_node *node, struct fb_diag *diag);
void origin_gates_close(struct origin_gates *gates);

/* origin_keys_of_job() for origin_jobs_options, with the gates as ctx. */
int origin_gates_key(void *gates, const struct origin_id *video, const struct origin_id *job,
                     enum origin_scheme scheme, struct origin_content_key *ret_key);
