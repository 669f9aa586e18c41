#include "origin/media/turn.h"

#include <libavutil/display.h>

#include <math.h>
#include <stdio.h>

enum { RIGHT_ANGLE = 90, QUARTERS = 4 };

struct origin_turn origin_turn_of(const int32_t *matrix)
{
    struct origin_turn turn = {.is_sideways = false};
    const char *filters = "";

    double angle = matrix != NULL ? -av_display_rotation_get(matrix) : 0.0;
    if (matrix == NULL || !isfinite(angle)) {
        return turn;
    }
    long quarter = lround(angle / (double)RIGHT_ANGLE);
    if (fabs(angle - (double)(quarter * RIGHT_ANGLE)) > 2.0) {
        return turn;
    }
    switch ((quarter % QUARTERS + QUARTERS) % QUARTERS) {
    case 1:
        filters = matrix[3] > 0 ? "transpose=cclock_flip," : "transpose=clock,";
        break;
    case 2:
        filters = matrix[0] < 0 ? (matrix[4] < 0 ? "hflip,vflip," : "hflip,") : "vflip,";
        break;
    case 3:
        filters = matrix[3] < 0 ? "transpose=clock_flip," : "transpose=cclock,";
        break;
    default:
        filters = matrix[4] < 0 ? "vflip," : "";
        break;
    }
    turn.is_sideways = quarter % 2 != 0;
    (void)snprintf(turn.filters, sizeof(turn.filters), "%s", filters);
    return turn;
}
