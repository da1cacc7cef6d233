/* resolver_protocol.h - what the daemon and the resolver's process say to each other (private to resolver*.c)
 *
 *   daemon -> process   RESOLVER_SETTINGS once, first; RESOLVER_ASK, at most RESOLVER_ASKED_MAX + 1 at a time; RESOLVER_CANCEL; closing means: end
 *   process -> daemon   RESOLVER_READY when it could make use of the settings, or RESOLVER_FAILED and nothing more; RESOLVER_ANSWER once
 *                       for each question that is not cancelled
 *
 * The process is not trusted: it reads what strangers' name servers say.
 */
#pragma once
#include <limits.h>
#include <stdint.h>

#include "base/dns_wire.h"
#include "base/ipc.h"
#include "base/resolver.h"

enum resolver_message_type {
    RESOLVER_SETTINGS = 1, /* struct resolver_settings_wire */
    RESOLVER_ASK,          /* the question's number, then as of dns_question_encode() */
    RESOLVER_CANCEL,       /* the question's number */
    RESOLVER_READY,
    RESOLVER_FAILED, /* why, as text */
    RESOLVER_ANSWER, /* the question's number, enum resolver_trouble as uint32_t, then as of dns_answer_encode() */
};

enum resolver_trouble { RESOLVER_FINE, RESOLVER_TOO_LARGE, RESOLVER_MALFORMED };

struct resolver_settings_wire {
    uint32_t server_count; /* 0: the system's */
    char servers[RESOLVER_SERVERS_MAX][RESOLVER_SERVER_TEXT_MAX];
    char trust_anchor[PATH_MAX]; /* empty: none */
    char system_file[PATH_MAX];  /* where the system's are named */
};

struct resolver_answer_head {
    uint32_t number;
    uint32_t trouble;
};

_Static_assert(sizeof(struct resolver_answer_head) + (size_t)DNS_ANSWER_WIRE_MAX <= (size_t)IPC_PAYLOAD_MAX,
               "an answer is one message");
