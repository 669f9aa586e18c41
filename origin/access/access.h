/*
 * Access: who may see which video, and where. Every reader asks here, and nobody decides alone.
 *
 *                      listed   seen by its id                 played
 *     public           yes      by everybody                   by everybody
 *     unlisted         no       by everybody                   by everybody
 *     private          no       by its owner and admins        by them, with a pass
 *     deactivated      no       by its owner and admins        by nobody
 *     not ready yet    no       by its owner; its status as    by nobody
 *                               privacy says
 *
 * and played only where the site's list of countries and the video's let it. Owner and admins
 * are not bound by the video's list. What lists, search, feed and trending may show is
 * origin_video_is_public(), in SQL ORIGIN_VIDEO_IS_PUBLIC.
 *
 * Media lies under /media/<video>/: of private videos it is given to who brings a pass for that
 * path (pass.h), and to the networks of tiers that ask for passes themselves.
 *
 * Ownership  new → free; strings, lists and what is pointed at are borrowed.
 * Threads    Any; may block on the catalog.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/net/network.h"
#include "origin/access/countries.h"
#include "origin/access/pass.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_address;
struct fb_clock;
struct fb_metrics;
struct origin_access;
struct origin_auth;
struct origin_engagement;
struct origin_geo;
struct origin_video;

struct origin_access_options {
    struct origin_auth *auth;
    struct origin_engagement *engagement; /* knows who is an admin */
    const struct fb_clock *clock;
    struct fb_metrics *metrics;
    struct origin_geo *geo;  /* NULL: no country is known */
    struct fb_str countries; /* of the site (countries.h) */
    bool serves_unknown;     /* also where it is not known whether a list lets it */
    struct origin_pass_keys passes;
    int64_t pass_ms;                /* how long a pass is good */
    bool passes_for_all;            /* public videos get them too: edges ask all for them */
    const struct fb_network *tiers; /* may have media of private videos without one */
    size_t n_tiers;
};

struct origin_access *origin_access_new(const struct origin_access_options *options);
void origin_access_free(struct origin_access *access); /* accepts NULL */

/* Who looks, as far as a video is concerned. */
struct origin_view {
    struct origin_id user; /* empty: nobody that is known */
    bool is_owner;
    bool sees_all; /* owner or, of what is not for everybody, admin: also why it failed and the like
                    */
    bool may_see;  /* what is told of it */
    bool may_follow; /* how far its processing is */
    bool may_play;   /* where countries let it */
};

/* What `user` may see of it; empty: somebody who is not known. */
FB_MUST_CHECK int origin_access_look_as(struct origin_access *access, const struct origin_id *user,
                                        const struct origin_video *video,
                                        struct origin_view *ret_view);

/* The same for whom `authorization`, the field of that name, is a token of; without one of ours it
 * is somebody who is not known. */
FB_MUST_CHECK int origin_access_look(struct origin_access *access, struct fb_str authorization,
                                     const struct origin_video *video,
                                     struct origin_view *ret_view);

/* Whether who looks from `client` may play it there: FB_E_DENIED, with the country in
 * `ret_country`, empty if it is not known. */
FB_MUST_CHECK int origin_access_place(struct origin_access *access, const struct origin_view *view,
                                      const struct origin_video *video,
                                      const struct fb_address *client,
                                      char ret_country[ORIGIN_COUNTRY_LEN + 1]);

/* The pass that a player needs for the video's media, in the arena, escaped to be the first segment
 * of a path; empty: none. */
struct fb_str origin_access_pass(struct origin_access *access, struct fb_arena *arena,
                                 const struct origin_video *video);

/* Whether media of a private video is given to `peer`, who brings `pass` (ptr NULL: none):
 * FB_E_DENIED. *ret_max_age_s is how long a player may keep it; -1: a tier asks, who knows itself.
 */
FB_MUST_CHECK int origin_access_media(struct origin_access *access, const struct origin_id *video,
                                      const struct fb_address *peer, struct fb_str pass,
                                      int64_t *ret_max_age_s);
