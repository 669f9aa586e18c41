#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/jose/jose.h"
#include "base/log/log.h"
#include "edge/warm/warm_internal.h"

#include <string.h>

/* A maker's clock may be ahead by so much. */
enum { PULL_AHEAD_MS = 300000, PULL_RETRY_MS = 5000 };

static void pull_on_timer(struct fb_timer *timer);

static void pull_rest(struct edge_warm *warm, uint64_t delay_ms)
{
    fb_plan_reader_free(warm->pull.reader);
    warm->pull.reader = NULL;
    if (warm->is_stopping) {
        edge_warm_settle(warm);
        return;
    }
    fb_timer_set(&warm->pull.timer, delay_ms);
}

/* Told once for each head; the plan in force stays. */
static void pull_refuse(struct edge_warm *warm, int err, const struct fb_diag *diag)
{
    uint64_t hash = fb_str_hash(fb_buf_str(&warm->pull.token), 0);

    edge_warm_count(warm, WARM_ROW_PLANS_REFUSED, 1);
    if (hash != warm->pull.told) {
        warm->pull.told = hash;
        FB_LOG(WARN, "warm", "a plan is refused, the one before it stays",
               FB_LOG_STR("region", warm->options.settings.region),
               FB_LOG_TEXT("cause", fb_err_name(err)), FB_LOG_TEXT("reason", diag->text),
               FB_LOG_INT("serial", warm->pull.head.serial));
    }
    pull_rest(warm, warm->options.settings.pull_ms);
}

/* Nothing came, or not all of it. */
static void pull_fail(struct edge_warm *warm, int err)
{
    FB_LOG(DEBUG, "warm", "the plan cannot be had now",
           FB_LOG_STR("region", warm->options.settings.region),
           FB_LOG_TEXT("cause", fb_err_name(err)));
    pull_rest(warm, FB_MIN(warm->options.settings.pull_ms, (uint64_t)PULL_RETRY_MS));
}

/* ---- judging --------------------------------------------------------------- */

static int pull_judge(const struct edge_warm *warm, const struct fb_plan_head *head,
                      struct fb_diag *diag)
{
    const struct edge_warm_taken *taken = &warm->taken;
    int64_t now_ms = edge_warm_wall_ms(warm);

    if (!fb_str_equal(fb_str_from(head->region), warm->options.settings.region)) {
        return fb_diag_set(diag, FB_E_DENIED, "it is for the region '%s'", head->region);
    }
    if (head->serial < taken->serial) {
        return fb_diag_set(diag, FB_E_CONFLICT, "serial %llu is older than %llu, which was taken",
                           (unsigned long long)head->serial, (unsigned long long)taken->serial);
    }
    if (head->serial == taken->serial &&
        memcmp(head->digest, taken->digest, sizeof(head->digest)) != 0) {
        return fb_diag_set(diag, FB_E_CONFLICT, "another plan with serial %llu was taken",
                           (unsigned long long)head->serial);
    }
    if (head->made_ms > now_ms + PULL_AHEAD_MS) {
        return fb_diag_set(diag, FB_E_DENIED, "it was made in the future");
    }
    if (head->until_ms != 0 && head->until_ms <= now_ms) {
        return fb_diag_set(diag, FB_E_EXPIRED, "its time is over");
    }
    return FB_OK;
}

/* ---- the body --------------------------------------------------------------- */

static int pull_take_body(struct warm_get *get, struct fb_str bytes)
{
    struct warm_pull *pull = FB_CONTAINER_OF(get, struct warm_pull, get);
    struct fb_diag diag = {0};

    int err = fb_plan_reader_feed(pull->reader, bytes, &diag);
    if (err < 0) {
        fb_plan_reader_free(pull->reader);
        pull->reader = NULL; /* which tells this failure from one on the way */
        pull_refuse(get->warm, err, &diag);
    }
    return err;
}

static void pull_on_body(struct fb_op *op)
{
    struct edge_warm *warm = FB_CONTAINER_OF(op, struct warm_get, op)->warm;
    struct fb_diag diag = {0};
    struct fb_plan *plan = NULL;

    if (warm->pull.reader == NULL) { /* refused already, and the timer set */
        edge_warm_settle(warm);
        return;
    }
    if (op->result < 0) {
        pull_fail(warm, op->result);
        return;
    }
    int err = fb_plan_reader_finish(warm->pull.reader, &plan, &diag);
    if (err < 0) {
        pull_refuse(warm, err, &diag);
        return;
    }
    edge_warm_take_plan(warm, plan);
    pull_rest(warm, warm->options.settings.pull_ms);
}

