#include "base/wire/view_report.h"

#include "base/compress/compress.h"
#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/bytes.h"
#include "base/core/err.h"
#include "base/core/varint.h"
#include "base/crypto/hash.h"
#include "base/sketch/hyperloglog.h"
#include "base/wire/view_internal.h"

#include <stdlib.h>

/* Columns, one number of all entries after the other, are half as long as rows once compressed. */

enum { VERSION = 1, TOTALS_N = sizeof(struct fb_view_totals) / sizeof(uint64_t), HEAD_SIZE = 5 };

static const struct fb_str magic = {"FBVR", 4};

static const struct sketch_column {
    size_t offset;
    unsigned precision;
} sketch_columns[] = {
    {offsetof(struct fb_view_entry, viewers), FB_VIEW_VIEWERS_PRECISION},
    {offsetof(struct fb_view_entry, networks), FB_VIEW_NETWORKS_PRECISION},
};

static struct fb_hyperloglog **entry_sketch(struct fb_view_entry *entry, size_t column)
{
    return (struct fb_hyperloglog **)(void *)((char *)entry + sketch_columns[column].offset);
}

/* Totals are nothing but numbers: both ways through one array. */
static uint64_t *totals_numbers(struct fb_view_totals *totals)
{
    return (uint64_t *)(void *)totals;
}

void fb_view_totals_add(struct fb_view_totals *into, const struct fb_view_totals *from)
{
    struct fb_view_totals other = *from;

    for (size_t i = 0; i < TOTALS_N; i++) {
        totals_numbers(into)[i] = fb_view_sum(totals_numbers(into)[i], totals_numbers(&other)[i]);
    }
}

/* By video, minute, span and rendition. */
static int entry_order(const void *a, const void *b)
{
    const struct fb_view_entry *x = a;
    const struct fb_view_entry *y = b;
    int order = fb_str_compare(x->video, y->video);

    if (order == 0 && x->minute != y->minute) {
        order = x->minute < y->minute ? -1 : 1;
    }
    if (order == 0 && x->span != y->span) {
        order = x->span < y->span ? -1 : 1;
    }
    return order != 0 ? order : fb_str_compare(x->rendition, y->rendition);
}

static bool entry_is_sound(const struct fb_view_entry *entry)
{
    return entry->video.len > 0 && entry->video.len <= FB_VIEW_VIDEO_MAX &&
           entry->rendition.len <= FB_VIEW_RENDITION_MAX && entry->minute >= 0 &&
           entry->minute <= FB_VIEW_MINUTE_MAX && entry->span > 0 &&
           entry->span <= FB_VIEW_SPAN_MAX;
}

/* ---- encoding --------------------------------------------------------------- */

static void put_str(struct fb_buf *to, struct fb_str str)
{
    fb_varint_append(to, str.len);
    fb_buf_append(to, str);
}

static void put_u64(struct fb_buf *to, uint64_t number)
{
    char bytes[sizeof(number)];
    fb_put_u64(bytes, number);
    fb_buf_append(to, (struct fb_str){bytes, sizeof(bytes)});
}

static void put_head(struct fb_buf *to, const struct fb_view_report *report)
{
    struct fb_view_totals totals = report->totals;

    put_str(to, report->node);
    put_str(to, report->region);
    put_u64(to, report->epoch);
    fb_varint_append(to, report->sequence);
    fb_buf_append(to, fb_sha256_str(report->previous));
    fb_varint_append(to, (uint64_t)report->made_ms);
    for (size_t i = 0; i < TOTALS_N; i++) {
        fb_varint_append(to, totals_numbers(&totals)[i]);
    }
    fb_varint_append(to, report->n_merged);
    for (size_t i = 0; i < report->n_merged; i++) {
        put_str(to, report->merged[i].node);
        put_u64(to, report->merged[i].epoch);
        fb_varint_append(to, report->merged[i].first);
        fb_varint_append(to, report->merged[i].last);
    }
}

