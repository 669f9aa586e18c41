#include "base/http/target.h"

#include "base/http/scan.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* Letters, digits, '-' and '_': one bit for each byte. */
static const uint32_t label_bytes[8] = {0, 0x03ff2000, 0x87fffffe, 0x07fffffe, 0, 0, 0, 0};

/* Labels with a dot between them, and perhaps one that stands for the root at the end. */
static bool is_name(struct fb_str name)
{
    bool is_in_label = false;

    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool is_of_label = (label_bytes[c / 32] >> (c % 32) & 1U) != 0;
        if (!is_of_label && (c != '.' || !is_in_label)) {
            return false;
        }
        is_in_label = is_of_label;
    }
    return name.len > 0;
}

/* What stands after the '%' of an address. */
static bool is_zone(struct fb_str zone)
{
    for (size_t i = 0; i < zone.len; i++) {
        char c = zone.ptr[i];
        if (!is_alnum(c) && c != '-' && c != '.' && c != '_' && c != '~' && c != '%') {
            return false;
        }
    }
    return zone.len > 0;
}

/* What stands in brackets: the digits of an IPv6 address, and whose link it is on if it says so. */
static bool is_address(struct fb_str text)
{
    size_t percent = fb_str_find(text, '%');
    struct fb_str digits = fb_str_first(text, percent);

    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F') && c != ':' &&
            c != '.') {
            return false;
        }
    }
    return fb_str_find(digits, ':') < digits.len &&
           (percent == text.len || is_zone(fb_str_skip(text, percent + 1)));
}

/* ":" and a number, or none. */
static bool is_port(struct fb_str port)
{
    uint64_t number = 0;

    if (port.len <= 1) {
        return port.len == 0 || port.ptr[0] == ':';
    }
    return port.ptr[0] == ':' && port.len <= 6 &&
           fb_str_to_u64(fb_str_skip(port, 1), &number) == 0 && number <= UINT16_MAX;
}

bool fb_host_is_valid(struct fb_str host)
{
    if (host.len > 0 && host.ptr[0] == '[') {
        size_t end = fb_str_find(host, ']');
        return end < host.len && is_address(fb_str_skip(fb_str_first(host, end), 1)) &&
               is_port(fb_str_skip(host, end + 1));
    }
    size_t end = fb_str_find(host, ':');
    return is_name(fb_str_first(host, end)) && is_port(fb_str_skip(host, end));
}

bool fb_target_is_clean(struct fb_str target)
{
    return fb_scan_plain(target, '#', '#') == target.len;
}

bool fb_target_split(struct fb_request_head *head)
{
    if (fb_str_equal(head->target, FB_STR("*"))) {
        head->path = head->target;
        return head->method == FB_METHOD_OPTIONS;
    }
    size_t path_len = fb_str_find(head->target, '?');
    head->path = fb_str_first(head->target, path_len);
    if (path_len < head->target.len) {
        head->query = fb_str_skip(head->target, path_len + 1);
    }
    return head->target.len > 0 && head->target.ptr[0] == '/';
}
