/* admin_web.h - what the verbs about accounts of the web page have in common */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct admin_request;
struct store_db;

/* Of an account or a token. */
bool admin_web_is_name(const char *name);
extern const char admin_web_name_rule[];
/* Writer only: the row of the audit log; what: "account" or "token". 1 or -1. */
int admin_web_audit(struct store_db *db, const struct admin_request *request, const char *action, const char *what,
                    const char *name, const char *after, int64_t now) __attribute__((warn_unused_result));
