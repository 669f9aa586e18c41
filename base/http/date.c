#include "base/http/date.h"

#include "base/core/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { SECONDS_PER_DAY = 86400 };

/* 0000-01-01 and 9999-12-31T23:59:59. */
static const int64_t min_seconds = -62167219200;
static const int64_t max_seconds = 253402300799;

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct civil {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar, counted in eras of
 * 400 years that begin on 1 March. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t n, struct civil *ret_civil)
{
    int64_t z = n + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;

    ret_civil->day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    ret_civil->month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    ret_civil->year = year_of_era + era * 400 + (ret_civil->month <= 2 ? 1 : 0);
}

struct fb_str fb_date_format(int64_t seconds, char text[FB_DATE_MAX])
{
    struct civil civil = {0};

    seconds = FB_MAX(min_seconds, FB_MIN(seconds, max_seconds));
    int64_t rest = seconds % SECONDS_PER_DAY;
    rest += rest < 0 ? SECONDS_PER_DAY : 0;
    int64_t day = (seconds - rest) / SECONDS_PER_DAY;
    int64_t weekday = ((day + 4) % 7 + 7) % 7;

    civil_from_days(day, &civil);
    int n = snprintf(text, FB_DATE_MAX, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                     days + 3 * weekday, civil.day % 100, months + 3 * (size_t)(civil.month - 1),
                     (unsigned)civil.year % 10000, (unsigned)(rest / 3600) % 100,
                     (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
    return (struct fb_str){text, (size_t)n};
}

/* ---- reading ------------------------------------------------------------ */

/* Takes `literal` from the front of `*rest`. */
static bool take_text(struct fb_str *rest, const char *literal)
{
    struct fb_str wanted = fb_str_from(literal);
    if (!fb_str_starts_with(*rest, wanted)) {
        return false;
    }
    *rest = fb_str_skip(*rest, wanted.len);
    return true;
}

/* Takes exactly `n` digits. */
static bool take_number(struct fb_str *rest, size_t n, unsigned *ret_number)
{
    uint64_t number = 0;

    if (rest->len < n || fb_str_to_u64(fb_str_first(*rest, n), &number) < 0) {
        return false;
    }
    *ret_number = (unsigned)number;
    *rest = fb_str_skip(*rest, n);
    return true;
}

static bool take_month(struct fb_str *rest, unsigned *ret_month)
{
    for (unsigned i = 0; i < 12; i++) {
        if (fb_str_equal(fb_str_first(*rest, 3), (struct fb_str){months + 3 * (size_t)i, 3})) {
            *ret_month = i + 1;
            *rest = fb_str_skip(*rest, 3);
            return true;
        }
    }
    return false;
}

static bool take_time(struct fb_str *rest, struct civil *civil)
{
    return take_number(rest, 2, &civil->hour) && take_text(rest, ":") &&
           take_number(rest, 2, &civil->minute) && take_text(rest, ":") &&
           take_number(rest, 2, &civil->second);
}

/* " 06 Nov 1994 08:49:37 GMT" after "Sun,". */
static bool read_fixdate(struct fb_str rest, struct civil *civil)
{
    unsigned year = 0;

    bool is_read = take_text(&rest, " ") && take_number(&rest, 2, &civil->day) &&
                   take_text(&rest, " ") && take_month(&rest, &civil->month) &&
                   take_text(&rest, " ") && take_number(&rest, 4, &year) && take_text(&rest, " ") &&
                   take_time(&rest, civil) && take_text(&rest, " GMT");
    civil->year = year;
    return is_read && rest.len == 0;
}

/* " 06-Nov-94 08:49:37 GMT" after "Sunday,"; the century is settled later. */
static bool read_rfc850(struct fb_str rest, struct civil *civil)
{
    unsigned year = 0;

    bool is_read = take_text(&rest, " ") && take_number(&rest, 2, &civil->day) &&
                   take_text(&rest, "-") && take_month(&rest, &civil->month) &&
                   take_text(&rest, "-") && take_number(&rest, 2, &year) && take_text(&rest, " ") &&
                   take_time(&rest, civil) && take_text(&rest, " GMT");
    civil->year = year;
    return is_read && rest.len == 0;
}

/* "Nov  6 08:49:37 1994" after "Sun ". */
static bool read_asctime(struct fb_str rest, struct civil *civil)
{
    unsigned year = 0;

    if (!take_month(&rest, &civil->month) || !take_text(&rest, " ")) {
        return false;
    }
    size_t n_digits = take_text(&rest, " ") ? 1 : 2;
    bool is_read = take_number(&rest, n_digits, &civil->day) && take_text(&rest, " ") &&
                   take_time(&rest, civil) && take_text(&rest, " ") && take_number(&rest, 4, &year);
    civil->year = year;
    return is_read && rest.len == 0;
}

static bool is_valid(const struct civil *civil)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = civil->year % 4 == 0 && (civil->year % 100 != 0 || civil->year % 400 == 0);
    unsigned max_day = lengths[civil->month - 1] + (is_leap && civil->month == 2 ? 1U : 0U);

    return civil->day >= 1 && civil->day <= max_day && civil->hour <= 23 && civil->minute <= 59 &&
           civil->second <= 60;
}

/* The full year for two digits: the latest at most 50 years after now. */
static int64_t full_year(int64_t two_digits, int64_t now_s)
{
    struct civil now = {0};

    civil_from_days(FB_MAX(min_seconds, FB_MIN(now_s, max_seconds)) / SECONDS_PER_DAY, &now);
    int64_t year = now.year - now.year % 100 + 100 + two_digits;
    while (year > now.year + 50) {
        year -= 100;
    }
    return year;
}

/* True, with what follows it in `*rest`, if `*rest` begins with one of seven
 * names: of three letters, or in full with `is_full`. */
static bool take_weekday(struct fb_str *rest, bool is_full)
{
    static const char *const tails[] = {"", "", "s", "nes", "rs", "", "ur"};

    for (size_t i = 0; i < 7; i++) {
        struct fb_str at = *rest;
        if (!fb_str_equal(fb_str_first(at, 3), (struct fb_str){days + 3 * i, 3})) {
            continue;
        }
        at = fb_str_skip(at, 3);
        if (is_full && (!take_text(&at, tails[i]) || !take_text(&at, "day"))) {
            return false;
        }
        *rest = at;
        return true;
    }
    return false;
}

int fb_date_parse(struct fb_str text, int64_t now_s, int64_t *ret_seconds)
{
    struct civil civil = {0};
    struct fb_str rest = text;
    bool is_read = false;

    if (take_weekday(&rest, true)) {
        is_read = take_text(&rest, ",") && read_rfc850(rest, &civil);
        civil.year = full_year(civil.year, now_s);
    } else if (take_weekday(&rest, false)) {
        is_read = take_text(&rest, ",") ? read_fixdate(rest, &civil)
                                        : take_text(&rest, " ") && read_asctime(rest, &civil);
    }
    if (!is_read || !is_valid(&civil)) {
        return FB_E_MALFORMED;
    }
    *ret_seconds = days_from_civil(civil.year, civil.month, civil.day) * SECONDS_PER_DAY +
                   (int64_t)civil.hour * 3600 + (int64_t)civil.minute * 60 + civil.second;
    return FB_OK;
}
