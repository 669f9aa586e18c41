#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/net/network.h"
#include "base/net/tls_stream.h"
#include "base/sys/random.h"
#include "base/tls/config.h"

#include <pthread.h>

struct fb_tls_party {
    pthread_mutex_t lock;
    struct fb_tls_config *config; /* counted; under the lock */
    struct fb_pool *pool;         /* borrowed */
    uint32_t timeout_ms;
    uint64_t seed;
};

struct fb_tls_party *fb_tls_party_new(struct fb_tls_config *config, struct fb_pool *pool,
                                      uint32_t timeout_ms)
{
    struct fb_tls_party *party = FB_NEW(struct fb_tls_party);

    FB_REQUIRE(pthread_mutex_init(&party->lock, NULL) == 0);
    party->config = fb_tls_config_ref(config);
    party->pool = pool;
    party->timeout_ms = timeout_ms;
    party->seed = fb_random_u64();
    return party;
}

void fb_tls_party_free(struct fb_tls_party *party)
{
    if (party == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&party->lock);
    fb_tls_config_unref(party->config);
    fb_free(party);
}

void fb_tls_party_use(struct fb_tls_party *party, struct fb_tls_config *config)
{
    FB_REQUIRE(pthread_mutex_lock(&party->lock) == 0);
    struct fb_tls_config *old = party->config;
    party->config = fb_tls_config_ref(config);
    FB_REQUIRE(pthread_mutex_unlock(&party->lock) == 0);
    fb_tls_config_unref(old);
}

struct fb_tls_config *fb_tls_party_config(struct fb_tls_party *party)
{
    FB_REQUIRE(pthread_mutex_lock(&party->lock) == 0);
    struct fb_tls_config *config = fb_tls_config_ref(party->config);
    FB_REQUIRE(pthread_mutex_unlock(&party->lock) == 0);
    return config;
}

struct fb_pool *fb_tls_party_pool(const struct fb_tls_party *party)
{
    return party->pool;
}

uint32_t fb_tls_party_timeout_ms(const struct fb_tls_party *party)
{
    return party->timeout_ms;
}

uint64_t fb_tls_party_client(const struct fb_tls_party *party, const struct fb_address *address)
{
    enum { BITS_V4 = 32, BITS_V6 = 64 };
    struct fb_network network;

    if (fb_network_of(address, BITS_V4, BITS_V6, &network) < 0) {
        return 0;
    }
    return fb_str_hash((struct fb_str){(const char *)network.bytes, sizeof(network.bytes)},
                       party->seed);
}
