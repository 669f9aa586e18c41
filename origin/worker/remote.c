#include "origin/worker/remote.h"

#include "base/client/trip.h"
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/loop/loop.h"
#include "base/loop/thread.h"
#include "base/loop/work.h"
#include "base/net/tls_stream.h"
#include "base/sys/file.h"
#include "base/tls/config.h"
#include "origin/objects/lease.h"

#include <stdio.h>

enum {
    ANSWER_MAX = 64 * 1024,
    CALL_TIMEOUT_MS = 10000,
    FINISH_TIMEOUT_MS = 60000, /* the origin looks for all that was made */
    CONNECT_TIMEOUT_MS = 5000,
    TARGET_MAX = 64,
    CLOSING_TURNS = 3,
    PEM_MAX = 4 << 20,
    POOL_THREADS = 2,
    POOL_QUEUE = 256
};

/* What Debian's package ca-certificates keeps. */
static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

struct origin_remote {
    struct fb_loop *loop;            /* owned; runs on thread */
    struct fb_client *client;        /* owned; used on loop */
    struct fb_thread *thread;        /* owned */
    char *origin;                    /* owned */
    char *authorization;             /* owned */
    struct fb_url url;               /* views into origin */
    struct fb_pool *pool;            /* owned; of handshakes, and of files that are sent */
    struct fb_tls_party *party;      /* owned; NULL: without TLS */
    struct fb_metrics_table *counts; /* of objects */
    const struct fb_clock *clock;
    char *spool; /* owned */
    char *token; /* owned */
};

/* One request of the API, on its caller's stack. */
struct ask {
    struct fb_trip trip;
    struct fb_buf request; /* taken over by the fetch */
    struct fb_buf answer;  /* content of the response */
    size_t max_answer;
};

/* ---- on the loop ------------------------------------------------------------- */

static int ask_prepare(struct fb_trip *trip)
{
    struct ask *ask = FB_CONTAINER_OF(trip, struct ask, trip);

    trip->fetch.request_length = (int64_t)ask->request.len;
    trip->fetch.request_body = fb_reader_of_buf(&ask->request);
    return FB_OK;
}

static int ask_take(struct fb_trip *trip, struct fb_str bytes)
{
    struct ask *ask = FB_CONTAINER_OF(trip, struct ask, trip);

    if (bytes.len > ask->max_answer - ask->answer.len) {
        return FB_E_LIMIT;
    }
    fb_buf_append(&ask->answer, bytes);
    return FB_OK;
}

/* ---- on a worker's thread ------------------------------------------------------ */

static int status_to_err(unsigned status)
{
    switch (status) {
    case 200:
    case 204:
        return FB_OK;
    case 401:
    case 403:
        return FB_E_DENIED;
    case 404: /* the origin has no worker token */
        return FB_E_UNSUPPORTED;
    case 400:
        return FB_E_MALFORMED;
    case 409:
        return FB_E_CONFLICT;
    case 422:
        return FB_E_CORRUPT;
    default:
        return status >= 500 ? FB_E_UNAVAILABLE : FB_E_FOREIGN;
    }
}

struct remote_verb {
    const char *name;
    uint32_t timeout_ms;
    size_t max_answer;
};

/* POSTs `body` to the verb's route; the content of the answer goes to `answer`. */
static int remote_call(struct origin_remote *remote, const struct remote_verb *verb,
                       const struct fb_json *body, struct fb_buf *answer)
{
    const struct fb_header headers[] = {
        {FB_STR("Content-Type"), FB_STR("application/json")},
        {FB_STR("Authorization"), fb_str_from(remote->authorization)},
    };
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    char target[TARGET_MAX];
    struct ask ask = {
        .max_answer = verb->max_answer,
        .trip = {.loop = remote->loop,
                 .client = remote->client,
                 .prepare = ask_prepare,
                 .take = ask_take,
                 .fetch = {.url = remote->url,
                           .tls = remote->party,
                           .method = FB_METHOD_POST,
                           .headers = headers,
                           .n_headers = FB_ARRAY_LEN(headers),
                           .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                           .head_timeout_ms = verb->timeout_ms,
                           .arena = &arena}},
    };

    (void)snprintf(target, sizeof(target), "/internal/v1/tasks/%s", verb->name);
    ask.trip.fetch.url.target = fb_str_from(target);
    fb_json_dump(body, &ask.request);
    int err = fb_trip_run(&ask.trip);
    err = err < 0 ? err : status_to_err(ask.trip.fetch.response.status);
    fb_buf_append(answer, fb_buf_str(&ask.answer));
    fb_buf_done(&ask.answer);
    return err;
}

