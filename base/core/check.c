#include "base/core/check.h"

#include <stdio.h>
#include <stdlib.h>

void fb_check_fail(const char *file, int line, const char *function, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: %s: contract broken: %s\n", file, line, function, condition);
    abort();
}
