/*
 * The sender: one round after the other, each of requests to one target after the other.
 *
 *     REST ──► PROBE ──► POST ──┬──► REST   nothing is left
 *      ▲         │ ▲      │ ▲───┘    more is there: again
 *      │         │ └──────┤          the next target
 *      └─────────┴────────┘          failed: later
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/machine.h"
#include "base/core/text.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "base/loop/thread.h"
#include "base/sys/random.h"
#include "edge/report/report_internal.h"

#include <stdatomic.h>
#include <string.h>

enum {
    FIRST_DELAY_MS = 1000, /* of the first round, at most: nodes that start together ask apart */
    RETRY_MIN_MS = 1000,
    RETRY_MAX_MS = 300000,
    FOLDS_MAX = 64,   /* steps of a round */
    REFUSALS_MAX = 2, /* in a round: a third one is no misunderstanding any more */
    TOTALS_N = sizeof(struct fb_view_totals) / sizeof(uint64_t)
};

enum sender_state { SENDER_REST, SENDER_PROBE, SENDER_POST, SENDER_OVER };

static const struct fb_state sender_states[] = {
    [SENDER_REST] = {"rest", FB_TO(SENDER_PROBE) | FB_TO(SENDER_OVER)},
    [SENDER_PROBE] = {"probe", FB_TO(SENDER_REST) | FB_TO(SENDER_PROBE) | FB_TO(SENDER_POST) |
                                   FB_TO(SENDER_OVER)},
    [SENDER_POST] = {"post", FB_TO(SENDER_REST) | FB_TO(SENDER_POST) | FB_TO(SENDER_PROBE) |
                                 FB_TO(SENDER_OVER)},
    [SENDER_OVER] = {"over", 0},
};

struct sender_target {
    struct edge_report_target to; /* strings owned */
    atomic_uint failures;         /* in a row */
};

struct edge_sender {
    struct edge_report *report; /* borrowed */
    struct sender_target targets[EDGE_REPORT_TARGETS_MAX];
    size_t n_targets;
    char *authorization; /* owned; NULL: none */
    uint32_t every_ms;
    void (*totals)(void *ctx, struct fb_view_totals *totals);
    void *ctx;
    struct fb_view_totals told; /* that the spool has */

    struct fb_loop *loop;
    struct fb_thread *thread;
    struct fb_post order;  /* to end */
    bool is_halting;       /* on the main thread */
    atomic_llong acked_ms; /* wall time of the last acknowledgement; 0: none yet */

    /* On the thread. */
    struct fb_client *client;
    struct fb_machine machine;
    struct fb_timer timer;
    struct report_ask ask;
    size_t at; /* the target that is asked */
    char receiver[FB_VIEW_RECEIVER_SIZE + 1];
    struct edge_spool_batch batch; /* that is sent; without its body */
    unsigned n_refusals;
    uint64_t retry_ms;
    bool was_failing; /* for the log */
};

static void sender_probe(struct edge_sender *sender);
static void sender_post(struct edge_sender *sender);

/* ---- resting ----------------------------------------------------------------- */

static void sender_rest(struct edge_sender *sender, uint64_t delay_ms)
{
    edge_report_look(sender->report, true);
    fb_machine_move(&sender->machine, SENDER_REST);
    fb_timer_set(&sender->timer, delay_ms);
}

static void sender_rest_well(struct edge_sender *sender)
{
    if (sender->was_failing) {
        FB_LOG(INFO, "report", "reports are taken again",
               FB_LOG_STR("target", sender->targets[sender->at].to.url));
    }
    sender->was_failing = false;
    sender->retry_ms = 0;
    /* a tenth by chance, lest all nodes come at once */
    sender_rest(sender, sender->every_ms - fb_random_u64() % (sender->every_ms / 10 + 1));
}

/* Half of the wait by chance. */
static void sender_rest_failing(struct edge_sender *sender)
{
    uint64_t doubled = FB_MIN(2 * sender->retry_ms, (uint64_t)RETRY_MAX_MS);

    sender->retry_ms = FB_MAX(doubled, (uint64_t)FB_MIN(RETRY_MIN_MS, (int)sender->every_ms));
    sender_rest(sender, sender->retry_ms / 2 + fb_random_u64() % (sender->retry_ms / 2 + 1));
}

/* What an answer that does not help means to whoever reads the log. */
static int sender_error(unsigned status)
{
    if (status == 401 || status == 403) {
        return FB_E_DENIED; /* the token, or the certificate's name */
    }
    return status == 404 ? FB_E_NOT_FOUND : FB_E_UNAVAILABLE;
}

