#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "edge/config/config_internal.h"
#include "edge/config/tls.h"
#include "edge/report/report.h"
#include "edge/report/spool.h"
#include "edge/upstream/upstream.h"

enum { TOKEN_MIN = 16, TOKEN_MAX = 1024, TOKEN_FILE_MAX = 4096, DAY_MS = 86400000 };

/* ---- checks ------------------------------------------------------------ */

/* A token stands in a field of HTTP (RFC 6750 section 2.1). */
static int conf_check_token(struct fb_str value, struct fb_diag *diag)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~') {
            return fb_diag_set(diag, FB_E_MALFORMED, "a token is made of visible ASCII");
        }
    }
    return FB_OK;
}

static int conf_check_one_of(struct fb_str token, struct fb_str file, struct fb_diag *diag)
{
    if (token.ptr != NULL && file.ptr != NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "either 'token' or 'token_file' is expected");
    }
    return FB_OK;
}

static int conf_check_accept(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_reports_accept *accept = conf;

    return conf_check_one_of(accept->token, accept->token_file, diag);
}

static int conf_check_section(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_reports *reports = conf;

    return conf_check_one_of(reports->token, reports->token_file, diag);
}

static int conf_check_target(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_upstream *target = conf;

    if (!edge_conf_is_https(target) && (target->tls.ptr != NULL || target->tls_name.ptr != NULL)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'tls' and 'tls_name' are for https://");
    }
    return FB_OK;
}

static bool accepts_any(const struct edge_conf_reports_accept *accept)
{
    return accept->token.ptr != NULL || accept->token_file.ptr != NULL || accept->names.n > 0;
}

int edge_conf_check_reports(const struct edge_conf *conf, struct fb_diag *diag)
{
    const struct edge_conf_reports *reports = &conf->reports;
    bool accepts = accepts_any(&reports->accept);
    int err = FB_OK;

    if (accepts && conf->role != EDGE_ROLE_REGIONAL) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "'reports.accept' is for 'role: regional'");
    } else if ((accepts || reports->to.n > 0) && conf->state.ptr == NULL) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "'reports' need a folder 'state' for their spool");
    }
    return err < 0 ? fb_diag_blame(diag, err, reports) : FB_OK;
}

/* ---- tables ------------------------------------------------------------ */

#define AT(type, member) offsetof(struct type, member)

static const struct fb_conf_item target_items[] = {
    {"url", FB_CONF_STRING, AT(edge_conf_upstream, url), .is_required = true,
     .check = edge_upstream_check_url,
     .help = "`http://host` or `http://host:port`, or with `https`."},
    {"tls", FB_CONF_STRING, AT(edge_conf_upstream, tls),
     .help =
         "For `https`: the name of the entry of `tls` whose `authorities` must have signed its "
         "certificate, and whose first certificate is shown if one is asked for. Unset: what the "
         "system trusts, and none."},
    {"tls_name", FB_CONF_STRING, AT(edge_conf_upstream, tls_name),
     .help = "The name that its certificate must be for; the URL's host if unset."},
    {0},
};

static const struct fb_conf_section target_section = {
    .name = "to",
    .help =
        "In the order in which they are asked: regional nodes, then the origin. The next one "
        "gets what is new once the one before has failed three times in a row; what one may have "
        "had already waits for it.",
    .size = sizeof(struct edge_conf_upstream),
    .items = target_items,
    .check = conf_check_target,
};

static const struct fb_conf_item accept_items[] = {
    {"token", FB_CONF_STRING, AT(edge_conf_reports_accept, token), .min = TOKEN_MIN,
     .max = TOKEN_MAX, .is_secret = true, .check = conf_check_token,
     .help = "That other nodes show; better a `token_file`."},
    {"token_file", FB_CONF_PATH, AT(edge_conf_reports_accept, token_file),
     .probe = edge_conf_probe_read, .help = "A file whose first line is the `token`."},
    {"names", FB_CONF_STRINGS, AT(edge_conf_reports_accept, names), .max = 1024,
     .help =
         "Of certificates that need no token: their first DNS name, else their common name, "
         "which has to be the `node` of who reports. The listener's entry of `tls` says with `authorities` who may have signed them."},
    {0},
};

static const struct fb_conf_section accept_section = {
    .name = "accept",
    .help = "Who may report here, on the addresses of `listen`. Nobody if nothing is said.",
    .size = sizeof(struct edge_conf_reports_accept),
    .items = accept_items,
    .check = conf_check_accept,
};

