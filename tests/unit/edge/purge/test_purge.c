#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "edge/purge/tags.h"
#include "purge_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- what applies -------------------------------------------------------- */

static void a_purge_takes_what_was_born_before_it_and_matches(void **state)
{
    struct fixture *f = *state;
    uint64_t before = edge_purges_epoch(f->purges);

    uint64_t epoch = add(f, EDGE_PURGE_URL, false, "h/a");
    assert_true(epoch > before);
    assert_int_equal(judge(f, "h/a", "", before), EDGE_PURGE_GONE);
    assert_int_equal(judge(f, "h/a", "", epoch), EDGE_PURGE_KEEP);
    assert_int_equal(judge(f, "h/ab", "", before), EDGE_PURGE_KEEP);
    assert_int_equal(judge(f, "h/", "", before), EDGE_PURGE_KEEP);

    epoch = add(f, EDGE_PURGE_PREFIX, false, "h/v/7");
    assert_int_equal(judge(f, "h/v/7", "", before), EDGE_PURGE_GONE);
    assert_int_equal(judge(f, "h/v/72?q", "", before), EDGE_PURGE_GONE);
    assert_int_equal(judge(f, "h/v/72?q", "", epoch), EDGE_PURGE_KEEP);
    assert_int_equal(judge(f, "h/v/", "", before), EDGE_PURGE_KEEP);

    add(f, EDGE_PURGE_TAG, true, "show-7");
    assert_int_equal(judge(f, "h/x", "a, show-7", before), EDGE_PURGE_SOFT);
    assert_int_equal(judge(f, "h/x", "show-77 show", before), EDGE_PURGE_KEEP);
    assert_int_equal(judge(f, "h/a", "show-7", before), EDGE_PURGE_GONE); /* hard wins */
}

static void what_has_more_tags_than_are_looked_at_bears_all(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf tags = {0};
    uint64_t before = edge_purges_epoch(f->purges);

    for (unsigned i = 0; i < EDGE_TAGS_MAX; i++) {
        fb_buf_printf(&tags, "t%u,", i);
    }
    add(f, EDGE_PURGE_TAG, false, "other");
    struct edge_purge_subject subject = {
        .key = FB_STR("h/a"), .tags = fb_buf_str(&tags), .birth = before};
    assert_int_equal(edge_purges_judge(f->purges, &subject, NULL), EDGE_PURGE_KEEP);
    fb_buf_append(&tags, FB_STR("more"));
    subject.tags = fb_buf_str(&tags);
    assert_int_equal(edge_purges_judge(f->purges, &subject, NULL), EDGE_PURGE_GONE);
}

static void tags_are_separated_by_commas_and_spaces(void **state)
{
    struct fb_str rest = FB_STR(" a,b  ,\tc ");
    struct fb_str tag = FB_STR_NONE;
    (void)state;

    assert_true(edge_tags_next(&rest, &tag) && fb_str_equal(tag, FB_STR("a")));
    assert_true(edge_tags_next(&rest, &tag) && fb_str_equal(tag, FB_STR("b")));
    assert_true(edge_tags_next(&rest, &tag) && fb_str_equal(tag, FB_STR("c")));
    assert_false(edge_tags_next(&rest, &tag));
    assert_true(edge_tag_is_valid(FB_STR("show-7")));
    assert_false(edge_tag_is_valid(FB_STR("")));
    assert_false(edge_tag_is_valid(FB_STR("a b")));
    assert_false(edge_tag_is_valid(FB_STR("a,b")));
    assert_false(edge_tag_is_valid(FB_STR("\x7f")));
}

/* ---- what lasts ---------------------------------------------------------- */

