/*
 * The routes for tasks' objects, and origin/objects/lease.h, which asks them: over one loop of
 * another thread, a catalog, and a folder of objects.
 */
#include "../catalog/jobs_fixture.h"
#include "base/client/client.h"
#include "base/crypto/hash.h"
#include "base/loop/loop.h"
#include "base/loop/thread.h"
#include "base/loop/work.h"
#include "base/server/exchange.h"
#include "base/server/router.h"
#include "base/server/server.h"
#include "base/sys/file.h"
#include "origin/jobs/task_objects.h"
#include "origin/objects/lease.h"
#include "origin/objects/objects.h"

#include <fcntl.h>
#include <unistd.h>

#define TOKEN "a token for workers"

enum { LARGE = 5 * 1024 * 1024 + 77 };

struct rig {
    struct fixture *f; /* the catalog's */
    struct origin_objects *folder;
    struct origin_task_objects *service;
    struct fb_loop *loop;
    struct fb_thread *thread;
    struct fb_pool *pool;
    struct fb_client *client;
    struct fb_server *server;
    struct fb_router *router;
    struct fb_op drained;
    struct origin_objects *store; /* by the lease */
    struct origin_task task;
    char origin[64];
    int n_cut; /* so many requests are answered with 503 first */
};

static void on_request(void *ctx, struct fb_exchange *exchange)
{
    struct rig *rig = ctx;

    if (__atomic_load_n(&rig->n_cut, __ATOMIC_SEQ_CST) > 0) {
        __atomic_sub_fetch(&rig->n_cut, 1, __ATOMIC_SEQ_CST);
        fb_exchange_problem(exchange, 503, NULL, NULL);
        return;
    }
    fb_router_handle(rig->router, exchange);
}

static void serve(struct rig *rig)
{
    struct fb_address address;
    struct fb_address bound;
    char text[FB_ADDRESS_TEXT_MAX];
    size_t n = 0;

    rig->service = origin_task_objects_new(
        &(struct origin_task_objects_options){.catalog = rig->f->catalog,
                                              .objects = rig->folder,
                                              .pool = rig->pool,
                                              .worker_token = FB_STR(TOKEN)});
    const struct fb_route *routes = origin_task_objects_routes(rig->service, &n);
    rig->router = fb_router_new(routes, n, rig->pool, rig->service);
    rig->server = fb_server_new(
        rig->loop, &(struct fb_server_options){.name = "origin", .handle = on_request, .ctx = rig});
    must(fb_address_parse(FB_STR("127.0.0.1:0"), &address, NULL));
    must(fb_server_listen(rig->server, &address, &bound));
    (void)snprintf(rig->origin, sizeof(rig->origin), "http://%s", fb_address_text(&bound, text));
}

static struct origin_objects *open_store(struct rig *rig, const char *token,
                                         const struct origin_id *lease)
{
    struct origin_objects *store = NULL;
    struct origin_lease_options options = {
        .loop = rig->loop,
        .client = rig->client,
        .pool = rig->pool,
        .token = fb_str_from(token),
        .task = fb_str_from(rig->task.task.text),
        .lease = fb_str_from(lease->text),
        .spool = rig->f->folder.path,
        .max_attempts = 3,
    };

    must(fb_url_parse(fb_str_from(rig->origin), &options.url, NULL));
    must(origin_lease_open(&options, &store));
    return store;
}

/* A video that is prepared, and one task of it that is held. */
static void take_task(struct rig *rig)
{
    struct origin_job_graph graph = jobs_graph(1, false);

    (void)jobs_queue(rig->f, ORIGIN_PRIORITY_NORMAL);
    must(jobs_take(rig->f, &rig->task));
    must(jobs_finish(rig->f, &rig->task, &graph));
    must(jobs_take(rig->f, &rig->task));
}

static int rig_set_up(void **state)
{
    struct rig *rig = FB_NEW(struct rig);
    char url[TEST_PATH_MAX + 32];
    void *fixture = NULL;

    (void)set_up(&fixture);
    rig->f = fixture;
    (void)snprintf(url, sizeof(url), "file:%s/objects", rig->f->folder.path);
    must(origin_objects_open(&(struct origin_objects_options){.url = fb_str_from(url)},
                             &rig->folder, NULL));
    must(fb_loop_new(fb_clock_system(), &rig->loop));
    must(fb_pool_new("objects", 3, 64, &rig->pool));
    rig->client = fb_client_new(rig->loop, NULL, NULL);
    serve(rig);
    take_task(rig);
    must(fb_thread_start("net", rig->loop, &rig->thread));
    rig->store = open_store(rig, TOKEN, &rig->task.lease);
    *state = rig;
    return 0;
}

static void on_drained(struct fb_op *op)
{
    assert_int_equal(op->result, FB_OK);
}

