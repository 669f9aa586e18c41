#include "origin/hooks/hooks.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/sys/backoff.h"
#include "origin/calls/calls.h"
#include "origin/catalog/hooks.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    TURNS = 32,    /* events of each receiver in one run */
    SLOW_MS = 500, /* who takes longer has one */
    HEADER_MAX = 160,
    ID_MAX = 40
};

static const struct fb_backoff pauses = {2000, 3600000, FB_BACKOFF_HALF};

enum hooks_metric { HOOKS_TOLD, HOOKS_FAILURES, HOOKS_LEFT_OUT };

static const struct fb_metric rows[] = {
    [HOOKS_TOLD] = {"origin_hooks_told_total", FB_METRIC_COUNTER, NULL,
                    "Events that receivers of webhooks took."},
    [HOOKS_FAILURES] = {"origin_hooks_failures_total", FB_METRIC_COUNTER, NULL,
                        "Tries to tell them that failed."},
    [HOOKS_LEFT_OUT] = {"origin_hooks_left_out_total", FB_METRIC_COUNTER, NULL,
                        "Events that a receiver did not take for days, and was not told of."},
};

struct origin_hooks {
    struct origin_hooks_options options;
    struct fb_metrics_table *metrics; /* borrowed */
};

/* One event on its way to one receiver. */
struct parcel {
    const struct origin_hook *hook;
    struct origin_hook_event event;
    struct fb_buf body; /* owned */
    char id[HEADER_MAX];
    char signature[HEADER_MAX];
    bool *is_slow; /* its receiver, in this run */
};

int origin_hooks_new(const struct origin_hooks_options *options, struct origin_hooks **ret_hooks)
{
    struct fb_str urls[ORIGIN_HOOKS_MAX];

    for (size_t i = 0; i < options->n_hooks; i++) {
        urls[i] = options->hooks[i].url;
    }
    int err = origin_catalog_hooks_set(options->catalog, urls, options->n_hooks);
    if (err < 0) {
        return err;
    }
    struct origin_hooks *hooks = FB_NEW(struct origin_hooks);
    hooks->options = *options;
    hooks->metrics = fb_metrics_table_new(options->metrics, rows, FB_ARRAY_LEN(rows), NULL);
    *ret_hooks = hooks;
    return FB_OK;
}

void origin_hooks_free(struct origin_hooks *hooks)
{
    fb_free(hooks);
}

/* ---- one event ------------------------------------------------------------------------- */

static void parcel_write(struct parcel *parcel)
{
    const struct origin_hook_event *event = &parcel->event;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    char id[ID_MAX];
    char stamp[FB_TIMESTAMP_MAX];

    (void)snprintf(id, sizeof(id), "%" PRId64, event->seq);
    fb_json_set_text(root, "id", id);
    fb_json_set_str(root, "type", event->kind);
    fb_json_set_text(root, "created_at", fb_timestamp(event->at_ms, stamp));
    struct fb_json *video = fb_json_set_object(root, "video");
    fb_json_set_str(video, "id", event->video);
    fb_json_set_str(video, "owner", event->owner);
    fb_json_set_str(video, "version", event->version);
    fb_json_set_str(video, "reason", event->reason);
    fb_json_dump(root, &parcel->body);
    (void)snprintf(parcel->id, sizeof(parcel->id), "Webhook-Id: %s", id);
}

/* HMAC-SHA256 over the moment and the content, so that neither can be taken from another. */
static void parcel_sign(struct parcel *parcel, int64_t now_s)
{
    FB_AUTO(fb_buf_done) struct fb_buf message = {0};
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};
    uint8_t mac[FB_SHA256_SIZE];

    fb_buf_printf(&message, "%" PRId64 ".", now_s);
    fb_buf_append(&message, fb_buf_str(&parcel->body));
    fb_hmac_sha256(parcel->hook->secret, fb_buf_str(&message), mac);
    fb_text_hex(&hex, (struct fb_str){(const char *)mac, sizeof(mac)});
    (void)snprintf(parcel->signature, sizeof(parcel->signature),
                   "Webhook-Signature: t=%" PRId64 ",v1=%.*s", now_s, FB_STR_ARG(fb_buf_str(&hex)));
}