static void purges_are_there_after_the_process(void **state)
{
    struct fixture *f = *state;
    uint64_t before = edge_purges_epoch(f->purges);

    uint64_t epoch = add(f, EDGE_PURGE_PREFIX, false, "h/v/");
    reopen(f);
    assert_true(edge_purges_epoch(f->purges) >= epoch);
    assert_int_equal(judge(f, "h/v/1", "", before), EDGE_PURGE_GONE);
    assert_int_equal(judge(f, "h/v/1", "", epoch), EDGE_PURGE_KEEP);
    assert_int_equal(judge(f, "h/w", "", before), EDGE_PURGE_KEEP);
}

static void epochs_grow_though_the_clock_is_set_back(void **state)
{
    struct fixture *f = *state;

    uint64_t first = add(f, EDGE_PURGE_URL, false, "h/a");
    f->clock.wall_now_ms -= 3600000;
    uint64_t second = add(f, EDGE_PURGE_URL, false, "h/a");
    assert_true(second > first);
    reopen(f);
    uint64_t birth = edge_purges_epoch(f->purges);
    assert_true(birth >= second);
    add(f, EDGE_PURGE_URL, false, "h/a");
    assert_int_equal(judge(f, "h/a", "", birth), EDGE_PURGE_GONE);
}

static void what_is_stored_from_a_start_on_is_newer_than_what_the_next_start_says(void **state)
{
    struct fixture *f = *state;

    f->clock.wall_now_ms += 1000000;
    reopen(f); /* births are as of now, with no purge to write that down */
    uint64_t birth = edge_purges_epoch(f->purges);
    f->clock.wall_now_ms -= 1000000;
    reopen(f);
    add(f, EDGE_PURGE_URL, false, "h/a");
    assert_int_equal(judge(f, "h/a", "", birth), EDGE_PURGE_GONE);
}

static void a_birth_in_the_future_counts_as_none(void **state)
{
    struct fixture *f = *state;

    uint64_t epoch = add(f, EDGE_PURGE_URL, false, "h/a");
    assert_int_equal(judge(f, "h/a", "", epoch + 1), EDGE_PURGE_GONE);
    assert_int_equal(judge(f, "h/b", "", epoch + 1), EDGE_PURGE_SOFT); /* older than the log */
}

static void write_over(struct fixture *f, const char *bytes)
{
    char path[TEST_PATH_MAX + 32];

    (void)snprintf(path, sizeof(path), "%s/purges.db", f->folder.path);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    (void)close(fd);
}

static void without_its_log_all_that_is_older_is_validated(void **state)
{
    struct fixture *f = *state;
    uint64_t before = add(f, EDGE_PURGE_URL, false, "h/a");

    edge_purges_close(f->purges);
    f->purges = NULL;
    write_over(f, "this is no database at all, whatever its name may say to those who look");
    test_clock_advance_ms(&f->clock, 1000);
    open_purges(f, true);
    assert_int_equal(judge(f, "h/a", "", before), EDGE_PURGE_SOFT);
    assert_int_equal(judge(f, "h/b", "", edge_purges_epoch(f->purges)), EDGE_PURGE_KEEP);
    add(f, EDGE_PURGE_URL, false, "h/a");
    reopen(f);
    assert_int_equal(judge(f, "h/a", "", before), EDGE_PURGE_GONE);
}

static void what_is_in_doubt_is_validated(void **state)
{
    struct fixture *f = *state;
    uint64_t epoch = 0;

    test_clock_advance_ms(&f->clock, 1000);
    uint64_t first = add(f, EDGE_PURGE_URL, false, "h/a");
    test_clock_advance_ms(&f->clock, 1000);
    uint64_t second = add(f, EDGE_PURGE_URL, false, "h/b");
    edge_purges_doubt(f->purges, second);
    edge_purges_doubt(f->purges, first); /* no way back */
    assert_int_equal(judge(f, "h/c", "", second), EDGE_PURGE_KEEP);
    assert_int_equal(judge(f, "h/c", "", second - 1), EDGE_PURGE_SOFT);
    assert_int_equal(judge(f, "h/b", "", second - 1), EDGE_PURGE_GONE);
    assert_int_equal(edge_purges_status(f->purges).floor, second);
    struct edge_purge_subject subject = {.key = FB_STR("h/c"), .birth = first};
    (void)edge_purges_judge(f->purges, &subject, &epoch);
    assert_int_equal(epoch, second);
}

