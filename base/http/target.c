#include "base/http/target.h"

#include <string.h>

bool fb_host_is_valid(struct fb_str host)
{
    bool is_literal = host.len > 0 && host.ptr[0] == '[';
    size_t i = is_literal ? fb_str_find(host, ']') + 1 : fb_str_find(host, ':');
    struct fb_str name = fb_str_first(host, i);
    struct fb_str port = fb_str_skip(host, i);

    if (name.len == 0 || i > host.len) {
        return false;
    }
    for (size_t k = 0; k < name.len; k++) {
        unsigned char c = (unsigned char)name.ptr[k];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        const char *others = is_literal ? "[]:.%" : "-._~%!$&'()*+,;=";
        if (!is_alnum && (c == '\0' || strchr(others, c) == NULL)) {
            return false;
        }
    }
    uint64_t number = 0;
    return port.len == 0 || (port.ptr[0] == ':' && port.len <= 6 &&
                             (port.len == 1 || (fb_str_to_u64(fb_str_skip(port, 1), &number) == 0 &&
                                                number <= UINT16_MAX)));
}

bool fb_target_is_clean(struct fb_str target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '#') {
            return false;
        }
    }
    return true;
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