/* The target at hand does not do: the next one's turn if it has not done for long. */
static void sender_fail(struct edge_sender *sender, const char *what, int err)
{
    struct sender_target *target = &sender->targets[sender->at];
    unsigned n = atomic_fetch_add(&target->failures, 1) + 1;

    edge_report_count(sender->report, REPORT_FAILURES, 1);
    if (!sender->was_failing) {
        FB_LOG(WARN, "report", "reports cannot be sent, and wait", FB_LOG_TEXT("what", what),
               FB_LOG_STR("target", target->to.url), FB_LOG_TEXT("error", fb_err_text(err)),
               FB_LOG_INT("status", sender->ask.status));
    }
    sender->was_failing = true;
    if (n >= EDGE_REPORT_PATIENCE && sender->at + 1 < sender->n_targets) {
        sender->at++;
        sender_probe(sender);
    } else {
        sender_rest_failing(sender);
    }
}

/* ---- asking ------------------------------------------------------------------ */

static void ask_add(struct report_ask *ask, const char *name, struct fb_str value)
{
    FB_REQUIRE(ask->n_headers < ASK_HEADERS_MAX);
    ask->headers[ask->n_headers++] = (struct fb_header){fb_str_from(name), value};
}

static void sender_ask(struct edge_sender *sender, enum fb_method method, struct fb_buf *content,
                       fb_op_done_fn *done)
{
    struct report_ask *ask = &sender->ask;

    edge_report_ask_done(ask);
    *ask = (struct report_ask){.target = &sender->targets[sender->at].to, .method = method};
    if (sender->authorization != NULL) {
        ask_add(ask, "authorization", fb_str_from(sender->authorization));
    }
    if (content != NULL) {
        ask->content = fb_buf_take(content);
        ask_add(ask, "content-type", fb_str_from(FB_VIEW_REPORTS_TYPE));
        ask_add(ask, FB_VIEW_RECEIVER_HEADER, fb_str_from(sender->receiver));
    }
    fb_op_init(&ask->op, sender->loop, done);
    edge_report_ask(sender->client, ask);
}

/* What the node's numbers grew by since they were last put into the spool. */
static int sender_add_totals(struct edge_sender *sender)
{
    struct fb_view_totals now = {0};
    uint64_t grown[TOTALS_N];
    uint64_t told[TOTALS_N];
    struct fb_view_totals delta;

    if (sender->totals == NULL) {
        return FB_OK;
    }
    sender->totals(sender->ctx, &now);
    memcpy(grown, &now, sizeof(grown));
    memcpy(told, &sender->told, sizeof(told));
    for (size_t i = 0; i < TOTALS_N; i++) {
        grown[i] -= FB_MIN(told[i], grown[i]);
    }
    memcpy(&delta, grown, sizeof(delta));
    int err = edge_spool_add(sender->report->spool, NULL, 0, &delta);
    if (err == FB_OK) {
        fb_view_totals_add(&sender->told, &delta); /* a number that went back is not told twice */
    }
    return err;
}

static void sender_end(struct edge_sender *sender)
{
    fb_machine_move(&sender->machine, SENDER_OVER);
    FB_IGNORE(sender_add_totals(sender)); /* the spool that cannot be written was in the log */
    fb_timer_clear(&sender->timer);
    edge_report_ask_done(&sender->ask);
    fb_client_close(sender->client);
    fb_loop_stop(sender->loop);
}

/* True if an answer came that may be looked at; else the sender goes on by itself. */
static bool sender_has_answer(struct edge_sender *sender, struct fb_op *op, const char *what)
{
    if (sender->is_halting) {
        sender_end(sender);
        return false;
    }
    if (op->result < 0) {
        sender_fail(sender, what, op->result);
        return false;
    }
    return true;
}

/* ---- posting ----------------------------------------------------------------- */

static void sender_on_refused(struct edge_sender *sender, const struct fb_json *answer)
{
    int64_t refused = 0;
    int err = fb_json_read_int(answer, "refused", 1, INT64_MAX, &refused, NULL);

    if (err < 0 || sender->n_refusals++ == REFUSALS_MAX) {
        sender_fail(sender, "refused", FB_E_CONFLICT);
        return;
    }
    edge_report_count(sender->report, REPORT_REFUSED, 1);
    err = edge_spool_refused(sender->report->spool, fb_str_from(sender->receiver),
                             sender->batch.epoch, (uint64_t)refused);
    if (err < 0) {
        sender_fail(sender, "spool", err);
    } else {
        sender_post(sender);
    }
}

