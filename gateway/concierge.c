/* concierge.c - see concierge.h */
#include "gateway/concierge.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admins.h"
#include "gateway/concierge_internal.h"
#include "gateway/config.h"
#include "gateway/notice.h"
#include "mapping/store_admin.h"
#include "mapping/store_queue.h"

enum {
    OBJECT_MAX = 300,
    ANSWER_MAX = 128 * 1024,
    HEADING_MAX = 1000, /* of one of several answers, and what is said below one that was cut */
    REFUSED_MAX = 2000,
};

struct concierge_rules *concierge_rules_new(const struct config *config)
{
    struct concierge_rules *rules = xcalloc(1, sizeof *rules);
    size_t count = 0;
    while (config->policy.admins && config->policy.admins[count])
        count++;
    rules->admins = xcalloc(count + 1, sizeof *rules->admins);
    for (size_t i = 0; i < count; i++)
        rules->admins[i] = xstrdup(config->policy.admins[i]);
    rules->gateway_alias = xstrdup(config->silo.alias);
    rules->requests_per_day = config->policy.requests_per_day;
    rules->local_case = config->policy.local_parts;
    return rules;
}

void concierge_rules_free(struct concierge_rules **rules)
{
    if (!*rules)
        return;
    for (char **alias = (*rules)->admins; *alias; alias++)
        free(*alias);
    free((*rules)->admins);
    free((*rules)->gateway_alias);
    free(*rules);
    *rules = NULL;
}

/* Reports, and the help. */

static const char *state_words(const struct store_member *member)
{
    return member->wants_reports
               ? "Delivery reports are on. For each message that you write from now on you are told, in its thread, "
                 "when the other side's mail server reports that it has been delivered, or that it gives no such "
                 "reports."
               : "Delivery reports are off. You are told only when a message of yours is late, or could not be "
                 "delivered.";
}

static int audit_reports(const struct concierge_talk *talk, bool was)
{
    struct strbuf object;
    strbuf_init(&object, OBJECT_MAX);
    strbuf_add_fmt(&object, "member %s", talk->member.alias);
    int result =
        store_audit_add(talk->db, &(struct store_audit_new){ .actor = &talk->actor,
                                                             .action = "member.reports",
                                                             .object = object.data,
                                                             .before = was ? "on" : "off",
                                                             .after = talk->member.wants_reports ? "on" : "off",
                                                             .now = talk->speech->now });
    strbuf_free(&object);
    return result;
}

static int set_reports(struct concierge_talk *talk, const struct concierge_task *task)
{
    struct store_member *member = &talk->member;
    bool on = task->order->verb == CONCIERGE_REPORTS_ON;
    if (!member->id) {
        strbuf_add_str(talk->answer, "You have no address at this gateway, so there are no reports for you.\n");
        return 1;
    }
    bool was = member->wants_reports;
    member->wants_reports = on;
    if (store_member_set_reports(talk->db, member->id, on) != 1 || (was != on && audit_reports(talk, was) != 1))
        return -1;
    strbuf_add_fmt(talk->answer, "%s To change it, say `reports %s`.\n", state_words(member), on ? "off" : "on");
    return 1;
}

static void add_usage(struct strbuf *answer, enum concierge_verb verb)
{
    strbuf_add_fmt(answer, "- `%s`: %s\n", concierge_verb_usage(verb), concierge_verb_meaning(verb));
}

static void add_help(const struct concierge_talk *talk)
{
    strbuf_add_str(talk->answer,
                   "Send the gateway a ping, or write to it in a thread, with one of these, or several in "
                   "lines of their own:\n\n");
    for (enum concierge_verb verb = 0; verb < CONCIERGE_VERB_COUNT; verb++)
        if (talk->is_admin || !concierge_verb_is_admins(verb))
            add_usage(talk->answer, verb);
    if (talk->member.id)
        strbuf_add_fmt(talk->answer, "\n%s\n", state_words(&talk->member));
}

static int help(struct concierge_talk *talk, const struct concierge_task *task)
{
    if (task->order->topic == CONCIERGE_HELP)
        add_help(talk);
    else
        add_usage(talk->answer, task->order->topic);
    return 1;
}

