/*
 * What the files of origin/api share.
 */
#pragma once

#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/server/router.h"
#include "origin/api/api.h"
#include "origin/catalog/idempotency.h"
#include "origin/catalog/reactions.h"
#include "origin/catalog/videos.h"
#include "origin/engagement/engagement.h"
#include "origin/model/id.h"

#include <stdbool.h>

struct fb_exchange;

enum { ORIGIN_API_UTF8_MAX = 4 };

struct origin_api {
    struct origin_api_options options;
};

/* All of these answer the call themselves before they return a failure. */

/* The content as a JSON object. */
FB_MUST_CHECK int origin_api_body(struct fb_call *call, struct fb_json **ret_body);

/* Who calls: 401 if nobody that is known. */
FB_MUST_CHECK int origin_api_user(const struct origin_api *api, struct fb_call *call,
                                  struct origin_id *ret_user);

/* The video of the path: 404. */
FB_MUST_CHECK int origin_api_video(const struct origin_api *api, struct fb_call *call,
                                   struct origin_video *ret_video);

/* The same, if the caller owns it: 401, 404, 403. */
FB_MUST_CHECK int origin_api_own_video(const struct origin_api *api, struct fb_call *call,
                                       struct origin_video *ret_video);

/* The video of the path, and who looks at it; whatever they may. 404. */
struct origin_view;
FB_MUST_CHECK int origin_api_look(const struct origin_api *api, struct fb_call *call,
                                  struct origin_video *ret_video, struct origin_view *ret_view);

/* The video of the path, if it is ready and the caller may see it (origin/access/access.h): 404. */
FB_MUST_CHECK int origin_api_seen_video(const struct origin_api *api, struct fb_call *call,
                                        struct origin_video *ret_video);

/* Whether the caller is an admin: 401, 403. */
FB_MUST_CHECK int origin_api_admin(const struct origin_api *api, struct fb_call *call);

/* Where the request comes from (peer.h). */
struct fb_address origin_api_peer(const struct origin_api *api, const struct fb_call *call);

/* Who acts: 401; 429 if that is too much at once. Tells the client what it has left. */
FB_MUST_CHECK int origin_api_actor(const struct origin_api *api, struct fb_call *call,
                                   enum origin_engagement_limit limit,
                                   struct origin_actor *ret_actor);

/* Tells of `quota` in RateLimit fields, and answers with 429 if it is spent. */
FB_MUST_CHECK int origin_api_quota(struct fb_call *call, const char *name,
                                   const struct origin_quota *quota);

/* The request's Idempotency-Key and what it stands for: 400. */
FB_MUST_CHECK int origin_api_once(struct fb_call *call, struct origin_once *ret_once);

/* The page that the query asks for: 400. `kind` tells one list's cursors from others'. */
FB_MUST_CHECK int origin_api_limit(struct fb_call *call, size_t *ret_limit);
FB_MUST_CHECK int origin_api_cursor(struct fb_call *call, struct fb_str kind,
                                    struct fb_str *ret_place); /* ptr NULL: none */
FB_MUST_CHECK int origin_api_bad_cursor(struct fb_call *call);
FB_MUST_CHECK int origin_api_number_page(struct fb_call *call, struct fb_str kind,
                                         int64_t *ret_number, size_t *ret_limit); /* 0: none */
FB_MUST_CHECK int origin_api_time_page(struct fb_call *call, struct fb_str kind,
                                       struct origin_page *page); /* all but the user */

/* Who may see the video and where it may be played, as far as `body` tells; 422 where it is wrong.
 * The list of countries is in the call's arena. */
FB_MUST_CHECK int origin_api_read_access(struct fb_call *call, const struct fb_json *body,
                                         struct origin_video *video);

/* Whether who looks may play it where they are: 451. */
FB_MUST_CHECK int origin_api_place(const struct origin_api *api, struct fb_call *call,
                                   const struct origin_view *view,
                                   const struct origin_video *video);

/* A text of people's: 1 to so many characters without control characters. */
struct origin_api_text {
    const char *key;
    size_t max_characters;
    bool may_have_lines;
};
FB_MUST_CHECK int origin_api_read_text(const struct fb_json *body,
                                       const struct origin_api_text *rule, struct fb_str *ret_text,
                                       struct fb_diag *diag);
FB_MUST_CHECK int origin_api_check_text(const char *key, struct fb_str text, size_t max_characters,
                                        bool may_have_lines, struct fb_diag *diag);

/* What the creator chose of the work on a video (member "options"), as JSON; empty: nothing. */
FB_MUST_CHECK int origin_api_read_options(const struct origin_api *api, struct fb_arena *arena,
                                          const struct fb_json *body, struct fb_str *ret_options,
                                          struct fb_diag *diag);

/* Answers ... */

/* with `root` */
void origin_api_reply(struct fb_call *call, unsigned status, const struct fb_json *root);

/* with problem details whose sentence is the diagnostic's */
void origin_api_refuse(struct fb_call *call, unsigned status, const char *slug,
                       const struct fb_diag *diag);

/* for what is no fault of the client: 503 when trying again may help, else 500;
 * logged here, in the name of what was `doing` */
void origin_api_broken(struct fb_call *call, int err, const char *doing);

/* with Retry-After and 429 */
void origin_api_slow_down(struct fb_call *call, uint32_t wait_ms);

/* what has been carried out with `err`: 201 with the answer, now or earlier; 404, 422 */
void origin_api_once_reply(struct fb_call *call, int err, const struct origin_once *once,
                           struct fb_str earlier);

/* What a video's JSON tells; `is_owner`: also what is nobody else's business. */
void origin_api_video_store(struct fb_json *root, const struct origin_video *video, bool is_owner);

