#include "origin/model/text.h"

#include "base/core/text.h"

#include <stdint.h>
#include <string.h>

/* U+0080 to U+009F, and what turns the direction of text. `rest` begins with a whole character of
 * UTF-8. */
static bool is_hidden_control(struct fb_str rest)
{
    const uint8_t *byte = (const uint8_t *)rest.ptr;

    if (rest.len >= 2 && byte[0] == 0xc2) {
        return byte[1] < 0xa0;
    }
    if (rest.len < 3 || byte[0] != 0xe2) {
        return false;
    }
    return (byte[1] == 0x80 && byte[2] >= 0xaa && byte[2] <= 0xae) ||
           (byte[1] == 0x81 && byte[2] >= 0xa6 && byte[2] <= 0xa9);
}

static bool is_control(struct fb_str rest)
{
    uint8_t byte = (uint8_t)rest.ptr[0];
    return byte < ' ' || byte == 0x7f || is_hidden_control(rest);
}

bool origin_text_is_printable(struct fb_str text, bool may_have_lines)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_space = c == '\n' || c == '\t' || c == '\r';
        if (is_control(fb_str_skip(text, i)) && !(may_have_lines && is_space)) {
            return false;
        }
    }
    return true;
}

/* Bytes of the first character. */
static size_t character_len(struct fb_str rest)
{
    size_t len = 1;
    while (len < rest.len && ((uint8_t)rest.ptr[len] & 0xc0U) == 0x80U) {
        len++;
    }
    return len;
}

void origin_text_clean(struct fb_str text, char *ret_text, size_t size)
{
    size_t n = 0;
    bool has_gap = false;

    if (!fb_text_is_utf8(text)) {
        text = FB_STR("");
    }
    while (text.len > 0) {
        size_t len = character_len(text);
        if (text.ptr[0] == ' ' || is_control(text)) {
            has_gap = n > 0;
        } else {
            size_t gap = has_gap ? 1 : 0;
            if (n + gap + len >= size) {
                break;
            }
            memcpy(ret_text + n, " ", gap);
            memcpy(ret_text + n + gap, text.ptr, len);
            n += gap + len;
            has_gap = false;
        }
        text = fb_str_skip(text, len);
    }
    ret_text[n] = '\0';
}
