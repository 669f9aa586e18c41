#include "base/core/alloc.h"
#include "base/db/db.h"
#include "base/sys/file.h"
#include "edge/report/spool.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_db_faults.h"
#include "tests/support/test_folder.h"
#include "tests/support/test_reports.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum { ENTRIES = 40, PATH_MAX_LEN = TEST_PATH_MAX + 32, SMALL = 512 * 1024, LARGE = 1 << 30 };

struct fixture {
    struct test_folder folder;
    struct test_clock clock;
    struct test_random random;
    char path[PATH_MAX_LEN];
    struct edge_spool *spool;
    struct test_origin *origin;
    struct test_ledger truth;
};

static struct edge_spool *open_at(struct fixture *f, const char *path, uint64_t max_bytes)
{
    struct edge_spool *spool = NULL;

    assert_int_equal(edge_spool_open(&(struct edge_spool_options){.path = path,
                                                                  .node = FB_STR("edge-1"),
                                                                  .region = FB_STR("de-south"),
                                                                  .max_bytes = max_bytes,
                                                                  .clock = &f->clock.clock},
                                     &spool, NULL),
                     FB_OK);
    return spool;
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->folder = test_folder_new();
    f->clock = test_clock_at_start();
    f->random = (struct test_random){5};
    snprintf(f->path, sizeof(f->path), "%s/reports.db", f->folder.path);
    f->spool = open_at(f, f->path, LARGE);
    f->origin = FB_NEW(struct test_origin);
    memset(f->origin->id, 'a', FB_VIEW_RECEIVER_SIZE);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    edge_spool_close(f->spool);
    test_ledger_done(&f->truth);
    test_ledger_done(&f->origin->ledger);
    fb_free(f->origin);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

static struct fb_str receiver(const struct fixture *f)
{
    return fb_str_from(f->origin->id);
}

static void add(struct fixture *f, size_t n)
{
    static struct fb_view_entry entries[ENTRIES];

    test_entries_make(&f->random, f->clock.wall_now_ms / 60000, entries, n);
    assert_int_equal(edge_spool_add(f->spool, entries, n, NULL), FB_OK);
    test_ledger_add(&f->truth, entries, n);
    test_entries_done(entries, n);
}

static struct edge_spool_state state_of(struct edge_spool *spool)
{
    struct edge_spool_state state;

    assert_int_equal(edge_spool_state(spool, &state), FB_OK);
    return state;
}

/* Sends all there is, and settles each answer. */
static void deliver(struct fixture *f)
{
    for (unsigned i = 0; i < 1000; i++) {
        struct edge_spool_batch batch = {0};
        int err = FB_OK;

        while (err == FB_OK) {
            err = edge_spool_seal(f->spool, receiver(f));
        }
        if (edge_spool_batch(f->spool, receiver(f), &batch) == FB_E_END) {
            return;
        }
        struct test_origin_answer answer = test_origin_receive(f->origin, fb_buf_str(&batch.body));
        err = answer.status == 200
                  ? edge_spool_acked(f->spool, receiver(f), batch.epoch, answer.acked)
                  : edge_spool_refused(f->spool, receiver(f), batch.epoch, answer.refused);
        assert_int_equal(err, FB_OK);
        edge_spool_batch_done(&batch);
    }
    fail_msg("it goes on for ever");
}

/* ---- what it does ------------------------------------------------------------- */

static void entries_of_the_same_are_one(void **state)
{
    struct fixture *f = *state;
    struct fb_view_entry entry = {.video = FB_STR("a"), .minute = 100, .span = 1, .views = 2};

    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(edge_spool_add(f->spool, &entry, 1, NULL), FB_OK);
    }
    assert_int_equal(state_of(f->spool).n_pending, 1);
    assert_int_equal(state_of(f->spool).oldest_minute, 100);
    deliver(f);
    assert_int_equal(f->origin->ledger.videos[0].views, 10);
    assert_int_equal(state_of(f->spool).n_pending, 0);
    assert_int_equal(state_of(f->spool).oldest_minute, -1);
}