/* What entries are of: a video as the one before is an empty name. */
static void put_keys(struct fb_buf *to, const struct fb_view_report *report)
{
    struct fb_str video = FB_STR_NONE;
    int64_t minute = 0;

    for (size_t i = 0; i < report->n_entries; i++) {
        bool is_same = fb_str_equal(report->entries[i].video, video);
        put_str(to, is_same ? FB_STR_NONE : report->entries[i].video);
        video = report->entries[i].video;
    }
    for (size_t i = 0; i < report->n_entries; i++) {
        fb_varint_append(to, fb_varint_fold(report->entries[i].minute - minute));
        minute = report->entries[i].minute;
    }
    for (size_t i = 0; i < report->n_entries; i++) {
        fb_varint_append(to, report->entries[i].span);
    }
    for (size_t i = 0; i < report->n_entries; i++) {
        put_str(to, report->entries[i].rendition);
    }
}

static void put_sketch(struct fb_buf *to, const struct fb_hyperloglog *sketch)
{
    bool is_there = !fb_hyperloglog_is_empty(sketch);

    fb_buf_append_byte(to, is_there ? 1 : 0);
    if (is_there) {
        fb_hyperloglog_encode(sketch, to);
    }
}

static void put_values(struct fb_buf *to, const struct fb_view_report *report)
{
    for (size_t column = 0; column < FB_VIEW_NUMBERS_N; column++) {
        for (size_t i = 0; i < report->n_entries; i++) {
            fb_varint_append(to, *fb_view_entry_number(&report->entries[i], column));
        }
    }
    for (size_t column = 0; column < FB_ARRAY_LEN(sketch_columns); column++) {
        for (size_t i = 0; i < report->n_entries; i++) {
            put_sketch(to, *entry_sketch(&report->entries[i], column));
        }
    }
}

static bool merged_is_sound(const struct fb_view_merged *merged)
{
    return merged->node.len > 0 && merged->node.len <= FB_VIEW_NODE_MAX && merged->first > 0 &&
           merged->first <= merged->last;
}

/* What holds of a report on both sides. */
static int report_check(const struct fb_view_report *report)
{
    if (report->node.len == 0 || report->node.len > FB_VIEW_NODE_MAX ||
        report->region.len > FB_VIEW_REGION_MAX || report->sequence == 0 || report->made_ms < 0) {
        return FB_E_MALFORMED;
    }
    for (size_t i = 0; i < report->n_merged; i++) {
        if (!merged_is_sound(&report->merged[i])) {
            return FB_E_MALFORMED;
        }
    }
    for (size_t i = 0; i < report->n_entries; i++) {
        if (!entry_is_sound(&report->entries[i]) ||
            (i > 0 && entry_order(&report->entries[i - 1], &report->entries[i]) >= 0)) {
            return FB_E_MALFORMED;
        }
    }
    return FB_OK;
}

int fb_view_report_encode(struct fb_view_report *report, struct fb_buf *to)
{
    if (report->n_entries > FB_VIEW_ENTRIES_MAX || report->n_merged > FB_VIEW_MERGED_MAX) {
        return FB_E_LIMIT;
    }
    if (report->n_entries > 0) {
        qsort(report->entries, report->n_entries, sizeof(struct fb_view_entry), entry_order);
    }
    int err = report_check(report);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};
    FB_AUTO(fb_buf_done) struct fb_buf frame = {0};

    put_head(&plain, report);
    fb_varint_append(&plain, report->n_entries);
    put_keys(&plain, report);
    put_values(&plain, report);
    if (plain.len > FB_VIEW_PLAIN_MAX) {
        return FB_E_LIMIT;
    }
    err = fb_compress(fb_buf_str(&plain), &frame);
    if (err < 0) {
        return err;
    }
    if (frame.len + HEAD_SIZE > FB_VIEW_REPORT_MAX) {
        return FB_E_LIMIT;
    }
    fb_buf_append(to, magic);
    fb_buf_append_byte(to, VERSION);
    fb_buf_append(to, fb_buf_str(&frame));
    return FB_OK;
}

/* ---- decoding --------------------------------------------------------------- */

