#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/http/url.h"
#include "base/sys/file.h"
#include "edge/access/access.h"
#include "edge/access/cors.h"
#include "edge/config/config_internal.h"

#include <stdio.h>

#define AT(type, member) offsetof(struct type, member)

enum { KEY_FILE_MAX = 8192 };

/* ---- checks ------------------------------------------------------------ */

static int access_check_name(struct fb_str value, struct fb_diag *diag)
{
    if (value.len > 0 && !fb_is_token(value)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "a name of letters, digits and '-' is expected");
    }
    return FB_OK;
}

static int access_check_path(struct fb_str value, struct fb_diag *diag)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_str normal;

    if (value.len == 0 || value.ptr[0] != '/' || fb_path_normalise(&arena, value, &normal) < 0 ||
        !fb_str_equal(normal, value)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "a path in its normal form is expected, such as /posters/");
    }
    return FB_OK;
}

static int access_check_key(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_access_key *key = conf;
    int n =
        (key->secret.ptr != NULL) + (key->secret_file.ptr != NULL) + (key->key_file.ptr != NULL);

    if (n != 1) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "exactly one of 'secret', 'secret_file' and 'key_file' is expected");
    }
    if (key->algorithm == EDGE_ACCESS_URL && key->key_file.ptr != NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'key_file' is for tokens: a key of signed URLs is a 'secret_file'");
    }
    if (key->algorithm == EDGE_ACCESS_ES256 && key->key_file.ptr == NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'ES256' needs a 'key_file': a public key");
    }
    return FB_OK;
}

static int access_check_keys(const struct fb_conf_list *list, size_t *ret_entry,
                             struct fb_diag *diag)
{
    return fb_conf_check_distinct_by(list, FB_CONF_TEXT("key", edge_conf_access_key, id), ret_entry,
                                     diag);
}

static int access_check(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_access *access = conf;
    bool has_jwt = false;

    for (size_t i = 0; i < access->keys.n; i++) {
        has_jwt |=
            FB_CONF_AT(struct edge_conf_access_key, access->keys, i)->algorithm != EDGE_ACCESS_URL;
    }
    if (access->keys.n == 0 && (access->open.n > 0 || access->in_path)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "without 'keys' everybody is served, and the rest means nothing");
    }
    if (!has_jwt && (access->audience.len > 0 || access->issuer.len > 0)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'audience' and 'issuer' need a key of HS256 or ES256");
    }
    return FB_OK;
}

static int cors_check_token(struct fb_str value, struct fb_diag *diag)
{
    if (!fb_is_token(value)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' is no name of a method or field",
                           FB_STR_ARG(value));
    }
    return FB_OK;
}

static int cors_check(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_cors *cors = conf;

    for (size_t i = 0; i < cors->origins.n; i++) {
        bool is_any = fb_str_equal(*FB_CONF_AT(struct fb_str, cors->origins, i), FB_STR("*"));
        if (is_any && cors->origins.n > 1) {
            return fb_diag_set(diag, FB_E_MALFORMED, "'*' stands for all origins: list it alone");
        }
        if (is_any && cors->credentials) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "browsers refuse '*' with 'credentials': list the origins");
        }
    }
    return FB_OK;
}

/* ---- tables ------------------------------------------------------------ */

static const char *const algorithm_names[] = {[EDGE_ACCESS_URL] = "signed-url",
                                              [EDGE_ACCESS_HS256] = "HS256",
                                              [EDGE_ACCESS_ES256] = "ES256",
                                              NULL};

static const struct fb_conf_item key_items[] = {
    {"id", FB_CONF_STRING, AT(edge_conf_access_key, id), .min = 1, .max = EDGE_ACCESS_KEY_ID_MAX,
     .is_required = true, .check = edge_access_check_id,
     .help = "What tokens name it by: `kid`. Letters, digits, `.`, `_` and `-`."},
    {"algorithm", FB_CONF_ENUM, AT(edge_conf_access_key, algorithm), .names = algorithm_names,
     .preset = "signed-url",
     .help = "What it signs, and how: `signed-url` (HMAC-SHA-256), or JWTs of `HS256` or `ES256`."},
    {"secret", FB_CONF_STRING, AT(edge_conf_access_key, secret), .min = EDGE_ACCESS_SECRET_MIN,
     .max = 1024, .is_secret = true, .help = "The secret itself; better a `secret_file`."},
    {"secret_file", FB_CONF_PATH, AT(edge_conf_access_key, secret_file),
     .probe = edge_conf_probe_read,
     .help = "A file whose first line is the secret, of 16 bytes or more."},
    {"key_file", FB_CONF_PATH, AT(edge_conf_access_key, key_file), .probe = edge_conf_probe_read,
     .help = "A file with the public key of `ES256` (PEM or JWK), or a JWK for `HS256`."},
    {0},
};

