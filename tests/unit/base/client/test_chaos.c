/*
 * Random fetches against a random upstream: whatever happens, each fetch is
 * done once, content that ends is whole, and nothing is left.
 */
#include "base/client/client.h"
#include "upstream.h"

enum { N_CALLERS = 8, N_ROUNDS = 4000 };

struct chaos {
    struct fixture *f;
    uint64_t seed;
    struct caller {
        struct get get;
        struct chaos *chaos;
        bool is_busy;  /* a fetch or its body is not over */
        bool has_body; /* done, and the body not closed */
        bool is_canceled;
    } callers[N_CALLERS];
    unsigned n_whole;
};

static uint64_t pick(struct chaos *chaos, uint64_t below)
{
    chaos->seed ^= chaos->seed << 13;
    chaos->seed ^= chaos->seed >> 7;
    chaos->seed ^= chaos->seed << 17;
    return chaos->seed % below;
}

static void caller_end(struct caller *caller, int end)
{
    struct get *get = &caller->get;

    if (end == FB_E_END && get->fetch.response.status == 200) {
        assert_int_equal(get->content.len, 5); /* whatever the bytes */
        caller->chaos->n_whole++;
    }
    get_done(get);
    caller->is_busy = false;
    caller->has_body = false;
}

static void caller_read(struct caller *caller)
{
    struct fb_slice slice;
    int err;

    while ((err = fb_reader_next(caller->get.fetch.body, &slice)) == FB_OK) {
        fb_buf_append(&caller->get.content, slice.bytes);
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_reader_wait(caller->get.fetch.body, &caller->get.wait);
        return;
    }
    fb_reader_close(caller->get.fetch.body);
    caller_end(caller, err);
}

static void on_caller_readable(struct fb_op *op)
{
    struct caller *caller = FB_CONTAINER_OF(op, struct caller, get.wait);

    if (caller->has_body) {
        caller_read(caller);
    } else {
        caller_end(caller, FB_E_CANCELED);
    }
}

static void on_caller_done(struct fb_op *op)
{
    struct caller *caller = FB_CONTAINER_OF(op, struct caller, get.fetch.op);

    assert_int_equal(++caller->get.n_done, 1);
    if (op->result < 0) {
        caller_end(caller, op->result);
    } else if (caller->is_canceled) {
        fb_reader_close(caller->get.fetch.body);
        caller_end(caller, FB_E_CANCELED);
    } else {
        caller->has_body = true;
        caller_read(caller);
    }
}

static void caller_start(struct caller *caller)
{
    struct chaos *chaos = caller->chaos;

    get_init(&caller->get, chaos->f);
    fb_op_init(&caller->get.fetch.op, chaos->f->loop, on_caller_done);
    fb_op_init(&caller->get.wait, chaos->f->loop, on_caller_readable);
    if (pick(chaos, 4) == 0) {
        FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
        fb_buf_append(&buf, FB_STR("some content"));
        caller->get.fetch.method = FB_METHOD_PUT;
        caller->get.fetch.request_length = pick(chaos, 2) == 0 ? -1 : 12;
        caller->get.fetch.request_body = fb_reader_of_buf(&buf);
    }
    caller->is_busy = true;
    caller->is_canceled = false;
    fb_client_fetch(chaos->f->client, &caller->get.fetch);
}

/* Leaves, in whatever state it is. */
static void caller_leave(struct caller *caller)
{
    caller->is_canceled = true;
    if (!caller->has_body) {
        fb_op_cancel(&caller->get.fetch.op);
        return;
    }
    fb_op_cancel(&caller->get.wait);
    fb_reader_close(caller->get.fetch.body);
    caller->has_body = false; /* the end comes with the wait's */
}

/* One peer of the upstream does something. */
static void peer_act(struct chaos *chaos, struct peer *peer)
{
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "lo",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 500 Oh\r\nContent-Length: 300000\r\n\r\nhello",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    };

    if (peer->stream == NULL || peer->end != FB_OK || !fb_op_is_idle(&peer->write.op)) {
        return;
    }
    uint64_t choice = pick(chaos, FB_ARRAY_LEN(texts) + 2);
    if (choice < FB_ARRAY_LEN(texts)) {
        peer_send(peer, fb_str_from(texts[choice]));
    } else if (choice == FB_ARRAY_LEN(texts)) {
        peer_close(peer);
    } else {
        fb_stream_reset(peer->stream);
        peer->stream = NULL;
    }
}

/* Drops peers that are over, so that the fixture's table never fills. */
static void sweep_peers(struct fixture *f)
{
    unsigned n_kept = 0;

    for (unsigned i = 0; i < f->n_peers; i++) {
        struct peer *peer = f->peers[i];
        if (peer->end != FB_OK && peer->stream != NULL) {
            peer_close(peer);
        }
        if (peer->stream != NULL || !fb_op_is_idle(&peer->wait) ||
            !fb_op_is_idle(&peer->write.op)) {
            f->peers[n_kept++] = peer;
            continue;
        }
        fb_buf_done(&peer->in);
        fb_free(peer);
    }
    f->n_peers = n_kept;
}

static void whatever_happens_nothing_is_left(void **state)
{
    struct fixture *f = *state;
    struct chaos *chaos = FB_NEW(struct chaos);

    f->answer = FB_STR_NONE;
    chaos->f = f;
    chaos->seed = 4711;
    print_message("seed %u\n", (unsigned)chaos->seed);
    for (int i = 0; i < N_CALLERS; i++) {
        chaos->callers[i].chaos = chaos;
    }
    for (int n = 0; n < N_ROUNDS; n++) {
        struct caller *caller = &chaos->callers[pick(chaos, N_CALLERS)];
        if (!caller->is_busy) {
            caller_start(caller);
        } else if (pick(chaos, 10) == 0 && !caller->is_canceled) {
            caller_leave(caller);
        }
        for (unsigned i = 0; i < f->n_peers; i++) {
            if (pick(chaos, 3) == 0) {
                peer_act(chaos, f->peers[i]);
            }
        }
        if (pick(chaos, 50) == 0) {
            test_clock_advance_ms(&f->clock, pick(chaos, 31000));
        }
        fb_loop_turn(f->loop);
        sweep_peers(f);
    }
    for (int i = 0; i < N_CALLERS; i++) {
        struct caller *caller = &chaos->callers[i];
        if (caller->is_busy && !caller->is_canceled) {
            caller_leave(caller);
        }
    }
    quiet(f);
    for (int i = 0; i < N_CALLERS; i++) {
        assert_false(chaos->callers[i].is_busy);
    }
    assert_true(chaos->n_whole > 100);
    fb_free(chaos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_happens_nothing_is_left, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