/* Reads on after the first failure without effect, so that it is asked for once, at the end of
 * what belongs together. */
struct input {
    struct fb_str rest;
    struct fb_arena *arena;
    int err;
};

static uint64_t take_number(struct input *in)
{
    uint64_t number = 0;
    int err = in->err < 0 ? in->err : fb_varint_take(&in->rest, &number);

    in->err = err;
    return err < 0 ? 0 : number;
}

/* Borrowed from the input. */
static struct fb_str take_bytes(struct input *in, uint64_t n)
{
    if (in->err == FB_OK && n > in->rest.len) {
        in->err = FB_E_MALFORMED;
    }
    if (in->err < 0) {
        return FB_STR_NONE;
    }
    struct fb_str bytes = fb_str_first(in->rest, (size_t)n);
    in->rest = fb_str_skip(in->rest, (size_t)n);
    return bytes;
}

static struct fb_str take_str(struct input *in, size_t max)
{
    uint64_t len = take_number(in);

    if (in->err == FB_OK && len > max) {
        in->err = FB_E_MALFORMED;
    }
    struct fb_str str = take_bytes(in, len);
    return str.len == 0 ? FB_STR_NONE : fb_arena_dup(in->arena, str);
}

static uint64_t take_u64(struct input *in)
{
    struct fb_str bytes = take_bytes(in, sizeof(uint64_t));
    return bytes.len == 0 ? 0 : fb_get_u64(bytes.ptr);
}

/* A number of things that take `least` bytes each at the least, so that what is allocated for them
 * is bound by the input. */
static size_t take_count(struct input *in, size_t max, size_t least)
{
    uint64_t n = take_number(in);

    if (in->err == FB_OK && (n > max || n > in->rest.len / least)) {
        in->err = n > max ? FB_E_LIMIT : FB_E_MALFORMED;
    }
    return in->err < 0 ? 0 : (size_t)n;
}

static void take_head(struct input *in, struct fb_view_report *report)
{
    report->node = take_str(in, FB_VIEW_NODE_MAX);
    report->region = take_str(in, FB_VIEW_REGION_MAX);
    report->epoch = take_u64(in);
    report->sequence = take_number(in);
    struct fb_str previous = take_bytes(in, FB_VIEW_DIGEST_SIZE);
    if (previous.len > 0) {
        memcpy(report->previous, previous.ptr, FB_VIEW_DIGEST_SIZE);
    }
    uint64_t made_ms = take_number(in);
    if (made_ms > INT64_MAX) {
        in->err = FB_E_MALFORMED;
        return;
    }
    report->made_ms = (int64_t)made_ms;
    for (size_t i = 0; i < TOTALS_N; i++) {
        totals_numbers(&report->totals)[i] = take_number(in);
    }
}

static void take_merged(struct input *in, struct fb_view_report *report)
{
    enum { LEAST = 2 + sizeof(uint64_t) + 2 };
    size_t n = take_count(in, FB_VIEW_MERGED_MAX, LEAST);
    struct fb_view_merged *merged =
        n > 0 ? fb_arena_alloc(in->arena, n * sizeof(struct fb_view_merged)) : NULL;

    for (size_t i = 0; i < n && in->err == FB_OK; i++) {
        merged[i].node = take_str(in, FB_VIEW_NODE_MAX);
        merged[i].epoch = take_u64(in);
        merged[i].first = take_number(in);
        merged[i].last = take_number(in);
    }
    report->merged = merged;
    report->n_merged = n;
}

