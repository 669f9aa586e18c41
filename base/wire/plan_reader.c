#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/wire/plan_internal.h"

#include <string.h>

struct fb_plan_reader {
    struct fb_plan *plan; /* owned */
    struct fb_sha256 hash;
    struct fb_buf line; /* the beginning of one that is cut */
    uint64_t n_fed;
    uint64_t n_lines;
};

void fb_plan_free(struct fb_plan *plan)
{
    if (plan != NULL) {
        fb_arena_done(&plan->arena);
        fb_free(plan->entries);
        fb_free(plan);
    }
}

void fb_plan_freep(struct fb_plan **plan)
{
    fb_plan_free(*plan);
}

struct fb_plan_reader *fb_plan_reader_new(const struct fb_plan_head *head)
{
    struct fb_plan_reader *reader = FB_NEW(struct fb_plan_reader);

    reader->plan = FB_NEW(struct fb_plan);
    reader->plan->head = *head;
    fb_sha256_init(&reader->hash);
    return reader;
}

void fb_plan_reader_free(struct fb_plan_reader *reader)
{
    if (reader != NULL) {
        fb_plan_free(reader->plan);
        fb_sha256_done(&reader->hash);
        fb_buf_done(&reader->line);
        fb_free(reader);
    }
}

static int entry_read(const struct fb_json *json, struct fb_plan_entry *entry, struct fb_diag *diag)
{
    int64_t size = 0;
    int64_t value = 0;

    int err = fb_json_read_str(json, "path", FB_PLAN_PATH_MAX, &entry->path, diag);
    if (err == FB_OK) {
        err = fb_json_read_int(json, "size", 1, INT64_MAX, &size, diag);
    }
    if (err == FB_OK) {
        err = fb_json_read_int(json, "value", 0, INT64_MAX, &value, diag);
    }
    if (err == FB_OK) {
        err = fb_json_read_str(json, "reason", FB_PLAN_REASON_MAX, &entry->reason, diag);
    }
    if (err == FB_OK) {
        err = fb_plan_read_digest(json, entry->sha256, diag);
    }
    if (err < 0) {
        return err;
    }
    entry->size = (uint64_t)size;
    entry->value = (uint64_t)value;
    entry->is_now = fb_json_bool(fb_json_find(json, "now"), false);
    return fb_plan_entry_check(entry, diag);
}

/* Keeps an entry, whose strings are borrowed. The array grows with what has really come, whatever
 * the head says. */
static void plan_keep(struct fb_plan *plan, const struct fb_plan_entry *entry)
{
    if (plan->n == plan->max_entries) {
        plan->max_entries = plan->max_entries == 0 ? 64 : 2 * plan->max_entries;
        plan->entries = fb_realloc(plan->entries, plan->max_entries * sizeof(*plan->entries));
    }
    struct fb_plan_entry *kept = &plan->entries[plan->n];
    *kept = *entry;
    kept->path = fb_arena_dup(&plan->arena, entry->path);
    /* Reasons are few, and entries with the same one stand together. */
    bool is_same = plan->n > 0 && fb_str_equal(kept[-1].reason, entry->reason);
    kept->reason = is_same ? kept[-1].reason : fb_arena_dup(&plan->arena, entry->reason);
    plan->n++;
    plan->n_bytes += FB_MIN(entry->size, UINT64_MAX - plan->n_bytes);
}

static int reader_take(struct fb_plan_reader *reader, struct fb_str line, struct fb_diag *diag)
{
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;
    struct fb_plan_entry entry = {0};

    reader->n_lines++;
    if (reader->plan->n >= reader->plan->head.n_entries) {
        return fb_diag_set(diag, FB_E_CORRUPT, "the plan has more entries than its head says");
    }
    int err = fb_json_parse(line, FB_PLAN_LINE_MAX, &json, diag);
    if (err == FB_OK) {
        err = entry_read(json, &entry, diag);
    }
    if (err < 0) {
        return fb_diag_prefix(diag, err, "line %llu of the plan",
                              (unsigned long long)reader->n_lines);
    }
    plan_keep(reader->plan, &entry);
    return FB_OK;
}

/* A line that began before, and may end in `bytes`. */
static int reader_join(struct fb_plan_reader *reader, struct fb_str *bytes, struct fb_diag *diag)
{
    size_t n = fb_str_find(*bytes, '\n');

    if (reader->line.len + n > FB_PLAN_LINE_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "line %llu of the plan is too long",
                           (unsigned long long)reader->n_lines + 1);
    }
    fb_buf_append(&reader->line, fb_str_first(*bytes, n));
    if (n == bytes->len) {
        *bytes = FB_STR_NONE;
        return FB_OK;
    }
    *bytes = fb_str_skip(*bytes, n + 1);
    int err = reader_take(reader, fb_buf_str(&reader->line), diag);
    fb_buf_clear(&reader->line);
    return err;
}

int fb_plan_reader_feed(struct fb_plan_reader *reader, struct fb_str bytes, struct fb_diag *diag)
{
    reader->n_fed += bytes.len;
    if (reader->n_fed > reader->plan->head.body_bytes) {
        return fb_diag_set(diag, FB_E_CORRUPT, "the plan is longer than its head says");
    }
    fb_sha256_update(&reader->hash, bytes);
    while (bytes.len > 0) {
        size_t n = fb_str_find(bytes, '\n');
        int err = FB_OK;
        if (reader->line.len > 0 || n == bytes.len) {
            err = reader_join(reader, &bytes, diag);
        } else {
            err = reader_take(reader, fb_str_first(bytes, n), diag);
            bytes = fb_str_skip(bytes, n + 1);
        }
        if (err < 0) {
            return err;
        }
    }
    return FB_OK;
}

int fb_plan_reader_finish(struct fb_plan_reader *reader, struct fb_plan **ret_plan,
                          struct fb_diag *diag)
{
    const struct fb_plan_head *head = &reader->plan->head;
    uint8_t digest[FB_SHA256_SIZE];

    fb_sha256_finish(&reader->hash, digest);
    if (reader->line.len > 0 || reader->plan->n != head->n_entries ||
        reader->n_fed != head->body_bytes) {
        return fb_diag_set(diag, FB_E_CORRUPT, "the plan is cut: %llu of %llu bytes",
                           (unsigned long long)reader->n_fed, (unsigned long long)head->body_bytes);
    }
    if (memcmp(digest, head->digest, sizeof(digest)) != 0) {
        return fb_diag_set(diag, FB_E_CORRUPT, "the plan is not the one that its head names");
    }
    *ret_plan = reader->plan;
    reader->plan = NULL;
    return FB_OK;
}
