#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/format/format_internal.h"

static const char extent_magic[] = "FBEXTENT";
static const char purge_magic[] = "FBPURGE";
static const char ledger_magic[] = "FBLEDGER";

/* Of all kinds; a purge has no more than fingerprint and time, a ledger the time alone. */
enum {
    AT_HEAD_BLOCKS = 18,
    AT_FLAGS = 19,
    AT_BLOCK = 20,
    AT_GENERATION = 24,
    AT_N_BLOCKS = 32,
    AT_NUMBER = 36,
    AT_FINGERPRINT = 40,
    AT_VERSION = 48,
    AT_LENGTH = 56,
    AT_WALL = 64,
    AT_TITLE = 72,
    AT_MASK = 76,
    AT_KEY_LEN = 78,
    AT_META_LEN = 80,
    AT_PREVIOUS = 88,
    AT_CHUNK_BYTES = 96,
    AT_CHUNK_SUMS = 112,
    AT_KEY = 144,    /* of an extent; its meta follows */
    AT_WRITTEN = 144 /* of a ledger */
};

enum { FLAG_REWRITTEN = 1 };

static const char *record_magic(enum edge_record_kind kind)
{
    switch (kind) {
    case EDGE_RECORD_EXTENT:
        return extent_magic;
    case EDGE_RECORD_PURGE:
        return purge_magic;
    case EDGE_RECORD_LEDGER:
        return ledger_magic;
    }
    return NULL;
}

unsigned edge_record_head_blocks(size_t key_len, size_t meta_len)
{
    size_t room = (size_t)EDGE_FORMAT_MAX_HEAD_BLOCKS * EDGE_FORMAT_BLOCK - AT_KEY;

    if (key_len > room || meta_len > room - key_len) {
        return 0;
    }
    return (unsigned)((AT_KEY + key_len + meta_len + EDGE_FORMAT_BLOCK - 1) / EDGE_FORMAT_BLOCK);
}

unsigned edge_record_chunk_blocks(uint32_t chunk_bytes)
{
    return (unsigned)(((uint64_t)chunk_bytes + EDGE_FORMAT_BLOCK - 1) / EDGE_FORMAT_BLOCK);
}

unsigned edge_record_chunk_block(const struct edge_record *record, unsigned chunk)
{
    unsigned block = record->n_head_blocks;

    FB_REQUIRE(chunk < EDGE_EXTENT_CHUNKS && record->chunk_bytes[chunk] > 0);
    for (unsigned i = 0; i < chunk; i++) {
        block += edge_record_chunk_blocks(record->chunk_bytes[i]);
    }
    return block;
}

static bool extent_is_sound(const struct edge_record *record)
{
    const struct edge_extent_head *head = &record->head;
    uint64_t first_chunk = (uint64_t)head->id.number * EDGE_EXTENT_CHUNKS;
    uint32_t n_blocks = record->n_head_blocks;

    if (head->mask == 0 || head->mask >> EDGE_EXTENT_CHUNKS != 0 || record->n_head_blocks == 0 ||
        record->n_head_blocks != edge_record_head_blocks(head->key.len, head->meta.len)) {
        return false;
    }
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        bool is_there = (head->mask >> i & 1) != 0;
        uint32_t whole = edge_chunk_bytes(head->length, first_chunk + i);
        if ((is_there && whole == 0) || record->chunk_bytes[i] != (is_there ? whole : 0)) {
            return false;
        }
        n_blocks += edge_record_chunk_blocks(record->chunk_bytes[i]);
    }
    return record->n_blocks == n_blocks;
}

bool edge_record_is_sound(const struct edge_record *record)
{
    if (record->block == 0 || record->block >= EDGE_ZONE_MAX_BLOCKS || record->generation == 0 ||
        record_magic(record->kind) == NULL) {
        return false;
    }
    if (record->kind == EDGE_RECORD_EXTENT) {
        return extent_is_sound(record) && record->n_blocks <= EDGE_ZONE_MAX_BLOCKS - record->block;
    }
    return record->n_head_blocks == 1 && record->n_blocks == 1;
}

static void extent_encode(const struct edge_record *record, char *blocks)
{
    const struct edge_extent_head *head = &record->head;

    fb_put_u32(blocks + AT_NUMBER, head->id.number);
    fb_put_u64(blocks + AT_VERSION, head->id.version);
    fb_put_u64(blocks + AT_LENGTH, head->length);
    fb_put_u32(blocks + AT_TITLE, head->title);
    blocks[AT_MASK] = (char)head->mask;
    fb_put_u16(blocks + AT_KEY_LEN, (uint16_t)head->key.len);
    fb_put_u32(blocks + AT_META_LEN, (uint32_t)head->meta.len);
    for (size_t i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        fb_put_u32(blocks + AT_CHUNK_BYTES + 4 * i, record->chunk_bytes[i]);
        fb_put_u64(blocks + AT_CHUNK_SUMS + 8 * i, record->chunk_sums[i]);
    }
    if (head->key.len > 0) {
        memcpy(blocks + AT_KEY, head->key.ptr, head->key.len);
    }
    if (head->meta.len > 0) {
        memcpy(blocks + AT_KEY + head->key.len, head->meta.ptr, head->meta.len);
    }
}

