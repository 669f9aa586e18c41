/*
 * What the files of origin/api share about uploads.
 */
#pragma once

#include "origin/api/api_internal.h"
#include "origin/catalog/uploads.h"
#include "origin/objects/objects.h"
#include "origin/upload/s3.h"
#include "origin/upload/upload.h"

enum origin_api_upload_mode {
    ORIGIN_API_UPLOAD_AUTO, /* by size */
    ORIGIN_API_UPLOAD_SINGLE,
    ORIGIN_API_UPLOAD_MULTIPART,
    ORIGIN_API_UPLOAD_SIGN /* the client asks for what it needs */
};

/* The member `upload` of a request; AUTO if there is none. */
FB_MUST_CHECK int origin_api_upload_mode(const struct fb_json *body,
                                         enum origin_api_upload_mode *ret_mode,
                                         struct fb_diag *diag);

/* Stores the object `upload`: how the file of `video` is sent. An upload in parts that is
 * under way is gone on with if it `may_resume`. Answers the call when it fails. */
FB_MUST_CHECK int origin_api_upload_store(const struct origin_api *api, struct fb_call *call,
                                          const struct origin_upload_video *video,
                                          enum origin_api_upload_mode mode, bool may_resume,
                                          struct fb_json *root);

/* The open upload in parts that was touched last; FB_E_NOT_FOUND. Answers nothing. */
FB_MUST_CHECK int origin_api_upload_newest(const struct origin_api *api, struct fb_call *call,
                                           const struct origin_id *video,
                                           struct origin_id *ret_upload);

/* Scheme and authority of where uploads go; answers the call when it fails. */
FB_MUST_CHECK int origin_api_upload_base(const struct origin_api *api, struct fb_call *call,
                                         struct fb_str *ret_base);

/* What answers are made of. */
struct origin_api_answer {
    const struct origin_api *api;
    struct fb_call *call;
    struct fb_str base;
    struct fb_str name;
    const struct origin_upload_video *video;
    struct origin_upload_ask ask;
};

/* Answers the call when it fails. `video` is borrowed. */
FB_MUST_CHECK int origin_api_answer_begin(const struct origin_api *api, struct fb_call *call,
                                          const struct origin_upload_video *video,
                                          struct origin_api_answer *ret_answer);

/* Members: bucket and key; until when URLs are good; the URL of answer->ask, which answers the call
 * when it fails. */
void origin_api_answer_key(const struct origin_api_answer *answer, struct fb_json *object);
void origin_api_answer_expiry(const struct origin_api_answer *answer, struct fb_json *object);
FB_MUST_CHECK int origin_api_answer_url(const struct origin_api_answer *answer,
                                        struct fb_json *object);

/* Members: how a file is sent in one piece; how in parts: those that are there, and URLs for the
 * `numbers` that are asked for, or (absent, or NULL) for the first that are missing. Both answer
 * the call when they fail. */
FB_MUST_CHECK int origin_api_answer_single(struct origin_api_answer *answer,
                                           struct fb_json *upload);
FB_MUST_CHECK int origin_api_answer_parts(struct origin_api_answer *answer,
                                          const struct origin_id *id, const struct fb_json *numbers,
                                          struct fb_json *upload);

/* Answers with a fault of uploads. */
void origin_api_fault(struct fb_call *call, const struct origin_fault *fault, const char *doing);

/* As origin_api_body(), but no content is an empty object. */
FB_MUST_CHECK int origin_api_optional_body(struct fb_call *call, struct fb_json **ret_body);
