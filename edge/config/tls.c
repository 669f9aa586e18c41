#include "edge/config/tls.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/bytes.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/loop/timer.h"
#include "base/metrics/metrics.h"
#include "base/net/tls_stream.h"
#include "base/tls/backend.h"
#include "base/tls/config.h"
#include "base/tls/tickets.h"
#include "edge/config/config_internal.h"

#include <string.h>

/* A certificate that ends within so many days is logged. */
enum { WARN_DAYS = 14, DAY_S = 86400, DAY_MS = 1000 * DAY_S };

enum { TLS_EXPIRES, TLS_N_METRICS };

static const struct fb_metric tls_rows[TLS_N_METRICS] = {
    [TLS_EXPIRES] = {"tls_certificate_expires_seconds", FB_METRIC_GAUGE, NULL,
                     "When the certificate in use that ends first does, in Unix time."},
};

/* What listeners name. */
struct tls_entry {
    char *name;                       /* owned */
    struct fb_tls_party *party;       /* owned */
    struct fb_tls_tickets *tickets;   /* counted; NULL: none */
    struct fb_metrics_table *metrics; /* the registry's; may be NULL */
};

/* What upstreams name, as long as the program runs. */
struct tls_client {
    struct tls_client *next;
    char *name; /* owned; "": what the system trusts */
    enum fb_client_protocol protocol;
    struct fb_tls_party *party; /* owned */
};

struct edge_tls {
    struct edge_tls_options options;
    uint32_t timeout_ms;
    bool has_http2;            /* is offered to clients; a change needs a restart */
    struct tls_entry *entries; /* owned */
    size_t n;
    struct tls_client *clients; /* owned each */
    size_t n_clients;
    struct fb_timer look; /* at what ends */
};

/* What a party is to use. */
struct tls_news_item {
    struct fb_tls_party *party;
    struct fb_tls_config *config; /* counted */
};

struct edge_tls_news {
    struct edge_tls *tls;
    struct tls_news_item *items; /* owned */
    size_t n;
};

static bool is_server(const struct edge_conf_tls *conf)
{
    return conf->certificates.n > 0;
}

/* ---- ends ------------------------------------------------------------------ */

static int64_t entry_expires_s(const struct tls_entry *entry)
{
    struct fb_tls_config *config = fb_tls_party_config(entry->party);
    int64_t expires_s = fb_tls_config_expires_s(config);

    fb_tls_config_unref(config);
    return expires_s;
}

static void tls_log_ends(const struct edge_tls *tls)
{
    int64_t now_s = fb_clock_wall_ms(tls->options.clock) / 1000;

    for (size_t i = 0; i < tls->n; i++) {
        int64_t left_s = entry_expires_s(&tls->entries[i]) - now_s;
        if (left_s < 0) {
            FB_LOG(WARN, "tls", "a certificate has expired",
                   FB_LOG_TEXT("tls", tls->entries[i].name));
        } else if (left_s < (int64_t)WARN_DAYS * DAY_S) {
            FB_LOG(WARN, "tls", "a certificate ends soon", FB_LOG_TEXT("tls", tls->entries[i].name),
                   FB_LOG_INT("days", left_s / DAY_S));
        }
    }
}

static void tls_show_ends(const struct edge_tls *tls)
{
    for (size_t i = 0; i < tls->n && tls->options.metrics != NULL; i++) {
        int64_t expires_s = entry_expires_s(&tls->entries[i]);
        fb_metrics_set(tls->entries[i].metrics, TLS_EXPIRES, (uint64_t)FB_MAX(expires_s, 0));
    }
}

static void tls_on_look(struct fb_timer *timer)
{
    tls_log_ends(FB_CONTAINER_OF(timer, struct edge_tls, look));
    fb_timer_set(timer, DAY_MS);
}

/* ---- from one process to the next ------------------------------------------ */

/*
 *     told = (length of the name (2) | name | length of the keys (2) | keys) ...
 */
static void told_add(struct fb_buf *words, struct fb_str text)
{
    char len[2];

    fb_put_u16(len, (uint16_t)text.len);
    fb_buf_append(words, (struct fb_str){len, sizeof(len)});
    fb_buf_append(words, text);
}

