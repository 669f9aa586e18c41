#include "origin/cues/markup.h"

#include "base/core/attr.h"

#include <string.h>

/* ---- one cue's text ---------------------------------------------------- */

struct cleaner {
    struct fb_buf *buf;
    struct fb_str rest;
    char open[ORIGIN_MARKUP_MAX_DEPTH]; /* names of tags, outermost first */
    unsigned n_open;
    bool is_line_empty; /* nothing but tags since the last line end */
    bool is_text_empty; /* likewise since the begin */
    bool is_top;
};

static const char *const markup_entities[] = {"&amp;", "&lt;", "&gt;", "&nbsp;", "&lrm;", "&rlm;"};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void clean_put_text(struct cleaner *cleaner, struct fb_str text)
{
    if (cleaner->is_line_empty && !cleaner->is_text_empty) {
        fb_buf_append_byte(cleaner->buf, '\n');
    }
    cleaner->is_line_empty = false;
    cleaner->is_text_empty = false;
    if (fb_str_ends_with(fb_buf_str(cleaner->buf), FB_STR("{"))) {
        while (fb_str_starts_with(text, FB_STR("\\"))) {
            text = fb_str_skip(text, 1); /* what was no override is none afterwards either */
        }
    }
    fb_buf_append(cleaner->buf, text);
}

static void clean_ampersand(struct cleaner *cleaner)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(markup_entities); i++) {
        struct fb_str entity = fb_str_from(markup_entities[i]);
        if (fb_str_starts_with(cleaner->rest, entity)) {
            clean_put_text(cleaner, entity);
            cleaner->rest = fb_str_skip(cleaner->rest, entity.len);
            return;
        }
    }
    clean_put_text(cleaner, FB_STR("&amp;"));
    cleaner->rest = fb_str_skip(cleaner->rest, 1);
}

static void clean_close_to(struct cleaner *cleaner, unsigned n_open)
{
    while (cleaner->n_open > n_open) {
        cleaner->n_open--;
        fb_buf_printf(cleaner->buf, "</%c>", cleaner->open[cleaner->n_open]);
    }
}

/* Closes the innermost tag of this name, and what stands open within it. */
static void clean_close(struct cleaner *cleaner, char name)
{
    for (unsigned i = cleaner->n_open; i > 0; i--) {
        if (cleaner->open[i - 1] == name) {
            clean_close_to(cleaner, i - 1);
            return;
        }
    }
}

/* The speaker: a line of text without what would end the tag. */
static void clean_put_speaker(struct cleaner *cleaner, struct fb_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_plain = c != '&' && c != '<' && c != '\n';
        fb_buf_append_byte(cleaner->buf, is_plain ? c : '_');
    }
}

static void clean_open(struct cleaner *cleaner, char name, struct fb_str speaker)
{
    if (cleaner->n_open == ORIGIN_MARKUP_MAX_DEPTH || (name == 'v' && speaker.len == 0)) {
        return;
    }
    if (cleaner->is_line_empty && !cleaner->is_text_empty) {
        fb_buf_append_byte(cleaner->buf, '\n');
        cleaner->is_line_empty = false;
    }
    fb_buf_append_byte(cleaner->buf, '<');
    fb_buf_append_byte(cleaner->buf, name);
    if (name == 'v') {
        fb_buf_append_byte(cleaner->buf, ' ');
        clean_put_speaker(cleaner, speaker);
    }
    fb_buf_append_byte(cleaner->buf, '>');
    cleaner->open[cleaner->n_open++] = name;
}

/* `tag` is what stands between the angle brackets: a name, perhaps classes, and
 * perhaps an annotation. */
