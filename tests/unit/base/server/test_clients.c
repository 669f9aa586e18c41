#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/server/clients.h"
#include "tests/support/test_clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct fb_clients *clients;
};

static struct fixture *make(const struct fb_clients_options *options)
{
    struct fixture *f = FB_NEW(struct fixture);
    struct fb_clients_options own = *options;

    f->clock = test_clock_at_start();
    own.clock = &f->clock.clock;
    f->clients = fb_clients_new(&own);
    return f;
}

static void drop(struct fixture *f)
{
    fb_clients_free(f->clients);
    fb_free(f);
}

static struct fb_address ip4(uint32_t number)
{
    struct fb_address address = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in ip = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(number)};

    memcpy(&address.storage, &ip, sizeof(ip));
    return address;
}

static struct fb_address ip(const char *text)
{
    struct fb_address address = {0};

    assert_int_equal(fb_address_from_ip(fb_str_from(text), 99, &address), FB_OK);
    return address;
}

static enum fb_clients_verdict enter(struct fixture *f, const char *text,
                                     struct fb_client **ret_client)
{
    struct fb_address address = ip(text);
    return fb_clients_enter(f->clients, &address, ret_client);
}

static struct fb_client *entered(struct fixture *f, const char *text)
{
    struct fb_client *client = NULL;

    assert_int_equal(enter(f, text, &client), FB_CLIENTS_COUNTED);
    return client;
}

/* How many requests pass at once. */
static unsigned passed(struct fixture *f, struct fb_client *client)
{
    struct fb_clients_quota quota;
    unsigned n = 0;

    while (n < 1000 && fb_clients_admit(f->clients, client, &quota)) {
        n++;
    }
    return n;
}

/* ---- connections ----------------------------------------------------------- */

static void a_client_has_so_many_connections_and_no_more(void **state)
{
    (void)state;
    struct fixture *f = make(&(struct fb_clients_options){.max_connections = 2});
    struct fb_client *third = NULL;

    struct fb_client *first = entered(f, "192.0.2.1");
    struct fb_client *second = entered(f, "192.0.2.1");
    struct fb_client *other = entered(f, "192.0.2.2");
    assert_int_equal(enter(f, "192.0.2.1", &third), FB_CLIENTS_REFUSED);
    assert_null(third);
    fb_clients_leave(f->clients, first);
    third = entered(f, "192.0.2.1");
    fb_clients_leave(f->clients, second);
    fb_clients_leave(f->clients, third);
    fb_clients_leave(f->clients, other);
    drop(f);
}

static void a_network_may_be_one_client(void **state)
{
    (void)state;
    struct fixture *f = make(&(struct fb_clients_options){.max_connections = 1, .bits_v4 = 24});
    struct fb_client *none = NULL;

    struct fb_client *v4 = entered(f, "192.0.2.1");
    struct fb_client *v6 = entered(f, "2001:db8:0:1::1");
    assert_int_equal(enter(f, "192.0.2.2", &none), FB_CLIENTS_REFUSED);
    assert_int_equal(enter(f, "::ffff:192.0.2.3", &none), FB_CLIENTS_REFUSED);
    assert_int_equal(enter(f, "2001:db8:0:1:ffff::2", &none), FB_CLIENTS_REFUSED);
    struct fb_client *next = entered(f, "2001:db8:0:2::1");
    fb_clients_leave(f->clients, v4);
    fb_clients_leave(f->clients, v6);
    fb_clients_leave(f->clients, next);
    drop(f);
}

static void who_is_trusted_is_not_looked_at(void **state)
{
    (void)state;
    struct fb_network trusted[2];
    struct fb_client *none = NULL;

    assert_int_equal(fb_network_parse(FB_STR("10.0.0.0/8"), &trusted[0], NULL), FB_OK);
    assert_int_equal(fb_network_parse(FB_STR("2001:db8::/32"), &trusted[1], NULL), FB_OK);
    struct fixture *f = make(&(struct fb_clients_options){
        .max_connections = 1, .requests_per_s = 1, .trusted = trusted, .n_trusted = 2});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter(f, "10.1.2.3", &none), FB_CLIENTS_TRUSTED);
        assert_int_equal(enter(f, "2001:db8::3", &none), FB_CLIENTS_TRUSTED);
    }
    assert_null(none);
    assert_int_equal(passed(f, NULL), 1000);
    drop(f);
}

