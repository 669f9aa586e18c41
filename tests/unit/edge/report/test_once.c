/*
 * Two edges, a regional node and an origin, and everything between them that can go wrong: requests
 * and answers that come twice, late, in another order or never, processes that end at any write,
 * clocks that jump, and now and then an edge that reports past the regional node. Whatever
 * happened, the origin ends up with what was counted, once.
 *
 * FB_TEST_HISTORIES says how many histories; FB_TEST_SEED repeats those of a seed.
 */
#include "base/core/alloc.h"
#include "edge/report/spool.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_db_faults.h"
#include "tests/support/test_folder.h"
#include "tests/support/test_reports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EDGES = 2, REGIONAL = EDGES, NODES, STEPS = 40, MAIL = 24, ENTRIES = 6 };

/* Where sanitizers slow everything down, a fifth of all. */
#ifdef FB_SANITIZED
enum { HISTORIES = 200 };
#else
enum { HISTORIES = 1000 };
#endif

struct node {
    char path[TEST_PATH_MAX + 32];
    char name[TEST_NODE_MAX];
    struct test_clock clock;
    struct edge_spool *spool;
};

/* A request, or the answer to one, under way. */
struct mail {
    bool is_used;
    bool is_answer;
    size_t from; /* the node that asked */
    bool to_origin;
    uint64_t epoch;
    struct fb_buf body;               /* of a request */
    struct test_origin_answer answer; /* of an answer */
};

struct world {
    struct test_random random;
    struct test_folder folder;
    struct node nodes[NODES];
    struct test_origin origin;
    struct test_ledger truth;
    struct mail mail[MAIL];
    bool is_dying; /* by the fault that is played */
    size_t n_crashes;
    size_t n_faults;
};

static bool chance(struct world *w, uint64_t percent)
{
    return test_random_below(&w->random, 100) < percent;
}

static void node_open(struct node *node)
{
    struct fb_diag diag = {0};
    int err = edge_spool_open(&(struct edge_spool_options){.path = node->path,
                                                           .node = fb_str_from(node->name),
                                                           .region = FB_STR("here"),
                                                           .max_bytes = 1 << 30,
                                                           .clock = &node->clock.clock},
                              &node->spool, &diag);
    if (err < 0) {
        fail_msg("open: %s", diag.text);
    }
}

/* The process ends, at once or at one of the next writes of what it does. */
static void node_crash(struct world *w, struct node *node)
{
    test_db_faults_after(0, true); /* nothing is put in order on the way out */
    edge_spool_close(node->spool);
    test_db_faults_none();
    node_open(node);
    w->n_crashes++;
}

/* For some steps the disk or the process dies in the middle. */
static void fault_begin(struct world *w)
{
    if (chance(w, 12)) {
        w->is_dying = chance(w, 70);
        test_db_faults_after((long)test_random_below(&w->random, 12), w->is_dying);
    }
}

/* True if what `err` tells of did happen. After a fault nobody knows but the disk: the process
 * starts anew and looks. */
static bool fault_end(struct world *w, struct node *node, int err)
{
    test_db_faults_none();
    if (err == FB_OK) {
        return true;
    }
    if (err != FB_E_END && err != FB_E_BUSY) {
        w->n_faults++;
        if (w->is_dying) {
            node_crash(w, node);
        }
    }
    return false;
}

/* ---- steps ------------------------------------------------------------------- */

static uint64_t node_bytes(struct node *node)
{
    struct edge_spool_state state;

    assert_int_equal(edge_spool_state(node->spool, &state), FB_OK);
    return state.n_pending;
}

/* What is added counts if it was committed. A commit whose end was not seen may be there or not;
 * an edge that crashes there has not been told either, so only faults before it are played. */
static void step_add(struct world *w)
{
    struct node *node = &w->nodes[test_random_below(&w->random, EDGES)];
    struct fb_view_entry entries[ENTRIES];
    size_t n = 1 + (size_t)test_random_below(&w->random, ENTRIES);
    struct fb_view_totals totals = {.bytes_served = test_random_below(&w->random, 1000)};

    test_entries_make(&w->random, node->clock.wall_now_ms / 60000, entries, n);
    if (edge_spool_add(node->spool, entries, n, &totals) == FB_OK) {
        test_ledger_add(&w->truth, entries, n);
        fb_view_totals_add(&w->truth.totals, &totals);
    }
    test_entries_done(entries, n);
}

