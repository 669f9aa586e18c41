#include "edge/fresh/fields.h"

#include "base/http/conditional.h"
#include "base/http/date.h"
#include "edge/fresh/fresh_internal.h"

static bool is_among(struct fb_str name, const struct fb_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fb_str_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* ---- what never travels on --------------------------------------------- */

static bool is_hop_by_hop(struct fb_str name)
{
    static const struct fb_str names[] = {
        FB_STR("connection"),
        FB_STR("keep-alive"),
        FB_STR("proxy-connection"),
        FB_STR("proxy-authenticate"),
        FB_STR("proxy-authorization"),
        FB_STR("proxy-authentication-info"),
        FB_STR("te"),
        FB_STR("trailer"),
        FB_STR("transfer-encoding"),
        FB_STR("upgrade"),
        FB_STR("http2-settings"),
    };
    return is_among(name, names, FB_ARRAY_LEN(names));
}

/* What Connection names, except what a message cannot do without: a peer could
 * have its neighbour drop it (RFC 9110 section 7.6.1 lets us ignore those). */
static bool is_connection_listed(struct fb_str connection, struct fb_str name)
{
    static const struct fb_str kept[] = {
        FB_STR("cache-control"), FB_STR("host"),           FB_STR("vary"),
        FB_STR("authorization"), FB_STR("set-cookie"),     FB_STR("content-type"),
        FB_STR("etag"),          FB_STR("content-length"), FB_STR("content-encoding"),
    };
    return connection.len > 0 && fb_list_has(connection, name) &&
           !is_among(name, kept, FB_ARRAY_LEN(kept));
}

/* ---- requests ---------------------------------------------------------- */

static bool is_range_or_condition(struct fb_str name)
{
    return fb_str_equal_nocase(name, FB_STR("range")) ||
           (name.len > 3 && fb_str_equal_nocase(fb_str_first(name, 3), FB_STR("if-")));
}

static bool is_framing(struct fb_str name)
{
    static const struct fb_str names[] = {FB_STR("host"), FB_STR("content-length"),
                                          FB_STR("expect")};
    return is_among(name, names, FB_ARRAY_LEN(names));
}

/* A server that hands fields on as variables takes '_' for '-'. */
static bool claim_begins_with(struct fb_str name, struct fb_str prefix)
{
    for (size_t i = 0; i < prefix.len; i++) {
        char c = i >= name.len ? '\0' : name.ptr[i] == '_' ? '-' : name.ptr[i];
        if (!fb_str_equal_nocase((struct fb_str){&c, 1}, (struct fb_str){&prefix.ptr[i], 1})) {
            return false;
        }
    }
    return true;
}

/* Claims about the request that some servers believe more than the request. */
static bool is_claim(struct fb_str name)
{
    static const struct fb_str prefixes[] = {
        FB_STR("x-forwarded-"),  FB_STR("x-original-"),       FB_STR("x-rewrite-"),
        FB_STR("x-http-method"), FB_STR("x-method-override"), FB_STR("x-host"),
        FB_STR("x-real-ip"),     FB_STR("x-forwarded"),
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(prefixes); i++) {
        if (claim_begins_with(name, prefixes[i])) {
            return true;
        }
    }
    return fb_str_equal_nocase(name, FB_STR("forwarded")) ||
           fb_str_equal_nocase(name, FB_STR("proxy")); /* HTTP_PROXY, to a CGI */
}

/* All that an upstream needs in order to give out media. */
static bool is_for_media(struct fb_str name, enum edge_class class)
{
    static const struct fb_str names[] = {FB_STR("accept"),   FB_STR("authorization"),
                                          FB_STR("origin"),   FB_STR("via"),
                                          FB_STR("cdn-loop"), FB_STR("traceparent")};
    return is_among(name, names, FB_ARRAY_LEN(names)) ||
           (class == EDGE_CLASS_MANIFEST && fb_str_equal_nocase(name, FB_STR("accept-language")));
}

struct fb_headers edge_fields_to_fetch(struct fb_arena *arena,
                                       const struct fb_request_head *request,
                                       const struct edge_treatment *treatment)
{
    enum edge_class class = treatment->class;
    bool has_cookies = edge_cookies_of(treatment) == EDGE_COOKIES_PASS;
    struct fb_str connection = fb_headers_join(&request->headers, arena, FB_STR("connection"));
    struct fb_str accepted = edge_accept_encoding_of(arena, &request->headers);
    struct fb_headers kept = {0};

    for (size_t i = 0; i < request->headers.n; i++) {
        struct fb_header field = request->headers.items[i];
        bool is_dropped = is_hop_by_hop(field.name) ||
                          is_connection_listed(connection, field.name) || is_framing(field.name) ||
                          is_range_or_condition(field.name) || is_claim(field.name) ||
                          fb_str_equal_nocase(field.name, FB_STR("accept-encoding")) ||
                          (!has_cookies && fb_str_equal_nocase(field.name, FB_STR("cookie")));
        if (!is_dropped && (class == EDGE_CLASS_OTHER || is_for_media(field.name, class))) {
            fb_headers_add(&kept, arena, field.name, field.value);
        }
    }
    /* Segments are compressed already. */
    if (accepted.len > 0 && class != EDGE_CLASS_SEGMENT) {
        fb_headers_add(&kept, arena, FB_STR("Accept-Encoding"), accepted);
    }
    return kept;
}

struct fb_headers edge_fields_to_pass(struct fb_arena *arena, const struct fb_request_head *request)
{
    struct fb_str connection = fb_headers_join(&request->headers, arena, FB_STR("connection"));
    struct fb_headers kept = {0};

    for (size_t i = 0; i < request->headers.n; i++) {
        struct fb_header field = request->headers.items[i];
        if (!is_hop_by_hop(field.name) && !is_connection_listed(connection, field.name) &&
            !is_framing(field.name) && !is_claim(field.name)) {
            fb_headers_add(&kept, arena, field.name, field.value);
        }
    }
    return kept;
}

/* ---- responses --------------------------------------------------------- */

bool edge_field_is_for_tiers(struct fb_str name)
{
    return fb_str_equal_nocase(name, FB_STR("forebay-cache-control")) ||
           fb_str_equal_nocase(name, FB_STR("cache-tag"));
}

struct fb_headers edge_fields_to_answer(struct fb_arena *arena, const struct fb_headers *response)
{
    struct fb_str connection = fb_headers_join(response, arena, FB_STR("connection"));
    struct fb_headers kept = {0};

    for (size_t i = 0; i < response->n; i++) {
        struct fb_header field = response->items[i];
        if (!is_hop_by_hop(field.name) && !is_connection_listed(connection, field.name) &&
            !fb_str_equal_nocase(field.name, FB_STR("content-length"))) {
            fb_headers_add(&kept, arena, field.name, field.value);
        }
    }
    return kept;
}

/* What private="..." in `said` names. */
static void drop_private(struct fb_arena *arena, const struct fb_headers *said,
                         struct fb_headers *headers)
{
    struct fb_str own = edge_directives_of(arena, said).cc.private_fields;
    struct fb_str name;

    while (fb_list_member(&own, &name)) {
        fb_headers_remove(headers, name);
    }
}

struct fb_headers edge_fields_to_keep(struct fb_arena *arena, const struct fb_headers *response,
                                      const struct edge_treatment *treatment)
{
    struct fb_headers kept = edge_fields_to_answer(arena, response);

    fb_headers_remove(&kept, FB_STR("age"));
    if (edge_cookies_of(treatment) == EDGE_COOKIES_DROP) {
        fb_headers_remove(&kept, FB_STR("set-cookie"));
    }
    drop_private(arena, response, &kept);
    return kept;
}

struct fb_headers edge_fields_own(struct fb_arena *arena, const struct fb_headers *response)
{
    struct edge_directives directives = edge_directives_of(arena, response);
    struct fb_headers own = {0};

    if (directives.cc.private_fields.len == 0) {
        return own;
    }
    struct fb_headers answer = edge_fields_to_answer(arena, response);
    for (size_t i = 0; i < answer.n; i++) {
        if (fb_list_has(directives.cc.private_fields, answer.items[i].name)) {
            fb_headers_add(&own, arena, answer.items[i].name, answer.items[i].value);
        }
    }
    return own;
}

struct fb_str edge_fields_guarded(struct fb_arena *arena, const struct fb_headers *stored)
{
    return edge_directives_of(arena, stored).cc.no_cache_fields;
}

/* What the stored bytes depend on, or what tells of the 304's own, empty content. */
static bool is_of_content(struct fb_str name)
{
    static const struct fb_str names[] = {
        FB_STR("content-encoding"), FB_STR("content-range"), FB_STR("content-digest"),
        FB_STR("repr-digest"),      FB_STR("digest"),
    };
    return is_among(name, names, FB_ARRAY_LEN(names));
}

struct fb_headers edge_fields_updated(struct fb_arena *arena, const struct fb_headers *stored,
                                      const struct fb_headers *not_modified,
                                      const struct edge_treatment *treatment)
{
    struct fb_headers news = edge_fields_to_keep(arena, not_modified, treatment);
    struct fb_headers updated = {0};

    for (size_t i = 0; i < stored->n; i++) {
        struct fb_header field = stored->items[i];
        if (is_of_content(field.name) || fb_headers_count(&news, field.name) == 0) {
            fb_headers_add(&updated, arena, field.name, field.value);
        }
    }
    for (size_t i = 0; i < news.n; i++) {
        if (!is_of_content(news.items[i].name)) {
            fb_headers_add(&updated, arena, news.items[i].name, news.items[i].value);
        }
    }
    drop_private(arena, not_modified, &updated);
    drop_private(arena, &updated, &updated);
    return updated;
}

/* ---- which response a 304 speaks of ------------------------------------- */

static bool is_strong_tag(struct fb_str etag)
{
    return fb_etag_is_valid(etag) && !fb_etag_is_weak(etag);
}

bool edge_fields_confirm(const struct fb_headers *stored, const struct fb_headers *not_modified,
                         int64_t now_s)
{
    struct fb_validators had = fb_validators_of(stored, now_s);
    struct fb_validators told = fb_validators_of(not_modified, now_s);

    if (is_strong_tag(told.etag)) {
        return fb_etag_equal_strong(told.etag, had.etag);
    }
    if (told.etag.len > 0) {
        return fb_etag_equal_weak(told.etag, had.etag);
    }
    if (told.last_modified != FB_DATE_NONE && had.last_modified != FB_DATE_NONE) {
        return told.last_modified == had.last_modified;
    }
    /* It names no validator that we could compare. Only those of `stored` were asked about. */
    return true;
}
