#include "base/http/node_name.h"

#include "base/core/err.h"

#include <stdbool.h>

int fb_node_name_check(struct fb_str name, struct fb_diag *diag)
{
    bool is_good = name.len > 0;

    for (size_t i = 0; i < name.len && is_good; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_other = (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        is_good = is_letter || (i > 0 && is_other);
    }
    return is_good ? FB_OK
                   : fb_diag_set(diag, FB_E_MALFORMED,
                                 "a letter, then letters, digits, '-', '.' and '_' are expected");
}