void edge_tls_tell(struct edge_tls *tls, struct fb_buf *words, size_t max)
{
    char saved[FB_TLS_TICKETS_SAVED_MAX];

    for (size_t i = 0; i < tls->n; i++) {
        struct fb_str name = fb_str_from(tls->entries[i].name);
        size_t len = name.len + sizeof(saved) + 4;
        if (tls->entries[i].tickets == NULL || name.len > UINT16_MAX || words->len + len > max) {
            continue;
        }
        size_t n = fb_tls_tickets_save(tls->entries[i].tickets, saved);
        told_add(words, name);
        told_add(words, (struct fb_str){saved, n});
    }
    explicit_bzero(saved, sizeof(saved));
}

/* The next text of what was told; empty at its end. */
static struct fb_str told_next(struct fb_str *told)
{
    size_t len = told->len >= 2 ? fb_get_u16(told->ptr) : SIZE_MAX;

    if (len > told->len - FB_MIN(told->len, 2)) {
        *told = FB_STR_NONE;
        return FB_STR_NONE;
    }
    struct fb_str text = {told->ptr + 2, len};
    *told = fb_str_skip(*told, 2 + len);
    return text;
}

/* Without keys, clients make full handshakes once. */
static void entry_go_on(struct tls_entry *entry, struct fb_str told)
{
    while (told.len > 0) {
        struct fb_str name = told_next(&told);
        struct fb_str saved = told_next(&told);
        if (fb_str_equal(name, fb_str_from(entry->name)) &&
            fb_tls_tickets_load(entry->tickets, saved) < 0) {
            FB_LOG(WARN, "tls", "no session goes on from the process before",
                   FB_LOG_TEXT("tls", entry->name));
        }
    }
}

static int entry_make(struct edge_tls *tls, const struct edge_conf_tls *from, struct fb_diag *diag)
{
    struct tls_entry *entry = &tls->entries[tls->n];
    struct fb_tls_config *config = NULL;

    entry->name = fb_str_dup(from->name);
    if (from->tickets > 0 && from->authorities.ptr == NULL) {
        uint32_t lifetime_s = (uint32_t)FB_MAX(from->tickets / 1000, 1);
        entry->tickets = fb_tls_tickets_new(tls->options.clock, lifetime_s);
        entry_go_on(entry, tls->options.told);
    }
    tls->n++;
    int err = edge_conf_tls_server(from, tls->has_http2, entry->tickets, &config, diag);
    if (err < 0) {
        return err;
    }
    entry->party = fb_tls_party_new(config, tls->options.pool, tls->timeout_ms);
    fb_tls_config_unref(config); /* the party has its own reference */
    if (tls->options.metrics != NULL) {
        FB_AUTO(fb_buf_done) struct fb_buf label = {0};
        fb_metrics_label(&label, "tls", from->name);
        entry->metrics =
            fb_metrics_table_new(tls->options.metrics, tls_rows, TLS_N_METRICS, label.ptr);
    }
    return FB_OK;
}

/* ---- clients ------------------------------------------------------------- */

struct fb_tls_party *edge_tls_client(struct edge_tls *tls, struct fb_str name,
                                     enum fb_client_protocol protocol)
{
    struct tls_client *client = tls != NULL ? tls->clients : NULL;

    while (client != NULL &&
           (client->protocol != protocol || !fb_str_equal(name, fb_str_from(client->name)))) {
        client = client->next;
    }
    return client != NULL ? client->party : NULL;
}

/* The configuration of upstreams that name `name`, which may be empty. */
static int client_load(const struct edge_conf *conf, const struct fb_str *name,
                       enum fb_client_protocol protocol, struct fb_tls_config **ret_config,
                       struct fb_diag *diag)
{
    const struct edge_conf_tls *from = edge_conf_find_tls(conf, *name);

    if (from == NULL && name->len > 0) {
        int err =
            fb_diag_set(diag, FB_E_MALFORMED, "there is no '%.*s' among 'tls'", FB_STR_ARG(*name));
        return fb_diag_blame(diag, err, name);
    }
    return edge_conf_tls_client(from, protocol, ret_config, diag);
}