static struct mail *mail_new(struct world *w)
{
    for (size_t i = 0; i < MAIL; i++) {
        if (!w->mail[i].is_used) {
            w->mail[i] = (struct mail){.is_used = true};
            return &w->mail[i];
        }
    }
    struct mail *lost = &w->mail[test_random_below(&w->random, MAIL)];
    fb_buf_done(&lost->body);
    *lost = (struct mail){.is_used = true};
    return lost;
}

static void mail_drop(struct mail *mail)
{
    fb_buf_done(&mail->body);
    *mail = (struct mail){0};
}

static struct fb_str receiver_of(struct world *w, bool is_origin)
{
    return is_origin ? fb_str_from(w->origin.id) : edge_spool_id(w->nodes[REGIONAL].spool);
}

static void node_send(struct world *w, size_t from, bool to_origin)
{
    struct node *node = &w->nodes[from];
    struct edge_spool_batch batch = {0};
    struct fb_str receiver = receiver_of(w, to_origin);
    int err = FB_OK;

    for (uint64_t i = test_random_below(&w->random, 3); i > 0 && err == FB_OK; i--) {
        fault_begin(w);
        err = edge_spool_seal(node->spool, receiver);
        (void)fault_end(w, node, err); /* sealed or not: the next batch tells */
    }
    err = edge_spool_batch(node->spool, receiver, &batch);
    if (err == FB_OK) {
        struct mail *mail = mail_new(w);
        mail->from = from;
        mail->to_origin = to_origin;
        mail->epoch = batch.epoch;
        mail->body = fb_buf_take(&batch.body);
    }
    edge_spool_batch_done(&batch);
}

static void step_send(struct world *w)
{
    size_t from = (size_t)test_random_below(&w->random, NODES);

    node_send(w, from, from == REGIONAL || chance(w, 15));
}

static bool regional_receive(struct world *w, struct fb_str body, struct test_origin_answer *answer)
{
    struct node *node = &w->nodes[REGIONAL];
    struct edge_spool_answer said;

    fault_begin(w);
    int err = edge_spool_receive(node->spool, FB_STR_NONE, body, &said);
    if (!fault_end(w, node, err)) {
        return false;
    }
    *answer = (struct test_origin_answer){
        .status = said.verdict == FB_VIEW_APPLY ? 200 : 409,
        .acked = said.acked,
        .refused = said.refused,
    };
    return true;
}

static void mail_deliver_request(struct world *w, struct mail *mail)
{
    struct test_origin_answer answer = {0};
    bool is_answered = true;

    if (mail->to_origin) {
        answer = test_origin_receive(&w->origin, fb_buf_str(&mail->body));
    } else {
        is_answered = regional_receive(w, fb_buf_str(&mail->body), &answer);
    }
    assert_int_not_equal(answer.status, 400);
    size_t from = mail->from;
    bool to_origin = mail->to_origin;
    uint64_t epoch = mail->epoch;
    if (!chance(w, 25)) { /* else it comes again */
        mail_drop(mail);
    }
    if (is_answered && !chance(w, 25)) { /* else nobody hears it */
        struct mail *back = mail_new(w);
        back->is_answer = true;
        back->from = from;
        back->to_origin = to_origin;
        back->epoch = epoch;
        back->answer = answer;
    }
}

static void mail_deliver_answer(struct world *w, struct mail *mail)
{
    struct node *node = &w->nodes[mail->from];
    struct fb_str receiver = receiver_of(w, mail->to_origin);

    fault_begin(w);
    int err = mail->answer.status == 200
                  ? edge_spool_acked(node->spool, receiver, mail->epoch, mail->answer.acked)
                  : edge_spool_refused(node->spool, receiver, mail->epoch, mail->answer.refused);
    (void)fault_end(w, node, err); /* forgotten or not: what was acknowledged is sent again */
    if (!chance(w, 10)) {
        mail_drop(mail);
    }
}

static void step_deliver(struct world *w)
{
    size_t first = (size_t)test_random_below(&w->random, MAIL);

    for (size_t i = 0; i < MAIL; i++) {
        struct mail *mail = &w->mail[(first + i) % MAIL];
        if (mail->is_used && chance(w, 10)) {
            mail_drop(mail); /* lost on the way */
        } else if (mail->is_used && mail->is_answer) {
            mail_deliver_answer(w, mail);
            return;
        } else if (mail->is_used) {
            mail_deliver_request(w, mail);
            return;
        }
    }
}

static void step_disturb(struct world *w)
{
    struct node *node = &w->nodes[test_random_below(&w->random, NODES)];

    if (chance(w, 30)) {
        node_crash(w, node);
    } else if (chance(w, 50)) {
        test_clock_advance_ms(&node->clock, test_random_below(&w->random, 7200000));
    } else {
        node->clock.wall_now_ms -= (int64_t)test_random_below(&w->random, 7200000);
    }
}

