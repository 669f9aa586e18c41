/*
 * The route that nodes bring their reports to.
 */
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/server/router.h"
#include "origin/views/views_internal.h"

static bool call_is_allowed(const struct origin_views *views, struct fb_call *call)
{
    struct fb_str scheme = FB_STR("Bearer ");
    struct fb_str field = fb_headers_find(&call->request->headers, FB_STR("Authorization"));

    if (fb_str_equal_nocase(fb_str_first(field, scheme.len), scheme) &&
        fb_crypto_equal(fb_str_skip(field, scheme.len), views->options.token)) {
        return true;
    }
    fb_call_problem(call, 401, NULL, "the token is not the one that nodes report with");
    return false;
}

/* ---- answers ------------------------------------------------------------------------------ */

static void call_answer(struct fb_call *call, unsigned status, const struct fb_json *root)
{
    call->status = status;
    fb_json_dump(root, &call->content);
    fb_headers_add(&call->headers, call->arena, FB_STR("Content-Type"), FB_STR("application/json"));
    fb_headers_add(&call->headers, call->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
}

/* With `status`, and who we are. */
static void call_name(struct fb_call *call, unsigned status, const char *receiver)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    fb_json_set_text(root, "receiver", receiver);
    call_answer(call, status, root);
}

static void call_told(struct fb_call *call, const char *receiver,
                      const struct origin_views_answer *answer)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    bool is_refused = answer->verdict == FB_VIEW_GAP || answer->verdict == FB_VIEW_CHANGED;

    fb_json_set_text(root, "receiver", receiver);
    fb_json_set_int(root, "acked", (int64_t)answer->acked);
    if (is_refused) {
        fb_json_set_int(root, "refused", (int64_t)answer->sequence);
        fb_json_set_text(root, "reason", answer->verdict == FB_VIEW_GAP ? "gap" : "changed");
    }
    call_answer(call, is_refused ? 409 : 200, root);
}

static void call_failed(struct fb_call *call, int err)
{
    switch (err) {
    case FB_E_MALFORMED:
        fb_call_problem(call, 400, NULL, "the content is no sequence of reports of one stream");
        break;
    case FB_E_LIMIT:
        fb_call_problem(call, 400, NULL, "a report is larger than reports may be");
        break;
    case FB_E_UNSUPPORTED:
        fb_call_problem(call, 400, NULL, "this version of reports is not known here");
        break;
    default:
        FB_LOG(ERROR, "views", "could not apply reports", FB_LOG_TEXT("cause", fb_err_text(err)));
        fb_call_problem(call, 503, NULL, "%s", fb_err_text(err));
        fb_headers_add(&call->headers, call->arena, FB_STR("Retry-After"), FB_STR("5"));
        break;
    }
}

static void call_report(struct origin_views *views, struct fb_call *call, const char *receiver)
{
    struct origin_views_answer answer = {.acked = 0};

    int err = origin_views_take(views, call->body, &answer);
    if (err < 0) {
        bool is_content = err == FB_E_MALFORMED || err == FB_E_LIMIT || err == FB_E_UNSUPPORTED;
        fb_metrics_add(views->metrics, ORIGIN_VIEWS_MALFORMED, is_content);
        call_failed(call, err);
    } else {
        call_told(call, receiver, &answer);
    }
    fb_buf_done(&answer.node);
}

/* ---- the routes --------------------------------------------------------------------------- */

/* Who we are, for one who may know it. */
static int call_open(struct origin_views *views, struct fb_call *call,
                     char receiver[ORIGIN_RECEIVER_LEN + 1])
{
    if (!call_is_allowed(views, call)) {
        return FB_E_DENIED;
    }
    int err = origin_catalog_receiver(views->options.catalog, receiver);
    if (err < 0) {
        call_failed(call, err);
    }
    return err;
}

static void call_ask(void *ctx, struct fb_call *call)
{
    char receiver[ORIGIN_RECEIVER_LEN + 1];

    if (call_open(ctx, call, receiver) == FB_OK) {
        call_name(call, 200, receiver);
    }
}

static void call_take(void *ctx, struct fb_call *call)
{
    struct origin_views *views = ctx;
    struct fb_str meant = fb_headers_find(&call->request->headers, FB_STR(FB_VIEW_RECEIVER_HEADER));
    char receiver[ORIGIN_RECEIVER_LEN + 1];

    if (call_open(views, call, receiver) < 0) {
        return;
    }
    if (meant.ptr != NULL && !fb_str_equal_nocase(meant, fb_str_from(receiver))) {
        call_name(call, 421, receiver); /* streams belong to one receiver */
        return;
    }
    if (atomic_fetch_add(&views->n_takers, 1) < ORIGIN_VIEWS_TAKERS) {
        call_report(views, call, receiver);
    } else {
        fb_metrics_add(views->metrics, ORIGIN_VIEWS_TURNED_AWAY, 1);
        fb_call_problem(call, 503, NULL, "others report at the moment; try again");
        fb_headers_add(&call->headers, call->arena, FB_STR("Retry-After"), FB_STR("1"));
    }
    atomic_fetch_sub(&views->n_takers, 1);
}

static const struct fb_route views_routes[] = {
    {.method = FB_METHOD_GET, .pattern = FB_VIEW_REPORTS_PATH, .call = call_ask},
    {.method = FB_METHOD_POST,
     .pattern = FB_VIEW_REPORTS_PATH,
     .call = call_take,
     .max_body_bytes = FB_VIEW_BATCH_MAX},
};

const struct fb_route *origin_views_routes(const struct origin_views *views, size_t *ret_n)
{
    *ret_n = views->options.token.len > 0 ? FB_ARRAY_LEN(views_routes) : 0;
    return views_routes;
}
