#include "edge/serve/crew.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/machine.h"
#include "base/loop/loop.h"
#include "base/loop/thread.h"
#include "base/net/sockets.h"
#include "base/net/tcp.h"
#include "edge/fill/fill.h"
#include "edge/site/site.h"
#include "edge/upstream/upstream.h"
#include "edge/volume/volumes.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

enum crew_state {
    CREW_SERVING,
    CREW_RETREATING,
    CREW_DRAINING,
    CREW_FILLING,
    CREW_WRITING,
    CREW_CLOSING,
    CREW_OVER
};

static const struct fb_state crew_states[] = {
    [CREW_SERVING] = {"serving", FB_TO(CREW_RETREATING) | FB_TO(CREW_DRAINING)},
    [CREW_RETREATING] = {"retreating", FB_TO(CREW_DRAINING)},
    [CREW_DRAINING] = {"draining", FB_TO(CREW_FILLING)},
    [CREW_FILLING] = {"filling", FB_TO(CREW_WRITING)},
    [CREW_WRITING] = {"writing", FB_TO(CREW_CLOSING)},
    [CREW_CLOSING] = {"closing", FB_TO(CREW_OVER)},
    [CREW_OVER] = {"over", 0},
};

struct crew_worker {
    struct edge_crew *crew;
    struct fb_loop *loop;     /* owned, as all that follows */
    struct fb_thread *thread; /* NULL until started */
    struct fb_server *server;
    struct edge_uplink *uplink;
    struct edge_serve *serve;

    struct fb_op op;       /* of the phase, on the worker's loop */
    struct fb_post order;  /* to the worker: begin the phase */
    struct fb_post report; /* to the main loop: the phase is over here */
    struct fb_post quiet;  /* to the main loop: no request begins here any more */

    struct fb_post reload_order;  /* to the worker: take the crew's sites */
    struct fb_post reload_report; /* to the main loop: taken */
};

/* Where connections come from. */
struct crew_door {
    struct fb_address address;
    struct fb_tls_party *tls; /* borrowed */
    struct fb_tcp_tuning tuning;
    size_t n_workers; /* the first ones, that have a socket for it */
};

struct edge_crew {
    struct edge_crew_options options;
    struct fb_machine machine; /* main thread; workers read it during a phase */
    size_t n_pending;          /* workers that have yet to report */
    size_t n_loud;             /* workers on which requests may still begin */
    struct fb_op *drain;       /* the caller's, while draining */
    uint32_t linger_ms;        /* of it */
    struct edge_sites *sites;  /* a reference; written while no reload is under way */
    size_t n_reloading;        /* workers that have yet to take them */
    struct fb_op *reload;      /* the caller's, until then */
    struct crew_door *gaps;    /* owned; until the start: with fewer sockets than workers */
    size_t n_gaps;
    pthread_mutex_t gate; /* held while threads are started */
    bool is_refused;      /* under the gate: go back at once */
    struct crew_worker workers[];
};

/* ---- draining ---------------------------------------------------------- */

static void worker_on_phase_over(struct fb_op *op)
{
    struct crew_worker *worker = FB_CONTAINER_OF(op, struct crew_worker, op);

    fb_loop_post(worker->crew->options.main_loop, &worker->report);
}

static void worker_end_phase(struct crew_worker *worker)
{
    fb_op_begin(&worker->op, NULL);
    fb_op_finish(&worker->op, FB_OK);
}

static void worker_write_out(struct crew_worker *worker)
{
    struct edge_volumes *volumes = worker->crew->options.volumes;

    if (volumes == NULL) {
        worker_end_phase(worker);
        return;
    }
    edge_volumes_drain(volumes, worker->loop, &worker->op);
}

static void worker_close(struct crew_worker *worker)
{
    edge_uplink_close(worker->uplink);
    worker->uplink = NULL;
    worker_end_phase(worker);
}

