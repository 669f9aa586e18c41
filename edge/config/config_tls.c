#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "base/tls/config.h"
#include "edge/config/config_internal.h"
#include "edge/config/tls.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PEM_FILE_MAX = 1024 * 1024 };

#define DAY_MS  INT64_C(86400000)
#define YEAR_MS (365 * DAY_MS)

/* ---- checks ------------------------------------------------------------ */

static int conf_check_cipher(struct fb_str value, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf names = {0};
    struct fb_str name;

    if (fb_tls_cipher_is_known(value)) {
        return FB_OK;
    }
    for (size_t i = 0; (name = fb_tls_cipher_name(i)).len > 0; i++) {
        fb_buf_printf(&names, "%s%.*s", i > 0 ? ", " : "", FB_STR_ARG(name));
    }
    return fb_diag_set(diag, FB_E_MALFORMED, "there is no cipher '%.*s'; there are %.*s",
                       FB_STR_ARG(value), FB_STR_ARG(fb_buf_str(&names)));
}

int edge_conf_check_tls(const struct fb_conf_list *list, size_t *ret_entry, struct fb_diag *diag)
{
    return fb_conf_check_distinct_by(list, FB_CONF_TEXT("name", edge_conf_tls, name), ret_entry,
                                     diag);
}

const struct edge_conf_tls *edge_conf_find_tls(const struct edge_conf *conf, struct fb_str name)
{
    for (size_t i = 0; i < conf->tls.n; i++) {
        const struct edge_conf_tls *tls = FB_CONF_AT(struct edge_conf_tls, conf->tls, i);
        if (fb_str_equal(name, tls->name)) {
            return tls;
        }
    }
    return NULL;
}

int edge_conf_check_tls_server(const struct edge_conf *conf, const struct fb_str *name,
                               struct fb_diag *diag)
{
    if (name->ptr == NULL) {
        return FB_OK;
    }
    const struct edge_conf_tls *tls = edge_conf_find_tls(conf, *name);
    if (tls != NULL && tls->certificates.n > 0) {
        return FB_OK;
    }
    int err = fb_diag_set(diag, FB_E_MALFORMED,
                          tls == NULL ? "there is no '%.*s' among 'tls'"
                                      : "'%.*s' among 'tls' has no certificates to listen with",
                          FB_STR_ARG(*name));
    return fb_diag_blame(diag, err, name);
}

/* ---- tables ------------------------------------------------------------ */

#define AT(type, member) offsetof(struct type, member)

static const struct fb_conf_item certificate_items[] = {
    {"chain", FB_CONF_PATH, AT(edge_conf_certificate, chain), .is_required = true,
     .help = "A PEM file: the certificate, then the one that signed it, and so on; without the "
             "root."},
    {"key", FB_CONF_PATH, AT(edge_conf_certificate, key), .is_required = true,
     .help = "A PEM file with its private key, ECDSA or RSA, without a password."},
    {0},
};

static const struct fb_conf_section certificate_section = {
    .name = "certificates",
    .help = "The name that a client asks for selects those that bear it, exactly or by a wildcard; "
            "the first one serves who asks for none or another. With an ECDSA and an RSA "
            "certificate for one name, each client gets the kind that it can do.",
    .size = sizeof(struct edge_conf_certificate),
    .items = certificate_items,
};

static const char *const version_names[] = {"1.2", "1.3", NULL};

static const struct fb_conf_item tls_items[] = {
    {"name", FB_CONF_STRING, AT(edge_conf_tls, name), .min = 1, .max = 64, .is_required = true,
     .help = "What listeners, `admin` and upstreams call it."},
    {"certificates", FB_CONF_SECTIONS, AT(edge_conf_tls, certificates),
     .section = &certificate_section, .max = FB_TLS_MAX_CERTIFICATES,
     .help =
         "Its own: needed to listen; to upstreams, the first one is shown if one is asked for."},
    {"authorities", FB_CONF_PATH, AT(edge_conf_tls, authorities),
     .help = "A PEM file. Whoever connects must have a certificate signed by one of these; so "
             "must upstreams, which by preset are held against what the system trusts."},
    {"min_version", FB_CONF_ENUM, AT(edge_conf_tls, min_version), .names = version_names,
     .preset = "1.2",
     .help = "The oldest version of TLS that is spoken; the newest is 1.3 with mbedTLS 3.6, "
             "else 1.2, as `--version` tells."},
    {"ciphers", FB_CONF_STRINGS, AT(edge_conf_tls, ciphers), .check = conf_check_cipher,
     .max = FB_TLS_MAX_CIPHERS, .check_all = fb_conf_check_distinct,
     .help = "Of TLS 1.2, most wanted first; all have forward secrecy and authenticate what they "
             "seal. TLS 1.3 takes its own from what these seal with. Unset: "
             "`TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256`, "
             "`TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256`, "
             "`TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384`, "
             "`TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384`, "
             "`TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256`, "
             "`TLS-ECDHE-RSA-WITH-CHACHA20-POLY1305-SHA256`; there are no others."},
    {"tickets", FB_CONF_DURATION, AT(edge_conf_tls, tickets), .max = 7 * DAY_MS, .preset = "12h",
     .help = "How long a client may resume a session without a full handshake; the key of the "
             "tickets changes as often. 0: never. With `authorities` none are given."},
    {0},
};

