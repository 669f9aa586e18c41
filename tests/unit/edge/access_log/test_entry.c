#include "base/core/arena.h"
#include "base/core/err.h"
#include "edge/access_log/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct fb_str hidden[] = {{"token", 5}, {"sig", 3}};

struct fixture {
    struct fb_arena arena;
    struct fb_request_head request;
    struct edge_access_entry entry;
    struct edge_access_view view;
    struct fb_buf line;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){
        .request = {.method_text = FB_STR("GET"),
                    .path = FB_STR("/v/1.m4s"),
                    .host = FB_STR("video.example")},
        .entry = {.wall_ms = 1767225600123,
                  .status = 200,
                  .bytes = 1000,
                  .duration_ns = 1234567,
                  .is_complete = true,
                  .result = "hit"},
        .view = {.sample = 1, .hidden = hidden, .n_hidden = 2},
    };
    f.entry.request = &f.request;
    assert_int_equal(fb_address_from_ip(FB_STR("192.0.2.77"), 5, &f.entry.client), FB_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_buf_done(&f->line);
    fb_arena_done(&f->arena);
    return 0;
}

static const char *json(struct fixture *f)
{
    fb_buf_clear(&f->line);
    edge_access_json(&f->line, &f->entry, &f->view);
    return f->line.ptr;
}

static const char *w3c(struct fixture *f)
{
    fb_buf_clear(&f->line);
    edge_access_w3c(&f->line, &f->entry, &f->view);
    return f->line.ptr;
}

static void has(const char *line, const char *text)
{
    if (strstr(line, text) == NULL) {
        fail_msg("'%s' is not in %s", text, line);
    }
}

static void lacks(const char *line, const char *text)
{
    if (strstr(line, text) != NULL) {
        fail_msg("'%s' is in %s", text, line);
    }
}

/* One line, and nothing in it that a terminal or a parser of lines would act on. */
static void is_tame(const char *line)
{
    size_t len = strlen(line);

    assert_true(len > 0 && line[len - 1] == '\n');
    for (size_t i = 0; i + 1 < len; i++) {
        unsigned char c = (unsigned char)line[i];
        assert_true(c >= ' ' && c != 0x7f);
        assert_false(c == 0xc2 && (unsigned char)line[i + 1] < 0xa0);
    }
}

static void json_says_all_that_is_known(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(json(f), "{\"time\":\"2026-01-01T00:00:00.123Z\",\"method\":\"GET\","
                                 "\"host\":\"video.example\",\"target\":\"/v/1.m4s\","
                                 "\"status\":200,\"bytes\":1000,\"result\":\"hit\","
                                 "\"duration_us\":1234,\"complete\":true}\n");
    f->entry.site = FB_STR("s");
    f->entry.forward = "uri-miss";
    f->entry.cause = "first-touch";
    f->entry.upstream_status = 206;
    f->entry.tier = FB_STR("regional");
    f->entry.protocol = FB_STR("HTTP/2");
    f->entry.is_complete = false;
    f->view.sample = 100;
    f->view.has_subject = true;
    has(json(f), "\"subject\":\"access\",\"message\":\"request\"");
    has(json(f), "\"site\":\"s\",\"target\"");
    has(json(f), "\"forward\":\"uri-miss\",\"cause\":\"first-touch\",\"tier\":\"regional\","
                 "\"upstream_status\":206,\"protocol\":\"HTTP/2\",\"duration_us\"");
    has(json(f), "\"complete\":false,\"sample\":100}");
}

static void w3c_has_a_column_for_each_field_of_its_head(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(w3c(f), "2026-01-01 00:00:00.123 - GET video.example /v/1.m4s - 200 1000 "
                                "0.001234 - hit - - - - 1 -\n");
    f->view.has_cmcd = true;
    f->request.query = FB_STR("CMCD=sid%3D%22a%20b%22%2Cbr%3D1&x=1");
    has(w3c(f), " /v/1.m4s x=1 200 ");
    has(w3c(f), " 1 - \"br=1\" - \"sid=\"\"a b\"\"\" -\n");

    fb_buf_clear(&f->line);
    f->view.sample = 10;
    edge_access_w3c_head(&f->line, &f->view, FB_STR("box-1"), f->entry.wall_ms);
    has(f->line.ptr, "#Version: 1.0\n");
    has(f->line.ptr, "#Date: 2026-01-01 00:00:00.123\n");
    has(f->line.ptr, "#Remark: node box-1, one request in 10\n");
    const char *fields = strstr(f->line.ptr, "#Fields: ");
    assert_non_null(fields);
    size_t n_fields = 0;
    for (const char *at = fields; *at != '\n'; at++) {
        n_fields += *at == ' ';
    }
    assert_int_equal(n_fields, 18 + 4);
}

