#include "base/db/db.h"
#include "origin/catalog/counters.h"
#include "origin/catalog/view_days.h"
#include "tests/support/test_db_faults.h"
#include "tests/support/test_random.h"
#include "views_fixture.h"

static struct fb_str name_of(const struct fixture *f, int video)
{
    return origin_id_str(&f->videos[video]);
}

/* ---- once ---------------------------------------------------------------------------------- */

static void a_report_that_comes_again_counts_once(void **state)
{
    struct fixture *f = *state;
    struct node node = node_new("edge-1", 7);
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};
    struct origin_video_counters counters;

    count(f, name_of(f, 0), 1, 10, 1);
    count(f, name_of(f, 0), 2, 5, 100);
    count(f, name_of(f, 1), 1, 1, 1);
    node_report(f, &node, &body);
    for (int i = 0; i < 3; i++) {
        struct told told = take(f, &body);
        must(told.err);
        assert_int_equal(told.verdict, FB_VIEW_APPLY);
        assert_int_equal(told.acked, 1);
        assert_int_equal(told.n_repeated, i > 0);
    }
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, 15);
    assert_int_equal(totals_of(f, &f->videos[0]).sums.watch_ms, 300000);
    assert_int_equal(totals_of(f, &f->videos[1]).sums.bytes, 1000000);
    must(origin_catalog_video_counters(f->catalog, &f->videos[0], &counters));
    assert_int_equal(counters.views, 15);
    assert_int_equal(counters.watch_ms, 300000);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_views_reports_total"), 3);
}

static void several_reports_go_in_one_request(void **state)
{
    struct fixture *f = *state;
    struct node node = node_new("edge-1", UINT64_MAX);
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};

    for (int i = 0; i < 5; i++) {
        count(f, name_of(f, 0), i, 2, 1);
        node.region = i < 3 ? "de-south" : "de-north";
        node_report(f, &node, &body);
    }
    must(take(f, &body).err);
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, 10);
    assert_int_equal(take(f, &body).n_repeated, 5);
}

struct audited {
    size_t n;
    uint64_t times;
    uint64_t expected;
    char reason[ORIGIN_AUDIT_REASON_MAX];
};

static int see_audit(void *ctx, const struct origin_view_audit *audit)
{
    struct audited *seen = ctx;

    if (seen->n++ == 0) {
        seen->times = audit->n;
        seen->expected = audit->expected;
        (void)snprintf(seen->reason, sizeof(seen->reason), "%.*s", FB_STR_ARG(audit->reason));
    }
    return FB_OK;
}

static struct audited audit_of(struct fixture *f)
{
    struct audited seen = {0};
    must(origin_catalog_view_audit_list(f->catalog, 10, see_audit, &seen));
    return seen;
}

static void a_gap_is_refused_and_told_once(void **state)
{
    struct fixture *f = *state;
    struct node node = node_new("edge-1", 7);
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf second = {0};
    FB_AUTO(fb_buf_done) struct fb_buf third = {0};

    count(f, name_of(f, 0), 1, 1, 1);
    node_report(f, &node, &first);
    count(f, name_of(f, 0), 1, 1, 2);
    node_report(f, &node, &second);
    count(f, name_of(f, 0), 1, 1, 3);
    node_report(f, &node, &third);

    must(take(f, &first).err);
    for (int i = 0; i < 2; i++) {
        struct told told = take(f, &third);
        must(told.err);
        assert_int_equal(told.verdict, FB_VIEW_GAP);
        assert_int_equal(told.acked, 1);
    }
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, 1);
    struct audited audited = audit_of(f);
    assert_int_equal(audited.n, 1);
    assert_int_equal(audited.times, 2);
    assert_int_equal(audited.expected, 2);
    assert_string_equal(audited.reason, "gap");

    must(take(f, &second).err);
    assert_int_equal(take(f, &third).acked, 3);
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, 3);
}

static void a_changed_chain_is_refused(void **state)
{
    struct fixture *f = *state;
    struct node node = node_new("edge-1", 7);
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf other = {0};
    FB_AUTO(fb_buf_done) struct fb_buf second = {0};

    count(f, name_of(f, 0), 1, 1, 1);
    node_report(f, &node, &first);
    must(take(f, &first).err);

    struct node twin = node_new("edge-1", 7); /* a copy of the node that went another way */
    count(f, name_of(f, 0), 1, 99, 1);
    node_report(f, &twin, &other);
    assert_int_equal(take(f, &other).verdict, FB_VIEW_CHANGED);
    node_report(f, &twin, &second);
    assert_int_equal(take(f, &second).verdict, FB_VIEW_CHANGED);
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, 1);
    assert_string_equal(audit_of(f).reason, "changed");
}

