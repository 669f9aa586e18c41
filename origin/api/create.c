/*
 * From a form to a job: making a video, and the end of its upload.
 */
#include "base/core/clock.h"
#include "base/core/text.h"
#include "origin/api/api_internal.h"
#include "origin/jobs/jobs.h"
#include "origin/objects/objects.h"
#include "origin/removal/removal.h"
#include "origin/upload/upload.h"

#include <stdio.h>

enum { KEY_MAX = 64 };

static void source_key(const struct origin_id *id, char key[KEY_MAX])
{
    (void)snprintf(key, KEY_MAX, "uploads/%s/source", id->text);
}

/* ---- fields ------------------------------------------------------------------ */

/* A string that may be left out. */
static int read_optional(const struct fb_json *body, const char *key, size_t max_characters,
                         struct fb_str *ret_text, struct fb_diag *diag)
{
    struct fb_str text = FB_STR("");

    int err = fb_json_read_str(body, key, ORIGIN_API_UTF8_MAX * max_characters, &text, diag);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        return err;
    }
    err = origin_api_check_text(key, text, max_characters, true, diag);
    if (err == FB_OK) {
        *ret_text = text;
    }
    return err;
}

/* One of the configured, or none. */
static int read_category(const struct origin_api *api, const struct fb_json *body,
                         struct fb_str *ret_category, struct fb_diag *diag)
{
    struct fb_str category = FB_STR("");

    int err = read_optional(body, "category", ORIGIN_API_CATEGORY_MAX, &category, diag);
    for (size_t i = 0; err == FB_OK && category.len > 0; i++) {
        if (i == api->options.n_categories) {
            return fb_diag_set(diag, FB_E_MALFORMED, "'category' is not one of this site's");
        }
        if (fb_str_equal(api->options.categories[i], category)) {
            break;
        }
    }
    if (err == FB_OK) {
        *ret_category = category;
    }
    return err;
}

/* The tags as the text of a JSON array. */
static int read_tags(const struct fb_json *body, struct fb_arena *arena, struct fb_str *ret_tags,
                     struct fb_diag *diag)
{
    const struct fb_json *tags = fb_json_find(body, "tags");
    FB_AUTO(fb_json_freep) struct fb_json *kept = fb_json_new_array();
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    enum fb_json_type type = fb_json_type(tags);

    if (type != FB_JSON_ARRAY && type != FB_JSON_ABSENT && type != FB_JSON_NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'tags' must be an array of strings");
    }
    if (fb_json_count(tags) > ORIGIN_API_TAGS_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "there may be at most %d tags", ORIGIN_API_TAGS_MAX);
    }
    for (size_t i = 0; i < fb_json_count(tags); i++) {
        struct fb_str tag = fb_str_trim(fb_json_str(fb_json_at(tags, i)));
        if (tag.len == 0) {
            return fb_diag_set(diag, FB_E_MALFORMED, "'tags' must be an array of filled strings");
        }
        int err = origin_api_check_text("tags", tag, ORIGIN_API_TAG_MAX, false, diag);
        if (err < 0) {
            return err;
        }
        fb_json_add_str(kept, tag);
    }
    fb_json_dump(kept, &text);
    *ret_tags = fb_arena_dup(arena, fb_buf_str(&text));
    return FB_OK;
}

static int read_file(const struct origin_api *api, const struct fb_json *body,
                     struct origin_video *video, struct fb_diag *diag)
{
    int64_t size = 0;
    uint64_t most = FB_MIN(api->options.max_upload_bytes, (uint64_t)INT64_MAX);

    int err = fb_json_read_str(body, "filename", ORIGIN_API_FILENAME_MAX, &video->filename, diag);
    if (err < 0 ||
        (err = origin_api_check_text("filename", video->filename, ORIGIN_API_FILENAME_MAX, false,
                                     diag)) < 0 ||
        (err = fb_json_read_int(body, "size", 1, INT64_MAX, &size, diag)) < 0) {
        return err;
    }
    if ((uint64_t)size > most) {
        return fb_diag_set(diag, FB_E_LIMIT, "files may have at most %llu bytes",
                           (unsigned long long)most);
    }
    video->source_bytes = (uint64_t)size;
    return FB_OK;
}

static const struct origin_api_text title_rule = {.key = "title",
                                                  .max_characters = ORIGIN_API_TITLE_MAX};

/* ---- making a video ------------------------------------------------------------ */

/* Where this request says that it was sent, unless the configuration knows. */
static int upload_base(const struct origin_api *api, struct fb_call *call, struct fb_str *ret_base)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    if (api->options.upload_url.len > 0) {
        *ret_base = api->options.upload_url;
        return FB_OK;
    }
    if (call->request->host.len == 0) {
        return FB_E_NOT_FOUND;
    }
    fb_buf_printf(&text, "http://%.*s", FB_STR_ARG(call->request->host));
    *ret_base = fb_arena_dup(call->arena, fb_buf_str(&text));
    return FB_OK;
}

