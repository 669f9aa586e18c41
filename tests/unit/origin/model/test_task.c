#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/model/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaa"

#define TASK(kind, pass, source, more)                                                       \
    "{\"job\":\"" ID "\",\"task\":\"" ID "\",\"lease\":\"" ID "\",\"video\":\"" ID           \
    "\",\"kind\":\"" kind "\",\"pass\":" pass ",\"index\":0,\"source\":\"" source "\"," more \
    "\"limits\":{\"seconds\":0,\"memory\":0,\"bytes\":0},\"lease_ms\":1000,\"attempt\":1}"

static struct fb_json *parse(const char *text)
{
    struct fb_json *json = NULL;
    assert_int_equal(fb_json_parse(fb_str_from(text), 1 << 20, &json, NULL), FB_OK);
    return json;
}

static int load(const char *text, struct origin_task *task)
{
    FB_AUTO(fb_json_freep) struct fb_json *json = parse(text);
    return origin_task_load(json, task, NULL);
}

static void a_task_survives_the_wire(void **state)
{
    (void)state;
    FB_AUTO(origin_task_done)
    struct origin_task task = {.job = origin_id_new(),
                               .task = origin_id_new(),
                               .lease = origin_id_new(),
                               .video = origin_id_new(),
                               .kind = ORIGIN_TASK_CHUNK,
                               .pass = ORIGIN_PASS_LATE,
                               .index = 12,
                               .source = "uploads/x/source",
                               .version = "0123456789abcdef",
                               .request = fb_str_dup(FB_STR("{\"crf\":20}")),
                               .recipe = fb_str_dup(FB_STR("{\"chunks\":[1,2]}")),
                               .limits = {.seconds = 60, .memory = 1U << 30, .bytes = 1},
                               .lease_ms = 30000,
                               .attempt = 2};
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    FB_AUTO(origin_task_done) struct origin_task read = {.request = NULL};

    origin_content_key_draw(ORIGIN_SCHEME_CBCS, &task.key);
    origin_task_store(json, &task);
    assert_int_equal(origin_task_load(json, &read, NULL), FB_OK);
    assert_true(origin_id_equal(&read.job, &task.job));
    assert_true(origin_id_equal(&read.task, &task.task));
    assert_true(origin_id_equal(&read.lease, &task.lease));
    assert_true(origin_id_equal(&read.video, &task.video));
    assert_int_equal(read.kind, ORIGIN_TASK_CHUNK);
    assert_int_equal(read.pass, ORIGIN_PASS_LATE);
    assert_int_equal(read.index, 12);
    assert_string_equal(read.source, task.source);
    assert_string_equal(read.version, task.version);
    assert_string_equal(read.request, task.request);
    assert_string_equal(read.recipe, task.recipe);
    assert_int_equal(read.key.scheme, ORIGIN_SCHEME_CBCS);
    assert_memory_equal(read.key.key, task.key.key, sizeof(task.key.key));
    assert_int_equal(read.limits.seconds, 60);
    assert_int_equal(read.limits.memory, 1U << 30);
    assert_int_equal(read.limits.bytes, 1);
    assert_int_equal(read.lease_ms, 30000);
    assert_int_equal(read.attempt, 2);
}

static void a_task_that_could_lead_astray_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        TASK("prepare", "0", "../../etc/passwd", ""),
        TASK("boil", "0", "a", ""),
        TASK("prepare", "3", "a", ""),
        TASK("chunk", "0", "a", ""),
        TASK("chunk", "0", "a", "\"version\":\"../\","),
        TASK("prepare", "0", "a", "\"request\":[],"),
        TASK("prepare", "0", "a", "\"recipe\":\"x\","),
        TASK("prepare", "0", "a", "\"content_key\":{\"scheme\":\"rot13\"},"),
    };
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_true(load(bad[i], &task) < 0);
    }
    assert_int_equal(load(TASK("prepare", "0", "a", ""), &task), FB_OK);
    assert_string_equal(task.recipe, "");
}

static void parts_of_different_tasks_have_different_keys(void **state)
{
    (void)state;
    struct origin_task task = {
        .video = {ID}, .version = "0123456789abcdef", .kind = ORIGIN_TASK_CHUNK, .index = 7};
    char key[ORIGIN_KEY_MAX + 1];

    origin_task_part_key(&task, key);
    assert_string_equal(key, "work/" ID "/0123456789abcdef/chunk-0-00007.json");
    task.kind = ORIGIN_TASK_SOUND;
    task.pass = ORIGIN_PASS_EARLY;
    origin_task_part_key(&task, key);
    assert_string_equal(key, "work/" ID "/0123456789abcdef/sound-1.json");
}

static void a_failure_survives_the_wire_with_the_end_of_its_log(void **state)
{
    (void)state;
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf log = {0};
    struct origin_task_failure read;

    for (int i = 0; i < ORIGIN_LOG_TAIL_MAX; i++) {
        fb_buf_append(&log, FB_STR("a"));
    }
    fb_buf_append(&log, FB_STR("end"));
    origin_task_failure_store(json,
                              &(struct origin_task_failure){.reason = ORIGIN_REASON_LEASE_LOST,
                                                            .is_final = true,
                                                            .sentence = FB_STR("gone"),
                                                            .log = fb_buf_str(&log)});
    assert_int_equal(origin_task_failure_load(json, &read, NULL), FB_OK);
    assert_int_equal(read.reason, ORIGIN_REASON_LEASE_LOST);
    assert_true(read.is_final);
    assert_true(fb_str_equal(read.sentence, FB_STR("gone")));
    assert_int_equal(read.log.len, ORIGIN_LOG_TAIL_MAX);
    assert_true(fb_str_equal(fb_str_skip(read.log, read.log.len - 3), FB_STR("end")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_survives_the_wire),
        cmocka_unit_test(a_task_that_could_lead_astray_is_refused),
        cmocka_unit_test(parts_of_different_tasks_have_different_keys),
        cmocka_unit_test(a_failure_survives_the_wire_with_the_end_of_its_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
