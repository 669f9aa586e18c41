#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "origin/cues/cues.h"

#include <inttypes.h>

enum { MS_PER_S = 1000, S_PER_MIN = 60, S_PER_H = 3600, TIME_MAX_DIGITS = 3 };

struct parser {
    struct fb_str rest; /* after the line */
    struct fb_str line; /* without its end */
    unsigned number;    /* of the line, from 1 */
    struct fb_buf text; /* of the cue being read; owned */
    struct origin_cues *cues;
    struct fb_diag *diag;
};

static void parser_done(struct parser *parser)
{
    fb_buf_done(&parser->text);
}

/* False at the end of the file. Lines end in LF, CR LF or CR. */
static bool parser_next(struct parser *parser)
{
    size_t n = 0;

    parser->line = FB_STR_NONE;
    if (parser->rest.len == 0) {
        return false;
    }
    while (n < parser->rest.len && parser->rest.ptr[n] != '\n' && parser->rest.ptr[n] != '\r') {
        n++;
    }
    parser->line = fb_str_first(parser->rest, n);
    parser->number++;
    bool is_pair =
        n + 1 < parser->rest.len && parser->rest.ptr[n] == '\r' && parser->rest.ptr[n + 1] == '\n';
    parser->rest = fb_str_skip(parser->rest, n + (is_pair ? 2 : 1));
    return true;
}

static bool line_is_blank(const struct parser *parser)
{
    return fb_str_trim(parser->line).len == 0;
}

static int parser_fail(const struct parser *parser, const char *what)
{
    return fb_diag_set(parser->diag, FB_E_MALFORMED, "line %u: %s", parser->number, what);
}

/* ---- times ------------------------------------------------------------- */

/* Takes digits off the front of `*rest`; how many is left to the caller. */
static size_t take_digits(struct fb_str *rest, int64_t *ret_value)
{
    size_t n = 0;
    int64_t value = 0;
    while (n < rest->len && n <= TIME_MAX_DIGITS && rest->ptr[n] >= '0' && rest->ptr[n] <= '9') {
        value = value * 10 + (rest->ptr[n] - '0');
        n++;
    }
    *rest = fb_str_skip(*rest, n);
    *ret_value = value;
    return n <= TIME_MAX_DIGITS ? n : 0;
}

static bool take_byte(struct fb_str *rest, const char *any)
{
    for (const char *p = any; *p != '\0'; p++) {
        if (rest->len > 0 && rest->ptr[0] == *p) {
            *rest = fb_str_skip(*rest, 1);
            return true;
        }
    }
    return false;
}

/* "01:02:03.500", also without hours, with a comma, or without a fraction. */
static bool take_time(struct fb_str *rest, int64_t *ret_ms)
{
    static const int64_t scale[TIME_MAX_DIGITS + 1] = {0, 100, 10, 1};
    int64_t part[3] = {0};
    int64_t fraction = 0;
    size_t n_parts = 0;
    size_t n_digits = 0;

    do {
        if (n_parts == FB_ARRAY_LEN(part) || take_digits(rest, &part[n_parts]) == 0) {
            return false;
        }
        n_parts++;
    } while (take_byte(rest, ":"));
    if (take_byte(rest, ".,")) {
        n_digits = take_digits(rest, &fraction);
        if (n_digits == 0) {
            return false;
        }
    }
    if (n_parts < 2) {
        return false;
    }
    int64_t hours = n_parts == 3 ? part[0] : 0;
    int64_t minutes = part[n_parts - 2];
    int64_t seconds = part[n_parts - 1];
    *ret_ms =
        (hours * S_PER_H + minutes * S_PER_MIN + seconds) * MS_PER_S + fraction * scale[n_digits];
    return hours < ORIGIN_CUES_MAX_HOURS && minutes < S_PER_MIN && seconds < S_PER_MIN;
}

struct timing {
    int64_t begin_ms;
    int64_t end_ms;
    struct fb_str settings;
};

static int parse_timing(const struct parser *parser, struct timing *ret_timing)
{
    struct fb_str rest = fb_str_trim(parser->line);
    struct timing timing = {0};

    bool is_good = take_time(&rest, &timing.begin_ms);
    rest = fb_str_trim(rest);
    is_good = is_good && fb_str_starts_with(rest, FB_STR("-->"));
    rest = fb_str_trim(fb_str_skip(rest, 3));
    if (!is_good || !take_time(&rest, &timing.end_ms) ||
        (rest.len > 0 && rest.ptr[0] != ' ' && rest.ptr[0] != '\t')) {
        return parser_fail(parser, "expected two times, such as 00:01:02.500 --> 00:01:04.000");
    }
    if (timing.end_ms < timing.begin_ms) {
        return parser_fail(parser, "the text ends before it begins");
    }
    timing.settings = fb_str_trim(rest);
    *ret_timing = timing;
    return FB_OK;
}

