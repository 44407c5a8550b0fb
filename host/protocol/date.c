#include "protocol/date.h"

#include <assert.h>

#define DAY_SECONDS   86400
#define DAYS_TO_1970  719468 /* from 0000-03-01, the start of the calendar used below */
#define ERA_YEARS     400
#define ERA_DAYS      146097 /* days in 400 years */
#define YEAR_MAX      9999
#define CENTURY_AHEAD 50 /* RFC 9110 5.6.7: two digits never mean more than 50 years ahead */

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const long_day_names[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct civil {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
};

/* A calendar whose year starts in March has its leap day at the end, so that months before it
 * have fixed places: day of year = (153 * month + 2) / 5. */
static int64_t days_from_civil(struct civil date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - (ERA_YEARS - 1)) / ERA_YEARS;
    int64_t year_of_era = year - era * ERA_YEARS;
    int64_t month = date.month > 2 ? (int64_t)date.month - 3 : (int64_t)date.month + 9;
    int64_t day_of_year = (153 * month + 2) / 5 + (int64_t)date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - DAYS_TO_1970;
}

static struct civil civil_from_days(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day_of_era = days - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct civil date;
    date.day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
    date.month = (unsigned)(month < 10 ? month + 3 : month - 9);
    date.year = year_of_era + era * ERA_YEARS + (date.month <= 2 ? 1 : 0);
    return date;
}

static void put_2(char *at, unsigned value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

void date_format(int64_t seconds, char *out)
{
    int64_t days = seconds / DAY_SECONDS;
    int64_t left = seconds % DAY_SECONDS;
    if (left < 0) {
        left += DAY_SECONDS;
        days--;
    }
    struct civil date = civil_from_days(days);
    assert(date.year >= 0 && date.year <= YEAR_MAX);
    assert(date.month >= 1 && date.month <= 12);
    int64_t week_day = (days % 7 + 7 + 4) % 7; /* 1970-01-01 was a Thursday */
    unsigned second = (unsigned)left;
    memcpy(out, day_names[week_day], 3);
    memcpy(out + 3, ", 00 ", 5);
    put_2(out + 5, date.day);
    memcpy(out + 8, month_names[date.month - 1], 3);
    out[11] = ' ';
    put_2(out + 12, (unsigned)date.year / 100);
    put_2(out + 14, (unsigned)date.year % 100);
    out[16] = ' ';
    put_2(out + 17, second / 3600);
    out[19] = ':';
    put_2(out + 20, second / 60 % 60);
    out[22] = ':';
    put_2(out + 23, second % 60);
    memcpy(out + 25, " GMT", 4);
}

/* Position in a text that is being read; `ok` stays false after the first mismatch. */
struct reader {
    const char *p;
    const char *end;
    bool ok;
};

static void expect(struct reader *r, const char *text)
{
    size_t len = strlen(text);
    if (!r->ok || (size_t)(r->end - r->p) < len || memcmp(r->p, text, len) != 0) {
        r->ok = false;
        return;
    }
    r->p += len;
}

static unsigned take_number(struct reader *r, int digits)
{
    unsigned value = 0;
    if (!r->ok || r->end - r->p < digits) {
        r->ok = false;
        return 0;
    }
    for (int i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(unsigned char)*r->p++ - (unsigned)'0';
        if (digit > 9) {
            r->ok = false;
            return 0;
        }
        value = value * 10 + digit;
    }
    return value;
}

/* Index of the three-letter name at the reader, 0 when none matches. */
static unsigned take_name(struct reader *r, const char (*table)[4], unsigned count)
{
    if (r->ok && r->end - r->p >= 3) {
        for (unsigned i = 0; i < count; i++) {
            if (memcmp(r->p, table[i], 3) == 0) {
                r->p += 3;
                return i;
            }
        }
    }
    r->ok = false;
    return 0;
}

static int64_t take_time(struct reader *r)
{
    unsigned hour = take_number(r, 2);
    expect(r, ":");
    unsigned minute = take_number(r, 2);
    expect(r, ":");
    unsigned second = take_number(r, 2);
    if (hour > 23 || minute > 59 || second > 60) {
        r->ok = false;
    }
    return (int64_t)hour * 3600 + (int64_t)minute * 60 + (second == 60 ? 59 : second);
}

static bool leap_year(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned month_days(int64_t year, unsigned month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && leap_year(year) ? 29U : days[month - 1];
}

static bool finish(const struct reader *r, struct civil date, int64_t time, int64_t *seconds)
{
    if (!r->ok || r->p != r->end || date.day < 1 || date.day > month_days(date.year, date.month)) {
        return false;
    }
    *seconds = days_from_civil(date) * DAY_SECONDS + time;
    return true;
}

static bool parse_imf(struct reader r, int64_t *seconds)
{
    struct civil date;
    (void)take_name(&r, day_names, 7); /* only its form matters, see date.h */
    expect(&r, ", ");
    date.day = take_number(&r, 2);
    expect(&r, " ");
    date.month = take_name(&r, month_names, 12) + 1;
    expect(&r, " ");
    date.year = take_number(&r, 4);
    expect(&r, " ");
    int64_t time = take_time(&r);
    expect(&r, " GMT");
    return finish(&r, date, time, seconds);
}

static bool parse_asctime(struct reader r, int64_t *seconds)
{
    struct civil date;
    (void)take_name(&r, day_names, 7); /* only its form matters, see date.h */
    expect(&r, " ");
    date.month = take_name(&r, month_names, 12) + 1;
    expect(&r, " ");
    if (r.ok && r.p < r.end && *r.p == ' ') {
        r.p++;
        date.day = take_number(&r, 1);
    } else {
        date.day = take_number(&r, 2);
    }
    expect(&r, " ");
    int64_t time = take_time(&r);
    expect(&r, " ");
    date.year = take_number(&r, 4);
    return finish(&r, date, time, seconds);
}

static bool parse_rfc850(struct reader r, int64_t now, int64_t *seconds)
{
    struct civil date;
    struct civil today = civil_from_days(now / DAY_SECONDS);
    unsigned day = 0;
    while (day < 7 && !slice_starts_with(slice_make(r.p, (size_t)(r.end - r.p)),
                                         slice_from_cstr(long_day_names[day]))) {
        day++;
    }
    if (day == 7) {
        return false;
    }
    expect(&r, long_day_names[day]);
    expect(&r, ", ");
    date.day = take_number(&r, 2);
    expect(&r, "-");
    date.month = take_name(&r, month_names, 12) + 1;
    expect(&r, "-");
    date.year = today.year - today.year % 100 + take_number(&r, 2);
    if (date.year > today.year + CENTURY_AHEAD) {
        date.year -= 100;
    }
    expect(&r, " ");
    int64_t time = take_time(&r);
    expect(&r, " GMT");
    return finish(&r, date, time, seconds);
}

bool date_parse(struct slice text, int64_t now, int64_t *seconds)
{
    if (text.len < 24) { /* the shortest form, asctime */
        return false;
    }
    struct reader r = {text.p, text.p + text.len, true};
    if (text.p[3] == ',') {
        return parse_imf(r, seconds);
    }
    return text.p[3] == ' ' ? parse_asctime(r, seconds) : parse_rfc850(r, now, seconds);
}
