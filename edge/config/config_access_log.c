#include "base/core/err.h"
#include "edge/access_log/access_log.h"
#include "edge/config/config_internal.h"

#define AT(member) offsetof(struct edge_conf_access_log, member)

static const char *const format_names[] =
    {[EDGE_ACCESS_OFF] = "off", [EDGE_ACCESS_JSON] = "json", [EDGE_ACCESS_W3C] = "w3c", NULL};

static const char *const client_names[] = {[EDGE_ACCESS_CLIENT_NONE] = "none",
                                           [EDGE_ACCESS_CLIENT_NETWORK] = "network",
                                           [EDGE_ACCESS_CLIENT_FULL] = "full",
                                           NULL};

static int conf_check_access_log(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_access_log *log = conf;

    if (log->format == EDGE_ACCESS_W3C && log->path.ptr == NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'w3c' needs a 'path': its columns would be lost in the program's log");
    }
    return FB_OK;
}

static const struct fb_conf_item access_log_items[] = {
    {"format", FB_CONF_ENUM, AT(format), .names = format_names, .preset = "off",
     .help = "`json`: an object a line; `w3c`: the extended log file format; `off`: none."},
    {"path", FB_CONF_PATH, AT(path), .probe = edge_conf_probe_append,
     .help = "The file, which is appended to, and opened again on SIGHUP; unset: the program's "
             "log."},
    {"sample", FB_CONF_INT, AT(sample), .min = 1, .max = 1000000, .preset = "1",
     .help = "One request in so many, by chance."},
    {"client", FB_CONF_ENUM, AT(client), .names = client_names, .preset = "none",
     .help = "Of the client's address: nothing, its `network` (the first 24 bits of IPv4, 48 of "
             "IPv6), or all of it."},
    {"cmcd", FB_CONF_BOOL, AT(cmcd), .preset = "false",
     .help = "What players say of themselves with CMCD (CTA-5004), session id included; without "
             "it, CMCD is left out of the query too."},
    {"hide", FB_CONF_STRINGS, AT(hide), .max = 256,
     .preset = "[token, access_token, auth, jwt, sig, signature, key, policy, password, hdnts, "
               "hdntl, hdnea, x-amz-signature, x-amz-credential, x-amz-security-token, "
               "x-goog-signature, key-pair-id]",
     .help = "Query parameters whose value is not shown, in any case; those that a site leaves out "
             "of the key are never."},
    {0},
};

const struct fb_conf_section edge_conf_access_log_section = {
    .name = "access_log",
    .help = "A line for each request. A slow disk costs lines, which are counted, and no request "
            "its time.",
    .size = sizeof(struct edge_conf_access_log),
    .items = access_log_items,
    .check = conf_check_access_log,
};

struct edge_access_log_options edge_conf_access_log(const struct edge_conf *conf)
{
    const struct edge_conf_access_log *log = &conf->access_log;

    return (struct edge_access_log_options){
        .format = (enum edge_access_format)log->format,
        .path = log->path,
        .sample = (uint32_t)log->sample,
        .client = (enum edge_access_client)log->client,
        .has_cmcd = log->cmcd,
        .hidden = log->hide.items,
        .n_hidden = log->hide.n,
        .node = conf->node,
    };
}
