#include "base/xml/xml.h"

#include "base/core/err.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <string.h>

struct reading {
    XML_Parser parser;
    fb_xml_element_fn *element;
    void *ctx;
    int err;
    size_t depth;
    size_t path_ends[FB_XML_DEPTH_MAX];   /* of the path of the element around */
    size_t text_begins[FB_XML_DEPTH_MAX]; /* of each open element, in `text` */
    size_t path_len;
    char path[FB_XML_PATH_MAX];
    struct fb_buf text; /* owned; of all open elements */
};

static void reading_stop(struct reading *reading, int err)
{
    if (reading->err == FB_OK) {
        reading->err = err;
        (void)XML_StopParser(reading->parser, XML_FALSE);
    }
}

static void on_start(void *ctx, const char *qualified, const char **attributes)
{
    struct reading *reading = ctx;
    const char *colon = strrchr(qualified, ':');
    struct fb_str name = fb_str_from(colon != NULL ? colon + 1 : qualified);
    size_t at = reading->path_len;

    (void)attributes;
    if (reading->err < 0) {
        return;
    }
    if (reading->depth == FB_XML_DEPTH_MAX || at + 1 + name.len > sizeof(reading->path)) {
        reading_stop(reading, FB_E_LIMIT);
        return;
    }
    reading->path_ends[reading->depth] = at;
    reading->text_begins[reading->depth++] = reading->text.len;
    if (at > 0) {
        reading->path[at++] = '/';
    }
    memcpy(reading->path + at, name.ptr, name.len);
    reading->path_len = at + name.len;
}

static void on_end(void *ctx, const char *name)
{
    struct reading *reading = ctx;

    (void)name;
    if (reading->err < 0) {
        return;
    }
    reading->depth--;
    size_t begins = reading->text_begins[reading->depth];
    int err = reading->element(reading->ctx, (struct fb_str){reading->path, reading->path_len},
                               fb_str_skip(fb_buf_str(&reading->text), begins));
    fb_buf_truncate(&reading->text, begins);
    reading->path_len = reading->path_ends[reading->depth];
    if (err < 0) {
        reading_stop(reading, err);
    }
}

static void on_text(void *ctx, const char *text, int len)
{
    struct reading *reading = ctx;

    if (reading->err < 0) {
        return;
    }
    if (reading->text.len + (size_t)len > FB_XML_TEXT_MAX) {
        reading_stop(reading, FB_E_LIMIT);
        return;
    }
    fb_buf_append(&reading->text, (struct fb_str){text, (size_t)len});
}

static void on_doctype(void *ctx, const char *name, const char *system, const char *public,
                       int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    reading_stop(ctx, FB_E_MALFORMED);
}

/* Where `parser` is. Expat 2.9 has another call, which does not overflow where long is short. */
static unsigned long line_of(XML_Parser parser)
{
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 9
    return (unsigned long)XML_GetCurrentLineNumber64(parser);
#else
    return XML_GetCurrentLineNumber(parser);
#endif
}

int fb_xml_read(struct fb_str document, fb_xml_element_fn *element, void *ctx, struct fb_diag *diag)
{
    struct reading reading = {.element = element, .ctx = ctx};

    if (document.len > INT_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "the document is too long");
    }
    reading.parser = XML_ParserCreate(NULL);
    if (reading.parser == NULL) {
        return fb_diag_set(diag, -ENOMEM, "no memory to read the document");
    }
    XML_SetUserData(reading.parser, &reading);
    XML_SetElementHandler(reading.parser, on_start, on_end);
    XML_SetCharacterDataHandler(reading.parser, on_text);
    XML_SetStartDoctypeDeclHandler(reading.parser, on_doctype);
    bool is_good =
        XML_Parse(reading.parser, document.ptr, (int)document.len, XML_TRUE) == XML_STATUS_OK;
    if (reading.err == FB_OK && !is_good) {
        reading.err =
            fb_diag_set(diag, FB_E_MALFORMED, "line %lu of the document: %s",
                        line_of(reading.parser), XML_ErrorString(XML_GetErrorCode(reading.parser)));
    } else if (reading.err == FB_E_LIMIT) {
        (void)fb_diag_set(diag, FB_E_LIMIT, "line %lu of the document: too deep or too long",
                          line_of(reading.parser));
    } else if (reading.err == FB_E_MALFORMED) {
        (void)fb_diag_set(diag, FB_E_MALFORMED, "line %lu of the document is not as expected",
                          line_of(reading.parser));
    }
    XML_ParserFree(reading.parser);
    fb_buf_done(&reading.text);
    return reading.err;
}

void fb_xml_append_text(struct fb_buf *buf, struct fb_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        switch (c) {
        case '&':
            fb_buf_append(buf, FB_STR("&amp;"));
            break;
        case '<':
            fb_buf_append(buf, FB_STR("&lt;"));
            break;
        case '>':
            fb_buf_append(buf, FB_STR("&gt;"));
            break;
        case '"':
            fb_buf_append(buf, FB_STR("&quot;"));
            break;
        case '\r':
            fb_buf_append(buf, FB_STR("&#13;"));
            break;
        default:
            if (c < ' ' && c != '\t' && c != '\n') {
                fb_buf_append(buf, FB_STR("\xEF\xBF\xBD"));
            } else {
                fb_buf_append_byte(buf, (char)c);
            }
            break;
        }
    }
}
