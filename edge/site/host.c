#include "edge/site/host.h"

#include "base/core/err.h"

static char to_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Without port, and without the dot of the root. */
static struct fb_str name_of(struct fb_str host)
{
    bool is_in_brackets = host.len > 0 && host.ptr[0] == '[';
    size_t end = is_in_brackets ? fb_str_find(host, ']') + 1 : fb_str_find(host, ':');
    struct fb_str name = fb_str_first(host, end);

    if (name.len > 1 && name.ptr[name.len - 1] == '.') {
        name.len--;
    }
    return name;
}

bool edge_host_of_request(struct fb_str text, struct edge_host *ret_host)
{
    struct fb_str name = name_of(text);

    if (name.len == 0 || name.len > EDGE_SITE_HOST_BYTES || name.ptr[0] == '.') {
        return false;
    }
    ret_host->len = name.len;
    ret_host->n_labels = 1;
    ret_host->is_wildcard = false;
    ret_host->is_rest = false;
    for (size_t i = 0; i < name.len; i++) {
        ret_host->text[i] = to_lower(name.ptr[i]);
        ret_host->n_labels += name.ptr[i] == '.' && name.ptr[0] != '[';
    }
    return true;
}

static bool is_label_byte(char c)
{
    return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '-' ||
           c == '_';
}

static bool is_name(struct fb_str name)
{
    struct fb_str label;

    while (fb_str_cut(&name, '.', &label)) {
        if (label.len == 0 || label.len > 63) {
            return false;
        }
        for (size_t i = 0; i < label.len; i++) {
            if (!is_label_byte(label.ptr[i])) {
                return false;
            }
        }
    }
    return true;
}

/* [IPv6]; what stands in it is compared as it is written. */
static bool is_literal(struct fb_str host)
{
    for (size_t i = 1; i + 1 < host.len; i++) {
        char c = to_lower(host.ptr[i]);
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && c != ':' && c != '.') {
            return false;
        }
    }
    return host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
}

int edge_host_read(struct fb_str text, struct edge_host *ret_host, struct fb_diag *diag)
{
    bool is_wildcard = fb_str_starts_with(text, FB_STR("*."));
    struct fb_str name = fb_str_skip(text, is_wildcard ? 2 : 0);
    struct edge_host host = {.is_rest = fb_str_equal(text, FB_STR("*"))};

    if (host.is_rest) {
        *ret_host = host;
        return FB_OK;
    }
    if (fb_str_find(name, ':') < name.len && !fb_str_starts_with(name, FB_STR("["))) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'%.*s' has a port; a site is found by its name, whatever the port",
                           FB_STR_ARG(text));
    }
    if (text.len > EDGE_SITE_HOST_BYTES || name.len == 0 ||
        !(is_name(name) || (is_literal(name) && !is_wildcard))) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'%.*s' is no host; video.example, *.example or * is expected",
                           FB_STR_ARG(text));
    }
    /* With the dot that stands before the name of a wildcard. */
    if (!edge_host_of_request(name, &host)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' is no host", FB_STR_ARG(text));
    }
    if (is_wildcard) {
        if (host.n_labels > EDGE_SITE_DEPTH_MAX) {
            return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' has more than %d labels",
                               FB_STR_ARG(text), EDGE_SITE_DEPTH_MAX);
        }
        for (size_t i = host.len; i > 0; i--) {
            host.text[i] = host.text[i - 1];
        }
        host.text[0] = '.';
        host.len++;
        host.is_wildcard = true;
    }
    *ret_host = host;
    return FB_OK;
}
