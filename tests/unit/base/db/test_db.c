#include "base/core/err.h"
#include "base/db/db.h"
#include "base/db/pool.h"
#include "base/loop/thread.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    char path[96];
    struct fb_db *db;
};

static void must(int result)
{
    assert_int_equal(result, FB_OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/fb-db-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof(f->path), "%s/t.db", f->folder);
    must(fb_db_open(f->path, NULL, &f->db, NULL));
    must(fb_db_exec(f->db, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER "
                           "CHECK (n < 100), body BLOB)"));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[128];

    fb_db_close(f->db);
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < FB_ARRAY_LEN(endings); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", f->path, endings[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static int insert(struct fb_db *db, const char *name, int64_t n)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "INSERT INTO t (name, n) VALUES (?1, ?2)");
    fb_db_bind_str(&q, 1, fb_str_from(name));
    fb_db_bind_int(&q, 2, n);
    return fb_db_run(&q);
}

static int64_t count(struct fb_db *db)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, "SELECT count(*) FROM t");
    must(fb_db_step(&q));
    return fb_db_column_int(&q, 0);
}

static void what_is_bound_comes_back_in_columns(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_db_query_done)
    struct fb_db_query put =
        fb_db_query(f->db, "INSERT INTO t (name, n, body) VALUES (?1, ?2, ?3)");
    fb_db_bind_str(&put, 1, FB_STR("a'b"));
    fb_db_bind_int(&put, 2, -7);
    fb_db_bind_blob(&put, 3, FB_STR("x\0y"));
    must(fb_db_run(&put));
    assert_int_equal(fb_db_changes(f->db), 1);
    assert_int_equal(fb_db_last_id(f->db), 1);

    FB_AUTO(fb_db_query_done)
    struct fb_db_query get = fb_db_query(f->db, "SELECT name, n, body, NULL, 0.5 FROM t");
    must(fb_db_step(&get));
    assert_string_equal(fb_db_column_str(&get, 0).ptr, "a'b");
    assert_int_equal(fb_db_column_int(&get, 1), -7);
    assert_true(fb_str_equal(fb_db_column_blob(&get, 2), FB_STR("x\0y")));
    assert_true(fb_db_column_is_null(&get, 3));
    assert_null(fb_db_column_str(&get, 3).ptr);
    assert_true(fb_db_column_real(&get, 4) > 0.4);
    assert_int_equal(fb_db_step(&get), FB_E_END);
}

static void missing_string_is_null_and_empty_one_is_not(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(f->db, "SELECT ?1, ?2");
    fb_db_bind_str(&q, 1, FB_STR_NONE);
    fb_db_bind_str(&q, 2, FB_STR(""));
    must(fb_db_step(&q));
    assert_true(fb_db_column_is_null(&q, 0));
    assert_false(fb_db_column_is_null(&q, 1));
    assert_int_equal(fb_db_column_str(&q, 1).len, 0);
}

static void statement_runs_again_with_new_parameters(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(f->db, "INSERT INTO t (name, n) VALUES (?1, ?2)");
    static const char *const names[] = {"a", "b", "b", "c"};
    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        fb_db_bind_str(&q, 1, fb_str_from(names[i]));
        fb_db_bind_int(&q, 2, (int64_t)i);
        int err = fb_db_run(&q);
        assert_int_equal(err, i == 2 ? FB_E_EXISTS : FB_OK);
        if (err < 0) {
            fb_db_query_reset(&q);
        }
    }
    assert_int_equal(count(f->db), 3);
}

static void failures_have_our_codes(void **state)
{
    struct fixture *f = *state;
    must(insert(f->db, "a", 1));
    assert_int_equal(insert(f->db, "a", 1), FB_E_EXISTS);
    assert_int_equal(insert(f->db, "b", 100), FB_E_CONFLICT);

    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(f->db, "SELEKT 1");
    fb_db_bind_int(&q, 1, 1);
    assert_int_equal(fb_db_step(&q), FB_E_FOREIGN);

    FB_AUTO(fb_db_query_done) struct fb_db_query range = fb_db_query(f->db, "SELECT 1");
    fb_db_bind_int(&range, 1, 1);
    assert_int_equal(fb_db_run(&range), FB_E_FOREIGN);
}

