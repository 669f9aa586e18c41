#include "crowd_fixture.h"

enum {
    N_CLIENTS = 8, /* per loop */
    N_JOINS = 60,  /* per client */
    N_KEYS = 6,
    PIECE = 3000,
    N_PIECES = 20,
    LIMIT = 4 * 1024 * 1024
};

struct fixture {
    struct crowd crowd;
    _Atomic unsigned n_objects;
    _Atomic unsigned n_collapsed;
};

/* ---- an upstream ------------------------------------------------------- */

/* Gives its pieces one per turn, and breaks off after some of them. */
struct piece_body {
    struct auto_body body;
    unsigned n_given;
    unsigned n_good; /* pieces before it ends or breaks */
};

static char piece[PIECE];

static int piece_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct piece_body *pieces = FB_CONTAINER_OF(reader, struct piece_body, body.reader);

    if (pieces->n_given == pieces->n_good) {
        return pieces->n_good == N_PIECES ? FB_E_END : FB_E_CLOSED;
    }
    if (pieces->n_given == pieces->body.n_turns) {
        return FB_E_LATER;
    }
    pieces->n_given++;
    *ret_slice = (struct fb_slice){.bytes = {piece, sizeof(piece)}};
    return FB_OK;
}

struct auto_try {
    struct fb_post post;
    struct edge_fetch *fetch; /* NULL once canceled */
    struct bench *bench;
    unsigned choice;
};

static void auto_fetch_cancel(struct fb_op *op)
{
    ((struct auto_try *)op->provider)->fetch = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void auto_answer(struct fb_post *post)
{
    static const struct fb_reader_ops ops = {
        .next = piece_next, .wait = auto_wait, .close = auto_close};
    struct auto_try *try = FB_CONTAINER_OF(post, struct auto_try, post);
    struct edge_fetch *fetch = try->fetch;
    unsigned choice = try->choice;
    struct fb_loop *loop = try->bench->loop;

    fb_free(try);
    if (fetch == NULL) {
        return;
    }
    if (choice == 0) {
        fb_op_finish(&fetch->op, FB_E_TIMEOUT);
        return;
    }
    struct piece_body *pieces = FB_NEW(struct piece_body);
    auto_init(&pieces->body, loop, &ops);
    pieces->n_good = choice == 1 ? N_PIECES / 2 : N_PIECES;
    fetch->body = &pieces->body.reader;
    fetch->length = choice % 2 == 0 ? PIECE * N_PIECES : FB_LENGTH_UNKNOWN;
    fetch->response.status = choice == 2 ? 503 : 200;
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("Cache-Control"),
                   choice == 3 ? FB_STR("no-store") : FB_STR("max-age=600"));
    if (choice == 4) {
        fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("Vary"), FB_STR("Accept"));
    }
    fb_op_finish(&fetch->op, FB_OK);
}

static void auto_fetch(void *ctx, struct edge_fetch *fetch)
{
    struct bench *bench = ctx;
    struct auto_try *try = FB_NEW(struct auto_try);
    uint64_t seed = atomic_fetch_add(&bench->crowd->n_fetches, 1) + 1;

    FB_REQUIRE(fetch->op.loop == bench->loop);
    fb_op_begin(&fetch->op, auto_fetch_cancel);
    fetch->op.provider = try;
    try->fetch = fetch;
    try->bench = bench;
    try->choice = (unsigned)(next_random(&seed) % 24);
    try->post.run = auto_answer;
    fb_loop_post(bench->loop, &try->post);
}

/* ---- clients ----------------------------------------------------------- */

struct client {
    struct bench *bench;
    uint64_t seed;
    unsigned n_joins;
    char key[16];
    struct fb_request_head request;
    struct fb_arena arena;
    struct edge_fill_join join;
    struct edge_object *object; /* counted */
    struct fb_reader *reader;   /* of the object, or of a pass */
    struct fb_op wait;
    size_t n_read;
    struct fb_post post;
    bool is_posted;
};

static void client_next(struct client *client);

static void client_end(struct client *client)
{
    struct bench *bench = client->bench;

    fb_arena_done(&client->arena);
    fb_free(client);
    bench_leave(bench);
}

static void client_on_post(struct fb_post *post)
{
    struct client *client = FB_CONTAINER_OF(post, struct client, post);

    client->is_posted = false;
    fb_op_cancel(&client->join.op);
    fb_op_cancel(&client->wait);
}