/* On the worker's loop. */
static void worker_on_order(struct fb_post *post)
{
    struct crew_worker *worker = FB_CONTAINER_OF(post, struct crew_worker, order);
    const struct edge_crew_options *options = &worker->crew->options;

    fb_op_init(&worker->op, worker->loop, worker_on_phase_over);
    switch ((enum crew_state)worker->crew->machine.state) {
    case CREW_RETREATING:
        fb_server_retreat(worker->server, worker->crew->linger_ms, &worker->op);
        break;
    case CREW_DRAINING:
        fb_server_drain(worker->server, options->grace_ms, &worker->op);
        fb_loop_post(options->main_loop, &worker->quiet);
        break;
    case CREW_FILLING:
        edge_serve_halt(worker->serve);
        edge_fill_drain(options->serve.fills, worker->loop, &worker->op);
        break;
    case CREW_WRITING:
        worker_write_out(worker);
        break;
    case CREW_CLOSING:
        worker_close(worker);
        break;
    case CREW_SERVING:
    case CREW_OVER:
        break; /* no order is given in these */
    }
}

static void crew_begin_phase(struct edge_crew *crew, enum crew_state next)
{
    fb_machine_move(&crew->machine, next);
    crew->n_pending = crew->options.n_workers;
    for (size_t i = 0; i < crew->options.n_workers; i++) {
        fb_loop_post(crew->workers[i].loop, &crew->workers[i].order);
    }
}

static void crew_join(struct edge_crew *crew)
{
    for (size_t i = 0; i < crew->options.n_workers; i++) {
        if (crew->workers[i].thread != NULL) {
            fb_loop_stop(crew->workers[i].loop);
            fb_thread_join(crew->workers[i].thread);
            crew->workers[i].thread = NULL;
        }
    }
}

/* On the main loop. */
static void worker_on_report(struct fb_post *post)
{
    struct edge_crew *crew = FB_CONTAINER_OF(post, struct crew_worker, report)->crew;

    if (--crew->n_pending > 0) {
        return;
    }
    if (crew->machine.state != CREW_CLOSING) {
        crew_begin_phase(crew, (enum crew_state)(crew->machine.state + 1));
        return;
    }
    fb_machine_move(&crew->machine, CREW_OVER);
    crew_join(crew);
    fb_op_finish(crew->drain, FB_OK);
}

/* On the main loop. */
static void worker_on_quiet(struct fb_post *post)
{
    struct edge_crew *crew = FB_CONTAINER_OF(post, struct crew_worker, quiet)->crew;

    if (--crew->n_loud == 0 && crew->options.quiet != NULL) {
        crew->options.quiet(crew->options.quiet_ctx);
    }
}

void edge_crew_drain(struct edge_crew *crew, uint32_t linger_ms, struct fb_op *op)
{
    fb_op_begin(op, NULL);
    crew->drain = op;
    crew->n_loud = crew->options.n_workers;
    crew->linger_ms = linger_ms;
    crew_begin_phase(crew, linger_ms > 0 ? CREW_RETREATING : CREW_DRAINING);
}

/* ---- reloading --------------------------------------------------------- */

/* On the worker's loop. */
static void worker_on_reload(struct fb_post *post)
{
    struct crew_worker *worker = FB_CONTAINER_OF(post, struct crew_worker, reload_order);

    edge_serve_reload(worker->serve, worker->crew->sites);
    fb_loop_post(worker->crew->options.main_loop, &worker->reload_report);
}

/* On the main loop. */
static void worker_on_reloaded(struct fb_post *post)
{
    struct edge_crew *crew = FB_CONTAINER_OF(post, struct crew_worker, reload_report)->crew;

    if (--crew->n_reloading == 0) {
        fb_op_finish(crew->reload, FB_OK);
    }
}

void edge_crew_reload(struct edge_crew *crew, struct edge_sites *sites, struct fb_op *op)
{
    FB_REQUIRE(crew->n_reloading == 0);
    fb_op_begin(op, NULL);
    if (crew->machine.state != CREW_SERVING) {
        fb_op_finish(op, FB_E_CANCELED);
        return;
    }
    struct edge_sites *old = crew->sites;
    crew->sites = edge_sites_ref(sites);
    edge_sites_unref(old); /* the workers have references of their own */
    crew->reload = op;
    crew->n_reloading = crew->options.n_workers;
    for (size_t i = 0; i < crew->options.n_workers; i++) {
        fb_loop_post(crew->workers[i].loop, &crew->workers[i].reload_order);
    }
}

struct edge_sites *edge_crew_sites(const struct edge_crew *crew)
{
    return crew->sites;
}

