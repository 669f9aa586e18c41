#include "origin/model/result.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/json/json.h"

#include <string.h>

void origin_result_done(struct origin_result *result)
{
    fb_free(result->files);
    *result = (struct origin_result){.files = NULL};
}

bool origin_path_is_plain(struct fb_str path, size_t max)
{
    char before = '/';

    if (path.len == 0 || path.len > max) {
        return false;
    }
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        bool is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
        /* A segment neither begins with a dot nor is empty. */
        if (!is_name && (before == '/' || (c != '.' && c != '/'))) {
            return false;
        }
        before = c;
    }
    return before != '/';
}

/* Copies into an array of `size` bytes, NUL and all; the length was checked. */
static void text_copy(char *to, size_t size, struct fb_str from)
{
    size_t n = FB_MIN(from.len, size - 1);
    memcpy(to, from.ptr, n);
    to[n] = '\0';
}

/* Printable ASCII without quotes, so that it can stand in a header or playlist. */
static bool text_is_clean(struct fb_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~' || text.ptr[i] == '"') {
            return false;
        }
    }
    return text.len > 0;
}

/* Nothing that a browser would take for a page or a script, whoever says so: what is published
 * stands beside the site. */
static bool type_is_known(struct fb_str type)
{
    static const char *const types[] = {
        "video/mp4",
        "video/iso.segment",
        "audio/mp4",
        "image/jpeg",
        "text/vtt",
        "application/vnd.apple.mpegurl",
        "application/dash+xml",
        "application/octet-stream",
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(types); i++) {
        if (fb_str_equal(type, fb_str_from(types[i]))) {
            return true;
        }
    }
    return false;
}

int origin_id_load(const struct fb_json *root, const char *key, struct origin_id *ret_id,
                   struct fb_diag *diag)
{
    struct fb_str text;
    int err = fb_json_read_str(root, key, ORIGIN_ID_LEN, &text, diag);
    if (err < 0) {
        return err;
    }
    err = origin_id_parse(text, ret_id);
    return err < 0 ? fb_diag_set(diag, err, "'%s' is no id", key) : FB_OK;
}

void origin_files_store(struct fb_json *root, const struct origin_result *result)
{
    struct fb_json *files = fb_json_set_array(root, "files");

    for (size_t i = 0; i < result->n_files; i++) {
        const struct origin_result_file *file = &result->files[i];
        FB_AUTO(fb_buf_done) struct fb_buf hex = {0};
        fb_text_hex(&hex, (struct fb_str){(const char *)file->sha256, ORIGIN_DIGEST_LEN});
        struct fb_json *item = fb_json_add_object(files);
        fb_json_set_text(item, "path", file->path);
        fb_json_set_text(item, "type", file->type);
        fb_json_set_int(item, "size", (int64_t)file->size);
        fb_json_set_str(item, "sha256", fb_buf_str(&hex));
    }
}

void origin_result_store(struct fb_json *root, const struct origin_result *result)
{
    fb_json_set_text(root, "version", result->version);
    fb_json_set_int(root, "duration_ms", (int64_t)result->duration_ms);
    fb_json_set_int(root, "width", result->width);
    fb_json_set_int(root, "height", result->height);
    fb_json_set_bool(root, "has_audio", result->has_audio);
    struct fb_json *renditions = fb_json_set_array(root, "renditions");
    for (size_t i = 0; i < result->n_renditions; i++) {
        const struct origin_result_rendition *rendition = &result->renditions[i];
        struct fb_json *item = fb_json_add_object(renditions);
        fb_json_set_int(item, "height", rendition->height);
        fb_json_set_int(item, "width", rendition->width);
        fb_json_set_int(item, "bandwidth", (int64_t)rendition->bandwidth);
        fb_json_set_text(item, "codecs", rendition->codecs);
    }
    origin_files_store(root, result);
}

static int read_rendition(const struct fb_json *item, struct origin_result_rendition *rendition,
                          struct fb_diag *diag)
{
    int64_t height = 0;
    int64_t width = 0;
    int64_t bandwidth = 0;
    struct fb_str codecs;

    int err = fb_json_read_int(item, "height", 1, 65536, &height, diag);
    if (err < 0 || (err = fb_json_read_int(item, "width", 1, 65536, &width, diag)) < 0 ||
        (err = fb_json_read_int(item, "bandwidth", 0, INT64_MAX, &bandwidth, diag)) < 0 ||
        (err = fb_json_read_str(item, "codecs", ORIGIN_CODECS_MAX, &codecs, diag)) < 0) {
        return err;
    }
    if (!text_is_clean(codecs)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'codecs' is no list of codecs");
    }
    rendition->height = (uint32_t)height;
    rendition->width = (uint32_t)width;
    rendition->bandwidth = (uint64_t)bandwidth;
    text_copy(rendition->codecs, sizeof(rendition->codecs), codecs);
    return FB_OK;
}

