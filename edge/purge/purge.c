#include "edge/purge/purge.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/db/db.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "edge/purge/purge_internal.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    PURGES_HARD,
    PURGES_SOFT = PURGES_HARD + EDGE_PURGE_N_KINDS,
    PURGES_FAILED = PURGES_SOFT + EDGE_PURGE_N_KINDS,
    PURGES_RULES,
    PURGES_FOLDS,
    PURGES_N_METRICS
};

#define PURGES_ROW(labels)                                                                \
    {                                                                                     \
        "edge_purges_total", FB_METRIC_COUNTER, labels, "Purges that were made, by kind." \
    }

static const struct fb_metric purges_rows[PURGES_N_METRICS] = {
    [PURGES_HARD + EDGE_PURGE_URL] = PURGES_ROW("kind=\"url\",soft=\"0\""),
    [PURGES_HARD + EDGE_PURGE_PREFIX] = PURGES_ROW("kind=\"prefix\",soft=\"0\""),
    [PURGES_HARD + EDGE_PURGE_TAG] = PURGES_ROW("kind=\"tag\",soft=\"0\""),
    [PURGES_SOFT + EDGE_PURGE_URL] = PURGES_ROW("kind=\"url\",soft=\"1\""),
    [PURGES_SOFT + EDGE_PURGE_PREFIX] = PURGES_ROW("kind=\"prefix\",soft=\"1\""),
    [PURGES_SOFT + EDGE_PURGE_TAG] = PURGES_ROW("kind=\"tag\",soft=\"1\""),
    [PURGES_FAILED] = {"edge_purges_failed_total", FB_METRIC_COUNTER, NULL,
                       "Calls to purge that had no effect: the log could not be written, or too "
                       "many waited."},
    [PURGES_RULES] = {"edge_purge_rules", FB_METRIC_GAUGE, NULL,
                      "Purges that what is stored is judged by."},
    [PURGES_FOLDS] = {"edge_purge_folds_total", FB_METRIC_COUNTER, NULL,
                      "Times that the oldest purges were folded into the floor."},
};

/* One of the last purges, for people. */
struct purge_record {
    struct edge_purge purge;
    uint64_t epoch;
    char *text; /* owned; NULL: none */
};

struct edge_purges {
    _Atomic uint64_t epoch; /* read at every request: alone in its cache line, with what stands */
    const struct fb_clock *clock;     /* borrowed */
    struct fb_metrics_table *metrics; /* borrowed, may be NULL */
    uint64_t seed;
    size_t max_rules;
    _Atomic uint64_t doubted; /* what is older is soft-purged, whatever the rules say */
    char padding[64];

    /* Of the pool's one thread, once it runs. */
    struct fb_pool *pool; /* owned */
    struct fb_db *db;     /* owned; NULL: nothing is durable */
    struct purge_log_state log;
    atomic_bool is_held; /* another process has the log */

    pthread_rwlock_t lock; /* of what follows; the one who writes is the pool's thread */
    struct edge_purge_rules rules;
    struct purge_record recent[EDGE_PURGES_N_RECENT]; /* a ring */
    size_t n_recent;                                  /* that were ever put into it */
};

const char *edge_purge_kind_name(enum edge_purge_kind kind)
{
    static const char *const names[EDGE_PURGE_N_KINDS] = {
        [EDGE_PURGE_URL] = "url", [EDGE_PURGE_PREFIX] = "prefix", [EDGE_PURGE_TAG] = "tag"};

    return names[kind];
}

static void purges_count(struct edge_purges *purges, size_t row, uint64_t n)
{
    if (purges->metrics != NULL) {
        fb_metrics_add(purges->metrics, row, n);
    }
}

static uint64_t purges_now(const struct edge_purges *purges)
{
    return (uint64_t)FB_MAX(fb_clock_wall_ms(purges->clock), 1);
}

/* ---- taking effect --------------------------------------------------------- */

/* Under the lock, or before there is anybody else. */
static void purges_remember(struct edge_purges *purges, const struct edge_purge *purge,
                            uint64_t epoch)
{
    struct purge_record *record = &purges->recent[purges->n_recent++ % EDGE_PURGES_N_RECENT];

    fb_free(record->text);
    *record = (struct purge_record){.purge = *purge, .epoch = epoch};
    record->text = fb_str_dup(purge->text);
    record->purge.text = (struct fb_str){record->text, purge->text.len};
}