static void full_database_is_told_from_other_failures(void **state)
{
    struct fixture *f = *state;
    must(fb_db_exec(f->db, "PRAGMA max_page_count = 8"));
    int err = FB_OK;
    for (int i = 0; i < 100 && err == FB_OK; i++) {
        err = fb_db_exec(f->db, "INSERT INTO t (body) VALUES (zeroblob(4096))");
    }
    assert_int_equal(err, -ENOSPC);
}

static void one_text_may_be_open_twice(void **state)
{
    struct fixture *f = *state;
    must(insert(f->db, "a", 1));
    must(insert(f->db, "b", 2));
    FB_AUTO(fb_db_query_done) struct fb_db_query outer = fb_db_query(f->db, "SELECT name FROM t");
    int rows = 0;
    while (fb_db_step(&outer) == FB_OK) {
        FB_AUTO(fb_db_query_done)
        struct fb_db_query inner = fb_db_query(f->db, "SELECT name FROM t");
        while (fb_db_step(&inner) == FB_OK) {
            rows++;
        }
    }
    assert_int_equal(rows, 4);
}

static void statements_beyond_the_cache_work_and_are_freed(void **state)
{
    struct fixture *f = *state;
    static char texts[FB_DB_MAX_CACHED + 20][32];
    for (int i = 0; i < FB_DB_MAX_CACHED + 20; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "SELECT %d", i);
        FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(f->db, texts[i]);
        must(fb_db_step(&q));
        assert_int_equal(fb_db_column_int(&q, 0), i);
    }
}

static void leaving_a_transaction_early_rolls_it_back(void **state)
{
    struct fixture *f = *state;
    {
        FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
        must(fb_db_begin(f->db, &tx));
        must(insert(f->db, "a", 1));
    }
    assert_int_equal(count(f->db), 0);

    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    must(fb_db_begin(f->db, &tx));
    must(insert(f->db, "a", 1));
    must(fb_db_commit(&tx));
    assert_int_equal(count(f->db), 1);
}

static void second_writer_is_told_busy_at_its_beginning(void **state)
{
    struct fixture *f = *state;
    struct fb_db *other = NULL;
    must(fb_db_open(f->path, &(struct fb_db_options){.busy_timeout_ms = 1}, &other, NULL));
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    must(fb_db_begin(f->db, &tx));
    must(insert(f->db, "a", 1));

    struct fb_db_tx late = {0};
    assert_int_equal(fb_db_begin(other, &late), FB_E_BUSY);
    assert_int_equal(count(other), 0); /* readers see what was there before */

    must(fb_db_commit(&tx));
    assert_int_equal(count(other), 1);
    fb_db_close(other);
}

static void read_only_connection_does_not_write(void **state)
{
    struct fixture *f = *state;
    struct fb_db *reader = NULL;
    must(fb_db_open(f->path, &(struct fb_db_options){.is_read_only = true}, &reader, NULL));
    assert_int_equal(insert(reader, "a", 1), -EROFS);
    fb_db_close(reader);
}

static void migrations_run_once_each_in_order(void **state)
{
    struct fixture *f = *state;
    static const char *const steps[] = {
        "CREATE TABLE m (a)",
        "ALTER TABLE m ADD COLUMN b; INSERT INTO m VALUES (1, 2)",
    };
    must(fb_db_migrate(f->db, steps, 1, NULL));
    must(fb_db_migrate(f->db, steps, 2, NULL));
    must(fb_db_migrate(f->db, steps, 2, NULL));

    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(f->db, "SELECT count(*), sum(b) FROM m");
    must(fb_db_step(&q));
    assert_int_equal(fb_db_column_int(&q, 0), 1);
    assert_int_equal(fb_db_column_int(&q, 1), 2);
}

static void broken_migration_leaves_the_step_before_it(void **state)
{
    struct fixture *f = *state;
    static const char *const steps[] = {
        "CREATE TABLE m (a)",
        "INSERT INTO m VALUES (1); INSERT INTO nowhere VALUES (1)",
    };
    struct fb_diag diag = {0};
    assert_int_equal(fb_db_migrate(f->db, steps, 2, &diag), FB_E_FOREIGN);
    assert_string_equal(diag.text, "migrate the schema from version 1: no such table: nowhere");

    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        f->db, "SELECT user_version, (SELECT count(*) FROM m) FROM pragma_user_version");
    must(fb_db_step(&q));
    assert_int_equal(fb_db_column_int(&q, 0), 1);
    assert_int_equal(fb_db_column_int(&q, 1), 0);
}