static struct fb_json *task_body(const struct origin_task *task)
{
    struct fb_json *body = fb_json_new_object();

    fb_json_set_text(body, "task", task->task.text);
    fb_json_set_text(body, "lease", task->lease.text);
    fb_json_set_text(body, "video", task->video.text);
    return body;
}

/* A call whose answer has no content. */
static int remote_tell(struct origin_remote *remote, const char *name, const struct fb_json *body)
{
    const struct remote_verb verb = {name, CALL_TIMEOUT_MS, ANSWER_MAX};
    FB_AUTO(fb_buf_done) struct fb_buf answer = {0};

    return remote_call(remote, &verb, body, &answer);
}

static int remote_take(void *ctx, const struct origin_task_ask *ask, struct origin_task *ret_task)
{
    const struct remote_verb verb = {"take", CALL_TIMEOUT_MS, ORIGIN_TASK_MAX};
    FB_AUTO(fb_json_freep) struct fb_json *body = fb_json_new_object();
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    FB_AUTO(fb_buf_done) struct fb_buf answer = {0};

    fb_json_set_str(body, "worker", ask->worker);
    fb_json_set_str(body, "toolchain", ask->toolchain);
    int err = remote_call(ctx, &verb, body, &answer);
    if (err < 0) {
        return err;
    }
    if (answer.len == 0) {
        return FB_E_LATER;
    }
    err = fb_json_parse(fb_buf_str(&answer), ORIGIN_TASK_MAX, &root, NULL);
    fb_tls_wipe(answer.ptr, answer.len); /* a content key may be in it */
    return err < 0 ? err : origin_task_load(root, ret_task, NULL);
}

static int remote_renew(void *ctx, const struct origin_task *task, uint32_t permille)
{
    FB_AUTO(fb_json_freep) struct fb_json *body = task_body(task);

    fb_json_set_int(body, "progress", permille);
    return remote_tell(ctx, "renew", body);
}

static int remote_finish(void *ctx, const struct origin_task *task, struct fb_str result)
{
    const struct remote_verb verb = {"finish", FINISH_TIMEOUT_MS, ANSWER_MAX};
    FB_AUTO(fb_json_freep) struct fb_json *body = task_body(task);
    FB_AUTO(fb_buf_done) struct fb_buf answer = {0};
    struct fb_json *root = NULL;

    int err = fb_json_parse(result, ORIGIN_TASK_RESULT_MAX, &root, NULL);
    if (err < 0) {
        return err;
    }
    fb_json_set(body, "result", root);
    return remote_call(ctx, &verb, body, &answer);
}

static int remote_fail(void *ctx, const struct origin_task *task,
                       const struct origin_task_failure *failure)
{
    FB_AUTO(fb_json_freep) struct fb_json *body = task_body(task);

    origin_task_failure_store(body, failure);
    return remote_tell(ctx, "fail", body);
}

static int remote_give_back(void *ctx, const struct origin_task *task)
{
    FB_AUTO(fb_json_freep) struct fb_json *body = task_body(task);

    return remote_tell(ctx, "give-back", body);
}

struct origin_task_source origin_remote_source(struct origin_remote *remote)
{
    return (struct origin_task_source){
        .ctx = remote,
        .take = remote_take,
        .renew = remote_renew,
        .finish = remote_finish,
        .fail = remote_fail,
        .give_back = remote_give_back,
    };
}

int origin_remote_open_objects(void *ctx, const struct origin_task *task,
                               struct origin_objects **ret_objects)
{
    struct origin_remote *remote = ctx;