/* ---- listening --------------------------------------------------------- */

static int crew_refuse(const struct crew_door *door, int err, struct fb_diag *diag)
{
    struct fb_str congestion = door->tuning.congestion;
    char text[FB_ADDRESS_TEXT_MAX];

    (void)fb_address_text(&door->address, text);
    if (congestion.len > 0 && (err == -ENOENT || err == -EPERM)) {
        return fb_diag_set(diag, err, "listen on %s with congestion control '%.*s': %s", text,
                           FB_STR_ARG(congestion), fb_err_text(err));
    }
    return fb_diag_set(diag, err, "listen on %s: %s", text, fb_err_text(err));
}

/* Spreads the sockets that are there for the address over the workers. */
static int crew_adopt(struct edge_crew *crew, struct crew_door *door)
{
    struct fb_sockets *sockets = crew->options.sockets;
    int fd = 0;

    while (sockets != NULL && (fd = fb_sockets_take(sockets, &door->address)) >= 0) {
        struct fb_server *server = crew->workers[door->n_workers % crew->options.n_workers].server;
        int err = fb_server_adopt(server, fd, door->tls);
        if (err == FB_OK) {
            err = fb_server_tune(server, &door->tuning);
        }
        if (err < 0) {
            return err;
        }
        door->n_workers++;
    }
    return FB_OK;
}

/* Opens sockets for the workers that have none. */
static int crew_open(struct edge_crew *crew, struct crew_door *door)
{
    int err = FB_OK;

    for (; door->n_workers < crew->options.n_workers && err == FB_OK; door->n_workers++) {
        struct fb_server *server = crew->workers[door->n_workers].server;
        err = fb_server_listen_tls(server, &door->address, door->tls, &door->address);
        if (err == FB_OK) {
            err = fb_server_tune(server, &door->tuning);
        }
    }
    return err;
}

int edge_crew_listen(struct edge_crew *crew, const struct fb_address *address,
                     struct fb_tls_party *tls, const struct fb_tcp_tuning *tuning,
                     struct fb_address *ret_bound, struct fb_diag *diag)
{
    struct crew_door door = {.address = *address, .tls = tls};

    if (tuning != NULL) {
        door.tuning = *tuning;
    }
    int err = crew_adopt(crew, &door);
    if (err == FB_OK && door.n_workers == 0) {
        err = fb_listener_probe(address);
        if (err == FB_OK) {
            err = crew_open(crew, &door);
        }
    }
    if (err < 0) {
        return crew_refuse(&door, err, diag);
    }
    if (door.n_workers < crew->options.n_workers) {
        crew->gaps = fb_realloc(crew->gaps, (crew->n_gaps + 1) * sizeof(door));
        crew->gaps[crew->n_gaps++] = door;
    }
    if (ret_bound != NULL) {
        *ret_bound = door.address;
    }
    return FB_OK;
}

/* Not earlier than this: connections would come to these sockets at once. */
static int crew_close_gaps(struct edge_crew *crew, struct fb_diag *diag)
{
    for (size_t i = 0; i < crew->n_gaps; i++) {
        int err = crew_open(crew, &crew->gaps[i]);
        if (err < 0) {
            return crew_refuse(&crew->gaps[i], err, diag);
        }
    }
    return FB_OK;
}

int edge_crew_share(const struct edge_crew *crew, struct fb_sockets *sockets)
{
    int err = FB_OK;

    for (size_t i = 0; i < crew->options.n_workers && err == FB_OK; i++) {
        err = fb_server_share(crew->workers[i].server, sockets);
    }
    return err;
}

/* ---- starting ---------------------------------------------------------- */

static void worker_run(void *ctx)
{
    struct crew_worker *worker = ctx;

    (void)pthread_mutex_lock(&worker->crew->gate); /* cannot fail on a plain mutex */
    bool is_refused = worker->crew->is_refused;
    (void)pthread_mutex_unlock(&worker->crew->gate);
    if (!is_refused) {
        fb_loop_run(worker->loop);
    }
}

/* The gate keeps the first threads from accepting connections before it is
 * certain that all can be started. */