static bool line_has_arrow(const struct parser *parser)
{
    for (struct fb_str rest = parser->line; rest.len > 0; rest = fb_str_skip(rest, 1)) {
        if (fb_str_starts_with(rest, FB_STR("-->"))) {
            return true;
        }
    }
    return false;
}

/* "00:01…": meant as times, so what is wrong with them is told of this line. */
static bool line_looks_like_times(const struct parser *parser)
{
    struct fb_str rest = fb_str_trim(parser->line);
    int64_t number = 0;
    return take_digits(&rest, &number) == 2 && take_byte(&rest, ":") &&
           take_digits(&rest, &number) == 2;
}

/* ---- cues -------------------------------------------------------------- */

/* The line holds times; reads them and the text below, up to a blank line. */
static int parse_cue(struct parser *parser)
{
    struct timing timing = {0};
    unsigned number = parser->number;
    int err = parse_timing(parser, &timing);
    if (err < 0) {
        return err;
    }
    fb_buf_clear(&parser->text);
    while (parser_next(parser) && !line_is_blank(parser)) {
        if (line_has_arrow(parser)) {
            return parser_fail(parser, "a blank line is missing before these times");
        }
        fb_buf_append(&parser->text, parser->line);
        fb_buf_append_byte(&parser->text, '\n');
        if (parser->text.len > ORIGIN_CUE_MAX_BYTES) {
            break;
        }
    }
    err = origin_cues_add(parser->cues, timing.begin_ms, timing.end_ms, timing.settings,
                          fb_buf_str(&parser->text));
    return err < 0 ? fb_diag_set(parser->diag, err,
                                 "line %u: there is too much text, here or in all", number)
                   : FB_OK;
}

static void skip_block(struct parser *parser)
{
    while (!line_is_blank(parser) && parser_next(parser)) {
    }
}

static bool line_begins(const struct parser *parser, const char *word)
{
    struct fb_str name = fb_str_from(word);
    struct fb_str rest = fb_str_skip(parser->line, name.len);
    return fb_str_starts_with(parser->line, name) &&
           (rest.len == 0 || rest.ptr[0] == ' ' || rest.ptr[0] == '\t');
}

/* A block begins at the line: comments and styles, or a cue, perhaps with a number or
 * name above its times. */
static int parse_block(struct parser *parser, bool is_vtt)
{
    if (is_vtt && (line_begins(parser, "NOTE") || line_begins(parser, "STYLE") ||
                   line_begins(parser, "REGION"))) {
        skip_block(parser);
        return FB_OK;
    }
    if (!line_has_arrow(parser) && !line_looks_like_times(parser)) {
        bool has_next = parser_next(parser);
        if (!has_next && !is_vtt) {
            return FB_OK; /* a last number without a cue, as some tools leave */
        }
    }
    return parse_cue(parser);
}

static int parse_file(struct parser *parser)
{
    bool has_line = parser_next(parser);
    bool is_vtt = line_begins(parser, "WEBVTT");
    int err = FB_OK;

    if (is_vtt) {
        skip_block(parser);
    }
    while (err == FB_OK && has_line) {
        if (!line_is_blank(parser)) {
            err = parse_block(parser, is_vtt);
        }
        has_line = parser_next(parser);
    }
    return err;
}

static int check_file(struct fb_str file, struct fb_diag *diag)
{
    unsigned number = 1;
    struct fb_str line;

    if (file.len > ORIGIN_CUES_MAX_BYTES) {
        return fb_diag_set(diag, FB_E_LIMIT, "the file is larger than %d bytes",
                           ORIGIN_CUES_MAX_BYTES);
    }
    for (; fb_str_cut(&file, '\n', &line); number++) {
        if (!fb_text_is_utf8(line)) {
            return fb_diag_set(diag, FB_E_MALFORMED, "line %u: the text is not in UTF-8", number);
        }
    }
    return FB_OK;
}

int origin_cues_parse(struct fb_str file, struct origin_cues *cues, struct fb_diag *diag)
{
    int err = check_file(file, diag);
    if (err < 0) {
        return err;
    }
    if (fb_str_starts_with(file, FB_STR("\xef\xbb\xbf"))) {
        file = fb_str_skip(file, 3);
    }
    FB_AUTO(parser_done) struct parser parser = {.rest = file, .cues = cues, .diag = diag};
    err = parse_file(&parser);
    if (err == FB_OK && cues->n_cues == 0) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "the file has no texts with times");
    }
    origin_cues_sort(cues);
    return err;
}