static void take_keys(struct input *in, struct fb_view_report *report)
{
    struct fb_str video = FB_STR_NONE;
    int64_t minute = 0;

    for (size_t i = 0; i < report->n_entries; i++) {
        struct fb_str name = take_str(in, FB_VIEW_VIDEO_MAX);
        if (name.len > 0 && fb_str_equal(name, video)) {
            in->err = FB_E_MALFORMED; /* it has a shorter form */
        }
        video = name.len > 0 ? name : video;
        report->entries[i].video = video;
    }
    for (size_t i = 0; i < report->n_entries; i++) {
        int64_t step = fb_varint_unfold(take_number(in));
        if (__builtin_add_overflow(minute, step, &minute)) {
            in->err = FB_E_MALFORMED;
        }
        report->entries[i].minute = minute;
    }
    for (size_t i = 0; i < report->n_entries; i++) {
        uint64_t span = take_number(in);
        report->entries[i].span = (uint32_t)FB_MIN(span, UINT32_MAX);
    }
    for (size_t i = 0; i < report->n_entries; i++) {
        report->entries[i].rendition = take_str(in, FB_VIEW_RENDITION_MAX);
    }
}

static void take_sketch(struct input *in, unsigned precision, struct fb_hyperloglog **ret_sketch)
{
    struct fb_str flag = take_bytes(in, 1);

    if (flag.len == 0 || flag.ptr[0] == 0) {
        return;
    }
    if (flag.ptr[0] != 1) {
        in->err = FB_E_MALFORMED;
        return;
    }
    in->err = fb_hyperloglog_decode(&in->rest, precision, ret_sketch);
    if (in->err == FB_OK && fb_hyperloglog_is_empty(*ret_sketch)) {
        in->err = FB_E_MALFORMED;
    }
}

static void take_entries(struct input *in, struct fb_view_report *report)
{
    enum { LEAST = 4 + FB_VIEW_NUMBERS_N + FB_ARRAY_LEN(sketch_columns) };
    size_t n = take_count(in, FB_VIEW_ENTRIES_MAX, LEAST);
    if (n == 0) {
        return;
    }
    report->entries = fb_arena_alloc(in->arena, n * sizeof(struct fb_view_entry));
    report->n_entries = n;
    take_keys(in, report);
    for (size_t column = 0; column < FB_VIEW_NUMBERS_N; column++) {
        for (size_t i = 0; i < n; i++) {
            *fb_view_entry_number(&report->entries[i], column) = take_number(in);
        }
    }
    for (size_t column = 0; column < FB_ARRAY_LEN(sketch_columns); column++) {
        for (size_t i = 0; i < n; i++) {
            take_sketch(in, sketch_columns[column].precision,
                        entry_sketch(&report->entries[i], column));
        }
    }
}

static int report_take(struct fb_str plain, struct fb_view_report *report)
{
    struct input in = {.rest = plain, .arena = report->arena};

    take_head(&in, report);
    take_merged(&in, report);
    take_entries(&in, report);
    if (in.err < 0) {
        return in.err;
    }
    return in.rest.len > 0 ? FB_E_MALFORMED : report_check(report);
}

int fb_view_report_decode(struct fb_str bytes, struct fb_view_report *ret_report)
{
    if (bytes.len > FB_VIEW_REPORT_MAX) {
        return FB_E_LIMIT;
    }
    if (bytes.len < HEAD_SIZE || !fb_str_starts_with(bytes, magic)) {
        return FB_E_MALFORMED;
    }
    if (bytes.ptr[magic.len] != VERSION) {
        return FB_E_UNSUPPORTED;
    }
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};
    int err = fb_decompress(fb_str_skip(bytes, HEAD_SIZE), FB_VIEW_PLAIN_MAX, &plain);
    if (err < 0) {
        return err;
    }
    struct fb_view_report report = {.arena = FB_NEW(struct fb_arena)};
    err = report_take(fb_buf_str(&plain), &report);
    if (err < 0) {
        fb_view_report_done(&report);
        return err;
    }
    *ret_report = report;
    return FB_OK;
}

void fb_view_report_done(struct fb_view_report *report)
{
    if (report->arena != NULL) {
        for (size_t i = 0; i < report->n_entries; i++) {
            fb_view_entry_done(&report->entries[i]);
        }
        fb_arena_done(report->arena);
        fb_free(report->arena);
    }
    *report = (struct fb_view_report){0};
}

void fb_view_report_digest(struct fb_str bytes, uint8_t digest[FB_VIEW_DIGEST_SIZE])
{
    fb_sha256(bytes, digest);
}