/* What somebody can do who holds the token and makes up names. */
static void invented_streams_fill_the_table_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct node known = node_new("edge-1", 7);
    struct node late = node_new("edge-2", 7);
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf other = {0};
    FB_AUTO(fb_buf_done) struct fb_buf next = {0};
    struct fb_db *db = NULL;

    count(f, name_of(f, 0), 1, 1, 1);
    node_report(f, &known, &first);
    must(take(f, &first).err);
    must(fb_db_open(f->url + strlen("sqlite:"), NULL, &db, NULL));
    struct fb_db_query fill = fb_db_query(
        db, "INSERT INTO report_nodes (node, epoch, sequence, digest, region, via, first_ms,"
            " last_ms, reports) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            " WHERE i < ?1) SELECT 'made-up', i, 1, zeroblob(32), '', '', 0, 0, 1 FROM n");
    fb_db_bind_int(&fill, 1, ORIGIN_STREAMS_MAX);
    must(fb_db_run(&fill));
    fb_db_query_done(&fill);
    fb_db_close(db);

    count(f, name_of(f, 0), 1, 5, 1);
    node_report(f, &late, &other);
    assert_int_equal(take(f, &other).err, FB_E_UNAVAILABLE);
    count(f, name_of(f, 0), 1, 2, 1);
    node_report(f, &known, &next); /* whom we know goes on */
    must(take(f, &next).err);
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, 3);
}

static void a_body_that_is_cut_counts_as_far_as_it_goes(void **state)
{
    struct fixture *f = *state;
    struct node node = node_new("edge-1", 7);
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};

    for (int i = 0; i < 3; i++) {
        count(f, name_of(f, 0), i, 1, 1);
        node_report(f, &node, &body);
    }
    uint64_t acked = 0;
    for (size_t len = 0; len <= body.len; len += len + 16 < body.len ? 16 : 1) {
        FB_AUTO(fb_buf_done) struct fb_buf cut = {0};
        fb_buf_append(&cut, fb_str_first(fb_buf_str(&body), len));
        struct told told = take(f, &cut);
        assert_true(told.err == FB_OK || told.err == FB_E_MALFORMED);
        assert_true(told.acked >= acked || cut.len < 2);
        acked = FB_MAX(acked, told.acked);
        assert_int_equal(totals_of(f, &f->videos[0]).sums.views, acked);
    }
    assert_int_equal(acked, 3);
}

static void reports_of_two_streams_in_one_body_are_refused(void **state)
{
    struct fixture *f = *state;
    struct node one = node_new("edge-1", 7);
    struct node two = node_new("edge-2", 7);
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};

    count(f, name_of(f, 0), 1, 1, 1);
    node_report(f, &one, &body);
    count(f, name_of(f, 0), 1, 1, 1);
    node_report(f, &two, &body);
    assert_int_equal(take(f, &body).err, FB_E_MALFORMED);
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, 1);
}

/* ---- what is told -----------------------------------------------------------------------------
 */

static int see_day(void *ctx, const struct origin_view_day *day, struct fb_str region)
{
    struct origin_view_day *sum = ctx;

    assert_true(region.len > 0);
    sum->sources[FB_VIEW_FEED] += day->sources[FB_VIEW_FEED];
    sum->uncounted[FB_VIEW_TOO_SHORT] += day->uncounted[FB_VIEW_TOO_SHORT];
    sum->startup[2] += day->startup[2];
    if (sum->viewers == NULL) {
        sum->viewers = fb_hyperloglog_new(FB_VIEW_VIEWERS_PRECISION);
    }
    fb_hyperloglog_merge(sum->viewers, day->viewers);
    return FB_OK;
}

