#include "edge/access/access_internal.h"

static const char *const cause_names[EDGE_ACCESS_N_CAUSES] = {
    [EDGE_ACCESS_GRANTED] = "granted",
    [EDGE_ACCESS_MISSING] = "missing",
    [EDGE_ACCESS_MALFORMED] = "malformed",
    [EDGE_ACCESS_UNKNOWN_KEY] = "unknown-key",
    [EDGE_ACCESS_FORGED] = "forged",
    [EDGE_ACCESS_EXPIRED] = "expired",
    [EDGE_ACCESS_EARLY] = "early",
    [EDGE_ACCESS_OTHER_AUDIENCE] = "other-audience",
    [EDGE_ACCESS_OTHER_NETWORK] = "other-network",
    [EDGE_ACCESS_OTHER_PATH] = "other-path",
};

const char *edge_access_cause_name(enum edge_access_cause cause)
{
    return cause_names[cause];
}

/* Whoever cannot sign learns nothing of keys: those three read alike. */
static const struct {
    const char *slug;
    const char *detail;
} refusals[EDGE_ACCESS_N_CAUSES] = {
    [EDGE_ACCESS_GRANTED] = {"", ""},
    [EDGE_ACCESS_MISSING] = {"token-missing", "this needs a token, and the request brings none"},
    [EDGE_ACCESS_MALFORMED] = {"token-invalid", "the token is none that is accepted here"},
    [EDGE_ACCESS_UNKNOWN_KEY] = {"token-invalid", "the token is none that is accepted here"},
    [EDGE_ACCESS_FORGED] = {"token-invalid", "the token is none that is accepted here"},
    [EDGE_ACCESS_EXPIRED] = {"token-expired", "the token has expired"},
    [EDGE_ACCESS_EARLY] = {"token-early", "the token is not good yet"},
    [EDGE_ACCESS_OTHER_AUDIENCE] = {"token-other-audience", "the token is for somebody else"},
    [EDGE_ACCESS_OTHER_NETWORK] = {"token-other-network",
                                   "the token is for another network than the request came from"},
    [EDGE_ACCESS_OTHER_PATH] = {"token-other-path", "the token is for other paths"},
};

static bool cause_is_about_rights(enum edge_access_cause cause)
{
    return cause == EDGE_ACCESS_OTHER_AUDIENCE || cause == EDGE_ACCESS_OTHER_NETWORK ||
           cause == EDGE_ACCESS_OTHER_PATH;
}

/* Bearer realm="…", with an error where there was a token (RFC 6750 section 3). */
static struct fb_str challenge_of(const struct edge_access *access, struct fb_arena *arena,
                                  enum edge_access_cause cause)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_str realm = access->spec.realm;

    fb_buf_append(&text, FB_STR("Bearer realm=\""));
    for (size_t i = 0; i < realm.len; i++) {
        if (realm.ptr[i] != '"' && realm.ptr[i] != '\\') {
            fb_buf_append_byte(&text, realm.ptr[i]);
        }
    }
    fb_buf_append_byte(&text, '"');
    if (cause_is_about_rights(cause)) {
        fb_buf_append(&text, FB_STR(", error=\"insufficient_scope\""));
    } else if (cause != EDGE_ACCESS_MISSING) {
        fb_buf_append(&text, FB_STR(", error=\"invalid_token\""));
    }
    return fb_arena_dup(arena, fb_buf_str(&text));
}

struct edge_access_refusal edge_access_refuse(const struct edge_access *access,
                                              struct fb_arena *arena, enum edge_access_cause cause,
                                              enum edge_access_place place)
{
    struct edge_access_refusal refusal = {
        .status = 403, .slug = refusals[cause].slug, .detail = refusals[cause].detail};

    if (access->has_jwt && (place == EDGE_ACCESS_BEARER || place == EDGE_ACCESS_NOWHERE)) {
        refusal.status = cause_is_about_rights(cause) ? 403 : 401;
        refusal.challenge = challenge_of(access, arena, cause);
    }
    return refusal;
}
