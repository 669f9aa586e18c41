/*
 * The receiver: requests of nodes below, answered once what they say is in the spool.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "base/json/json.h"
#include "base/loop/work.h"
#include "base/server/exchange.h"
#include "base/server/router.h"
#include "base/tls/handshake.h"
#include "edge/report/report_internal.h"

static void call_answer(struct fb_call *call, unsigned status, const struct fb_json *json)
{
    call->status = status;
    fb_headers_add(&call->headers, call->arena, FB_STR("Content-Type"), FB_STR("application/json"));
    fb_headers_add(&call->headers, call->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
    fb_json_dump(json, &call->content);
}

static struct fb_json *answer_new(const struct edge_report *report)
{
    struct fb_json *json = fb_json_new_object();

    fb_json_set_str(json, "receiver", edge_spool_id(report->spool));
    return json;
}

static void receiver_tell(void *ctx, struct fb_call *call)
{
    FB_AUTO(fb_json_freep) struct fb_json *json = answer_new(ctx);

    call_answer(call, 200, json);
}

static void receiver_count(struct edge_report *report, const struct edge_spool_answer *answer)
{
    edge_report_count(report, REPORT_APPLIED, answer->n_applied);
    edge_report_count(report, REPORT_REPEATED, answer->n_repeated);
    edge_report_count(report, REPORT_GAPS, answer->verdict == FB_VIEW_GAP ? 1 : 0);
    edge_report_count(report, REPORT_CHANGED, answer->verdict == FB_VIEW_CHANGED ? 1 : 0);
}

static bool has_token(const struct edge_report *report, const struct fb_request_head *request)
{
    static const struct fb_str scheme = {"Bearer ", 7};
    struct fb_str field = fb_headers_find(&request->headers, FB_STR("Authorization"));

    return report->accept_token != NULL &&
           fb_str_equal_nocase(fb_str_first(field, scheme.len), scheme) &&
           fb_crypto_equal(fb_str_skip(field, scheme.len), fb_str_from(report->accept_token));
}

/* Who shows the token speaks for any node, a certificate for the node of its name alone. */
static struct fb_str node_of(const struct edge_report *report, const struct fb_call *call)
{
    if (has_token(report, call->request)) {
        return FB_STR_NONE;
    }
    return call->peer_name.ptr != NULL ? call->peer_name : FB_STR("");
}

static void receiver_take(void *ctx, struct fb_call *call)
{
    struct edge_report *report = ctx;
    struct edge_spool_answer answer = {.verdict = FB_VIEW_APPLY};
    struct fb_str meant =
        fb_headers_find(&call->request->headers, fb_str_from(FB_VIEW_RECEIVER_HEADER));
    FB_AUTO(fb_json_freep) struct fb_json *json = answer_new(report);

    if (meant.len > 0 && !fb_str_equal(meant, edge_spool_id(report->spool))) {
        call_answer(call, 421, json);
        return;
    }
    int err = edge_spool_receive(report->spool, node_of(report, call), call->body, &answer);
    if (err == FB_E_DENIED) {
        edge_report_count(report, REPORT_DENIED, 1);
        fb_call_problem(call, 403, NULL, "the reports are not of the certificate's node");
        return;
    }
    if (err == FB_E_MALFORMED || err == FB_E_UNSUPPORTED) {
        fb_call_problem(call, 400, NULL, "the reports cannot be read: %s", fb_err_text(err));
        return;
    }
    if (err < 0) {
        fb_call_problem(call, 503, NULL, "the reports cannot be kept: %s", fb_err_text(err));
        return;
    }
    receiver_count(report, &answer);
    edge_report_look(report, false);
    fb_json_set_int(json, "acked", (int64_t)answer.acked);
    if (answer.verdict != FB_VIEW_APPLY) {
        fb_json_set_int(json, "refused", (int64_t)answer.refused);
        fb_json_set_text(json, "reason", answer.verdict == FB_VIEW_GAP ? "gap" : "changed");
    }
    call_answer(call, answer.verdict == FB_VIEW_APPLY ? 200 : 409, json);
}

static const struct fb_route routes[] = {
    {.method = FB_METHOD_GET, .pattern = FB_VIEW_REPORTS_PATH, .call = receiver_tell},
    {.method = FB_METHOD_POST,
     .pattern = FB_VIEW_REPORTS_PATH,
     .call = receiver_take,
     .max_body_bytes = FB_VIEW_BATCH_MAX},
};

static bool has_certificate(const struct edge_report *report, const struct fb_exchange *exchange)
{
    const struct fb_tls_facts *facts = fb_exchange_tls(exchange);

    if (facts == NULL || facts->peer_name == NULL) {
        return false;
    }
    for (size_t i = 0; i < report->n_names; i++) {
        if (fb_str_equal_nocase(fb_str_from(facts->peer_name), fb_str_from(report->names[i]))) {
            return true;
        }
    }
    return false;
}

bool edge_report_take(void *ctx, struct fb_exchange *exchange)
{
    struct edge_report *report = ctx;
    const struct fb_request_head *request = fb_exchange_request(exchange);

    if (!fb_str_equal(request->path, fb_str_from(FB_VIEW_REPORTS_PATH))) {
        return false;
    }
    if (report->router == NULL) {
        fb_exchange_problem(exchange, 404, NULL, "this node takes no reports");
    } else if (!has_token(report, request) && !has_certificate(report, exchange)) {
        edge_report_count(report, REPORT_DENIED, 1);
        fb_exchange_problem(exchange, 401, NULL, "reports need a token or a certificate");
    } else {
        fb_router_handle(report->router, exchange);
    }
    return true;
}

int edge_receiver_open(struct edge_report *report, const struct edge_report_options *options,
                       struct fb_diag *diag)
{
    if (options->accept_token.len == 0 && options->n_accept_names == 0) {
        return FB_OK;
    }
    /* one thread, for they would wait for each other at the spool */
    int err = fb_pool_new("report-in", 1, EDGE_REPORT_QUEUED_MAX, &report->pool);
    if (err < 0) {
        return fb_diag_set(diag, err, "start a thread: %s", fb_err_text(err));
    }
    if (options->accept_token.len > 0) {
        report->accept_token = fb_str_dup(options->accept_token);
    }
    report->names = fb_alloc_array(options->n_accept_names, sizeof(char *));
    for (size_t i = 0; i < options->n_accept_names; i++) {
        report->names[report->n_names++] = fb_str_dup(options->accept_names[i]);
    }
    report->router = fb_router_new(routes, FB_ARRAY_LEN(routes), report->pool, report);
    return FB_OK;
}

void edge_receiver_close(struct edge_report *report)
{
    fb_router_free(report->router);
    fb_pool_free(report->pool);
    for (size_t i = 0; i < report->n_names; i++) {
        fb_free(report->names[i]);
    }
    fb_free(report->names);
    fb_free(report->accept_token);
}
