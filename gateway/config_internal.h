/* config_internal.h - what config.c (parsing, reporting) and config_schema.c (keys, values) share */
#pragma once
#include "gateway/config.h"
#include <confuse.h>
#include <stdbool.h>

struct config_report {
    const char *file;
    struct strbuf *problems;
    unsigned count;
    bool is_unknown_key; /* of the last error */
    int error_line;
    int last_line_reported; /* mistakes up to here were reported by an earlier pass */
    int checking_from_line;
};

void config_problem(struct config_report *report, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void config_value_problem(cfg_t *cfg, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

cfg_t *config_schema_new(void);
struct config *config_from_parsed(cfg_t *cfg, const char *file, struct config_report *report);
