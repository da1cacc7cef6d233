/* outbound_words.c - messages to the gateway itself, which the concierge answers
 *
 * A thread is with the gateway alone when its own alias is in it, and neither a correspondent nor a group: so what is
 * written to people outside is never taken for an order, whoever else is in the thread. Only the body counts, or the
 * subject of a thread's first message that has none.
 */
#include <string.h>

#include "base/spool.h"
#include "gateway/concierge.h"
#include "gateway/outbound_internal.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"
#include "tmtp/tmtp_message.h"

struct company {
    const struct arrival *arrival;
    bool has_gateway, has_others;
};

static void look_at(struct company *company, const char *alias, const char *uid)
{
    const struct arrival *arrival = company->arrival;
    bool is_ours = strcmp(uid, arrival->own_uid) == 0, is_group = strcmp(alias, uid) == 0;
    if (is_ours && strcmp(alias, arrival->gateway_alias) == 0)
        company->has_gateway = true;
    else if (is_ours || is_group)
        company->has_others = true;
}

static void look_at_party(const struct store_party *party, void *ctx)
{
    struct company *company = ctx;
    look_at(company, party->alias, party->uid);
    company->has_others = company->has_others || party->correspondent_id || party->group_id;
}

int outbound_is_own_thread(struct store_db *db, const struct arrival *arrival, int64_t thread_id)
{
    struct company company = { .arrival = arrival };
    if (store_thread_list_parties(db, thread_id, look_at_party, &company) < 0)
        return -1;
    return company.has_gateway && !company.has_others;
}

bool outbound_is_own_list(const struct arrival *arrival)
{
    struct company company = { .arrival = arrival };
    for (size_t i = 0; i < arrival->message.cc_count; i++)
        look_at(&company, arrival->message.cc[i].who, arrival->message.cc[i].who_uid);
    return company.has_gateway && !company.has_others;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r\n", text[i]) || !text[i])
            return false;
    return true;
}

/* -1: the content can't be read. */
static int read_words(const struct arrival *arrival, char text[static CONCIERGE_TEXT_MAX + 1],
                      struct concierge_speech *speech)
{
    int64_t size = spool_size(arrival->content) - tmtp_message_attachments_size(&arrival->message);
    int64_t wanted = size > CONCIERGE_TEXT_MAX ? CONCIERGE_TEXT_MAX + 1 : size;
    int64_t len = spool_read(arrival->content, 0, text, (size_t)wanted);
    if (len != wanted)
        return -1;
    speech->text = text;
    speech->len = (size_t)len;
    if (is_blank(text, speech->len) && !arrival->message.threadid[0]) {
        speech->text = arrival->message.subject;
        speech->len = strlen(speech->text);
    }
    if (arrival->message.attach_count > 0)
        speech->obstacle = "It has a file, and the gateway reads words only.";
    return 1;
}

/* Its story: `why` tells what was understood. */
static int settle(struct taking *taking, const struct concierge_effect *effect, bool is_answered)
{
    const struct arrival *arrival = taking->arrival;
    if (store_trace_add(taking->db, STORE_QUEUE_OUT, arrival->id, arrival->now, "words", "to the gateway itself: %s",
                        effect->understood[0] ? effect->understood
                        : is_answered         ? "not understood"
                                              : "nothing to do") != 1)
        return -1;
    return store_outbound_finish(taking->db, arrival->id, STORE_QUEUE_SETTLED);
}

int outbound_take_words(struct taking *taking)
{
    struct arrival *arrival = taking->arrival;
    struct concierge_effect effect = { .changed = false };
    char text[CONCIERGE_TEXT_MAX + 1];
    struct concierge_speech speech = {
        .rules = arrival->rules,
        .uid = arrival->from_uid,
        .alias = taking->author.alias,
        .was_known = true,
        .thread_id = taking->thread_id,
        .now = arrival->now,
    };
    taking->count = 0;
    arrival->is_word = true;
    arrival->outcome = "words";
    if (read_words(arrival, text, &speech) < 0 || outbound_add_entry(taking, STORE_OUTBOUND_MESSAGE, false) != 1)
        return -1;
    speech.about = arrival->id;
    int answered =
        arrival->message.queue_key ? 0 : concierge_answer(taking->db, &speech, &effect); /* another gateway's */
    if (answered < 0)
        return -1;
    arrival->noticed = answered == 1;
    arrival->changed = effect.changed;
    return settle(taking, &effect, answered == 1);
}