static void no_more_is_sealed_than_may_be_unacknowledged(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < EDGE_SPOOL_SEALED_MAX; i++) {
        add(f, 3);
        assert_int_equal(edge_spool_seal(f->spool, receiver(f)), FB_OK);
        assert_int_equal(edge_spool_seal(f->spool, receiver(f)),
                         i + 1 < EDGE_SPOOL_SEALED_MAX ? FB_E_END : FB_E_BUSY);
    }
    add(f, 3);
    assert_int_equal(edge_spool_seal(f->spool, receiver(f)), FB_E_BUSY);
    assert_int_equal(state_of(f->spool).n_sealed, EDGE_SPOOL_SEALED_MAX);
    deliver(f);
    assert_true(test_ledger_same(&f->truth, &f->origin->ledger));
}

static void a_receiver_that_was_set_back_gets_what_it_has_not(void **state)
{
    struct fixture *f = *state;

    add(f, 10);
    deliver(f);
    struct test_origin_stream before = f->origin->streams[0];
    add(f, 10);
    deliver(f);
    f->origin->streams[0] = before; /* its database is an old one, but for the sums */
    add(f, 10);
    deliver(f);
    assert_int_equal(f->origin->n_streams, 2);
    assert_int_equal(edge_spool_counts(f->spool).refused, 1);
    assert_true(test_ledger_same(&f->truth, &f->origin->ledger));
}

static void a_spool_that_was_set_back_begins_a_new_stream(void **state)
{
    struct fixture *f = *state;

    add(f, 10);
    deliver(f);
    assert_int_equal(edge_spool_acked(f->spool, receiver(f), f->origin->streams[0].epoch, 9),
                     FB_OK);
    add(f, 10);
    deliver(f);
    assert_int_equal(f->origin->n_streams, 2);
    assert_true(test_ledger_same(&f->truth, &f->origin->ledger));
}

static void answers_to_an_earlier_stream_change_nothing(void **state)
{
    struct fixture *f = *state;

    add(f, 10);
    assert_int_equal(edge_spool_seal(f->spool, receiver(f)), FB_OK);
    assert_int_equal(edge_spool_acked(f->spool, receiver(f), 12345, 100), FB_OK);
    assert_int_equal(edge_spool_refused(f->spool, receiver(f), 12345, 1), FB_OK);
    assert_int_equal(state_of(f->spool).n_sealed, 1);
    deliver(f);
    assert_int_equal(f->origin->n_streams, 1);
    assert_true(test_ledger_same(&f->truth, &f->origin->ledger));
}

static void bodies_that_cannot_be_read_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct edge_spool_batch batch = {0};
    struct edge_spool_answer answer;
    struct fb_str me = edge_spool_id(f->spool);

    add(f, 10);
    assert_int_equal(edge_spool_seal(f->spool, me), FB_OK);
    assert_int_equal(edge_spool_batch(f->spool, me, &batch), FB_OK);
    for (size_t len = 0; len < batch.body.len; len += 1 + len / 20) {
        assert_true(edge_spool_receive(f->spool, FB_STR_NONE, (struct fb_str){batch.body.ptr, len},
                                       &answer) < 0);
    }
    struct fb_str once = fb_buf_str(&batch.body);
    FB_AUTO(fb_buf_done) struct fb_buf many = {0};
    for (unsigned i = 0; i < 65; i++) {
        fb_buf_append(&many, once);
    }
    /* and not as a spool without room does, to which they may be sent again */
    assert_int_equal(edge_spool_receive(f->spool, FB_STR_NONE, fb_buf_str(&many), &answer),
                     FB_E_MALFORMED);
    assert_int_equal(state_of(f->spool).n_peers, 0);
    edge_spool_batch_done(&batch);
}