static void the_client_is_shown_as_much_as_was_asked_for(void **state)
{
    struct fixture *f = *state;

    lacks(json(f), "client");
    f->view.client = EDGE_ACCESS_CLIENT_NETWORK;
    has(json(f), "\"client\":\"192.0.2.0\"");
    has(w3c(f), " 192.0.2.0 GET ");
    f->view.client = EDGE_ACCESS_CLIENT_FULL;
    has(json(f), "\"client\":\"192.0.2.77\"");
    assert_int_equal(fb_address_from_ip(FB_STR("2001:db8:1:2::3"), 5, &f->entry.client), FB_OK);
    has(json(f), "\"client\":\"2001:db8:1:2::3\"");
    f->view.client = EDGE_ACCESS_CLIENT_NETWORK;
    has(json(f), "\"client\":\"2001:db8:1::\"");
    f->entry.client.len = 0;
    lacks(json(f), "client");
    has(w3c(f), " - GET ");
}

static void tokens_are_not_shown(void **state)
{
    struct fixture *f = *state;
    struct fb_str of_site[] = {FB_STR("mine")};

    f->entry.hidden = of_site;
    f->entry.n_hidden = 1;
    f->request.query =
        FB_STR("a=1&token=secret&Sig=secret&mine=secret&to%6ben=secret&b&token&sig=");
    has(json(f), "?a=1&token=-&Sig=-&mine=-&to%6ben=-&b&token&sig=\"");
    has(w3c(f), " a=1&token=-&Sig=-&mine=-&to%6ben=-&b&token&sig= ");
    lacks(json(f), "secret");
}

static void a_token_in_the_path_is_not_shown(void **state)
{
    struct fixture *f = *state;

    f->request.path = FB_STR("/kid=k1~exp=17~path=%2Fv%2F~hmac=5ec4e7/v/1.m4s");
    has(json(f), "\"target\":\"/-/v/1.m4s\"");
    has(w3c(f), " /-/v/1.m4s ");
    f->request.path = FB_STR("/kid%3Dk1%7Ehmac%3D5ec4e7");
    has(json(f), "\"target\":\"/-\"");
    f->request.path = FB_STR("/kid=k1/v~hmac=5ec4e7/1.m4s");
    has(json(f), "\"target\":\"/kid=k1/v~hmac=5ec4e7/1.m4s\"");
    f->request.path = FB_STR("/%");
    has(json(f), "\"target\":\"/%\"");
    f->request.path = FB_STR("/");
    has(json(f), "\"target\":\"/\"");
    f->request.path = FB_STR("");
    has(json(f), "\"target\":\"\"");
}

static void cmcd_is_shown_when_asked_for_and_never_in_the_query(void **state)
{
    struct fixture *f = *state;

    f->request.query = FB_STR("CMCD=sid%3D%22a%5C%22b%22%2Cbl%3D10%2Csu");
    lacks(json(f), "sid");
    has(json(f), "\"target\":\"/v/1.m4s\"");
    f->view.has_cmcd = true;
    has(json(f), ",\"cmcd\":{\"sid\":\"a\\\"b\",\"bl\":10,\"su\":true}}");
    f->request.query = FB_STR_NONE;
    lacks(json(f), "cmcd");
}

static void nothing_from_outside_ends_a_line_or_a_column(void **state)
{
    struct fixture *f = *state;
    static const char evil[] = "a\r\nb\t\"c\" \x1b[31m\x7f\xc2\x9b\xff\\";

    f->view.has_cmcd = true;
    f->request.method_text = FB_STR("G \x1bT");
    f->request.host = fb_str_from(evil);
    f->request.path = fb_str_from(evil);
    f->request.query = FB_STR("q=\n\x7f&CMCD=sid=\"%0a%1b%7f%c2%9b\"");
    fb_headers_add(&f->request.headers, &f->arena, FB_STR("CMCD-Status"),
                   FB_STR("x=\"\xc2\x85\t\""));
    is_tame(json(f));
    has(json(f), "\\u001b[31m\\u007f\\u009b\xef\xbf\xbd\\\\\"");
    is_tame(w3c(f));
    has(w3c(f), " G%20%1BT a%0D%0Ab%09%22c%22%20%1B[31m%7F%C2%9B%FF\\ ");
    has(w3c(f), "\"sid=\"\"%0A%1B%7F%C2%9B\"\"\"");
}

static void what_is_too_long_is_cut_and_said_so(void **state)
{
    struct fixture *f = *state;
    struct fb_buf path = {0};

    fb_buf_printf(&path, "/%09000d", 1);
    f->request.path = fb_buf_str(&path);
    has(json(f), ",\"cut\":true}\n");
    assert_in_range(f->line.len, EDGE_ACCESS_TEXT_MAX, EDGE_ACCESS_TEXT_MAX + 300);
    has(w3c(f), "0~ - 200 ");
    assert_in_range(f->line.len, EDGE_ACCESS_TEXT_MAX, EDGE_ACCESS_TEXT_MAX + 300);
    fb_buf_done(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_says_all_that_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(w3c_has_a_column_for_each_field_of_its_head, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_client_is_shown_as_much_as_was_asked_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(tokens_are_not_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_in_the_path_is_not_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cmcd_is_shown_when_asked_for_and_never_in_the_query, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_from_outside_ends_a_line_or_a_column, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_cut_and_said_so, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