static void an_address_that_is_not_known_has_no_bounds(void **state)
{
    (void)state;
    struct fixture *f = make(&(struct fb_clients_options){.max_connections = 1});
    struct fb_address unknown = {.len = 0};
    struct fb_client *none = NULL;

    assert_int_equal(fb_clients_enter(f->clients, &unknown, &none), FB_CLIENTS_FREE);
    assert_null(none);
    drop(f);
}

static void without_bounds_there_is_no_table(void **state)
{
    (void)state;
    assert_null(fb_clients_new(&(struct fb_clients_options){.max_clients = 99}));
}

/* ---- buckets ----------------------------------------------------------------- */

static void a_full_bucket_passes_its_burst_and_fills_at_its_rate(void **state)
{
    (void)state;
    struct fixture *f = make(&(struct fb_clients_options){.requests_per_s = 10, .burst = 30});
    struct fb_client *client = entered(f, "192.0.2.1");

    assert_int_equal(passed(f, client), 30);
    test_clock_advance_ms(&f->clock, 99);
    assert_int_equal(passed(f, client), 0);
    test_clock_advance_ms(&f->clock, 1);
    assert_int_equal(passed(f, client), 1);
    test_clock_advance_ms(&f->clock, 1000);
    assert_int_equal(passed(f, client), 10);
    test_clock_advance_ms(&f->clock, 3600 * 1000);
    assert_int_equal(passed(f, client), 30);
    fb_clients_leave(f->clients, client);
    drop(f);
}

static void who_is_refused_hears_when_to_come_back(void **state)
{
    (void)state;
    struct fixture *f = make(&(struct fb_clients_options){.requests_per_s = 2, .burst = 5});
    struct fb_client *client = entered(f, "192.0.2.1");
    struct fb_clients_quota quota = {0};

    assert_int_equal(passed(f, client), 5);
    assert_false(fb_clients_admit(f->clients, client, &quota));
    assert_int_equal(quota.burst, 5);
    assert_int_equal(quota.window_s, 3);
    assert_int_equal(quota.wait_s, 1);
    fb_clients_leave(f->clients, client);
    drop(f);
}

static void all_connections_of_a_client_share_one_bucket(void **state)
{
    (void)state;
    struct fixture *f = make(&(struct fb_clients_options){.requests_per_s = 10});
    struct fb_client *first = entered(f, "192.0.2.1");
    struct fb_client *second = entered(f, "192.0.2.1");
    struct fb_client *other = entered(f, "192.0.2.2");

    assert_int_equal(passed(f, first), 10);
    assert_int_equal(passed(f, second), 0);
    assert_int_equal(passed(f, other), 10);
    fb_clients_leave(f->clients, first);
    fb_clients_leave(f->clients, second);
    fb_clients_leave(f->clients, other);
    drop(f);
}

static void closing_the_connection_does_not_fill_the_bucket(void **state)
{
    (void)state;
    struct fixture *f = make(&(struct fb_clients_options){.requests_per_s = 10});
    struct fb_client *client = entered(f, "192.0.2.1");

    assert_int_equal(passed(f, client), 10);
    fb_clients_leave(f->clients, client);
    client = entered(f, "192.0.2.1");
    assert_int_equal(passed(f, client), 0);
    fb_clients_leave(f->clients, client);
    drop(f);
}

/* ---- the table --------------------------------------------------------------- */

