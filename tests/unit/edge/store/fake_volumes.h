/*
 * Volumes and an admission in memory, in place of the real ones: what is written is found
 * at once, reads may be held back or fail, and everything is counted.
 *
 * Threads    Any.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/list.h"
#include "edge/format/format.h"
#include "edge/policy/admission.h"
#include "edge/volume/volumes.h"

#include <pthread.h>
#include <string.h>

enum { FAKE_HEAD_BYTES = 4096 };

struct fake_record {
    struct fb_list link; /* newest first */
    uint32_t number;     /* place.block */
    struct edge_extent_head head;
    struct fb_buf key;
    struct fb_buf meta;
    struct fb_buf chunks[EDGE_EXTENT_CHUNKS];
};

struct edge_volumes {
    pthread_mutex_t lock;
    struct fb_list records;
    uint32_t n_records; /* ever */

    /* For tests to set. */
    bool holds_reads;
    bool holds_purges;
    int read_error; /* of all reads; FB_E_CORRUPT takes the record out */
    int write_error;
    bool admits;
    struct edge_volume_room room;

    /* For tests to read. */
    unsigned n_reads;
    unsigned n_writes;
    unsigned n_purges;
    unsigned n_asked;
    unsigned n_seen;
    unsigned n_touched; /* hits */
    uint8_t last_mask;
    struct edge_volumes_purge *held_purge;
    struct edge_volume_read *held_reads[16];
    unsigned n_held;
};

static struct edge_volumes *fake_volumes; /* for admission, which has no other way to it */

static inline struct edge_volumes *fake_volumes_new(void)
{
    struct edge_volumes *volumes = FB_NEW(struct edge_volumes);

    (void)pthread_mutex_init(&volumes->lock, NULL);
    fb_list_init(&volumes->records);
    volumes->admits = true;
    volumes->room.is_in_service = true;
    fake_volumes = volumes;
    return volumes;
}

static inline void fake_record_free(struct fake_record *record)
{
    fb_list_remove(&record->link);
    fb_buf_done(&record->key);
    fb_buf_done(&record->meta);
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        fb_buf_done(&record->chunks[i]);
    }
    fb_free(record);
}

static inline void fake_volumes_free(struct edge_volumes *volumes)
{
    FB_LIST_EACH(node, &volumes->records) {
        fake_record_free(FB_CONTAINER_OF(node, struct fake_record, link));
    }
    (void)pthread_mutex_destroy(&volumes->lock);
    fb_free(volumes);
}

/* ---- reading ------------------------------------------------------------- */

/* Under the lock. */
static inline struct fake_record *
fake_find(struct edge_volumes *volumes, const struct edge_extent_id *id, int chunk, unsigned nth)
{
    FB_LIST_EACH(node, &volumes->records) {
        struct fake_record *record = FB_CONTAINER_OF(node, struct fake_record, link);
        if (record->head.id.fingerprint == id->fingerprint &&
            record->head.id.number == id->number &&
            (id->version == 0 || id->version == record->head.id.version) &&
            (chunk < 0 || (record->head.mask >> chunk & 1) != 0) && nth-- == 0) {
            return record;
        }
    }
    return NULL;
}

bool edge_volumes_find(struct edge_volumes *volumes, const struct edge_extent_id *id, int chunk,
                       unsigned nth, struct edge_volume_place *ret_place)
{
    (void)pthread_mutex_lock(&volumes->lock);
    struct fake_record *record = fake_find(volumes, id, chunk, nth);
    if (record != NULL) {
        *ret_place =
            (struct edge_volume_place){.place = {.block = record->number, .n_head_blocks = 1}};
    }
    (void)pthread_mutex_unlock(&volumes->lock);
    return record != NULL;
}

size_t edge_volumes_read_bytes(const struct edge_volume_place *place)
{
    (void)place;
    return FAKE_HEAD_BYTES + EDGE_CHUNK_BYTES;
}

/* Under the lock. */
static inline int fake_read(struct edge_volumes *volumes, struct edge_volume_read *read)
{
    struct fake_record *record = NULL;
    unsigned chunk = read->chunk < 0 ? 0 : (unsigned)read->chunk;

    FB_LIST_EACH(node, &volumes->records) {
        struct fake_record *at = FB_CONTAINER_OF(node, struct fake_record, link);
        record = at->number == read->place.place.block ? at : record;
    }
    if (record == NULL || !fb_str_equal(fb_buf_str(&record->key), read->key)) {
        return FB_E_NOT_FOUND;
    }
    if (volumes->read_error == FB_E_CORRUPT) {
        fake_record_free(record);
    }
    if (volumes->read_error < 0) {
        return volumes->read_error;
    }
    while ((record->head.mask >> chunk & 1) == 0) {
        chunk++;
    }
    FB_REQUIRE(record->key.len + record->meta.len <= FAKE_HEAD_BYTES);
    if (read->is_unwanted != NULL) {
        struct edge_extent_head head = record->head;
        head.key = fb_buf_str(&record->key);
        head.meta = fb_buf_str(&record->meta);
        if (read->is_unwanted(read->ctx, &head)) {
            fake_record_free(record);
            return FB_E_NOT_FOUND;
        }
    }
    memcpy(read->memory, record->key.ptr, record->key.len);
    memcpy(read->memory + record->key.len, record->meta.ptr, record->meta.len);
    memcpy(read->memory + FAKE_HEAD_BYTES, record->chunks[chunk].ptr, record->chunks[chunk].len);
    read->head = record->head;
    read->head.key = (struct fb_str){read->memory, record->key.len};
    read->head.meta = (struct fb_str){read->memory + record->key.len, record->meta.len};
    read->bytes = (struct fb_str){read->memory + FAKE_HEAD_BYTES, record->chunks[chunk].len};
    read->found_chunk = chunk;
    return FB_OK;
}

