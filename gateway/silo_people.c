/* silo_people.c - see silo_people.h */
#include "gateway/silo_people.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/concierge.h"
#include "gateway/config.h"
#include "gateway/consent.h"
#include "gateway/departure.h"
#include "gateway/notice.h"
#include "gateway/parts.h"
#include "mapping/store_audit.h"
#include "mapping/store_group.h"
#include "mapping/store_identity.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_header.h"

static const int64_t asked_again_ms = INT64_C(24) * 3600 * 1000;
static const int64_t told_again_ms = INT64_C(24) * 3600 * 1000;

struct silo_people {
    const struct parts *parts;
    const struct silo_people_callbacks *callbacks;
    void *ctx;
    struct tmtp_client *client;
};

/* What one push taught; the committer's until done. */
struct lesson {
    struct silo_people *people;
    enum tmtp_push_op op;
    char *msgid, *alias, *uid, *to, *gid, *act, *new_alias, *own_uid;
    char *words; /* of a ping to the gateway's own alias; NULL */
    struct concierge_rules *rules;
    bool may_invite; /* policy.group_invites = members */
    int64_t now;
    /* results */
    enum store_identity_verdict verdict;
    int member; /* of consent_note() */
    bool noticed;
    const char *group_event; /* for the log; static, NULL: none */
    bool answered;           /* by the concierge: */
    struct concierge_effect effect;
};

static void lesson_free(struct lesson *lesson)
{
    free(lesson->msgid);
    free(lesson->alias);
    free(lesson->uid);
    free(lesson->to);
    free(lesson->gid);
    free(lesson->act);
    free(lesson->new_alias);
    free(lesson->own_uid);
    free(lesson->words);
    concierge_rules_free(&lesson->rules);
    free(lesson);
}

static bool is_own(const struct lesson *lesson)
{
    return strcmp(lesson->uid, lesson->own_uid) == 0;
}

/* 1 learned or refused (see verdict), -1 error. */
static int learn(struct store_db *db, struct lesson *lesson, const char *alias, enum store_identity_source source)
{
    lesson->verdict = store_identity_learn(db, alias, lesson->uid, source, lesson->now);
    if (lesson->verdict == STORE_IDENTITY_ERROR)
        return -1;
    bool is_news = store_identity_is_vouched(source) && !is_own(lesson);
    return !is_news || departure_note_owner(db, alias, lesson->uid, lesson->now) >= 0 ? 1 : -1;
}

/* A word to the gateway itself. */
static int learn_sender(struct store_db *db, struct lesson *lesson, enum store_identity_source source)
{
    if (learn(db, lesson, lesson->alias, source) < 0)
        return -1;
    if (lesson->verdict != STORE_IDENTITY_AGREES)
        return 1;
    lesson->member = consent_note(db, lesson->alias, lesson->uid, lesson->now);
    return lesson->member == -1 ? -1 : 1;
}

/* Is the account known already: of a member who has answered; or (of an admin who is no member) vouched for? */
static int is_known(struct store_db *db, const struct lesson *lesson)
{
    struct store_member member;
    char *alias;
    int found = store_member_find_by_uid(db, lesson->uid, &member);
    if (found != 0) {
        store_member_free(&member);
        return found;
    }
    found = store_member_find_by_alias(db, lesson->alias, &member);
    if (found != 0) {
        store_member_free(&member);
        return found < 0 ? -1 : 0; /* this is their answer */
    }
    found = store_identity_find_alias(db, lesson->uid, &alias);
    free(alias);
    return found;
}

/* A ping teaches whose the alias is; and it may be a word for the concierge. */
static int take_ping(struct store_db *db, struct lesson *lesson)
{
    int known = is_known(db, lesson);
    if (known < 0 || learn_sender(db, lesson, STORE_IDENTITY_PING) < 0)
        return -1;
    if (!lesson->words || lesson->verdict != STORE_IDENTITY_AGREES)
        return 1;
    struct concierge_speech speech = {
        .rules = lesson->rules,
        .uid = lesson->uid,
        .alias = lesson->alias,
        .text = lesson->words,
        .len = strlen(lesson->words),
        .ping = lesson->msgid,
        .was_known = known == 1,
        .now = lesson->now,
    };
    int answered = concierge_answer(db, &speech, &lesson->effect);
    lesson->answered = lesson->noticed = answered == 1;
    return answered < 0 ? -1 : 1;
}