int edge_crew_start(struct edge_crew *crew, struct fb_diag *diag)
{
    int err = crew_close_gaps(crew, diag);

    if (err < 0) {
        return err;
    }
    (void)pthread_mutex_lock(&crew->gate);
    for (size_t i = 0; i < crew->options.n_workers && err == FB_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "edge-%zu", i % 1000);
        err = fb_thread_start_body(name, worker_run, &crew->workers[i], &crew->workers[i].thread);
    }
    crew->is_refused = err < 0;
    (void)pthread_mutex_unlock(&crew->gate);
    if (err < 0) {
        crew_join(crew);
        return fb_diag_set(diag, err, "start %zu workers: %s", crew->options.n_workers,
                           fb_err_text(err));
    }
    return FB_OK;
}

static int worker_init(struct crew_worker *worker, struct edge_crew *crew)
{
    const struct edge_crew_options *options = &crew->options;

    worker->crew = crew;
    worker->order.run = worker_on_order;
    worker->report.run = worker_on_report;
    worker->quiet.run = worker_on_quiet;
    worker->reload_order.run = worker_on_reload;
    worker->reload_report.run = worker_on_reloaded;
    int err = fb_loop_new(options->clock, &worker->loop);
    if (err == FB_OK && options->volumes != NULL) {
        err = edge_volumes_attach(options->volumes, worker->loop);
    }
    if (err < 0) {
        return err;
    }
    worker->uplink = edge_uplink_new(options->upstreams, worker->loop);
    worker->serve = edge_serve_new(worker->loop, worker->uplink, &options->serve);
    worker->server = fb_server_new(worker->loop, &(struct fb_server_options){
                                                     .name = "forebay-edge",
                                                     .limits = options->limits,
                                                     .metrics = options->serve.metrics,
                                                     .clients = options->serve.clients,
                                                     .handle = edge_serve_handle,
                                                     .refusing = edge_serve_refusing,
                                                     .ctx = worker->serve,
                                                 });
    return FB_OK;
}

int edge_crew_new(const struct edge_crew_options *options, struct edge_crew **ret_crew,
                  struct fb_diag *diag)
{
    FB_REQUIRE(options->n_workers > 0);
    struct edge_crew *crew =
        fb_alloc(sizeof(*crew) + options->n_workers * sizeof(struct crew_worker));

    crew->options = *options;
    crew->sites = edge_sites_ref(options->serve.sites);
    (void)pthread_mutex_init(&crew->gate, NULL); /* cannot fail on Linux */
    fb_machine_init(&crew->machine, crew_states, CREW_SERVING);
    for (size_t i = 0; i < options->n_workers; i++) {
        int err = worker_init(&crew->workers[i], crew);
        if (err < 0) {
            edge_crew_free(crew);
            return fb_diag_set(diag, err, "make a loop: %s", fb_err_text(err));
        }
    }
    *ret_crew = crew;
    return FB_OK;
}

void edge_crew_free(struct edge_crew *crew)
{
    if (crew == NULL) {
        return;
    }
    const struct edge_crew_options *options = &crew->options;

    for (size_t i = 0; i < options->n_workers; i++) {
        struct crew_worker *worker = &crew->workers[i];
        FB_REQUIRE(worker->thread == NULL);
        if (worker->loop == NULL) {
            continue;
        }
        if (options->volumes != NULL) {
            edge_volumes_detach(options->volumes, worker->loop);
        }
        fb_server_free(worker->server);
        edge_serve_free(worker->serve);
        edge_uplink_close(worker->uplink);
        fb_loop_free(worker->loop);
    }
    (void)pthread_mutex_destroy(&crew->gate);
    edge_sites_unref(crew->sites);
    fb_free(crew->gaps);
    fb_free(crew);
}

struct edge_serve_counts edge_crew_count(const struct edge_crew *crew)
{
    struct edge_serve_counts counts = {0};

    for (size_t i = 0; i < crew->options.n_workers; i++) {
        edge_serve_count(crew->workers[i].serve, &counts);
    }
    return counts;
}

struct edge_crew_seat edge_crew_seat(const struct edge_crew *crew)
{
    const struct crew_worker *first = &crew->workers[0];

    return (struct edge_crew_seat){
        .loop = first->loop, .uplink = first->uplink, .serve = first->serve};
}
