/* Random purges, beside a naive twin that remembers them all. */
#include "edge/purge/tags.h"
#include "purge_fixture.h"
#include "tests/support/test_random.h"

#include <stdio.h>

enum { MODEL_STEPS = 400, MODEL_MAX = 2 * MODEL_STEPS };

struct model {
    struct edge_purge purges[MODEL_MAX];
    char texts[MODEL_MAX][24];
    uint64_t epochs[MODEL_MAX];
    size_t n;
};

static bool model_matches(const struct edge_purge *purge, struct fb_str key, struct fb_str tags)
{
    struct fb_str tag = FB_STR_NONE;

    switch (purge->kind) {
    case EDGE_PURGE_URL:
        return fb_str_equal(purge->text, key);
    case EDGE_PURGE_PREFIX:
        return fb_str_starts_with(key, purge->text);
    case EDGE_PURGE_TAG:
        while (edge_tags_next(&tags, &tag)) {
            if (fb_str_equal(tag, purge->text)) {
                return true;
            }
        }
        return false;
    case EDGE_PURGE_N_KINDS:
        break;
    }
    return false;
}

static enum edge_purge_verdict model_judge(const struct model *model, struct fb_str key,
                                           struct fb_str tags, uint64_t birth)
{
    enum edge_purge_verdict verdict = EDGE_PURGE_KEEP;

    for (size_t i = 0; i < model->n; i++) {
        if (model->epochs[i] > birth && model_matches(&model->purges[i], key, tags)) {
            enum edge_purge_verdict one =
                model->purges[i].is_soft ? EDGE_PURGE_SOFT : EDGE_PURGE_GONE;
            verdict = FB_MAX(verdict, one);
        }
    }
    return verdict;
}

static void model_add(struct fixture *f, struct model *model, struct test_random *random)
{
    size_t n = 1 + test_random_below(random, 2);
    uint64_t epoch = 0;

    for (size_t i = model->n; i < model->n + n; i++) {
        struct edge_purge *purge = &model->purges[i];
        char *text = model->texts[i];
        unsigned a = (unsigned)test_random_below(random, 4);
        unsigned b = (unsigned)test_random_below(random, 12);
        uint64_t kind = test_random_below(random, EDGE_PURGE_N_KINDS);
        purge->kind = (enum edge_purge_kind)kind;
        purge->is_soft = test_random_below(random, 2) == 0;
        if (purge->kind == EDGE_PURGE_TAG) {
            (void)snprintf(text, 24, "t%u", b);
        } else {
            (void)snprintf(text, 24, "h%u/%u", a, b);
        }
        purge->text = fb_str_from(text);
        if (purge->kind == EDGE_PURGE_PREFIX) {
            purge->text.len -= test_random_below(random, 3);
        }
    }
    assert_int_equal(add_all(f, &model->purges[model->n], n, &epoch), FB_OK);
    for (size_t i = 0; i < n; i++) {
        model->epochs[model->n++] = epoch;
    }
}

static void random_purges_judge_as_a_naive_twin(void **state)
{
    static struct model model;
    struct fixture *f = *state;
    struct test_random random = test_random_new();
    uint64_t births[MODEL_STEPS];

    memset(&model, 0, sizeof(model));
    for (unsigned step = 0; step < MODEL_STEPS; step++) {
        births[step] = edge_purges_epoch(f->purges);
        if (test_random_below(&random, 3) == 0) {
            model_add(f, &model, &random);
        }
        if (test_random_below(&random, 40) == 0) {
            reopen(f);
        }
        test_clock_advance_ms(&f->clock, test_random_below(&random, 3));
        for (unsigned i = 0; i < 20; i++) {
            char key[24];
            char tags[24];
            (void)snprintf(key, sizeof(key), "h%u/%u", (unsigned)test_random_below(&random, 4),
                           (unsigned)test_random_below(&random, 120));
            (void)snprintf(tags, sizeof(tags), "t%u, t%u", (unsigned)test_random_below(&random, 12),
                           (unsigned)test_random_below(&random, 120));
            uint64_t birth = births[test_random_below(&random, step + 1)];
            assert_int_equal(judge(f, key, tags, birth),
                             model_judge(&model, fb_str_from(key), fb_str_from(tags), birth));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PURGE_TEST(random_purges_judge_as_a_naive_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