static void clean_tag(struct cleaner *cleaner, struct fb_str tag)
{
    bool is_end = tag.len > 0 && tag.ptr[0] == '/';
    struct fb_str rest = fb_str_skip(tag, is_end ? 1 : 0);
    size_t n = 0;

    while (n < rest.len && is_letter(rest.ptr[n])) {
        n++;
    }
    bool is_name = n == 1 && (n == rest.len || rest.ptr[n] == '.' || rest.ptr[n] == ' ');
    char name = is_name ? (char)(rest.ptr[0] | 0x20) : '\0';
    if (name == '\0' || strchr("biuv", name) == NULL) {
        return;
    }
    if (is_end) {
        clean_close(cleaner, name);
        return;
    }
    size_t at = fb_str_find(rest, ' ');
    clean_open(cleaner, name, fb_str_trim(fb_str_skip(rest, at)));
}

/* "a < b" and "<3" are no tags; "<i>", "</i>", "<font …>" and "<00:01.000>" are. */
static bool clean_is_tag(struct fb_str tag)
{
    struct fb_str rest = fb_str_skip(tag, tag.len > 0 && tag.ptr[0] == '/' ? 1 : 0);
    bool is_time = rest.len > 0;

    if (tag.len > 0 && (rest.len == 0 || is_letter(rest.ptr[0]))) {
        return fb_str_find(tag, '<') == tag.len;
    }
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        is_time = is_time && ((c >= '0' && c <= '9') || c == ':' || c == '.');
    }
    return is_time && fb_str_find(rest, ':') < rest.len;
}

static void clean_bracket(struct cleaner *cleaner)
{
    struct fb_str inside = fb_str_skip(cleaner->rest, 1);
    size_t end = fb_str_find(inside, '>');
    struct fb_str tag = fb_str_first(inside, end);

    if (end == inside.len || !clean_is_tag(tag)) {
        clean_put_text(cleaner, FB_STR("&lt;"));
        cleaner->rest = inside;
        return;
    }
    clean_tag(cleaner, tag);
    cleaner->rest = fb_str_skip(inside, end + 1);
}

/* "{\an8}" and the like, which SRT files borrow from ASS. */
static void clean_brace(struct cleaner *cleaner)
{
    size_t end = fb_str_find(cleaner->rest, '}');

    if (!fb_str_starts_with(cleaner->rest, FB_STR("{\\")) || end == cleaner->rest.len) {
        clean_put_text(cleaner, FB_STR("{"));
        cleaner->rest = fb_str_skip(cleaner->rest, 1);
        return;
    }
    struct fb_str codes = fb_str_first(cleaner->rest, end);
    cleaner->is_top = cleaner->is_top || fb_str_starts_with(codes, FB_STR("{\\an7")) ||
                      fb_str_starts_with(codes, FB_STR("{\\an8")) ||
                      fb_str_starts_with(codes, FB_STR("{\\an9"));
    cleaner->rest = fb_str_skip(cleaner->rest, end + 1);
}

/* Up to the next byte that means something. */
static void clean_plain(struct cleaner *cleaner)
{
    size_t n = 0;
    while (n < cleaner->rest.len && strchr(" \n&<>{", cleaner->rest.ptr[n]) == NULL) {
        n++;
    }
    clean_put_text(cleaner, fb_str_first(cleaner->rest, n));
    cleaner->rest = fb_str_skip(cleaner->rest, n);
}

static void clean_next(struct cleaner *cleaner)
{
    switch (cleaner->rest.ptr[0]) {
    case '&':
        clean_ampersand(cleaner);
        return;
    case '<':
        clean_bracket(cleaner);
        return;
    case '{':
        clean_brace(cleaner);
        return;
    case '>':
        clean_put_text(cleaner, FB_STR("&gt;"));
        break;
    case '\n':
        cleaner->is_line_empty = true;
        break;
    case ' ':
        fb_buf_append(cleaner->buf, cleaner->is_line_empty ? FB_STR_NONE : FB_STR(" "));
        break;
    default:
        clean_plain(cleaner);
        return;
    }
    cleaner->rest = fb_str_skip(cleaner->rest, 1);
}

