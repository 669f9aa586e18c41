#include "serve_fixture.h"

enum { S = 1000 };

/* ---- helpers ----------------------------------------------------------- */

/* Answers the oldest fetch with `status`, the fields in `lines` and `text`. */
static void reply(struct fixture *f, unsigned status, const char *lines, const char *text)
{
    struct edge_fetch *fetch = take_fetch();
    struct fb_str rest = fb_str_from(lines);
    struct fb_str line;

    fetch->response = (struct fb_response_head){.status = status};
    while (fb_str_cut(&rest, '\n', &line)) {
        size_t colon = fb_str_find(line, ':');
        if (colon < line.len) {
            fb_headers_add(&fetch->response.headers, fetch->arena, fb_str_first(line, colon),
                           fb_str_trim(fb_str_skip(line, colon + 1)));
        }
    }
    fetch->length = (int64_t)strlen(text);
    fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = fb_str_from(text)});
    fb_op_finish(&fetch->op, FB_OK);
    turn(f);
}

static void wait_ms(struct fixture *f, uint64_t ms)
{
    test_clock_advance_ms(&f->clock, ms);
    turn(f);
}

static bool has_field(const struct fb_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->response.n_headers; i++) {
        if (fb_str_equal_nocase(exchange->response.headers[i].name, fb_str_from(name))) {
            return true;
        }
    }
    return false;
}

static void get(struct fixture *f, struct fb_exchange *exchange)
{
    ask(f, exchange, FB_METHOD_GET, "/x", NULL, NULL);
    turn(f);
}

/* Asks for what is kept: the status. */
static unsigned get_hit(struct fixture *f)
{
    struct fb_exchange exchange;

    get(f, &exchange);
    assert_int_equal(n_fetches, 0);
    unsigned status = exchange.response.status;
    (void)finish(f, &exchange);
    return status;
}

/* Fetches what comes with these fields, and keeps it. */
static void keep(struct fixture *f, unsigned status, const char *lines)
{
    struct fb_exchange exchange;

    get(f, &exchange);
    reply(f, status, lines, "body");
    assert_int_equal(exchange.response.status, status);
    (void)finish(f, &exchange);
}

/* Serves on under one rule for all paths. */
static void rule_as(struct fixture *f, const struct edge_caching *caching, bool is_regional)
{
    struct edge_rule all = {.class = EDGE_CLASS_OTHER, .caching = *caching};
    struct edge_sites *sites = NULL;

    edge_serve_free(f->serve);
    assert_int_equal(
        edge_sites_new(&(struct edge_sites_spec){.rest = {.rules = &all, .n_rules = 1}}, &sites,
                       NULL),
        FB_OK);
    f->serve = edge_serve_new(f->loop, NULL,
                              &(struct edge_serve_options){.node = FB_STR("box-1"),
                                                           .sites = sites,
                                                           .store = f->store,
                                                           .fills = f->fills,
                                                           .metrics = f->metrics,
                                                           .sends_tags = is_regional});
    edge_sites_unref(sites);
}

static void rule(struct fixture *f, const struct edge_caching *caching)
{
    rule_as(f, caching, false);
}

/* ---- tests ------------------------------------------------------------- */

static void the_age_of_a_hit_is_that_on_arrival_and_the_time_since(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange miss;
    struct fb_exchange hit;

    get(f, &miss);
    wait_ms(f, 2 * S); /* the upstream took its time */
    reply(f, 200, "Cache-Control: max-age=60\nAge: 7\n", "body");
    assert_field(&miss, "Age", "9");
    (void)finish(f, &miss);
    wait_ms(f, 5 * S);
    get(f, &hit);
    assert_field(&hit, "Age", "14");
    assert_field(&hit, "Cache-Status", "box-1; hit; ttl=46; detail=memory");
    (void)finish(f, &hit);
}

static void a_passed_answer_keeps_the_age_it_came_with(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    get(f, &exchange);
    reply(f, 200, "Cache-Control: private\nAge: 7\n", "body");
    assert_field(&exchange, "Age", "7");
    (void)finish(f, &exchange);
}

