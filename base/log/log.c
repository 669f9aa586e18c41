#include "base/log/log.h"

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/text.h"
#include "base/log/sink.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { LOG_MAX_LINE = 8192 };

static const char *const level_names[] = {
    [FB_LOG_DEBUG] = "debug", [FB_LOG_INFO] = "info",   [FB_LOG_WARN] = "warn",
    [FB_LOG_ERROR] = "error", [FB_LOG_NEVER] = "never",
};
static const char *const level_marks[] = {
    [FB_LOG_DEBUG] = "DEBUG", [FB_LOG_INFO] = "INFO",   [FB_LOG_WARN] = "WARN",
    [FB_LOG_ERROR] = "ERROR", [FB_LOG_NEVER] = "NEVER",
};

static atomic_int sink_level = FB_LOG_INFO;
static atomic_bool sink_is_text = true;

void fb_log_open(int fd, enum fb_log_format format, enum fb_log_level level)
{
    bool is_text =
        format == FB_LOG_FORMAT_TEXT || (format == FB_LOG_FORMAT_AUTO && isatty(fd) == 1);

    fb_log_sink_open(fd);
    atomic_store(&sink_is_text, is_text);
    atomic_store(&sink_level, (int)level);
}

bool fb_log_is_on(enum fb_log_level level)
{
    return (int)level >= atomic_load_explicit(&sink_level, memory_order_relaxed);
}

/* ---- one line --------------------------------------------------------------- */

/* A line being written. What no longer fits is left out and said so, so that
 * the line stays valid whatever its fields are. */
struct log_line {
    struct fb_buf buf;
    bool is_text;
    bool is_cut;
};

/* Kept free for the end of the line. */
static const struct fb_str json_cut = {",\"cut\":true", 11};
static const struct fb_str text_cut = {" cut=true", 9};
enum { LOG_RESERVE = 16 };

static size_t line_room(const struct log_line *line)
{
    size_t used = line->buf.len + LOG_RESERVE;
    return used < LOG_MAX_LINE ? LOG_MAX_LINE - used : 0;
}

static bool is_plain(struct fb_str str)
{
    for (size_t i = 0; i < str.len; i++) {
        unsigned char c = (unsigned char)str.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=') {
            return false;
        }
    }
    return str.len > 0;
}

/* A terminal must not be steered by what is logged: DEL and the C1 controls,
 * which JSON lets pass, are put out of action. */
static void disarm(struct fb_buf *buf)
{
    for (size_t i = 0; i < buf->len; i++) {
        unsigned char c = (unsigned char)buf->ptr[i];
        unsigned char next = i + 1 < buf->len ? (unsigned char)buf->ptr[i + 1] : 0;
        if (c == 0x7f) {
            buf->ptr[i] = '?';
        } else if (c == 0xc2 && next < 0xa0) {
            buf->ptr[i] = '?';
            buf->ptr[i + 1] = '?';
        }
    }
}

static void encode_str(struct fb_buf *buf, struct fb_str str, bool is_text)
{
    if (is_text && is_plain(str)) {
        fb_buf_append(buf, str);
        return;
    }
    fb_text_json_string(buf, str);
    if (is_text) {
        disarm(buf);
    }
}

/* Encodes as much of `str` as fits into `room` bytes; false if it was cut. */
static bool encode_str_within(struct fb_buf *buf, struct fb_str str, bool is_text, size_t room)
{
    size_t len = FB_MIN(str.len, room);

    for (;;) {
        fb_buf_clear(buf);
        encode_str(buf, fb_str_first(str, len), is_text);
        if (buf->len <= room || len == 0) {
            return len == str.len;
        }
        len /= 2;
    }
}

static void line_add_key(struct log_line *line, const char *key)
{
    struct fb_buf *buf = &line->buf;

    if (line->is_text) {
        fb_buf_printf(buf, " %s=", key);
    } else {
        fb_buf_append_byte(buf, ',');
        fb_text_json_string(buf, fb_str_from(key));
        fb_buf_append_byte(buf, ':');
    }
}