/* ---- the end ------------------------------------------------------------------- */

/* The network works again: until nobody has anything left to send. */
static void settle_pair(struct world *w, size_t from, bool to_origin)
{
    struct node *node = &w->nodes[from];
    struct fb_str receiver = receiver_of(w, to_origin);

    for (unsigned rounds = 0; rounds < 100; rounds++) {
        struct edge_spool_batch batch = {0};
        struct edge_spool_answer said = {0};
        struct test_origin_answer answer = {.status = 200};
        int err = FB_OK;

        while (to_origin == (from == REGIONAL) && err == FB_OK) {
            err = edge_spool_seal(node->spool, receiver);
        }
        if (edge_spool_batch(node->spool, receiver, &batch) == FB_E_END) {
            return;
        }
        if (to_origin) {
            answer = test_origin_receive(&w->origin, fb_buf_str(&batch.body));
        } else {
            err = edge_spool_receive(w->nodes[REGIONAL].spool, FB_STR_NONE, fb_buf_str(&batch.body),
                                     &said);
            assert_int_equal(err, FB_OK);
            answer.status = said.verdict == FB_VIEW_APPLY ? 200 : 409;
            answer.acked = said.acked;
        }
        /* no database was set back: nobody has a reason to refuse */
        assert_int_equal(answer.status, 200);
        assert_int_equal(edge_spool_acked(node->spool, receiver, batch.epoch, answer.acked), FB_OK);
        edge_spool_batch_done(&batch);
    }
    fail_msg("it goes on for ever");
}

static void settle(struct world *w)
{
    for (size_t i = 0; i < MAIL; i++) {
        if (chance(w, 50)) { /* the rest is met in the next history: very late indeed */
            mail_drop(&w->mail[i]);
        }
    }
    for (size_t i = 0; i < EDGES; i++) {
        settle_pair(w, i, true);
        settle_pair(w, i, false);
    }
    settle_pair(w, REGIONAL, true);
    for (size_t i = 0; i < NODES; i++) {
        assert_int_equal(node_bytes(&w->nodes[i]), 0);
    }
}

static void history(struct world *w)
{
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t what = test_random_below(&w->random, 100);
        if (what < 25) {
            step_add(w);
        } else if (what < 50) {
            step_send(w);
        } else if (what < 92) {
            step_deliver(w);
        } else {
            step_disturb(w);
        }
    }
    settle(w);
}

static size_t n_histories(void)
{
    const char *text = getenv("FB_TEST_HISTORIES");
    uint64_t n = HISTORIES;

    if (text != NULL) {
        assert_int_equal(fb_str_to_u64(fb_str_from(text), &n), FB_OK);
    }
    return (size_t)n;
}

static void everything_arrives_once_whatever_happens(void **state)
{
    struct world *w = *state;
    size_t n = n_histories();

    for (size_t i = 0; i < n; i++) {
        struct test_random begin = w->random;
        history(w);
        if (!test_ledger_same(&w->truth, &w->origin.ledger)) {
            fail_msg("history %zu, whose chance began at %llu: the origin has something else", i,
                     (unsigned long long)begin.state);
        }
    }
    print_message("%zu histories: %zu reports applied by the origin, %zu repeated, %zu crashes, of "
                  "them %zu by a write that failed\n",
                  n, w->origin.n_applied, w->origin.n_repeated, w->n_crashes, w->n_faults);
    assert_true(w->origin.n_repeated > n / 4 && w->n_faults > n / 4);
}

static int set_up(void **state)
{
    struct world *w = FB_NEW(struct world);

    test_db_faults_install();
    w->random = test_random_new();
    w->folder = test_folder_new();
    memset(w->origin.id, 'f', FB_VIEW_RECEIVER_SIZE);
    for (size_t i = 0; i < NODES; i++) {
        w->nodes[i].clock = test_clock_at_start();
        snprintf(w->nodes[i].name, sizeof(w->nodes[i].name), "node-%zu", i);
        snprintf(w->nodes[i].path, sizeof(w->nodes[i].path), "%s/%zu.db", w->folder.path, i);
        node_open(&w->nodes[i]);
    }
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < NODES; i++) {
        edge_spool_close(w->nodes[i].spool);
    }
    for (size_t i = 0; i < MAIL; i++) {
        mail_drop(&w->mail[i]);
    }
    test_ledger_done(&w->truth);
    test_ledger_done(&w->origin.ledger);
    test_folder_done(&w->folder);
    fb_free(w);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_arrives_once_whatever_happens, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
