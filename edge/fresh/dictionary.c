#include "edge/fresh/fresh_internal.h"

static bool is_key_byte(char c, bool is_first)
{
    if ((c >= 'a' && c <= 'z') || c == '*') {
        return true;
    }
    return !is_first && ((c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.');
}

/* Length of the key at the start of `str` (section 3.1.2). */
static size_t key_length(struct fb_str str)
{
    size_t n = 0;

    while (n < str.len && is_key_byte(str.ptr[n], n == 0)) {
        n++;
    }
    return n;
}

/* Visible bytes, and spaces in strings alone: what a value can be made of. Which
 * type each directive wants is the business of whoever reads it. */
static bool is_value(struct fb_str str)
{
    bool is_string = str.len > 0 && str.ptr[0] == '"';

    for (size_t i = 0; i < str.len; i++) {
        unsigned char c = (unsigned char)str.ptr[i];
        if (c < 0x20 || c >= 0x7f || (c == ' ' && !is_string)) {
            return false;
        }
    }
    return str.len > 0;
}

static bool is_member(struct fb_str member)
{
    size_t n = key_length(member);

    if (n == 0 || n == member.len) {
        return n > 0;
    }
    if (member.ptr[n] == ';') {
        return true; /* true, with parameters */
    }
    return member.ptr[n] == '=' && is_value(fb_str_skip(member, n + 1));
}

bool edge_is_dictionary(struct fb_str value)
{
    struct fb_str member;
    size_t n = 0;

    while (fb_list_member(&value, &member)) {
        if (!is_member(member)) {
            return false;
        }
        n++;
    }
    return n > 0;
}
