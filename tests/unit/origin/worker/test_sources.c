/*
 * Sources of a store that is far away, as the test plays it.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "origin/objects/objects_internal.h"
#include "origin/worker/sources.h"
#include "tests/support/test_folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 1000 };

struct far_store {
    struct origin_objects base;
    unsigned n_gets;
    int read_result;
};

static int far_stat(struct origin_objects *objects, struct fb_str key,
                    struct origin_object *ret_object)
{
    (void)objects;
    (void)key;
    *ret_object = (struct origin_object){.fd = -1, .size = SIZE};
    return FB_OK;
}

static int far_get(struct origin_objects *objects, struct fb_str key,
                   struct origin_object *ret_object)
{
    ((struct far_store *)objects)->n_gets++;
    return far_stat(objects, key, ret_object);
}

static int far_read(const struct origin_object *object, uint64_t offset, void *buf, size_t n)
{
    (void)offset;
    memset(buf, 'x', n);
    return ((const struct far_store *)object->objects)->read_result;
}

static const struct origin_objects_ops far_ops = {.kind = "far",
                                                  .get = far_get,
                                                  .stat = far_stat,
                                                  .read = far_read};

struct fixture {
    struct test_folder folder;
    struct far_store store;
    struct origin_sources *sources;
};

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->folder = test_folder_new();
    f->store.base = (struct origin_objects){.ops = &far_ops, .clock = fb_clock_system()};
    f->sources = origin_sources_new(
        &(struct origin_sources_options){.folder = f->folder.path, .max_bytes = 2 * SIZE});
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    origin_sources_free(f->sources);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

static struct origin_source *get(struct fixture *f, const char *key)
{
    struct origin_source *source = NULL;

    assert_int_equal(origin_sources_get(f->sources, &f->store.base, key, NULL, &source), FB_OK);
    return source;
}

static void a_source_is_fetched_once_for_all_tasks(void **state)
{
    struct fixture *f = *state;
    struct origin_source *first = get(f, "uploads/a/source");
    struct origin_source *second = get(f, "uploads/a/source");

    assert_string_equal(origin_source_path(first), origin_source_path(second));
    assert_int_equal(access(origin_source_path(first), R_OK), 0);
    origin_source_put(first);
    origin_source_put(second);
    origin_source_put(get(f, "uploads/a/source"));
    assert_int_equal(f->store.n_gets, 1);
}

static void what_nobody_uses_makes_room(void **state)
{
    struct fixture *f = *state;
    struct origin_source *used = get(f, "uploads/a/source");

    origin_source_put(get(f, "uploads/b/source"));
    origin_source_put(get(f, "uploads/c/source"));
    assert_int_equal(access(origin_source_path(used), R_OK), 0);
    assert_int_equal(f->store.n_gets, 3);
    origin_source_put(get(f, "uploads/a/source"));
    assert_int_equal(f->store.n_gets, 3);
    origin_source_put(get(f, "uploads/b/source")); /* had to go */
    assert_int_equal(f->store.n_gets, 4);
    origin_source_put(used);
}

static void a_fetch_that_failed_is_begun_anew(void **state)
{
    struct fixture *f = *state;
    struct origin_source *source = NULL;

    f->store.read_result = FB_E_UNAVAILABLE;
    assert_int_equal(
        origin_sources_get(f->sources, &f->store.base, "uploads/a/source", NULL, &source),
        FB_E_UNAVAILABLE);
    f->store.read_result = FB_OK;
    origin_source_put(get(f, "uploads/a/source"));
}

static void the_reserve_of_the_disk_is_left(void **state)
{
    struct fixture *f = *state;
    struct origin_source *source = NULL;

    origin_sources_free(f->sources);
    f->sources = origin_sources_new(&(struct origin_sources_options){
        .folder = f->folder.path, .max_bytes = 2 * SIZE, .reserve_bytes = INT64_MAX});
    assert_int_equal(
        origin_sources_get(f->sources, &f->store.base, "uploads/a/source", NULL, &source), -ENOSPC);
    assert_int_equal(f->store.n_gets, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_source_is_fetched_once_for_all_tasks),
        TEST(what_nobody_uses_makes_room),
        TEST(a_fetch_that_failed_is_begun_anew),
        TEST(the_reserve_of_the_disk_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