static int clients_add(struct edge_tls *tls, const struct edge_conf *conf,
                       const struct fb_conf_list *upstreams, struct fb_diag *diag)
{
    for (size_t i = 0; i < upstreams->n; i++) {
        const struct edge_conf_upstream *from =
            FB_CONF_AT(struct edge_conf_upstream, *upstreams, i);
        enum fb_client_protocol protocol = (enum fb_client_protocol)from->protocol;
        struct fb_tls_config *config = NULL;
        if (!edge_conf_is_https(from) || edge_tls_client(tls, from->tls, protocol) != NULL) {
            continue;
        }
        int err = client_load(conf, &from->tls, protocol, &config, diag);
        if (err < 0) {
            return err;
        }
        struct tls_client *client = FB_NEW(struct tls_client);
        client->name = fb_str_dup(from->tls);
        client->protocol = protocol;
        client->party = fb_tls_party_new(config, tls->options.pool, 0);
        fb_tls_config_unref(config); /* the party has its own reference */
        client->next = tls->clients;
        tls->clients = client;
        tls->n_clients++;
    }
    return FB_OK;
}

/* Those that the node's and the sites' upstreams and whom it reports to name, and that are not
 * there yet. */
static int clients_add_all(struct edge_tls *tls, const struct edge_conf *conf, struct fb_diag *diag)
{
    int err = clients_add(tls, conf, &conf->upstreams, diag);

    if (err == FB_OK) {
        err = clients_add(tls, conf, &conf->reports.to, diag);
    }
    for (size_t i = 0; i < conf->sites.n && err == FB_OK; i++) {
        err = clients_add(tls, conf, &FB_CONF_AT(struct edge_conf_site, conf->sites, i)->upstreams,
                          diag);
    }
    return err;
}

/* ---- life ---------------------------------------------------------------- */

int edge_tls_new(const struct edge_conf *conf, const struct edge_tls_options *options,
                 struct edge_tls **ret_tls, struct fb_diag *diag)
{
    struct edge_tls *tls = FB_NEW(struct edge_tls);
    int err = FB_OK;

    tls->options = *options;
    tls->timeout_ms = (uint32_t)conf->timeouts.head;
    tls->has_http2 = conf->http2.enabled;
    tls->entries = fb_alloc_array(conf->tls.n, sizeof(*tls->entries));
    for (size_t i = 0; i < conf->tls.n && err == FB_OK; i++) {
        const struct edge_conf_tls *from = FB_CONF_AT(struct edge_conf_tls, conf->tls, i);
        if (is_server(from)) {
            err = entry_make(tls, from, diag);
        }
    }
    if (err == FB_OK) {
        err = clients_add_all(tls, conf, diag);
    }
    if (err < 0) {
        edge_tls_free(tls);
        return err;
    }
    tls_show_ends(tls);
    if (options->loop == NULL) { /* what is used has been checked before */
        tls_log_ends(tls);
    } else {
        fb_timer_init(&tls->look, options->loop, tls_on_look);
        fb_timer_set(&tls->look, DAY_MS);
    }
    *ret_tls = tls;
    return FB_OK;
}

void edge_tls_free(struct edge_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    if (fb_timer_is_set(&tls->look)) {
        fb_timer_clear(&tls->look);
    }
    for (size_t i = 0; i < tls->n; i++) {
        fb_tls_party_free(tls->entries[i].party);
        fb_tls_tickets_unref(tls->entries[i].tickets);
        fb_free(tls->entries[i].name);
    }
    while (tls->clients != NULL) {
        struct tls_client *client = tls->clients;
        tls->clients = client->next;
        fb_tls_party_free(client->party);
        fb_free(client->name);
        fb_free(client);
    }
    fb_free(tls->entries);
    fb_free(tls);
}

struct fb_tls_party *edge_tls_server(struct edge_tls *tls, struct fb_str name)
{
    for (size_t i = 0; i < tls->n; i++) {
        if (fb_str_equal(name, fb_str_from(tls->entries[i].name))) {
            return tls->entries[i].party;
        }
    }
    return NULL;
}

/* ---- reloading ----------------------------------------------------------- */