void edge_volumes_read(struct edge_volumes *volumes, struct edge_volume_read *read)
{
    fb_op_begin(&read->op, NULL);
    (void)pthread_mutex_lock(&volumes->lock);
    volumes->n_reads++;
    bool is_held = volumes->holds_reads;
    int result = is_held ? FB_OK : fake_read(volumes, read);
    if (is_held) {
        FB_REQUIRE(volumes->n_held < FB_ARRAY_LEN(volumes->held_reads));
        volumes->held_reads[volumes->n_held++] = read;
    }
    (void)pthread_mutex_unlock(&volumes->lock);
    if (!is_held) {
        fb_op_finish(&read->op, result);
    }
}

/* Lets all reads that were held back go. */
static inline void fake_let_read(struct edge_volumes *volumes)
{
    volumes->holds_reads = false;
    for (unsigned i = 0; i < volumes->n_held; i++) {
        struct edge_volume_read *read = volumes->held_reads[i];
        fb_op_finish(&read->op, fake_read(volumes, read));
    }
    volumes->n_held = 0;
}

void edge_volumes_touch(struct edge_volumes *volumes, const struct edge_extent_id *id,
                        unsigned hits)
{
    (void)id;
    (void)pthread_mutex_lock(&volumes->lock);
    volumes->n_touched += hits;
    (void)pthread_mutex_unlock(&volumes->lock);
}

/* ---- writing ------------------------------------------------------------- */

int edge_volumes_write(struct edge_volumes *volumes, const struct edge_volume_write *write)
{
    if (volumes->write_error < 0) {
        return volumes->write_error;
    }
    struct fake_record *record = FB_NEW(struct fake_record);
    record->head = write->head;
    fb_buf_append(&record->key, write->head.key);
    fb_buf_append(&record->meta, write->head.meta);
    FB_REQUIRE(write->head.mask != 0 && write->head.id.version != 0);
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if ((write->head.mask >> i & 1) != 0) {
            uint64_t chunk = (uint64_t)write->head.id.number * EDGE_EXTENT_CHUNKS + i;
            FB_REQUIRE(write->chunks[i].len == edge_chunk_bytes(write->head.length, chunk));
            fb_buf_append(&record->chunks[i], write->chunks[i]);
        }
    }
    fb_list_init(&record->link);
    (void)pthread_mutex_lock(&volumes->lock);
    record->number = ++volumes->n_records;
    fb_list_prepend(&volumes->records, &record->link);
    volumes->n_writes++;
    volumes->last_mask = write->head.mask;
    (void)pthread_mutex_unlock(&volumes->lock);
    write->release(write->owner);
    return FB_OK;
}

struct edge_volume_room edge_volumes_room(struct edge_volumes *volumes, uint64_t fingerprint)
{
    (void)fingerprint;
    return volumes->room;
}

bool edge_volumes_have_lost(struct edge_volumes *volumes, uint64_t fingerprint)
{
    (void)fingerprint;
    return !volumes->room.is_in_service;
}

static inline void fake_purge(struct edge_volumes *volumes, struct edge_volumes_purge *purge)
{
    purge->n_extents = 0;
    (void)pthread_mutex_lock(&volumes->lock);
    FB_LIST_EACH(node, &volumes->records) {
        struct fake_record *record = FB_CONTAINER_OF(node, struct fake_record, link);
        if (record->head.id.fingerprint == purge->fingerprint) {
            fake_record_free(record);
            purge->n_extents++;
        }
    }
    (void)pthread_mutex_unlock(&volumes->lock);
    fb_op_finish(&purge->op, FB_OK);
}

void edge_volumes_purge(struct edge_volumes *volumes, struct edge_volumes_purge *purge)
{
    fb_op_begin(&purge->op, NULL);
    (void)pthread_mutex_lock(&volumes->lock);
    volumes->n_purges++;
    (void)pthread_mutex_unlock(&volumes->lock);
    if (volumes->holds_purges) {
        volumes->held_purge = purge;
    } else {
        fake_purge(volumes, purge);
    }
}

size_t edge_volumes_count(const struct edge_volumes *volumes)
{
    (void)volumes;
    return 1;
}

void edge_volumes_status(struct edge_volumes *volumes, size_t i, struct edge_volume_status *ret)
{
    (void)volumes;
    (void)i;
    *ret = (struct edge_volume_status){
        .path = "fake", .state = EDGE_VOLUME_ONLINE, .size = (uint64_t)1 << 30};
}

/* ---- admission ----------------------------------------------------------- */

struct edge_admission *edge_admission_new(uint64_t volume_bytes)
{
    FB_REQUIRE(volume_bytes > 0);
    return (struct edge_admission *)fb_alloc(1);
}

void edge_admission_free(struct edge_admission *admission)
{
    fb_free(admission);
}

bool edge_admission_ask(struct edge_admission *admission, const struct edge_admission_ask *ask)
{
    (void)admission;
    FB_REQUIRE(ask->size > 0);
    fake_volumes->n_asked++;
    return fake_volumes->admits;
}

void edge_admission_seen(struct edge_admission *admission, const struct edge_admission_ask *ask)
{
    (void)admission;
    (void)ask;
    fake_volumes->n_seen++;
}