/* Invitations. */

/* 1 yes, 0 no, -1 error. */
static int may_invite(struct store_db *db, const struct lesson *lesson)
{
    struct store_member member;
    if (!lesson->may_invite)
        return 0;
    int found = store_member_find_by_uid(db, lesson->uid, &member);
    if (found == 1)
        store_member_free(&member);
    return found;
}

/* Once a day each: whoever may register with the silo may invite us to any number of groups. */
static int tell_inviter(struct store_db *db, struct lesson *lesson)
{
    static const char text[] =
        "The invitation has arrived. An administrator of this gateway has to accept it before email can reach the "
        "group.";
    int64_t told_at;
    int told = store_inbound_person_told_at(db, lesson->uid, &told_at);
    if (told != 0 && (told < 0 || lesson->now - told_at < told_again_ms))
        return told < 0 ? -1 : 1;
    struct notice notice = {
        .uid = lesson->uid, .alias = lesson->alias, .subject = "Invitation to a group", .text = text
    };
    lesson->noticed = true;
    return notice_add(db, &notice, lesson->now);
}

/* That it goes in without an administrator, once: it may be invited by many. */
static int audit_acceptance(struct store_db *db, const struct lesson *lesson)
{
    const struct store_actor actor = { .channel = "silo", .name = lesson->alias, .uid = lesson->uid };
    struct store_group group;
    struct strbuf object;
    int found = store_group_find_by_gid(db, lesson->gid, &group);
    if (found < 0)
        return -1;
    enum store_group_state was = found == 1 ? group.state : STORE_GROUP_LEFT;
    if (found == 1)
        store_group_free(&group);
    if (was == STORE_GROUP_ACCEPTED || was == STORE_GROUP_JOINED)
        return 1;
    strbuf_init(&object, STORE_AUDIT_TEXT_MAX);
    strbuf_add_fmt(&object, "group %s", lesson->gid);
    int result = store_audit_add(db, &(struct store_audit_new){ .actor = &actor,
                                                                .action = "group.invite",
                                                                .object = object.data,
                                                                .before = found ? store_group_state_name(was) : NULL,
                                                                .after = store_group_state_name(STORE_GROUP_ACCEPTED),
                                                                .reason = "policy.group_invites = members",
                                                                .now = lesson->now });
    strbuf_free(&object);
    return result;
}

static int take_invitation(struct store_db *db, struct lesson *lesson)
{
    int64_t id;
    if (learn_sender(db, lesson, STORE_IDENTITY_INVITE) < 0)
        return -1;
    if (is_own(lesson))
        return 1;
    int accept = may_invite(db, lesson);
    if (accept < 0 || (accept && audit_acceptance(db, lesson) != 1))
        return -1;
    struct store_group invitation = {
        .gid = lesson->gid, .own_alias = lesson->to, .inviter_alias = lesson->alias, .inviter_uid = lesson->uid
    };
    struct store_group_member inviter = { .alias = lesson->alias,
                                          .uid = lesson->uid,
                                          .state = STORE_GROUP_MEMBER_JOINED };
    if (store_group_invite(db, &invitation, accept, lesson->now, &id) != 1 ||
        store_group_set_member(db, id, &inviter) != 1)
        return -1;
    lesson->group_event = accept ? "invitation accepted" : "invitation waits for an administrator";
    return accept ? 1 : tell_inviter(db, lesson);
}

/* Notices of a group. */

static int set_own_state(struct store_db *db, struct lesson *lesson, const struct store_group *group,
                         enum store_group_state state)
{
    enum store_group_state was;
    int moved = store_group_set_state(db, group->id, state, lesson->now, &was);
    if (moved == 1)
        lesson->group_event = store_group_state_name(state);
    return moved < 0 ? -1 : 1;
}

