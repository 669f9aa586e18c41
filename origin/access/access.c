#include "origin/access/access.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/metrics/metrics.h"
#include "origin/access/geo.h"
#include "origin/auth/auth.h"
#include "origin/catalog/videos.h"
#include "origin/engagement/engagement.h"

#include <stdio.h>

enum { MEDIA_PATH_MAX = 64, MS_PER_S = 1000, PASS_STEPS = 4, V4_BITS = 32, V6_BITS = 128 };

enum access_metric { ACCESS_HIDDEN, ACCESS_BLOCKED, ACCESS_UNKNOWN, ACCESS_PASSES, ACCESS_REFUSED };

static const struct fb_metric access_metrics[] = {
    [ACCESS_HIDDEN] = {"origin_access_hidden_total", FB_METRIC_COUNTER, NULL,
                       "Requests for a video that were answered as if it were not there."},
    [ACCESS_BLOCKED] = {"origin_access_blocked_total", FB_METRIC_COUNTER, NULL,
                        "Requests to play a video that were answered 451, by country."},
    [ACCESS_UNKNOWN] = {"origin_access_unknown_total", FB_METRIC_COUNTER, NULL,
                        "Requests to play a restricted video from nobody knows where."},
    [ACCESS_PASSES] = {"origin_access_passes_total", FB_METRIC_COUNTER, NULL,
                       "Passes signed for players."},
    [ACCESS_REFUSED] = {"origin_access_media_refused_total", FB_METRIC_COUNTER, NULL,
                        "Requests for media of private videos without a pass that is good."},
};

struct origin_access {
    struct origin_access_options options;
    struct fb_metrics_table *metrics; /* the registry's */
};

struct origin_access *origin_access_new(const struct origin_access_options *options)
{
    struct origin_access *access = FB_NEW(struct origin_access);

    access->options = *options;
    access->metrics =
        fb_metrics_table_new(options->metrics, access_metrics, FB_ARRAY_LEN(access_metrics), NULL);
    return access;
}

void origin_access_free(struct origin_access *access)
{
    fb_free(access);
}

/* ---- who ----------------------------------------------------------------------- */

int origin_access_look_as(struct origin_access *access, const struct origin_id *user,
                          const struct origin_video *video, struct origin_view *ret_view)
{
    const struct origin_access_options *options = &access->options;
    bool is_open = video->privacy != ORIGIN_PRIVACY_PRIVATE && video->deactivated_ms == 0;
    bool is_ready = video->status == ORIGIN_VIDEO_READY;
    struct origin_view view = {.user = *user};
    bool is_admin = false;

    if (user->text[0] != '\0') {
        view.is_owner = origin_id_equal(&view.user, &video->owner);
        int err = view.is_owner || is_open
                      ? FB_OK
                      : origin_engagement_is_admin(options->engagement, &view.user, &is_admin);
        if (err < 0) {
            return err;
        }
    }
    view.sees_all = view.is_owner || is_admin;
    view.may_see = view.sees_all || (is_open && is_ready);
    view.may_follow = view.sees_all || is_open;
    view.may_play = is_ready && video->deactivated_ms == 0 && view.may_see;
    fb_metrics_add(access->metrics, ACCESS_HIDDEN, view.may_see || view.may_follow ? 0 : 1);
    *ret_view = view;
    return FB_OK;
}

int origin_access_look(struct origin_access *access, struct fb_str authorization,
                       const struct origin_video *video, struct origin_view *ret_view)
{
    struct origin_id user = {.text = ""};

    /* Else it is nobody. */
    FB_IGNORE(origin_auth_user(access->options.auth, authorization, &user));
    return origin_access_look_as(access, &user, video, ret_view);
}

/* ---- where ---------------------------------------------------------------------- */

