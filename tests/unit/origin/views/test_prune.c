#include "base/db/db.h"
#include "origin/catalog/view_reports.h"
#include "views_fixture.h"

enum { AUDIT_ROWS_MAX = 10000, AUDIT_ROWS_MORE = 50 };

/* The one number that `sql` asks for. */
static int64_t ask(const struct fixture *f, const char *sql)
{
    struct fb_db *db = NULL;

    must(fb_db_open(f->url + strlen("sqlite:"), NULL, &db, NULL));
    struct fb_db_query q = fb_db_query(db, sql);
    must(fb_db_step(&q));
    int64_t number = fb_db_column_int(&q, 0);
    fb_db_query_done(&q);
    fb_db_close(db);
    return number;
}

static void fill_audit(const struct fixture *f, int64_t n)
{
    struct fb_db *db = NULL;

    must(fb_db_open(f->url + strlen("sqlite:"), NULL, &db, NULL));
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO report_audit (node, epoch, sequence, reason, expected, first_ms, last_ms)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
            " SELECT 'made-up', i, 1, 'gap', 1, 0, 0 FROM n");
    fb_db_bind_int(&q, 1, n);
    must(fb_db_run(&q));
    fb_db_query_done(&q);
    fb_db_close(db);
}

static int see_node(void *ctx, const struct origin_view_node *node)
{
    assert_true(fb_str_equal(node->node, FB_STR("edge-2")));
    ++*(size_t *)ctx;
    return FB_OK;
}

static void streams_of_long_ago_make_room(void **state)
{
    struct fixture *f = *state;
    struct node gone = node_new("edge-1", 7);
    struct node here = node_new("edge-2", 7);
    size_t n = 0;
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf second = {0};

    node_report(f, &gone, &first);
    must(take(f, &first).err);
    test_clock_advance_ms(&f->clock, 399 * ORIGIN_MS_PER_DAY);
    node_report(f, &here, &second);
    must(take(f, &second).err);
    must(origin_views_prune(f->views));
    assert_int_equal(ask(f, "SELECT count(*) FROM report_nodes"), 2);

    test_clock_advance_ms(&f->clock, 2 * ORIGIN_MS_PER_DAY);
    must(origin_views_prune(f->views));
    must(origin_catalog_view_nodes(f->catalog, 10, see_node, &n));
    assert_int_equal(n, 1);
}

static void names_of_unknown_videos_are_kept_for_a_while(void **state)
{
    struct fixture *f = *state;
    struct node node = node_new("edge-1", 7);
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};

    count(f, FB_STR("unknown"), 1, 1, 1);
    node_report(f, &node, &body);
    must(take(f, &body).err);
    test_clock_advance_ms(&f->clock, 89 * ORIGIN_MS_PER_DAY);
    must(origin_views_prune(f->views));
    assert_int_equal(ask(f, "SELECT count(*) FROM view_unknown"), 1);
    test_clock_advance_ms(&f->clock, 2 * ORIGIN_MS_PER_DAY);
    must(origin_views_prune(f->views));
    assert_int_equal(ask(f, "SELECT count(*) FROM view_unknown"), 0);
}

static void the_audit_keeps_its_last_rows(void **state)
{
    struct fixture *f = *state;

    fill_audit(f, AUDIT_ROWS_MAX + AUDIT_ROWS_MORE);
    must(origin_views_prune(f->views));
    assert_int_equal(ask(f, "SELECT count(*) FROM report_audit"), AUDIT_ROWS_MAX);
    assert_int_equal(ask(f, "SELECT min(seq) FROM report_audit"), AUDIT_ROWS_MORE + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams_of_long_ago_make_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_unknown_videos_are_kept_for_a_while, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_audit_keeps_its_last_rows, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
