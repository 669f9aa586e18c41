/*
 * Hostile requests to a site with access control: without the secret nobody is let in, and no
 * token stays in what others see.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/net/address.h"
#include "edge/access/access.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct edge_access *site_of(void)
{
    static const struct edge_access_key keys[] = {
        {.id = FB_STR("k1"), .secret = FB_STR("\x5a\x11 is not to be guessed")},
        {.id = FB_STR("j1"),
         .algorithm = EDGE_ACCESS_HS256,
         .secret = FB_STR("\x11\x5a is not to be guessed")},
    };
    struct edge_access *access = NULL;

    int err = edge_access_new(&(struct edge_access_spec){.keys = keys,
                                                         .n_keys = 2,
                                                         .parameter = FB_STR("token"),
                                                         .cookie = FB_STR("pass"),
                                                         .in_path = true},
                              &access, NULL);
    FB_REQUIRE(err == FB_OK);
    return access;
}

/* The first line is the target, each further one a field's value. */
static void request_of(struct fb_str text, struct fb_request_head *request, struct fb_arena *arena)
{
    static const struct fb_str names[] = {FB_STR("Authorization"), FB_STR("Cookie")};
    struct fb_str line = FB_STR_NONE;

    (void)fb_str_cut(&text, '\n', &line);
    request->target = line;
    size_t mark = fb_str_find(line, '?');
    request->path = fb_str_first(line, mark);
    request->query = mark < line.len ? fb_str_skip(line, mark + 1) : FB_STR_NONE;
    for (size_t i = 0; i < 2 && fb_str_cut(&text, '\n', &line); i++) {
        fb_headers_add(&request->headers, arena, names[i], line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edge_access *access = site_of();
    struct fb_arena arena = {0};
    struct fb_request_head request = {0};
    struct fb_request_head clean;
    struct fb_request_head again;
    struct edge_access_ticket ticket;
    struct edge_access_grant grant = {0};

    request_of((struct fb_str){(const char *)data, size}, &request, &arena);
    edge_access_read(access, &arena, &request, &clean, &ticket);
    FB_REQUIRE(edge_access_verify(access, ticket.token, &grant) != EDGE_ACCESS_GRANTED);
    /* One segment of the path goes; the next may look like a token too. */
    if (ticket.place != EDGE_ACCESS_SEGMENT) {
        edge_access_read(access, &arena, &clean, &again, &ticket);
        FB_REQUIRE(ticket.place == EDGE_ACCESS_NOWHERE || ticket.place == EDGE_ACCESS_SEGMENT);
    }
    (void)edge_access_covers(FB_STR("/a"), request.path);
    fb_arena_done(&arena);
    edge_access_unref(access);
    return 0;
}
