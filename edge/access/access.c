#include "edge/access/access.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/access/access_internal.h"

/* ---- keys -------------------------------------------------------------- */

static bool id_is_good(struct fb_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!is_plain) {
            return false;
        }
    }
    return id.len > 0 && id.len <= EDGE_ACCESS_KEY_ID_MAX;
}

int edge_access_check_id(struct fb_str id, struct fb_diag *diag)
{
    if (!id_is_good(id)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "a key's id is 1 to %d letters, digits, '.', '_' and '-'",
                           EDGE_ACCESS_KEY_ID_MAX);
    }
    return FB_OK;
}

/* A JWK or a public key in PEM, for the algorithm that is written. */
static int key_parse(struct access_key *key, struct fb_str text, struct fb_diag *diag)
{
    int err = fb_jose_key_parse(text, &key->jose, diag);
    if (err < 0) {
        return err;
    }
    bool is_es256 = fb_jose_key_algorithm(key->jose) == FB_JOSE_ES256;
    if (is_es256 != (key->algorithm == EDGE_ACCESS_ES256)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the file holds a key for %s",
                           is_es256 ? "ES256" : "HS256");
    }
    if (is_es256 && fb_jose_key_is_private(key->jose)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "the file holds a private key: whoever only verifies needs the public "
                           "one");
    }
    return FB_OK;
}

static int key_init(struct edge_access *access, struct access_key *key,
                    const struct edge_access_key *spec, struct fb_diag *diag)
{
    key->id = fb_arena_dup(&access->arena, spec->id);
    key->algorithm = spec->algorithm;
    access->has_jwt |= key->algorithm != EDGE_ACCESS_URL;
    access->has_costly |= key->algorithm == EDGE_ACCESS_ES256;
    if (spec->text.len > 0) {
        return key_parse(key, spec->text, diag);
    }
    if (spec->secret.len < EDGE_ACCESS_SECRET_MIN) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the secret has less than %d bytes",
                           EDGE_ACCESS_SECRET_MIN);
    }
    if (key->algorithm == EDGE_ACCESS_URL) {
        key->secret = fb_arena_dup(&access->arena, spec->secret);
        return FB_OK;
    }
    return fb_jose_key_of_secret(spec->secret, &key->jose);
}

static int access_add_keys(struct edge_access *access, const struct edge_access_spec *spec,
                           struct fb_diag *diag)
{
    for (size_t i = 0; i < spec->n_keys; i++) {
        struct fb_str id = spec->keys[i].id;
        int err = edge_access_check_id(id, diag);
        for (size_t j = 0; j < i && err == FB_OK; j++) {
            if (fb_str_equal(access->keys[j].id, id)) {
                err = fb_diag_set(diag, FB_E_MALFORMED, "it is listed twice");
            }
        }
        if (err == FB_OK) {
            access->n_keys++;
            err = key_init(access, &access->keys[i], &spec->keys[i], diag);
        }
        if (err < 0) {
            (void)fb_diag_blame(diag, err, &spec->keys[i]);
            return fb_diag_prefix(diag, err, "key '%.*s'", FB_STR_ARG(id));
        }
    }
    return FB_OK;
}

/* ---- the whole --------------------------------------------------------- */

static void access_copy(struct edge_access *access, const struct edge_access_spec *spec)
{
    struct fb_arena *arena = &access->arena;
    struct fb_str *open = fb_arena_alloc(arena, spec->n_open * sizeof(*open));

    for (size_t i = 0; i < spec->n_open; i++) {
        open[i] = fb_arena_dup(arena, spec->open[i]);
    }
    access->spec = *spec;
    access->spec.keys = NULL;
    access->spec.open = open;
    access->spec.realm = fb_arena_dup(arena, spec->realm);
    access->spec.parameter = fb_arena_dup(arena, spec->parameter);
    access->spec.cookie = fb_arena_dup(arena, spec->cookie);
    access->spec.audience = fb_arena_dup(arena, spec->audience);
    access->spec.issuer = fb_arena_dup(arena, spec->issuer);
}

int edge_access_new(const struct edge_access_spec *spec, struct edge_access **ret_access,
                    struct fb_diag *diag)
{
    if (spec->n_keys == 0 || spec->n_keys > EDGE_ACCESS_KEYS_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "1 to %d keys are expected", EDGE_ACCESS_KEYS_MAX);
    }
    struct edge_access *access = fb_alloc(sizeof(*access) + spec->n_keys * sizeof(access->keys[0]));
    atomic_init(&access->n_refs, 1);
    access_copy(access, spec);
    int err = access_add_keys(access, spec, diag);
    if (err < 0) {
        edge_access_unref(access);
        return err;
    }
    *ret_access = access;
    return FB_OK;
}

struct edge_access *edge_access_ref(struct edge_access *access)
{
    if (access != NULL) {
        atomic_fetch_add_explicit(&access->n_refs, 1, memory_order_relaxed);
    }
    return access;
}

void edge_access_unref(struct edge_access *access)
{
    if (access == NULL ||
        atomic_fetch_sub_explicit(&access->n_refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < access->n_keys; i++) {
        fb_jose_key_free(access->keys[i].jose);
    }
    fb_arena_done(&access->arena);
    fb_free(access);
}
