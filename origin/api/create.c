/*
 * From a form to a job: making a video, and the end of its upload.
 */
#include "origin/api/api_internal.h"
#include "origin/api/upload.h"
#include "origin/jobs/jobs.h"
#include "origin/removal/removal.h"

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

/* The type of the content, if the client says one: the name of a form that may have a film. */
static int read_type(const struct fb_json *body, struct fb_str *ret_type, struct fb_diag *diag)
{
    static const char *const forms[] = {"video/", "audio/", "application/"};
    struct fb_str type = FB_STR("");

    int err = read_optional(body, "type", ORIGIN_API_TYPE_MAX, &type, diag);
    if (err < 0) {
        return err;
    }
    bool is_good = type.len == 0;
    for (size_t i = 0; i < FB_ARRAY_LEN(forms); i++) {
        struct fb_str form = fb_str_from(forms[i]);
        is_good = is_good || fb_str_equal_nocase(fb_str_first(type, form.len), form);
    }
    if (!is_good) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'type' must be that of a video");
    }
    *ret_type = type;
    return FB_OK;
}

/* ---- making a video ------------------------------------------------------------ */

/* All of a request. */
struct form {
    struct origin_video video;
    struct fb_str type;
    enum origin_api_upload_mode mode;
};

static int read_form(const struct origin_api *api, const struct fb_json *body,
                     struct fb_arena *arena, struct form *form, struct fb_diag *diag)
{
    struct origin_video *video = &form->video;
    int err = FB_OK;

    if ((err = origin_api_read_text(body, &title_rule, &video->title, diag)) < 0 ||
        (err = read_optional(body, "description", ORIGIN_API_DESCRIPTION_MAX, &video->description,
                             diag)) < 0 ||
        (err = read_tags(body, arena, &video->tags, diag)) < 0 ||
        (err = read_category(api, body, &video->category, diag)) < 0 ||
        (err = read_optional(body, "sound", ORIGIN_API_SOUND_MAX, &video->sound, diag)) < 0 ||
        (err = origin_api_read_options(api, arena, body, &video->options, diag)) < 0 ||
        (err = read_file(api, body, video, diag)) < 0 ||
        (err = read_type(body, &form->type, diag)) < 0) {
        return err;
    }
    return origin_api_upload_mode(body, &form->mode, diag);
}

/* Tells of the bound on videos in an hour; answers if it is reached, as it does for bytes. */
static int answer_room(const struct origin_api *api, struct fb_call *call, int err,
                       const struct origin_upload_room *room)
{
    enum { HOUR_MS = 3600 * 1000 };
    struct origin_quota quota = {.limit = api->options.max_uploads,
                                 .window_ms = HOUR_MS,
                                 .left = room->left,
                                 .reset_ms = room->reset_ms,
                                 .wait_ms = room->wait_ms};

    if (api->options.max_uploads > 0 && (err == FB_OK || room->wait_ms > 0)) {
        int over = origin_api_quota(call, "uploads", &quota);
        if (over < 0) {
            return over;
        }
    }
    if (err == FB_E_LIMIT) {
        fb_call_problem(call, 403, "upload-quota",
                        "Your files may have %llu bytes, and have %llu without this one.",
                        (unsigned long long)api->options.max_user_bytes,
                        (unsigned long long)room->used_bytes);
    } else if (err == FB_E_CONFLICT) {
        /* A foreign key: the account was removed while its token was good. */
        fb_call_problem(call, 401, "bad-token", "The account is not there any more.");
    } else if (err < 0) {
        origin_api_broken(call, err, "make a video");
    }
    return err;
}

static int add_video(const struct origin_api *api, struct fb_call *call, const struct form *form)
{
    struct origin_upload_room room = {.left = 0};
    struct origin_upload_bounds bounds = {.per_hour = api->options.max_uploads,
                                          .max_bytes = api->options.max_user_bytes};

    int err = origin_catalog_upload_video_add(api->options.catalog, &form->video, form->type,
                                              &bounds, &room);
    return answer_room(api, call, err, &room);
}