static const struct fb_conf_item reports_items[] = {
    {"to", FB_CONF_SECTIONS, AT(edge_conf_reports, to), .section = &target_section,
     .max = EDGE_REPORT_TARGETS_MAX, .check_all = edge_conf_check_upstreams,
     .help = "Whom this node reports to."},
    {"token", FB_CONF_STRING, AT(edge_conf_reports, token), .min = TOKEN_MIN, .max = TOKEN_MAX,
     .is_secret = true, .check = conf_check_token,
     .help = "That is shown to them; better a `token_file`."},
    {"token_file", FB_CONF_PATH, AT(edge_conf_reports, token_file), .probe = edge_conf_probe_read,
     .help = "A file whose first line is the `token`."},
    {"every", FB_CONF_DURATION, AT(edge_conf_reports, every), .min = 100, .max = DAY_MS,
     .preset = "20s", .help = "Between two reports, up to a tenth less."},
    {"max", FB_CONF_SIZE, AT(edge_conf_reports, max), .min = EDGE_SPOOL_MIN_BYTES, .preset = "1GiB",
     .help = "Of the spool, `reports.db` in `state`. Before it is full, the oldest minutes become "
             "hours and days; sums stay."},
    {"accept", FB_CONF_SECTION, AT(edge_conf_reports, accept), .section = &accept_section,
     .help = "Who may report here, if `role` is `regional`: what they say becomes part of this "
             "node's reports."},
    {0},
};

const struct fb_conf_section edge_conf_reports_section = {
    .name = "reports",
    .help = "What is told upstream of views: kept in a spool until it is acknowledged, and counted "
            "once. The format is in view-reports.md. A change needs a restart.",
    .size = sizeof(struct edge_conf_reports),
    .items = reports_items,
    .check = conf_check_section,
};

/* ---- what is made of it ------------------------------------------------ */

struct edge_conf_reports_made {
    struct edge_report_options options;
    struct edge_report_target targets[EDGE_REPORT_TARGETS_MAX];
    struct fb_buf token;
    struct fb_buf accept_token;
};

static int reports_read_token(const struct fb_str *token, const struct fb_str *file,
                              struct fb_buf *buf, struct fb_str *ret_token, struct fb_diag *diag)
{
    if (file->ptr == NULL) {
        *ret_token = *token;
        return FB_OK;
    }
    int err = fb_file_read_path(file->ptr, TOKEN_FILE_MAX, buf, diag);
    if (err < 0) {
        return fb_diag_blame(diag, err, file);
    }
    struct fb_str text = fb_buf_str(buf);
    text = fb_str_trim(fb_str_first(text, fb_str_find(text, '\n')));
    text = fb_str_ends_with(text, FB_STR("\r")) ? fb_str_first(text, text.len - 1) : text;
    err = conf_check_token(text, diag);
    if (err == FB_OK && (text.len < TOKEN_MIN || text.len > TOKEN_MAX)) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "'%s' has no token of %d to %d bytes", file->ptr,
                          TOKEN_MIN, TOKEN_MAX);
    }
    if (err < 0) {
        return fb_diag_blame(diag, err, file);
    }
    *ret_token = text;
    return FB_OK;
}

static void reports_add_targets(struct edge_conf_reports_made *made,
                                const struct edge_conf_reports *reports, struct edge_tls *tls)
{
    for (size_t i = 0; i < reports->to.n; i++) {
        const struct edge_conf_upstream *to = FB_CONF_AT(struct edge_conf_upstream, reports->to, i);
        made->targets[i] = (struct edge_report_target){
            .url = to->url,
            .tls = edge_conf_is_https(to) ? edge_tls_client(tls, to->tls, FB_CLIENT_AUTO) : NULL,
            .tls_name = to->tls_name,
        };
    }
}

int edge_conf_reports(const struct edge_conf *conf, struct edge_tls *tls,
                      struct edge_conf_reports_made **ret_reports, struct fb_diag *diag)
{
    const struct edge_conf_reports *reports = &conf->reports;
    const struct edge_conf_reports_accept *accept = &reports->accept;

    if (reports->to.n == 0 && !accepts_any(accept)) {
        *ret_reports = NULL;
        return FB_OK;
    }
    struct edge_conf_reports_made *made = FB_NEW(struct edge_conf_reports_made);
    made->options = (struct edge_report_options){
        .folder = conf->state,
        .node = conf->node,
        .region = conf->region,
        .max_bytes = reports->max,
        .targets = made->targets,
        .n_targets = reports->to.n,
        .every_ms = (uint32_t)reports->every,
        .accept_names = accept->names.items,
        .n_accept_names = accept->names.n,
    };
    reports_add_targets(made, reports, tls);
    int err = reports_read_token(&reports->token, &reports->token_file, &made->token,
                                 &made->options.token, diag);
    if (err == FB_OK) {
        err = reports_read_token(&accept->token, &accept->token_file, &made->accept_token,
                                 &made->options.accept_token, diag);
    }
    if (err < 0) {
        edge_conf_reports_free(made);
        return err;
    }
    *ret_reports = made;
    return FB_OK;
}

struct edge_report_options *edge_conf_reports_options(struct edge_conf_reports_made *made)
{
    return &made->options;
}

void edge_conf_reports_free(struct edge_conf_reports_made *made)
{
    if (made != NULL) {
        fb_buf_done(&made->token);
        fb_buf_done(&made->accept_token);
        fb_free(made);
    }
}
