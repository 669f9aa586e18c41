/*
 * Loops that want parts of one large object in a memory that is too small for it, from an
 * upstream that breaks off, ignores ranges, and changes the object now and then. A
 * client may be cut, but never has a byte of another version or a wrong place.
 */
#include "crowd_fixture.h"

enum {
    N_CLIENTS = 4, /* per loop */
    N_WANTS = 25,  /* per client */
    PIECE = 64 * 1024,
    PERIOD = 1000003,
    SIZE = 20 * 1024 * 1024 + 5,
    MEMORY = 24 * 1024 * 1024
};

struct fixture {
    struct crowd crowd;
    _Atomic unsigned version;
    _Atomic unsigned n_whole; /* ranges that clients have got all of */
    _Atomic unsigned n_cut;
};

static char pattern[PERIOD];

static struct fixture *fixture_of(struct bench *bench)
{
    return FB_CONTAINER_OF(bench->crowd, struct fixture, crowd);
}

/* What version `version` has at `offset`, up to `n` bytes. */
static struct fb_str bytes_at(unsigned version, uint64_t offset, uint64_t n)
{
    size_t from = (size_t)((offset + version * 7919ULL) % PERIOD);

    return (struct fb_str){pattern + from, (size_t)FB_MIN(n, PERIOD - from)};
}

/* ---- an upstream ------------------------------------------------------- */

/* Several pieces at a time, and then a pause. */
struct part_body {
    struct auto_body body;
    unsigned n_pauses;
    unsigned version;
    uint64_t at;
    uint64_t end;
    uint64_t cut_at; /* where it breaks off, if before the end */
};

static int part_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct part_body *part = FB_CONTAINER_OF(reader, struct part_body, body.reader);

    if (part->at >= part->end) {
        return FB_E_END;
    }
    if (part->at >= part->cut_at) {
        return FB_E_CLOSED;
    }
    if (part->n_pauses > part->body.n_turns) {
        return FB_E_LATER;
    }
    uint64_t n = FB_MIN(part->end, part->cut_at) - part->at;
    struct fb_str bytes = bytes_at(part->version, part->at, FB_MIN(n, (uint64_t)PIECE));
    if (part->at % (8 * PIECE) == 0) {
        part->n_pauses = part->body.n_turns + 1;
    }
    part->at += bytes.len;
    *ret_slice = (struct fb_slice){.bytes = bytes};
    return FB_OK;
}

static void add_field(struct edge_fetch *fetch, const char *name, const char *fmt, ...)
    FB_PRINTF(3, 4);

static void add_field(struct edge_fetch *fetch, const char *name, const char *fmt, ...)
{
    char text[128];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fb_headers_add(&fetch->response.headers, fetch->arena, fb_str_from(name),
                   fb_arena_dup(fetch->arena, fb_str_from(text)));
}

/* What a server would make of Range and If-Range; false: the whole. */
static bool part_range(const struct edge_fetch *fetch, const char *etag, struct fb_range *ret_range)
{
    const struct fb_headers *headers = &fetch->request->headers;
    struct fb_str if_range = fb_headers_find(headers, FB_STR("if-range"));
    struct fb_ranges ranges;

    if (if_range.len > 0 && !fb_str_equal(if_range, fb_str_from(etag))) {
        return false;
    }
    if (fb_range_evaluate(fb_headers_find(headers, FB_STR("range")), SIZE, &ranges) !=
        FB_RANGE_PARTIAL) {
        return false;
    }
    *ret_range = ranges.items[0];
    return true;
}

static void part_fetch(void *ctx, struct edge_fetch *fetch)
{
    static const struct fb_reader_ops ops = {
        .next = part_next, .wait = auto_wait, .close = auto_close};
    struct bench *bench = ctx;
    struct fixture *f = fixture_of(bench);
    uint64_t seed = atomic_fetch_add(&f->crowd.n_fetches, 1) + 1;
    unsigned choice = (unsigned)(next_random(&seed) % 32);
    struct fb_range range = {.last = SIZE - 1};
    char etag[32];

    fb_op_begin(&fetch->op, NULL); /* it is answered at once */
    if (choice == 0) {
        fb_op_finish(&fetch->op, FB_E_TIMEOUT);
        return;
    }
    if (choice == 1) {
        atomic_fetch_add(&f->version, 1);
    }
    struct part_body *part = FB_NEW(struct part_body);
    auto_init(&part->body, bench->loop, &ops);
    part->n_pauses = 1;
    part->version = atomic_load(&f->version);
    (void)snprintf(etag, sizeof(etag), "\"%u\"", part->version);
    bool is_part = choice != 2 && part_range(fetch, etag, &range);
    part->at = range.first;
    part->end = range.last + 1;
    part->cut_at = choice >= 3 && choice <= 8 ? part->at + PIECE * (1 + choice) : UINT64_MAX;
    fetch->response.status = is_part ? 206 : 200;
    fetch->length = (int64_t)(part->end - part->at);
    fetch->body = &part->body.reader;
    add_field(fetch, "ETag", "%s", etag);
    add_field(fetch, "Cache-Control", "max-age=600");
    if (is_part) {
        add_field(fetch, "Content-Range", "bytes %llu-%llu/%d", (unsigned long long)range.first,
                  (unsigned long long)range.last, (int)SIZE);
    }
    fb_op_finish(&fetch->op, FB_OK);
}

/* ---- clients ----------------------------------------------------------- */