static void sender_on_acked(struct edge_sender *sender, const struct fb_json *answer)
{
    int64_t acked = 0;
    int err = fb_json_read_int(answer, "acked", 0, INT64_MAX, &acked, NULL);

    /* what is acknowledged has to be all that was sent, or it would be sent for ever */
    if (err < 0 || (uint64_t)acked < sender->batch.last) {
        sender_fail(sender, "answer", FB_E_MALFORMED);
        return;
    }
    err = edge_spool_acked(sender->report->spool, fb_str_from(sender->receiver),
                           sender->batch.epoch, (uint64_t)acked);
    if (err < 0) {
        sender_fail(sender, "spool", err);
        return;
    }
    edge_report_count(sender->report, REPORT_ACKED, sender->batch.last - sender->batch.first + 1);
    atomic_store(&sender->acked_ms, fb_clock_wall_ms(fb_loop_clock(sender->loop)));
    atomic_store(&sender->targets[sender->at].failures, 0);
    sender_post(sender);
}

static void sender_on_posted(struct fb_op *op)
{
    struct edge_sender *sender = FB_CONTAINER_OF(op, struct edge_sender, ask.op);
    FB_AUTO(fb_json_freep) struct fb_json *answer = NULL;

    if (!sender_has_answer(sender, op, "post")) {
        return;
    }
    unsigned status = sender->ask.status;
    if (status != 200 && status != 409) {
        sender_fail(sender, "post", sender_error(status));
        return;
    }
    int err = fb_json_parse(fb_buf_str(&sender->ask.answer), ASK_ANSWER_MAX, &answer, NULL);
    if (err < 0) {
        sender_fail(sender, "answer", err);
    } else if (status == 409) {
        sender_on_refused(sender, answer);
    } else {
        sender_on_acked(sender, answer);
    }
}

/* Seals what there is, up to the bound, and sends what the receiver is owed. */
static void sender_post(struct edge_sender *sender)
{
    struct fb_str receiver = fb_str_from(sender->receiver);
    struct edge_spool *spool = sender->report->spool;
    int err = FB_OK;

    fb_machine_move(&sender->machine, SENDER_POST);
    while (err == FB_OK) {
        err = edge_spool_seal(spool, receiver);
    }
    if (err == FB_E_END || err == FB_E_BUSY) {
        err = edge_spool_batch(spool, receiver, &sender->batch);
    }
    if (err == FB_E_END) {
        sender_rest_well(sender);
    } else if (err < 0) {
        sender_fail(sender, "spool", err);
    } else {
        edge_report_count(sender->report, REPORT_SENT,
                          sender->batch.last - sender->batch.first + 1);
        sender_ask(sender, FB_METHOD_POST, &sender->batch.body, sender_on_posted);
    }
}

/* ---- probing ----------------------------------------------------------------- */

static int sender_read_receiver(struct edge_sender *sender)
{
    FB_AUTO(fb_json_freep) struct fb_json *answer = NULL;
    struct fb_str receiver = FB_STR_NONE;
    char id[FB_VIEW_RECEIVER_SIZE / 2];

    int err = fb_json_parse(fb_buf_str(&sender->ask.answer), ASK_ANSWER_MAX, &answer, NULL);
    if (err == FB_OK) {
        err = fb_json_read_str(answer, "receiver", FB_VIEW_RECEIVER_SIZE, &receiver, NULL);
    }
    if (err == FB_OK) {
        err = fb_text_unhex(receiver, id, sizeof(id));
    }
    if (err == FB_OK) {
        memcpy(sender->receiver, receiver.ptr, FB_VIEW_RECEIVER_SIZE);
    }
    return err;
}

static void sender_on_probed(struct fb_op *op)
{
    struct edge_sender *sender = FB_CONTAINER_OF(op, struct edge_sender, ask.op);

    if (!sender_has_answer(sender, op, "probe")) {
        return;
    }
    int err =
        sender->ask.status == 200 ? sender_read_receiver(sender) : sender_error(sender->ask.status);
    if (err < 0) {
        sender_fail(sender, "probe", err);
        return;
    }
    atomic_store(&sender->targets[sender->at].failures, 0);
    sender_post(sender);
}

static void sender_probe(struct edge_sender *sender)
{
    fb_machine_move(&sender->machine, SENDER_PROBE);
    sender_ask(sender, FB_METHOD_GET, NULL, sender_on_probed);
}

