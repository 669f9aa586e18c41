#include "base/server/router.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/server/problem.h"
#include "base/server/router_internal.h"
#include "base/server/server_internal.h"

enum { ROUTE_MAX_SEGMENTS = 16 };

enum segment_kind { SEGMENT_LITERAL, SEGMENT_NAME, SEGMENT_REST };

struct segment {
    enum segment_kind kind;
    struct fb_str text; /* literal, or the name without braces */
};

/* A route's pattern, cut at its slashes. */
struct compiled {
    const struct fb_route *route;
    struct segment segments[ROUTE_MAX_SEGMENTS];
    size_t n;
};

struct fb_router {
    struct fb_pool *pool;
    void *ctx;
    size_t n;
    struct compiled routes[];
};

/* ---- patterns ------------------------------------------------------------ */

static struct segment compile_segment(struct fb_str text)
{
    bool is_named = text.len > 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}';

    if (!is_named) {
        return (struct segment){SEGMENT_LITERAL, text};
    }
    struct fb_str name = fb_str_first(fb_str_skip(text, 1), text.len - 2);
    if (fb_str_ends_with(name, FB_STR("..."))) {
        return (struct segment){SEGMENT_REST, fb_str_first(name, name.len - 3)};
    }
    return (struct segment){SEGMENT_NAME, name};
}

static void compile(struct compiled *compiled, const struct fb_route *route)
{
    struct fb_str rest = fb_str_from(route->pattern);
    struct fb_str part;

    FB_REQUIRE(fb_str_starts_with(rest, FB_STR("/")));
    FB_REQUIRE((route->handle == NULL) != (route->call == NULL));
    rest = fb_str_skip(rest, 1);
    compiled->route = route;
    do {
        size_t slash = fb_str_find(rest, '/');
        part = fb_str_first(rest, slash);
        FB_REQUIRE(compiled->n < ROUTE_MAX_SEGMENTS);
        compiled->segments[compiled->n++] = compile_segment(part);
        if (slash == rest.len) {
            break;
        }
        rest = fb_str_skip(rest, slash + 1);
    } while (true);
}

struct fb_router *fb_router_new(const struct fb_route *routes, size_t n, struct fb_pool *pool,
                                void *ctx)
{
    struct fb_router *router = fb_alloc(sizeof(*router) + n * sizeof(router->routes[0]));

    router->pool = pool;
    router->ctx = ctx;
    router->n = n;
    for (size_t i = 0; i < n; i++) {
        FB_REQUIRE(routes[i].call == NULL || pool != NULL);
        compile(&router->routes[i], &routes[i]);
    }
    return router;
}

void fb_router_free(struct fb_router *router)
{
    fb_free(router);
}

/* ---- matching ------------------------------------------------------------ */

static bool segment_matches(const struct segment *segment, struct fb_str text)
{
    return segment->kind == SEGMENT_LITERAL ? fb_str_equal(segment->text, text) : text.len > 0;
}

/* True if `path`, which begins with a slash, fits the pattern. */
static bool matches(const struct compiled *compiled, struct fb_str path)
{
    struct fb_str rest = fb_str_skip(path, 1);

    for (size_t i = 0; i < compiled->n; i++) {
        const struct segment *segment = &compiled->segments[i];
        size_t slash = fb_str_find(rest, '/');
        bool is_last = i + 1 == compiled->n;
        if (segment->kind == SEGMENT_REST) {
            return rest.len > 0;
        }
        if (!segment_matches(segment, fb_str_first(rest, slash)) ||
            is_last != (slash == rest.len)) {
            return false;
        }
        rest = fb_str_skip(rest, slash + 1);
    }
    return true;
}

/* True if `a` says more than `b` at the first place where they differ in kind. */
static bool is_closer(const struct compiled *a, const struct compiled *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        if (a->segments[i].kind != b->segments[i].kind) {
            return a->segments[i].kind < b->segments[i].kind;
        }
    }
    return false;
}

/* The closest pattern for `path` with `method`, or NULL. */
static const struct compiled *find(const struct fb_router *router, enum fb_method method,
                                   struct fb_str path)
{
    const struct compiled *best = NULL;

    for (size_t i = 0; i < router->n; i++) {
        const struct compiled *it = &router->routes[i];
        if (it->route->method == method && matches(it, path) &&
            (best == NULL || is_closer(it, best))) {
            best = it;
        }
    }
    return best;
}

/* Takes the named segments out of the path. FB_E_MALFORMED for a bad escape. */
static int bind_params(const struct compiled *compiled, struct fb_str path, struct fb_arena *arena,
                       struct fb_headers *params)
{
    struct fb_str rest = fb_str_skip(path, 1);

    for (size_t i = 0; i < compiled->n; i++) {
        const struct segment *segment = &compiled->segments[i];
        size_t slash = fb_str_find(rest, '/');
        if (segment->kind == SEGMENT_REST) {
            fb_headers_add(params, arena, segment->text, rest);
            return FB_OK;
        }
        if (segment->kind == SEGMENT_NAME) {
            FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
            int err = fb_text_percent_decode(&buf, fb_str_first(rest, slash));
            if (err < 0) {
                return err;
            }
            fb_headers_add(params, arena, segment->text, fb_arena_dup(arena, fb_buf_str(&buf)));
        }
        rest = fb_str_skip(rest, slash + 1);
    }
    return FB_OK;
}

/* ---- answers of the router's own ----------------------------------------- */

