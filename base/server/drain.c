/* The end of a server, at once or gently. */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/net/tcp.h"
#include "base/server/server_internal.h"

void fb_server_close_listeners(struct fb_server *server)
{
    for (size_t i = 0; i < server->n_listeners; i++) {
        fb_listener_close(server->listeners[i].listener);
    }
    server->n_listeners = 0;
}

static void finish(struct fb_server *server, struct fb_op **waiting)
{
    struct fb_op *op = *waiting;

    *waiting = NULL;
    fb_timer_clear(&server->grace);
    fb_op_finish(op, FB_OK);
}

void fb_server_drain_check(struct fb_server *server)
{
    if (server->n_conns > 0) {
        return;
    }
    if (server->retreat != NULL) {
        finish(server, &server->retreat);
    } else if (server->drain != NULL) {
        finish(server, &server->drain);
    }
}

static void on_grace_over(struct fb_timer *timer)
{
    struct fb_server *server = FB_CONTAINER_OF(timer, struct fb_server, grace);

    if (server->retreat != NULL) {
        finish(server, &server->retreat);
        return;
    }
    FB_LIST_EACH(node, &server->conns) {
        struct server_conn *conn = FB_CONTAINER_OF(node, struct server_conn, link);
        conn->protocol->cut(conn);
    }
}

void fb_server_drain_init(struct fb_server *server)
{
    fb_timer_init(&server->grace, server->loop, on_grace_over);
}

void fb_server_retreat(struct fb_server *server, uint32_t linger_ms, struct fb_op *op)
{
    FB_REQUIRE(!server->is_retreating && !server->is_draining);
    fb_op_begin(op, NULL);
    server->retreat = op;
    server->is_retreating = true;
    fb_server_close_listeners(server);
    fb_timer_set(&server->grace, linger_ms);
    FB_LIST_EACH(node, &server->conns) {
        struct server_conn *conn = FB_CONTAINER_OF(node, struct server_conn, link);
        if (conn->protocol->warns) {
            conn->protocol->drain(conn);
        }
    }
    fb_server_drain_check(server);
}

void fb_server_drain(struct fb_server *server, uint32_t grace_ms, struct fb_op *op)
{
    FB_REQUIRE(server->drain == NULL && server->retreat == NULL);
    fb_op_begin(op, NULL);
    server->drain = op;
    server->is_retreating = true;
    server->is_draining = true;
    fb_server_close_listeners(server);
    fb_timer_set(&server->grace, grace_ms);
    FB_LIST_EACH(node, &server->conns) {
        struct server_conn *conn = FB_CONTAINER_OF(node, struct server_conn, link);
        conn->protocol->drain(conn);
    }
    fb_server_drain_check(server);
}