    return origin_lease_open(&(struct origin_lease_options){.loop = remote->loop,
                                                            .client = remote->client,
                                                            .tls = remote->party,
                                                            .pool = remote->pool,
                                                            .url = remote->url,
                                                            .token = fb_str_from(remote->token),
                                                            .task = fb_str_from(task->task.text),
                                                            .lease = fb_str_from(task->lease.text),
                                                            .spool = remote->spool,
                                                            .clock = remote->clock,
                                                            .counts = remote->counts},
                             ret_objects);
}

/* ---- open and close ------------------------------------------------------------- */

/* Whom the origin's certificate must be by. */
static int remote_open_tls(struct origin_remote *remote, const char *authorities,
                           struct fb_diag *diag)
{
    static const char *const protocols[] = {"h2", "http/1.1"};
    FB_AUTO(fb_buf_done) struct fb_buf pem = {0};
    struct fb_tls_config *config = NULL;
    const char *path = authorities != NULL ? authorities : system_authorities;

    int err = fb_file_read_path(path, PEM_MAX, &pem, diag);
    if (err < 0) {
        return err;
    }
    err = fb_tls_config_new(
        &(struct fb_tls_options){
            .is_client = true,
            .authorities = {.text = fb_buf_str(&pem), .name = path},
            .protocols = protocols,
            .n_protocols = FB_ARRAY_LEN(protocols),
        },
        &config, diag);
    if (err < 0) {
        return err;
    }
    remote->party = fb_tls_party_new(config, remote->pool, CONNECT_TIMEOUT_MS);
    fb_tls_config_unref(config);
    return FB_OK;
}

int origin_remote_open(const struct origin_remote_options *options,
                       struct origin_remote **ret_remote, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf authorization = {0};
    struct origin_remote *remote = FB_NEW(struct origin_remote);

    remote->origin = fb_str_dup(options->origin);
    fb_buf_printf(&authorization, "Bearer %.*s", FB_STR_ARG(options->token));
    remote->authorization = fb_str_dup(fb_buf_str(&authorization));
    remote->token = fb_str_dup(options->token);
    remote->spool = fb_str_dup(options->spool);
    remote->clock = options->clock;
    remote->counts = origin_lease_counts(options->metrics);
    int err = fb_url_parse(fb_str_from(remote->origin), &remote->url, diag);
    if (err == FB_OK &&
        (err = fb_pool_new("remote", POOL_THREADS, POOL_QUEUE, &remote->pool)) < 0) {
        (void)fb_diag_set(diag, err, "start threads: %s", fb_err_text(err));
    }
    if (err == FB_OK && fb_str_equal(remote->url.scheme, FB_STR("https"))) {
        err = remote_open_tls(remote, options->authorities, diag);
    }
    if (err == FB_OK) {
        err = fb_loop_new(options->clock, &remote->loop);
    }
    if (err == FB_OK) {
        remote->client = fb_client_new(remote->loop, &(struct fb_client_limits){.max_idle = 8},
                                       options->metrics);
        err = fb_thread_start("remote", remote->loop, &remote->thread);
    }
    if (err < 0) {
        origin_remote_close(remote);
        return fb_diag_prefix(diag, err, "reach the origin '%.*s'", FB_STR_ARG(options->origin));
    }
    *ret_remote = remote;
    return FB_OK;
}

void origin_remote_close(struct origin_remote *remote)
{
    if (remote == NULL) {
        return;
    }
    if (remote->thread != NULL) {
        fb_loop_stop(remote->loop);
        fb_thread_join(remote->thread);
    }
    if (remote->client != NULL) {
        fb_loop_turn(remote->loop); /* this thread is the loop's own now */
        fb_client_close(remote->client);
        for (int i = 0; i < CLOSING_TURNS; i++) {
            fb_loop_turn(remote->loop);
        }
    }
    fb_tls_party_free(remote->party);
    fb_pool_free(remote->pool);
    fb_loop_free(remote->loop);
    fb_free(remote->authorization);
    fb_free(remote->token);
    fb_free(remote->spool);
    fb_free(remote->origin);
    fb_free(remote);
}