/* Tabs become spaces. Done first, so that nothing hides what means something. */
static void clean_controls(struct fb_buf *buf, struct fb_str markup)
{
    for (size_t i = 0; i < markup.len; i++) {
        char c = markup.ptr[i];
        if (c == '\t') {
            fb_buf_append_byte(buf, ' ');
        } else if (((unsigned char)c >= ' ' && c != 0x7f) || c == '\n') {
            fb_buf_append_byte(buf, c);
        }
    }
}

void origin_markup_clean(struct fb_buf *buf, struct fb_str markup, bool *ret_is_top)
{
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};
    clean_controls(&plain, markup);
    struct cleaner cleaner = {
        .buf = buf, .rest = fb_buf_str(&plain), .is_line_empty = true, .is_text_empty = true};
    size_t begin = buf->len;

    while (cleaner.rest.len > 0) {
        clean_next(&cleaner);
    }
    clean_close_to(&cleaner, 0);
    if (cleaner.is_text_empty) {
        fb_buf_truncate(buf, begin); /* nothing but tags */
    }
    *ret_is_top = cleaner.is_top;
}

/* ---- ASS --------------------------------------------------------------- */

struct ass {
    struct fb_buf *buf;
    bool is_drawing; /* \p1: numbers that draw lines follow, no text */
};

/* One code of an override block, such as "i1" or "b700". */
static void ass_code(struct ass *ass, struct fb_str code)
{
    bool is_short = code.len >= 1 && (code.len == 1 || (code.ptr[1] >= '0' && code.ptr[1] <= '9'));
    if (!is_short) {
        return;
    }
    bool is_on = code.len > 1 && code.ptr[1] != '0';
    switch (code.ptr[0]) {
    case 'b':
    case 'i':
    case 'u':
        fb_buf_printf(ass->buf, is_on ? "<%c>" : "</%c>", code.ptr[0]);
        break;
    case 'r':
        fb_buf_append(ass->buf, FB_STR("</u></i></b>"));
        break;
    case 'p':
        ass->is_drawing = is_on;
        break;
    default:
        break;
    }
}

static void ass_override(struct ass *ass, struct fb_str block)
{
    struct fb_str code;

    if (fb_str_starts_with(block, FB_STR("\\an"))) {
        fb_buf_append_byte(ass->buf, '{');
        fb_buf_append(ass->buf, fb_str_first(block, sizeof("\\an8") - 1));
        fb_buf_append_byte(ass->buf, '}');
    }
    if (!fb_str_cut(&block, '\\', &code)) {
        return; /* what stands before the first backslash is a comment */
    }
    while (fb_str_cut(&block, '\\', &code)) {
        ass_code(ass, code);
    }
}

static void ass_byte(struct ass *ass, char c)
{
    switch (c) {
    case '&':
        fb_buf_append(ass->buf, FB_STR("&amp;"));
        break;
    case '<':
        fb_buf_append(ass->buf, FB_STR("&lt;"));
        break;
    case '>':
        fb_buf_append(ass->buf, FB_STR("&gt;"));
        break;
    default:
        fb_buf_append_byte(ass->buf, c);
        break;
    }
}

void origin_markup_from_ass(struct fb_buf *buf, struct fb_str text)
{
    struct ass ass = {.buf = buf};

    while (text.len > 0) {
        size_t end = fb_str_find(text, '}');
        if (text.ptr[0] == '{' && end < text.len) {
            ass_override(&ass, fb_str_skip(fb_str_first(text, end), 1));
            text = fb_str_skip(text, end + 1);
            continue;
        }
        char escape = text.len > 1 && text.ptr[0] == '\\' ? text.ptr[1] : '\0';
        bool is_escape = escape == 'N' || escape == 'n' || escape == 'h';
        if (is_escape) {
            fb_buf_append_byte(buf, escape == 'h' ? ' ' : '\n');
        } else if (!ass.is_drawing) {
            ass_byte(&ass, text.ptr[0]);
        }
        text = fb_str_skip(text, is_escape ? 2 : 1);
    }
}
