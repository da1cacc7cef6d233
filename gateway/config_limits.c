/* config_limits.c - the section `limits`: how much may come and go */
#include <stdio.h>
#include <string.h>

#include "gateway/config_internal.h"
#include "gateway/quota.h"

/* In the order of enum quota. Each person may do what few do, and all together what one machine can carry. */
static const char *const standards[QUOTA_COUNT] = {
    [QUOTA_IN_AUTHOR] = "2000/h",     [QUOTA_IN_AUTHOR_SIZE] = "1G/d",  [QUOTA_IN_DOMAIN] = "20000/h",
    [QUOTA_IN_DOMAIN_SIZE] = "20G/d", [QUOTA_IN_MEMBER] = "5000/h",     [QUOTA_IN_ALL] = "100000/h",
    [QUOTA_OUT_AUTHOR] = "2000/h",    [QUOTA_OUT_AUTHOR_SIZE] = "1G/d", [QUOTA_OUT_CORRESPONDENT] = "2000/h",
    [QUOTA_OUT_DOMAIN] = "20000/h",   [QUOTA_OUT_ALL] = "100000/h",
};

enum { GUESSES_MAX = 100000 };

static int parse(enum quota quota, const char *text, struct bucket_rate *rate_out)
{
    return quota_is_size(quota) ? bucket_parse_size_rate(text, rate_out) : bucket_parse_rate(text, rate_out);
}

static int check_rate(cfg_t *cfg, cfg_opt_t *opt)
{
    struct bucket_rate rate;
    const char *value = cfg_opt_getnstr(opt, 0) ? cfg_opt_getnstr(opt, 0) : "";
    size_t quota = 0;
    while (quota < QUOTA_COUNT - 1 && strcmp(opt->name, quota_name((enum quota)quota)) != 0)
        quota++;
    if (parse((enum quota)quota, value, &rate) < 0)
        config_value_problem(cfg, "%s = \"%s\": expected %s", opt->name, value,
                             quota_is_size((enum quota)quota)
                                 ? "a size and a time, such as 1G/d or \"1G/d, 100M at once\", or none"
                                 : "a number and a time, such as 200/h or \"200/h, 50 at once\", or none");
    return 0;
}

static int check_guesses(cfg_t *cfg, cfg_opt_t *opt)
{
    long value = cfg_opt_getnint(opt, 0);
    if (value < 0 || value > GUESSES_MAX)
        config_value_problem(cfg, "%s = %ld: expected a number from 1 to %d, or 0 for no limit", opt->name, value,
                             GUESSES_MAX);
    return 0;
}

void config_limits_options(cfg_opt_t options_out[static CONFIG_LIMITS_OPTIONS_MAX])
{
    size_t count = 0;
    _Static_assert(QUOTA_COUNT + 2 <= CONFIG_LIMITS_OPTIONS_MAX, "make room for more keys");
    for (; count < QUOTA_COUNT; count++)
        options_out[count] = (cfg_opt_t)CFG_STR(quota_name((enum quota)count), standards[count], CFGF_NONE);
    options_out[count++] = (cfg_opt_t)CFG_INT("guesses", 20, CFGF_NONE);
    options_out[count] = (cfg_opt_t)CFG_END();
}

void config_limits_set_checks(cfg_t *cfg)
{
    static const char section[] = "limits|";
    for (size_t i = 0; i < QUOTA_COUNT; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s%s", section, quota_name((enum quota)i));
        cfg_set_validate_func(cfg, path, check_rate);
    }
    cfg_set_validate_func(cfg, "limits|guesses", check_guesses);
}

static void check_largest(const struct config *config, enum quota quota, struct config_report *report)
{
    const struct bucket_rate *rate = &config->limits.quotas.of[quota];
    if (quota_is_size(quota) && rate->amount > 0 && rate->burst < quota_kib(config->policy.max_message))
        config_problem(report, 0,
                       "limits: %s is less at once than one message may have (policy max_message): the largest could "
                       "never pass",
                       quota_name(quota));
}

void config_take_limits(cfg_t *cfg, struct config *config, struct config_report *report)
{
    cfg_t *section = cfg_getsec(cfg, "limits");
    struct bucket_rate *rates = config->limits.quotas.of;
    for (size_t i = 0; i < QUOTA_COUNT; i++) {
        if (parse((enum quota)i, cfg_getstr(section, quota_name((enum quota)i)), &rates[i]) < 0)
            rates[i] = (struct bucket_rate){ .amount = 0 }; /* was reported */
        check_largest(config, (enum quota)i, report);
    }
    config->limits.guesses = (unsigned)cfg_getint(section, "guesses");
}