static void places_of_who_is_gone_are_given_again(void **state)
{
    (void)state;
    struct fixture *f = make(&(struct fb_clients_options){.requests_per_s = 10});

    for (uint32_t i = 0; i < 100000; i++) {
        struct fb_client *client = NULL;
        struct fb_clients_quota quota;
        struct fb_address address = ip4(i);
        assert_int_equal(fb_clients_enter(f->clients, &address, &client), FB_CLIENTS_COUNTED);
        assert_true(fb_clients_admit(f->clients, client, &quota));
        fb_clients_leave(f->clients, client);
    }
    assert_in_range(fb_clients_bytes(f->clients), 32 * 1024, 48 * 1024);
    drop(f);
}

static void a_full_table_lets_in_who_has_no_place(void **state)
{
    (void)state;
    enum { N = 4000 };
    struct fixture *f = make(&(struct fb_clients_options){.max_connections = 1});
    struct fb_client **clients = fb_alloc_array(N, sizeof(struct fb_client *));
    unsigned n_uncounted = 0;

    for (uint32_t i = 0; i < N; i++) {
        struct fb_address address = ip4(i);
        enum fb_clients_verdict verdict = fb_clients_enter(f->clients, &address, &clients[i]);
        assert_int_not_equal(verdict, FB_CLIENTS_REFUSED);
        n_uncounted += verdict == FB_CLIENTS_UNCOUNTED;
    }
    assert_in_range(n_uncounted, N - 1024, N - 512);
    for (uint32_t i = 0; i < N; i++) {
        fb_clients_leave(f->clients, clients[i]);
    }
    fb_free(clients);
    drop(f);
}

/* ---- many threads -------------------------------------------------------------- */

enum { N_THREADS = 4, N_ROUNDS = 5000, N_ADDRESSES = 8 };

struct race {
    struct fixture *f;
    atomic_uint n_admitted;
    unsigned max_open; /* of one client */
    atomic_uint open[N_ADDRESSES];
    atomic_bool is_over;
};

static void *race_run(void *ctx)
{
    struct race *race = ctx;

    for (uint32_t i = 0; i < N_ROUNDS; i++) {
        struct fb_client *client = NULL;
        struct fb_clients_quota quota;
        struct fb_address address = ip4(i % N_ADDRESSES);
        if (fb_clients_enter(race->f->clients, &address, &client) != FB_CLIENTS_COUNTED) {
            continue;
        }
        if (atomic_fetch_add(&race->open[i % N_ADDRESSES], 1) >= race->max_open) {
            atomic_store(&race->is_over, true);
        }
        if (fb_clients_admit(race->f->clients, client, &quota)) {
            atomic_fetch_add(&race->n_admitted, 1);
        }
        atomic_fetch_sub(&race->open[i % N_ADDRESSES], 1);
        fb_clients_leave(race->f->clients, client);
    }
    return NULL;
}

static void bounds_hold_over_threads_to_the_token(void **state)
{
    (void)state;
    pthread_t threads[N_THREADS];
    struct race race = {.max_open = 2};

    race.f = make(&(struct fb_clients_options){
        .max_connections = race.max_open, .requests_per_s = 100, .burst = 100});
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, race_run, &race), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_false(atomic_load(&race.is_over));
    assert_int_equal(atomic_load(&race.n_admitted), 100 * N_ADDRESSES);
    drop(race.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_has_so_many_connections_and_no_more),
        cmocka_unit_test(a_network_may_be_one_client),
        cmocka_unit_test(who_is_trusted_is_not_looked_at),
        cmocka_unit_test(an_address_that_is_not_known_has_no_bounds),
        cmocka_unit_test(without_bounds_there_is_no_table),
        cmocka_unit_test(a_full_bucket_passes_its_burst_and_fills_at_its_rate),
        cmocka_unit_test(who_is_refused_hears_when_to_come_back),
        cmocka_unit_test(all_connections_of_a_client_share_one_bucket),
        cmocka_unit_test(closing_the_connection_does_not_fill_the_bucket),
        cmocka_unit_test(places_of_who_is_gone_are_given_again),
        cmocka_unit_test(a_full_table_lets_in_who_has_no_place),
        cmocka_unit_test(bounds_hold_over_threads_to_the_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