static void viewers_of_several_nodes_are_united(void **state)
{
    struct fixture *f = *state;
    struct origin_view_day sum = {0};

    for (uint64_t i = 0; i < 4; i++) { /* 1000 viewers each, half of them the next one's too */
        struct node node = node_new(i % 2 == 0 ? "edge-1" : "edge-2", i);
        FB_AUTO(fb_buf_done) struct fb_buf body = {0};
        node.region = i < 2 ? "de-south" : "de-north";
        count(f, name_of(f, 0), 1, 1000, i * 500);
        node_report(f, &node, &body);
        must(take(f, &body).err);
    }
    int64_t today = f->clock.wall_now_ms / ORIGIN_MS_PER_DAY;
    struct origin_view_scope scope = {
        .seq = seq_of(f, &f->videos[0]), .since_day = today, .until_day = today};
    must(origin_catalog_view_days(f->catalog, &scope, see_day, &sum));
    assert_int_equal(sum.sources[FB_VIEW_FEED], 4000);
    assert_int_equal(sum.uncounted[FB_VIEW_TOO_SHORT], 4);
    assert_int_equal(sum.startup[2], 4000);
    assert_in_range(fb_hyperloglog_estimate(sum.viewers), 2400, 2600);
    fb_hyperloglog_free(sum.viewers);
}

static void videos_that_are_not_here_are_counted_apart(void **state)
{
    struct fixture *f = *state;
    struct node node = node_new("edge-1", 7);
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};

    count(f, FB_STR("nothing-of-ours"), 1, 4, 1);
    count(f, name_of(f, 0), 1, 1, 1);
    node_report(f, &node, &body);
    must(take(f, &body).err);
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_views_unknown_total"), 1);
}

struct told_rows {
    struct totals totals;
    int64_t last_seq;
};

static void see_changed(void *ctx, const struct origin_view_row *rows, size_t n)
{
    struct told_rows *told = ctx;

    for (size_t i = 0; i < n; i++) {
        must(add_row(&told->totals, &rows[i]));
        told->last_seq = rows[i].seq;
        assert_true(rows[i].video.text[0] != '\0');
    }
}

static void listeners_hear_of_what_was_added_and_all_of_it_once(void **state)
{
    struct fixture *f = *state;
    struct node node = node_new("edge-1", 7);
    struct told_rows told = {0};
    struct totals recent = {0};

    origin_views_on_changed(f->views, see_changed, &told);
    for (int i = 0; i < 3; i++) {
        FB_AUTO(fb_buf_done) struct fb_buf body = {0};
        for (int k = 0; k < 20; k++) {
            count(f, name_of(f, k % VIDEOS), k * 31, 1, 1);
        }
        count(f, FB_STR("unknown"), 1, 1, 1);
        node_report(f, &node, &body);
        must(take(f, &body).err);
        must(take(f, &body).err);
    }
    assert_int_equal(told.totals.sums.views, 60);
    must(origin_views_recent(f->views, 0, add_row, &recent));
    assert_int_equal(recent.sums.views, 60);
    test_clock_advance_ms(&f->clock, 2 * ORIGIN_MS_PER_HOUR);
    must(origin_views_prune(f->views));
    recent = (struct totals){0};
    must(origin_views_recent(f->views, 0, add_row, &recent));
    assert_int_equal(recent.sums.views, 60);
    test_clock_advance_ms(&f->clock, 9 * ORIGIN_MS_PER_HOUR);
    must(origin_views_prune(f->views));
    recent = (struct totals){0};
    must(origin_catalog_view_slots(f->catalog, 0, add_row, &recent));
    assert_int_equal(recent.n_rows, 0);
    must(origin_views_recent(f->views, 0, add_row, &recent));
    assert_int_equal(recent.sums.views, 60);
}

static int see_rendition(void *ctx, const struct origin_view_row *row)
{
    assert_true(fb_str_equal(row->rendition, FB_STR("720p")));
    return add_row(ctx, row);
}

static void demand_is_of_one_region(void **state)
{
    struct fixture *f = *state;
    struct totals south = {0};
    struct totals nowhere = {0};

    for (uint64_t i = 0; i < 2; i++) {
        struct node node = node_new("edge-1", i);
        FB_AUTO(fb_buf_done) struct fb_buf body = {0};
        node.region = i == 0 ? "de-south" : "de-north";
        count(f, name_of(f, 0), 1, 3 + i, 1);
        count(f, name_of(f, 0), 2 * 1440, 1, 1);
        count(f, name_of(f, 0), 9 * 1440, 1, 1);
        node_report(f, &node, &body);
        must(take(f, &body).err);
    }
    must(origin_views_demand(f->views, FB_STR("de-south"), 7, see_rendition, &south));
    assert_int_equal(south.sums.views, 4);
    must(origin_views_demand(f->views, FB_STR("nowhere"), 7, see_rendition, &nowhere));
    assert_int_equal(nowhere.n_rows, 0);
}