/* What somebody can do who holds the token and makes up names. */
static void invented_streams_fill_the_table_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct edge_spool_batch batch = {0};
    struct edge_spool_answer answer;
    struct fb_str me = edge_spool_id(f->spool);
    struct fb_db *db = NULL;

    add(f, 3);
    assert_int_equal(edge_spool_seal(f->spool, me), FB_OK);
    assert_int_equal(edge_spool_batch(f->spool, me, &batch), FB_OK);
    assert_int_equal(fb_db_open(f->path, NULL, &db, NULL), FB_OK);
    struct fb_db_query fill = fb_db_query(
        db, "INSERT INTO peers WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            " WHERE i < ?1) SELECT 'made-up', i, 1, zeroblob(32), ?2 FROM n");
    fb_db_bind_int(&fill, 1, EDGE_SPOOL_PEERS_MAX);
    fb_db_bind_int(&fill, 2, f->clock.wall_now_ms);
    assert_int_equal(fb_db_run(&fill), FB_OK);
    fb_db_query_done(&fill);
    fb_db_close(db);
    assert_int_equal(edge_spool_receive(f->spool, FB_STR_NONE, fb_buf_str(&batch.body), &answer),
                     FB_E_LIMIT);

    test_clock_advance_ms(&f->clock, UINT64_C(401) * 24 * 3600 * 1000);
    assert_int_equal(edge_spool_receive(f->spool, FB_STR_NONE, fb_buf_str(&batch.body), &answer),
                     FB_OK);
    assert_int_equal(state_of(f->spool).n_peers, 1);
    edge_spool_batch_done(&batch);
}

static void a_broken_database_is_put_aside(void **state)
{
    struct fixture *f = *state;
    struct fb_str garbage = FB_STR("this is no database, and is long enough to be taken for one: "
                                   "a hundred bytes are what its head has, and some more");

    edge_spool_close(f->spool);
    assert_int_equal(fb_file_write(AT_FDCWD, f->path, garbage, 0600, NULL), FB_OK);
    f->spool = open_at(f, f->path, LARGE);
    add(f, 5);
    deliver(f);
    assert_true(test_ledger_same(&f->truth, &f->origin->ledger));
}

/* Where in the pages behind the first the spool looks first is all one. */
static void a_page_that_is_broken_puts_the_database_aside(void **state)
{
    static const char garbage[1024];
    enum { PAGE = 4096 };
    struct fixture *f = *state;

    for (off_t page = 1; page < 8; page++) {
        edge_spool_close(f->spool);
        int fd = open(f->path, O_RDWR);
        assert_true(fd >= 0 && lseek(fd, 0, SEEK_END) > page * PAGE);
        assert_int_equal(pwrite(fd, garbage, sizeof(garbage), page * PAGE), sizeof(garbage));
        assert_int_equal(close(fd), 0);
        f->spool = open_at(f, f->path, LARGE);
        add(f, 5);
        deliver(f);
        assert_true(test_ledger_same(&f->truth, &f->origin->ledger));
    }
}

/* ---- faults -------------------------------------------------------------------- */

/* One round of all that a spool does; the first failure ends it. */
static int round_of(struct fixture *f, struct edge_spool *above)
{
    struct edge_spool_batch batch = {0};
    struct edge_spool_answer answer = {.verdict = FB_VIEW_APPLY};

    int err = edge_spool_seal(f->spool, edge_spool_id(above));
    if (err == FB_OK || err == FB_E_END) {
        err = edge_spool_batch(f->spool, edge_spool_id(above), &batch);
    }
    if (err == FB_OK) {
        err = edge_spool_receive(above, FB_STR_NONE, fb_buf_str(&batch.body), &answer);
    }
    if (err == FB_OK) {
        err = edge_spool_acked(f->spool, edge_spool_id(above), batch.epoch, answer.acked);
    }
    edge_spool_batch_done(&batch);
    return err;
}