struct client {
    struct bench *bench;
    uint64_t seed;
    unsigned n_wants;
    struct fb_request_head request;
    struct fb_range_spec range;
    struct edge_fill_join join;
    struct edge_fill_chunks chunks;
    struct fb_reader *reader;
    struct fb_op wait;
    unsigned version;
    uint64_t at;
    uint64_t patience; /* leaves after so many bytes */
};

static void client_next(struct client *client);

static void client_end(struct client *client)
{
    struct bench *bench = client->bench;

    fb_free(client);
    bench_leave(bench);
}

static void client_finish_one(struct client *client)
{
    fb_reader_close(client->reader);
    client->reader = NULL;
    edge_pass_free(client->join.pass);
    client->join.pass = NULL;
    if (next_random(&client->seed) % 16 == 0) {
        edge_store_invalidate(client->bench->crowd->store, client->bench->loop, FB_STR("h/x"));
    }
    client_next(client);
}

static void client_read(struct client *client);

static void client_on_news(struct fb_op *op)
{
    client_read(FB_CONTAINER_OF(op, struct client, wait));
}

static void client_check(struct client *client, struct fb_str bytes)
{
    while (bytes.len > 0) {
        struct fb_str want = bytes_at(client->version, client->at, bytes.len);
        FB_REQUIRE(memcmp(bytes.ptr, want.ptr, want.len) == 0);
        bytes = fb_str_skip(bytes, want.len);
        client->at += want.len;
    }
}

static void client_read(struct client *client)
{
    struct fixture *f = fixture_of(client->bench);
    struct fb_slice slice;
    int err = FB_OK;

    while (client->at - client->range.first < client->patience &&
           (err = fb_reader_next(client->reader, &slice)) == FB_OK) {
        client_check(client, slice.bytes);
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_op_init(&client->wait, client->bench->loop, client_on_news);
        fb_reader_wait(client->reader, &client->wait);
        return;
    }
    FB_REQUIRE(err != FB_E_END || client->at == client->range.last + 1);
    atomic_fetch_add(&f->n_whole, err == FB_E_END ? 1 : 0);
    atomic_fetch_add(&f->n_cut, err < 0 && err != FB_E_END ? 1 : 0);
    client_finish_one(client);
}

static void client_open(struct client *client, struct edge_object *object)
{
    struct bench *bench = client->bench;
    struct fb_str etag = edge_object_head(object)->etag;
    uint64_t version = 0;

    FB_REQUIRE(fb_str_to_u64((struct fb_str){etag.ptr + 1, etag.len - 2}, &version) == FB_OK);
    client->version = (unsigned)version;
    client->at = client->range.first;
    edge_fill_chunks_init(&client->chunks, bench->crowd->table, bench->loop, &client->join.ask);
    client->reader = edge_object_reader(object, bench->loop, client->range.first,
                                        (int64_t)(client->range.last - client->range.first + 1),
                                        &client->chunks.source);
    edge_object_unref(object);
    client_read(client);
}

static void client_on_joined(struct fb_op *op)
{
    struct client *client = FB_CONTAINER_OF(op, struct client, join.op);

    if (op->result == FB_OK && client->join.outcome == EDGE_FILL_OBJECT) {
        client_open(client, client->join.object);
    } else {
        client_finish_one(client);
    }
}

static void client_next(struct client *client)
{
    struct bench *bench = client->bench;
    struct crowd *crowd = bench->crowd;

    if (client->n_wants++ == N_WANTS) {
        client_end(client);
        return;
    }
    uint64_t most = next_random(&client->seed) % 8 == 0 ? SIZE : 3 * (uint64_t)EDGE_CHUNK_BYTES;
    client->range.first = next_random(&client->seed) % SIZE;
    uint64_t n = next_random(&client->seed) % most;
    client->range.last = FB_MIN(client->range.first + n, (uint64_t)SIZE - 1);
    client->patience = next_random(&client->seed) % 4 == 0
                           ? next_random(&client->seed) % EDGE_CHUNK_BYTES
                           : UINT64_MAX;
    struct edge_object *object =
        edge_store_find(crowd->store, FB_STR("h/x"), &client->request.headers);
    fb_op_init(&client->join.op, bench->loop, client_on_joined);
    client->join.ask = (struct edge_fill_ask){.key = FB_STR("h/x"),
                                              .request = &client->request,
                                              .range = &client->range,
                                              .upstream = bench};
    if (object == NULL) {
        edge_fill_join(crowd->table, &client->join);
    } else if (edge_object_holds(object, client->range.first, 1) || client->n_wants % 2 == 0) {
        client_open(client, object);
    } else {
        client->join.ask.partial = object;
        edge_fill_join(crowd->table, &client->join);
        edge_object_unref(object);
    }
}

static void bench_begin(struct fb_post *post)
{
    struct bench *bench = FB_CONTAINER_OF(post, struct bench, post);

    bench->n_clients = N_CLIENTS;
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        struct client *client = FB_NEW(struct client);
        client->bench = bench;
        client->seed = bench_seed(bench, i);
        client_next(client);
    }
}

static void parts_of_one_object_are_had_by_all_loops(void **state)
{
    struct fixture f = {0};

    (void)state;
    for (unsigned i = 0; i < PERIOD; i++) {
        pattern[i] = (char)((i * 2654435761U) >> 13);
    }
    crowd_run(&f.crowd, bench_begin, MEMORY, 64, part_fetch);
    print_message("%u fetches, %u versions, %u whole, %u cut\n", f.crowd.n_fetches, f.version + 1,
                  f.n_whole, f.n_cut);
    assert_true(f.n_whole > N_LOOPS * N_CLIENTS * N_WANTS / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_one_object_are_had_by_all_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
