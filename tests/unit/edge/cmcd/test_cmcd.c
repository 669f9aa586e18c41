#include "base/core/arena.h"
#include "edge/cmcd/cmcd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct fb_arena arena;
    struct fb_request_head request;
    struct edge_cmcd cmcd;
    struct fb_buf text;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){0};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    edge_cmcd_done(&f->cmcd);
    fb_buf_done(&f->text);
    fb_arena_done(&f->arena);
    return 0;
}

static const char *field(struct fixture *f, enum edge_cmcd_field which)
{
    fb_buf_clear(&f->text);
    edge_cmcd_append(&f->text, &f->cmcd, which);
    return f->text.len > 0 ? f->text.ptr : "";
}

static void read_query(struct fixture *f, const char *query)
{
    f->request.query = fb_str_from(query);
    edge_cmcd_read(&f->request, &f->cmcd);
}

static void keys_of_a_query_go_to_their_fields(void **state)
{
    struct fixture *f = *state;

    read_query(f, "a=1&CMCD=bl%3D21300%2Cbr%3D3200%2Csid%3D%226e2f%22%2Csu%2Cbs%2Crtp%3D4800&b=2");
    assert_string_equal(field(f, EDGE_CMCD_OBJECT), "br=3200");
    assert_string_equal(field(f, EDGE_CMCD_REQUEST), "bl=21300,su");
    assert_string_equal(field(f, EDGE_CMCD_SESSION), "sid=\"6e2f\"");
    assert_string_equal(field(f, EDGE_CMCD_STATUS), "bs,rtp=4800");
}

static void fields_stay_what_they_are(void **state)
{
    struct fixture *f = *state;

    fb_headers_add(&f->request.headers, &f->arena, FB_STR("cmcd-session"),
                   FB_STR("sid=\"6e2f\", cid=\"a \\\"b\\\" \\\\\""));
    fb_headers_add(&f->request.headers, &f->arena, FB_STR("CMCD-Request"), FB_STR("com.x-y=z"));
    read_query(f, "CMCD=sid%3D%22other%22,ot%3Dv");
    assert_string_equal(field(f, EDGE_CMCD_SESSION), "sid=\"6e2f\",cid=\"a \\\"b\\\" \\\\\"");
    assert_string_equal(field(f, EDGE_CMCD_REQUEST), "com.x-y=z");
    assert_string_equal(field(f, EDGE_CMCD_OBJECT), "ot=v");
}

static void kinds_are_told_apart(void **state)
{
    struct fixture *f = *state;
    static const enum edge_cmcd_kind kinds[] = {EDGE_CMCD_NUMBER, EDGE_CMCD_NUMBER, EDGE_CMCD_TOKEN,
                                                EDGE_CMCD_TOKEN,  EDGE_CMCD_STRING, EDGE_CMCD_TRUE,
                                                EDGE_CMCD_TOKEN,  EDGE_CMCD_TOKEN};

    read_query(f, "CMCD=bl=10,pr=-1.08,ot=v,nrr=1-2,sid=\"1\",su,x=007,y=1.");
    assert_int_equal(f->cmcd.n, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(f->cmcd.keys[i].kind, kinds[i]);
    }
}

static void what_is_malformed_ends_the_list(void **state)
{
    struct fixture *f = *state;
    static const char *const lists[] = {
        "CMCD=su,=1,bs",  "CMCD=su,sid=\"open",    "CMCD=su,Bl=1",      "CMCD=su,bl=1 2,bs",
        "CMCD=su,bl=,bs", "CMCD=su,sid=\"a\"b,bs", "CMCD=su,bl=a;b,bs", "CMCD=su,sid=\"a\\"};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        read_query(f, lists[i]);
        assert_int_equal(f->cmcd.n, 1);
    }
    read_query(f, "CMCD=%2");
    assert_int_equal(f->cmcd.n, 0);
    read_query(f, "cmcd=su&CMCDX=su&CMCD");
    assert_int_equal(f->cmcd.n, 0);
}

static void there_is_an_end_to_what_is_read(void **state)
{
    struct fixture *f = *state;
    struct fb_buf query = {0};

    fb_buf_printf(&query, "CMCD=");
    for (int i = 0; i < 200; i++) {
        fb_buf_printf(&query, "k%d=\"%d\",", i, i);
    }
    read_query(f, query.ptr);
    assert_int_equal(f->cmcd.n, EDGE_CMCD_KEYS_MAX);
    fb_buf_clear(&query);
    fb_buf_printf(&query, "CMCD=sid=\"%05000d\"", 1);
    read_query(f, query.ptr);
    assert_int_equal(f->cmcd.n, 0);
    fb_buf_done(&query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_of_a_query_go_to_their_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_stay_what_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_malformed_ends_the_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_is_an_end_to_what_is_read, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
