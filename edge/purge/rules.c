#include "base/core/alloc.h"
#include "base/core/order.h"
#include "edge/purge/purge_internal.h"
#include "edge/purge/tags.h"

#include <stdlib.h>
#include <string.h>

enum { RULES_FIRST_SIZE = 64, LENGTH_WORDS = EDGE_PURGE_TEXT_MAX / 64 + 1 };

/* ---- hashes -------------------------------------------------------------- */

/* Grows byte by byte, so that one pass over a key gives the hashes of all its beginnings. */
static uint64_t hash_step(uint64_t hash, char byte)
{
    hash = (hash ^ (uint8_t)byte) * 0x9e3779b97f4a7c15U;
    return hash ^ hash >> 32;
}

static uint64_t hash_end(uint64_t hash, enum edge_purge_kind kind, size_t len)
{
    hash ^= (uint64_t)kind << 56 ^ (uint64_t)len;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdU;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53U;
    hash ^= hash >> 33;
    return hash != 0 ? hash : 1;
}

static uint64_t hash_of(const struct edge_purge_rules *rules, enum edge_purge_kind kind,
                        struct fb_str text)
{
    uint64_t hash = rules->seed;

    for (size_t i = 0; i < text.len; i++) {
        hash = hash_step(hash, text.ptr[i]);
    }
    return hash_end(hash, kind, text.len);
}

/* ---- the table ----------------------------------------------------------- */

/* The rule of `hash`, or the free place where it belongs. */
static struct purge_rule *rules_at(const struct edge_purge_rules *rules, uint64_t hash)
{
    size_t i = hash & (rules->size - 1);

    while (rules->table[i].hash != 0 && rules->table[i].hash != hash) {
        i = (i + 1) & (rules->size - 1);
    }
    return &rules->table[i];
}

void edge_purge_rules_init(struct edge_purge_rules *rules, uint64_t seed, uint64_t floor)
{
    *rules = (struct edge_purge_rules){.seed = seed, .floor = floor, .size = RULES_FIRST_SIZE};
    rules->table = fb_alloc_array(rules->size, sizeof(*rules->table));
}

void edge_purge_rules_done(struct edge_purge_rules *rules)
{
    fb_free(rules->table);
    fb_free(rules->lengths);
    *rules = (struct edge_purge_rules){0};
}

/* The size of a table that is at most half full with `n`. */
static size_t size_for(size_t size, size_t n)
{
    while (size < 2 * n) {
        size *= 2;
    }
    return size;
}

static uint64_t newer(uint64_t epoch, uint64_t floor)
{
    return epoch > floor ? epoch : 0;
}

bool edge_purge_rules_remake(const struct edge_purge_rules *rules, size_t n, uint64_t floor,
                             struct edge_purge_rules *ret_copy)
{
    size_t size = size_for(rules->size, rules->n + n);

    if (size == rules->size && floor == rules->floor) {
        return false;
    }
    *ret_copy = *rules;
    ret_copy->floor = floor;
    ret_copy->n = 0;
    ret_copy->size = size;
    ret_copy->table = fb_alloc_array(size, sizeof(*ret_copy->table));
    for (size_t i = 0; i < rules->size; i++) {
        struct purge_rule rule = rules->table[i];
        rule.hard = newer(rule.hard, floor);
        rule.soft = newer(rule.soft, floor);
        if (rule.hard != 0 || rule.soft != 0) {
            *rules_at(ret_copy, rule.hash) = rule;
            ret_copy->n++;
        }
    }
    if (rules->lengths != NULL) {
        ret_copy->lengths = fb_alloc_array(LENGTH_WORDS, sizeof(uint64_t));
        memcpy(ret_copy->lengths, rules->lengths, LENGTH_WORDS * sizeof(uint64_t));
    }
    return true;
}

static int compare_epochs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return FB_ORDER(x, y);
}

uint64_t edge_purge_rules_oldest(const struct edge_purge_rules *rules, size_t n)
{
    uint64_t *epochs = fb_alloc_array(rules->n + 1, sizeof(uint64_t));
    size_t at = 0;

    for (size_t i = 0; i < rules->size; i++) {
        if (rules->table[i].hash != 0) {
            epochs[at++] = FB_MAX(rules->table[i].hard, rules->table[i].soft);
        }
    }
    qsort(epochs, at, sizeof(uint64_t), compare_epochs);
    uint64_t oldest = at > 0 && n > 0 ? epochs[FB_MIN(n, at) - 1] : rules->floor;
    fb_free(epochs);
    return oldest;
}

