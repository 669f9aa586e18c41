#include "base/server/server.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/date.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/net/tcp.h"
#include "base/server/h1_internal.h"
#include "base/server/h2_internal.h"
#include "base/server/server_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct fb_metric rows[N_METRICS] = {
    [METRIC_CONNECTIONS] = {"http_connections_total", FB_METRIC_COUNTER, NULL,
                            "Connections accepted."},
    [METRIC_CONNECTIONS_OPEN] = {"http_connections", FB_METRIC_GAUGE, NULL, "Connections open."},
    [METRIC_CONNECTIONS_REFUSED] = {"http_connections_refused_total", FB_METRIC_COUNTER, NULL,
                                    "Connections closed at once, over the limit."},
    [METRIC_CONNECTIONS_OVER] = {"http_client_connections_refused_total", FB_METRIC_COUNTER, NULL,
                                 "Connections closed at once, over the limit of their client."},
    [METRIC_CLIENTS_UNCOUNTED] = {"http_clients_uncounted_total", FB_METRIC_COUNTER, NULL,
                                  "Connections for which the table of clients had no place."},
    [METRIC_REQUESTS] = {"http_requests_total", FB_METRIC_COUNTER, NULL,
                         "Requests handed to a handler."},
    [METRIC_RESPONSES_2XX] = {"http_responses_total", FB_METRIC_COUNTER, "class=\"2xx\"",
                              "Responses, by class of status."},
    [METRIC_RESPONSES_3XX] = {"http_responses_total", FB_METRIC_COUNTER, "class=\"3xx\"",
                              "Responses, by class of status."},
    [METRIC_RESPONSES_4XX] = {"http_responses_total", FB_METRIC_COUNTER, "class=\"4xx\"",
                              "Responses, by class of status."},
    [METRIC_RESPONSES_5XX] = {"http_responses_total", FB_METRIC_COUNTER, "class=\"5xx\"",
                              "Responses, by class of status."},
    [METRIC_BYTES] = {"http_response_bytes_total", FB_METRIC_COUNTER, NULL,
                      "Bytes of content sent."},
    [METRIC_ABORTED] = {"http_aborted_total", FB_METRIC_COUNTER, NULL,
                        "Requests whose client went away before the response."},
    [METRIC_BROKEN] = {"http_broken_total", FB_METRIC_COUNTER, NULL,
                       "Responses that were cut, by either side."},
    [METRIC_REFUSED_MALFORMED] = {"http_refused_total", FB_METRIC_COUNTER, "cause=\"malformed\"",
                                  "Requests refused before a handler saw them."},
    [METRIC_REFUSED_TARGET] = {"http_refused_total", FB_METRIC_COUNTER, "cause=\"target\"",
                               "Requests refused before a handler saw them."},
    [METRIC_REFUSED_FIELDS] = {"http_refused_total", FB_METRIC_COUNTER, "cause=\"fields\"",
                               "Requests refused before a handler saw them."},
    [METRIC_REFUSED_CONTENT] = {"http_refused_total", FB_METRIC_COUNTER, "cause=\"content\"",
                                "Requests refused before a handler saw them."},
    [METRIC_REFUSED_EXPECT] = {"http_refused_total", FB_METRIC_COUNTER, "cause=\"expect\"",
                               "Requests refused before a handler saw them."},
    [METRIC_REFUSED_VERSION] = {"http_refused_total", FB_METRIC_COUNTER, "cause=\"version\"",
                                "Requests refused before a handler saw them."},
    [METRIC_REFUSED_RATE] = {"http_refused_total", FB_METRIC_COUNTER, "cause=\"rate\"",
                             "Requests refused before a handler saw them."},
    [METRIC_TIMEOUT_HEAD] = {"http_timeouts_total", FB_METRIC_COUNTER, "phase=\"head\"",
                             "Clients that were too slow."},
    [METRIC_TIMEOUT_CONTENT] = {"http_timeouts_total", FB_METRIC_COUNTER, "phase=\"content\"",
                                "Clients that were too slow."},
    [METRIC_TIMEOUT_IDLE] = {"http_timeouts_total", FB_METRIC_COUNTER, "phase=\"idle\"",
                             "Clients that were too slow."},
    [METRIC_TIMEOUT_WRITE] = {"http_timeouts_total", FB_METRIC_COUNTER, "phase=\"write\"",
                              "Clients that were too slow."},
    [METRIC_TIMEOUT_RATE] = {"http_timeouts_total", FB_METRIC_COUNTER, "phase=\"rate\"",
                             "Clients that were too slow."},
    [METRIC_SLOW] = {"http_slow_clients_total", FB_METRIC_COUNTER, NULL,
                     "Times that a client took so little that no memory was held for it."},
    [METRIC_TLS_FULL] = {"tls_handshakes_total", FB_METRIC_COUNTER, "kind=\"full\"",
                         "Handshakes that succeeded."},
    [METRIC_TLS_RESUMED] = {"tls_handshakes_total", FB_METRIC_COUNTER, "kind=\"resumed\"",
                            "Handshakes that succeeded."},
    [METRIC_TLS_BY_KERNEL] = {"tls_connections_total", FB_METRIC_COUNTER, "sealer=\"kernel\"",
                              "Connections, by what seals their records."},
    [METRIC_TLS_BY_GCRYPT] = {"tls_connections_total", FB_METRIC_COUNTER, "sealer=\"gcrypt\"",
                              "Connections, by what seals their records."},
    [METRIC_TLS_BY_IPSEC_MB] = {"tls_connections_total", FB_METRIC_COUNTER, "sealer=\"ipsec-mb\"",
                                "Connections, by what seals their records."},
    [METRIC_TLS_BY_MBEDTLS] = {"tls_connections_total", FB_METRIC_COUNTER, "sealer=\"mbedtls\"",
                               "Connections, by what seals their records."},
    [METRIC_TLS_PLAIN] = {"tls_failures_total", FB_METRIC_COUNTER, "cause=\"plain\"",
                          "Handshakes that failed."},
    [METRIC_TLS_MALFORMED] = {"tls_failures_total", FB_METRIC_COUNTER, "cause=\"malformed\"",
                              "Handshakes that failed."},
    [METRIC_TLS_UNSUPPORTED] = {"tls_failures_total", FB_METRIC_COUNTER, "cause=\"unsupported\"",
                                "Handshakes that failed."},
    [METRIC_TLS_DENIED] = {"tls_failures_total", FB_METRIC_COUNTER, "cause=\"denied\"",
                           "Handshakes that failed."},
    [METRIC_TLS_TIMEOUT] = {"tls_failures_total", FB_METRIC_COUNTER, "cause=\"timeout\"",
                            "Handshakes that failed."},
    [METRIC_TLS_BUSY] = {"tls_failures_total", FB_METRIC_COUNTER, "cause=\"busy\"",
                         "Handshakes that failed."},
    [METRIC_TLS_CLOSED] = {"tls_failures_total", FB_METRIC_COUNTER, "cause=\"closed\"",
                           "Handshakes that failed."},
    [METRIC_H2_CONNECTIONS] = {"http2_connections_total", FB_METRIC_COUNTER, NULL,
                               "Connections that speak HTTP/2."},
    [METRIC_H2_REFUSED] = {"http2_refused_streams_total", FB_METRIC_COUNTER, NULL,
                           "Requests refused, for their connection had too many open, or too "
                           "much in their heads."},
    [METRIC_H2_FAULT_PROTOCOL] = {"http2_faults_total", FB_METRIC_COUNTER, "cause=\"protocol\"",
                                  "HTTP/2 connections closed for what their client sent."},
    [METRIC_H2_FAULT_RESETS] = {"http2_faults_total", FB_METRIC_COUNTER, "cause=\"resets\"",
                                "HTTP/2 connections closed for what their client sent."},
    [METRIC_H2_FAULT_CONTROL] = {"http2_faults_total", FB_METRIC_COUNTER, "cause=\"control\"",
                                 "HTTP/2 connections closed for what their client sent."},
    [METRIC_H2_FAULT_FIELDS] = {"http2_faults_total", FB_METRIC_COUNTER, "cause=\"fields\"",
                                "HTTP/2 connections closed for what their client sent."},
    [METRIC_SECONDS] = {"http_request_seconds", FB_METRIC_HISTOGRAM, NULL,
                        "From a request's head to the last byte of its response."},
};

