#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/objects/s3_internal.h"

#include <string.h>
#include <sys/stat.h>

enum { CREDENTIALS_MAX = 16 * 1024 };

void origin_bucket_credentials_done(struct s3_credentials *credentials)
{
    fb_buf_done(&credentials->access_key);
    fb_buf_done(&credentials->secret_key);
    fb_buf_done(&credentials->session_token);
}

static struct fb_buf *credentials_field(struct s3_credentials *credentials, struct fb_str name)
{
    static const struct fb_str aws = FB_STR("aws_");

    if (fb_str_starts_with(name, aws)) {
        name = fb_str_skip(name, aws.len);
    }
    if (fb_str_equal(name, FB_STR("access_key")) || fb_str_equal(name, FB_STR("access_key_id"))) {
        return &credentials->access_key;
    }
    if (fb_str_equal(name, FB_STR("secret_key")) ||
        fb_str_equal(name, FB_STR("secret_access_key"))) {
        return &credentials->secret_key;
    }
    return fb_str_equal(name, FB_STR("session_token")) ? &credentials->session_token : NULL;
}

/* Visible ASCII, which fits into a header whatever it is. */
static bool value_is_good(struct fb_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~') {
            return false;
        }
    }
    return value.len > 0;
}

/* Lines "name = value" or "name: value", as the first profile of ~/.aws/credentials has them.
 * Sentences name lines and never say what stands in them. */
static int credentials_parse(struct fb_str text, struct s3_credentials *credentials,
                             struct fb_diag *diag)
{
    struct fb_str line;
    unsigned n_sections = 0;
    unsigned n = 0;

    while (fb_str_cut(&text, '\n', &line)) {
        n++;
        line = fb_str_trim(fb_str_first(line, fb_str_find(line, '\r')));
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';') {
            continue;
        }
        if (line.ptr[0] == '[') {
            if (++n_sections > 1) {
                break;
            }
            continue;
        }
        size_t sign = FB_MIN(fb_str_find(line, '='), fb_str_find(line, ':'));
        struct fb_str value = fb_str_trim(fb_str_skip(line, sign + 1));
        struct fb_buf *field =
            credentials_field(credentials, fb_str_trim(fb_str_first(line, sign)));
        if (field == NULL || field->len > 0 || !value_is_good(value)) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "line %u: expected access_key, secret_key or session_token, once, "
                               "with a value of visible characters",
                               n);
        }
        fb_buf_append(field, value);
    }
    if (credentials->access_key.len == 0 || credentials->secret_key.len == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "access_key or secret_key is missing");
    }
    return FB_OK;
}

int origin_bucket_credentials_load(const char *path, struct s3_credentials *credentials,
                                   struct fb_diag *diag)
{
    struct s3_credentials loaded = {.access_key = {0}};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    int err = fb_file_read_path(path, CREDENTIALS_MAX, &text, diag);
    if (err == FB_OK) {
        err = credentials_parse(fb_buf_str(&text), &loaded, diag);
        if (err < 0) {
            (void)fb_diag_prefix(diag, err, "%s", path);
        }
    }
    if (err < 0) {
        origin_bucket_credentials_done(&loaded);
        return err;
    }
    origin_bucket_credentials_done(credentials);
    *credentials = loaded;
    return FB_OK;
}

static int64_t file_changed_ns(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? 0 : (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

void origin_bucket_credentials_refresh(struct s3 *s3)
{
    int64_t changed_ns = file_changed_ns(s3->credentials_path);

    (void)pthread_mutex_lock(&s3->lock);
    if (changed_ns != s3->credentials_ns && changed_ns != 0 &&
        origin_bucket_credentials_load(s3->credentials_path, &s3->credentials, NULL) == FB_OK) {
        s3->credentials_ns = changed_ns;
    }
    (void)pthread_mutex_unlock(&s3->lock);
}
