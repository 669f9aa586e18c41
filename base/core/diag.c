#include "base/core/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fb_diag_set(struct fb_diag *diag, int err, const char *fmt, ...)
{
    if (diag == NULL) {
        return err;
    }
    va_list args;
    va_start(args, fmt);
    diag->err = err;
    diag->culprit = NULL;
    (void)vsnprintf(diag->text, sizeof(diag->text), fmt, args);
    va_end(args);
    return err;
}

int fb_diag_blame(struct fb_diag *diag, int err, const void *culprit)
{
    if (diag != NULL) {
        diag->culprit = culprit;
    }
    return err;
}

int fb_diag_prefix(struct fb_diag *diag, int err, const char *fmt, ...)
{
    if (diag == NULL) {
        return err;
    }
    char old[FB_DIAG_MAX];
    memcpy(old, diag->text, sizeof(old));

    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(diag->text, sizeof(diag->text), fmt, args);
    va_end(args);

    size_t used = n < 0 ? 0 : FB_MIN((size_t)n, sizeof(diag->text) - 1);
    (void)snprintf(diag->text + used, sizeof(diag->text) - used, ": %s", old);
    diag->err = err;
    return err;
}
