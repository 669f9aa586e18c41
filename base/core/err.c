#include "base/core/err.h"

#include <string.h>

/* getaddrinfo's failures as libuv numbers them. */
enum { UV_EAI_FIRST = -3014, UV_EAI_LAST = -3000, UV_EOF_CODE = -4095 };

const char *fb_err_text(int err)
{
    switch (err) {
    case FB_OK:
        return "no error";
    case UV_EOF_CODE:
        return "end of stream";
#define FB_ERR_TEXT(name, number, text) \
    case number:                        \
        return text;
        FB_ERR_LIST(FB_ERR_TEXT)
#undef FB_ERR_TEXT
    default:
        break;
    }
    if (err >= UV_EAI_FIRST && err <= UV_EAI_LAST) {
        return "the host name could not be resolved";
    }
    const char *text = err < 0 && err > -4096 ? strerrordesc_np(-err) : NULL;
    return text != NULL ? text : "unknown error";
}

const char *fb_err_name(int err)
{
    switch (err) {
    case FB_OK:
        return "OK";
    case UV_EOF_CODE:
        return "EOF";
#define FB_ERR_NAME(name, number, text) \
    case number:                        \
        return #name;
        FB_ERR_LIST(FB_ERR_NAME)
#undef FB_ERR_NAME
    default:
        break;
    }
    if (err >= UV_EAI_FIRST && err <= UV_EAI_LAST) {
        return "EAI";
    }
    const char *name = err < 0 && err > -4096 ? strerrorname_np(-err) : NULL;
    return name != NULL ? name : "UNKNOWN";
}