static void what_comes_two_ways_is_told(void **state)
{
    struct fixture *f = *state;
    struct node edge = node_new("edge-1", 7);
    struct node regional = node_new("regional-1", 9);
    FB_AUTO(fb_buf_done) struct fb_buf direct = {0};
    FB_AUTO(fb_buf_done) struct fb_buf merged = {0};
    FB_AUTO(fb_buf_done) struct fb_buf next = {0};
    const struct fb_view_merged of[] = {{FB_STR("edge-1"), 7, 1, 3}, {FB_STR("edge-2"), 8, 1, 5}};

    count(f, name_of(f, 0), 1, 1, 1);
    node_report(f, &edge, &direct);
    must(take(f, &direct).err);
    regional.merged = of;
    regional.n_merged = 2;
    count(f, name_of(f, 0), 1, 5, 1);
    node_report(f, &regional, &merged);
    must(take(f, &merged).err);
    assert_int_equal(audit_of(f).n, 1);
    assert_string_equal(audit_of(f).reason, "overlap");
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_views_overlaps_total"), 1);

    node_report(f, &edge, &next); /* its second: the regional node has brought it */
    struct told told = take(f, &next);
    must(told.err);
    assert_int_equal(told.n_repeated, 1);
    assert_int_equal(told.acked, 3);
}

static void skewed_clocks_are_told(void **state)
{
    struct fixture *f = *state;
    struct node node = node_new("edge-1", 7);
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};

    count(f, name_of(f, 0), -60, 3, 1);
    count(f, name_of(f, 0), 200 * 1440, 2, 1);
    node_report(f, &node, &body);
    must(take(f, &body).err);
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, 5);
    assert_int_equal(audit_of(f).n, 2);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_views_clamped_total"), 2);
}

/* ---- faults ------------------------------------------------------------------------------------
 */

static void check_all(struct fixture *f, uint64_t views)
{
    struct origin_video_counters counters;
    struct totals recent = {0};
    struct totals demand = {0};
    struct origin_view_day sum = {0};

    int64_t today = f->clock.wall_now_ms / ORIGIN_MS_PER_DAY;
    struct origin_view_scope scope = {
        .seq = seq_of(f, &f->videos[0]), .since_day = today - 1, .until_day = today};
    assert_int_equal(totals_of(f, &f->videos[0]).sums.views, views);
    must(origin_catalog_video_counters(f->catalog, &f->videos[0], &counters));
    assert_int_equal(counters.views, views);
    must(origin_views_recent(f->views, 0, add_row, &recent));
    assert_int_equal(recent.sums.views, views);
    must(origin_views_demand(f->views, FB_STR("de-south"), 7, add_row, &demand));
    assert_int_equal(demand.sums.views, views);
    must(origin_catalog_view_days(f->catalog, &scope, see_day, &sum));
    assert_int_equal(sum.sources[FB_VIEW_FEED], views);
    fb_hyperloglog_free(sum.viewers);
}

/* Each write in turn fails, once or from there on; what is sent again makes it whole. */
static void sweep(struct fixture *f, bool stays)
{
    struct node node = node_new("edge-1", stays ? 1 : 2);
    uint64_t views = totals_of(f, &f->videos[0]).sums.views;
    bool happened = true;

    for (long n = 0; happened; n++) {
        FB_AUTO(fb_buf_done) struct fb_buf body = {0};
        count(f, name_of(f, 0), n % 50, 2, 1);
        count(f, name_of(f, 0), n % 50 + 1, 3, 1);
        node_report(f, &node, &body);
        test_db_faults_after(n, stays);
        struct told told = take(f, &body);
        happened = test_db_faults_happened();
        assert_true(happened || told.err == FB_OK);
        if (stays) { /* the process ends here */
            close_views(f);
            test_db_faults_none();
            open_views(f);
        }
        test_db_faults_none();
        views += 5;
        if (told.err == FB_OK) {
            check_all(f, views); /* what was acknowledged stands */
        }
        told = take(f, &body);
        must(told.err);
        assert_int_equal(told.acked, node.sequence);
        check_all(f, views);
        assert_true(n < 500);
    }
}