static void whichever_write_fails_nothing_is_lost_and_nothing_counts_twice(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX_LEN];
    struct edge_spool *above = NULL;
    long n_failed = 0;

    snprintf(path, sizeof(path), "%s/above.db", f->folder.path);
    above = open_at(f, path, LARGE);
    for (long n = 0, quiet = 0; quiet < 2; n++) {
        for (unsigned stays = 0; stays < 2; stays++) {
            add(f, 4);
            test_db_faults_after(n, stays != 0);
            int err = round_of(f, above);
            bool happened = test_db_faults_happened();
            if (stays != 0) { /* the process is dead: both begin anew */
                edge_spool_close(f->spool);
                edge_spool_close(above);
            }
            test_db_faults_none();
            if (stays != 0) {
                f->spool = open_at(f, f->path, LARGE);
                above = open_at(f, path, LARGE);
            }
            n_failed += happened ? 1 : 0;
            quiet = happened ? 0 : quiet + 1;
            while (err != FB_E_END) { /* what is left goes through now */
                err = round_of(f, above);
                assert_true(err == FB_OK || err == FB_E_END);
            }
        }
    }
    print_message("%ld writes failed\n", n_failed);
    edge_spool_close(f->spool);
    f->spool = above;
    deliver(f);
    assert_true(n_failed > 10 && test_ledger_same(&f->truth, &f->origin->ledger));
}

/* ---- room ----------------------------------------------------------------------- */

/* Entries of videos that each minute has others of, so that nothing but folding helps. */
static void a_month_without_upstream_keeps_its_sums_in_bounded_room(void **state)
{
    struct fixture *f = *state;
    enum { DAYS = 30, HOURS = 24 * DAYS, AT_ONCE = 8, VIEWERS = 40 };
    uint64_t most = 0;

    edge_spool_close(f->spool);
    f->spool = open_at(f, f->path, SMALL);

    for (unsigned hour = 0; hour < HOURS; hour++) {
        struct fb_view_entry entries[AT_ONCE];

        test_clock_advance_ms(&f->clock, 3600000);
        test_entries_make(&f->random, f->clock.wall_now_ms / 60000, entries, AT_ONCE);
        for (size_t i = 0; i < AT_ONCE; i++) {
            entries[i].minute -= (int64_t)i;         /* of all the hour */
            for (uint64_t v = 0; v < VIEWERS; v++) { /* sketches that take room */
                uint64_t viewer = test_random_next(&f->random);
                if (entries[i].viewers == NULL) {
                    entries[i].viewers = fb_hyperloglog_new(FB_VIEW_VIEWERS_PRECISION);
                }
                fb_hyperloglog_add(entries[i].viewers, viewer);
            }
        }
        assert_int_equal(edge_spool_add(f->spool, entries, AT_ONCE, NULL), FB_OK);
        test_ledger_add(&f->truth, entries, AT_ONCE);
        test_entries_done(entries, AT_ONCE);
        while (edge_spool_fold(f->spool) == FB_OK) {
        }
        most = FB_MAX(most, state_of(f->spool).n_bytes);
    }
    print_message("%llu bytes at most, %llu rows folded\n", (unsigned long long)most,
                  (unsigned long long)edge_spool_counts(f->spool).folded);
    assert_true(most < SMALL && edge_spool_counts(f->spool).folded > 0);
    deliver(f);
    f->truth.totals = f->origin->ledger.totals;
    assert_int_equal(f->origin->ledger.totals.folded_entries, edge_spool_counts(f->spool).folded);
    assert_true(test_ledger_same(&f->truth, &f->origin->ledger));
}

static int install(void **state)
{
    (void)state;
    test_db_faults_install();
    return 0;
}

#define WITH_SPOOL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SPOOL(entries_of_the_same_are_one),
        WITH_SPOOL(no_more_is_sealed_than_may_be_unacknowledged),
        WITH_SPOOL(a_receiver_that_was_set_back_gets_what_it_has_not),
        WITH_SPOOL(invented_streams_fill_the_table_and_no_more),
        WITH_SPOOL(a_spool_that_was_set_back_begins_a_new_stream),
        WITH_SPOOL(answers_to_an_earlier_stream_change_nothing),
        WITH_SPOOL(bodies_that_cannot_be_read_change_nothing),
        WITH_SPOOL(a_broken_database_is_put_aside),
        WITH_SPOOL(a_page_that_is_broken_puts_the_database_aside),
        WITH_SPOOL(whichever_write_fails_nothing_is_lost_and_nothing_counts_twice),
        WITH_SPOOL(a_month_without_upstream_keeps_its_sums_in_bounded_room),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
