#include "base/core/clock.h"
#include "base/core/text.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/server/exchange.h"
#include "base/server/problem.h"
#include "edge/access/cors.h"
#include "edge/fresh/fields.h"
#include "edge/serve/multi.h"
#include "edge/serve/prefetch.h"
#include "edge/serve/serve_internal.h"

#include <string.h>

enum { RESPOND_EXTRA_MAX = 6 + EDGE_CORS_FIELDS_MAX }; /* lines that are added to an object's */

/* ---- fields ------------------------------------------------------------ */

static struct fb_str respond_number(struct fb_arena *arena, int64_t number)
{
    return fb_text_number_at(fb_arena_alloc(arena, FB_TEXT_NUMBER_MAX), number);
}

/* Rounded down, so that what is stale by a moment is negative. */
static int64_t respond_seconds(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

/* A 304 has no content to describe (RFC 9110 section 15.4.5). */
static bool respond_is_of_content(struct fb_str name)
{
    return (fb_str_starts_with(name, FB_STR("Content-")) ||
            fb_str_starts_with(name, FB_STR("content-")) ||
            fb_str_equal_nocase(name, FB_STR("accept-ranges")) ||
            fb_str_equal_nocase(name, FB_STR("repr-digest"))) &&
           !fb_str_equal_nocase(name, FB_STR("content-location"));
}

static void respond_add(struct fb_headers *headers, struct fb_str name, struct fb_str value)
{
    headers->items[headers->n++] = (struct fb_header){name, value};
}

/* What tells of the very bytes of a message: those of the whole, not those of a part. */
static bool respond_is_of_message(struct fb_str name)
{
    return fb_str_equal_nocase(name, FB_STR("content-digest")) ||
           fb_str_equal_nocase(name, FB_STR("content-md5"));
}

static bool respond_is_dropped(struct fb_str name, unsigned status)
{
    return (status == 304 && respond_is_of_content(name)) ||
           (status == 206 && respond_is_of_message(name));
}

/* What the rule adds and takes away, of a response with `status` and the fields `from`. */
static const struct edge_edits *respond_rule_edits(struct serve_request *request,
                                                   const struct fb_headers *from, unsigned status)
{
    const struct fb_response_head head = {.status = status, .headers = *from};

    if (!request->treatment.asks_content_type) {
        return request->treatment.edits;
    }
    return edge_treatment_refine(&request->treatment, request->arena, request->wanted.path, &head)
        .edits;
}

/* What private="..." names, for the request that the upstream answered. */
static const struct fb_headers *respond_own(const struct serve_request *request)
{
    static const struct fb_headers none;

    return request->join != NULL ? &request->join->io.own : &none;
}

/* Never over plain HTTP, where anybody could have written it (RFC 6797 section 7.2). */
static void respond_hsts(const struct serve_request *request, struct fb_headers *headers)
{
    const struct edge_site *site = request->site;

    if (site == NULL || site->hsts.len == 0) {
        return;
    }
    fb_headers_remove(headers, FB_STR("Strict-Transport-Security"));
    if (fb_exchange_tls(request->exchange) != NULL) {
        fb_headers_add(headers, request->arena, FB_STR("Strict-Transport-Security"), site->hsts);
    }
}

/* Those of the fields `from` that are for clients and go with `status`. */
static void respond_take(const struct serve_request *request, const struct fb_headers *from,
                         unsigned status, struct fb_headers *headers)
{
    for (size_t i = 0; i < from->n; i++) {
        struct fb_str name = from->items[i].name;
        bool is_for_client = request->serve->options.sends_tags || !edge_field_is_for_tiers(name);
        if (is_for_client && !respond_is_dropped(name, status)) {
            headers->items[headers->n++] = from->items[i];
        }
    }
}

/* The fields `from` that go with `status`, edited as the site wants it, and room for more. With
 * `takes_all` it is known that all of them do. */
static struct fb_headers respond_copy(struct serve_request *request, const struct fb_headers *from,
                                      unsigned status, bool takes_all)
{
    const struct edge_edits *edits = &request->site->edits;
    const struct edge_edits *of_rule = respond_rule_edits(request, from, status);
    size_t n_added = edits->n_added + (of_rule != NULL ? of_rule->n_added : 0);
    const struct fb_headers *own = respond_own(request);
    size_t room = from->n + own->n + n_added + RESPOND_EXTRA_MAX;
    struct fb_headers headers = {
        .items = fb_arena_alloc(request->arena, room * sizeof(struct fb_header)), .cap = room};

    if (takes_all && from->n > 0) {
        memcpy(headers.items, from->items, from->n * sizeof(struct fb_header));
        headers.n = from->n;
    } else {
        respond_take(request, from, status, &headers);
    }
    for (size_t i = 0; i < own->n; i++) {
        headers.items[headers.n++] = own->items[i];
    }
    if (request->site->cors != NULL) {
        edge_cors_apply(request->site->cors, request->origin, &headers, request->arena);
    }
    respond_hsts(request, &headers);
    edge_edits_apply(edits, &headers, request->arena);
    edge_edits_apply(of_rule, &headers, request->arena);
    return headers;
}

/* True if it was this very request that brought the object, or validated it. */
static bool respond_is_own(const struct serve_request *request)
{
    return !request->trail.is_collapsed &&
           (request->result == EDGE_SERVE_MISS || request->result == EDGE_SERVE_REVALIDATED);
}

/* What no-cache="..." names is for whoever asked the upstream (RFC 9111 section 5.2.2.4). */
static void respond_drop_guarded(struct fb_arena *arena, const struct fb_headers *stored,
                                 struct fb_headers *headers)
{
    struct fb_str rest = edge_fields_guarded(arena, stored);
    struct fb_str name;

    while (fb_list_member(&rest, &name)) {
        fb_headers_remove(headers, name);
    }
}

/* ---- responses --------------------------------------------------------- */

void edge_serve_respond_fields(struct serve_request *request, struct fb_headers *headers)
{
    const struct edge_site *site = request->site;

    fb_headers_add(headers, request->arena, FB_STR("Access-Control-Allow-Origin"), FB_STR("*"));
    fb_headers_add(headers, request->arena, FB_STR("Access-Control-Expose-Headers"),
                   FB_STR("Cache-Status"));
    fb_headers_add(headers, request->arena, FB_STR("Cache-Status"),
                   edge_trail_text(request, false, 0));
    respond_hsts(request, headers);
    edge_edits_apply(site != NULL ? &site->edits : NULL, headers, request->arena);
    if (site != NULL && site->cors != NULL) {
        edge_cors_apply(site->cors, request->origin, headers, request->arena);
    }
}

static void respond_problem_as(struct serve_request *request, unsigned status, const char *slug,
                               const char *detail, struct fb_header extra)
{
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};

    fb_problem_json(&body, status, slug, fb_str_from(detail));
    struct fb_headers headers = {0};
    fb_headers_add(&headers, request->arena, FB_STR("Content-Type"),
                   FB_STR("application/problem+json"));
    fb_headers_add(&headers, request->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
    if (extra.name.ptr != NULL) {
        fb_headers_add(&headers, request->arena, extra.name, extra.value);
    }
    edge_serve_respond_fields(request, &headers);
    int64_t length = (int64_t)body.len;
    fb_exchange_respond(request->exchange, &(struct fb_response){
                                               .status = status,
                                               .headers = headers.items,
                                               .n_headers = headers.n,
                                               .body = fb_reader_of_buf(&body),
                                               .length = length,
                                           });
}

static void respond_problem(struct serve_request *request, unsigned status, const char *detail,
                            struct fb_header extra)
{
    respond_problem_as(request, status, NULL, detail, extra);
}

static void respond_unsatisfiable(struct serve_request *request, struct fb_str content_range)
{
    respond_problem(request, 416, "the range asked for lies past the end of the content",
                    (struct fb_header){FB_STR("Content-Range"), content_range});
}

void edge_serve_respond_past_end(struct serve_request *request, uint64_t length)
{
    char *text = fb_arena_alloc(request->arena, FB_CONTENT_RANGE_MAX);

    respond_unsatisfiable(request, fb_content_range_format_unsatisfied(length, text));
}

static struct fb_reader *respond_reader(struct serve_request *request)
{
    const struct edge_selection *selection = &request->selection;
    struct edge_serve *serve = request->serve;
    struct edge_fill_ask ask = edge_serve_ask(request);

    edge_fill_chunks_init(&request->chunks, serve->options.fills, serve->loop, &ask);
    return edge_object_reader(request->object, serve->loop, selection->offset,
                              selection->status == 206 ? selection->length : FB_LENGTH_UNKNOWN,
                              &request->chunks.source);
}

/* Puts the parts of several ranges into `response`, with their own Content-Type. */
static void respond_parts(struct serve_request *request, struct fb_headers *headers,
                          struct fb_response *response)
{
    struct edge_serve *serve = request->serve;
    struct edge_fill_ask ask = edge_serve_ask(request);
    struct edge_multi multi;

    edge_fill_chunks_init(&request->chunks, serve->options.fills, serve->loop, &ask);
    edge_multi_make(
        request->arena,
        &(struct edge_multi_of){.object = request->object,
                                .ranges = request->selection.parts,
                                .content_type = fb_headers_find(headers, FB_STR("content-type")),
                                .loop = serve->loop,
                                .source = &request->chunks.source},
        &multi);
    fb_headers_remove(headers, FB_STR("content-type"));
    respond_add(headers, FB_STR("Content-Type"), multi.content_type);
    response->n_headers = headers->n;
    response->n_checked = 0;
    response->lines = FB_STR_NONE;
    response->n_lines = 0;
    response->length = multi.length;
    response->body = multi.reader;
}

/* True if what respond_copy() gave of the object is nothing but the object's. */
static bool respond_is_checked(struct serve_request *request, const struct edge_object_head *head)
{
    const struct edge_treatment *treatment = &request->treatment;
    size_t n_of_rule = treatment->edits != NULL ? treatment->edits->n_added : 0;

    return head->may_be_sent && request->site->edits.n_added + n_of_rule == 0 &&
           !treatment->asks_content_type && request->site->cors == NULL &&
           request->site->hsts.len == 0 && respond_own(request)->n == 0;
}

void edge_serve_respond_object(struct serve_request *request)
{
    const struct edge_object_head *head = edge_object_head(request->object);
    const struct edge_selection *selection = &request->selection;
    int64_t now_ms = (int64_t)fb_loop_now_ms(request->serve->loop);

    if (selection->status == 416) {
        respond_unsatisfiable(request, selection->content_range);
        return;
    }
    struct fb_headers headers = respond_copy(request, &head->headers, selection->status,
                                             selection->status == 200 && !head->has_for_tiers);
    if (head->terms.has_guarded && !respond_is_own(request)) {
        respond_drop_guarded(request->arena, &head->headers, &headers);
    }
    bool is_checked = respond_is_checked(request, head);
    bool has_all = is_checked && headers.n == head->headers.n;
    struct edge_terms space;
    int64_t left_ms = edge_terms_left_ms(edge_object_terms(request->object, &space), now_ms);
    respond_add(&headers, FB_STR("Age"),
                respond_number(request->arena, edge_terms_age_ms(&head->terms, now_ms) / 1000));
    respond_add(&headers, FB_STR("Via"), fb_buf_str(&request->serve->via));
    respond_add(&headers, FB_STR("Cache-Status"),
                edge_trail_text(request, request->trail.is_hit, respond_seconds(left_ms)));
    size_t n_checked = is_checked ? headers.n : 0;
    if (request->serve->options.sends_tags && head->tags.len > 0) {
        respond_add(&headers, FB_STR("Cache-Tag"), head->tags);
    }
    if (selection->content_range.ptr != NULL) {
        respond_add(&headers, FB_STR("Content-Range"), selection->content_range);
    }

    struct fb_response response = {
        .status = selection->status,
        .headers = headers.items,
        .n_headers = headers.n,
        .n_checked = n_checked,
        .lines = has_all ? head->lines : FB_STR_NONE,
        .n_lines = has_all ? head->headers.n : 0,
        .length = selection->length,
    };
    if (selection->parts != NULL) {
        respond_parts(request, &headers, &response);
    } else if (edge_selection_has_body(selection, request->client->method)) {
        response.body = respond_reader(request);
    } else {
        edge_object_touch(request->object);
    }
    edge_prefetch_after(request->serve->prefetch, request);
    fb_exchange_respond(request->exchange, &response);
}

void edge_serve_respond_through(struct serve_request *request,
                                const struct fb_response_head *response, int64_t length,
                                struct fb_reader *body)
{
    struct fb_headers headers = respond_copy(request, &response->headers, 0, false);

    respond_add(&headers, FB_STR("Via"), fb_buf_str(&request->serve->via));
    respond_add(&headers, FB_STR("Cache-Status"), edge_trail_text(request, false, 0));
    fb_exchange_respond(request->exchange, &(struct fb_response){
                                               .status = response->status,
                                               .headers = headers.items,
                                               .n_headers = headers.n,
                                               .body = body,
                                               .length = length,
                                           });
}

void edge_serve_respond_problem(struct serve_request *request, unsigned status, const char *detail)
{
    struct fb_header retry = {FB_STR("Retry-After"), FB_STR("1")};

    respond_problem(request, status, detail, status == 503 ? retry : (struct fb_header){0});
}

void edge_serve_respond_methods(struct serve_request *request, bool is_refused)
{
    struct fb_header allow = {FB_STR("Allow"),
                              FB_STR("GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE")};

    if (is_refused) {
        respond_problem(request, 405, "the method is not passed on", allow);
        return;
    }
    struct fb_headers headers = {0};
    fb_headers_add(&headers, request->arena, allow.name, allow.value);
    fb_headers_add(&headers, request->arena, FB_STR("Cache-Status"),
                   edge_trail_text(request, false, 0));
    fb_exchange_respond(
        request->exchange,
        &(struct fb_response){.status = 204, .headers = headers.items, .n_headers = headers.n});
}

void edge_serve_respond_refusal(struct serve_request *request,
                                const struct edge_access_refusal *refusal)
{
    struct fb_header extra = {FB_STR("WWW-Authenticate"), refusal->challenge};

    if (refusal->challenge.ptr == NULL) {
        extra = (struct fb_header){0};
    }
    respond_problem_as(request, refusal->status, refusal->slug, refusal->detail, extra);
}

void edge_serve_respond_preflight(struct serve_request *request)
{
    struct fb_headers headers = {0};

    edge_cors_apply_preflight(request->site->cors, request->origin, &headers, request->arena);
    fb_headers_add(&headers, request->arena, FB_STR("Cache-Status"),
                   edge_trail_text(request, false, 0));
    fb_exchange_respond(
        request->exchange,
        &(struct fb_response){.status = 204, .headers = headers.items, .n_headers = headers.n});
}