static void the_oldest_purges_become_a_floor(void **state)
{
    struct fixture *f = *state;
    uint64_t before = edge_purges_epoch(f->purges);

    f->max_rules = 16;
    reopen(f);
    uint64_t first = add(f, EDGE_PURGE_URL, false, "h/0");
    for (unsigned i = 1; i < 40; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "h/%u", i);
        add(f, EDGE_PURGE_URL, false, text);
    }
    for (unsigned again = 0; again < 2; again++) {
        struct edge_purges_status status = edge_purges_status(f->purges);
        assert_true(status.n_rules <= 16 && status.n_rules >= 8);
        assert_true(status.floor > first && status.floor < status.epoch);
        assert_int_equal(judge(f, "h/0", "", before), EDGE_PURGE_SOFT);
        assert_int_equal(judge(f, "h/other", "", before), EDGE_PURGE_SOFT);
        assert_int_equal(judge(f, "h/39", "", before), EDGE_PURGE_GONE);
        assert_int_equal(judge(f, "h/other", "", status.floor), EDGE_PURGE_KEEP);
        reopen(f);
    }
}

static void without_a_folder_purges_fold_alike(void **state)
{
    struct fixture *f = *state;

    edge_purges_close(f->purges);
    f->max_rules = 16;
    open_purges(f, false);
    assert_false(edge_purges_are_durable(f->purges));
    uint64_t before = edge_purges_epoch(f->purges);
    for (unsigned i = 0; i < 40; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "h/%u", i);
        add(f, EDGE_PURGE_URL, false, text);
    }
    assert_true(edge_purges_status(f->purges).n_rules <= 16);
    assert_int_equal(judge(f, "h/0", "", before), EDGE_PURGE_SOFT);
    assert_int_equal(judge(f, "h/39", "", before), EDGE_PURGE_GONE);
}

static void take_record(void *ctx, const struct edge_purge *purge, uint64_t epoch)
{
    fb_buf_printf(ctx, "%s %.*s %d %d;", edge_purge_kind_name(purge->kind), FB_STR_ARG(purge->text),
                  purge->is_soft, epoch > 0);
}

static void the_last_purges_are_told_newest_first(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    add(f, EDGE_PURGE_URL, false, "h/a");
    add(f, EDGE_PURGE_TAG, true, "t");
    reopen(f);
    edge_purges_recent(f->purges, &text, take_record);
    assert_true(fb_str_equal(fb_buf_str(&text), FB_STR("tag t 1 1;url h/a 0 1;")));
}

/* ---- failures ------------------------------------------------------------ */