/* ---- rounds ------------------------------------------------------------------ */

static void sender_on_time(struct fb_timer *timer)
{
    struct edge_sender *sender = FB_CONTAINER_OF(timer, struct edge_sender, timer);
    int err = sender_add_totals(sender);

    for (unsigned i = 0; i < FOLDS_MAX && err == FB_OK; i++) {
        err = edge_spool_fold(sender->report->spool);
    }
    if (err < 0 && err != FB_E_END) {
        FB_LOG(WARN, "report", "the spool cannot be written",
               FB_LOG_TEXT("error", fb_err_text(err)));
    }
    sender->at = 0;
    sender->n_refusals = 0;
    sender_probe(sender);
}

static void sender_on_order(struct fb_post *post)
{
    struct edge_sender *sender = FB_CONTAINER_OF(post, struct edge_sender, order);

    sender->is_halting = true;
    if (sender->machine.state == SENDER_REST) {
        sender_end(sender);
    } else {
        fb_op_cancel(&sender->ask.op);
    }
}

/* ---- life -------------------------------------------------------------------- */

int edge_sender_new(struct edge_report *report, const struct edge_report_options *options,
                    struct edge_sender **ret_sender, struct fb_diag *diag)
{
    struct edge_sender *sender = FB_NEW(struct edge_sender);

    FB_REQUIRE(options->n_targets <= EDGE_REPORT_TARGETS_MAX);
    sender->report = report;
    sender->every_ms = options->every_ms;
    sender->totals = options->totals;
    sender->ctx = options->ctx;
    for (size_t i = 0; i < options->n_targets; i++) {
        const struct edge_report_target *from = &options->targets[i];
        struct edge_report_target *to = &sender->targets[sender->n_targets++].to;

        to->url = (struct fb_str){fb_str_dup(from->url), from->url.len};
        to->tls = from->tls;
        if (from->tls_name.len > 0) {
            to->tls_name = (struct fb_str){fb_str_dup(from->tls_name), from->tls_name.len};
        }
    }
    if (options->token.len > 0) {
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        fb_buf_printf(&text, "Bearer %.*s", FB_STR_ARG(options->token));
        sender->authorization = fb_str_dup(fb_buf_str(&text));
    }
    int err = fb_loop_new(options->clock, &sender->loop);
    if (err < 0) {
        edge_sender_free(sender);
        return fb_diag_set(diag, err, "make a loop for reports: %s", fb_err_text(err));
    }
    *ret_sender = sender;
    return FB_OK;
}

int edge_sender_start(struct edge_sender *sender)
{
    sender->client = fb_client_new(sender->loop, NULL, NULL);
    fb_machine_init(&sender->machine, sender_states, SENDER_REST);
    fb_timer_init(&sender->timer, sender->loop, sender_on_time);
    fb_timer_set(&sender->timer, fb_random_u64() % FB_MIN(sender->every_ms, FIRST_DELAY_MS));
    int err = fb_thread_start("reports", sender->loop, &sender->thread);
    if (err < 0) {
        fb_timer_clear(&sender->timer);
        fb_client_close(sender->client);
    }
    return err;
}

void edge_sender_halt(struct edge_sender *sender)
{
    if (sender->thread != NULL && sender->order.run == NULL) {
        sender->order.run = sender_on_order;
        fb_loop_post(sender->loop, &sender->order);
    }
}

void edge_sender_free(struct edge_sender *sender)
{
    if (sender == NULL) {
        return;
    }
    if (sender->thread != NULL) {
        edge_sender_halt(sender);
        fb_thread_join(sender->thread);
    }
    fb_loop_free(sender->loop);
    for (size_t i = 0; i < sender->n_targets; i++) {
        fb_free((char *)(uintptr_t)sender->targets[i].to.url.ptr);
        fb_free((char *)(uintptr_t)sender->targets[i].to.tls_name.ptr);
    }
    fb_free(sender->authorization);
    fb_free(sender);
}

void edge_sender_status(struct edge_sender *sender, struct fb_json *json)
{
    struct fb_json *targets = fb_json_set_array(json, "targets");

    for (size_t i = 0; i < sender->n_targets; i++) {
        struct fb_json *target = fb_json_add_object(targets);
        fb_json_set_str(target, "url", sender->targets[i].to.url);
        fb_json_set_int(target, "failures", atomic_load(&sender->targets[i].failures));
    }
    fb_json_set_int(json, "acked_ms", atomic_load(&sender->acked_ms));
}