static bool list_lets(const struct origin_access *access, struct fb_str list, struct fb_str country)
{
    enum origin_countries_verdict verdict = origin_countries_judge(list, country);

    fb_metrics_add(access->metrics, ACCESS_UNKNOWN, verdict == ORIGIN_COUNTRIES_DEPENDS ? 1 : 0);
    return verdict == ORIGIN_COUNTRIES_YES ||
           (verdict == ORIGIN_COUNTRIES_DEPENDS && access->options.serves_unknown);
}

int origin_access_place(struct origin_access *access, const struct origin_view *view,
                        const struct origin_video *video, const struct fb_address *client,
                        char ret_country[ORIGIN_COUNTRY_LEN + 1])
{
    const struct origin_access_options *options = &access->options;
    struct fb_str of_video = view->sees_all ? FB_STR_NONE : video->countries;

    ret_country[0] = '\0';
    if (options->countries.len == 0 && of_video.len == 0) {
        return FB_OK;
    }
    if (options->geo != NULL) {
        /* What is not found stays empty. */
        FB_IGNORE(origin_geo_country(options->geo, client, ret_country));
    }
    struct fb_str country = fb_str_from(ret_country);
    if (list_lets(access, options->countries, country) && list_lets(access, of_video, country)) {
        return FB_OK;
    }
    fb_metrics_add(access->metrics, ACCESS_BLOCKED, 1);
    return FB_E_DENIED;
}

/* ---- media ---------------------------------------------------------------------- */

static struct fb_str media_path(const struct origin_id *video, char path[MEDIA_PATH_MAX])
{
    (void)snprintf(path, MEDIA_PATH_MAX, "/media/%s/", video->text);
    return fb_str_from(path);
}

struct fb_str origin_access_pass(struct origin_access *access, struct fb_arena *arena,
                                 const struct origin_video *video)
{
    const struct origin_access_options *options = &access->options;
    FB_AUTO(fb_buf_done) struct fb_buf pass = {0};
    FB_AUTO(fb_buf_done) struct fb_buf segment = {0};
    char path[MEDIA_PATH_MAX];

    if (video->privacy != ORIGIN_PRIVACY_PRIVATE && !options->passes_for_all) {
        return FB_STR_NONE;
    }
    /* In steps, so that who asks again soon has the same URLs. */
    int64_t step_ms = FB_MAX(options->pass_ms / PASS_STEPS, INT64_C(1));
    int64_t until_ms = fb_clock_wall_ms(options->clock) + options->pass_ms + step_ms - 1;
    until_ms -= until_ms % step_ms;
    origin_pass_sign(&options->passes, media_path(&video->id, path), until_ms / MS_PER_S, &pass);
    fb_text_percent_encode(&segment, fb_buf_str(&pass), "=~");
    fb_metrics_add(access->metrics, ACCESS_PASSES, 1);
    return fb_arena_dup(arena, fb_buf_str(&segment));
}

static bool is_tier(const struct origin_access_options *options, const struct fb_address *peer)
{
    struct fb_network one;

    if (fb_network_of(peer, V4_BITS, V6_BITS, &one) < 0) {
        return false;
    }
    for (size_t i = 0; i < options->n_tiers; i++) {
        if (fb_network_has(&options->tiers[i], &one)) {
            return true;
        }
    }
    return false;
}

int origin_access_media(struct origin_access *access, const struct origin_id *video,
                        const struct fb_address *peer, struct fb_str pass, int64_t *ret_max_age_s)
{
    const struct origin_access_options *options = &access->options;
    int64_t now_s = fb_clock_wall_ms(options->clock) / MS_PER_S;
    int64_t expires_s = 0;
    char path[MEDIA_PATH_MAX];

    if (pass.ptr == NULL && is_tier(options, peer)) {
        *ret_max_age_s = -1;
        return FB_OK;
    }
    if (pass.ptr == NULL || origin_pass_verify(&options->passes, pass, media_path(video, path),
                                               now_s, &expires_s) < 0) {
        fb_metrics_add(access->metrics, ACCESS_REFUSED, 1);
        return FB_E_DENIED;
    }
    *ret_max_age_s = expires_s - now_s;
    return FB_OK;
}