static int rig_tear_down(void **state)
{
    struct rig *rig = *state;
    void *fixture = rig->f;

    origin_objects_close(rig->store);
    fb_loop_stop(rig->loop);
    fb_thread_join(rig->thread);
    fb_loop_turn(rig->loop); /* this thread is the loop's own now */
    fb_client_close(rig->client);
    fb_op_init(&rig->drained, rig->loop, on_drained);
    fb_server_drain(rig->server, 0, &rig->drained);
    while (!fb_op_is_idle(&rig->drained)) {
        fb_loop_turn(rig->loop);
    }
    fb_server_free(rig->server);
    fb_router_free(rig->router);
    origin_task_objects_free(rig->service);
    fb_pool_free(rig->pool);
    for (int i = 0; i < 3; i++) {
        fb_loop_turn(rig->loop);
    }
    fb_loop_free(rig->loop);
    origin_objects_close(rig->folder);
    origin_task_done(&rig->task);
    (void)tear_down(&fixture);
    fb_free(rig);
    return 0;
}

static struct fb_str own_key(struct rig *rig, const char *top, const char *name, char key[256])
{
    (void)snprintf(key, 256, "%s/%s/%s/%s", top, rig->task.video.text, rig->task.version, name);
    return fb_str_from(key);
}

static void put_source(struct rig *rig, struct fb_str bytes)
{
    must(origin_objects_put_bytes(rig->folder, fb_str_from(rig->task.source), bytes));
}

static void fill(char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (char)((i * 31 + (i >> 8) * 7 + (i >> 16)) & 0x7F);
    }
}

/* ---- tests ------------------------------------------------------------------------------ */

static void the_source_is_read_by_ranges_and_whole(void **state)
{
    struct rig *rig = *state;
    FB_AUTO(fb_freep) char *bytes = fb_alloc(LARGE);
    FB_AUTO(fb_freep) char *back = fb_alloc(LARGE);
    FB_AUTO(fb_fd_done) int fd = -1;
    char path[TEST_PATH_MAX + 32];
    struct origin_object object;

    fill(bytes, LARGE);
    put_source(rig, (struct fb_str){bytes, LARGE});
    must(origin_objects_get(rig->store, fb_str_from(rig->task.source), &object));
    assert_int_equal(object.size, LARGE);
    assert_int_equal(object.fd, -1);
    must(origin_object_read(&object, 1234567, back, 100));
    assert_memory_equal(back, bytes + 1234567, 100);
    must(origin_object_read(&object, LARGE - 1, back, 1));
    assert_int_equal(back[0], bytes[LARGE - 1]);
    origin_object_done(&object);

    (void)snprintf(path, sizeof(path), "%s/fetched", rig->f->folder.path);
    must(origin_objects_fetch(rig->store, fb_str_from(rig->task.source), path, NULL));
    must(fb_file_open(AT_FDCWD, path, O_RDONLY, 0, &fd));
    assert_int_equal(read(fd, back, LARGE), LARGE);
    assert_memory_equal(back, bytes, LARGE);
}

static void what_is_written_is_stored(void **state)
{
    struct rig *rig = *state;
    FB_AUTO(fb_freep) char *bytes = fb_alloc(LARGE);
    FB_AUTO(fb_buf_done) struct fb_buf back = {0};
    uint8_t digest[FB_SHA256_SIZE];
    struct origin_stored stored;
    char path[TEST_PATH_MAX + 32];
    char key[256];

    fill(bytes, LARGE);
    must(origin_objects_put_bytes(rig->store, own_key(rig, "work", "part.json", key),
                                  FB_STR("{\"a\":1}")));
    must(origin_objects_get_bytes(rig->folder, fb_str_from(key), 100, &back));
    assert_true(fb_str_equal(fb_buf_str(&back), FB_STR("{\"a\":1}")));
    fb_buf_clear(&back);
    must(origin_objects_get_bytes(rig->store, fb_str_from(key), 100, &back));
    assert_true(fb_str_equal(fb_buf_str(&back), FB_STR("{\"a\":1}")));

    (void)snprintf(path, sizeof(path), "%s/made", rig->f->folder.path);
    must(fb_file_write(AT_FDCWD, path, (struct fb_str){bytes, LARGE}, 0600, NULL));
    must(origin_objects_put_file(rig->store, own_key(rig, "media", "v/360p/seg-00001.m4s", key),
                                 path, &stored));
    assert_int_equal(stored.size, LARGE);
    fb_sha256((struct fb_str){bytes, LARGE}, digest);
    assert_memory_equal(stored.sha256, digest, sizeof(digest));
    fb_buf_clear(&back);
    must(origin_objects_get_bytes(rig->folder, fb_str_from(key), LARGE, &back));
    assert_true(fb_str_equal(fb_buf_str(&back), (struct fb_str){bytes, LARGE}));
    assert_int_not_equal(access(path, F_OK), 0);
    must(origin_objects_put_bytes(rig->store, own_key(rig, "work", "empty", key), FB_STR_NONE));
    fb_buf_clear(&back);
    must(origin_objects_get_bytes(rig->store, fb_str_from(key), 0, &back));
}