static void rule_renew(struct purge_rule *rule, bool is_soft, uint64_t epoch)
{
    uint64_t *at = is_soft ? &rule->soft : &rule->hard;

    *at = FB_MAX(*at, epoch);
}

void edge_purge_rules_add(struct edge_purge_rules *rules, const struct edge_purge *purge,
                          uint64_t epoch)
{
    if (size_for(rules->size, rules->n + 1) > rules->size) {
        struct edge_purge_rules next;
        if (edge_purge_rules_remake(rules, 1, rules->floor, &next)) {
            edge_purge_rules_done(rules);
            *rules = next;
        }
    }
    uint64_t hash = hash_of(rules, purge->kind, purge->text);
    struct purge_rule *rule = rules_at(rules, hash);
    rules->n += rule->hash == 0 ? 1 : 0;
    rule->hash = hash;
    rule_renew(rule, purge->is_soft, epoch);
    if (purge->kind == EDGE_PURGE_TAG) {
        rule_renew(&rules->any_tag, purge->is_soft, epoch);
    }
    if (purge->kind == EDGE_PURGE_PREFIX) {
        if (rules->lengths == NULL) {
            rules->lengths = fb_alloc_array(LENGTH_WORDS, sizeof(uint64_t));
        }
        size_t length = FB_MIN(purge->text.len, (size_t)EDGE_PURGE_TEXT_MAX);
        rules->lengths[length / 64] |= (uint64_t)1 << length % 64;
    }
}

/* ---- judging ------------------------------------------------------------- */

/* The newest epochs of what applies. */
static void judge_by(struct purge_rule *found, const struct purge_rule *rule)
{
    found->hard = FB_MAX(found->hard, rule->hard);
    found->soft = FB_MAX(found->soft, rule->soft);
}

static bool has_length(const struct edge_purge_rules *rules, size_t length)
{
    return rules->lengths != NULL && length <= EDGE_PURGE_TEXT_MAX &&
           (rules->lengths[length / 64] >> length % 64 & 1) != 0;
}

static void judge_key(const struct edge_purge_rules *rules, struct fb_str key,
                      struct purge_rule *found)
{
    uint64_t hash = rules->seed;

    for (size_t i = 0; i <= key.len; i++) {
        if (has_length(rules, i)) {
            judge_by(found, rules_at(rules, hash_end(hash, EDGE_PURGE_PREFIX, i)));
        }
        hash = i < key.len ? hash_step(hash, key.ptr[i]) : hash;
    }
    judge_by(found, rules_at(rules, hash_end(hash, EDGE_PURGE_URL, key.len)));
}

static void judge_tags(const struct edge_purge_rules *rules, struct fb_str tags,
                       struct purge_rule *found)
{
    struct fb_str tag = FB_STR_NONE;

    for (unsigned n = 0; edge_tags_next(&tags, &tag); n++) {
        if (n == EDGE_TAGS_MAX || tag.len > EDGE_TAG_MAX) {
            judge_by(found, &rules->any_tag);
            return;
        }
        judge_by(found, rules_at(rules, hash_of(rules, EDGE_PURGE_TAG, tag)));
    }
}

enum edge_purge_verdict edge_purge_rules_judge(const struct edge_purge_rules *rules,
                                               const struct edge_purge_subject *subject,
                                               uint64_t *ret_epoch)
{
    struct purge_rule found = {.soft = rules->floor};
    enum edge_purge_verdict verdict = EDGE_PURGE_KEEP;

    judge_key(rules, subject->key, &found);
    if (rules->any_tag.hard > subject->birth || rules->any_tag.soft > subject->birth) {
        judge_tags(rules, subject->tags, &found);
    }
    uint64_t epoch = 0;
    if (found.hard > subject->birth) {
        verdict = EDGE_PURGE_GONE;
        epoch = found.hard;
    } else if (found.soft > subject->birth) {
        verdict = EDGE_PURGE_SOFT;
        epoch = found.soft;
    }
    *ret_epoch = epoch;
    return verdict;
}
