#include "base/log/log.h"
#include "edge/access/access.h"
#include "edge/config/config.h"
#include "edge/config/config_internal.h"

#include <sys/stat.h>

/* Its group may read it: that is how a service is given what it does not own. */
static bool is_open(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0;
}

static void warn_of_key(const struct edge_conf_access_key *key, struct fb_str site)
{
    const char *path = key->secret_file.ptr != NULL ? key->secret_file.ptr : key->key_file.ptr;

    if (path != NULL && key->algorithm != EDGE_ACCESS_ES256 && is_open(path)) {
        FB_LOG(WARN, "access", "everybody on this machine can read a secret",
               FB_LOG_STR("site", site), FB_LOG_STR("key", key->id), FB_LOG_TEXT("file", path));
    }
}

/* What a site guards must not be had under another name. */
static void warn_of_way_round(const struct edge_conf *conf)
{
    const struct edge_conf_site *guarded = NULL;

    for (size_t i = 0; i < conf->sites.n; i++) {
        const struct edge_conf_site *site = FB_CONF_AT(struct edge_conf_site, conf->sites, i);
        if (site->access.keys.n > 0 && site->upstreams.items == NULL) {
            guarded = site;
        }
        for (size_t j = 0; j < site->hosts.n; j++) {
            if (fb_str_equal(*FB_CONF_AT(struct fb_str, site->hosts, j), FB_STR("*"))) {
                return;
            }
        }
    }
    if (guarded != NULL) {
        FB_LOG(WARN, "access", "hosts that no site names reach the same upstream without a token",
               FB_LOG_STR("site", *FB_CONF_AT(struct fb_str, guarded->hosts, 0)));
    }
}

static void warn_of_certificates(const struct edge_conf_tls *tls)
{
    for (size_t i = 0; i < tls->certificates.n; i++) {
        const struct edge_conf_certificate *one =
            FB_CONF_AT(struct edge_conf_certificate, tls->certificates, i);
        if (is_open(one->key.ptr)) {
            FB_LOG(WARN, "tls", "everybody on this machine can read a private key",
                   FB_LOG_STR("tls", tls->name), FB_LOG_TEXT("file", one->key.ptr));
        }
    }
}

static void warn_of_token(const struct fb_str *file)
{
    if (file->ptr != NULL && is_open(file->ptr)) {
        FB_LOG(WARN, "report", "everybody on this machine can read a token",
               FB_LOG_TEXT("file", file->ptr));
    }
}

static void warn_of_reports(const struct edge_conf *conf)
{
    const struct edge_conf_reports *reports = &conf->reports;

    warn_of_token(&reports->token_file);
    warn_of_token(&reports->accept.token_file);
    if (conf->views.enabled && reports->to.n == 0) {
        FB_LOG(WARN, "report", "views are counted and told to nobody: 'reports.to' is missing");
    }
    for (size_t i = 0; i < reports->to.n; i++) {
        const struct edge_conf_upstream *to = FB_CONF_AT(struct edge_conf_upstream, reports->to, i);
        bool has_token = reports->token.ptr != NULL || reports->token_file.ptr != NULL;
        if (!has_token && !edge_conf_is_https(to)) {
            FB_LOG(WARN, "report", "reports without a token or a certificate are refused",
                   FB_LOG_STR("url", to->url));
        }
        if (has_token && !edge_conf_is_https(to)) {
            FB_LOG(WARN, "report", "the token for reports is sent without TLS",
                   FB_LOG_STR("url", to->url));
        }
    }
}

void edge_conf_warn(const struct edge_conf *conf)
{
    warn_of_reports(conf);
    for (size_t i = 0; i < conf->tls.n; i++) {
        warn_of_certificates(FB_CONF_AT(struct edge_conf_tls, conf->tls, i));
    }
    for (size_t i = 0; i < conf->sites.n; i++) {
        const struct edge_conf_site *site = FB_CONF_AT(struct edge_conf_site, conf->sites, i);
        for (size_t j = 0; j < site->access.keys.n; j++) {
            warn_of_key(FB_CONF_AT(struct edge_conf_access_key, site->access.keys, j),
                        *FB_CONF_AT(struct fb_str, site->hosts, 0));
        }
    }
    warn_of_way_round(conf);
}
