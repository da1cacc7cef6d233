/* admin_mapping.h - what the files of the verbs "mapping ..." share */
#pragma once
#include "gateway/admin_command.h"

struct admin_output;
struct store_mapping;
struct store_mapping_filter;
struct store_target;
struct subject;

#define ADMIN_MAPPING_ALL "all" /* instead of a member's alias or a gid: all members */

/* From an argument. -1 after having answered. */
int admin_mapping_subject(struct admin_request *request, const char *text, struct subject *subject_out)
    __attribute__((warn_unused_result));
/* 1; 0 there is no such member or group; -1. */
int admin_mapping_target(struct store_db *db, const char *name, struct store_target *target_out)
    __attribute__((warn_unused_result));
void admin_mapping_add_long(struct admin_output *out, const struct store_mapping *mapping);
/* From --state, --address, --member, --limit (1000 when not given) and --after; what it has of the subject is in *subject. 1; -1 after having
 * answered. */
int admin_mapping_filter(struct admin_request *request, struct store_mapping_filter *filter, struct subject *subject)
    __attribute__((warn_unused_result));

enum { ADMIN_IMPORT_ROWS_MAX = 1000, ADMIN_MAPPING_COLUMN_SIZE = 32 };
/* The column of an option: "max-size" -> "max_size". */
void admin_mapping_column(const char *option, char out[static ADMIN_MAPPING_COLUMN_SIZE]);