/* Something to cut into what happens next. */
static void client_disturb(struct client *client)
{
    if (!client->is_posted && next_random(&client->seed) % 6 == 0) {
        client->is_posted = true;
        fb_loop_post(client->bench->loop, &client->post);
    }
}

static void client_finish_one(struct client *client)
{
    fb_reader_close(client->reader);
    client->reader = NULL;
    edge_object_unref(client->object);
    client->object = NULL;
    edge_pass_free(client->join.pass);
    client->join.pass = NULL;
    if (next_random(&client->seed) % 4 == 0) {
        edge_store_invalidate(client->bench->crowd->store, client->bench->loop,
                              fb_str_from(client->key));
    }
    client_next(client);
}

static void client_read(struct client *client);

static void client_on_news(struct fb_op *op)
{
    struct client *client = FB_CONTAINER_OF(op, struct client, wait);

    if (op->result < 0) {
        client_finish_one(client);
    } else {
        client_read(client);
    }
}

static void client_read(struct client *client)
{
    struct fb_slice slice;
    int err = FB_OK;

    while ((err = fb_reader_next(client->reader, &slice)) == FB_OK) {
        client->n_read += slice.bytes.len;
        FB_REQUIRE(slice.bytes.ptr[0] == 'x' && slice.bytes.ptr[slice.bytes.len - 1] == 'x');
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_op_init(&client->wait, client->bench->loop, client_on_news);
        fb_reader_wait(client->reader, &client->wait);
        client_disturb(client);
        return;
    }
    /* No cut body looks whole. */
    FB_REQUIRE(err != FB_E_END || client->n_read == (size_t)PIECE * N_PIECES);
    client_finish_one(client);
}

static void client_on_joined(struct fb_op *op)
{
    struct client *client = FB_CONTAINER_OF(op, struct client, join.op);
    struct fixture *f = FB_CONTAINER_OF(client->bench->crowd, struct fixture, crowd);

    client->n_read = 0;
    if (op->result == FB_OK && client->join.outcome == EDGE_FILL_OBJECT) {
        atomic_fetch_add(&f->n_objects, 1);
        atomic_fetch_add(&f->n_collapsed, client->join.is_collapsed ? 1 : 0);
        client->object = client->join.object;
        client->reader =
            edge_object_reader(client->object, client->bench->loop, 0, FB_LENGTH_UNKNOWN, NULL);
        client_read(client);
    } else if (op->result == FB_OK && client->join.outcome == EDGE_FILL_PASS) {
        client->reader = client->join.pass->body;
        client->join.pass->body = NULL;
        client_read(client);
    } else {
        client_finish_one(client);
    }
}

static void client_next(struct client *client)
{
    if (client->n_joins++ >= N_JOINS && !client->is_posted) {
        client_end(client);
        return;
    }
    (void)snprintf(client->key, sizeof(client->key), "h/%u",
                   (unsigned)(next_random(&client->seed) % N_KEYS));
    fb_op_init(&client->join.op, client->bench->loop, client_on_joined);
    client->join.ask = (struct edge_fill_ask){
        .key = fb_str_from(client->key), .request = &client->request, .upstream = client->bench};
    edge_fill_join(client->bench->crowd->table, &client->join);
    client_disturb(client);
}

static void bench_begin(struct fb_post *post)
{
    struct bench *bench = FB_CONTAINER_OF(post, struct bench, post);

    bench->n_clients = N_CLIENTS;
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        struct client *client = FB_NEW(struct client);
        client->bench = bench;
        client->seed = bench_seed(bench, i);
        client->post.run = client_on_post;
        fb_op_init(&client->wait, bench->loop, client_on_news);
        fb_headers_add(&client->request.headers, &client->arena, FB_STR("Accept"),
                       i % 2 == 0 ? FB_STR("a") : FB_STR("b"));
        client_next(client);
    }
}

static void loops_fill_one_store_together(void **state)
{
    struct fixture f = {0};

    (void)state;
    memset(piece, 'x', sizeof(piece));
    crowd_run(&f.crowd, bench_begin, LIMIT, 16, auto_fetch);
    assert_true(f.n_objects > 0 && f.n_collapsed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_fill_one_store_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
