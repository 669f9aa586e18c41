#include "base/core/err.h"
#include "base/db/damage.h"
#include "base/db/db.h"
#include "tests/support/test_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 4096, ROWS = 200 };

struct fixture {
    struct test_folder folder;
    char path[TEST_PATH_MAX + 32];
};

static int set_up(void **state)
{
    static struct fixture f;

    f.folder = test_folder_new();
    (void)snprintf(f.path, sizeof(f.path), "%s/some.db", f.folder.path);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    test_folder_done(&((struct fixture *)*state)->folder);
    return 0;
}

static struct fb_db *open_at(const struct fixture *f)
{
    struct fb_db *db = NULL;

    assert_int_equal(fb_db_open(f->path, NULL, &db, NULL), FB_OK);
    return db;
}

static void fill(struct fb_db *db)
{
    assert_int_equal(fb_db_exec(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)"), FB_OK);
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(fb_db_exec(db, "INSERT INTO t (body) VALUES (randomblob(300))"), FB_OK);
    }
}

static void damage_is_found_in_any_page(void **state)
{
    static const char garbage[PAGE];
    struct fixture *f = *state;
    struct fb_db *db = open_at(f);

    fill(db);
    assert_int_equal(fb_db_check(db), FB_OK);
    fb_db_close(db);
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(size > 4 * PAGE);
    for (off_t at = PAGE; at < size; at += PAGE) {
        char before[PAGE];
        assert_int_equal(pread(fd, before, PAGE, at), PAGE);
        assert_int_equal(pwrite(fd, garbage, PAGE, at), PAGE);
        db = open_at(f);
        assert_int_equal(fb_db_check(db), FB_E_CORRUPT);
        fb_db_close(db);
        assert_int_equal(pwrite(fd, before, PAGE, at), PAGE);
    }
    assert_int_equal(close(fd), 0);
}

static void what_was_put_aside_makes_room_for_another(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fb_db_put_aside(f->path), FB_OK); /* which is not there */
    for (int i = 0; i < 2; i++) {
        struct fb_db *db = open_at(f);
        fill(db);
        fb_db_close(db);
        assert_int_equal(fb_db_put_aside(f->path), FB_OK);
        assert_int_equal(access(f->path, F_OK), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damage_is_found_in_any_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_put_aside_makes_room_for_another, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
