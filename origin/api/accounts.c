/*
 * Accounts and sessions.
 */
#include "origin/api/api_internal.h"
#include "origin/auth/auth.h"

#include <string.h>

enum { FIELD_MAX = 1024, REFRESH_MAX = 128 };

/* E-mail address and password of the body, and the peer they come from. */
static int read_credentials(const struct origin_api *api, struct fb_call *call,
                            const struct fb_json *body, char peer[FB_ADDRESS_TEXT_MAX],
                            struct origin_credentials *ret_credentials)
{
    struct fb_diag diag = {.err = FB_OK};
    struct origin_credentials credentials;

    int err = fb_json_read_str(body, "email", FIELD_MAX, &credentials.email, &diag);
    if (err == FB_OK) {
        err = fb_json_read_str(body, "password", FIELD_MAX, &credentials.password, &diag);
    }
    if (err < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
        return err;
    }
    /* The port changes with every connection and says nothing. */
    struct fb_address address = origin_api_peer(api, call);
    char *colon = strrchr(fb_address_text(&address, peer), ':');
    if (colon != NULL) {
        *colon = '\0';
    }
    credentials.peer = fb_str_from(peer);
    *ret_credentials = credentials;
    return FB_OK;
}

void origin_api_register(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct origin_credentials credentials;
    char peer[FB_ADDRESS_TEXT_MAX];
    struct fb_diag diag = {.err = FB_OK};
    struct origin_id user;
    uint32_t wait_ms = 0;

    if (origin_api_body(call, &body) < 0 ||
        read_credentials(api, call, body, peer, &credentials) < 0) {
        return;
    }
    int err = origin_auth_register(api->options.auth, &credentials, &user, &wait_ms, &diag);
    if (err == FB_OK) {
        FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
        fb_json_set_text(root, "id", user.text);
        origin_api_reply(call, 201, root);
    } else if (err == FB_E_MALFORMED) {
        origin_api_refuse(call, 422, "bad-field", &diag);
    } else if (err == FB_E_EXISTS) {
        fb_call_problem(call, 409, "account-exists", "This e-mail address has an account.");
    } else if (err == FB_E_LIMIT) {
        origin_api_slow_down(call, wait_ms);
    } else {
        origin_api_broken(call, err, "register an account");
    }
}

static void reply_session(struct fb_call *call, struct origin_session *session)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    fb_json_set_str(root, "access_token", fb_buf_str(&session->access));
    fb_json_set_text(root, "token_type", "Bearer");
    fb_json_set_int(root, "expires_in", (int64_t)session->expires_in_s);
    fb_json_set_str(root, "refresh_token", fb_buf_str(&session->refresh));
    origin_api_reply(call, 200, root);
    origin_session_done(session);
}

void origin_api_login(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct origin_credentials credentials;
    struct origin_session session = {.expires_in_s = 0};
    char peer[FB_ADDRESS_TEXT_MAX];
    uint32_t wait_ms = 0;

    if (origin_api_body(call, &body) < 0 ||
        read_credentials(api, call, body, peer, &credentials) < 0) {
        return;
    }
    int err = origin_auth_login(api->options.auth, &credentials, &session, &wait_ms);
    if (err == FB_OK) {
        reply_session(call, &session);
    } else if (err == FB_E_DENIED) {
        fb_call_problem(call, 401, "bad-credentials",
                        "E-mail address and password do not belong together.");
    } else if (err == FB_E_LIMIT) {
        origin_api_slow_down(call, wait_ms);
    } else {
        origin_api_broken(call, err, "log in");
    }
}

static int read_refresh(struct fb_call *call, struct fb_json **ret_body, struct fb_str *ret_token)
{
    struct fb_diag diag = {.err = FB_OK};

    int err = origin_api_body(call, ret_body);
    if (err < 0) {
        return err;
    }
    err = fb_json_read_str(*ret_body, "refresh_token", REFRESH_MAX, ret_token, &diag);
    if (err < 0) {
        origin_api_refuse(call, 422, "bad-field", &diag);
    }
    return err;
}

void origin_api_refresh(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct origin_session session = {.expires_in_s = 0};
    struct fb_str token;

    if (read_refresh(call, &body, &token) < 0) {
        return;
    }
    int err = origin_auth_refresh(api->options.auth, token, &session);
    if (err == FB_OK) {
        reply_session(call, &session);
    } else if (err == FB_E_EXPIRED) {
        fb_call_problem(call, 401, "token-expired", "The session has expired. Log in again.");
    } else if (err == FB_E_DENIED || err == FB_E_CONFLICT) {
        fb_call_problem(call, 401, "bad-token", "The session is not valid. Log in again.");
    } else {
        origin_api_broken(call, err, "refresh a session");
    }
}

void origin_api_logout(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct fb_str token;

    if (read_refresh(call, &body, &token) < 0) {
        return;
    }
    int err = origin_auth_logout(api->options.auth, token);
    if (err < 0) {
        origin_api_broken(call, err, "log out");
        return;
    }
    call->status = 204;
}