static void rules_visit(void *ctx, const struct edge_purge *purge, uint64_t epoch)
{
    struct edge_purges *purges = ctx;

    edge_purge_rules_add(&purges->rules, purge, epoch);
    purges_remember(purges, purge, epoch);
}

/* Makes the call's purges count: nothing is judged by some of them only. A table that has to be
 * made anew is made before anybody is kept waiting. */
static void purges_take_effect(struct edge_purges *purges, const struct edge_purges_add *add)
{
    struct edge_purge_rules old = {0};
    struct edge_purge_rules next = {0};
    bool is_new = edge_purge_rules_remake(&purges->rules, add->n, purges->log.floor, &next);

    (void)pthread_rwlock_wrlock(&purges->lock); /* cannot fail: this thread holds no lock */
    if (is_new) {
        old = purges->rules;
        purges->rules = next;
    }
    for (size_t i = 0; i < add->n; i++) {
        edge_purge_rules_add(&purges->rules, &add->purges[i], add->epoch);
        purges_remember(purges, &add->purges[i], add->epoch);
    }
    atomic_store_explicit(&purges->epoch, add->epoch, memory_order_release);
    (void)pthread_rwlock_unlock(&purges->lock);
    edge_purge_rules_done(&old);
}

/* Without a log: as that would. */
static void purges_fold(struct edge_purges *purges, const struct edge_purges_add *add)
{
    purges->log.epoch = add->epoch;
    purges->log.n = purges->rules.n + add->n;
    if (purges->log.n > purges->max_rules) {
        purges->log.floor = edge_purge_rules_oldest(
            &purges->rules, purges->log.n - purges->max_rules + purges->max_rules / 8);
    }
}

static void purges_report(struct edge_purges *purges, const struct edge_purges_add *add,
                          uint64_t old_floor)
{
    if (purges->metrics == NULL) {
        return;
    }
    for (size_t i = 0; i < add->n; i++) {
        unsigned first = add->purges[i].is_soft ? PURGES_SOFT : PURGES_HARD;
        purges_count(purges, first + (unsigned)add->purges[i].kind, 1);
    }
    fb_metrics_set(purges->metrics, PURGES_RULES, purges->rules.n);
    if (purges->log.floor != old_floor) {
        purges_count(purges, PURGES_FOLDS, 1);
        FB_LOG(WARN, "purge",
               "too many purges are kept: what is older than the oldest of them "
               "is validated before it is used",
               FB_LOG_INT("rules", (int64_t)purges->rules.n),
               FB_LOG_INT("floor", (int64_t)purges->log.floor));
    }
}

/* ---- adding ---------------------------------------------------------------- */

/* On the pool's thread. */
static int add_run(struct fb_work *work)
{
    struct edge_purges_add *add = FB_CONTAINER_OF(work, struct edge_purges_add, work);
    struct edge_purges *purges = add->owner;
    uint64_t floor = purges->log.floor;

    if (atomic_load(&purges->is_held)) {
        return FB_E_UNAVAILABLE;
    }
    add->epoch = FB_MAX(purges->log.epoch + 1, purges_now(purges));
    if (purges->db != NULL) {
        int err = edge_purge_log_add(purges->db, add->purges, add->n, add->epoch, purges->max_rules,
                                     &purges->log);
        if (err < 0) {
            return err;
        }
    } else {
        purges_fold(purges, add);
    }
    purges_take_effect(purges, add);
    purges_report(purges, add, floor);
    return FB_OK;
}

static void add_on_done(struct fb_op *op)
{
    struct fb_work *work = FB_CONTAINER_OF(op, struct fb_work, op);
    struct edge_purges_add *add = FB_CONTAINER_OF(work, struct edge_purges_add, work);

    if (op->result < 0) {
        purges_count(add->owner, PURGES_FAILED, add->n);
    }
    fb_op_finish(&add->op, op->result);
}

