#include "base/net/tls_stream.h"
#include "base/tls/config.h"
#include "tests/support/test_certificates.h"
#include "upstream.h"

#define PEM(text) ((struct fb_tls_pem){{(text), sizeof(text) - 1}, #text})

/* What a connection to the upstream begins with. */
struct shaking {
    struct fb_tls_shake shake;
    struct fixture *f;
};

struct secure {
    struct fixture *f;
    struct fb_listener *listener;
    uint16_t port;
    struct fb_tls_config *server;
    struct fb_tls_party *party; /* the client's */
    unsigned n_shaking;
};

static void on_shaken(struct fb_op *op)
{
    struct shaking *shaking = FB_CONTAINER_OF(op, struct shaking, shake.op);

    if (op->result == FB_OK) {
        on_accepted(shaking->f, shaking->shake.stream);
    }
    fb_free(shaking);
}

static void on_secure_accepted(void *ctx, struct fb_stream *stream)
{
    struct secure *s = ctx;
    struct shaking *shaking = FB_NEW(struct shaking);

    s->n_shaking++;
    shaking->f = s->f;
    fb_op_init(&shaking->shake.op, s->f->loop, on_shaken);
    shaking->shake.inner = stream;
    shaking->shake.config = s->server;
    fb_tls_accept(&shaking->shake);
}

/* `protocol` is what the upstream chooses by ALPN, of HTTP/2 and HTTP/1.1; NULL: nothing. */
static struct secure secure_new(struct fixture *f, const char *protocol)
{
    static const char *const offered[] = {"h2", "http/1.1"};
    const struct fb_tls_certificate certificate = {PEM(TEST_SERVER_PEM), PEM(TEST_SERVER_KEY)};
    struct secure s = {.f = f};
    struct fb_tls_config *client = NULL;

    assert_int_equal(fb_tls_config_new(&(struct fb_tls_options){.certificates = &certificate,
                                                                .n_certificates = 1,
                                                                .protocols = &protocol,
                                                                .n_protocols = protocol != NULL},
                                       &s.server, NULL),
                     FB_OK);
    assert_int_equal(fb_tls_config_new(&(struct fb_tls_options){.is_client = true,
                                                                .authorities = PEM(TEST_CA_PEM),
                                                                .protocols = offered,
                                                                .n_protocols = 2},
                                       &client, NULL),
                     FB_OK);
    s.party = fb_tls_party_new(client, NULL, 0);
    fb_tls_config_unref(client);
    return s;
}

static void secure_listen(struct secure *s)
{
    struct fb_listener_options options = {.accepted = on_secure_accepted, .ctx = s};

    assert_int_equal(fb_address_from_ip(FB_STR("127.0.0.1"), 0, &options.address), FB_OK);
    assert_int_equal(fb_listener_open(s->f->loop, &options, &s->listener), FB_OK);
    struct fb_address bound = fb_listener_address(s->listener);
    s->port = fb_address_port(&bound);
}

static void secure_done(struct secure *s)
{
    fb_listener_close(s->listener);
    quiet(s->f);
    fb_tls_party_free(s->party);
    fb_tls_config_unref(s->server);
}

static void get_secure(struct get *get, struct secure *s, struct fb_str name)
{
    get_init(get, s->f);
    get->fetch.url.scheme = FB_STR("https");
    get->fetch.url.port = s->port;
    get->fetch.tls = s->party;
    get->fetch.tls_name = name;
    fb_client_fetch(s->f->client, &get->fetch);
}

static void content_comes_over_tls_on_a_kept_connection(void **state)
{
    struct fixture *f = *state;
    struct secure s = secure_new(f, NULL);

    secure_listen(&s);
    for (unsigned i = 0; i < 2; i++) {
        struct get get;
        get_secure(&get, &s, FB_STR_NONE);
        UNTIL(f, get.end != FB_OK);
        assert_int_equal(get.end, FB_E_END);
        assert_string_equal(get.content.ptr, "hello");
        get_done(&get);
    }
    assert_int_equal(s.n_shaking, 1);
    assert_int_equal(metric(f, "fb_client_connections_reused_total"), 1);
    secure_done(&s);
}