/* In 100, and only what is ready is whole. */
int64_t origin_api_progress(const struct origin_video *video);

/* Sets what is told of a video's progress. */
void origin_api_status_store(struct fb_json *root, const struct origin_video *video);

/* How much of it can be seen: member "stage" of a video that is ready. */
void origin_api_stage_store(struct fb_json *root, const struct origin_video *video);

/* Where its poster is, if it has one; the arena is for scratch. */
void origin_api_poster_store(const struct origin_api *api, struct fb_arena *arena,
                             struct fb_json *root, const struct origin_video *video);

/* The same as one more of a list, with the poster's URL; returns it, borrowed. */
struct fb_json *origin_api_video_add(const struct origin_api *api, struct fb_call *call,
                                     struct fb_json *items, const struct origin_video *video,
                                     bool is_owner);

/* Members: a time in RFC 3339; the cursor of the next page. */
void origin_api_set_time(struct fb_json *root, const char *key, int64_t wall_ms);
void origin_api_next_cursor(struct fb_json *root, const char *fmt, ...) FB_PRINTF(2, 3);

/* Members: a name, or null if there is none. */
void origin_api_set_name(struct fb_json *root, const char *key, struct fb_str name);

/* The handlers. */
void origin_api_register(void *ctx, struct fb_call *call);
void origin_api_login(void *ctx, struct fb_call *call);
void origin_api_refresh(void *ctx, struct fb_call *call);
void origin_api_logout(void *ctx, struct fb_call *call);
void origin_api_create(void *ctx, struct fb_call *call);
void origin_api_upload(void *ctx, struct fb_call *call);
void origin_api_upload_parts(void *ctx, struct fb_call *call);
void origin_api_upload_abort(void *ctx, struct fb_call *call);
void origin_api_upload_sign(void *ctx, struct fb_call *call);
void origin_api_upload_key_add(void *ctx, struct fb_call *call);
void origin_api_upload_keys(void *ctx, struct fb_call *call);
void origin_api_upload_key_remove(void *ctx, struct fb_call *call);
void origin_api_complete(void *ctx, struct fb_call *call);
void origin_api_delete(void *ctx, struct fb_call *call);
void origin_api_subtitle_add(void *ctx, struct fb_call *call);
void origin_api_subtitles(void *ctx, struct fb_call *call);
void origin_api_subtitle_remove(void *ctx, struct fb_call *call);
void origin_api_set_access(void *ctx, struct fb_call *call);
void origin_api_clear_key(void *ctx, struct fb_call *call);
void origin_api_clear_key_options(void *ctx, struct fb_call *call);
void origin_api_get(void *ctx, struct fb_call *call);
void origin_api_list(void *ctx, struct fb_call *call);
void origin_api_following(void *ctx, struct fb_call *call);
void origin_api_home(void *ctx, struct fb_call *call);
void origin_api_status(void *ctx, struct fb_call *call);
void origin_api_status_stream(void *ctx, struct fb_exchange *exchange);
void origin_api_manifest(void *ctx, struct fb_call *call);
void origin_api_like(void *ctx, struct fb_call *call);
void origin_api_unlike(void *ctx, struct fb_call *call);
void origin_api_save(void *ctx, struct fb_call *call);
void origin_api_unsave(void *ctx, struct fb_call *call);
void origin_api_share(void *ctx, struct fb_call *call);
void origin_api_follow(void *ctx, struct fb_call *call);
void origin_api_unfollow(void *ctx, struct fb_call *call);
void origin_api_comment(void *ctx, struct fb_call *call);
void origin_api_comments(void *ctx, struct fb_call *call);
void origin_api_uncomment(void *ctx, struct fb_call *call);
void origin_api_deactivate(void *ctx, struct fb_call *call);
void origin_api_activate(void *ctx, struct fb_call *call);
void origin_api_decisions(void *ctx, struct fb_call *call);
void origin_api_profile(void *ctx, struct fb_call *call);
void origin_api_me(void *ctx, struct fb_call *call);
void origin_api_rename(void *ctx, struct fb_call *call);
void origin_api_my_likes(void *ctx, struct fb_call *call);
void origin_api_my_saves(void *ctx, struct fb_call *call);
void origin_api_my_following(void *ctx, struct fb_call *call);
void origin_api_search(void *ctx, struct fb_call *call);
void origin_api_suggest(void *ctx, struct fb_call *call);
void origin_api_analytics(void *ctx, struct fb_call *call);
void origin_api_my_analytics(void *ctx, struct fb_call *call);
void origin_api_uncounted(void *ctx, struct fb_call *call);
void origin_api_reports(void *ctx, struct fb_call *call);
void origin_api_watch(void *ctx, struct fb_call *call);
void origin_api_plan(void *ctx, struct fb_call *call);
void origin_api_release(void *ctx, struct fb_call *call);
void origin_api_admin_jobs(void *ctx, struct fb_call *call);
void origin_api_admin_job(void *ctx, struct fb_call *call);
void origin_api_admin_retry(void *ctx, struct fb_call *call);
void origin_api_admin_retry_all(void *ctx, struct fb_call *call);
void origin_api_admin_priority(void *ctx, struct fb_call *call);
void origin_api_admin_remake(void *ctx, struct fb_call *call);

/* Those that run on the loop. */
void origin_api_trending(void *ctx, struct fb_exchange *exchange);
void origin_api_ranking(void *ctx, struct fb_exchange *exchange);
void origin_api_trending_stream(void *ctx, struct fb_exchange *exchange);
void origin_api_trending_socket(void *ctx, struct fb_exchange *exchange);