static void each_write_may_fail_once(void **state)
{
    sweep(*state, false);
}

static void the_process_may_end_at_each_write(void **state)
{
    sweep(*state, true);
}

/* ---- histories ---------------------------------------------------------------------------------
 */

enum { NODES = 3, REPORTS = 40, STEPS = 400 };

struct history {
    struct node nodes[NODES];
    struct fb_buf bodies[NODES][REPORTS];
    uint64_t acked[NODES];
    uint64_t n_made[NODES];
    uint64_t ledger[VIDEOS]; /* views of the reports that were made */
};

static void history_make(struct fixture *f, struct history *h, struct test_random *random,
                         unsigned who)
{
    struct node *node = &h->nodes[who];
    unsigned n = (unsigned)test_random_below(random, 4);

    for (unsigned i = 0; i < n; i++) {
        int video = (int)test_random_below(random, VIDEOS);
        uint64_t views = test_random_below(random, 9);
        count(f, name_of(f, video), (int64_t)(1000 * i + test_random_below(random, 1000)), views,
              test_random_below(random, 1000));
        h->ledger[video] += views;
    }
    node_report(f, node, &h->bodies[who][h->n_made[who]++]);
}

static void history_send(struct fixture *f, struct history *h, unsigned who, uint64_t first,
                         uint64_t n)
{
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};

    for (uint64_t i = first; i < FB_MIN(first + n, h->n_made[who]); i++) {
        fb_buf_append(&body, fb_buf_str(&h->bodies[who][i]));
    }
    struct told told = take(f, &body);
    if (told.err == FB_OK && told.acked > 0) {
        assert_true(told.acked >= h->acked[who]);
        h->acked[who] = told.acked;
    }
}

static void any_history_of_sending_counts_the_same(void **state)
{
    struct fixture *f = *state;
    struct test_random random = test_random_new();
    struct history *h = FB_NEW(struct history);

    for (unsigned i = 0; i < NODES; i++) {
        h->nodes[i] = node_new(i == 0 ? "edge-0" : i == 1 ? "edge-1" : "edge-2", 7);
    }
    for (int step = 0; step < STEPS; step++) {
        unsigned who = (unsigned)test_random_below(&random, NODES);
        uint64_t what = test_random_below(&random, 20);
        if (what < 6 && h->n_made[who] < REPORTS) {
            history_make(f, h, &random, who);
        } else if (what == 6) {
            close_views(f);
            open_views(f);
        } else if (what < 10) {
            test_db_faults_after((long)test_random_below(&random, 60), false);
            history_send(f, h, who, h->acked[who], 5);
            test_db_faults_none();
        } else { /* anything that there is, repeated, too early or right */
            history_send(f, h, who, test_random_below(&random, h->n_made[who] + 1), 4);
        }
        test_clock_advance_ms(&f->clock, test_random_below(&random, 100000));
    }
    for (unsigned who = 0; who < NODES; who++) {
        history_send(f, h, who, h->acked[who], REPORTS);
        assert_int_equal(h->acked[who], h->n_made[who]);
        for (unsigned i = 0; i < REPORTS; i++) {
            fb_buf_done(&h->bodies[who][i]);
        }
    }
    for (int i = 0; i < VIDEOS; i++) {
        assert_int_equal(totals_of(f, &f->videos[i]).sums.views, h->ledger[i]);
    }
    fb_free(h);
}

static int install(void **state)
{
    (void)state;
    test_db_faults_install();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_report_that_comes_again_counts_once),
        TEST(several_reports_go_in_one_request),
        TEST(a_gap_is_refused_and_told_once),
        TEST(a_changed_chain_is_refused),
        TEST(invented_streams_fill_the_table_and_no_more),
        TEST(a_body_that_is_cut_counts_as_far_as_it_goes),
        TEST(reports_of_two_streams_in_one_body_are_refused),
        TEST(viewers_of_several_nodes_are_united),
        TEST(videos_that_are_not_here_are_counted_apart),
        TEST(listeners_hear_of_what_was_added_and_all_of_it_once),
        TEST(demand_is_of_one_region),
        TEST(what_comes_two_ways_is_told),
        TEST(skewed_clocks_are_told),
        TEST(each_write_may_fail_once),
        TEST(the_process_may_end_at_each_write),
        TEST(any_history_of_sending_counts_the_same),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