static void news_add(struct edge_tls_news *news, struct fb_tls_party *party,
                     struct fb_tls_config *config)
{
    news->items[news->n++] = (struct tls_news_item){.party = party, .config = config};
}

/* What listens with which needs a restart: where an entry is gone, or has another name, nobody says
 * any more which files are its own. */
static int news_load_entries(struct edge_tls_news *news, struct edge_tls *tls,
                             const struct edge_conf *conf, struct fb_diag *diag)
{
    for (size_t i = 0; i < tls->n; i++) {
        struct tls_entry *entry = &tls->entries[i];
        const struct edge_conf_tls *from = edge_conf_find_tls(conf, fb_str_from(entry->name));
        struct fb_tls_config *config = NULL;
        if (from == NULL || !is_server(from)) {
            FB_LOG(WARN, "tls", "no longer configured: it is used as it is until a restart",
                   FB_LOG_TEXT("tls", entry->name));
            continue;
        }
        int err = edge_conf_tls_server(from, tls->has_http2, entry->tickets, &config, diag);
        if (err < 0) {
            return err;
        }
        news_add(news, entry->party, config);
    }
    return FB_OK;
}

static int news_load_clients(struct edge_tls_news *news, struct edge_tls *tls,
                             const struct edge_conf *conf, struct fb_diag *diag)
{
    for (struct tls_client *client = tls->clients; client != NULL; client = client->next) {
        struct fb_str name = fb_str_from(client->name);
        struct fb_tls_config *config = NULL;
        if (name.len > 0 && edge_conf_find_tls(conf, name) == NULL) {
            continue; /* no upstream names it any more */
        }
        int err = client_load(conf, &name, client->protocol, &config, diag);
        if (err < 0) {
            return err;
        }
        news_add(news, client->party, config);
    }
    return FB_OK;
}

int edge_tls_load(struct edge_tls *tls, const struct edge_conf *conf,
                  struct edge_tls_news **ret_news, struct fb_diag *diag)
{
    struct edge_tls_news *news = FB_NEW(struct edge_tls_news);

    news->tls = tls;
    news->items = fb_alloc_array(tls->n + tls->n_clients, sizeof(*news->items));
    int err = news_load_entries(news, tls, conf, diag);
    if (err == FB_OK) {
        err = news_load_clients(news, tls, conf, diag);
    }
    if (err == FB_OK) {
        err = clients_add_all(tls, conf, diag); /* nobody's until the upstreams are used */
    }
    if (err < 0) {
        edge_tls_news_free(news);
        return err;
    }
    *ret_news = news;
    return FB_OK;
}

void edge_tls_use(struct edge_tls_news *news)
{
    for (size_t i = 0; i < news->n; i++) {
        fb_tls_party_use(news->items[i].party, news->items[i].config);
    }
    tls_show_ends(news->tls);
    edge_tls_news_free(news);
}

void edge_tls_news_free(struct edge_tls_news *news)
{
    if (news == NULL) {
        return;
    }
    for (size_t i = 0; i < news->n; i++) {
        fb_tls_config_unref(news->items[i].config);
    }
    fb_free(news->items);
    fb_free(news);
}

/* ---- telling ------------------------------------------------------------- */

void edge_tls_status(struct edge_tls *tls, struct fb_json *status)
{
    struct fb_json *entries = fb_json_set_array(status, "tls");
    struct fb_json *sealers = fb_json_set_object(status, "sealers");

    for (size_t i = 0; i < tls->n; i++) {
        struct fb_tls_config *config = fb_tls_party_config(tls->entries[i].party);
        char text[FB_TIMESTAMP_MAX];
        struct fb_json *entry = fb_json_add_object(entries);
        fb_json_set_text(entry, "name", tls->entries[i].name);
        fb_json_set_text(entry, "expires",
                         fb_timestamp(fb_tls_config_expires_s(config) * 1000, text));
        fb_tls_config_unref(config);
    }
    for (int i = 0; i < FB_TLS_N_AEADS; i++) {
        enum fb_tls_aead aead = (enum fb_tls_aead)i;
        fb_json_set_text(sealers, fb_tls_aead_name(aead), fb_tls_sealer_name(aead));
    }
}