void fb_server_count(struct fb_server *server, enum server_metric row)
{
    if (server->metrics != NULL) {
        fb_metrics_add(server->metrics, row, 1);
    }
}

void fb_server_tell_tls(const struct server_conn *conn)
{
    enum { QUIET_MS = 60 * 1000 };
    struct fb_server *server = conn->server;
    uint64_t now_ms = fb_clock_mono_ms(fb_loop_clock(server->loop));
    struct fb_address peer = fb_stream_peer(conn->stream);
    char text[FB_ADDRESS_TEXT_MAX];

    if (now_ms >= server->quiet_until_ms) {
        server->quiet_until_ms = now_ms + QUIET_MS;
        FB_LOG(WARN, "server",
               "a client speaks TLS to an address without; for a minute no other is told of",
               FB_LOG_TEXT("client", fb_address_text(&peer, text)));
    }
}

static void fill_in(struct fb_server_limits *limits)
{
    const struct {
        uint32_t *limit;
        uint32_t preset;
    } presets[] = {
        {&limits->max_connections, 16384},  {&limits->max_head_bytes, 32 * 1024},
        {&limits->max_headers, 100},        {&limits->head_timeout_ms, 10000},
        {&limits->body_timeout_ms, 30000},  {&limits->idle_timeout_ms, 60000},
        {&limits->write_timeout_ms, 30000}, {&limits->max_requests, UINT32_MAX},
        {&limits->max_streams, 128},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(presets); i++) {
        if (*presets[i].limit == 0) {
            *presets[i].limit = presets[i].preset;
        }
    }
    if (limits->max_body_bytes == 0) {
        limits->max_body_bytes = UINT64_MAX;
    }
}

