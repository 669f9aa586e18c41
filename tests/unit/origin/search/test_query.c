#include "base/core/err.h"
#include "origin/search/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_match(const char *text, const char *wanted)
{
    FB_AUTO(fb_buf_done) struct fb_buf match = {0};
    struct origin_query query;

    assert_int_equal(origin_query_parse(fb_str_from(text), &query), FB_OK);
    origin_query_match(&query, &match);
    assert_int_equal(match.len, strlen(wanted));
    assert_memory_equal(match.ptr, wanted, match.len);
}

static int parse(struct fb_str text)
{
    struct origin_query query;
    return origin_query_parse(text, &query);
}

static void words_are_quoted_and_the_last_may_be_only_begun(void **state)
{
    (void)state;

    assert_match("cheese", "\"cheese\"*");
    assert_match("  cheese\tfond\n", "\"cheese\" \"fond\"*");
    assert_match("für-zwei 3x", "\"für-zwei\" \"3x\"*");
}

static void no_operator_can_be_written(void **state)
{
    (void)state;

    assert_match("a\" OR \"b", "\"a\" \"OR\" \"b\"");
    assert_match("title:x* NEAR(a b)", "\"title:x*\" \"NEAR(a\" \"b)\"*");
}

static void words_without_a_letter_or_digit_are_left_out(void **state)
{
    (void)state;

    assert_match("-- a !!", "\"a\"");
    assert_int_equal(parse(FB_STR("")), FB_E_NOT_FOUND);
    assert_int_equal(parse(FB_STR("*** \" ^")), FB_E_NOT_FOUND);
}

static void control_characters_part_words(void **state)
{
    (void)state;
    struct origin_query query;

    assert_int_equal(origin_query_parse((struct fb_str){"a\0b\x01"
                                                        "c",
                                                        5},
                                        &query),
                     FB_OK);
    assert_int_equal(query.n, 3);
}

static void what_is_too_long_or_no_text_is_refused(void **state)
{
    (void)state;
    char text[ORIGIN_QUERY_BYTES_MAX + 1];

    memset(text, 'a', sizeof(text));
    assert_int_equal(parse((struct fb_str){text, ORIGIN_QUERY_BYTES_MAX}), FB_OK);
    assert_int_equal(parse((struct fb_str){text, sizeof(text)}), FB_E_LIMIT);
    assert_int_equal(parse(FB_STR("\xff")), FB_E_MALFORMED);
}

static void the_first_words_count(void **state)
{
    (void)state;
    struct origin_query query;

    assert_int_equal(origin_query_parse(FB_STR("a b c d e f g h i j k l m n"), &query), FB_OK);
    assert_int_equal(query.n, ORIGIN_QUERY_WORDS_MAX);
}

static void queries_for_the_same_have_one_normal_form(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct origin_query query;

    assert_int_equal(origin_query_parse(FB_STR(" Cheese  \"FOND\""), &query), FB_OK);
    origin_query_normal(&query, &text);
    assert_true(fb_str_equal(fb_buf_str(&text), FB_STR("cheese fond")));
}

static void a_word_is_cut_into_trigrams_of_characters(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf match = {0};

    assert_int_equal(origin_query_trigrams(FB_STR("Käse"), &match), FB_OK);
    assert_true(
        fb_str_equal(fb_buf_str(&match), FB_STR("\"^kä\" OR \"käs\" OR \"äse\" OR \"se$\"")));
    assert_int_equal(origin_query_trigrams(FB_STR("ab"), &match), FB_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_quoted_and_the_last_may_be_only_begun),
        cmocka_unit_test(no_operator_can_be_written),
        cmocka_unit_test(words_without_a_letter_or_digit_are_left_out),
        cmocka_unit_test(control_characters_part_words),
        cmocka_unit_test(what_is_too_long_or_no_text_is_refused),
        cmocka_unit_test(the_first_words_count),
        cmocka_unit_test(queries_for_the_same_have_one_normal_form),
        cmocka_unit_test(a_word_is_cut_into_trigrams_of_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