static void a_304_freshens_what_is_sent_from_then_on(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    keep(f, 200, "Cache-Control: max-age=10\nETag: \"a\"\nX-One: 1\nX-Two: 1\n");
    wait_ms(f, 11 * S);
    get(f, &exchange);
    assert_int_equal(exchange.n_responses, 0);
    reply(f, 304, "Cache-Control: max-age=20\nETag: \"a\"\nX-Two: 2\nContent-Length: 0\n", "");
    assert_field(&exchange, "Age", "0");
    assert_field(&exchange, "X-One", "1");
    assert_field(&exchange, "X-Two", "2");
    assert_int_equal(exchange.response.length, 4);
    assert_string_equal(finish(f, &exchange), "body");
    wait_ms(f, 19 * S);
    assert_int_equal(get_hit(f), 200);
}

static void what_is_private_goes_to_who_asked_and_to_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange first;
    struct fb_exchange second;
    struct fb_exchange later;

    get(f, &first);
    get(f, &second); /* joins the fetch of the first */
    reply(f, 200, "Cache-Control: max-age=60, private=\"set-cookie\"\nSet-Cookie: me\nX-All: 1\n",
          "body");
    assert_field(&first, "Set-Cookie", "me");
    assert_field(&first, "X-All", "1");
    assert_false(has_field(&second, "Set-Cookie"));
    assert_field(&second, "X-All", "1");
    (void)finish(f, &first);
    (void)finish(f, &second);
    get(f, &later);
    assert_int_equal(n_fetches, 0);
    assert_false(has_field(&later, "Set-Cookie"));
    (void)finish(f, &later);
}

static void what_a_304_says_in_private_goes_to_who_asked(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    keep(f, 200, "Cache-Control: max-age=10\nETag: \"a\"\n");
    wait_ms(f, 11 * S);
    get(f, &exchange);
    reply(f, 304, "Cache-Control: max-age=20, private=\"x-me\"\nETag: \"a\"\nX-Me: 1\n", "");
    assert_field(&exchange, "X-Me", "1");
    (void)finish(f, &exchange);
    get(f, &exchange);
    assert_false(has_field(&exchange, "X-Me"));
    (void)finish(f, &exchange);
}

static void stale_if_error_stands_in_for_four_statuses_alone(void **state)
{
    static const struct {
        unsigned status;
        unsigned want;
    } cases[] = {{500, 200}, {502, 200}, {503, 200}, {504, 200}, {501, 501}, {505, 505}};
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_exchange exchange;
        ask(f, &exchange, FB_METHOD_PUT, "/x", NULL, NULL); /* drops what was there */
        reply(f, 204, "", "");
        (void)finish(f, &exchange);
        keep(f, 200, "Cache-Control: max-age=10, stale-if-error=60\n");
        wait_ms(f, 11 * S);
        get(f, &exchange);
        reply(f, cases[i].status, "Cache-Control: no-store\n", "sorry");
        assert_int_equal(exchange.response.status, cases[i].want);
        (void)finish(f, &exchange);
        wait_ms(f, 6 * S); /* what could not be shared is forgotten */
    }
}

static void a_failure_lives_only_as_long_as_a_rule_says(void **state)
{
    static const struct edge_caching caching = {.n_negative = 1, .negative = {{5, 1 * S}}};
    struct fixture *f = *state;
    struct fb_exchange exchanges[2];

    keep(f, 503, "Cache-Control: max-age=60\n");
    keep(f, 503, "Cache-Control: max-age=60\n"); /* asked for again */
    rule(f, &caching);
    get(f, &exchanges[0]);
    get(f, &exchanges[1]);
    reply(f, 503, "", "sorry");
    for (size_t i = 0; i < FB_ARRAY_LEN(exchanges); i++) {
        assert_int_equal(exchanges[i].response.status, 503);
        assert_string_equal(finish(f, &exchanges[i]), "sorry");
    }
    wait_ms(f, 999);
    assert_int_equal(get_hit(f), 503);
    wait_ms(f, 1);
    keep(f, 200, "Cache-Control: max-age=60\n");
}