static const struct fb_conf_section key_section = {
    .name = "keys",
    .help = "Keys that are in force together, so that one can take another's place: add the new "
            "one, sign with it, and take the old one out when its last token has expired. Files "
            "are read at the start and with each reload.",
    .size = sizeof(struct edge_conf_access_key),
    .items = key_items,
    .check = access_check_key,
};

static const struct fb_conf_item access_items[] = {
    {"keys", FB_CONF_SECTIONS, AT(edge_conf_access, keys), .section = &key_section,
     .max = EDGE_ACCESS_KEYS_MAX, .check_all = access_check_keys, .help = "Whose tokens are good."},
    {"parameter", FB_CONF_STRING, AT(edge_conf_access, parameter), .max = 64,
     .check = access_check_name, .preset = "token",
     .help = "The query parameter that a token comes in. It is no part of the key, is not sent "
             "upstream and not logged."},
    {"cookie", FB_CONF_STRING, AT(edge_conf_access, cookie), .max = 64, .check = access_check_name,
     .help = "The cookie that it may come in; none if unset. It is not sent upstream either."},
    {"in_path", FB_CONF_BOOL, AT(edge_conf_access, in_path), .preset = "false",
     .help = "The first segment of a path may be the token of a signed URL, so that relative URLs "
             "in playlists keep it."},
    {"open", FB_CONF_STRINGS, AT(edge_conf_access, open), .check = access_check_path, .max = 64,
     .check_all = fb_conf_check_distinct,
     .help = "Paths that need no token: each, and all below it."},
    {"leeway", FB_CONF_DURATION, AT(edge_conf_access, leeway), .max = 600000, .preset = "5s",
     .help = "Clocks may differ so much: a token is good earlier and later by this."},
    {"audience", FB_CONF_STRING, AT(edge_conf_access, audience), .max = 256,
     .help = "What a JWT's `aud` must be or hold; any, or none, if unset."},
    {"issuer", FB_CONF_STRING, AT(edge_conf_access, issuer), .max = 256,
     .help = "What its `iss` must be; likewise."},
    {0},
};

const struct fb_conf_section edge_conf_access_section = {
    .name = "access",
    .help = "Which requests are served: those with a token that one of the `keys` has signed, for "
            "the path, until it expires; others are answered 401 or 403. What is kept is the same "
            "for all of them. A node below, that this one serves, has no token: say `access` where "
            "players come. See docs/signed-urls.md.",
    .size = sizeof(struct edge_conf_access),
    .items = access_items,
    .check = access_check,
};

static const struct fb_conf_item cors_items[] = {
    {"origins", FB_CONF_STRINGS, AT(edge_conf_cors, origins), .check = edge_cors_check_origin,
     .check_all = fb_conf_check_distinct,
     .help = "`[\"*\"]` for all pages, or the origins of those that may: `https://player.example`, "
             "`https://*.example`."},
    {"methods", FB_CONF_STRINGS, AT(edge_conf_cors, methods), .check = cors_check_token,
     .preset = "[GET, HEAD]", .help = "With which methods."},
    {"headers", FB_CONF_STRINGS, AT(edge_conf_cors, headers), .check = cors_check_token,
     .preset = "[Range, Authorization, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status]",
     .help = "Which fields their requests may have."},
    {"expose", FB_CONF_STRINGS, AT(edge_conf_cors, expose), .check = cors_check_token,
     .preset = "[Content-Length, Content-Range, Date, Age, ETag, Cache-Status, Retry-After]",
     .help = "Which fields of responses they may read."},
    {"max_age", FB_CONF_DURATION, AT(edge_conf_cors, max_age), .max = 86400000, .preset = "2h",
     .help = "How long a browser need not ask again."},
    {"credentials", FB_CONF_BOOL, AT(edge_conf_cors, credentials), .preset = "false",
     .help = "Also with cookies; then `origins` must be listed."},
    {0},
};

const struct fb_conf_section edge_conf_cors_section = {
    .name = "cors",
    .help = "Which pages of other origins may read responses. With `origins`, preflights are "
            "answered here, fields of the upstream that speak of CORS are replaced, in errors too, "
            "and `Origin` is not sent upstream with GET and HEAD.",
    .size = sizeof(struct edge_conf_cors),
    .items = cors_items,
    .check = cors_check,
};

