/* hold_facts.h - what the header of a held mail says, which the database is not to show: one text, to be sealed */
#pragma once
#include "mapping/store_queue.h"
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

struct hold_facts {
    char *message_id; /* without brackets; NULL */
    char *subject;    /* decoded; "" */
    char *references; /* as struct store_inbound */
    bool has_digest;
    uint8_t digest[STORE_DIGEST_SIZE]; /* likewise */
};
void hold_facts_add(const struct hold_facts *facts, struct strbuf *out);
/* 1; 0: that is no such text. Free the result. */
int hold_facts_read(const char *text, struct hold_facts *facts_out) __attribute__((warn_unused_result));
void hold_facts_free(struct hold_facts *facts);
