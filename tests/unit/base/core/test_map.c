/* The map against a naive twin: an array that a loop searches. */
#include "base/core/map.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_KEYS = 200, N_STEPS = 4000 };

enum kind { PUT, REMOVE, FIND };

struct step {
    enum kind kind;
    unsigned key;
    unsigned value;
    bool is_left_out;
};

static int values[1000]; /* what is put: their addresses */

static struct fb_str key_text(unsigned key, char text[16])
{
    int n = snprintf(text, 16, "key-%u", key);
    return (struct fb_str){text, key == 0 ? 0 : (size_t)n}; /* the empty key is a key, too */
}

static bool visits_all(const struct fb_map *map, void *const twin[N_KEYS])
{
    size_t cursor = 0;
    size_t n = 0;
    struct fb_str key;
    void *value = NULL;

    while (fb_map_next(map, &cursor, &key, &value)) {
        unsigned i = key.len == 0 ? 0 : (unsigned)atoi(key.ptr + 4);
        if (i >= N_KEYS || twin[i] != value) {
            return false;
        }
        n++;
    }
    return n == fb_map_count(map);
}

/* Runs the steps on both; false at the first difference. */
static bool agrees(const struct step *steps, size_t n, uint64_t seed)
{
    void *twin[N_KEYS] = {0};
    size_t count = 0;
    bool is_good = true;
    struct fb_map *map = fb_map_new(seed);

    for (size_t i = 0; i < n && is_good; i++) {
        const struct step *step = &steps[i];
        char text[16];
        struct fb_str key = key_text(step->key, text);
        void *old = twin[step->key];
        if (step->is_left_out) {
            continue;
        }
        switch (step->kind) {
        case PUT:
            twin[step->key] = &values[step->value];
            count += old == NULL ? 1 : 0;
            is_good = fb_map_put(map, key, &values[step->value]) == old;
            break;
        case REMOVE:
            twin[step->key] = NULL;
            count -= old != NULL ? 1 : 0;
            is_good = fb_map_remove(map, key) == old;
            break;
        case FIND:
            is_good = fb_map_find(map, key) == old;
            break;
        }
        is_good = is_good && fb_map_count(map) == count;
    }
    is_good = is_good && visits_all(map, twin);
    fb_map_free(map);
    return is_good;
}

/* Leaves out what the difference does not need, and prints the rest. */
static void shrink_and_fail(struct step *steps, size_t n, uint64_t seed)
{
    static const char *const names[] = {"put", "remove", "find"};

    for (size_t i = 0; i < n; i++) {
        steps[i].is_left_out = true;
        steps[i].is_left_out = !agrees(steps, n, seed);
    }
    for (size_t i = 0; i < n; i++) {
        if (!steps[i].is_left_out) {
            print_error("%s %u %u\n", names[steps[i].kind], steps[i].key, steps[i].value);
        }
    }
    fail_msg("the map differs from its twin, map seed %#llx", (unsigned long long)seed);
}

static void random_steps_agree_with_the_twin(void **state)
{
    (void)state;
    static struct step steps[N_STEPS];
    struct test_random random = test_random_new();

    for (int round = 0; round < 20; round++) {
        /* Some rounds grow, some shrink, some crowd on few keys. */
        uint64_t n_keys = 1 + test_random_below(&random, N_KEYS);
        uint64_t puts = 1 + test_random_below(&random, 9);
        for (size_t i = 0; i < N_STEPS; i++) {
            uint64_t dice = test_random_below(&random, 10);
            steps[i] = (struct step){
                .kind = dice < puts ? PUT
                        : dice < 9  ? REMOVE
                                    : FIND,
                .key = (unsigned)test_random_below(&random, n_keys),
                .value = (unsigned)test_random_below(&random, FB_ARRAY_LEN(values)),
            };
        }
        uint64_t seed = test_random_next(&random);
        if (!agrees(steps, N_STEPS, seed)) {
            shrink_and_fail(steps, N_STEPS, seed);
        }
    }
}

static void keys_are_bytes_and_copied(void **state)
{
    (void)state;
    struct fb_map *map = fb_map_new(1);
    char key[] = {'a', '\0', 'b'};
    assert_null(fb_map_put(map, (struct fb_str){key, 3}, &values[0]));
    assert_null(fb_map_put(map, (struct fb_str){key, 1}, &values[1]));
    key[0] = 'x';
    assert_ptr_equal(fb_map_find(map, FB_STR("a\0b")), &values[0]);
    assert_ptr_equal(fb_map_find(map, FB_STR("a")), &values[1]);
    assert_null(fb_map_find(map, FB_STR("a\0c")));
    fb_map_free(map);
    fb_map_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps_agree_with_the_twin),
        cmocka_unit_test(keys_are_bytes_and_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
