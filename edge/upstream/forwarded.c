#include "edge/upstream/forwarded.h"

#include "base/core/buf.h"

/* What a trusted peer said in fields called `name`, as one; empty: nothing. */
static struct fb_str said_before(const struct edge_forwarded *client, struct fb_arena *arena,
                                 struct fb_str name)
{
    return client->before != NULL ? fb_headers_join(client->before, arena, name) : FB_STR_NONE;
}

/* `value` behind what was said before, unless it is a word about the first client alone. */
static void add(struct fb_headers *headers, struct fb_arena *arena, struct fb_str name,
                struct fb_str before, struct fb_str value, bool is_list)
{
    FB_AUTO(fb_buf_done) struct fb_buf whole = {0};

    if (before.len == 0) {
        fb_headers_add(headers, arena, name, value);
    } else if (!is_list) {
        fb_headers_add(headers, arena, name, before);
    } else {
        fb_buf_printf(&whole, "%.*s, %.*s", FB_STR_ARG(before), FB_STR_ARG(value));
        fb_headers_add(headers, arena, name, fb_arena_dup(arena, fb_buf_str(&whole)));
    }
}

static void add_x(struct fb_headers *headers, struct fb_arena *arena,
                  const struct edge_forwarded *client)
{
    static const struct fb_str name_for = FB_STR("X-Forwarded-For");
    static const struct fb_str name_proto = FB_STR("X-Forwarded-Proto");
    static const struct fb_str name_host = FB_STR("X-Forwarded-Host");
    struct fb_str address = client->address.len > 0 ? client->address : FB_STR("unknown");

    add(headers, arena, name_for, said_before(client, arena, name_for), address, true);
    add(headers, arena, name_proto, said_before(client, arena, name_proto),
        client->is_secure ? FB_STR("https") : FB_STR("http"), false);
    if (client->host.len > 0) {
        add(headers, arena, name_host, said_before(client, arena, name_host), client->host, false);
    }
}

/* RFC 7239 section 6: an IPv6 address has brackets, and then quotes; so has a host, whose port
 * has a colon. No host that gets here has quotes or backslashes in it. */
static void add_rfc7239(struct fb_headers *headers, struct fb_arena *arena,
                        const struct edge_forwarded *client)
{
    static const struct fb_str name = FB_STR("Forwarded");
    FB_AUTO(fb_buf_done) struct fb_buf value = {0};
    bool is_v6 = fb_str_find(client->address, ':') < client->address.len;

    if (client->address.len == 0) {
        fb_buf_append(&value, FB_STR("for=unknown"));
    } else {
        fb_buf_printf(&value, is_v6 ? "for=\"[%.*s]\"" : "for=%.*s", FB_STR_ARG(client->address));
    }
    if (client->host.len > 0) {
        fb_buf_printf(&value, ";host=\"%.*s\"", FB_STR_ARG(client->host));
    }
    fb_buf_printf(&value, ";proto=%s", client->is_secure ? "https" : "http");
    add(headers, arena, name, said_before(client, arena, name),
        fb_arena_dup(arena, fb_buf_str(&value)), true);
}

void edge_forwarded_add(struct fb_headers *headers, struct fb_arena *arena,
                        enum edge_forwarding forwarding, const struct edge_forwarded *client)
{
    switch (forwarding) {
    case EDGE_FORWARDING_OFF:
        break;
    case EDGE_FORWARDING_X:
        add_x(headers, arena, client);
        break;
    case EDGE_FORWARDING_RFC7239:
        add_rfc7239(headers, arena, client);
        break;
    }
}