/* ---- spare exchanges ----------------------------------------------------- */

static void free_exchange(struct fb_exchange *exchange)
{
    fb_arena_done(&exchange->arena);
    fb_buf_done(&exchange->head);
    fb_free(exchange);
}

static void free_spare(struct exchange_pool *pool)
{
    struct fb_list *node = NULL;

    while ((node = fb_list_pop(&pool->spare)) != NULL) {
        free_exchange(FB_CONTAINER_OF(node, struct fb_exchange, link));
    }
    pool->n_spare = 0;
}

struct fb_exchange *fb_server_take_exchange(struct exchange_pool *pool, size_t size,
                                            size_t n_cleared)
{
    struct fb_list *node = fb_list_pop(&pool->spare);

    if (node == NULL) {
        return fb_alloc(size);
    }
    pool->n_spare--;
    struct fb_exchange *exchange = FB_CONTAINER_OF(node, struct fb_exchange, link);
    struct fb_arena arena = exchange->arena;
    struct fb_buf head = fb_buf_take(&exchange->head);
    memset(exchange, 0, n_cleared);
    exchange->arena = arena;
    exchange->head = head;
    return exchange;
}

void fb_server_give_exchange(struct exchange_pool *pool, struct fb_exchange *exchange)
{
    size_t max_spare = SERVER_MAX_SPARE_EXCHANGES;

#ifdef FB_SANITIZED
    max_spare = 0; /* so that a use after the end is seen */
#endif
    if (pool->n_spare >= max_spare) {
        free_exchange(exchange);
        return;
    }
    fb_arena_reset(&exchange->arena);
    if (exchange->head.cap > SERVER_KEPT_HEAD_BYTES) {
        fb_buf_done(&exchange->head);
    }
    fb_buf_clear(&exchange->head);
    fb_list_init(&exchange->link);
    fb_list_prepend(&pool->spare, &exchange->link);
    pool->n_spare++;
}

/* ---- life ---------------------------------------------------------------- */

struct fb_server *fb_server_new(struct fb_loop *loop, const struct fb_server_options *options)
{
    struct fb_server *server = FB_NEW(struct fb_server);

    FB_REQUIRE(options->handle != NULL && options->name != NULL);
    server->loop = loop;
    server->options = *options;
    server->date_s = -1;
    fill_in(&server->options.limits);
    fb_list_init(&server->conns);
    fb_list_init(&server->h1_pool.spare);
    fb_list_init(&server->h2_pool.spare);
    fb_server_drain_init(server);
    if (options->metrics != NULL) {
        char label[64];
        (void)snprintf(label, sizeof(label), "server=\"%.40s\"", options->name);
        server->metrics = fb_metrics_table_new(options->metrics, rows, N_METRICS, label);
    }
    return server;
}