static void line_add(struct log_line *line, const struct fb_log_field *field)
{
    enum { LOG_MIN_VALUE = 32 };
    size_t before = line->buf.len;

    if (line->is_cut) {
        return;
    }
    line_add_key(line, field->key);
    size_t room = line_room(line);
    if (room < LOG_MIN_VALUE) {
        fb_buf_truncate(&line->buf, before);
        line->is_cut = true;
        return;
    }
    FB_AUTO(fb_buf_done) struct fb_buf value = {0};
    switch (field->kind) {
    case FB_LOG_KIND_STR:
        line->is_cut = !encode_str_within(&value, field->str, line->is_text, room);
        break;
    case FB_LOG_KIND_INT:
        fb_buf_printf(&value, "%lld", (long long)field->number);
        break;
    case FB_LOG_KIND_BOOL:
    case FB_LOG_KIND_END:
        fb_buf_printf(&value, "%s", field->number != 0 ? "true" : "false");
        break;
    }
    fb_buf_append(&line->buf, fb_buf_str(&value));
}

static void line_begin(struct log_line *line, enum fb_log_level level, const char *subject,
                       const char *message)
{
    enum { TIME_OF_DAY = 11, TIME_LENGTH = 12, MAX_SENTENCE = 1024 };
    char time[FB_TIMESTAMP_MAX];
    struct fb_str sentence = fb_str_first(fb_str_from(message), MAX_SENTENCE);

    (void)fb_timestamp(fb_clock_wall_ms(fb_clock_system()), time);
    if (line->is_text) {
        fb_buf_printf(&line->buf, "%.*s %s %s: %.*s", TIME_LENGTH, time + TIME_OF_DAY,
                      level_marks[level], subject, FB_STR_ARG(sentence));
        return;
    }
    fb_buf_printf(&line->buf, "{\"time\":\"%s\",\"level\":\"%s\",\"subject\":", time,
                  level_names[level]);
    fb_text_json_string(&line->buf, fb_str_from(subject));
    fb_buf_append(&line->buf, FB_STR(",\"message\":"));
    fb_text_json_string(&line->buf, sentence);
}

static void line_end(struct log_line *line)
{
    if (line->is_cut) {
        fb_buf_append(&line->buf, line->is_text ? text_cut : json_cut);
    }
    fb_buf_append(&line->buf, line->is_text ? FB_STR("\n") : FB_STR("}\n"));
}

size_t fb_log_write_lines(struct fb_str lines, unsigned wait_ms)
{
    return fb_log_sink_write(lines, wait_ms);
}

void fb_log_end(unsigned wait_ms)
{
    fb_log_sink_end(wait_ms);
}

void fb_log_tell_dropped(struct fb_buf *buf, uint64_t n)
{
    struct log_line line = {.is_text = atomic_load(&sink_is_text)};

    line_begin(&line, FB_LOG_WARN, "log", "lines were dropped, nobody read the log");
    line_add(&line, &FB_LOG_INT("lines", n));
    line_end(&line);
    fb_buf_append(buf, fb_buf_str(&line.buf));
    fb_buf_done(&line.buf);
}

void fb_log_write(enum fb_log_level level, const char *subject, const char *message, ...)
{
    struct log_line line = {.is_text = atomic_load(&sink_is_text)};
    va_list args;

    line_begin(&line, level, subject, message);
    va_start(args, message);
    for (;;) {
        struct fb_log_field field = va_arg(args, struct fb_log_field);
        if (field.kind == FB_LOG_KIND_END) {
            break;
        }
        line_add(&line, &field);
    }
    va_end(args);
    line_end(&line);
    (void)fb_log_sink_write(fb_buf_str(&line.buf), 0); /* those dropped are told of later */
    fb_buf_done(&line.buf);
}
