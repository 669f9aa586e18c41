#include "base/server/clients.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/sys/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    CLIENTS_N_SHARDS = 64,
    CLIENTS_WAYS = 8, /* places in which a client may stand */
    CLIENTS_MIN_PLACES = 1024,
    CLIENTS_MAX_PLACES = 1 << 20
};

#define NS_PER_S UINT64_C(1000000000)

/* A place of the table. */
struct fb_client {
    uint8_t bytes[16];        /* the network's, under the shard's lock as what follows */
    uint32_t n_connections;   /* while there are any, the place is the client's */
    bool is_used;             /* `bytes` are somebody's */
    _Atomic uint64_t full_ns; /* when the bucket is full; connections change it without lock */
};

struct clients_shard {
    pthread_mutex_t lock;
    char padding[64]; /* no two locks in one cache line */
};

struct fb_clients {
    struct fb_clients_options options;
    struct fb_network *trusted; /* owned */
    uint64_t seed;
    uint64_t token_ns;        /* in which one token comes; 0: no bound */
    uint64_t burst_ns;        /* in which an empty bucket fills */
    size_t n_sets;            /* a power of two */
    struct fb_client *places; /* owned; CLIENTS_WAYS of each set */
    struct clients_shard shards[CLIENTS_N_SHARDS];
};

/* ---- life ---------------------------------------------------------------- */

static size_t clients_sets(size_t wanted)
{
    size_t n = CLIENTS_MIN_PLACES;

    while (n < wanted && n < CLIENTS_MAX_PLACES) {
        n *= 2;
    }
    return n / CLIENTS_WAYS;
}

struct fb_clients *fb_clients_new(const struct fb_clients_options *options)
{
    if (options->max_connections == 0 && options->requests_per_s == 0 && options->n_trusted == 0) {
        return NULL;
    }
    struct fb_clients *clients = FB_NEW(struct fb_clients);
    struct fb_clients_options *own = &clients->options;

    *own = *options;
    own->bits_v4 = own->bits_v4 != 0 ? own->bits_v4 : 32;
    own->bits_v6 = own->bits_v6 != 0 ? own->bits_v6 : 64;
    own->burst = own->burst != 0 ? own->burst : own->requests_per_s;
    if (own->requests_per_s != 0) {
        clients->token_ns = FB_MAX(NS_PER_S / own->requests_per_s, UINT64_C(1));
        clients->burst_ns = clients->token_ns * own->burst;
    }
    clients->trusted = fb_alloc_array(own->n_trusted, sizeof(*clients->trusted));
    for (size_t i = 0; i < own->n_trusted; i++) {
        clients->trusted[i] = options->trusted[i];
    }
    clients->seed = fb_random_u64();
    clients->n_sets = clients_sets(own->max_clients);
    clients->places = fb_alloc_array(clients->n_sets * CLIENTS_WAYS, sizeof(struct fb_client));
    for (size_t i = 0; i < CLIENTS_N_SHARDS; i++) {
        (void)pthread_mutex_init(&clients->shards[i].lock, NULL); /* cannot fail on Linux */
    }
    return clients;
}

void fb_clients_free(struct fb_clients *clients)
{
    if (clients == NULL) {
        return;
    }
    for (size_t i = 0; i < clients->n_sets * CLIENTS_WAYS; i++) {
        FB_REQUIRE(clients->places[i].n_connections == 0);
    }
    for (size_t i = 0; i < CLIENTS_N_SHARDS; i++) {
        (void)pthread_mutex_destroy(&clients->shards[i].lock);
    }
    fb_free(clients->places);
    fb_free(clients->trusted);
    fb_free(clients);
}

size_t fb_clients_bytes(const struct fb_clients *clients)
{
    return sizeof(*clients) + clients->n_sets * CLIENTS_WAYS * sizeof(struct fb_client);
}

/* ---- places ---------------------------------------------------------------- */

static pthread_mutex_t *clients_lock(struct fb_clients *clients, size_t set)
{
    return &clients->shards[set % CLIENTS_N_SHARDS].lock;
}

static uint64_t client_full_ns(const struct fb_client *client)
{
    return atomic_load_explicit(&client->full_ns, memory_order_relaxed);
}

/* Under the lock: the client's place, or the one to give to it: a free one, else of those without
 * connections the one whose bucket is nearest to full. NULL: all are in use. */
