#include "base/core/text.h"
#include "origin/media/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct kind {
    const char *suffix;
    const char *type;  /* media type */
    const char *cache; /* paths bear a version, so all but entry points are immutable */
};

static const struct kind publish_kinds[] = {
    {".m4s", "video/iso.segment", "immutable"},
    {".mp4", "video/mp4", "immutable"},
    {".sidx", "video/iso.segment", "immutable"},
    {".jpg", "image/jpeg", "immutable"},
    {".vtt", "text/vtt", "immutable"},
    {".m3u8", "application/vnd.apple.mpegurl", "manifest"},
    {".mpd", "application/dash+xml", "manifest"},
    {"", "application/octet-stream", "manifest"},
};

static const struct kind *publish_kind(const char *path)
{
    const struct kind *kind = publish_kinds;
    while (!fb_str_ends_with(fb_str_from(path), fb_str_from(kind->suffix))) {
        kind++;
    }
    return kind;
}

const char *origin_publish_type(const char *path)
{
    const char *type = publish_kind(path)->type;
    bool is_audio = fb_str_starts_with(fb_str_from(path), FB_STR("a/"));
    return is_audio && strcmp(type, "video/mp4") == 0 ? "audio/mp4" : type;
}

static int entry_compare(const void *a, const void *b)
{
    const struct origin_output_entry *left = a;
    const struct origin_output_entry *right = b;
    return strcmp(left->path, right->path);
}

void origin_publish_list(struct fb_buf *buf, struct origin_output *output)
{
    if (output->n_entries > 0) {
        qsort(output->entries, output->n_entries, sizeof(*output->entries), entry_compare);
    }
    fb_buf_append(buf, FB_STR("{\"files\":["));
    for (size_t i = 0; i < output->n_entries; i++) {
        const struct origin_output_entry *entry = &output->entries[i];
        fb_buf_append(buf, i == 0 ? FB_STR("\n") : FB_STR(",\n"));
        fb_buf_append(buf, FB_STR("{\"path\":"));
        fb_text_json_string(buf, fb_str_from(entry->path));
        fb_buf_printf(buf, ",\"size\":%" PRIu64 ",\"sha256\":\"", entry->bytes);
        fb_text_hex(buf, fb_sha256_str(entry->sha256));
        fb_buf_printf(buf, "\",\"type\":\"%s\",\"cache\":\"%s\"}", origin_publish_type(entry->path),
                      publish_kind(entry->path)->cache);
    }
    fb_buf_append(buf, FB_STR("\n]}\n"));
}