static int take_join(struct store_db *db, struct lesson *lesson, const struct store_group *group)
{
    struct store_group_member member = { .alias = lesson->alias,
                                         .uid = lesson->uid,
                                         .state = STORE_GROUP_MEMBER_JOINED };
    if (is_own(lesson)) /* by which alias is the silo's word: there may have been several invitations */
        return store_group_set_own_alias(db, group->id, lesson->alias) == 1
                   ? set_own_state(db, lesson, group, STORE_GROUP_JOINED)
                   : -1;
    if (learn(db, lesson, lesson->alias, STORE_IDENTITY_GROUP) < 0)
        return -1;
    return store_group_set_member(db, group->id, &member) == 1 ? 1 : -1;
}

static int take_new_alias(struct store_db *db, struct lesson *lesson, const struct store_group *group)
{
    if (!lesson->new_alias)
        return 1;
    if (is_own(lesson))
        return store_group_set_own_alias(db, group->id, lesson->new_alias) == 1 ? 1 : -1;
    if (learn(db, lesson, lesson->new_alias, STORE_IDENTITY_GROUP) < 0)
        return -1;
    return store_group_rename_member(db, group->id, lesson->alias, lesson->new_alias, lesson->uid) == 1 ? 1 : -1;
}

static int take_invite_of_another(struct store_db *db, struct lesson *lesson, const struct store_group *group)
{
    struct store_group_member member = { .alias = lesson->alias, .state = STORE_GROUP_MEMBER_INVITED };
    if (strcmp(lesson->alias, group->own_alias) == 0)
        return 1;
    return store_group_set_member(db, group->id, &member) == 1 ? 1 : -1;
}

static int take_drop(struct store_db *db, struct lesson *lesson, const struct store_group *group)
{
    struct store_group_member member = { .alias = lesson->alias, .state = STORE_GROUP_MEMBER_DROPPED };
    if (strcmp(lesson->alias, group->own_alias) == 0)
        return set_own_state(db, lesson, group, is_own(lesson) ? STORE_GROUP_LEFT : STORE_GROUP_DROPPED);
    return store_group_set_member(db, group->id, &member) == 1 ? 1 : -1;
}

static const struct {
    const char *act;
    int (*take)(struct store_db *db, struct lesson *lesson, const struct store_group *group);
} acts[] = {
    { "join", take_join },
    { "alias", take_new_alias },
    { "invite", take_invite_of_another },
    { "drop", take_drop },
};

static int take_member_notice(struct store_db *db, struct lesson *lesson)
{
    struct store_group group;
    int result = store_group_find_by_gid(db, lesson->gid, &group);
    if (result == 0)
        lesson->group_event = "notice of a group that is not ours";
    if (result != 1)
        return result < 0 ? -1 : 1;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(lesson->act, acts[i].act) == 0)
            result = acts[i].take(db, lesson, &group);
    store_group_free(&group);
    return result;
}

static int commit_lesson(struct store_db *db, void *arg)
{
    struct lesson *lesson = arg;
    lesson->verdict = STORE_IDENTITY_AGREES;
    lesson->member = 0;
    lesson->noticed = false;
    lesson->group_event = NULL;
    lesson->answered = false;
    lesson->effect.changed = false;
    if (lesson->op == TMTP_PUSH_INVITE)
        return take_invitation(db, lesson);
    if (lesson->op == TMTP_PUSH_MEMBER)
        return take_member_notice(db, lesson);
    return take_ping(db, lesson);
}

static void log_lesson(const struct lesson *lesson)
{
    if (lesson->verdict == STORE_IDENTITY_CONTRADICTS || lesson->member == -2)
        log_warning("identity.contradicted", "alias=%s uid=%s msgid=%s hint=%s", lesson->alias, lesson->uid,
                    lesson->msgid, "the alias is bound to another account; nothing was changed");
    else if (lesson->member == 1)
        log_info("member.known", "alias=%s uid=%s", lesson->alias, lesson->uid);
    if (lesson->answered)
        log_info("concierge.answered", "alias=%s uid=%s understood=%s", lesson->alias, lesson->uid,
                 lesson->effect.understood);
    if (lesson->group_event)
        log_info("group.changed", "gid=%s event=%s by=%s", lesson->gid, lesson->group_event, lesson->alias);
}

