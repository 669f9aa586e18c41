#include "edge/access_log/entry.h"

#include "base/core/attr.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/net/network.h"
#include "edge/access_log/text.h"
#include "edge/cmcd/cmcd.h"

enum {
    NETWORK_BITS_V4 = 24,
    NETWORK_BITS_V6 = 48,
    NAME_MAX_BYTES = EDGE_ACCESS_TEXT_MAX / 4,
    DATE_BYTES = 10,  /* of a timestamp */
    TIME_BEGINS = 11, /* in it */
    TIME_BYTES = 12,
    NS_PER_US = 1000,
    US_PER_S = 1000000
};

/* ---- parts --------------------------------------------------------------- */

/* The client as the view has it; empty if it is not shown, or not known. */
static struct fb_str entry_client(const struct edge_access_entry *entry,
                                  const struct edge_access_view *view,
                                  char text[FB_NETWORK_TEXT_MAX])
{
    struct fb_network network;
    bool is_full = view->client == EDGE_ACCESS_CLIENT_FULL;

    if (view->client == EDGE_ACCESS_CLIENT_NONE ||
        fb_network_of(&entry->client, is_full ? 32 : NETWORK_BITS_V4,
                      is_full ? 128 : NETWORK_BITS_V6, &network) < 0) {
        return FB_STR_NONE;
    }
    return fb_str_from(fb_network_text(&network, text));
}

static void entry_query(struct fb_buf *buf, const struct edge_access_entry *entry,
                        const struct edge_access_view *view)
{
    edge_access_query(buf, entry->request->query,
                      &(struct edge_access_hiding){.names = {view->hidden, entry->hidden},
                                                   .n = {view->n_hidden, entry->n_hidden}});
}

/* ---- JSON ------------------------------------------------------------------ */

struct json_line {
    struct fb_buf *buf;
    bool is_cut;
};

static void json_text(struct json_line *line, const char *key, struct fb_str value, size_t max)
{
    fb_buf_printf(line->buf, ",\"%s\":", key);
    line->is_cut |= !edge_access_json_text(line->buf, value, max);
}

static void json_optional(struct json_line *line, const char *key, struct fb_str value)
{
    if (value.len > 0) {
        json_text(line, key, value, NAME_MAX_BYTES);
    }
}

static void json_cmcd(struct json_line *line, const struct edge_access_entry *entry)
{
    FB_AUTO(edge_cmcd_done) struct edge_cmcd cmcd = {0};

    edge_cmcd_read(entry->request, &cmcd);
    for (size_t i = 0; i < cmcd.n; i++) {
        const struct edge_cmcd_key *key = &cmcd.keys[i];
        fb_buf_append(line->buf, i == 0 ? FB_STR(",\"cmcd\":{") : FB_STR(","));
        line->is_cut |= !edge_access_json_text(line->buf, key->name, NAME_MAX_BYTES);
        fb_buf_append_byte(line->buf, ':');
        if (key->kind == EDGE_CMCD_TRUE) {
            fb_buf_append(line->buf, FB_STR("true"));
        } else if (key->kind == EDGE_CMCD_NUMBER) {
            fb_buf_append(line->buf, key->value);
        } else {
            line->is_cut |= !edge_access_json_text(line->buf, key->value, NAME_MAX_BYTES);
        }
    }
    if (cmcd.n > 0) {
        fb_buf_append_byte(line->buf, '}');
    }
}

static void json_request(struct json_line *line, const struct edge_access_entry *entry,
                         const struct edge_access_view *view)
{
    FB_AUTO(fb_buf_done) struct fb_buf target = {0};

    json_text(line, "method", entry->request->method_text, NAME_MAX_BYTES);
    json_text(line, "host", entry->request->host, NAME_MAX_BYTES);
    json_optional(line, "site", entry->site);
    edge_access_path(&target, entry->request->path);
    size_t path_len = target.len;
    fb_buf_append_byte(&target, '?');
    entry_query(&target, entry, view);
    if (target.len == path_len + 1) {
        fb_buf_truncate(&target, path_len);
    }
    json_text(line, "target", fb_buf_str(&target), EDGE_ACCESS_TEXT_MAX);
}

void edge_access_json(struct fb_buf *buf, const struct edge_access_entry *entry,
                      const struct edge_access_view *view)
{
    struct json_line line = {.buf = buf};
    char time[FB_TIMESTAMP_MAX];
    char client[FB_NETWORK_TEXT_MAX];

    fb_buf_printf(buf, "{\"time\":\"%s\"", fb_timestamp(entry->wall_ms, time));
    if (view->has_subject) {
        fb_buf_append(buf, FB_STR(",\"level\":\"info\",\"subject\":\"access\","
                                  "\"message\":\"request\""));
    }
    json_optional(&line, "client", entry_client(entry, view, client));
    json_request(&line, entry, view);
    fb_buf_printf(buf, ",\"status\":%u,\"bytes\":%llu", entry->status,
                  (unsigned long long)entry->bytes);
    json_optional(&line, "result", fb_str_from(entry->result));
    json_optional(&line, "forward", fb_str_from(entry->forward));
    json_optional(&line, "cause", fb_str_from(entry->cause));
    json_optional(&line, "tier", entry->tier);
    if (entry->upstream_status != 0) {
        fb_buf_printf(buf, ",\"upstream_status\":%u", entry->upstream_status);
    }
    json_optional(&line, "protocol", entry->protocol);
    fb_buf_printf(buf, ",\"duration_us\":%llu,\"complete\":%s",
                  (unsigned long long)(entry->duration_ns / NS_PER_US),
                  entry->is_complete ? "true" : "false");
    if (view->sample > 1) {
        fb_buf_printf(buf, ",\"sample\":%u", view->sample);
    }
    if (view->has_cmcd) {
        json_cmcd(&line, entry);
    }
    fb_buf_append(buf, line.is_cut ? FB_STR(",\"cut\":true}\n") : FB_STR("}\n"));
}