const struct fb_conf_section edge_conf_tls_section = {
    .name = "tls",
    .help = "What connections are secured with; listeners, `admin` and upstreams name one. The "
            "files are read again at each reload.",
    .size = sizeof(struct edge_conf_tls),
    .items = tls_items,
};

static int conf_check_hsts(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_hsts *hsts = conf;

    if (hsts->max_age == 0 && (hsts->include_subdomains || hsts->preload)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "without 'max_age' nothing is sent");
    }
    if (hsts->preload && (hsts->max_age < YEAR_MS || !hsts->include_subdomains)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'preload' needs 'include_subdomains' and a 'max_age' of 365d or more");
    }
    return FB_OK;
}

static const struct fb_conf_item hsts_items[] = {
    {"max_age", FB_CONF_DURATION, AT(edge_conf_hsts, max_age), .max = 10 * YEAR_MS, .preset = "0",
     .help = "For how long a browser that was here over TLS takes no other way, such as `365d`; 0: "
             "nothing is said. It cannot be taken back: be sure of TLS first."},
    {"include_subdomains", FB_CONF_BOOL, AT(edge_conf_hsts, include_subdomains), .preset = "false",
     .help = "For all names below the host as well."},
    {"preload", FB_CONF_BOOL, AT(edge_conf_hsts, preload), .preset = "false",
     .help = "Consents to browsers' built-in lists."},
    {0},
};

const struct fb_conf_section edge_conf_hsts_section = {
    .name = "hsts",
    .help = "Strict-Transport-Security (RFC 6797), of responses over TLS alone; in place of the "
            "upstream's.",
    .size = sizeof(struct edge_conf_hsts),
    .items = hsts_items,
    .check = conf_check_hsts,
};

/* ---- what is made of it ------------------------------------------------ */

static int read_pem(const struct fb_str *path, struct fb_buf *buf, struct fb_tls_pem *ret_pem,
                    struct fb_diag *diag)
{
    int err = fb_file_read_path(path->ptr, PEM_FILE_MAX, buf, diag);
    if (err < 0) {
        return fb_diag_blame(diag, err, path);
    }
    *ret_pem = (struct fb_tls_pem){.text = fb_buf_str(buf), .name = path->ptr};
    return FB_OK;
}

/* All of it as base/tls reads it, with the files' bytes. */
struct tls_files {
    struct fb_buf *bufs; /* owned; of each certificate two, and one of the authorities */
    size_t n_bufs;
    struct fb_tls_certificate *certificates; /* owned */
    struct fb_tls_pem authorities;
};

static void tls_files_done(struct tls_files *files)
{
    for (size_t i = 0; i < files->n_bufs; i++) {
        fb_tls_wipe(files->bufs[i].ptr, files->bufs[i].len);
        fb_buf_done(&files->bufs[i]);
    }
    fb_free(files->bufs);
    fb_free(files->certificates);
}

static int tls_files_read(struct tls_files *files, const struct edge_conf_tls *conf,
                          struct fb_diag *diag)
{
    size_t n = conf->certificates.n;
    int err = FB_OK;

    files->bufs = fb_alloc_array(2 * n + 1, sizeof(*files->bufs));
    files->certificates = fb_alloc_array(n, sizeof(*files->certificates));
    for (size_t i = 0; i < n && err == FB_OK; i++) {
        const struct edge_conf_certificate *one =
            FB_CONF_AT(struct edge_conf_certificate, conf->certificates, i);
        struct fb_tls_certificate *to = &files->certificates[i];
        err = read_pem(&one->chain, &files->bufs[files->n_bufs++], &to->chain, diag);
        if (err == FB_OK) {
            err = read_pem(&one->key, &files->bufs[files->n_bufs++], &to->key, diag);
        }
    }
    if (err == FB_OK && conf->authorities.ptr != NULL) {
        err =
            read_pem(&conf->authorities, &files->bufs[files->n_bufs++], &files->authorities, diag);
    }
    return err;
}