static struct fb_client *clients_place(struct fb_client *set, const struct fb_network *network,
                                       uint64_t now_ns)
{
    struct fb_client *best = NULL;

    for (size_t i = 0; i < CLIENTS_WAYS; i++) {
        struct fb_client *place = &set[i];
        if (place->is_used && memcmp(place->bytes, network->bytes, sizeof(place->bytes)) == 0) {
            return place;
        }
        if (place->is_used && place->n_connections > 0) {
            continue;
        }
        if (!place->is_used || client_full_ns(place) <= now_ns) {
            place->is_used = false; /* whoever it was has no debt any more */
        }
        if (best == NULL ||
            (best->is_used && (!place->is_used || client_full_ns(place) < client_full_ns(best)))) {
            best = place;
        }
    }
    if (best != NULL) {
        memcpy(best->bytes, network->bytes, sizeof(best->bytes));
        atomic_store_explicit(&best->full_ns, 0, memory_order_relaxed);
        best->is_used = true;
    }
    return best;
}

bool fb_clients_trust(const struct fb_clients *clients, const struct fb_address *address)
{
    struct fb_network whole;

    if (clients == NULL || fb_network_of(address, 32, 128, &whole) < 0) {
        return false;
    }
    for (size_t i = 0; i < clients->options.n_trusted; i++) {
        if (fb_network_has(&clients->trusted[i], &whole)) {
            return true;
        }
    }
    return false;
}

enum fb_clients_verdict fb_clients_enter(struct fb_clients *clients,
                                         const struct fb_address *address,
                                         struct fb_client **ret_client)
{
    const struct fb_clients_options *options = &clients->options;
    enum fb_clients_verdict verdict = FB_CLIENTS_UNCOUNTED;
    struct fb_network network;

    if (fb_clients_trust(clients, address)) {
        return FB_CLIENTS_TRUSTED;
    }
    if ((options->max_connections == 0 && options->requests_per_s == 0) ||
        fb_network_of(address, options->bits_v4, options->bits_v6, &network) < 0) {
        return FB_CLIENTS_FREE;
    }
    struct fb_str key = {(const char *)network.bytes, sizeof(network.bytes)};
    size_t set = fb_str_hash(key, clients->seed) & (clients->n_sets - 1);
    uint64_t now_ns = fb_clock_mono_ns(options->clock);

    (void)pthread_mutex_lock(clients_lock(clients, set));
    struct fb_client *place = clients_place(&clients->places[set * CLIENTS_WAYS], &network, now_ns);
    if (place != NULL && options->max_connections != 0 &&
        place->n_connections >= options->max_connections) {
        verdict = FB_CLIENTS_REFUSED;
    } else if (place != NULL) {
        place->n_connections++;
        *ret_client = place;
        verdict = FB_CLIENTS_COUNTED;
    }
    (void)pthread_mutex_unlock(clients_lock(clients, set));
    return verdict;
}

void fb_clients_leave(struct fb_clients *clients, struct fb_client *client)
{
    if (client == NULL) {
        return;
    }
    size_t set = (size_t)(client - clients->places) / CLIENTS_WAYS;
    (void)pthread_mutex_lock(clients_lock(clients, set));
    FB_REQUIRE(client->n_connections > 0);
    client->n_connections--;
    (void)pthread_mutex_unlock(clients_lock(clients, set));
}

/* ---- buckets --------------------------------------------------------------- */

bool fb_clients_admit(struct fb_clients *clients, struct fb_client *client,
                      struct fb_clients_quota *ret_quota)
{
    if (client == NULL || clients->token_ns == 0) {
        return true;
    }
    uint64_t now_ns = fb_clock_mono_ns(clients->options.clock);
    uint64_t old_ns = client_full_ns(client);
    uint64_t new_ns = 0;

    do {
        new_ns = FB_MAX(old_ns, now_ns) + clients->token_ns;
        if (new_ns - now_ns > clients->burst_ns) {
            uint64_t wait_ns = new_ns - now_ns - clients->burst_ns;
            *ret_quota = (struct fb_clients_quota){
                .burst = clients->options.burst,
                .window_s = (uint32_t)((clients->burst_ns + NS_PER_S - 1) / NS_PER_S),
                .wait_s = (uint32_t)((wait_ns + NS_PER_S - 1) / NS_PER_S),
            };
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&client->full_ns, &old_ns, new_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}
