/* ctl_mapping_table.h - a file of mappings as rows for the daemon; pure */
#pragma once
#include <stddef.h>

struct json_t;

struct ctl_mapping_problem {
    unsigned line;
    char *text;
};
struct ctl_mapping_table {
    struct json_t *rows; /* an array of objects: "line", and the columns as strings */
    struct ctl_mapping_problem *problems;
    size_t problem_count;
};

/* Begin with { 0 }. 1; -1 nothing can be made of it as a whole: the problems say why. After 1 there may be problems as well, of lines that are not
 * among the rows. Of JSON the "line" is the mapping's number, from 1. */
int ctl_mapping_table_read_csv(struct ctl_mapping_table *table, const char *text, size_t len)
    __attribute__((warn_unused_result));
int ctl_mapping_table_read_json(struct ctl_mapping_table *table, const char *text, size_t len)
    __attribute__((warn_unused_result));
void ctl_mapping_table_complain(struct ctl_mapping_table *table, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void ctl_mapping_table_clear(struct ctl_mapping_table *table);
