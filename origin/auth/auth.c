#include "origin/auth/auth.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "base/sys/random.h"
#include "origin/auth/limiter.h"
#include "origin/auth/token.h"
#include "origin/catalog/refresh_tokens.h"
#include "origin/catalog/users.h"

#include <string.h>

enum { REFRESH_BYTES = 32, REFRESH_LEN = 43, LOCAL_PART_MAX = 64, LABEL_MAX = 63 };

#define DEFAULT_ACCESS_MS  (15ULL * 60 * 1000)
#define DEFAULT_REFRESH_MS (30ULL * 24 * 3600 * 1000)

struct origin_auth {
    struct origin_auth_options options;
    struct origin_token_key *key;       /* owned */
    struct origin_passwords *passwords; /* owned */
    struct origin_limiter *accounts;    /* owned */
    struct origin_limiter *peers;       /* owned */
};

int origin_auth_open(const struct origin_auth_options *options, struct origin_auth **ret_auth,
                     struct fb_diag *diag)
{
    struct origin_auth *auth = FB_NEW(struct origin_auth);

    auth->options = *options;
    auth->options.access_ms = options->access_ms != 0 ? options->access_ms : DEFAULT_ACCESS_MS;
    auth->options.refresh_ms = options->refresh_ms != 0 ? options->refresh_ms : DEFAULT_REFRESH_MS;
    auth->accounts = origin_limiter_new(&(struct origin_limiter_options){
        .clock = options->clock,
        .burst = ORIGIN_AUTH_ACCOUNT_BURST,
        .refill_ms = ORIGIN_AUTH_ACCOUNT_REFILL_MS,
        .max_keys = ORIGIN_AUTH_MAX_KEYS,
    });
    auth->peers = origin_limiter_new(&(struct origin_limiter_options){
        .clock = options->clock,
        .burst = ORIGIN_AUTH_PEER_BURST,
        .refill_ms = ORIGIN_AUTH_PEER_REFILL_MS,
        .max_keys = ORIGIN_AUTH_MAX_KEYS,
    });
    int err = origin_token_key_new(options->secret, &auth->key);
    if (err == FB_OK) {
        err = origin_passwords_new(&options->passwords, &auth->passwords);
    }
    if (err < 0) {
        origin_auth_close(auth);
        return fb_diag_set(diag, err, "set up accounts: %s", fb_err_text(err));
    }
    *ret_auth = auth;
    return FB_OK;
}

void origin_auth_close(struct origin_auth *auth)
{
    if (auth == NULL) {
        return;
    }
    origin_passwords_free(auth->passwords);
    origin_token_key_free(auth->key);
    origin_limiter_free(auth->peers);
    origin_limiter_free(auth->accounts);
    fb_free(auth);
}

void origin_session_done(struct origin_session *session)
{
    fb_buf_done(&session->access);
    fb_buf_done(&session->refresh);
}

/* ---- what people type ----------------------------------------------------- */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool domain_is_good(struct fb_str domain)
{
    struct fb_str label;
    unsigned n_labels = 0;

    while (fb_str_cut(&domain, '.', &label)) {
        if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' ||
            label.ptr[label.len - 1] == '-') {
            return false;
        }
        for (size_t i = 0; i < label.len; i++) {
            if (!is_letter_or_digit(label.ptr[i]) && label.ptr[i] != '-') {
                return false;
            }
        }
        n_labels++;
    }
    return n_labels >= 2;
}

static bool local_part_is_good(struct fb_str local)
{
    for (size_t i = 0; i < local.len; i++) {
        if (local.ptr[i] == '\0' || (!is_letter_or_digit(local.ptr[i]) &&
                                     strchr(".!#$%&'*+/=?^_`{|}~-", local.ptr[i]) == NULL)) {
            return false;
        }
    }
    return local.len > 0 && local.len <= LOCAL_PART_MAX && local.ptr[0] != '.' &&
           local.ptr[local.len - 1] != '.';
}

/* The address in lower case, checked as HTML's input[type=email] does, but for
 * a domain of two labels at least. */