static void pull_begin_get(struct edge_warm *warm, fb_op_done_fn *done,
                           int (*take)(struct warm_get *get, struct fb_str bytes))
{
    struct warm_pull *pull = &warm->pull;

    pull->get = (struct warm_get){.warm = warm, .target = fb_buf_str(&pull->target), .take = take};
    fb_op_init(&pull->get.op, warm->options.loop, done);
    edge_warm_get(&pull->get);
}

static void pull_begin_body(struct edge_warm *warm)
{
    struct warm_pull *pull = &warm->pull;
    char digest[FB_PLAN_DIGEST_TEXT + 1];

    fb_plan_digest_text(pull->head.digest, digest);
    fb_buf_clear(&pull->target);
    fb_buf_printf(&pull->target, "/internal/v1/plans/%s/%s", pull->head.region, digest);
    pull->reader = fb_plan_reader_new(&pull->head);
    pull_begin_get(warm, pull_on_body, pull_take_body);
}

/* ---- the head --------------------------------------------------------------- */

static int pull_take_head(struct warm_get *get, struct fb_str bytes)
{
    struct warm_pull *pull = FB_CONTAINER_OF(get, struct warm_pull, get);

    if (pull->token.len + bytes.len > FB_JOSE_TOKEN_MAX) {
        return FB_E_LIMIT;
    }
    fb_buf_append(&pull->token, bytes);
    return FB_OK;
}

/* True if it is the plan that is in force, or about to be. */
static bool pull_is_known(const struct edge_warm *warm, const struct fb_plan_head *head)
{
    const struct fb_plan *plan = warm->news != NULL ? warm->news : warm->plan;

    return plan != NULL && plan->head.serial == head->serial;
}

static void pull_on_head(struct fb_op *op)
{
    struct edge_warm *warm = FB_CONTAINER_OF(op, struct warm_get, op)->warm;
    const struct edge_warm_settings *settings = &warm->options.settings;
    struct warm_pull *pull = &warm->pull;
    struct fb_diag diag = {0};

    if (op->result < 0) {
        pull_fail(warm, op->result);
        return;
    }
    pull->head = (struct fb_plan_head){0};
    int err = fb_plan_head_open(fb_str_trim(fb_buf_str(&pull->token)),
                                (const struct fb_jose_key *const *)settings->keys, settings->n_keys,
                                &pull->head, &diag);
    if (err == FB_OK) {
        err = pull_judge(warm, &pull->head, &diag);
    }
    if (err < 0) {
        pull_refuse(warm, err, &diag);
    } else if (warm->is_stopping || pull_is_known(warm, &pull->head)) {
        pull_rest(warm, settings->pull_ms);
    } else {
        pull_begin_body(warm);
    }
}

static void pull_on_timer(struct fb_timer *timer)
{
    struct warm_pull *pull = FB_CONTAINER_OF(timer, struct warm_pull, timer);
    struct edge_warm *warm = FB_CONTAINER_OF(pull, struct edge_warm, pull);

    fb_buf_clear(&pull->token);
    fb_buf_clear(&pull->target);
    fb_buf_printf(&pull->target, "/internal/v1/plans/%.*s",
                  FB_STR_ARG(warm->options.settings.region));
    pull_begin_get(warm, pull_on_head, pull_take_head);
}

/* ---- its life --------------------------------------------------------------- */

void edge_pull_begin(struct edge_warm *warm)
{
    fb_op_init(&warm->pull.get.op, warm->options.loop, pull_on_head);
    fb_timer_init(&warm->pull.timer, warm->options.loop, pull_on_timer);
    fb_timer_set(&warm->pull.timer, 0);
}

void edge_pull_cancel(struct edge_warm *warm)
{
    fb_timer_clear(&warm->pull.timer);
    fb_op_cancel(&warm->pull.get.op);
}

bool edge_pull_is_idle(const struct edge_warm *warm)
{
    return fb_op_is_idle(&warm->pull.get.op);
}

void edge_pull_done(struct edge_warm *warm)
{
    fb_plan_reader_free(warm->pull.reader);
    fb_buf_done(&warm->pull.target);
    fb_buf_done(&warm->pull.token);
}