static int parcel_settle(struct origin_hooks *hooks, const struct parcel *parcel, unsigned status)
{
    const struct origin_hooks_options *options = &hooks->options;
    const struct origin_hook_event *event = &parcel->event;
    struct fb_str url = parcel->hook->url;

    if (status >= 200 && status < 300) {
        fb_metrics_add(hooks->metrics, HOOKS_TOLD, 1);
        return origin_catalog_hook_told(options->catalog, url, event->seq);
    }
    fb_metrics_add(hooks->metrics, HOOKS_FAILURES, 1);
    if (event->n_failed + 1 >= ORIGIN_HOOKS_PATIENCE) {
        fb_metrics_add(hooks->metrics, HOOKS_LEFT_OUT, 1);
        FB_LOG(ERROR, "hooks", "a receiver does not take an event, and is not told of it",
               FB_LOG_STR("url", url), FB_LOG_INT("event", event->seq),
               FB_LOG_INT("status", status));
        return origin_catalog_hook_told(options->catalog, url, event->seq);
    }
    if (event->n_failed == 0) {
        FB_LOG(WARN, "hooks", "a receiver does not take an event, and is told again later",
               FB_LOG_STR("url", url), FB_LOG_INT("event", event->seq),
               FB_LOG_INT("status", status));
    }
    int64_t pause_ms = (int64_t)fb_backoff_ms(&pauses, event->n_failed);
    return origin_catalog_hook_wait(options->catalog, url,
                                    fb_clock_wall_ms(options->clock) + pause_ms);
}

/* ---- rounds ---------------------------------------------------------------------------- */

/* What one turn sends, and whom the turns before it found slow. */
struct turn {
    struct parcel parcels[ORIGIN_HOOKS_MAX];
    size_t n;
    bool is_slow[ORIGIN_HOOKS_MAX];
};

/* The next event of each receiver that is not slow: nobody waits for one that is. */
static int parcels_collect(struct origin_hooks *hooks, struct fb_arena *arena, struct turn *turn)
{
    int64_t now_s = fb_clock_wall_ms(hooks->options.clock) / 1000;

    turn->n = 0;
    for (size_t i = 0; i < hooks->options.n_hooks; i++) {
        struct parcel *parcel = &turn->parcels[turn->n];
        if (turn->is_slow[i]) {
            continue;
        }
        *parcel = (struct parcel){.hook = &hooks->options.hooks[i], .is_slow = &turn->is_slow[i]};
        int err = origin_catalog_hook_due(hooks->options.catalog, arena, parcel->hook->url,
                                          &parcel->event);
        if (err == FB_OK) {
            parcel_write(parcel);
            parcel_sign(parcel, now_s);
            turn->n++;
        } else if (err != FB_E_LATER && err != FB_E_END) {
            return err;
        }
    }
    return FB_OK;
}

static int parcels_send(struct origin_hooks *hooks, struct turn *turn)
{
    struct origin_call calls[ORIGIN_HOOKS_MAX];
    int first_err = FB_OK;

    for (size_t i = 0; i < turn->n; i++) {
        calls[i] = (struct origin_call){
            .url = turn->parcels[i].hook->url,
            .body = fb_buf_str(&turn->parcels[i].body),
            .headers = {turn->parcels[i].id, turn->parcels[i].signature},
        };
    }
    origin_calls_post(hooks->options.calls, calls, turn->n);
    for (size_t i = 0; i < turn->n; i++) {
        int err = parcel_settle(hooks, &turn->parcels[i], calls[i].status);
        first_err = first_err < 0 ? first_err : err;
        *turn->parcels[i].is_slow = calls[i].took_ms > SLOW_MS;
        fb_buf_done(&turn->parcels[i].body);
    }
    return first_err;
}

int origin_hooks_run(void *ctx)
{
    struct origin_hooks *hooks = ctx;
    struct turn turn = {.n = 1};
    int err = FB_OK;

    for (int i = 0; i < TURNS && err == FB_OK && turn.n > 0; i++) {
        FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
        err = parcels_collect(hooks, &arena, &turn);
        int sent = parcels_send(hooks, &turn);
        err = err < 0 ? err : sent;
    }
    return err < 0 ? err : origin_catalog_hooks_prune(hooks->options.catalog);
}