static int read_file(const struct fb_json *item, struct origin_result_file *file,
                     struct fb_diag *diag)
{
    struct fb_str path;
    struct fb_str type;
    struct fb_str sha256;
    int64_t size = 0;

    int err = fb_json_read_str(item, "path", ORIGIN_PATH_MAX, &path, diag);
    if (err < 0 || (err = fb_json_read_str(item, "type", ORIGIN_TYPE_MAX, &type, diag)) < 0 ||
        (err = fb_json_read_str(item, "sha256", 64, &sha256, diag)) < 0 ||
        (err = fb_json_read_int(item, "size", 0, INT64_MAX, &size, diag)) < 0) {
        return err;
    }
    if (!origin_path_is_plain(path, ORIGIN_PATH_MAX) || !type_is_known(type) ||
        fb_text_unhex(sha256, file->sha256, sizeof(file->sha256)) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "file '%.*s' is not well described",
                           FB_STR_ARG(path));
    }
    text_copy(file->path, sizeof(file->path), path);
    text_copy(file->type, sizeof(file->type), type);
    file->size = (uint64_t)size;
    return FB_OK;
}

int origin_files_load(const struct fb_json *root, struct origin_result *result,
                      struct fb_diag *diag)
{
    const struct fb_json *files = fb_json_find(root, "files");
    size_t n = fb_json_count(files);
    int err = FB_OK;

    FB_REQUIRE(result->files == NULL);
    if (n == 0 || n > ORIGIN_FILES_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "there must be 1 to %d files", ORIGIN_FILES_MAX);
    }
    result->files = fb_alloc_array(n, sizeof(*result->files));
    for (; err == FB_OK && result->n_files < n; result->n_files += err == FB_OK) {
        err = read_file(fb_json_at(files, result->n_files), &result->files[result->n_files], diag);
    }
    return err;
}

static int read_renditions(const struct fb_json *root, struct origin_result *result,
                           struct fb_diag *diag)
{
    const struct fb_json *renditions = fb_json_find(root, "renditions");
    size_t n = fb_json_count(renditions);
    int err = FB_OK;

    if (n > ORIGIN_RENDITIONS_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "there are more than %d renditions",
                           ORIGIN_RENDITIONS_MAX);
    }
    for (; err == FB_OK && result->n_renditions < n; result->n_renditions += err == FB_OK) {
        err = read_rendition(fb_json_at(renditions, result->n_renditions),
                             &result->renditions[result->n_renditions], diag);
    }
    return err;
}

bool origin_version_is_good(struct fb_str version)
{
    uint8_t bytes[ORIGIN_VERSION_LEN / 2];
    return fb_text_unhex(version, bytes, sizeof(bytes)) == FB_OK;
}

int origin_result_load(const struct fb_json *root, struct origin_result *ret_result,
                       struct fb_diag *diag)
{
    FB_AUTO(origin_result_done) struct origin_result result = {.files = NULL};
    struct fb_str version;
    int64_t duration_ms = 0;
    int64_t width = 0;
    int64_t height = 0;

    int err = FB_OK;
    if ((err = fb_json_read_str(root, "version", ORIGIN_VERSION_LEN, &version, diag)) < 0 ||
        (err = fb_json_read_int(root, "duration_ms", 0, INT64_MAX, &duration_ms, diag)) < 0 ||
        (err = fb_json_read_int(root, "width", 0, 65536, &width, diag)) < 0 ||
        (err = fb_json_read_int(root, "height", 0, 65536, &height, diag)) < 0 ||
        (err = read_renditions(root, &result, diag)) < 0 ||
        (err = origin_files_load(root, &result, diag)) < 0) {
        return err;
    }
    if (!origin_version_is_good(version)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'version' is not of 16 hexadecimal digits");
    }
    text_copy(result.version, sizeof(result.version), version);
    result.duration_ms = (uint64_t)duration_ms;
    result.width = (uint32_t)width;
    result.height = (uint32_t)height;
    result.has_audio = fb_json_bool(fb_json_find(root, "has_audio"), false);
    *ret_result = result;
    result = (struct origin_result){.files = NULL};
    return FB_OK;
}