/* Of the entry, what `options` was made of that `diag` blames. */
static const void *tls_culprit(const struct edge_conf_tls *conf,
                               const struct fb_tls_options *options, const struct fb_diag *diag)
{
    for (size_t i = 0; i < options->n_certificates; i++) {
        const struct edge_conf_certificate *one =
            FB_CONF_AT(struct edge_conf_certificate, conf->certificates, i);
        if (diag->culprit == &options->certificates[i].chain) {
            return &one->chain;
        }
        if (diag->culprit == &options->certificates[i].key) {
            return &one->key;
        }
    }
    return diag->culprit == &options->authorities   ? (const void *)&conf->authorities
           : diag->culprit == &options->min_version ? (const void *)&conf->min_version
                                                    : conf;
}

/* `from` is what the program has, or a copy of it with what it leaves unsaid. */
static int tls_config_new(const struct edge_conf_tls *from, struct fb_tls_options *options,
                          const struct edge_conf_tls *entry, struct fb_tls_config **ret_config,
                          struct fb_diag *diag)
{
    FB_AUTO(tls_files_done) struct tls_files files = {.n_bufs = 0};

    int err = tls_files_read(&files, from, diag);
    if (err == FB_OK) {
        options->certificates = files.certificates;
        options->authorities = files.authorities;
        options->min_version = from->min_version == 0 ? FB_TLS_1_2 : FB_TLS_1_3;
        options->ciphers = from->ciphers.items;
        options->n_ciphers = from->ciphers.n;
        err = fb_tls_config_new(options, ret_config, diag);
        if (err < 0 && diag != NULL && entry != NULL) {
            diag->culprit = tls_culprit(entry, options, diag);
        }
    }
    return err < 0 ? fb_diag_prefix(diag, err, "tls '%.*s'", FB_STR_ARG(from->name)) : FB_OK;
}

int edge_conf_tls_server(const struct edge_conf_tls *conf, bool has_http2,
                         struct fb_tls_tickets *tickets, struct fb_tls_config **ret_config,
                         struct fb_diag *diag)
{
    /* What both sides may agree on after the handshake, most wanted first. */
    static const char *const protocols[] = {"h2", "http/1.1"};
    struct fb_tls_options options = {
        .n_certificates = conf->certificates.n,
        .protocols = has_http2 ? protocols : protocols + 1,
        .n_protocols = has_http2 ? FB_ARRAY_LEN(protocols) : 1,
        .tickets = tickets,
    };

    return tls_config_new(conf, &options, conf, ret_config, diag);
}

static bool has_https(const struct fb_conf_list *upstreams)
{
    for (size_t i = 0; i < upstreams->n; i++) {
        if (edge_conf_is_https(FB_CONF_AT(struct edge_conf_upstream, *upstreams, i))) {
            return true;
        }
    }
    return false;
}

bool edge_conf_has_tls(const struct edge_conf *conf)
{
    bool has = conf->tls.n > 0 || has_https(&conf->upstreams) || has_https(&conf->reports.to);

    for (size_t i = 0; i < conf->sites.n && !has; i++) {
        has = has_https(&FB_CONF_AT(struct edge_conf_site, conf->sites, i)->upstreams);
    }
    return has;
}

/* What Debian's package ca-certificates keeps. */
static const char *const system_authorities = "/etc/ssl/certs/ca-certificates.crt";

/* Those that are offered to an upstream; the first `n` of what is returned. */
static const char *const *offered(enum fb_client_protocol protocol, size_t *ret_n)
{
    static const char *const names[] = {"h2", "http/1.1"};

    *ret_n = protocol == FB_CLIENT_AUTO ? 2 : 1;
    return protocol == FB_CLIENT_HTTP1 ? names + 1 : names;
}

int edge_conf_tls_client(const struct edge_conf_tls *conf, enum fb_client_protocol protocol,
                         struct fb_tls_config **ret_config, struct fb_diag *diag)
{
    size_t n_protocols = 0;
    const char *const *protocols = offered(protocol, &n_protocols);
    struct edge_conf_tls system = {
        .name = FB_STR("of the system"),
        .authorities = {system_authorities, strlen(system_authorities)},
    };

    if (conf != NULL) {
        struct fb_str authorities = system.authorities;
        system = *conf;
        system.authorities = conf->authorities.ptr != NULL ? conf->authorities : authorities;
    }
    struct fb_tls_options options = {
        .is_client = true,
        .n_certificates = FB_MIN(system.certificates.n, 1),
        .protocols = protocols,
        .n_protocols = n_protocols,
    };
    return tls_config_new(&system, &options, conf, ret_config, diag);
}

struct fb_str edge_conf_hsts(struct fb_arena *arena, const struct edge_conf_hsts *conf)
{
    char text[80];

    if (conf->max_age == 0) {
        return FB_STR_NONE;
    }
    int len = snprintf(text, sizeof(text), "max-age=%" PRIu64 "%s%s", conf->max_age / 1000,
                       conf->include_subdomains ? "; includeSubDomains" : "",
                       conf->preload ? "; preload" : "");
    return fb_arena_dup(arena, (struct fb_str){text, (size_t)len});
}