void edge_purges_add(struct edge_purges *purges, struct edge_purges_add *add)
{
    FB_REQUIRE(add->n > 0 && add->n <= EDGE_PURGES_MAX_CALL);
    for (size_t i = 0; i < add->n; i++) {
        FB_REQUIRE(add->purges[i].text.len <= EDGE_PURGE_TEXT_MAX);
    }
    fb_op_begin(&add->op, NULL);
    add->owner = purges;
    add->work.run = add_run;
    fb_op_init(&add->work.op, add->op.loop, add_on_done);
    fb_work_start(purges->pool, &add->work);
}

/* ---- giving the log to another process -------------------------------------- */

/* On the pool's thread, where one call follows the other. */
static int hold_run(struct fb_work *work)
{
    struct edge_purges_hold *hold = FB_CONTAINER_OF(work, struct edge_purges_hold, work);

    atomic_store(&hold->owner->is_held, true);
    return FB_OK;
}

static void hold_on_done(struct fb_op *op)
{
    struct fb_work *work = FB_CONTAINER_OF(op, struct fb_work, op);
    struct edge_purges_hold *hold = FB_CONTAINER_OF(work, struct edge_purges_hold, work);

    fb_op_finish(&hold->op, op->result);
}

void edge_purges_hold(struct edge_purges *purges, struct edge_purges_hold *hold)
{
    fb_op_begin(&hold->op, NULL);
    hold->owner = purges;
    hold->work.run = hold_run;
    fb_op_init(&hold->work.op, hold->op.loop, hold_on_done);
    fb_work_start(purges->pool, &hold->work);
}

void edge_purges_release(struct edge_purges *purges)
{
    atomic_store(&purges->is_held, false);
}

