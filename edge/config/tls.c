#include "edge/config/tls.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/net/tls_stream.h"
#include "base/tls/tls_backend.h"
#include "base/tls/tls_config.h"
#include "base/tls/tls_tickets.h"
#include "edge/config/config_internal.h"

/* A certificate that ends within so many days is logged. */
enum { WARN_DAYS = 14, DAY_S = 86400 };

struct tls_entry {
    char *name;                     /* owned */
    struct fb_tls_server *server;   /* owned */
    struct fb_tls_tickets *tickets; /* counted; NULL: none */
};

struct edge_tls {
    struct edge_tls_options options;
    struct tls_entry *entries; /* owned */
    size_t n;
};

struct edge_tls_news {
    struct fb_tls_config **configs; /* counted each; of the entry in the same place; NULL: gone */
    size_t n;
};

static bool is_server(const struct edge_conf_tls *conf)
{
    return conf->certificates.n > 0;
}

static void warn_of_end(const struct edge_tls *tls, const struct edge_conf_tls *conf,
                        const struct fb_tls_config *config)
{
    int64_t left_s = fb_tls_config_expires_s(config) - fb_clock_wall_ms(tls->options.clock) / 1000;

    if (left_s < 0) {
        FB_LOG(WARN, "tls", "a certificate has expired", FB_LOG_STR("tls", conf->name));
    } else if (left_s < (int64_t)WARN_DAYS * DAY_S) {
        FB_LOG(WARN, "tls", "a certificate ends soon", FB_LOG_STR("tls", conf->name),
               FB_LOG_INT("days", left_s / DAY_S));
    }
}

static int entry_make(struct edge_tls *tls, const struct edge_conf *conf,
                      const struct edge_conf_tls *from, struct fb_diag *diag)
{
    struct tls_entry *entry = &tls->entries[tls->n];
    struct fb_tls_config *config = NULL;

    entry->name = fb_str_dup(from->name);
    if (from->tickets > 0 && from->authorities.ptr == NULL) {
        uint32_t lifetime_s = (uint32_t)FB_MAX(from->tickets / 1000, 1);
        entry->tickets = fb_tls_tickets_new(tls->options.clock, lifetime_s);
    }
    tls->n++;
    int err = edge_conf_tls_server(from, entry->tickets, &config, diag);
    if (err < 0) {
        return err;
    }
    warn_of_end(tls, from, config);
    entry->server = fb_tls_server_new(config, tls->options.pool, (uint32_t)conf->timeouts.head);
    fb_tls_config_unref(config); /* the server has its own reference */
    return FB_OK;
}

int edge_tls_new(const struct edge_conf *conf, const struct edge_tls_options *options,
                 struct edge_tls **ret_tls, struct fb_diag *diag)
{
    struct edge_tls *tls = FB_NEW(struct edge_tls);
    int err = FB_OK;

    tls->options = *options;
    tls->entries = fb_alloc_array(conf->tls.n, sizeof(*tls->entries));
    for (size_t i = 0; i < conf->tls.n && err == FB_OK; i++) {
        const struct edge_conf_tls *from = FB_CONF_AT(struct edge_conf_tls, conf->tls, i);
        if (is_server(from)) {
            err = entry_make(tls, conf, from, diag);
        }
    }
    if (err < 0) {
        edge_tls_free(tls);
        return err;
    }
    *ret_tls = tls;
    return FB_OK;
}

void edge_tls_free(struct edge_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    for (size_t i = 0; i < tls->n; i++) {
        fb_tls_server_free(tls->entries[i].server);
        fb_tls_tickets_unref(tls->entries[i].tickets);
        fb_free(tls->entries[i].name);
    }
    fb_free(tls->entries);
    fb_free(tls);
}

struct fb_tls_server *edge_tls_server(struct edge_tls *tls, struct fb_str name)
{
    for (size_t i = 0; i < tls->n; i++) {
        if (fb_str_equal(name, fb_str_from(tls->entries[i].name))) {
            return tls->entries[i].server;
        }
    }
    return NULL;
}

/* ---- reloading ----------------------------------------------------------- */

/* An entry that is gone, or new, is nobody's: what listens with which needs a restart. */
int edge_tls_load(struct edge_tls *tls, const struct edge_conf *conf,
                  struct edge_tls_news **ret_news, struct fb_diag *diag)
{
    struct edge_tls_news *news = FB_NEW(struct edge_tls_news);
    int err = FB_OK;

    news->configs = fb_alloc_array(tls->n, sizeof(struct fb_tls_config *));
    news->n = tls->n;
    for (size_t i = 0; i < tls->n && err == FB_OK; i++) {
        const struct edge_conf_tls *from =
            edge_conf_find_tls(conf, fb_str_from(tls->entries[i].name));
        if (from != NULL && is_server(from)) {
            err = edge_conf_tls_server(from, tls->entries[i].tickets, &news->configs[i], diag);
        }
        if (news->configs[i] != NULL) {
            warn_of_end(tls, from, news->configs[i]);
        }
    }
    if (err < 0) {
        edge_tls_news_free(news);
        return err;
    }
    *ret_news = news;
    return FB_OK;
}

void edge_tls_use(struct edge_tls *tls, struct edge_tls_news *news)
{
    for (size_t i = 0; i < tls->n; i++) {
        if (news->configs[i] != NULL) {
            fb_tls_server_use(tls->entries[i].server, news->configs[i]);
        }
    }
    edge_tls_news_free(news);
}

void edge_tls_news_free(struct edge_tls_news *news)
{
    if (news == NULL) {
        return;
    }
    for (size_t i = 0; i < news->n; i++) {
        fb_tls_config_unref(news->configs[i]);
    }
    fb_free(news->configs);
    fb_free(news);
}

/* ---- telling ------------------------------------------------------------- */

void edge_tls_status(struct edge_tls *tls, struct fb_json *status)
{
    static const char *const names[] = {
        [FB_TLS_AES_128_GCM] = "aes-128-gcm",
        [FB_TLS_AES_256_GCM] = "aes-256-gcm",
        [FB_TLS_CHACHA20_POLY1305] = "chacha20-poly1305",
    };
    struct fb_json *entries = fb_json_set_array(status, "tls");
    struct fb_json *sealers = fb_json_set_object(status, "sealers");

    for (size_t i = 0; i < tls->n; i++) {
        struct fb_tls_config *config = fb_tls_server_config(tls->entries[i].server);
        char text[FB_TIMESTAMP_MAX];
        struct fb_json *entry = fb_json_add_object(entries);
        fb_json_set_text(entry, "name", tls->entries[i].name);
        fb_json_set_text(entry, "expires",
                         fb_timestamp(fb_tls_config_expires_s(config) * 1000, text));
        fb_tls_config_unref(config);
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        fb_json_set_text(sealers, names[i], fb_tls_backend_for((enum fb_tls_aead)i)->name);
    }
}