static const struct {
    concierge_act *act;
    const char *subject; /* of the answer to this alone; NULL: what was said */
} acts[CONCIERGE_VERB_COUNT] = {
    [CONCIERGE_INVITE] = { concierge_invite, NULL },
    [CONCIERGE_REVOKE] = { concierge_revoke, NULL },
    [CONCIERGE_LIST] = { concierge_list, "Who can write to you" },
    [CONCIERGE_WHO] = { concierge_who, NULL },
    [CONCIERGE_REPORTS_ON] = { set_reports, "Delivery reports are on" },
    [CONCIERGE_REPORTS_OFF] = { set_reports, "Delivery reports are off" },
    [CONCIERGE_PENDING] = { concierge_pending, "What waits for an administrator" },
    [CONCIERGE_APPROVE] = { concierge_decide, NULL },
    [CONCIERGE_DENY] = { concierge_decide, NULL },
    [CONCIERGE_SUSPEND] = { concierge_decide, NULL },
    [CONCIERGE_RESUME] = { concierge_decide, NULL },
    [CONCIERGE_HELP] = { help, "What the gateway understands" },
};

/* The answer. */

/* "approve 17", "invite bob@example.com": plain text, for a subject and before each of several answers. */
static void name_order(const struct concierge_order *order, struct strbuf *out)
{
    strbuf_add_str(out, concierge_verb_name(order->verb));
    if (order->number)
        strbuf_add_fmt(out, " %lld", (long long)order->number);
    if (order->address[0])
        strbuf_add_fmt(out, " %s", order->address);
}

static void name_subject(const struct concierge_talk *talk, bool was_done, struct strbuf *subject)
{
    const struct concierge_words *words = &talk->words;
    if (!was_done)
        strbuf_add_str(subject, words->count ? "Not done" : "What the gateway understands");
    else if (words->count > 1)
        strbuf_add_fmt(subject, "%zu answers", words->count);
    else if (acts[words->orders[0].verb].subject)
        strbuf_add_str(subject, acts[words->orders[0].verb].subject);
    else
        name_order(&words->orders[0], subject);
}

static int give_answer(const struct concierge_talk *talk, bool was_done)
{
    const struct concierge_speech *speech = talk->speech;
    struct strbuf subject;
    strbuf_init(&subject, 1000);
    name_subject(talk, was_done, &subject);
    struct notice notice = {
        .to.member_id = talk->member.id,
        .uid = speech->uid,
        .alias = speech->alias,
        .thread_id = speech->thread_id,
        .subject = subject.data,
        .text = talk->answer->data,
        .about = speech->about,
    };
    int result = strbuf_ok(talk->answer) ? notice_add(talk->db, &notice, speech->now) : -1;
    strbuf_free(&subject);
    return result;
}

static int answer_unclear(struct concierge_talk *talk)
{
    const struct concierge_speech *speech = talk->speech;
    const struct concierge_words *words = &talk->words;
    int may = store_spoken_count(talk->db, speech->uid, STORE_SPOKEN_UNCLEAR, CONCIERGE_UNCLEAR_MAX, speech->now);
    if (may != 1)
        return may;
    struct notice_list list = { .text = talk->answer };
    strbuf_add_str(talk->answer, "This was not understood, and nothing was done.\n\n");
    if (words->line[0])
        notice_list_add(&list, "%s", words->line);
    notice_list_add(&list, "%s", speech->obstacle ? speech->obstacle : words->why);
    strbuf_add_char(talk->answer, '\n');
    if (words->about != CONCIERGE_VERB_COUNT && (talk->is_admin || !concierge_verb_is_admins(words->about)))
        add_usage(talk->answer, words->about);
    else
        add_help(talk);
    return give_answer(talk, false);
}

/* All orders are looked at before the first is done. 1 all can be done, 0 one can't (the answer says so), -1. */
static int prepare_all(struct concierge_talk *talk)
{
    struct strbuf refused;
    int result = 1;
    strbuf_init(&refused, REFUSED_MAX);
    for (size_t i = 0; i < talk->words.count && result == 1; i++) {
        talk->tasks[i] = (struct concierge_task){ .order = &talk->words.orders[i] };
        if (concierge_verb_is_admins(talk->words.orders[i].verb) && !talk->is_admin) {
            strbuf_add_fmt(&refused, "Only administrators may say \"%s\".",
                           concierge_verb_name(talk->words.orders[i].verb));
            result = 0;
        } else {
            result = concierge_prepare(talk, &talk->tasks[i], &refused);
        }
    }
    if (result == 0) {
        struct notice_list list = { .text = talk->answer };
        strbuf_add_str(talk->answer, "Nothing was done.\n\n");
        notice_list_add(&list, "%s", refused.data);
    }
    strbuf_free(&refused);
    return result;
}