/* ---- keys from files ----------------------------------------------------- */

static int key_read(const struct edge_conf_access_key *conf, struct fb_buf *buf,
                    struct edge_access_key *key, struct fb_diag *diag)
{
    bool is_text = conf->key_file.ptr != NULL;
    const char *path = is_text ? conf->key_file.ptr : conf->secret_file.ptr;

    *key = (struct edge_access_key){.id = conf->id,
                                    .algorithm = (enum edge_access_algorithm)conf->algorithm,
                                    .secret = conf->secret};
    if (path == NULL) {
        return FB_OK;
    }
    int err = fb_file_read_path(path, KEY_FILE_MAX, buf, diag);
    if (err < 0) {
        (void)fb_diag_blame(diag, err, is_text ? &conf->key_file : &conf->secret_file);
        return fb_diag_prefix(diag, err, "key '%.*s'", FB_STR_ARG(conf->id));
    }
    struct fb_str text = fb_buf_str(buf);
    if (is_text) {
        key->text = text;
        return FB_OK;
    }
    text = fb_str_first(text, fb_str_find(text, '\n'));
    key->secret = fb_str_ends_with(text, FB_STR("\r")) ? fb_str_first(text, text.len - 1) : text;
    return FB_OK;
}

int edge_conf_access(const struct edge_conf_access *conf, struct fb_str name,
                     struct edge_access **ret_access, struct fb_diag *diag)
{
    struct fb_buf texts[EDGE_ACCESS_KEYS_MAX] = {0};
    struct edge_access_key keys[EDGE_ACCESS_KEYS_MAX];
    size_t n = FB_MIN(conf->keys.n, (size_t)EDGE_ACCESS_KEYS_MAX);
    int err = FB_OK;

    if (n == 0) {
        return FB_OK;
    }
    for (size_t i = 0; i < n && err == FB_OK; i++) {
        err = key_read(FB_CONF_AT(struct edge_conf_access_key, conf->keys, i), &texts[i], &keys[i],
                       diag);
    }
    if (err == FB_OK) {
        err = edge_access_new(&(struct edge_access_spec){.realm = name,
                                                         .keys = keys,
                                                         .n_keys = n,
                                                         .parameter = conf->parameter,
                                                         .cookie = conf->cookie,
                                                         .in_path = conf->in_path,
                                                         .open = conf->open.items,
                                                         .n_open = conf->open.n,
                                                         .leeway_s = (int64_t)(conf->leeway / 1000),
                                                         .audience = conf->audience,
                                                         .issuer = conf->issuer},
                              ret_access, diag);
    }
    for (size_t i = 0; i < n; i++) {
        fb_buf_done(&texts[i]);
        if (err < 0 && diag != NULL && diag->culprit == &keys[i]) {
            diag->culprit = FB_CONF_AT(struct edge_conf_access_key, conf->keys, i);
        }
    }
    return err < 0 ? fb_diag_prefix(diag, err, "site '%.*s'", FB_STR_ARG(name)) : FB_OK;
}

/* ---- CORS ---------------------------------------------------------------- */

static struct fb_str cors_list(struct fb_arena *arena, const struct fb_conf_list *list)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    for (size_t i = 0; i < list->n; i++) {
        fb_buf_append(&text, i == 0 ? FB_STR("") : FB_STR(", "));
        fb_buf_append(&text, *FB_CONF_AT(struct fb_str, *list, i));
    }
    return fb_arena_dup(arena, fb_buf_str(&text));
}

const struct edge_cors *edge_conf_cors(struct fb_arena *arena, const struct edge_conf_cors *conf)
{
    char seconds[24];

    if (conf->origins.n == 0) {
        return NULL;
    }
    struct edge_cors *cors = fb_arena_alloc(arena, sizeof(*cors));
    (void)snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)(conf->max_age / 1000));
    *cors = (struct edge_cors){
        .is_any = fb_str_equal(*FB_CONF_AT(struct fb_str, conf->origins, 0), FB_STR("*")),
        .origins = conf->origins.items,
        .n_origins = conf->origins.n,
        .methods = cors_list(arena, &conf->methods),
        .headers = cors_list(arena, &conf->headers),
        .expose = cors_list(arena, &conf->expose),
        .max_age = fb_arena_dup(arena, fb_str_from(seconds)),
        .has_credentials = conf->credentials,
    };
    return cors;
}