static void connections_are_not_shared_with_who_asks_for_another_name(void **state)
{
    struct fixture *f = *state;
    struct secure s = secure_new(f, NULL);
    struct fb_diag diag = {.err = FB_OK};
    struct get get;

    secure_listen(&s);
    get_secure(&get, &s, FB_STR("a.example"));
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    get_done(&get);
    get_init(&get, f);
    get.fetch.diag = &diag;
    get.fetch.url.scheme = FB_STR("https");
    get.fetch.url.port = s.port;
    get.fetch.tls = s.party;
    get.fetch.tls_name = FB_STR("other.example");
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_DENIED);
    assert_non_null(strstr(diag.text, "certificate"));
    get_done(&get);
    secure_done(&s);
}

static void http2_is_spoken_where_the_upstream_chooses_it(void **state)
{
    struct fixture *f = *state;
    struct secure s = secure_new(f, "h2");
    struct get get;

    secure_listen(&s);
    f->answer = FB_STR_NONE;
    get_secure(&get, &s, FB_STR_NONE);
    UNTIL(f, f->n_peers == 1 && f->peers[0]->in.len > 24);
    assert_true(fb_str_starts_with(fb_buf_str(&f->peers[0]->in),
                                   FB_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
    fb_op_cancel(&get.fetch.op);
    UNTIL(f, get.end != FB_OK);
    get_done(&get);
    secure_done(&s);
}

static void all_get_connections_of_their_own_where_it_chooses_http1(void **state)
{
    struct fixture *f = *state;
    struct secure s = secure_new(f, "http/1.1");
    struct get gets[3];

    secure_listen(&s);
    for (unsigned i = 0; i < 3; i++) {
        get_secure(&gets[i], &s, FB_STR_NONE);
    }
    for (unsigned i = 0; i < 3; i++) {
        UNTIL(f, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_END);
        get_done(&gets[i]);
    }
    assert_in_range(s.n_shaking, 2, 3);
    secure_done(&s);
}

static void http2_that_is_asked_for_and_not_spoken_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct secure s = secure_new(f, NULL);
    struct fb_diag diag = {.err = FB_OK};
    struct get get;

    secure_listen(&s);
    get_init(&get, f);
    get.fetch.diag = &diag;
    get.fetch.protocol = FB_CLIENT_HTTP2;
    get.fetch.url.scheme = FB_STR("https");
    get.fetch.url.port = s.port;
    get.fetch.tls = s.party;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "HTTP/2"));
    get_done(&get);
    secure_done(&s);
}

static void https_without_tls_is_not_supported(void **state)
{
    struct fixture *f = *state;
    struct get get;

    get_init(&get, f);
    get.fetch.url.scheme = FB_STR("https");
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.n_done == 1);
    assert_int_equal(get.end, FB_E_UNSUPPORTED);
    get_done(&get);
}

/* Given up at every turn: what is left is the loop's own to find. */
static void fetch_may_be_canceled_at_any_time(void **state)
{
    struct fixture *f = *state;
    struct secure s = secure_new(f, NULL);
    bool was_done = false;

    secure_listen(&s);
    for (int n_turns = 0; !was_done && n_turns < 50; n_turns++) {
        struct get get;
        get_secure(&get, &s, n_turns % 2 == 0 ? FB_STR("a.example") : FB_STR("x.b.example"));
        for (int i = 0; i < n_turns; i++) {
            fb_loop_turn(f->loop);
        }
        was_done = get.n_done == 1;
        fb_op_cancel(&get.fetch.op);
        UNTIL(f, get.end != FB_OK);
        assert_int_equal(get.n_done, 1);
        get_done(&get);
    }
    secure_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(content_comes_over_tls_on_a_kept_connection, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(connections_are_not_shared_with_who_asks_for_another_name,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(http2_is_spoken_where_the_upstream_chooses_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(all_get_connections_of_their_own_where_it_chooses_http1,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(http2_that_is_asked_for_and_not_spoken_is_a_failure, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(https_without_tls_is_not_supported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fetch_may_be_canceled_at_any_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
