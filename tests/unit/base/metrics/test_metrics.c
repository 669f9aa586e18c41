#include "base/core/err.h"
#include "base/loop/thread.h"
#include "base/metrics/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { STARTED, FAILED_TIMEOUT, FAILED_CUT, READERS, SECONDS };

static const struct fb_metric rows[] = {
    [STARTED] = {"t_started_total", FB_METRIC_COUNTER, NULL,
                 "Fetches begun, with a \\ and\nlines."},
    [FAILED_TIMEOUT] = {"t_failed_total", FB_METRIC_COUNTER, "cause=\"timeout\"", "Broken ones."},
    [FAILED_CUT] = {"t_failed_total", FB_METRIC_COUNTER, "cause=\"cut\"", "Broken ones."},
    [READERS] = {"t_readers", FB_METRIC_GAUGE, NULL, "Now open."},
    [SECONDS] = {"t_seconds", FB_METRIC_HISTOGRAM, NULL, "How long."},
};

static int set_up(void **state)
{
    *state = fb_metrics_new();
    return 0;
}

static int tear_down(void **state)
{
    fb_metrics_free(*state);
    return 0;
}

static struct fb_metrics_table *new_table(struct fb_metrics *metrics, const char *label)
{
    return fb_metrics_table_new(metrics, rows, FB_ARRAY_LEN(rows), label);
}

/* Asserts that the text has exactly one line that is `line`. */
static void assert_one_line(const struct fb_buf *text, const char *line)
{
    struct fb_str rest = fb_buf_str(text);
    struct fb_str one;
    int n = 0;

    while (fb_str_cut(&rest, '\n', &one)) {
        n += fb_str_equal(one, fb_str_from(line)) ? 1 : 0;
    }
    if (n != 1) {
        fail_msg("%d times '%s' in:\n%s", n, line, text->ptr);
    }
}

static void shards_with_the_same_labels_are_summed(void **state)
{
    struct fb_metrics_table *a = new_table(*state, NULL);
    struct fb_metrics_table *b = new_table(*state, NULL);
    fb_metrics_add(a, STARTED, 2);
    fb_metrics_add(b, STARTED, 3);
    fb_metrics_add(a, READERS, 1);
    fb_metrics_sub(b, READERS, 4);
    assert_int_equal(fb_metrics_get(a, STARTED), 2);

    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_metrics_render(*state, &text);
    assert_one_line(&text, "t_started_total 5");
    assert_one_line(&text, "t_readers -3");
    assert_int_equal(fb_metrics_sum(*state, "t_started_total"), 5);
}

static void family_has_one_head_whatever_its_labels(void **state)
{
    struct fb_metrics_table *a = new_table(*state, "upstream=\"u1\"");
    struct fb_metrics_table *b = new_table(*state, "upstream=\"u2\"");
    fb_metrics_add(a, FAILED_CUT, 1);
    fb_metrics_add(b, FAILED_TIMEOUT, 2);

    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_metrics_render(*state, &text);
    assert_one_line(&text, "# HELP t_failed_total Broken ones.");
    assert_one_line(&text, "# TYPE t_failed_total counter");
    assert_one_line(&text, "# HELP t_started_total Fetches begun, with a \\\\ and\\nlines.");
    assert_one_line(&text, "t_failed_total{cause=\"cut\",upstream=\"u1\"} 1");
    assert_one_line(&text, "t_failed_total{cause=\"timeout\",upstream=\"u2\"} 2");
    assert_int_equal(fb_metrics_sum(*state, "t_failed_total"), 3);
}

static void histogram_buckets_are_cumulative(void **state)
{
    struct fb_metrics_table *a = new_table(*state, NULL);
    fb_metrics_observe_ns(a, SECONDS, 500000); /* on the bound belongs below it */
    fb_metrics_observe_ns(a, SECONDS, 500001);
    fb_metrics_observe_ns(a, SECONDS, 70000000000U);

    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_metrics_render(*state, &text);
    assert_one_line(&text, "# TYPE t_seconds histogram");
    assert_one_line(&text, "t_seconds_bucket{le=\"0.0005\"} 1");
    assert_one_line(&text, "t_seconds_bucket{le=\"0.001\"} 2");
    assert_one_line(&text, "t_seconds_bucket{le=\"60\"} 2");
    assert_one_line(&text, "t_seconds_bucket{le=\"+Inf\"} 3");
    assert_one_line(&text, "t_seconds_sum 70.001000001");
    assert_one_line(&text, "t_seconds_count 3");
}

static void refresh_gauge(void *ctx)
{
    fb_metrics_set(ctx, READERS, 42);
}

