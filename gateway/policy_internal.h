/* policy_internal.h - how the source files of policy make verdicts; nobody else includes it
 *
 *   policy.c          at RCPT, the form of a message, proof, files
 *   policy_mapping.c  which mapping decides about two people, and what it says
 */
#pragma once
#include "gateway/policy.h"

struct policy_verdict policy_verdict_make(enum policy_decision decision, struct smtp_reply reply);
struct policy_verdict policy_accept_because(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct policy_verdict policy_database_trouble(void);