static int store_upload(const struct origin_api *api, struct fb_call *call, struct fb_json *root,
                        const struct origin_video *video)
{
    FB_AUTO(fb_buf_done) struct fb_buf url = {0};
    char key[KEY_MAX];
    char stamp[FB_TIMESTAMP_MAX];
    struct fb_str base;
    uint32_t expires_s = api->options.upload_expires_s;

    source_key(&video->id, key);
    int err = upload_base(api, call, &base);
    if (err < 0 || (err = origin_upload_url(api->options.upload, base, fb_str_from(key),
                                            video->source_bytes, expires_s, &url)) < 0) {
        return err;
    }
    int64_t expires_ms = fb_clock_wall_ms(api->options.clock) + (int64_t)expires_s * 1000;
    struct fb_json *upload = fb_json_set_object(root, "upload");
    fb_json_set_text(upload, "method", "PUT");
    fb_json_set_str(upload, "url", fb_buf_str(&url));
    struct fb_json *headers = fb_json_set_object(upload, "headers");
    (void)snprintf(key, sizeof(key), "%llu", (unsigned long long)video->source_bytes);
    fb_json_set_text(headers, "Content-Length", key);
    fb_json_set_text(upload, "expires_at", fb_timestamp(expires_ms, stamp));
    return FB_OK;
}

void origin_api_create(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video video = {.id = origin_id_new()};
    struct fb_diag diag = {.err = FB_OK};

    if (origin_api_user(api, call, &video.owner) < 0 || origin_api_body(call, &body) < 0) {
        return;
    }
    if (origin_api_read_text(body, &title_rule, &video.title, &diag) < 0 ||
        read_optional(body, "description", ORIGIN_API_DESCRIPTION_MAX, &video.description, &diag) <
            0 ||
        read_tags(body, call->arena, &video.tags, &diag) < 0 ||
        read_category(api, body, &video.category, &diag) < 0 ||
        read_optional(body, "sound", ORIGIN_API_SOUND_MAX, &video.sound, &diag) < 0 ||
        read_file(api, body, &video, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return;
    }
    if (origin_api_read_access(call, body, &video) < 0) {
        return;
    }
    fb_json_set_text(root, "id", video.id.text);
    fb_json_set_text(root, "status", origin_video_status_text(ORIGIN_VIDEO_UPLOADING));
    int err = store_upload(api, call, root, &video);
    if (err == FB_E_MALFORMED || err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 400, "bad-host", "The request's Host is not usable in a URL.");
        return;
    }
    if (err < 0 || (err = origin_catalog_video_add(api->options.catalog, &video)) < 0) {
        /* A foreign key: the account was removed while its token was good. */
        if (err == FB_E_CONFLICT) {
            fb_call_problem(call, 401, "bad-token", "The account is not there any more.");
        } else {
            origin_api_broken(call, err, "make a video");
        }
        return;
    }
    origin_api_reply(call, 201, root);
}

/* ---- the end of the upload ------------------------------------------------------ */

/* The video that the key "uploads/<id>/source" belongs to. */
static int key_video(struct fb_str key, struct origin_id *ret_id)
{
    struct fb_str part;

    if (!fb_str_cut(&key, '/', &part) || !fb_str_equal(part, FB_STR("uploads")) ||
        !fb_str_cut(&key, '/', &part) || !fb_str_equal(key, FB_STR("source"))) {
        return FB_E_NOT_FOUND;
    }
    return origin_id_parse(part, ret_id) < 0 ? FB_E_NOT_FOUND : FB_OK;
}

int origin_api_may_upload(void *ctx, struct fb_str key, struct fb_diag *diag)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_video video;
    struct origin_id id;

    int err = key_video(key, &id);
    if (err == FB_OK) {
        err = origin_catalog_video_get(api->options.catalog, &arena, &id, &video);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "There is no such video.");
    }
    if (video.status != ORIGIN_VIDEO_UPLOADING) {
        return fb_diag_set(diag, FB_E_CONFLICT, "The upload of this video was completed before.");
    }
    return FB_OK;
}

static int check_uploaded(const struct origin_api *api, struct fb_call *call, const char *key,
                          const struct origin_video *video)
{
    struct origin_object object;

    int err = origin_objects_stat(api->options.objects, fb_str_from(key), &object);
    if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 409, "upload-missing",
                        "The file has not been uploaded, or not to its end.");
    } else if (err < 0) {
        origin_api_broken(call, err, "look for an upload");
    } else if (object.size != video->source_bytes) {
        fb_call_problem(call, 409, "upload-missing", "The file does not have the declared size.");
        return FB_E_CONFLICT;
    }
    return err;
}

void origin_api_complete(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video video;
    char key[KEY_MAX];
    bool is_new = false;

    if (origin_api_own_video(api, call, &video) < 0) {
        return;
    }
    source_key(&video.id, key);
    if (video.status == ORIGIN_VIDEO_UPLOADING) {
        if (check_uploaded(api, call, key, &video) < 0) {
            return;
        }
        int err = origin_jobs_queue(api->options.jobs, &video.id, fb_str_from(key), &is_new);
        if (err < 0) {
            origin_api_broken(call, err, "queue a job");
            return;
        }
        video.status = ORIGIN_VIDEO_QUEUED;
    }
    fb_json_set_text(root, "id", video.id.text);
    fb_json_set_text(root, "status", origin_video_status_text(video.status));
    origin_api_reply(call, 202, root);
}

void origin_api_delete(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct origin_video video;

    if (origin_api_own_video(api, call, &video) < 0) {
        return;
    }
    /* First nobody can find it any more, then it goes. */
    int err = origin_catalog_video_remove(api->options.catalog, &video.id);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        origin_api_broken(call, err, "remove a video");
        return;
    }
    origin_removals_video(api->options.removals, &video.id);
    call->status = 204;
}