static void keys_of_others_are_denied(void **state)
{
    struct rig *rig = *state;
    struct origin_object object;
    char keys[4][256];

    put_source(rig, FB_STR("x"));
    (void)snprintf(keys[0], 256, "media/%s/fedcba9876543210/x", rig->task.video.text);
    (void)snprintf(keys[1], 256, "media/%s/%s", rig->task.lease.text, rig->task.version);
    (void)snprintf(keys[2], 256, "uploads/y/source");
    (void)snprintf(keys[3], 256, "keys/master");
    for (size_t i = 0; i < FB_ARRAY_LEN(keys); i++) {
        struct fb_str key = fb_str_from(keys[i]);
        assert_int_equal(origin_objects_get(rig->store, key, &object), FB_E_DENIED);
        assert_int_equal(origin_objects_put_bytes(rig->store, key, FB_STR("x")), FB_E_DENIED);
        assert_int_equal(origin_objects_stat(rig->folder, key, &object), FB_E_NOT_FOUND);
    }
    /* The source is not the worker's to write. */
    assert_int_equal(
        origin_objects_put_bytes(rig->store, fb_str_from(rig->task.source), FB_STR("y")),
        FB_E_DENIED);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct rig *rig = *state;
    struct origin_object object;
    char key[256];

    assert_int_equal(origin_objects_stat(rig->store, own_key(rig, "work", "none", key), &object),
                     FB_E_NOT_FOUND);
    assert_int_equal(origin_objects_get(rig->store, fb_str_from(rig->task.source), &object),
                     FB_E_NOT_FOUND);
}

static void a_lease_that_is_lost_gives_nothing(void **state)
{
    struct rig *rig = *state;
    struct origin_object object;
    char key[256];

    put_source(rig, FB_STR("x"));
    must(origin_catalog_task_give_back(rig->f->catalog, &rig->task));
    assert_int_equal(origin_objects_get(rig->store, fb_str_from(rig->task.source), &object),
                     FB_E_CONFLICT);
    assert_int_equal(
        origin_objects_put_bytes(rig->store, own_key(rig, "work", "x", key), FB_STR("x")),
        FB_E_CONFLICT);
    assert_int_equal(origin_objects_stat(rig->folder, fb_str_from(key), &object), FB_E_NOT_FOUND);
}

static void what_a_task_that_is_done_has_made_is_not_touched(void **state)
{
    struct rig *rig = *state;
    struct origin_object object;
    char key[256];

    must(origin_catalog_task_finish_part(rig->f->catalog, &rig->task));
    assert_int_equal(
        origin_objects_put_bytes(rig->store, own_key(rig, "work", "x", key), FB_STR("x")),
        FB_E_CONFLICT);
    assert_int_equal(origin_objects_get(rig->store, fb_str_from(rig->task.source), &object),
                     FB_E_CONFLICT);
    assert_int_equal(origin_objects_stat(rig->folder, fb_str_from(key), &object), FB_E_NOT_FOUND);
}

static void a_token_or_lease_that_is_not_ours_is_refused(void **state)
{
    struct rig *rig = *state;
    struct origin_object object;
    struct fb_str source = fb_str_from(rig->task.source);

    put_source(rig, FB_STR("x"));
    struct origin_objects *other = open_store(rig, "another token, as long", &rig->task.lease);
    assert_int_equal(origin_objects_get(other, source, &object), FB_E_DENIED);
    origin_objects_close(other);
    other = open_store(rig, TOKEN, &rig->task.video);
    assert_int_equal(origin_objects_get(other, source, &object), FB_E_CONFLICT);
    origin_objects_close(other);
}

static void what_passes_is_tried_again(void **state)
{
    struct rig *rig = *state;
    FB_AUTO(fb_buf_done) struct fb_buf back = {0};
    struct origin_object object;
    char key[256];

    __atomic_store_n(&rig->n_cut, 1, __ATOMIC_SEQ_CST);
    must(origin_objects_put_bytes(rig->store, own_key(rig, "work", "x", key), FB_STR("x")));
    __atomic_store_n(&rig->n_cut, 1, __ATOMIC_SEQ_CST);
    must(origin_objects_get_bytes(rig->store, fb_str_from(key), 1, &back));
    __atomic_store_n(&rig->n_cut, 3, __ATOMIC_SEQ_CST);
    assert_int_equal(origin_objects_stat(rig->store, fb_str_from(key), &object), FB_E_UNAVAILABLE);
}

static void there_are_no_routes_without_a_token(void **state)
{
    struct rig *rig = *state;
    size_t n = 1;
    struct origin_task_objects *service =
        origin_task_objects_new(&(struct origin_task_objects_options){.catalog = rig->f->catalog});

    (void)origin_task_objects_routes(service, &n);
    assert_int_equal(n, 0);
    origin_task_objects_free(service);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_source_is_read_by_ranges_and_whole),
        CASE(what_is_written_is_stored),
        CASE(keys_of_others_are_denied),
        CASE(what_is_not_there_is_not_found),
        CASE(a_lease_that_is_lost_gives_nothing),
        CASE(what_a_task_that_is_done_has_made_is_not_touched),
        CASE(a_token_or_lease_that_is_not_ours_is_refused),
        CASE(what_passes_is_tried_again),
        CASE(there_are_no_routes_without_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
