#include "origin/upload/fault.h"

#include "base/core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    unsigned status;
    const char *code;
    const char *slug;
} kinds[ORIGIN_N_FAULTS] = {[ORIGIN_FAULT_NONE] = {200, "", NULL},
#define ORIGIN_FAULT_ROW(name, status_, code_, slug_) \
    [ORIGIN_FAULT_##name] = {.status = (status_), .code = (code_), .slug = (slug_)},
                            ORIGIN_FAULTS(ORIGIN_FAULT_ROW)
#undef ORIGIN_FAULT_ROW
};

int origin_fault_set(struct origin_fault *fault, enum origin_fault_kind kind, const char *fmt, ...)
{
    va_list args;

    fault->kind = kind;
    fault->diag.err = FB_E_DENIED;
    va_start(args, fmt);
    (void)vsnprintf(fault->diag.text, sizeof(fault->diag.text), fmt, args);
    va_end(args);
    return FB_E_DENIED;
}

int origin_fault_of(struct origin_fault *fault, int err)
{
    enum origin_fault_kind kind = ORIGIN_FAULT_INTERNAL;
    const char *text = "something on our side went wrong";

    switch (err) {
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
        kind = ORIGIN_FAULT_FULL;
        text = "there is no room for this file at the moment";
        break;
    case FB_E_BUSY:
    case FB_E_UNAVAILABLE:
        kind = ORIGIN_FAULT_BUSY;
        text = "the server is busy; try again in a moment";
        break;
    case FB_E_CLOSED:
    case FB_E_LIMIT:
    case FB_E_MALFORMED:
    case FB_E_CANCELED:
    case -ECONNRESET:
        kind = ORIGIN_FAULT_CUT;
        text = "the content did not have the length that was declared";
        break;
    case FB_E_TIMEOUT:
        kind = ORIGIN_FAULT_TIMEOUT;
        text = "no content came for too long";
        break;
    default:
        break;
    }
    FB_IGNORE(origin_fault_set(fault, kind, "%s", text)); /* `err` says more */
    fault->diag.err = err;
    return err;
}

unsigned origin_fault_status(enum origin_fault_kind kind)
{
    return kinds[kind].status;
}

const char *origin_fault_code(enum origin_fault_kind kind)
{
    return kinds[kind].code;
}

const char *origin_fault_slug(enum origin_fault_kind kind)
{
    return kinds[kind].slug;
}