/* ---- W3C ------------------------------------------------------------------- */

static void w3c_column(struct fb_buf *buf, struct fb_str value)
{
    fb_buf_append_byte(buf, ' ');
    edge_access_column(buf, value, NAME_MAX_BYTES);
}

static void w3c_cmcd(struct fb_buf *buf, const struct edge_access_entry *entry)
{
    FB_AUTO(edge_cmcd_done) struct edge_cmcd cmcd = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    edge_cmcd_read(entry->request, &cmcd);
    for (size_t i = 0; i < EDGE_CMCD_N_FIELDS; i++) {
        fb_buf_clear(&text);
        edge_cmcd_append(&text, &cmcd, (enum edge_cmcd_field)i);
        fb_buf_append_byte(buf, ' ');
        edge_access_quoted(buf, fb_buf_str(&text));
    }
}

static void w3c_number(struct fb_buf *buf, uint64_t number)
{
    fb_buf_printf(buf, " %llu", (unsigned long long)number);
}

void edge_access_w3c(struct fb_buf *buf, const struct edge_access_entry *entry,
                     const struct edge_access_view *view)
{
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};
    char time[FB_TIMESTAMP_MAX];
    char client[FB_NETWORK_TEXT_MAX];
    uint64_t us = entry->duration_ns / NS_PER_US;

    (void)fb_timestamp(entry->wall_ms, time);
    fb_buf_printf(buf, "%.*s %.*s", DATE_BYTES, time, TIME_BYTES, time + TIME_BEGINS);
    w3c_column(buf, entry_client(entry, view, client));
    w3c_column(buf, entry->request->method_text);
    w3c_column(buf, entry->request->host);
    fb_buf_append_byte(buf, ' ');
    edge_access_path(&path, entry->request->path);
    edge_access_column(buf, fb_buf_str(&path), EDGE_ACCESS_TEXT_MAX);
    entry_query(&query, entry, view);
    fb_buf_append_byte(buf, ' ');
    edge_access_column(buf, fb_buf_str(&query), EDGE_ACCESS_TEXT_MAX);
    w3c_number(buf, entry->status);
    w3c_number(buf, entry->bytes);
    fb_buf_printf(buf, " %llu.%06llu", (unsigned long long)(us / US_PER_S),
                  (unsigned long long)(us % US_PER_S));
    w3c_column(buf, entry->site);
    w3c_column(buf, fb_str_from(entry->result));
    w3c_column(buf, fb_str_from(entry->forward));
    w3c_column(buf, fb_str_from(entry->cause));
    w3c_column(buf, entry->tier);
    if (entry->upstream_status != 0) {
        w3c_number(buf, entry->upstream_status);
    } else {
        fb_buf_append(buf, FB_STR(" -"));
    }
    fb_buf_append(buf, entry->is_complete ? FB_STR(" 1") : FB_STR(" 0"));
    w3c_column(buf, entry->protocol);
    if (view->has_cmcd) {
        w3c_cmcd(buf, entry);
    }
    fb_buf_append_byte(buf, '\n');
}

void edge_access_w3c_head(struct fb_buf *buf, const struct edge_access_view *view,
                          struct fb_str node, int64_t wall_ms)
{
    char time[FB_TIMESTAMP_MAX];

    (void)fb_timestamp(wall_ms, time);
    fb_buf_printf(buf, "#Version: 1.0\n#Software: forebay-edge\n#Date: %.*s %.*s\n#Remark: node ",
                  DATE_BYTES, time, TIME_BYTES, time + TIME_BEGINS);
    edge_access_column(buf, node, NAME_MAX_BYTES);
    if (view->sample > 1) {
        fb_buf_printf(buf, ", one request in %u", view->sample);
    }
    fb_buf_append(buf, FB_STR("\n#Fields: date time c-ip cs-method cs(Host) cs-uri-stem "
                              "cs-uri-query sc-status sc-bytes time-taken x-site x-result "
                              "x-forward x-cause x-tier x-upstream-status x-complete "
                              "cs-version"));
    if (view->has_cmcd) {
        fb_buf_append(buf, FB_STR(" cs(CMCD-Object) cs(CMCD-Request) cs(CMCD-Session) "
                                  "cs(CMCD-Status)"));
    }
    fb_buf_append_byte(buf, '\n');
}