void origin_api_create(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct form form = {.video = {.id = origin_id_new()}};
    struct fb_diag diag = {.err = FB_OK};
    struct fb_str base;

    if (origin_api_user(api, call, &form.video.owner) < 0 || origin_api_body(call, &body) < 0 ||
        origin_api_upload_base(api, call, &base) < 0) {
        return;
    }
    if (read_form(api, body, call->arena, &form, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return;
    }
    if (origin_api_read_access(call, body, &form.video) < 0 || add_video(api, call, &form) < 0) {
        return;
    }
    struct origin_upload_video video = {.id = form.video.id,
                                        .owner = form.video.owner,
                                        .is_waiting = true,
                                        .bytes = form.video.source_bytes,
                                        .filename = form.video.filename,
                                        .type = form.type};
    fb_json_set_text(root, "id", video.id.text);
    fb_json_set_text(root, "status", origin_video_status_text(ORIGIN_VIDEO_UPLOADING));
    if (origin_api_upload_store(api, call, &video, form.mode, false, root) < 0) {
        /* It would only wait for an upload that nobody can begin. */
        FB_IGNORE(origin_catalog_video_remove(api->options.catalog, &video.id));
        return;
    }
    origin_api_reply(call, 201, root);
}

/* ---- the end of the upload ------------------------------------------------------ */

/* The parts that the request names, or none: all that are there. */
static int read_parts(const struct fb_json *body, struct fb_arena *arena,
                      struct origin_ledger_part **ret_parts, size_t *ret_n, struct fb_diag *diag)
{
    const struct fb_json *list = fb_json_find(body, "parts");
    enum fb_json_type type = fb_json_type(list);
    size_t n = fb_json_count(list);

    *ret_parts = NULL;
    *ret_n = 0;
    if (type == FB_JSON_ABSENT || type == FB_JSON_NULL) {
        return FB_OK;
    }
    if (type != FB_JSON_ARRAY || n == 0 || n > ORIGIN_PART_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'parts' must be an array of parts");
    }
    struct origin_ledger_part *parts = fb_arena_alloc(arena, n * sizeof(*parts));
    for (size_t i = 0; i < n; i++) {
        const struct fb_json *item = fb_json_at(list, i);
        struct fb_str etag = fb_json_str(fb_json_find(item, "etag"));
        int64_t number = 0;
        int err = fb_json_read_int(item, "part", 1, ORIGIN_PART_MAX, &number, diag);
        if (err < 0) {
            return err;
        }
        bool is_quoted = etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"';
        parts[i].number = (uint32_t)number;
        parts[i].etag = is_quoted ? fb_str_first(fb_str_skip(etag, 1), etag.len - 2) : etag;
    }
    *ret_parts = parts;
    *ret_n = n;
    return FB_OK;
}

/* The upload in parts that the request means; FB_E_NOT_FOUND: there is none, or none is needed. */
static int find_parted(const struct origin_api *api, struct fb_call *call,
                       const struct fb_json *body, const struct origin_id *video,
                       struct origin_id *ret_upload)
{
    struct fb_str text = fb_json_str(fb_json_find(body, "upload_id"));
    struct origin_upload_row row;

    if (text.ptr != NULL) {
        return origin_id_parse(text, ret_upload) < 0 ? FB_E_NOT_FOUND : FB_OK;
    }
    int err = origin_catalog_upload_whole(api->options.catalog, call->arena, video, &row);
    if (err != FB_E_NOT_FOUND) {
        return err < 0 ? err : FB_E_NOT_FOUND;
    }
    return origin_api_upload_newest(api, call, video, ret_upload);
}

static int answer_missing(struct fb_call *call, const struct origin_fault *fault)
{
    switch (fault->kind) {
    case ORIGIN_FAULT_PART:
    case ORIGIN_FAULT_NO_UPLOAD:
    case ORIGIN_FAULT_TOO_SMALL:
    case ORIGIN_FAULT_TOO_LARGE:
        origin_api_refuse(call, 409, "upload-missing", &fault->diag);
        break;
    default:
        origin_api_fault(call, fault, "complete an upload");
        break;
    }
    return FB_E_CONFLICT;
}

/* Makes the file whole, if it came in parts. */
static int join_parts(const struct origin_api *api, struct fb_call *call,
                      const struct fb_json *body, const struct origin_id *video)
{
    struct origin_ledger_place place = {.video = *video};
    struct origin_fault fault = {.kind = ORIGIN_FAULT_NONE};
    struct origin_ledger_part *parts = NULL;
    struct fb_diag diag = {.err = FB_OK};
    struct origin_upload_row row;
    struct origin_id upload;
    size_t n = 0;

    if (read_parts(body, call->arena, &parts, &n, &diag) < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return FB_E_MALFORMED;
    }
    int err = find_parted(api, call, body, video, &upload);
    if (err < 0) {
        if (err != FB_E_NOT_FOUND) {
            origin_api_broken(call, err, "find an upload");
        }
        return err == FB_E_NOT_FOUND ? FB_OK : err;
    }
    err = origin_ledger_complete(origin_upload_ledger(api->options.upload), call->arena,
                                 &(struct origin_ledger_completion){
                                     .place = &place, .upload = &upload, .parts = parts, .n = n},
                                 &row, &fault);
    return err < 0 ? answer_missing(call, &fault) : FB_OK;
}

static int queue(const struct origin_api *api, struct fb_call *call, const struct origin_id *video)
{
    struct origin_ledger *ledger = origin_upload_ledger(api->options.upload);
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    struct origin_fault fault = {.kind = ORIGIN_FAULT_NONE};
    bool is_new = false;

    if (origin_ledger_claim(ledger, video, &key, &fault) < 0) {
        return answer_missing(call, &fault);
    }
    int err = origin_jobs_queue(api->options.jobs, video, fb_buf_str(&key), &is_new);
    if (err < 0) {
        origin_api_broken(call, err, "queue a job");
        return err;
    }
    FB_IGNORE(origin_ledger_end_open(ledger, video)); /* the sweep does it otherwise */
    return FB_OK;
}

void origin_api_complete(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video video;

    if (origin_api_own_video(api, call, &video) < 0 || origin_api_optional_body(call, &body) < 0) {
        return;
    }
    if (video.status == ORIGIN_VIDEO_UPLOADING) {
        if (join_parts(api, call, body, &video.id) < 0 || queue(api, call, &video.id) < 0) {
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
    /* First nobody can find it any more, then it goes; what comes of it still is ended before. */
    int err = origin_ledger_end_open(origin_upload_ledger(api->options.upload), &video.id);
    if (err == FB_OK) {
        err = origin_catalog_video_remove(api->options.catalog, &video.id);
    }
    if (err < 0 && err != FB_E_NOT_FOUND) {
        origin_api_broken(call, err, "remove a video");
        return;
    }
    origin_removals_video(api->options.removals, &video.id);
    call->status = 204;
}
