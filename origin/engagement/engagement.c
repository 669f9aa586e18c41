#include "origin/engagement/engagement.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/net/network.h"
#include "origin/catalog/follows.h"
#include "origin/catalog/users.h"
#include "origin/catalog/videos.h"

enum { MAX_KEYS = 100000, NETWORK_V4_BITS = 24, NETWORK_V6_BITS = 48 };

enum {
    ACT_LIKE,
    ACT_SAVE,
    ACT_FOLLOW,
    ACT_SHARE,
    ACT_COMMENT,
    ACTS_REPEATED,
    ACTS_LIMITED,
    DECISIONS,
};

#define ACTS_HELP "Acts that were carried out, taking back included."

static const struct fb_metric engagement_metrics[] = {
    [ACT_LIKE] = {"origin_engagement_acts_total", FB_METRIC_COUNTER, "kind=\"like\"", ACTS_HELP},
    [ACT_SAVE] = {"origin_engagement_acts_total", FB_METRIC_COUNTER, "kind=\"save\"", ACTS_HELP},
    [ACT_FOLLOW] = {"origin_engagement_acts_total", FB_METRIC_COUNTER, "kind=\"follow\"",
                    ACTS_HELP},
    [ACT_SHARE] = {"origin_engagement_acts_total", FB_METRIC_COUNTER, "kind=\"share\"", ACTS_HELP},
    [ACT_COMMENT] = {"origin_engagement_acts_total", FB_METRIC_COUNTER, "kind=\"comment\"",
                     ACTS_HELP},
    [ACTS_REPEATED] = {"origin_engagement_repeated_total", FB_METRIC_COUNTER, NULL,
                       "Requests that were answered as before, by their Idempotency-Key."},
    [ACTS_LIMITED] = {"origin_engagement_limited_total", FB_METRIC_COUNTER, NULL,
                      "Acts refused because the account did too much at once."},
    [DECISIONS] = {"origin_moderation_decisions_total", FB_METRIC_COUNTER, NULL,
                   "Videos that admins took away or gave back."},
};

struct origin_engagement {
    struct origin_engagement_options options;
    struct origin_limiter *limiters[ORIGIN_LIMIT_N]; /* owned */
    struct fb_metrics_table *metrics;                /* the registry's */
};

struct origin_engagement *origin_engagement_new(const struct origin_engagement_options *options)
{
    struct origin_engagement *engagement = FB_NEW(struct origin_engagement);

    engagement->options = *options;
    for (size_t i = 0; i < ORIGIN_LIMIT_N; i++) {
        engagement->limiters[i] = origin_limiter_new(&(struct origin_limiter_options){
            .clock = options->clock,
            .burst = options->paces[i].burst,
            .refill_ms = options->paces[i].refill_ms,
            .max_keys = MAX_KEYS,
        });
    }
    engagement->metrics = fb_metrics_table_new(options->metrics, engagement_metrics,
                                               FB_ARRAY_LEN(engagement_metrics), NULL);
    return engagement;
}

void origin_engagement_free(struct origin_engagement *engagement)
{
    if (engagement == NULL) {
        return;
    }
    for (size_t i = 0; i < ORIGIN_LIMIT_N; i++) {
        origin_limiter_free(engagement->limiters[i]);
    }
    fb_free(engagement);
}

/* ---- rules ------------------------------------------------------------------- */

uint64_t origin_engagement_network(const struct origin_engagement *engagement,
                                   const struct fb_address *peer)
{
    struct fb_str key = {(const char *)engagement->options.secret, ORIGIN_SECRET_BYTES};
    struct fb_network network = {.bits = 0}; /* of whose address is not known, too */
    uint8_t mac[FB_SHA256_SIZE];
    uint64_t number = 0;

    FB_IGNORE(fb_network_of(peer, NETWORK_V4_BITS, NETWORK_V6_BITS, &network));
    fb_hmac_sha256(key, (struct fb_str){(const char *)network.bytes, sizeof(network.bytes)}, mac);
    for (size_t i = 0; i < sizeof(number); i++) {
        number = number << 8 | mac[i];
    }
    return number;
}

int origin_engagement_spend(struct origin_engagement *engagement,
                            enum origin_engagement_limit limit, const struct origin_id *user,
                            struct origin_quota *ret_quota)
{
    int err = origin_limiter_take(engagement->limiters[limit], origin_id_str(user), ret_quota);
    fb_metrics_add(engagement->metrics, ACTS_LIMITED, err < 0 ? 1 : 0);
    return err;
}

