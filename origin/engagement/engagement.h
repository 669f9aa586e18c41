/*
 * Engagement: what people do with videos and with each other, and the rules of it.
 *
 *     like, save, follow    put or removed; doing it twice is doing it once
 *     share, comment        added; once per Idempotency-Key
 *     moderate              an admin takes a video away, or gives it back
 *
 * Every act changes its row and the sums in one transaction of the catalog. It
 * bears a keyed hash of the network it came from (/24 of IPv4, /48 of IPv6), so
 * that trending can bound what one network does; no address is kept.
 *
 * Admins are the accounts whose addresses the configuration names.
 *
 * Ownership  new → free; everything given is borrowed.
 * Threads    Blocking; any thread.
 * Limits     Token buckets per account: one for likes, saves, follows and shares,
 *            one for comments.
 * Failures   FB_E_LIMIT, FB_E_NOT_FOUND, FB_E_DENIED (not allowed, or the
 *            Idempotency-Key stood for another request), FB_E_CONFLICT (the account
 *            or what it acts on is not there any more), FB_E_EXISTS (this request
 *            was carried out before); else what the catalog gives.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/auth/limiter.h"
#include "origin/auth/secret.h"
#include "origin/catalog/comments.h"
#include "origin/catalog/counters.h"
#include "origin/catalog/moderation.h"
#include "origin/catalog/reactions.h"
#include "origin/catalog/shares.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_address;
struct fb_clock;
struct fb_metrics;
struct origin_catalog;
struct origin_engagement;

/* How often one account may act: `burst` at once, one more every `refill_ms`. */
struct origin_pace {
    uint32_t burst;
    uint32_t refill_ms;
};

enum origin_engagement_limit {
    ORIGIN_LIMIT_REACTIONS, /* likes, saves, follows, shares */
    ORIGIN_LIMIT_COMMENTS,
    ORIGIN_LIMIT_N
};

struct origin_engagement_options {
    struct origin_catalog *catalog;
    const struct fb_clock *clock;
    struct fb_metrics *metrics;
    uint8_t secret[ORIGIN_SECRET_BYTES]; /* what networks are hashed with */
    struct origin_pace paces[ORIGIN_LIMIT_N];
    const struct fb_str *admins; /* e-mail addresses in lower case */
    size_t n_admins;
};

struct origin_engagement *origin_engagement_new(const struct origin_engagement_options *options);
void origin_engagement_free(struct origin_engagement *engagement);

/* The number that stands for the network of `peer`. */
uint64_t origin_engagement_network(const struct origin_engagement *engagement,
                                   const struct fb_address *peer);

/* Spends one act of `user`; FB_E_LIMIT. *ret_quota is written in both cases. */
FB_MUST_CHECK int origin_engagement_spend(struct origin_engagement *engagement,
                                          enum origin_engagement_limit limit,
                                          const struct origin_id *user,
                                          struct origin_quota *ret_quota);

struct origin_reaction_change {
    enum origin_reaction reaction;
    struct origin_actor actor;
    struct origin_id video;
    bool is_set; /* from now on */
};
FB_MUST_CHECK int origin_engagement_react(struct origin_engagement *engagement,
                                          const struct origin_reaction_change *change,
                                          struct origin_video_counters *ret_counters);

/* FB_E_UNSUPPORTED: nobody follows himself. */
FB_MUST_CHECK int origin_engagement_follow(struct origin_engagement *engagement,
                                           const struct origin_actor *actor,
                                           const struct origin_id *user, bool is_set,
                                           struct origin_user_counters *ret_counters);

/* FB_E_EXISTS comes with *ret_earlier, in `arena`: what was answered then. */
FB_MUST_CHECK int origin_engagement_share(struct origin_engagement *engagement,
                                          struct fb_arena *arena, const struct origin_share *share,
                                          const struct origin_once *once,
                                          struct fb_str *ret_earlier);
FB_MUST_CHECK int origin_engagement_comment(struct origin_engagement *engagement,
                                            struct fb_arena *arena,
                                            const struct origin_comment_new *comment,
                                            const struct origin_once *once,
                                            struct fb_str *ret_earlier);

/* By its author, the owner of the video or an admin, else FB_E_DENIED. */
FB_MUST_CHECK int origin_engagement_comment_remove(struct origin_engagement *engagement,
                                                   const struct origin_id *user,
                                                   const struct origin_id *comment);

FB_MUST_CHECK int origin_engagement_is_admin(const struct origin_engagement *engagement,
                                             const struct origin_id *user, bool *ret_is_admin);

/* FB_E_DENIED unless decision->admin is one. */
FB_MUST_CHECK int origin_engagement_moderate(struct origin_engagement *engagement,
                                             const struct origin_decision *decision);