static void add_method(struct fb_buf *allow, enum fb_method method)
{
    if (allow->len > 0) {
        fb_buf_append(allow, FB_STR(", "));
    }
    fb_buf_append(allow, fb_method_text(method));
}

/* The value of Allow for `path`; empty if no route has it. */
static struct fb_str allowed(const struct fb_router *router, struct fb_str path,
                             struct fb_arena *arena)
{
    FB_AUTO(fb_buf_done) struct fb_buf allow = {0};

    for (unsigned m = FB_METHOD_GET; m < FB_METHOD_OTHER; m++) {
        enum fb_method method = (enum fb_method)m;
        bool has_route = find(router, method, path) != NULL;
        if (method == FB_METHOD_HEAD) {
            has_route |= find(router, FB_METHOD_GET, path) != NULL;
        }
        if (has_route) {
            add_method(&allow, method);
        }
    }
    if (allow.len > 0 && find(router, FB_METHOD_OPTIONS, path) == NULL) {
        add_method(&allow, FB_METHOD_OPTIONS);
    }
    return fb_arena_dup(arena, fb_buf_str(&allow));
}

static void answer_unmatched(struct fb_router *router, struct fb_exchange *exchange)
{
    const struct fb_request_head *request = fb_exchange_request(exchange);
    bool is_star = fb_str_equal(request->path, FB_STR("*"));
    struct fb_arena *arena = fb_exchange_arena(exchange);
    struct fb_str allow =
        is_star ? FB_STR("GET, HEAD, OPTIONS") : allowed(router, request->path, arena);
    struct fb_header header = {FB_STR("Allow"), allow};
    struct fb_response response = {.status = 204, .headers = &header, .n_headers = 1};

    if (request->method == FB_METHOD_OTHER) {
        fb_exchange_problem(exchange, 501, NULL, "This method is not known here.");
        return;
    }
    if (allow.len == 0) {
        fb_exchange_problem(exchange, 404, NULL, "There is nothing at this path.");
        return;
    }
    if (request->method == FB_METHOD_OPTIONS) {
        fb_exchange_respond(exchange, &response);
        return;
    }
    struct fb_header headers[] = {header,
                                  {FB_STR("Content-Type"), FB_STR("application/problem+json")},
                                  {FB_STR("Cache-Control"), FB_STR("no-store")}};
    struct fb_buf json = {0};
    fb_problem_json(&json, 405, NULL, FB_STR("This path does not take this method."));
    response.status = 405;
    response.headers = headers;
    response.n_headers = FB_ARRAY_LEN(headers);
    response.length = (int64_t)json.len;
    response.body = fb_reader_of_buf(&json);
    fb_exchange_respond(exchange, &response);
}

void fb_router_handle(void *ctx, struct fb_exchange *exchange)
{
    struct fb_router *router = ctx;
    const struct fb_request_head *request = fb_exchange_request(exchange);
    const struct compiled *match = find(router, request->method, request->path);

    if (match == NULL && request->method == FB_METHOD_HEAD) {
        match = find(router, FB_METHOD_GET, request->path);
    }
    if (match == NULL) {
        answer_unmatched(router, exchange);
        return;
    }
    if (bind_params(match, request->path, &exchange->arena, &exchange->params) < 0) {
        fb_exchange_problem(exchange, 400, NULL, "The path has a broken percent escape.");
        return;
    }
    if (match->route->handle != NULL) {
        match->route->handle(router->ctx, exchange);
    } else {
        fb_call_start(exchange, match->route, router->pool, router->ctx);
    }
}

/* ---- parameters ---------------------------------------------------------- */

static struct fb_str find_param(const struct fb_headers *params, const char *name)
{
    for (size_t i = 0; i < params->n; i++) {
        if (fb_str_equal(params->items[i].name, fb_str_from(name))) {
            return params->items[i].value;
        }
    }
    return FB_STR_NONE;
}

struct fb_str fb_exchange_param(const struct fb_exchange *exchange, const char *name)
{
    return find_param(&exchange->params, name);
}

struct fb_str fb_call_param(const struct fb_call *call, const char *name)
{
    return find_param(&call->params, name);
}

/* Decodes as forms do, '+' being a space; what is badly escaped stays as it is. */
static struct fb_str decode_query(struct fb_str text, struct fb_arena *arena)
{
    FB_AUTO(fb_buf_done) struct fb_buf spaced = {0};
    FB_AUTO(fb_buf_done) struct fb_buf decoded = {0};

    fb_buf_append(&spaced, text);
    for (size_t i = 0; i < spaced.len; i++) {
        if (spaced.ptr[i] == '+') {
            spaced.ptr[i] = ' ';
        }
    }
    if (fb_text_percent_decode(&decoded, fb_buf_str(&spaced)) < 0) {
        return fb_arena_dup(arena, text);
    }
    return fb_arena_dup(arena, fb_buf_str(&decoded));
}

struct fb_str fb_query_param(struct fb_str query, struct fb_arena *arena, struct fb_str name)
{
    struct fb_str rest = query;
    struct fb_str pair;

    while (fb_str_cut(&rest, '&', &pair)) {
        size_t equals = fb_str_find(pair, '=');
        struct fb_str key = fb_str_first(pair, equals);
        if (fb_str_equal(key, name) ||
            (fb_str_find(key, '%') < key.len && fb_str_equal(decode_query(key, arena), name))) {
            return decode_query(fb_str_skip(pair, equals + 1), arena);
        }
    }
    return FB_STR_NONE;
}
