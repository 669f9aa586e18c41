#include "edge/serve/multi.h"

#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/reader.h"
#include "base/sys/random.h"

#include <inttypes.h>
#include <stdio.h>

enum { MULTI_BOUNDARY_LEN = 32, MULTI_TYPE_MAX = 80, MULTI_PART_EXTRA = 192 };

/* In the arena. */
struct multi_body {
    struct fb_reader reader;
    struct edge_multi_of of;
    struct fb_str *heads; /* before each part, and after the last */
    uint64_t n_given;
    size_t at;               /* the part whose head or bytes come next */
    size_t n_skipped;        /* of its head, when bytes of that were given back */
    struct fb_reader *inner; /* owned; of the part's bytes, once its head is out */
};

static struct multi_body *body_of(struct fb_reader *reader)
{
    return FB_CONTAINER_OF(reader, struct multi_body, reader);
}

/* ---- the reader -------------------------------------------------------- */

static uint64_t multi_part_bytes(const struct multi_body *body, size_t i)
{
    struct fb_range range = body->of.ranges->items[i];
    return range.last - range.first + 1;
}

/* The part's bytes but the first `n`. */
static void multi_open_part(struct multi_body *body, uint64_t n)
{
    body->inner = edge_object_reader(
        body->of.object, body->of.loop, body->of.ranges->items[body->at].first + n,
        (int64_t)(multi_part_bytes(body, body->at) - n), body->of.source);
}

/* The head of the next part, whose bytes come then; or the very end. */
static void multi_begin_part(struct multi_body *body, struct fb_slice *ret_slice)
{
    *ret_slice = (struct fb_slice){.bytes = fb_str_skip(body->heads[body->at], body->n_skipped)};
    body->n_skipped = 0;
    if (body->at == body->of.ranges->n) {
        body->at++;
        return;
    }
    multi_open_part(body, 0);
}

static int multi_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct multi_body *body = body_of(reader);

    if (body->inner != NULL) {
        int err = fb_reader_next(body->inner, ret_slice);
        if (err == FB_OK) {
            body->n_given += ret_slice->bytes.len;
        }
        if (err != FB_E_END) {
            return err;
        }
        fb_reader_close(body->inner);
        body->inner = NULL;
        body->at++;
    }
    if (body->at > body->of.ranges->n) {
        return FB_E_END;
    }
    multi_begin_part(body, ret_slice);
    body->n_given += ret_slice->bytes.len;
    return FB_OK;
}

static void multi_unread(struct fb_reader *reader, uint64_t n)
{
    struct multi_body *body = body_of(reader);
    uint64_t place = body->n_given - n;

    fb_reader_close(body->inner);
    body->inner = NULL;
    body->n_given = place;
    for (body->at = 0; place >= body->heads[body->at].len; body->at++) {
        place -= body->heads[body->at].len;
        if (place < multi_part_bytes(body, body->at)) {
            multi_open_part(body, place);
            return;
        }
        place -= multi_part_bytes(body, body->at);
    }
    body->n_skipped = (size_t)place;
}

static void multi_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct multi_body *body = body_of(reader);

    if (body->inner != NULL) {
        fb_reader_wait(body->inner, op);
        return;
    }
    fb_op_begin(op, NULL);
    fb_op_finish(op, FB_OK);
}

static void multi_close(struct fb_reader *reader)
{
    struct multi_body *body = body_of(reader);

    fb_reader_close(body->inner);
    body->inner = NULL;
}

static const struct fb_reader_ops multi_weak_ops = {.next = multi_next,
                                                    .wait = multi_wait,
                                                    .close = multi_close};

static const struct fb_reader_ops multi_strong_ops = {.next = multi_next,
                                                      .wait = multi_wait,
                                                      .close = multi_close,
                                                      .unread = multi_unread};

/* ---- heads ------------------------------------------------------------- */

/* Long enough that no content has it but by a chance that never comes. */
static void multi_boundary(char text[MULTI_BOUNDARY_LEN + 1])
{
    (void)snprintf(text, MULTI_BOUNDARY_LEN + 1, "%016" PRIx64 "%016" PRIx64, fb_random_u64(),
                   fb_random_u64());
}

static struct fb_str multi_head(struct fb_arena *arena, const struct edge_multi_of *of, size_t i,
                                const char *boundary)
{
    size_t room = of->content_type.len + MULTI_PART_EXTRA;
    char *text = fb_arena_alloc(arena, room);
    char range[FB_CONTENT_RANGE_MAX];
    bool has_type = of->content_type.len > 0;

    if (i == of->ranges->n) {
        return (struct fb_str){text, (size_t)snprintf(text, room, "\r\n--%s--\r\n", boundary)};
    }
    (void)fb_content_range_format(of->ranges->items[i], (uint64_t)edge_object_length(of->object),
                                  range);
    int n = snprintf(text, room, "%s--%s\r\n%s%.*s%sContent-Range: %s\r\n\r\n", i > 0 ? "\r\n" : "",
                     boundary, has_type ? "Content-Type: " : "", FB_STR_ARG(of->content_type),
                     has_type ? "\r\n" : "", range);
    return (struct fb_str){text, (size_t)n};
}

void edge_multi_make(struct fb_arena *arena, const struct edge_multi_of *of,
                     struct edge_multi *ret_multi)
{
    struct multi_body *body = fb_arena_alloc(arena, sizeof(*body));
    size_t n = of->ranges->n;
    char boundary[MULTI_BOUNDARY_LEN + 1];
    char *type = fb_arena_alloc(arena, MULTI_TYPE_MAX);
    int64_t length = 0;

    multi_boundary(boundary);
    *body = (struct multi_body){.of = *of};
    body->reader.ops = edge_object_is_strong(of->object) ? &multi_strong_ops : &multi_weak_ops;
    body->heads = fb_arena_alloc(arena, (n + 1) * sizeof(*body->heads));
    for (size_t i = 0; i <= n; i++) {
        body->heads[i] = multi_head(arena, of, i, boundary);
        length += (int64_t)body->heads[i].len;
        if (i < n) {
            length += (int64_t)(of->ranges->items[i].last - of->ranges->items[i].first + 1);
        }
    }
    int len = snprintf(type, MULTI_TYPE_MAX, "multipart/byteranges; boundary=%s", boundary);
    *ret_multi = (struct edge_multi){
        .content_type = {type, (size_t)len}, .length = length, .reader = &body->reader};
}
