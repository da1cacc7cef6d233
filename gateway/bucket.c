#include "gateway/bucket.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config.h"

static const int64_t second_us = 1000 * 1000;

/* What one is worth is rounded, not what several are: one at a time makes as many as all at once. */
static int64_t cost(const struct bucket_rate *rate, int64_t amount)
{
    int64_t one_us = (rate->period_us + rate->amount - 1) / rate->amount;
    return amount * one_us;
}

static int64_t bounded(const struct bucket_rate *rate, int64_t amount)
{
    return amount < rate->burst ? amount : rate->burst;
}

int64_t bucket_wait(const struct bucket_rate *rate, int64_t whole_us, int64_t amount, int64_t now_us)
{
    if (rate->amount == 0)
        return 0;
    int64_t from = whole_us > now_us ? whole_us : now_us;
    int64_t too_much = from - now_us + cost(rate, bounded(rate, amount)) - cost(rate, rate->burst);
    return too_much > 0 ? too_much : 0;
}

int64_t bucket_take(const struct bucket_rate *rate, int64_t whole_us, int64_t amount, int64_t now_us)
{
    if (rate->amount == 0)
        return 0;
    return (whole_us > now_us ? whole_us : now_us) + cost(rate, bounded(rate, amount));
}

int64_t bucket_repair(const struct bucket_rate *rate, int64_t whole_us, int64_t reserve_us, int64_t now_us)
{
    if (rate->amount == 0 || whole_us <= now_us)
        return 0;
    int64_t spent_us = now_us + cost(rate, rate->burst);
    return whole_us > spent_us + reserve_us ? spent_us : whole_us;
}

static const struct {
    char letter;
    int64_t seconds;
    const char *name;
} periods[] = { { 's', 1, "a second" }, { 'm', 60, "a minute" }, { 'h', 3600, "an hour" }, { 'd', 86400, "a day" } };
enum { PERIOD_COUNT = sizeof periods / sizeof periods[0] };

const char *bucket_period_name(const struct bucket_rate *rate)
{
    size_t i = 0;
    while (i + 1 < PERIOD_COUNT && periods[i].seconds * second_us != rate->period_us)
        i++;
    return periods[i].name;
}

static int64_t find_period(char letter)
{
    for (size_t i = 0; i < PERIOD_COUNT; i++)
        if (periods[i].letter == letter)
            return periods[i].seconds * second_us;
    return 0;
}

typedef int parse_amount(const char *text, int64_t *amount_out);

static int parse_count(const char *text, int64_t *count_out)
{
    enum { DIGITS_MAX = 7, COUNT_MAX = 1000 * 1000 };
    size_t len = strlen(text);
    if (len == 0 || len > DIGITS_MAX || strspn(text, "0123456789") != len)
        return -1;
    *count_out = strtoll(text, NULL, 10);
    return *count_out >= 1 && *count_out <= COUNT_MAX ? 1 : -1;
}

static int parse_kib(const char *text, int64_t *kib_out)
{
    int64_t bytes;
    if (config_parse_size(text, &bytes) < 0 || bytes < 1024)
        return -1;
    *kib_out = bytes / 1024;
    return *kib_out <= BUCKET_AMOUNT_MAX ? 1 : -1;
}

/* The amount that stands between these. */
static int parse_between(const char *from, const char *to, parse_amount *parse, int64_t *amount_out)
{
    char text[24];
    size_t len = (size_t)(to - from);
    if (len >= sizeof text)
        return -1;
    memcpy(text, from, len);
    text[len] = 0;
    return parse(text, amount_out);
}

static int parse_rate(const char *text, parse_amount *parse, struct bucket_rate *rate_out)
{
    static const char at_once[] = " at once";
    struct bucket_rate rate = { .amount = 0 };
    const char *slash = strchr(text, '/'), *end = text + strlen(text);
    *rate_out = rate;
    if (strcmp(text, "none") == 0)
        return 1;
    if (!slash || parse_between(text, slash, parse, &rate.amount) < 0 || !slash[1])
        return -1;
    rate.burst = rate.amount;
    rate.period_us = find_period(slash[1]);
    const char *rest = slash + 2;
    if (rate.period_us < rate.amount)
        return -1;
    if (*rest) {
        size_t len = sizeof at_once - 1;
        bool has_burst =
            strncmp(rest, ", ", 2) == 0 && (size_t)(end - rest) > 2 + len && strcmp(end - len, at_once) == 0;
        if (!has_burst || parse_between(rest + 2, end - len, parse, &rate.burst) < 0)
            return -1;
    }
    *rate_out = rate;
    return 1;
}

int bucket_parse_rate(const char *text, struct bucket_rate *rate_out)
{
    return parse_rate(text, parse_count, rate_out);
}

int bucket_parse_size_rate(const char *text, struct bucket_rate *rate_out)
{
    return parse_rate(text, parse_kib, rate_out);
}
