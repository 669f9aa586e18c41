#include "edge/views/salts.h"

#include "base/core/bytes.h"
#include "base/crypto/hash.h"
#include "base/sys/random.h"

#include <string.h>

#define DAY_MS INT64_C(86400000)

_Static_assert((int)EDGE_SALT_SIZE == (int)FB_SHA256_SIZE, "a salt is a hash");

/* ---- the day ----------------------------------------------------------- */

static int64_t day_of(int64_t wall_ms)
{
    return wall_ms >= 0 ? wall_ms / DAY_MS : -1;
}

static void salts_derive(struct edge_salts *salts)
{
    char day[sizeof(uint64_t)];

    fb_put_u64(day, (uint64_t)salts->day);
    fb_hmac_sha256((struct fb_str){(const char *)salts->key, sizeof(salts->key)},
                   (struct fb_str){day, sizeof(day)}, salts->key_of_day);
}

void edge_salts_init(struct edge_salts *salts, struct fb_str key, int64_t wall_ms)
{
    *salts = (struct edge_salts){.day = day_of(wall_ms)};
    fb_random_bytes(salts->now, sizeof(salts->now));
    if (key.len > 0) {
        fb_sha256(key, salts->key);
    } else {
        fb_random_bytes(salts->key, sizeof(salts->key));
    }
    salts_derive(salts);
}

void edge_salts_turn(struct edge_salts *salts, int64_t wall_ms, uint64_t overlap_ms)
{
    int64_t day = day_of(wall_ms);

    if (day != salts->day) {
        memcpy(salts->before, salts->now, sizeof(salts->before));
        salts->has_before = day == salts->day + 1;
        salts->day = day;
        fb_random_bytes(salts->now, sizeof(salts->now));
        salts_derive(salts);
    }
    if (salts->has_before && wall_ms - day * DAY_MS >= (int64_t)overlap_ms) {
        salts->has_before = false;
    }
    if (!salts->has_before) {
        explicit_bzero(salts->before, sizeof(salts->before));
    }
}

void edge_salts_done(struct edge_salts *salts)
{
    explicit_bzero(salts, sizeof(*salts));
}

/* ---- hashes ------------------------------------------------------------ */

static void hash_text(struct fb_sha256 *hash, struct fb_str text)
{
    char length[sizeof(uint32_t)];

    fb_put_u32(length, (uint32_t)text.len);
    fb_sha256_update(hash, (struct fb_str){length, sizeof(length)});
    fb_sha256_update(hash, text);
}

static void hash_begin(struct fb_sha256 *hash, const uint8_t salt[EDGE_SALT_SIZE], char kind)
{
    fb_sha256_init(hash);
    fb_sha256_update(hash, (struct fb_str){(const char *)salt, EDGE_SALT_SIZE});
    fb_sha256_update(hash, (struct fb_str){&kind, 1});
}

static struct edge_mark_key hash_end(struct fb_sha256 *hash)
{
    uint8_t digest[FB_SHA256_SIZE];
    struct edge_mark_key key;

    fb_sha256_finish(hash, digest);
    memcpy(key.bytes, digest, sizeof(key.bytes));
    return key;
}

static struct fb_str network_bytes(const struct fb_network *network)
{
    return (struct fb_str){(const char *)network->bytes, sizeof(network->bytes)};
}

struct edge_mark_key edge_salt_text(const uint8_t salt[EDGE_SALT_SIZE], char kind,
                                    struct fb_str text, struct fb_str video)
{
    struct fb_sha256 hash;

    hash_begin(&hash, salt, kind);
    hash_text(&hash, text);
    hash_text(&hash, video);
    return hash_end(&hash);
}

struct edge_mark_key edge_salt_viewer(const uint8_t salt[EDGE_SALT_SIZE],
                                      const struct edge_viewer *viewer, struct fb_str video)
{
    struct fb_sha256 hash;

    if (viewer->subject.len > 0) {
        return edge_salt_text(salt, 'u', viewer->subject, video);
    }
    hash_begin(&hash, salt, 'a');
    hash_text(&hash, network_bytes(&viewer->address));
    hash_text(&hash, viewer->agent);
    hash_text(&hash, video);
    return hash_end(&hash);
}

struct edge_mark_key edge_salt_network(const uint8_t salt[EDGE_SALT_SIZE],
                                       const struct fb_network *network, struct fb_str video)
{
    return edge_salt_text(salt, 'n', network_bytes(network), video);
}

uint64_t edge_mark_number(const struct edge_mark_key *key)
{
    return fb_get_u64((const char *)key->bytes);
}