static void newer_database_is_refused(void **state)
{
    struct fixture *f = *state;
    must(fb_db_exec(f->db, "PRAGMA user_version = 9"));
    struct fb_diag diag = {0};
    assert_int_equal(fb_db_migrate(f->db, NULL, 0, &diag), FB_E_UNSUPPORTED);
    assert_string_equal(diag.text, "the database has schema version 9, this program knows up to 0");
}

static void file_that_is_no_database_is_corrupt(void **state)
{
    struct fixture *f = *state;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/junk", f->folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        (void)fputs("not a database ", file);
    }
    (void)fclose(file);

    struct fb_db *db = NULL;
    struct fb_diag diag = {0};
    assert_int_equal(fb_db_open(path, NULL, &db, &diag), FB_E_CORRUPT);
    assert_non_null(strstr(diag.text, "junk"));
    assert_null(db);
    unlink(path);

    (void)snprintf(path, sizeof(path), "%s/none/x.db", f->folder);
    assert_int_equal(fb_db_open(path, NULL, &db, &diag), -ENOENT);
}

static void pool_lends_each_connection_to_one(void **state)
{
    struct fixture *f = *state;
    struct fb_db_pool *pool = NULL;
    must(fb_db_pool_new(f->path, NULL, 2, &pool, NULL));

    struct fb_db_hold a = {0};
    struct fb_db_hold b = {0};
    must(fb_db_take(pool, &a));
    must(fb_db_take(pool, &b));
    assert_ptr_not_equal(a.db, b.db);
    must(insert(a.db, "a", 1));
    assert_int_equal(count(b.db), 1);

    struct fb_db *was = a.db;
    fb_db_hold_done(&a);
    fb_db_hold_done(&a);
    must(fb_db_take(pool, &a));
    assert_ptr_equal(a.db, was);
    fb_db_hold_done(&a);
    fb_db_hold_done(&b);
    fb_db_pool_free(pool);
}

enum { N_THREADS = 4, N_INSERTS = 10 };

static void insert_many(void *ctx)
{
    for (int i = 0; i < N_INSERTS; i++) {
        FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
        FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
        must(fb_db_take(ctx, &hold));
        must(fb_db_begin(hold.db, &tx));
        must(fb_db_exec(hold.db, "INSERT INTO t (n) VALUES (1)"));
        must(fb_db_commit(&tx));
    }
}

static void threads_share_fewer_connections_than_they_are(void **state)
{
    struct fixture *f = *state;
    struct fb_db_pool *pool = NULL;
    struct fb_thread *threads[N_THREADS];
    must(fb_db_pool_new(f->path, NULL, 2, &pool, NULL));
    for (size_t i = 0; i < N_THREADS; i++) {
        must(fb_thread_start_body("writer", insert_many, pool, &threads[i]));
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        fb_thread_join(threads[i]);
    }
    assert_int_equal(count(f->db), N_THREADS * N_INSERTS);
    fb_db_pool_free(pool);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_bound_comes_back_in_columns),
        TEST(missing_string_is_null_and_empty_one_is_not),
        TEST(statement_runs_again_with_new_parameters),
        TEST(failures_have_our_codes),
        TEST(full_database_is_told_from_other_failures),
        TEST(one_text_may_be_open_twice),
        TEST(statements_beyond_the_cache_work_and_are_freed),
        TEST(leaving_a_transaction_early_rolls_it_back),
        TEST(second_writer_is_told_busy_at_its_beginning),
        TEST(read_only_connection_does_not_write),
        TEST(migrations_run_once_each_in_order),
        TEST(broken_migration_leaves_the_step_before_it),
        TEST(newer_database_is_refused),
        TEST(file_that_is_no_database_is_corrupt),
        TEST(pool_lends_each_connection_to_one),
        TEST(threads_share_fewer_connections_than_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
