/*
 * Subtitles beside a video: files that its owner uploads before the video's own upload
 * is completed. What is kept is what was understood of them, as WebVTT.
 */
#include "origin/catalog/subtitles.h"

#include "origin/api/api_internal.h"
#include "origin/cues/cues.h"
#include "origin/objects/objects.h"

#include <stdio.h>

enum { KEY_MAX = 96 };

static void subtitle_key(const struct origin_id *video, const struct origin_id *id,
                         char key[KEY_MAX])
{
    (void)snprintf(key, KEY_MAX, "uploads/%s/subtitles/%s", video->text, id->text);
}

/* The shape of a tag (RFC 5646 section 2.1): subtags of letters and digits. */
static int check_language(struct fb_str language, struct fb_diag *diag)
{
    struct fb_str rest = language;
    struct fb_str part;
    bool is_good = language.len >= 2 && language.len <= ORIGIN_LANGUAGE_MAX;

    while (is_good && fb_str_cut(&rest, '-', &part)) {
        is_good = part.len >= 1 && part.len <= 8;
        for (size_t i = 0; is_good && i < part.len; i++) {
            char c = (char)(part.ptr[i] | 0x20);
            bool is_letter = c >= 'a' && c <= 'z';
            bool is_first = part.ptr == language.ptr;
            is_good = is_letter || (!is_first && part.ptr[i] >= '0' && part.ptr[i] <= '9');
        }
    }
    return is_good ? FB_OK
                   : fb_diag_set(diag, FB_E_MALFORMED,
                                 "'language' must be a tag such as \"en\" or \"pt-BR\"");
}

static int read_query(struct fb_call *call, struct origin_subtitle *subtitle, struct fb_diag *diag)
{
    struct fb_str query = call->request->query;

    subtitle->language = fb_query_param(query, call->arena, FB_STR("language"));
    subtitle->name = fb_query_param(query, call->arena, FB_STR("label"));
    int err = check_language(subtitle->language, diag);
    if (err < 0 || subtitle->name.ptr == NULL) {
        subtitle->name = FB_STR("");
        return err;
    }
    if (subtitle->name.len > ORIGIN_NAME_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "'label' may have at most %d bytes", ORIGIN_NAME_MAX);
    }
    return origin_api_check_text("label", subtitle->name, ORIGIN_NAME_MAX, false, diag);
}

static int check_open(struct fb_call *call, const struct origin_video *video)
{
    if (video->status != ORIGIN_VIDEO_UPLOADING) {
        fb_call_problem(call, 409, "upload-closed",
                        "Subtitles are for videos whose upload has not been completed.");
        return FB_E_CONFLICT;
    }
    return FB_OK;
}

static void subtitle_store(struct fb_json *root, const struct origin_subtitle *subtitle)
{
    fb_json_set_text(root, "id", subtitle->id.text);
    fb_json_set_str(root, "language", subtitle->language);
    origin_api_set_name(root, "label", subtitle->name);
    fb_json_set_int(root, "cues", subtitle->n_cues);
}

/* The object first: a row never lacks it. */
static int keep(const struct origin_api *api, struct origin_subtitle *subtitle, struct fb_str text)
{
    char key[KEY_MAX];
    subtitle_key(&subtitle->video, &subtitle->id, key);
    subtitle->key = fb_str_from(key);

    int err = origin_objects_put_bytes(api->options.objects, subtitle->key, text);
    if (err < 0) {
        return err;
    }
    err = origin_catalog_subtitle_add(api->options.catalog, subtitle);
    if (err < 0) {
        FB_IGNORE(origin_objects_remove(api->options.objects, subtitle->key)); /* nobody finds it */
    }
    return err;
}

static void answer_kept(struct fb_call *call, int err, const struct origin_subtitle *subtitle)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    if (err == FB_E_EXISTS) {
        fb_call_problem(call, 409, "subtitles-exist",
                        "The video has subtitles of this language and label.");
    } else if (err == FB_E_LIMIT) {
        fb_call_problem(call, 409, "too-many-subtitles",
                        "A video may have at most %d files of subtitles.", ORIGIN_SUBTITLES_MAX);
    } else if (err < 0) {
        origin_api_broken(call, err, "keep subtitles");
    } else {
        subtitle_store(root, subtitle);
        origin_api_reply(call, 201, root);
    }
}

void origin_api_subtitle_add(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(origin_cues_done) struct origin_cues cues = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct origin_subtitle subtitle = {.id = origin_id_new()};
    struct fb_diag diag = {.err = FB_OK};
    struct origin_video video;

    if (origin_api_own_video(api, call, &video) < 0 || check_open(call, &video) < 0) {
        return;
    }
    if (read_query(call, &subtitle, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return;
    }
    if (origin_cues_parse(call->body, &cues, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-subtitles", &diag);
        return;
    }
    subtitle.video = video.id;
    subtitle.n_cues = (uint32_t)cues.n_cues;
    origin_cues_write(&text, &cues);
    answer_kept(call, keep(api, &subtitle, fb_buf_str(&text)), &subtitle);
}

void origin_api_subtitles(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_subtitle *subtitles = NULL;
    struct origin_video video;
    size_t n = 0;

    if (origin_api_own_video(api, call, &video) < 0) {
        return;
    }
    int err =
        origin_catalog_subtitle_list(api->options.catalog, call->arena, &video.id, &subtitles, &n);
    if (err < 0) {
        origin_api_broken(call, err, "list subtitles");
        return;
    }
    struct fb_json *items = fb_json_set_array(root, "items");
    for (size_t i = 0; i < n; i++) {
        subtitle_store(fb_json_add_object(items), &subtitles[i]);
    }
    origin_api_reply(call, 200, root);
}

void origin_api_subtitle_remove(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    struct origin_video video;
    struct origin_id id;
    char key[KEY_MAX];

    if (origin_api_own_video(api, call, &video) < 0 || check_open(call, &video) < 0) {
        return;
    }
    int err = origin_id_parse(fb_call_param(call, "subtitle"), &id);
    if (err == FB_OK) {
        err = origin_catalog_subtitle_remove(api->options.catalog, &video.id, &id);
    }
    if (err == FB_E_MALFORMED || err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-subtitles", "There are no such subtitles.");
        return;
    }
    if (err == FB_OK) {
        subtitle_key(&video.id, &id, key);
        err = origin_objects_remove(api->options.objects, fb_str_from(key));
    }
    if (err < 0) {
        origin_api_broken(call, err, "remove subtitles");
        return;
    }
    call->status = 204;
}
