#include "base/server/problem.h"

#include "base/core/text.h"
#include "base/http/head.h"

/* A word that begins a sentence: what has a dot, a slash or a colon in it is a name, such as
 * edge.yaml:3:1, and is spelled as it is. */
static bool problem_is_word(struct fb_str detail)
{
    size_t i = 0;

    while (i < detail.len && detail.ptr[i] != ' ') {
        if (detail.ptr[i] == '.' || detail.ptr[i] == '/' || detail.ptr[i] == ':') {
            return false;
        }
        i++;
    }
    return detail.ptr[0] >= 'a' && detail.ptr[0] <= 'z';
}

static void problem_sentence(struct fb_buf *buf, struct fb_str detail)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char first = detail.ptr[0];
    char last = detail.ptr[detail.len - 1];

    fb_buf_append_byte(&text, problem_is_word(detail) ? (char)(first - 'a' + 'A') : first);
    fb_buf_append(&text, fb_str_skip(detail, 1));
    if (last != '.' && last != '!' && last != '?') {
        fb_buf_append_byte(&text, '.');
    }
    fb_text_json_string(buf, fb_buf_str(&text));
}

void fb_problem_json(struct fb_buf *buf, unsigned status, const char *slug, struct fb_str detail)
{
    fb_buf_append(buf, FB_STR("{\"type\":\""));
    if (slug != NULL) {
        fb_buf_append(buf, FB_STR("/problems/"));
        fb_text_percent_encode(buf, fb_str_from(slug), "/");
    } else {
        fb_buf_append(buf, FB_STR("about:blank"));
    }
    fb_buf_append(buf, FB_STR("\",\"title\":"));
    fb_text_json_string(buf, fb_str_from(fb_status_reason(status)));
    fb_buf_printf(buf, ",\"status\":%u", status);
    if (detail.len > 0) {
        fb_buf_append(buf, FB_STR(",\"detail\":"));
        problem_sentence(buf, detail);
    }
    fb_buf_append(buf, FB_STR("}\n"));
}