static void learned(int result, void *arg)
{
    struct lesson *lesson = arg;
    struct silo_people *people = lesson->people;
    if (result == 1) {
        log_lesson(lesson);
        tmtp_client_ack(people->client, lesson->msgid);
        people->callbacks->on_learned(people->ctx);
        if (lesson->noticed)
            people->callbacks->on_notice(people->ctx);
        if (lesson->effect.changed)
            people->callbacks->on_mappings_changed(people->ctx);
    } else {
        tmtp_client_decline(people->client, lesson->msgid); /* the silo brings it again */
    }
    lesson_free(lesson);
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

/* What the op needs; a push without it teaches nothing. */
static bool is_complete(const struct tmtp_push *push)
{
    if (!push->alias || !push->from)
        return false;
    if (push->op == TMTP_PUSH_INVITE)
        return push->gid && push->to;
    return push->op != TMTP_PUSH_MEMBER || (push->gid && push->act);
}

void silo_people_on_push(struct silo_people *people, const struct tmtp_push *push, const char *text)
{
    const char *own_uid = tmtp_client_uid(people->client);
    bool own = own_uid && push->from && strcmp(own_uid, push->from) == 0; /* we are nobody's correspondent */
    if (!is_complete(push) || (own && push->op == TMTP_PUSH_PING)) {
        tmtp_client_ack(people->client, push->id);
        return;
    }
    struct lesson *lesson = xcalloc(1, sizeof *lesson);
    lesson->people = people;
    lesson->op = push->op;
    lesson->msgid = xstrdup(push->id);
    lesson->alias = xstrdup(push->alias);
    lesson->uid = xstrdup(push->from);
    lesson->to = copy_or_null(push->to);
    lesson->gid = copy_or_null(push->gid);
    lesson->act = copy_or_null(push->act);
    lesson->new_alias = copy_or_null(push->newalias);
    lesson->own_uid = xstrdup(own_uid ? own_uid : "");
    if (push->op == TMTP_PUSH_PING && text && push->to && strcmp(push->to, people->parts->config->silo.alias) == 0)
        lesson->words = xstrdup(text);
    if (lesson->words) {
        lesson->rules = concierge_rules_new(people->parts->config);
        lesson->rules->hold = people->parts->hold;
    }
    lesson->may_invite = people->parts->config->policy.group_invites == CONFIG_INVITES_MEMBERS;
    lesson->now = clock_wall_ms(people->parts->clock);
    store_submit(people->parts->store, commit_lesson, learned, lesson);
}

/* Asking again. */
struct question {
    struct silo_people *people;
    char *alias;
    int64_t now;
};

static int commit_question(struct store_db *db, void *arg)
{
    const struct question *question = arg;
    return store_member_ask_again(db, question->alias, question->now - asked_again_ms);
}

static void question_noted(int result, void *arg)
{
    struct question *question = arg;
    if (result == 1)
        question->people->callbacks->on_learned(question->people->ctx);
    free(question->alias);
    free(question);
}

void silo_people_ask_again(struct silo_people *people, const char *alias)
{
    struct question *question = xcalloc(1, sizeof *question);
    *question =
        (struct question){ .people = people, .alias = xstrdup(alias), .now = clock_wall_ms(people->parts->clock) };
    store_submit(people->parts->store, commit_question, question_noted, question);
}

struct silo_people *silo_people_new(const struct parts *parts, const struct silo_people_callbacks *callbacks, void *ctx)
{
    struct silo_people *people = xcalloc(1, sizeof *people);
    *people = (struct silo_people){ .parts = parts, .callbacks = callbacks, .ctx = ctx };
    return people;
}

void silo_people_free(struct silo_people **people)
{
    free(*people);
    *people = NULL;
}

void silo_people_set_client(struct silo_people *people, struct tmtp_client *client)
{
    people->client = client;
}