static void add_heading(const struct concierge_order *order, bool is_first, struct strbuf *answer)
{
    struct notice_list list = { .text = answer };
    struct strbuf name;
    strbuf_init(&name, HEADING_MAX);
    name_order(order, &name);
    strbuf_add_str(answer, is_first ? "" : "\n");
    notice_list_add(&list, "%s", name.data);
    strbuf_add_char(answer, '\n');
    strbuf_free(&name);
}

/* Each order has its share of the answer, so that whatever is asked for, there is one: what can't be answered can't be taken
 * from the silo, and everything behind it would wait for ever. */
static int do_one(struct concierge_talk *talk, const struct concierge_task *task)
{
    struct strbuf *whole = talk->answer, part;
    strbuf_init(&part, ANSWER_MAX / talk->words.count - HEADING_MAX);
    talk->answer = &part;
    int result = acts[task->order->verb].act(talk, task);
    talk->answer = whole;
    strbuf_add(whole, part.data, part.len);
    if (!strbuf_ok(&part))
        strbuf_add_str(whole, "\nThe answer is longer than there is room for. All of it was done.\n");
    strbuf_free(&part);
    return result;
}

static int do_all(struct concierge_talk *talk)
{
    for (size_t i = 0; i < talk->words.count; i++) {
        if (talk->words.count > 1)
            add_heading(&talk->words.orders[i], i == 0, talk->answer);
        if (do_one(talk, &talk->tasks[i]) != 1)
            return -1;
    }
    return 1;
}

static void note_understood(const struct concierge_talk *talk, struct concierge_effect *effect)
{
    struct strbuf text;
    strbuf_init(&text, sizeof effect->understood - 1);
    for (size_t i = 0; i < talk->words.count; i++)
        strbuf_add_fmt(&text, "%s%s", i ? ", " : "", concierge_verb_name(talk->words.orders[i].verb));
    memcpy(effect->understood, text.data, text.len + 1);
    strbuf_free(&text);
}

static int answer(struct concierge_talk *talk)
{
    const struct concierge_speech *speech = talk->speech;
    struct concierge_names names = { .gateway = speech->rules->gateway_alias, .author = speech->alias };
    bool understood = !speech->obstacle && concierge_words_read(speech->text, speech->len, &names, &talk->words);
    if (speech->obstacle) {
        talk->words.count = 0;
        talk->words.line[0] = talk->words.why[0] = 0;
        talk->words.about = CONCIERGE_VERB_COUNT;
    }
    if (understood ? talk->words.count == 0 : !speech->was_known)
        return 0;
    if (speech->ping) {
        int fresh = store_seen_tmtp(talk->db, speech->ping, speech->now); /* its ack may have been lost */
        if (fresh != 1)
            return fresh;
    }
    if (!understood)
        return answer_unclear(talk);
    note_understood(talk, talk->effect);
    int result = prepare_all(talk);
    bool can_be_done = result == 1;
    if (can_be_done)
        result = do_all(talk);
    return result < 0 ? -1 : give_answer(talk, can_be_done);
}

int concierge_answer(struct store_db *db, const struct concierge_speech *speech, struct concierge_effect *effect_out)
{
    *effect_out = (struct concierge_effect){ .changed = false };
    if (speech->len == strlen(CONCIERGE_GREETING) && memcmp(speech->text, CONCIERGE_GREETING, speech->len) == 0)
        return 0;
    if (speech->len == strlen(CONCIERGE_ADMIN_GREETING) &&
        memcmp(speech->text, CONCIERGE_ADMIN_GREETING, speech->len) == 0)
        return 0;
    int is_admin = admins_include(db, speech->rules->admins, speech->uid);
    if (is_admin < 0)
        return -1;
    struct concierge_talk *talk = xcalloc(1, sizeof *talk);
    struct strbuf text;
    strbuf_init(&text, ANSWER_MAX);
    int found = store_member_find_by_uid(db, speech->uid, &talk->member);
    talk->db = db;
    talk->speech = speech;
    talk->is_admin = is_admin;
    talk->actor = (struct store_actor){ .channel = "silo",
                                        .name = found == 1 ? talk->member.alias : speech->alias,
                                        .uid = speech->uid };
    talk->answer = &text;
    talk->effect = effect_out;
    int result = found < 0 ? -1 : found == 1 || is_admin ? answer(talk) : 0;
    store_member_free(&talk->member);
    strbuf_free(&text);
    free(talk);
    return result;
}
