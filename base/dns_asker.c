#include "base/dns_asker.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/dns_wire.h"
#include "base/ipc.h"
#include "base/worker.h"
#include "base/xmalloc.h"

_Static_assert((size_t)DNS_ANSWER_WIRE_MAX <= (size_t)IPC_PAYLOAD_MAX, "an answer is one message");

struct heard {
    struct heard *next;
    struct dns_answer *answer; /* NULL: DNS_TEMPORARY */
    enum dns_type type;
    size_t name_len; /* without final dot */
    char name[];
};

struct dns_asker {
    unsigned questions; /* that may be asked yet */
    struct heard *heard;
    char reply[IPC_PAYLOAD_MAX];
};

struct dns_asker *dns_asker_new(unsigned questions)
{
    struct dns_asker *asker = xcalloc(1, sizeof *asker);
    asker->questions = questions;
    return asker;
}

void dns_asker_free(struct dns_asker **asker)
{
    if (*asker == NULL)
        return;
    while ((*asker)->heard != NULL) {
        struct heard *each = (*asker)->heard;
        (*asker)->heard = each->next;
        if (each->answer != NULL)
            dns_answer_free(&each->answer);
        free(each);
    }
    free(*asker);
    *asker = NULL;
}

static const struct dns_answer *tell(const struct heard *heard)
{
    return heard->answer != NULL ? heard->answer : dns_answer_without_records(DNS_TEMPORARY);
}

const struct dns_answer *dns_asker_ask(const char *name, enum dns_type type, void *ctx)
{
    struct dns_asker *asker = ctx;
    char question[DNS_QUESTION_WIRE_MAX];
    size_t len;
    if (!dns_name_is_valid(name))
        return dns_answer_without_records(DNS_NO_NAME);
    size_t name_len = strlen(name) - (name[strlen(name) - 1] == '.');
    for (const struct heard *each = asker->heard; each != NULL; each = each->next) {
        if (each->type == type && each->name_len == name_len && strncasecmp(each->name, name, name_len) == 0)
            return tell(each);
    }
    if (asker->questions == 0)
        return dns_answer_without_records(DNS_TEMPORARY);
    asker->questions--;
    worker_ask(question, dns_question_encode(name, type, question), asker->reply, &len);
    struct heard *heard = xcalloc(1, sizeof *heard + name_len);
    memcpy(heard->name, name, name_len);
    heard->name_len = name_len;
    heard->type = type;
    heard->answer = dns_answer_decode(asker->reply, len, type);
    heard->next = asker->heard;
    asker->heard = heard;
    return tell(heard);
}