void fb_server_free(struct fb_server *server)
{
    if (server == NULL) {
        return;
    }
    FB_REQUIRE(server->n_conns == 0);
    fb_server_close_listeners(server);
    fb_timer_clear(&server->grace);
    free_spare(&server->h1_pool);
    free_spare(&server->h2_pool);
    fb_free(server);
}

uint32_t fb_server_connections(const struct fb_server *server)
{
    return server->n_conns;
}

/* ---- accepting ------------------------------------------------------------ */

/* Counts a connection for its client; false if that has too many. */
static bool enter_client(struct fb_server *server, struct server_peer *peer)
{
    if (server->options.clients == NULL) {
        return true;
    }
    struct fb_address address = fb_stream_peer(peer->stream);
    switch (fb_clients_enter(server->options.clients, &address, &peer->client)) {
    case FB_CLIENTS_TRUSTED:
        peer->is_trusted = true;
        break;
    case FB_CLIENTS_UNCOUNTED:
        fb_server_count(server, METRIC_CLIENTS_UNCOUNTED);
        break;
    case FB_CLIENTS_REFUSED:
        fb_server_count(server, METRIC_CONNECTIONS_OVER);
        return false;
    case FB_CLIENTS_COUNTED:
    case FB_CLIENTS_FREE:
        break;
    }
    return true;
}

/* Counts a connection, and what it may do; false if it was closed for there is no place. */
static bool admit(struct fb_server *server, struct server_peer *peer)
{
    if (server->is_draining || server->n_conns >= server->options.limits.max_connections) {
        fb_server_count(server, METRIC_CONNECTIONS_REFUSED);
        fb_stream_close(peer->stream);
        return false;
    }
    if (!enter_client(server, peer)) {
        fb_stream_close(peer->stream);
        return false;
    }
    fb_server_count(server, METRIC_CONNECTIONS);
    return true;
}

void fb_server_open(struct fb_server *server, const struct server_peer *peer)
{
    const char *protocol = fb_stream_protocol(peer->stream);

    if (protocol != NULL && strcmp(protocol, "h2") == 0) {
        fb_h2_open(server, peer);
    } else {
        fb_h1_open(server, peer); /* which knows who begins HTTP/2 unasked */
    }
}

void fb_server_serve(struct fb_server *server, struct fb_stream *stream)
{
    struct server_peer peer = {.stream = stream};

    if (admit(server, &peer)) {
        fb_server_open(server, &peer);
    }
}

static void on_accepted(void *ctx, struct fb_stream *stream)
{
    const struct server_listener *listener = ctx;
    struct server_peer peer = {
        .stream = stream,
        .listener = (uint8_t)(listener - listener->server->listeners + 1),
    };

    if (!admit(listener->server, &peer)) {
        return;
    }
    if (listener->tls == NULL) {
        fb_server_open(listener->server, &peer);
    } else {
        fb_tls_conn_open(listener->server, &peer, listener->tls);
    }
}

int fb_server_listen(struct fb_server *server, const struct fb_address *address,
                     struct fb_address *ret_bound)
{
    return fb_server_listen_tls(server, address, NULL, ret_bound);
}

static int add_listener(struct fb_server *server, struct fb_listener_options *options,
                        struct fb_tls_party *tls)
{
    struct server_listener *listener = &server->listeners[server->n_listeners];

    *listener = (struct server_listener){.server = server, .tls = tls};
    options->accepted = on_accepted;
    options->ctx = listener;
    int err = fb_listener_open(server->loop, options, &listener->listener);
    if (err == FB_OK) {
        server->n_listeners++;
    }
    return err;
}

int fb_server_listen_tls(struct fb_server *server, const struct fb_address *address,
                         struct fb_tls_party *tls, struct fb_address *ret_bound)
{
    struct fb_listener_options options = {.address = *address};

    if (server->n_listeners == SERVER_MAX_LISTENERS) {
        return FB_E_LIMIT;
    }
    int err = add_listener(server, &options, tls);
    if (err == FB_OK && ret_bound != NULL) {
        *ret_bound = fb_listener_address(server->listeners[server->n_listeners - 1].listener);
    }
    return err;
}

int fb_server_adopt(struct fb_server *server, int fd, struct fb_tls_party *tls)
{
    struct fb_listener_options options = {.fd = fd};

    if (server->n_listeners == SERVER_MAX_LISTENERS) {
        (void)close(fd);
        return FB_E_LIMIT;
    }
    return add_listener(server, &options, tls);
}