void edge_record_encode(struct edge_record *record, char *blocks)
{
    FB_REQUIRE(edge_record_is_sound(record));
    edge_head_begin(blocks, record->n_head_blocks, record_magic(record->kind));
    blocks[AT_HEAD_BLOCKS] = (char)record->n_head_blocks;
    blocks[AT_FLAGS] = record->is_rewritten ? FLAG_REWRITTEN : 0;
    fb_put_u32(blocks + AT_BLOCK, record->block);
    fb_put_u64(blocks + AT_GENERATION, record->generation);
    fb_put_u32(blocks + AT_N_BLOCKS, record->n_blocks);
    fb_put_u64(blocks + AT_PREVIOUS, record->previous);
    fb_put_u64(blocks + AT_FINGERPRINT, record->head.id.fingerprint);
    fb_put_u64(blocks + AT_WALL, (uint64_t)record->head.wall_ms);
    if (record->kind == EDGE_RECORD_EXTENT) {
        extent_encode(record, blocks);
    } else if (record->kind == EDGE_RECORD_LEDGER) {
        edge_written_put(blocks + AT_WRITTEN, &record->written);
    }
    record->sum = edge_head_end(blocks, record->n_head_blocks);
}

/* Strings whose lengths do not fit are left out, so that the record is not sound. */
static void extent_decode(const char *blocks, struct edge_record *record)
{
    struct edge_extent_head *head = &record->head;
    size_t key_len = fb_get_u16(blocks + AT_KEY_LEN);
    size_t meta_len = fb_get_u32(blocks + AT_META_LEN);

    head->id.number = fb_get_u32(blocks + AT_NUMBER);
    head->id.version = fb_get_u64(blocks + AT_VERSION);
    head->length = fb_get_u64(blocks + AT_LENGTH);
    head->title = fb_get_u32(blocks + AT_TITLE);
    head->mask = (uint8_t)blocks[AT_MASK];
    head->key = (struct fb_str){blocks + AT_KEY, key_len};
    head->meta = (struct fb_str){NULL, meta_len};
    if (edge_record_head_blocks(key_len, meta_len) == record->n_head_blocks) {
        head->meta.ptr = blocks + AT_KEY + key_len;
    }
    for (size_t i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        record->chunk_bytes[i] = fb_get_u32(blocks + AT_CHUNK_BYTES + 4 * i);
        record->chunk_sums[i] = fb_get_u64(blocks + AT_CHUNK_SUMS + 8 * i);
    }
}

static bool record_kind(const char *block, enum edge_record_kind *ret_kind)
{
    for (enum edge_record_kind kind = EDGE_RECORD_EXTENT; kind <= EDGE_RECORD_LEDGER; kind++) {
        if (edge_head_is(block, record_magic(kind))) {
            *ret_kind = kind;
            return true;
        }
    }
    return false;
}

int edge_record_decode(const char *blocks, size_t n, struct edge_record *ret_record)
{
    FB_REQUIRE(n >= EDGE_FORMAT_BLOCK);
    struct edge_record record = {.n_head_blocks = (uint8_t)blocks[AT_HEAD_BLOCKS]};

    if (!record_kind(blocks, &record.kind)) {
        return FB_E_MALFORMED;
    }
    if (record.n_head_blocks == 0 || record.n_head_blocks > EDGE_FORMAT_MAX_HEAD_BLOCKS) {
        return FB_E_CORRUPT;
    }
    if (record.n_head_blocks > n / EDGE_FORMAT_BLOCK) {
        ret_record->n_head_blocks = record.n_head_blocks;
        return FB_E_LIMIT;
    }
    int err = edge_head_check(blocks, record.n_head_blocks);
    if (err < 0) {
        return err;
    }
    record.is_rewritten = (blocks[AT_FLAGS] & FLAG_REWRITTEN) != 0;
    record.block = fb_get_u32(blocks + AT_BLOCK);
    record.generation = fb_get_u64(blocks + AT_GENERATION);
    record.n_blocks = fb_get_u32(blocks + AT_N_BLOCKS);
    record.previous = fb_get_u64(blocks + AT_PREVIOUS);
    record.sum = edge_head_sum(blocks);
    record.head.id.fingerprint = fb_get_u64(blocks + AT_FINGERPRINT);
    record.head.wall_ms = (int64_t)fb_get_u64(blocks + AT_WALL);
    if (record.kind == EDGE_RECORD_EXTENT) {
        extent_decode(blocks, &record);
    } else if (record.kind == EDGE_RECORD_LEDGER) {
        edge_written_get(blocks + AT_WRITTEN, &record.written);
    }
    if (!edge_record_is_sound(&record)) {
        return FB_E_CORRUPT;
    }
    *ret_record = record;
    return FB_OK;
}