static void a_failure_takes_the_place_of_nothing(void **state)
{
    static const struct edge_caching caching = {.n_negative = 1, .negative = {{5, 10 * S}}};
    struct fixture *f = *state;
    struct fb_exchange exchange;

    rule(f, &caching);
    keep(f, 200, "Cache-Control: max-age=10\nETag: \"a\"\n");
    wait_ms(f, 11 * S);
    keep(f, 503, "");
    get(f, &exchange);
    reply(f, 304, "ETag: \"a\"\n", "");
    assert_string_equal(finish(f, &exchange), "body");
    assert_int_equal(get_hit(f), 200);
}

static void what_is_missing_is_asked_for_when_it_may_be_there(void **state)
{
    static const struct edge_caching caching = {.n_negative = 1, .negative = {{404, 10 * S}}};
    struct fixture *f = *state;

    rule(f, &caching);
    keep(f, 404, "Retry-After: 2\n");
    wait_ms(f, 1999);
    assert_int_equal(get_hit(f), 404);
    wait_ms(f, 1);
    keep(f, 200, "Cache-Control: max-age=60\n");
    assert_int_equal(get_hit(f), 200);
}

static void a_cookie_is_kept_as_the_rule_says(void **state)
{
    static const struct {
        enum edge_cookies cookies;
        bool is_kept;
        bool is_sent;
    } cases[] = {{EDGE_COOKIES_BY_CLASS, false, true},
                 {EDGE_COOKIES_DROP, true, false},
                 {EDGE_COOKIES_SHARE, true, true}};
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_exchange exchange;
        rule(f, &(struct edge_caching){.cookies = cases[i].cookies});
        keep(f, 200, "Cache-Control: max-age=60\nSet-Cookie: a=b\n");
        get(f, &exchange);
        assert_int_equal(n_fetches, cases[i].is_kept ? 0 : 1);
        if (!cases[i].is_kept) {
            reply(f, 200, "Cache-Control: max-age=60\nSet-Cookie: a=b\n", "body");
        }
        assert_int_equal(has_field(&exchange, "Set-Cookie"), cases[i].is_sent);
        (void)finish(f, &exchange);
        ask(f, &exchange, FB_METHOD_PUT, "/x", NULL, NULL);
        reply(f, 204, "", "");
        (void)finish(f, &exchange);
        wait_ms(f, 6 * S);
    }
}

static void lifetimes_are_guessed_only_where_a_rule_grants_it(void **state)
{
    static const struct edge_caching caching = {.heuristic_percent = 10};
    static const char lines[] = "Last-Modified: Wed, 31 Dec 2025 23:58:20 GMT\n";
    struct fixture *f = *state;
    struct fb_exchange exchange;

    keep(f, 200, lines); /* a hundred seconds old */
    get(f, &exchange);
    assert_int_equal(n_fetches, 1);
    reply(f, 304, lines, "");
    (void)finish(f, &exchange);
    rule(f, &caching);
    get(f, &exchange);
    reply(f, 304, lines, "");
    (void)finish(f, &exchange);
    wait_ms(f, 9 * S);
    assert_int_equal(get_hit(f), 200);
    wait_ms(f, 2 * S);
    get(f, &exchange);
    assert_int_equal(n_fetches, 1);
    reply(f, 304, lines, "");
    (void)finish(f, &exchange);
}

static void the_first_targeted_field_rules_a_hit(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    keep(f, 200,
         "Forebay-Cache-Control: max-age=30\nCDN-Cache-Control: max-age=20\n"
         "Cache-Control: no-store\n");
    wait_ms(f, 29 * S);
    get(f, &exchange);
    assert_int_equal(n_fetches, 0);
    assert_field(&exchange, "Cache-Status", "box-1; hit; ttl=1; detail=memory");
    assert_field(&exchange, "CDN-Cache-Control", "max-age=20");
    assert_field(&exchange, "Cache-Control", "no-store"); /* is for whoever comes after us */
    (void)finish(f, &exchange);
}