int origin_engagement_is_admin(const struct origin_engagement *engagement,
                               const struct origin_id *user, bool *ret_is_admin)
{
    const struct origin_engagement_options *options = &engagement->options;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_profile profile;
    bool is_admin = false;

    if (options->n_admins > 0) {
        int err = origin_catalog_user_get(options->catalog, &arena, user, &profile);
        if (err < 0 && err != FB_E_NOT_FOUND) {
            return err;
        }
        for (size_t i = 0; err == FB_OK && i < options->n_admins; i++) {
            is_admin = is_admin || fb_str_equal_nocase(options->admins[i], profile.email);
        }
    }
    *ret_is_admin = is_admin;
    return FB_OK;
}

/* ---- acts -------------------------------------------------------------------- */

static int acted(struct origin_engagement *engagement, size_t row, int err)
{
    fb_metrics_add(engagement->metrics, row, err == FB_OK ? 1 : 0);
    fb_metrics_add(engagement->metrics, ACTS_REPEATED, err == FB_E_EXISTS ? 1 : 0);
    return err;
}

int origin_engagement_react(struct origin_engagement *engagement,
                            const struct origin_reaction_change *change,
                            struct origin_video_counters *ret_counters)
{
    struct origin_catalog *catalog = engagement->options.catalog;
    int err = change->is_set
                  ? origin_catalog_reaction_put(catalog, change->reaction, &change->actor,
                                                &change->video, ret_counters)
                  : origin_catalog_reaction_remove(catalog, change->reaction, &change->actor,
                                                   &change->video, ret_counters);
    return acted(engagement, change->reaction == ORIGIN_REACTION_LIKE ? ACT_LIKE : ACT_SAVE, err);
}

int origin_engagement_follow(struct origin_engagement *engagement, const struct origin_actor *actor,
                             const struct origin_id *user, bool is_set,
                             struct origin_user_counters *ret_counters)
{
    struct origin_catalog *catalog = engagement->options.catalog;

    if (origin_id_equal(&actor->user, user)) {
        return FB_E_UNSUPPORTED;
    }
    return acted(engagement, ACT_FOLLOW,
                 is_set ? origin_catalog_follow_put(catalog, actor, user, ret_counters)
                        : origin_catalog_follow_remove(catalog, actor, user, ret_counters));
}

int origin_engagement_share(struct origin_engagement *engagement, struct fb_arena *arena,
                            const struct origin_share *share, const struct origin_once *once,
                            struct fb_str *ret_earlier)
{
    return acted(
        engagement, ACT_SHARE,
        origin_catalog_share_add(engagement->options.catalog, arena, share, once, ret_earlier));
}

int origin_engagement_comment(struct origin_engagement *engagement, struct fb_arena *arena,
                              const struct origin_comment_new *comment,
                              const struct origin_once *once, struct fb_str *ret_earlier)
{
    return acted(
        engagement, ACT_COMMENT,
        origin_catalog_comment_add(engagement->options.catalog, arena, comment, once, ret_earlier));
}

int origin_engagement_comment_remove(struct origin_engagement *engagement,
                                     const struct origin_id *user, const struct origin_id *comment)
{
    struct origin_catalog *catalog = engagement->options.catalog;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_comment found;
    struct origin_video video;
    bool may = false;

    int err = origin_catalog_comment_get(catalog, &arena, comment, &found);
    if (err < 0 || (err = origin_catalog_video_get(catalog, &arena, &found.video, &video)) < 0) {
        return err;
    }
    may = origin_id_equal(user, &found.user) || origin_id_equal(user, &video.owner);
    if (!may && (err = origin_engagement_is_admin(engagement, user, &may)) < 0) {
        return err;
    }
    if (!may) {
        bool is_hidden = video.privacy == ORIGIN_PRIVACY_PRIVATE || video.deactivated_ms != 0;
        return is_hidden ? FB_E_NOT_FOUND : FB_E_DENIED; /* as if neither were there */
    }
    return origin_catalog_comment_remove(catalog, comment);
}

int origin_engagement_moderate(struct origin_engagement *engagement,
                               const struct origin_decision *decision)
{
    bool is_admin = false;

    int err = origin_engagement_is_admin(engagement, &decision->admin, &is_admin);
    if (err < 0) {
        return err;
    }
    if (!is_admin) {
        return FB_E_DENIED;
    }
    err = origin_catalog_moderate(engagement->options.catalog, decision);
    if (err == FB_OK) {
        fb_metrics_add(engagement->metrics, DECISIONS, 1);
        FB_LOG(
            INFO, "engagement", decision->is_active ? "activated a video" : "deactivated a video",
            FB_LOG_TEXT("video", decision->video.text), FB_LOG_TEXT("admin", decision->admin.text));
    }
    return err;
}