static void a_purge_that_cannot_be_written_has_no_effect(void **state)
{
    struct fixture *f = *state;
    struct edge_purge purges[2] = {{.kind = EDGE_PURGE_URL, .text = FB_STR("h/a")},
                                   {.kind = EDGE_PURGE_PREFIX, .text = FB_STR("h/v/")}};
    uint64_t before = edge_purges_epoch(f->purges);
    struct rlimit limit;
    uint64_t epoch = 0;
    int err = -1;
    unsigned n_failed = 0;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    for (rlim_t room = 4096; err < 0; room += 2048) { /* of a file, the log's own journal */
        struct rlimit small = {.rlim_cur = room, .rlim_max = limit.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        err = add_all(f, purges, 2, &epoch);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        if (err < 0) {
            n_failed++;
            assert_int_equal(edge_purges_epoch(f->purges), before);
            assert_int_equal(judge(f, "h/a", "", before), EDGE_PURGE_KEEP);
            assert_int_equal(judge(f, "h/v/", "", before), EDGE_PURGE_KEEP);
        }
    }
    assert_true(n_failed > 0);
    reopen(f);
    assert_int_equal(judge(f, "h/a", "", before), EDGE_PURGE_GONE);
    assert_int_equal(judge(f, "h/v/", "", before), EDGE_PURGE_GONE);
}

static size_t copy_file(const char *folder, const char *name, const char *to, size_t max)
{
    char path[TEST_PATH_MAX + 32];
    char bytes[4096];
    size_t n = 0;
    ssize_t got = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int from = open(path, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof(path), "%s/%s", to, name);
    int into = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(from >= 0 && into >= 0);
    while (n < max && (got = read(from, bytes, FB_MIN(sizeof(bytes), max - n))) > 0) {
        assert_int_equal(write(into, bytes, (size_t)got), got);
        n += (size_t)got;
    }
    (void)close(from);
    (void)close(into);
    return n;
}

/* What a crash leaves of the log's journal is some beginning of it. */
static void a_torn_log_has_whole_calls_in_order(void **state)
{
    struct fixture *f = *state;
    uint64_t before = edge_purges_epoch(f->purges);
    size_t last = 0;

    for (unsigned i = 0; i < 4; i++) {
        char texts[2][16];
        struct edge_purge purges[2] = {0};
        uint64_t epoch = 0;
        for (unsigned k = 0; k < 2; k++) {
            (void)snprintf(texts[k], sizeof(texts[k]), "h/%u/%u", i, k);
            purges[k] = (struct edge_purge){.text = fb_str_from(texts[k])};
        }
        assert_int_equal(add_all(f, purges, 2, &epoch), FB_OK);
    }
    struct edge_purges *whole = f->purges;
    struct test_folder folder = f->folder;
    struct test_folder torn = test_folder_new();
    size_t n_wal = copy_file(folder.path, "purges.db-wal", torn.path, SIZE_MAX);
    f->folder = torn;
    for (size_t cut = 0; cut <= n_wal; cut += 1021) {
        (void)copy_file(folder.path, "purges.db", torn.path, SIZE_MAX);
        (void)copy_file(folder.path, "purges.db-wal", torn.path, cut);
        open_purges(f, true);
        size_t n_calls = 0;
        for (unsigned i = 0; i < 4; i++) {
            char texts[2][16];
            (void)snprintf(texts[0], sizeof(texts[0]), "h/%u/0", i);
            (void)snprintf(texts[1], sizeof(texts[1]), "h/%u/1", i);
            bool is_there = judge(f, texts[0], "", before) == EDGE_PURGE_GONE;
            assert_int_equal(judge(f, texts[1], "", before) == EDGE_PURGE_GONE, is_there);
            assert_true(!is_there || n_calls == i); /* none is left out */
            n_calls += is_there ? 1 : 0;
        }
        assert_true(n_calls >= last);
        last = n_calls;
        edge_purges_close(f->purges);
    }
    f->purges = whole;
    f->folder = folder;
    test_folder_done(&torn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PURGE_TEST(a_purge_takes_what_was_born_before_it_and_matches),
        PURGE_TEST(what_has_more_tags_than_are_looked_at_bears_all),
        cmocka_unit_test(tags_are_separated_by_commas_and_spaces),
        PURGE_TEST(purges_are_there_after_the_process),
        PURGE_TEST(epochs_grow_though_the_clock_is_set_back),
        PURGE_TEST(what_is_stored_from_a_start_on_is_newer_than_what_the_next_start_says),
        PURGE_TEST(a_birth_in_the_future_counts_as_none),
        PURGE_TEST(without_its_log_all_that_is_older_is_validated),
        PURGE_TEST(what_is_in_doubt_is_validated),
        PURGE_TEST(the_oldest_purges_become_a_floor),
        PURGE_TEST(without_a_folder_purges_fold_alike),
        PURGE_TEST(the_last_purges_are_told_newest_first),
        PURGE_TEST(a_purge_that_cannot_be_written_has_no_effect),
        PURGE_TEST(a_torn_log_has_whole_calls_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
