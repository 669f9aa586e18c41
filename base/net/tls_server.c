#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/net/tls_stream.h"
#include "base/tls/tls_config.h"

#include <pthread.h>

struct fb_tls_server {
    pthread_mutex_t lock;
    struct fb_tls_config *config; /* counted; under the lock */
    struct fb_pool *pool;         /* borrowed */
    uint32_t timeout_ms;
};

struct fb_tls_server *fb_tls_server_new(struct fb_tls_config *config, struct fb_pool *pool,
                                        uint32_t timeout_ms)
{
    struct fb_tls_server *server = FB_NEW(struct fb_tls_server);

    FB_REQUIRE(pthread_mutex_init(&server->lock, NULL) == 0);
    server->config = fb_tls_config_ref(config);
    server->pool = pool;
    server->timeout_ms = timeout_ms;
    return server;
}

void fb_tls_server_free(struct fb_tls_server *server)
{
    if (server == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&server->lock);
    fb_tls_config_unref(server->config);
    fb_free(server);
}

void fb_tls_server_use(struct fb_tls_server *server, struct fb_tls_config *config)
{
    FB_REQUIRE(pthread_mutex_lock(&server->lock) == 0);
    struct fb_tls_config *old = server->config;
    server->config = fb_tls_config_ref(config);
    FB_REQUIRE(pthread_mutex_unlock(&server->lock) == 0);
    fb_tls_config_unref(old);
}

struct fb_tls_config *fb_tls_server_config(struct fb_tls_server *server)
{
    FB_REQUIRE(pthread_mutex_lock(&server->lock) == 0);
    struct fb_tls_config *config = fb_tls_config_ref(server->config);
    FB_REQUIRE(pthread_mutex_unlock(&server->lock) == 0);
    return config;
}

struct fb_pool *fb_tls_server_pool(const struct fb_tls_server *server)
{
    return server->pool;
}

uint32_t fb_tls_server_timeout_ms(const struct fb_tls_server *server)
{
    return server->timeout_ms;
}