static int email_normalise(struct fb_str email, char ret_email[ORIGIN_EMAIL_MAX + 1])
{
    email = fb_str_trim(email);
    if (email.len == 0 || email.len > ORIGIN_EMAIL_MAX) {
        return FB_E_MALFORMED;
    }
    for (size_t i = 0; i < email.len; i++) {
        char c = email.ptr[i];
        ret_email[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    ret_email[email.len] = '\0';
    struct fb_str lower = {ret_email, email.len};
    size_t at = fb_str_find(lower, '@');
    return local_part_is_good(fb_str_first(lower, at)) && domain_is_good(fb_str_skip(lower, at + 1))
               ? FB_OK
               : FB_E_MALFORMED;
}

static int password_check_form(struct fb_str password, struct fb_diag *diag)
{
    if (password.len < ORIGIN_AUTH_PASSWORD_MIN || password.len > ORIGIN_AUTH_PASSWORD_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the password must have %d to %d bytes",
                           ORIGIN_AUTH_PASSWORD_MIN, ORIGIN_AUTH_PASSWORD_MAX);
    }
    if (!fb_text_is_utf8(password)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the password is not UTF-8");
    }
    return FB_OK;
}

static int attempt_spend(struct origin_auth *auth, struct fb_str email, struct fb_str peer,
                         uint32_t *ret_wait_ms)
{
    int err = origin_limiter_spend(auth->peers, peer, ret_wait_ms);
    return err < 0 ? err : origin_limiter_spend(auth->accounts, email, ret_wait_ms);
}

/* ---- sessions ------------------------------------------------------------- */

/* A new refresh token in `text`, and what is kept of it. */
static struct origin_refresh_token refresh_draw(struct origin_auth *auth, struct fb_buf *text)
{
    struct origin_refresh_token token;
    char bytes[REFRESH_BYTES];

    fb_random_bytes(bytes, sizeof(bytes));
    fb_base64_encode(text, FB_BASE64_URL, (struct fb_str){bytes, sizeof(bytes)});
    fb_sha256(fb_buf_str(text), token.hash);
    token.expires_ms = fb_clock_wall_ms(auth->options.clock) + (int64_t)auth->options.refresh_ms;
    return token;
}

static int access_issue(struct origin_auth *auth, const struct origin_id *user,
                        struct origin_session *session)
{
    int64_t now_ms = fb_clock_wall_ms(auth->options.clock);

    session->expires_in_s = auth->options.access_ms / 1000;
    return origin_token_issue(auth->key, user, now_ms, now_ms + (int64_t)auth->options.access_ms,
                              &session->access);
}

static void session_take(struct origin_session *session, struct origin_session *ret_session)
{
    *ret_session = *session;
    *session = (struct origin_session){.expires_in_s = 0};
}

int origin_auth_register(struct origin_auth *auth, const struct origin_credentials *credentials,
                         struct origin_id *ret_user, uint32_t *ret_wait_ms, struct fb_diag *diag)
{
    char email[ORIGIN_EMAIL_MAX + 1];
    char hash[ORIGIN_PASSWORD_HASH_SIZE];

    int err = email_normalise(credentials->email, email);
    if (err < 0) {
        return fb_diag_set(diag, err, "the e-mail address does not have the form name@example.org");
    }
    if ((err = password_check_form(credentials->password, diag)) < 0 ||
        (err = attempt_spend(auth, fb_str_from(email), credentials->peer, ret_wait_ms)) < 0 ||
        (err = origin_password_hash(auth->passwords, credentials->password, hash)) < 0) {
        return err;
    }
    return origin_catalog_user_add(auth->options.catalog, fb_str_from(email), fb_str_from(hash),
                                   ret_user);
}

int origin_auth_login(struct origin_auth *auth, const struct origin_credentials *credentials,
                      struct origin_session *ret_session, uint32_t *ret_wait_ms)
{
    FB_AUTO(origin_session_done) struct origin_session session = {.expires_in_s = 0};
    char email[ORIGIN_EMAIL_MAX + 1];
    struct origin_user user;

    if (email_normalise(credentials->email, email) < 0 ||
        credentials->password.len > ORIGIN_AUTH_PASSWORD_MAX) {
        return FB_E_DENIED; /* no account can have it */
    }
    int err = attempt_spend(auth, fb_str_from(email), credentials->peer, ret_wait_ms);
    if (err < 0) {
        return err;
    }
    int found = origin_catalog_user_find(auth->options.catalog, fb_str_from(email), &user);
    if (found < 0 && found != FB_E_NOT_FOUND) {
        return found;
    }
    err = origin_password_check(auth->passwords, credentials->password,
                                found == FB_OK ? user.password_hash : NULL);
    if (err < 0) {
        return err;
    }
    struct origin_refresh_token token = refresh_draw(auth, &session.refresh);
    if ((err = origin_catalog_refresh_add(auth->options.catalog, &user.id, &token)) < 0 ||
        (err = access_issue(auth, &user.id, &session)) < 0) {
        return err;
    }
    session_take(&session, ret_session);
    return FB_OK;
}

int origin_auth_refresh(struct origin_auth *auth, struct fb_str refresh,
                        struct origin_session *ret_session)
{
    FB_AUTO(origin_session_done) struct origin_session session = {.expires_in_s = 0};
    uint8_t hash[FB_SHA256_SIZE];
    struct origin_id user;

    if (refresh.len != REFRESH_LEN) {
        return FB_E_DENIED;
    }
    fb_sha256(refresh, hash);
    struct origin_refresh_token next = refresh_draw(auth, &session.refresh);
    int err = origin_catalog_refresh_rotate(auth->options.catalog, hash, &next, &user);
    if (err < 0) {
        return err == FB_E_NOT_FOUND ? FB_E_DENIED : err;
    }
    err = access_issue(auth, &user, &session);
    if (err < 0) {
        return err;
    }
    session_take(&session, ret_session);
    return FB_OK;
}

int origin_auth_logout(struct origin_auth *auth, struct fb_str refresh)
{
    uint8_t hash[FB_SHA256_SIZE];

    if (refresh.len != REFRESH_LEN) {
        return FB_OK;
    }
    fb_sha256(refresh, hash);
    return origin_catalog_refresh_revoke(auth->options.catalog, hash);
}

int origin_auth_user(const struct origin_auth *auth, struct fb_str authorization,
                     struct origin_id *ret_user)
{
    struct fb_str scheme = FB_STR("Bearer ");

    if (authorization.ptr == NULL) {
        return FB_E_NOT_FOUND;
    }
    if (!fb_str_equal_nocase(fb_str_first(authorization, scheme.len), scheme)) {
        return FB_E_DENIED;
    }
    return origin_token_check(auth->key, fb_str_trim(fb_str_skip(authorization, scheme.len)),
                              fb_clock_wall_ms(auth->options.clock), ret_user);
}
