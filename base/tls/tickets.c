#include "base/tls/tickets.h"

#include "base/core/alloc.h"
#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/sys/random.h"

#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

/*
 *     ticket = name of the key (16) | nonce (12) | AES-256-GCM(date in ms (8) | session) | tag (16)
 *
 * Nonces are drawn at random: with a key's lifetime of a day, 2^32 tickets of one key are far.
 */
enum { NAME_SIZE = 16, NONCE_SIZE = 12, DATE_SIZE = 8, TAG_SIZE = 16, KEY_SIZE = 32 };
enum { SAVED_SIZE = NAME_SIZE + KEY_SIZE + DATE_SIZE };

struct ticket_key {
    uint8_t name[NAME_SIZE];
    uint8_t bytes[KEY_SIZE];
    int64_t made_ms;
    bool is_set;
};

struct fb_tls_tickets {
    atomic_uint n_refs;
    const struct fb_clock *clock;
    uint32_t lifetime_s;
    pthread_mutex_t lock;      /* of the keys, which are copied under it */
    struct ticket_key keys[2]; /* the one that seals, and the one before */
};

struct fb_tls_tickets *fb_tls_tickets_new(const struct fb_clock *clock, uint32_t lifetime_s)
{
    struct fb_tls_tickets *tickets = FB_NEW(struct fb_tls_tickets);

    FB_REQUIRE(lifetime_s > 0);
    atomic_init(&tickets->n_refs, 1);
    tickets->clock = clock;
    tickets->lifetime_s = lifetime_s;
    FB_REQUIRE(pthread_mutex_init(&tickets->lock, NULL) == 0);
    return tickets;
}

struct fb_tls_tickets *fb_tls_tickets_ref(struct fb_tls_tickets *tickets)
{
    (void)atomic_fetch_add_explicit(&tickets->n_refs, 1, memory_order_relaxed);
    return tickets;
}