static void what_a_request_made_invalid_does_not_stand_in(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange reading;
    struct fb_exchange writing;

    keep(f, 200, "Cache-Control: max-age=10, stale-if-error=60\nETag: \"a\"\n");
    wait_ms(f, 20 * S);
    get(f, &reading);
    ask(f, &writing, FB_METHOD_POST, "/x", NULL, NULL);
    struct edge_fetch *read = take_fetch();
    answer(f, 200, NULL, NULL, "done");
    (void)finish(f, &writing);
    fetches[n_fetches++] = read;
    answer(f, FB_E_CLOSED, NULL, NULL, NULL);
    assert_int_equal(reading.response.status, 502);
    (void)finish(f, &reading);
}

static void fields_for_tiers_are_kept_from_players(void **state)
{
    static const char lines[] = "Forebay-Cache-Control: max-age=10\nCache-Tag: t\nETag: \"a\"\n";
    struct fixture *f = *state;

    for (int is_regional = 0; is_regional < 2; is_regional++) {
        struct fb_exchange exchange;
        rule_as(f, &(struct edge_caching){0}, is_regional != 0);
        get(f, &exchange);
        reply(f, 200, lines, "body");
        assert_int_equal(has_field(&exchange, "Forebay-Cache-Control"), is_regional);
        assert_int_equal(has_field(&exchange, "Cache-Tag"), is_regional);
        (void)finish(f, &exchange);
        wait_ms(f, 11 * S);
        get(f, &exchange); /* whose 304 says nothing: the stored field still counts */
        reply(f, 304, "ETag: \"a\"\n", "");
        (void)finish(f, &exchange);
        get(f, &exchange);
        assert_field(&exchange, "Cache-Status", "box-1; hit; ttl=10; detail=memory");
        assert_int_equal(has_field(&exchange, "Forebay-Cache-Control"), is_regional);
        (void)finish(f, &exchange);
        ask(f, &exchange, FB_METHOD_PUT, "/x", NULL, NULL);
        reply(f, 204, "", "");
        (void)finish(f, &exchange);
    }
}

static void what_tells_of_the_whole_is_not_said_of_less(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    keep(f, 200,
         "Cache-Control: max-age=60\nETag: \"a\"\nContent-Type: text/plain\n"
         "Content-Digest: sha-256=:x:\n");
    ask(f, &exchange, FB_METHOD_GET, "/x", "If-None-Match", "\"a\"");
    assert_int_equal(exchange.response.status, 304);
    assert_field(&exchange, "ETag", "\"a\"");
    assert_false(has_field(&exchange, "Content-Type"));
    assert_false(has_field(&exchange, "Content-Digest"));
    (void)finish(f, &exchange);
    ask(f, &exchange, FB_METHOD_GET, "/x", "Range", "bytes=1-2");
    assert_int_equal(exchange.response.status, 206);
    assert_field(&exchange, "Content-Type", "text/plain");
    assert_false(has_field(&exchange, "Content-Digest"));
    assert_string_equal(finish(f, &exchange), "od");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_age_of_a_hit_is_that_on_arrival_and_the_time_since),
        TEST(a_passed_answer_keeps_the_age_it_came_with),
        TEST(a_304_freshens_what_is_sent_from_then_on),
        TEST(what_is_private_goes_to_who_asked_and_to_nobody_else),
        TEST(what_a_304_says_in_private_goes_to_who_asked),
        TEST(stale_if_error_stands_in_for_four_statuses_alone),
        TEST(a_failure_lives_only_as_long_as_a_rule_says),
        TEST(a_failure_takes_the_place_of_nothing),
        TEST(what_is_missing_is_asked_for_when_it_may_be_there),
        TEST(a_cookie_is_kept_as_the_rule_says),
        TEST(lifetimes_are_guessed_only_where_a_rule_grants_it),
        TEST(the_first_targeted_field_rules_a_hit),
        TEST(what_a_request_made_invalid_does_not_stand_in),
        TEST(fields_for_tiers_are_kept_from_players),
        TEST(what_tells_of_the_whole_is_not_said_of_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
