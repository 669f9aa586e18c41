#include "origin/config/check.h"

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/http/url.h"
#include "base/net/address.h"
#include "base/sys/file.h"
#include "origin/config/config.h"

enum { TOKEN_MIN = 16 };

int origin_conf_check_url(struct fb_str value, struct fb_diag *diag)
{
    struct fb_url url;
    int err = fb_url_parse(value, &url, diag);
    if (err == FB_OK && fb_str_find(url.target, '?') < url.target.len) {
        return fb_diag_set(diag, FB_E_MALFORMED, "a URL without a query is expected");
    }
    return err;
}

int origin_conf_probe_read(const char *path, struct fb_diag *diag)
{
    return fb_file_check_use(path, FB_FILE_READ, diag);
}

int origin_conf_probe_web(const char *path, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf page = {0};

    fb_buf_printf(&page, "%s/watch.html", path);
    return origin_conf_probe_read(page.ptr, diag);
}

static bool begins_with(struct fb_str value, struct fb_str scheme)
{
    return fb_str_starts_with(value, scheme) && value.len > scheme.len;
}

int origin_conf_check_objects(struct fb_str value, struct fb_diag *diag)
{
    if (begins_with(value, FB_STR("file:")) || begins_with(value, FB_STR("s3://"))) {
        return FB_OK;
    }
    return fb_diag_set(diag, FB_E_MALFORMED,
                       "file:<folder> or s3://<bucket>[/<prefix>] is expected");
}

int origin_conf_check_folder(struct fb_str value, struct fb_diag *diag)
{
    if (begins_with(value, FB_STR("file:"))) {
        return FB_OK;
    }
    return fb_diag_set(diag, FB_E_MALFORMED,
                       "file:<folder> is expected; what lies elsewhere comes by way of the origin");
}

/* What a header field can carry, and long enough not to be guessed. */
int origin_conf_check_token(struct fb_str value, struct fb_diag *diag)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~') {
            return fb_diag_set(diag, FB_E_MALFORMED, "visible ASCII characters are expected");
        }
    }
    return value.len >= TOKEN_MIN ? FB_OK
                                  : fb_diag_set(diag, FB_E_MALFORMED,
                                                "at least %d characters are expected", TOKEN_MIN);
}

static const struct fb_conf_item admin_items[] = {
    {"address", FB_CONF_STRING, offsetof(struct origin_conf_admin, address),
     .check = fb_address_check,
     .help = "Where /metrics, /healthz, /readyz and /status are served; none by default."},
    {0},
};
const struct fb_conf_section origin_conf_admin_section = {
    .name = "admin",
    .help = "The operator's side.",
    .size = sizeof(struct origin_conf_admin),
    .items = admin_items,
};
