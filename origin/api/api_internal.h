/*
 * What the files of origin/api share.
 */
#pragma once

#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/server/router.h"
#include "origin/api/api.h"
#include "origin/catalog/videos.h"
#include "origin/model/id.h"

#include <stdbool.h>

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

/* What a video's JSON tells; `is_owner`: also what is nobody else's business. */
void origin_api_video_store(struct fb_json *root, const struct origin_video *video, bool is_owner);

/* The handlers. */
void origin_api_register(void *ctx, struct fb_call *call);
void origin_api_login(void *ctx, struct fb_call *call);
void origin_api_refresh(void *ctx, struct fb_call *call);
void origin_api_logout(void *ctx, struct fb_call *call);
void origin_api_create(void *ctx, struct fb_call *call);
void origin_api_complete(void *ctx, struct fb_call *call);
void origin_api_delete(void *ctx, struct fb_call *call);
void origin_api_get(void *ctx, struct fb_call *call);
void origin_api_list(void *ctx, struct fb_call *call);
void origin_api_status(void *ctx, struct fb_call *call);
void origin_api_manifest(void *ctx, struct fb_call *call);