int fb_server_share(const struct fb_server *server, struct fb_sockets *sockets)
{
    int err = FB_OK;

    for (size_t i = 0; i < server->n_listeners && err == FB_OK; i++) {
        err = fb_listener_share(server->listeners[i].listener, sockets);
    }
    return err;
}

int fb_server_tune(struct fb_server *server, const struct fb_tcp_tuning *tuning)
{
    FB_REQUIRE(server->n_listeners > 0);
    server->listeners[server->n_listeners - 1].max_rate = tuning->max_rate;
    return fb_listener_tune(server->listeners[server->n_listeners - 1].listener, tuning);
}

void fb_server_conn_init(struct fb_server *server, struct server_conn *conn,
                         const struct server_protocol *protocol, const struct server_peer *peer)
{
    conn->server = server;
    conn->protocol = protocol;
    conn->stream = peer->stream;
    conn->client = peer->client;
    conn->is_trusted = peer->is_trusted;
    conn->listener = peer->listener;
    fb_list_init(&conn->link);
    fb_list_append(&server->conns, &conn->link);
    server->n_conns++;
    fb_server_count(server, METRIC_CONNECTIONS_OPEN);
}

void fb_server_conn_gone(struct server_conn *conn)
{
    struct fb_server *server = conn->server;

    fb_list_remove(&conn->link);
    fb_clients_leave(server->options.clients, conn->client);
    server->n_conns--;
    if (server->metrics != NULL) {
        fb_metrics_sub(server->metrics, METRIC_CONNECTIONS_OPEN, 1);
    }
    fb_server_drain_check(server);
}

/* ---- the date ------------------------------------------------------------ */

static void write_lines(struct fb_server *server, int64_t now_s)
{
    char date[FB_DATE_MAX];

    int n_server =
        snprintf(server->lines, sizeof(server->lines), "Server: %.40s\r\n", server->options.name);
    server->n_server = (size_t)n_server;
    int n_date = snprintf(server->lines + n_server, sizeof(server->lines) - server->n_server,
                          "Date: %s\r\n", fb_date_format(now_s, date).ptr);
    server->n_lines = server->n_server + (size_t)n_date;
    server->date_s = now_s;
}

/* Which of the two lines a response leaves to the server. */
static void which_lines(struct fb_server *server, const struct fb_response *response,
                        bool *ret_wants_server, bool *ret_wants_date)
{
    int64_t now_s = fb_clock_wall_ms(fb_loop_clock(server->loop)) / 1000;

    *ret_wants_date = true;
    *ret_wants_server = true;
    if (now_s != server->date_s) {
        write_lines(server, now_s);
    }
    for (size_t i = 0; i < response->n_headers; i++) {
        struct fb_str name = response->headers[i].name;
        if (name.len == 4 && fb_str_equal_nocase(name, FB_STR("Date"))) {
            *ret_wants_date = false;
        } else if (name.len == 6 && fb_str_equal_nocase(name, FB_STR("Server"))) {
            *ret_wants_server = false;
        }
    }
}

struct fb_str fb_server_lines(struct fb_server *server, const struct fb_response *response)
{
    bool wants_server = false;
    bool wants_date = false;

    which_lines(server, response, &wants_server, &wants_date);
    struct fb_str lines = {server->lines, wants_date ? server->n_lines : server->n_server};
    return wants_server ? lines : fb_str_skip(lines, server->n_server);
}

/* The value in "Name: value" CRLF. */
static struct fb_str value_of(struct fb_str line, struct fb_str name)
{
    return fb_str_skip(fb_str_first(line, line.len - 2), name.len + 2);
}

size_t fb_server_fields(struct fb_server *server, const struct fb_response *response,
                        struct fb_header fields[2])
{
    bool wants_server = false;
    bool wants_date = false;
    size_t n = 0;

    which_lines(server, response, &wants_server, &wants_date);
    struct fb_str lines = {server->lines, server->n_lines};
    if (wants_server) {
        fields[n].name = FB_STR("server");
        fields[n++].value = value_of(fb_str_first(lines, server->n_server), FB_STR("Server"));
    }
    if (wants_date) {
        fields[n].name = FB_STR("date");
        fields[n++].value = value_of(fb_str_skip(lines, server->n_server), FB_STR("Date"));
    }
    return n;
}
