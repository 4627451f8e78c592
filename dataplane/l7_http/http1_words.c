/* What stands in heads: reason phrases and dates. */
#include "dataplane/base/clock.h"
#include "dataplane/l7_http/http1.h"

#include <stdio.h>

const char *sw_http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } table[] = {
        // clang-format off
        {100, "Continue"},
        {101, "Switching Protocols"},
        {102, "Processing"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {207, "Multi-Status"},
        {208, "Already Reported"},
        {226, "IM Used"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {305, "Use Proxy"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Request Entity Too Large"},
        {414, "Request URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Requested Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {418, "I'm a teapot"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Entity"},
        {423, "Locked"},
        {424, "Failed Dependency"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {506, "Variant Also Negotiates"},
        {507, "Insufficient Storage"},
        {508, "Loop Detected"},
        {510, "Not Extended"},
        {511, "Network Authentication Required"},
        // clang-format on
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(table); i++) {
        if (table[i].status == status) {
            return table[i].reason;
        }
    }
    return "";
}

/* ---- dates: the Gregorian calendar in days since 1970-01-01 ---- */

static const char day_names[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
static const char month_names[12][4] = {
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
};

#define DAYS_OF_400_YEARS 146097
#define SECONDS_OF_DAY    86400
#define DAYS_TO_1970_03_01                                                                         \
    719468 // from 0000-03-01; years begin in March, so that the leap day is last

struct date {
    unsigned year;
    unsigned month; // 1 … 12
    unsigned day;   // 1 … 31
};

static struct date date_of(uint64_t days)
{
    days += DAYS_TO_1970_03_01;
    uint64_t era = days / DAYS_OF_400_YEARS;
    unsigned day_of_era = (unsigned)(days % DAYS_OF_400_YEARS);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned from_march = (5 * day_of_year + 2) / 153;
    unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;
    return (struct date){
        .year = (unsigned)(era * 400) + year_of_era + (month <= 2 ? 1 : 0),
        .month = month,
        .day = day_of_year - (153 * from_march + 2) / 5 + 1,
    };
}

// year >= 1970
static uint64_t days_of(struct date date)
{
    unsigned year = date.year - (date.month <= 2 ? 1 : 0);
    unsigned from_march = date.month > 2 ? date.month - 3 : date.month + 9;
    unsigned year_of_era = year % 400;
    unsigned day_of_year = (153 * from_march + 2) / 5 + date.day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (uint64_t)(year / 400) * DAYS_OF_400_YEARS + day_of_era - DAYS_TO_1970_03_01;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
    static const unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

void sw_http_date(uint64_t wall_ns, char out[30])
{
    uint64_t seconds = wall_ns / SW_NS_PER_S;
    uint64_t days = seconds / SECONDS_OF_DAY;
    unsigned of_day = (unsigned)(seconds % SECONDS_OF_DAY);
    struct date date = date_of(days);
    snprintf(
        out,
        30,
        "%s, %02u %s %04u %02u:%02u:%02u GMT",
        day_names[days % 7],
        date.day % 100,
        month_names[(date.month - 1) % 12],
        date.year % 10000,
        of_day / 3600 % 100,
        of_day / 60 % 60,
        of_day % 60
    );
}

static bool two_digits(const char *text, unsigned *ret_number)
{
    unsigned tens = (unsigned)(text[0] - '0');
    unsigned ones = (unsigned)(text[1] - '0');
    *ret_number = tens * 10 + ones;
    return tens <= 9 && ones <= 9;
}

static unsigned index_of(const char *text, const char (*names)[4], unsigned count)
{
    unsigned i = 0;
    while (i < count && memcmp(text, names[i], 3) != 0) {
        i++;
    }
    return i;
}

// The letters of the form, with '0' where digits and 'a' where names stand.
static bool has_form(struct sw_http_text text)
{
    static const char form[] = "aaa, 00 aaa 0000 00:00:00 GMT";
    if (text.len != sizeof(form) - 1) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (form[i] != '0' && form[i] != 'a' && form[i] != text.data[i]) {
            return false;
        }
    }
    return true;
}

int sw_http_date_parse(struct sw_http_text text, uint64_t *ret_wall_ns)
{
    unsigned day, century, year, hour, minute, second;
    const char *at = text.data;
    if (!has_form(text) || index_of(at, day_names, 7) == 7 || !two_digits(at + 5, &day)
        || !two_digits(at + 12, &century) || !two_digits(at + 14, &year)
        || !two_digits(at + 17, &hour) || !two_digits(at + 20, &minute)
        || !two_digits(at + 23, &second)) {
        return SW_E_INVALID;
    }
    struct date date = {century * 100 + year, index_of(at + 8, month_names, 12) + 1, day};
    // The nanoseconds of later years do not fit.
    if (date.month > 12 || date.year < 1970 || date.year > 2500 || day == 0
        || day > days_of_month(date.year, date.month) || hour > 23 || minute > 59 || second > 59) {
        return SW_E_INVALID;
    }
    uint64_t of_day = (uint64_t)hour * 3600 + minute * 60 + second;
    *ret_wall_ns = (days_of(date) * SECONDS_OF_DAY + of_day) * SW_NS_PER_S;
    return SW_OK;
}
