#include "base/core/err.h"
#include "base/json/json.h"
#include "edge/access/access_internal.h"

/* ---- signatures -------------------------------------------------------- */

static bool jwt_key_may_be(const struct access_key *key, const struct fb_jose_header *header)
{
    enum fb_jose_algorithm algorithm =
        key->algorithm == EDGE_ACCESS_ES256 ? FB_JOSE_ES256 : FB_JOSE_HS256;
    struct fb_str kid = {header->kid, header->kid_len};

    return key->algorithm != EDGE_ACCESS_URL && algorithm == header->algorithm &&
           (kid.len == 0 || fb_str_equal(kid, key->id));
}

/* With the key that the token names, or if it names none any that it may mean. */
static enum edge_access_cause jwt_open(const struct edge_access *access, struct fb_str token,
                                       struct fb_buf *claims)
{
    enum edge_access_cause cause = EDGE_ACCESS_UNKNOWN_KEY;
    struct fb_jose_header header;

    if (token.len > EDGE_ACCESS_TOKEN_MAX || fb_jose_header_read(token, &header) < 0) {
        return EDGE_ACCESS_MALFORMED;
    }
    for (size_t i = 0; i < access->n_keys; i++) {
        if (!jwt_key_may_be(&access->keys[i], &header)) {
            continue;
        }
        if (fb_jose_verify(access->keys[i].jose, token, claims) == FB_OK) {
            return EDGE_ACCESS_GRANTED;
        }
        cause = EDGE_ACCESS_FORGED;
    }
    return cause;
}

/* ---- claims ------------------------------------------------------------ */

/* A NumericDate, which may have a fraction (RFC 7519 section 2). */
static bool claim_seconds(const struct fb_json *claims, const char *name, int64_t *ret_seconds)
{
    const double bound = 1e15;
    const struct fb_json *claim = fb_json_find(claims, name);
    double seconds = fb_json_real(claim, -1);

    if (!(seconds >= 0 && seconds < bound)) {
        return false;
    }
    *ret_seconds = (int64_t)seconds;
    return true;
}

/* A string, or an array that holds it. */
static bool claim_has(const struct fb_json *claim, struct fb_str wanted)
{
    if (fb_json_type(claim) == FB_JSON_STR) {
        return fb_str_equal(fb_json_str(claim), wanted);
    }
    for (size_t i = 0; i < fb_json_count(claim) && fb_json_type(claim) == FB_JSON_ARRAY; i++) {
        struct fb_str text = fb_json_str(fb_json_at(claim, i));
        if (text.ptr != NULL && fb_str_equal(text, wanted)) {
            return true;
        }
    }
    return false;
}

/* Without the claim, all of the site. */
static bool claims_paths(const struct fb_json *claims, struct edge_access_grant *grant)
{
    const struct fb_json *claim = fb_json_find(claims, "path");

    if (claim == NULL) {
        return true;
    }
    if (fb_json_type(claim) == FB_JSON_STR) {
        return edge_access_grant_path(grant, fb_json_str(claim)) == FB_OK;
    }
    size_t n = fb_json_count(claim);
    if (fb_json_type(claim) != FB_JSON_ARRAY || n == 0 || n > EDGE_ACCESS_PATHS_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (edge_access_grant_path(grant, fb_json_str(fb_json_at(claim, i))) < 0) {
            return false;
        }
    }
    return true;
}

static bool claims_network(const struct fb_json *claims, struct edge_access_grant *grant)
{
    const struct fb_json *claim = fb_json_find(claims, "net");

    grant->has_network = claim != NULL;
    return claim == NULL || fb_network_parse(fb_json_str(claim), &grant->network, NULL) == FB_OK;
}

enum edge_access_cause edge_access_verify_jwt(const struct edge_access *access, struct fb_str token,
                                              struct edge_access_grant *grant)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_json_freep) struct fb_json *claims = NULL;

    enum edge_access_cause cause = jwt_open(access, token, &text);
    if (cause != EDGE_ACCESS_GRANTED) {
        return cause;
    }
    grant->not_before_s = INT64_MIN;
    if (fb_json_parse(fb_buf_str(&text), EDGE_ACCESS_TOKEN_MAX, &claims, NULL) < 0 ||
        fb_json_type(claims) != FB_JSON_OBJECT ||
        !claim_seconds(claims, "exp", &grant->expires_s) ||
        (fb_json_find(claims, "nbf") != NULL &&
         !claim_seconds(claims, "nbf", &grant->not_before_s)) ||
        !claims_paths(claims, grant) || !claims_network(claims, grant)) {
        return EDGE_ACCESS_MALFORMED;
    }
    const struct edge_access_spec *spec = &access->spec;
    if ((spec->audience.len > 0 && !claim_has(fb_json_find(claims, "aud"), spec->audience)) ||
        (spec->issuer.len > 0 &&
         !fb_str_equal(fb_json_str(fb_json_find(claims, "iss")), spec->issuer))) {
        return EDGE_ACCESS_OTHER_AUDIENCE;
    }
    fb_buf_append(&grant->subject, fb_json_str(fb_json_find(claims, "sub")));
    return EDGE_ACCESS_GRANTED;
}