void fb_tls_tickets_unref(struct fb_tls_tickets *tickets)
{
    if (tickets == NULL ||
        atomic_fetch_sub_explicit(&tickets->n_refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    (void)pthread_mutex_destroy(&tickets->lock);
    mbedtls_platform_zeroize(tickets, sizeof(*tickets));
    fb_free(tickets);
}

uint32_t fb_tls_tickets_lifetime_s(const struct fb_tls_tickets *tickets)
{
    return tickets->lifetime_s;
}

/* ---- keys ----------------------------------------------------------------- */

static int64_t lifetime_ms(const struct fb_tls_tickets *tickets)
{
    return (int64_t)tickets->lifetime_s * 1000;
}

static bool key_is_younger(const struct ticket_key *key, int64_t now_ms, int64_t age_ms)
{
    return key->is_set && now_ms - key->made_ms < age_ms;
}

/* Forgets what is too old, and draws a new key when the present one has had its time. */
static void keys_rotate(struct fb_tls_tickets *tickets, int64_t now_ms)
{
    struct ticket_key *keys = tickets->keys;

    if (!key_is_younger(&keys[0], now_ms, lifetime_ms(tickets))) {
        keys[1] = keys[0];
        fb_random_bytes(keys[0].name, sizeof(keys[0].name));
        fb_random_bytes(keys[0].bytes, sizeof(keys[0].bytes));
        keys[0].made_ms = now_ms;
        keys[0].is_set = true;
    }
    if (!key_is_younger(&keys[1], now_ms, 2 * lifetime_ms(tickets))) {
        mbedtls_platform_zeroize(&keys[1], sizeof(keys[1]));
    }
}

/* A copy of the key of that name, or with NULL of the one that seals; false if there is none. */
static bool key_get(struct fb_tls_tickets *tickets, const uint8_t *name, int64_t now_ms,
                    struct ticket_key *ret_key)
{
    bool is_found = false;

    FB_REQUIRE(pthread_mutex_lock(&tickets->lock) == 0);
    keys_rotate(tickets, now_ms);
    for (size_t i = 0; i < FB_ARRAY_LEN(tickets->keys) && !is_found; i++) {
        const struct ticket_key *key = &tickets->keys[i];
        is_found = key->is_set && (name == NULL || memcmp(name, key->name, NAME_SIZE) == 0);
        if (is_found) {
            *ret_key = *key;
        }
    }
    FB_REQUIRE(pthread_mutex_unlock(&tickets->lock) == 0);
    return is_found;
}

static void gcm_begin(mbedtls_gcm_context *gcm, struct ticket_key *key)
{
    mbedtls_gcm_init(gcm);
    FB_REQUIRE(mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key->bytes, KEY_SIZE * 8) == 0);
    mbedtls_platform_zeroize(key->bytes, sizeof(key->bytes));
}

/* ---- from one process to the next ------------------------------------------ */

/*
 *     saved = number of keys (1) | name (16) | key (32) | date in ms (8) | ...
 */
size_t fb_tls_tickets_save(struct fb_tls_tickets *tickets, char saved[FB_TLS_TICKETS_SAVED_MAX])
{
    size_t len = 1;

    FB_REQUIRE(pthread_mutex_lock(&tickets->lock) == 0);
    for (size_t i = 0; i < FB_ARRAY_LEN(tickets->keys) && tickets->keys[i].is_set; i++) {
        const struct ticket_key *key = &tickets->keys[i];
        memcpy(saved + len, key->name, NAME_SIZE);
        memcpy(saved + len + NAME_SIZE, key->bytes, KEY_SIZE);
        fb_put_u64(saved + len + NAME_SIZE + KEY_SIZE, (uint64_t)key->made_ms);
        len += SAVED_SIZE;
    }
    FB_REQUIRE(pthread_mutex_unlock(&tickets->lock) == 0);
    saved[0] = (char)(len / SAVED_SIZE);
    return len;
}

int fb_tls_tickets_load(struct fb_tls_tickets *tickets, struct fb_str saved)
{
    size_t n = saved.len > 0 ? (uint8_t)saved.ptr[0] : SIZE_MAX;

    if (n > FB_ARRAY_LEN(tickets->keys) || saved.len != 1 + n * SAVED_SIZE) {
        return FB_E_MALFORMED;
    }
    FB_REQUIRE(pthread_mutex_lock(&tickets->lock) == 0);
    for (size_t i = 0; i < n; i++) {
        const char *from = saved.ptr + 1 + i * SAVED_SIZE;
        struct ticket_key *key = &tickets->keys[i];
        memcpy(key->name, from, NAME_SIZE);
        memcpy(key->bytes, from + NAME_SIZE, KEY_SIZE);
        key->made_ms = (int64_t)fb_get_u64(from + NAME_SIZE + KEY_SIZE);
        key->is_set = true;
    }
    FB_REQUIRE(pthread_mutex_unlock(&tickets->lock) == 0);
    return FB_OK;
}

/* ---- tickets -------------------------------------------------------------- */

int fb_tls_ticket_seal(struct fb_tls_tickets *tickets, struct fb_str session, uint8_t *ticket,
                       size_t max, size_t *ret_len)
{
    int64_t now_ms = fb_clock_wall_ms(tickets->clock);
    size_t len = session.len + FB_TLS_TICKET_OVERHEAD;
    struct ticket_key key;
    mbedtls_gcm_context gcm;
    char date[DATE_SIZE];

    if (len > max) {
        return FB_E_LIMIT;
    }
    FB_REQUIRE(key_get(tickets, NULL, now_ms, &key));
    uint8_t *nonce = ticket + NAME_SIZE;
    uint8_t *sealed = nonce + NONCE_SIZE;
    memcpy(ticket, key.name, NAME_SIZE);
    fb_random_bytes(nonce, NONCE_SIZE);
    fb_put_u64(date, (uint64_t)now_ms);
    memcpy(sealed, date, DATE_SIZE);
    memcpy(sealed + DATE_SIZE, session.ptr, session.len);
    gcm_begin(&gcm, &key);
    int code = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, DATE_SIZE + session.len, nonce,
                                         NONCE_SIZE, ticket, NAME_SIZE, sealed, sealed, TAG_SIZE,
                                         sealed + DATE_SIZE + session.len);
    mbedtls_gcm_free(&gcm);
    if (code != 0) {
        return FB_E_FOREIGN;
    }
    *ret_len = len;
    return FB_OK;
}

int fb_tls_ticket_open(struct fb_tls_tickets *tickets, const uint8_t *ticket, size_t len,
                       uint8_t *session, size_t *ret_len)
{
    int64_t now_ms = fb_clock_wall_ms(tickets->clock);
    struct ticket_key key;
    mbedtls_gcm_context gcm;
    char date[DATE_SIZE];

    if (len < FB_TLS_TICKET_OVERHEAD || !key_get(tickets, ticket, now_ms, &key)) {
        return FB_E_DENIED;
    }
    const uint8_t *nonce = ticket + NAME_SIZE;
    const uint8_t *sealed = nonce + NONCE_SIZE;
    size_t n_sealed = len - NAME_SIZE - NONCE_SIZE - TAG_SIZE;
    gcm_begin(&gcm, &key);
    int code = mbedtls_gcm_auth_decrypt(&gcm, n_sealed, nonce, NONCE_SIZE, ticket, NAME_SIZE,
                                        sealed + n_sealed, TAG_SIZE, sealed, session);
    mbedtls_gcm_free(&gcm);
    if (code != 0) {
        return FB_E_DENIED;
    }
    memcpy(date, session, DATE_SIZE);
    int64_t age_ms = now_ms - (int64_t)fb_get_u64(date);
    memmove(session, session + DATE_SIZE, n_sealed - DATE_SIZE);
    if (age_ms >= lifetime_ms(tickets)) {
        return FB_E_EXPIRED;
    }
    *ret_len = n_sealed - DATE_SIZE;
    return FB_OK;
}
