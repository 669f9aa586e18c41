#include "base/core/err.h"
#include "origin/model/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void an_order_arrives_as_it_was_given(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(origin_order_done) struct origin_order order = {.is_about = true};
    struct origin_order given = {
        .kind = ORIGIN_TASK_CHUNK,
        .pass = ORIGIN_PASS_LATE,
        .index = 12,
        .n_threads = 3,
        .output = FB_STR("/scratch/out"),
        .source = FB_STR("/objects/uploads/x"),
        .inputs = FB_STR(""),
        .request = FB_STR("{\"crf\":23}"),
        .recipe = FB_STR("{\"rungs\":[]}"),
        .key = {.scheme = ORIGIN_SCHEME_CENC, .id = {1}, .key = {2}},
    };

    origin_order_dump(&text, &given);
    assert_int_equal(origin_order_parse(fb_buf_str(&text), &order, NULL), FB_OK);
    assert_false(order.is_about);
    assert_int_equal(order.kind, ORIGIN_TASK_CHUNK);
    assert_int_equal(order.pass, ORIGIN_PASS_LATE);
    assert_int_equal(order.index, 12);
    assert_int_equal(order.n_threads, 3);
    assert_string_equal(order.output.ptr, "/scratch/out");
    assert_string_equal(order.source.ptr, "/objects/uploads/x");
    assert_string_equal(order.request.ptr, "{\"crf\":23}");
    assert_string_equal(order.recipe.ptr, "{\"rungs\":[]}");
    assert_memory_equal(&order.key, &given.key, sizeof(given.key));
}

static void who_is_asked_for_no_task_tells_about_itself(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(origin_order_done) struct origin_order order = {.is_about = false};

    origin_order_dump(&text, &(struct origin_order){.is_about = true, .output = FB_STR("/out")});
    assert_int_equal(origin_order_parse(fb_buf_str(&text), &order, NULL), FB_OK);
    assert_true(order.is_about);
    assert_string_equal(order.output.ptr, "/out");
}

static void a_path_is_absolute(void **state)
{
    (void)state;
    struct origin_order order;
    struct fb_diag diag;

    assert_int_equal(origin_order_parse(FB_STR("{\"output\":\"out\"}"), &order, &diag),
                     FB_E_MALFORMED);
    assert_string_equal(diag.text, "'output' is no absolute path");
}

static struct origin_word echo(const struct origin_word *word)
{
    FB_AUTO(fb_buf_done) struct fb_buf line = {0};
    struct origin_word back = {.permille = 9999};

    origin_word_dump(&line, word);
    assert_int_equal(line.ptr[line.len - 1], '\n');
    assert_int_equal(origin_word_parse(fb_str_first(fb_buf_str(&line), line.len - 1), &back),
                     FB_OK);
    return back;
}

static void words_arrive_as_they_were_said(void **state)
{
    (void)state;
    struct origin_word word = echo(&(struct origin_word){.permille = 417});

    assert_false(word.is_end);
    assert_int_equal(word.permille, 417);
    word = echo(&(struct origin_word){.is_end = true});
    assert_true(word.is_end);
    assert_int_equal(word.err, FB_OK);
    word = echo(&(struct origin_word){
        .is_end = true, .err = FB_E_CORRUPT, .text = "cut \"in\" the middle"});
    assert_int_equal(word.err, FB_E_CORRUPT);
    assert_string_equal(word.text, "cut \"in\" the middle");
}

static void a_text_is_cut_between_characters_and_has_no_controls(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf line = {0};
    struct origin_word word;

    fb_buf_append(&line, FB_STR("{\"end\":\"failed\",\"err\":-5,\"text\":\"a\\u001b[2J"));
    while (line.len < 800) {
        fb_buf_append(&line, FB_STR("ä"));
    }
    fb_buf_append(&line, FB_STR("\"}"));
    assert_int_equal(origin_word_parse(fb_buf_str(&line), &word), FB_OK);
    assert_memory_equal(word.text, "a [2J", 5);
    size_t n = strlen(word.text);
    assert_true(n >= ORIGIN_WORD_TEXT_MAX - 2 && n <= ORIGIN_WORD_TEXT_MAX);
    assert_memory_equal(word.text + n - 2, "ä", 2);
}

static void what_is_no_word_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"",
                                        "{}",
                                        "{\"progress\":1001}",
                                        "{\"progress\":-1}",
                                        "{\"end\":\"failed\"}",
                                        "[1, 2]",
                                        "x",
                                        "{\"end\":\"failed\",\"err\":7}"};
    struct origin_word word;

    for (size_t i = 0; i < FB_ARRAY_LEN(lines); i++) {
        assert_true(origin_word_parse(fb_str_from(lines[i]), &word) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_arrives_as_it_was_given),
        cmocka_unit_test(who_is_asked_for_no_task_tells_about_itself),
        cmocka_unit_test(a_path_is_absolute),
        cmocka_unit_test(words_arrive_as_they_were_said),
        cmocka_unit_test(a_text_is_cut_between_characters_and_has_no_controls),
        cmocka_unit_test(what_is_no_word_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