static void gauges_are_refreshed_before_each_rendering(void **state)
{
    fb_metrics_on_render(*state, refresh_gauge, new_table(*state, NULL));
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_metrics_render(*state, &text);
    assert_one_line(&text, "t_readers 42");
}

static void label_values_are_escaped(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf label = {0};
    fb_metrics_label(&label, "a", FB_STR("x\"\\\ny"));
    fb_metrics_label(&label, "b", FB_STR(""));
    assert_string_equal(label.ptr, "a=\"x\\\"\\\\\\ny\",b=\"\"");
}

enum { N_THREADS = 4, N_ADDS = 20000 };

static void add_many(void *ctx)
{
    for (int i = 0; i < N_ADDS; i++) {
        fb_metrics_add(ctx, STARTED, 1);
        fb_metrics_observe_ns(ctx, SECONDS, 1);
    }
}

static void threads_lose_no_count(void **state)
{
    struct fb_thread *threads[N_THREADS];
    struct fb_metrics_table *shared = new_table(*state, NULL);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(fb_thread_start_body("adder", add_many, shared, &threads[i]), FB_OK);
    }
    for (int i = 0; i < 20; i++) {
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        (void)new_table(*state, NULL);
        fb_metrics_render(*state, &text);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        fb_thread_join(threads[i]);
    }
    assert_int_equal(fb_metrics_sum(*state, "t_started_total"), N_THREADS * N_ADDS);
}

/* ---- a strict reader of the format ------------------------------------------------ */

static bool is_name(struct fb_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        if (!is_letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return name.len > 0;
}

/* Takes `{…}` off the front; false if it is malformed. */
static bool cut_labels(struct fb_str *rest)
{
    bool more = true;

    *rest = fb_str_skip(*rest, 1);
    while (more) {
        size_t equals = fb_str_find(*rest, '=');
        if (!is_name(fb_str_first(*rest, equals)) || equals + 1 >= rest->len ||
            rest->ptr[equals + 1] != '"') {
            return false;
        }
        *rest = fb_str_skip(*rest, equals + 2);
        while (rest->len > 0 && rest->ptr[0] != '"') {
            *rest = fb_str_skip(*rest, rest->ptr[0] == '\\' ? 2 : 1);
        }
        *rest = fb_str_skip(*rest, 1);
        more = rest->len > 0 && rest->ptr[0] == ',';
        *rest = fb_str_skip(*rest, 1);
    }
    return rest->len > 0 && rest->ptr[-1] == '}';
}

static bool is_number(struct fb_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("-0123456789.", text.ptr[i]) == NULL) {
            return false;
        }
    }
    return text.len > 0;
}

static void assert_sample(struct fb_str line, struct fb_str family)
{
    size_t end = FB_MIN(fb_str_find(line, '{'), fb_str_find(line, ' '));
    struct fb_str name = fb_str_first(line, end);
    assert_true(is_name(name));
    assert_true(fb_str_starts_with(name, family));
    line = fb_str_skip(line, end);
    if (line.ptr[0] == '{') {
        assert_true(cut_labels(&line));
    }
    assert_true(line.len > 1 && line.ptr[0] == ' ');
    assert_true(is_number(fb_str_skip(line, 1)));
}

static void what_is_rendered_follows_the_format(void **state)
{
    (void)new_table(*state, NULL);
    (void)new_table(*state, "upstream=\"a{b},c=\\\"d\\\"\"");
    (void)new_table(*state, "node=\"n\"");
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_metrics_render(*state, &text);

    struct fb_str rest = fb_buf_str(&text);
    struct fb_str line;
    struct fb_str family = FB_STR_NONE;
    struct fb_str last = FB_STR_NONE;
    assert_int_equal(rest.ptr[rest.len - 1], '\n');
    rest.len--;
    while (fb_str_cut(&rest, '\n', &line)) {
        if (fb_str_starts_with(line, FB_STR("# HELP "))) {
            line = fb_str_skip(line, 7);
            family = fb_str_first(line, fb_str_find(line, ' '));
            assert_true(is_name(family));
            assert_true(fb_str_compare(last, family) < 0); /* so each stands once */
            last = family;
            assert_true(fb_str_cut(&rest, '\n', &line));
            assert_true(fb_str_starts_with(line, FB_STR("# TYPE ")));
            assert_true(fb_str_starts_with(fb_str_skip(line, 7), family));
        } else {
            assert_sample(line, family);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(shards_with_the_same_labels_are_summed),
        TEST(family_has_one_head_whatever_its_labels),
        TEST(histogram_buckets_are_cumulative),
        TEST(gauges_are_refreshed_before_each_rendering),
        TEST(label_values_are_escaped),
        TEST(threads_lose_no_count),
        TEST(what_is_rendered_follows_the_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