void edge_purges_doubt(struct edge_purges *purges, uint64_t epoch)
{
    uint64_t doubted = atomic_load_explicit(&purges->doubted, memory_order_relaxed);

    while (doubted < epoch &&
           !atomic_compare_exchange_weak_explicit(&purges->doubted, &doubted, epoch,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
    }
}

/* ---- judging --------------------------------------------------------------- */

uint64_t edge_purges_epoch(const struct edge_purges *purges)
{
    return purges != NULL ? atomic_load_explicit(&purges->epoch, memory_order_acquire) : 0;
}

enum edge_purge_verdict edge_purges_judge(struct edge_purges *purges,
                                          const struct edge_purge_subject *subject,
                                          uint64_t *ret_epoch)
{
    struct edge_purge_subject judged = *subject;
    uint64_t ignored = 0;

    if (ret_epoch == NULL) {
        ret_epoch = &ignored;
    }
    if (purges == NULL) {
        *ret_epoch = 0;
        return EDGE_PURGE_KEEP;
    }
    if (judged.birth > edge_purges_epoch(purges)) {
        judged.birth = 0;
    }
    (void)pthread_rwlock_rdlock(&purges->lock); /* cannot fail: it is not held for long */
    enum edge_purge_verdict verdict = edge_purge_rules_judge(&purges->rules, &judged, ret_epoch);
    (void)pthread_rwlock_unlock(&purges->lock);
    uint64_t doubted = atomic_load_explicit(&purges->doubted, memory_order_acquire);
    if (verdict == EDGE_PURGE_KEEP && judged.birth < doubted) {
        *ret_epoch = doubted;
        verdict = EDGE_PURGE_SOFT;
    }
    return verdict;
}

/* ---- looking --------------------------------------------------------------- */

bool edge_purges_are_durable(const struct edge_purges *purges)
{
    return purges->db != NULL;
}

struct edge_purges_status edge_purges_status(struct edge_purges *purges)
{
    uint64_t doubted = atomic_load_explicit(&purges->doubted, memory_order_acquire);

    (void)pthread_rwlock_rdlock(&purges->lock);
    struct edge_purges_status status = {.epoch = edge_purges_epoch(purges),
                                        .floor = FB_MAX(purges->rules.floor, doubted),
                                        .n_rules = purges->rules.n};
    (void)pthread_rwlock_unlock(&purges->lock);
    return status;
}

void edge_purges_recent(struct edge_purges *purges, void *ctx,
                        void (*visit)(void *ctx, const struct edge_purge *purge, uint64_t epoch))
{
    (void)pthread_rwlock_rdlock(&purges->lock);
    size_t n = FB_MIN(purges->n_recent, (size_t)EDGE_PURGES_N_RECENT);
    for (size_t i = 1; i <= n; i++) {
        const struct purge_record *record =
            &purges->recent[(purges->n_recent - i) % EDGE_PURGES_N_RECENT];
        visit(ctx, &record->purge, record->epoch);
    }
    (void)pthread_rwlock_unlock(&purges->lock);
}

/* ---- life ------------------------------------------------------------------ */

static int purges_read_log(struct edge_purges *purges, const char *folder, struct fb_diag *diag)
{
    uint64_t now = purges_now(purges);

    purges->log = (struct purge_log_state){.epoch = now};
    if (folder == NULL) {
        return FB_OK;
    }
    int err = edge_purge_log_open(folder, now, &purges->db, &purges->log, diag);
    if (err == FB_OK && purges->log.n > purges->max_rules) { /* there may have been more */
        err = edge_purge_log_add(purges->db, NULL, 0, purges->log.epoch, purges->max_rules,
                                 &purges->log);
    }
    purges->rules.floor = purges->log.floor;
    if (err == FB_OK) {
        err = edge_purge_log_read(purges->db, purges, rules_visit);
        if (err < 0) {
            err = fb_diag_set(diag, err, "read the purges in '%s': %s", folder, fb_err_text(err));
        }
    }
    return err;
}

int edge_purges_open(const struct edge_purges_options *options, struct edge_purges **ret_purges,
                     struct fb_diag *diag)
{
    struct edge_purges *purges = FB_NEW(struct edge_purges);

    purges->clock = options->clock;
    purges->seed = options->seed;
    purges->max_rules = options->max_rules != 0 ? options->max_rules : EDGE_PURGES_MAX_RULES;
    (void)pthread_rwlock_init(&purges->lock, NULL); /* cannot fail on Linux */
    edge_purge_rules_init(&purges->rules, options->seed, 0);
    int err = purges_read_log(purges, options->folder, diag);
    if (err == FB_OK) {
        err = fb_pool_new("purge", 1, EDGE_PURGES_MAX_QUEUED, &purges->pool);
        if (err < 0) {
            err = fb_diag_set(diag, err, "start a thread for purges: %s", fb_err_text(err));
        }
    }
    if (err < 0) {
        edge_purges_close(purges);
        return err;
    }
    atomic_init(&purges->epoch, purges->log.epoch);
    if (options->metrics != NULL) {
        purges->metrics =
            fb_metrics_table_new(options->metrics, purges_rows, PURGES_N_METRICS, NULL);
        fb_metrics_set(purges->metrics, PURGES_RULES, purges->rules.n);
    }
    *ret_purges = purges;
    return FB_OK;
}

int edge_purges_catch_up(struct edge_purges *purges, struct fb_diag *diag)
{
    struct purge_log_state state = {0};

    if (purges->db == NULL) {
        return FB_OK;
    }
    int err = edge_purge_log_state(purges->db, &state);
    if (err == FB_OK) {
        /* A clock that was set back must not make births older than they are. */
        state.epoch = FB_MAX(state.epoch, purges->log.epoch);
        purges->log = state;
        edge_purge_rules_done(&purges->rules);
        edge_purge_rules_init(&purges->rules, purges->seed, state.floor);
        purges->n_recent = 0;
        err = edge_purge_log_read(purges->db, purges, rules_visit);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "read the log of purges again: %s", fb_err_text(err));
    }
    atomic_store_explicit(&purges->epoch, state.epoch, memory_order_release);
    if (purges->metrics != NULL) {
        fb_metrics_set(purges->metrics, PURGES_RULES, purges->rules.n);
    }
    return FB_OK;
}

void edge_purges_close(struct edge_purges *purges)
{
    if (purges == NULL) {
        return;
    }
    if (purges->pool != NULL) {
        fb_pool_free(purges->pool);
    }
    fb_db_close(purges->db);
    edge_purge_rules_done(&purges->rules);
    for (size_t i = 0; i < EDGE_PURGES_N_RECENT; i++) {
        fb_free(purges->recent[i].text);
    }
    (void)pthread_rwlock_destroy(&purges->lock);
    fb_free(purges);
}
