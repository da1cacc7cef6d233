/* silo_chores.c - see silo_chores.h */
#include "gateway/silo_chores.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admins.h"
#include "gateway/concierge.h"
#include "gateway/config.h"
#include "gateway/departure.h"
#include "gateway/hold.h"
#include "gateway/invitation.h"
#include "gateway/notice.h"
#include "gateway/parts.h"
#include "gateway/report.h"
#include "gateway/silo_alias.h"
#include "mapping/store_account.h"
#include "mapping/store_admin.h"
#include "mapping/store_group.h"
#include "mapping/store_held.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/subject.h"
#include "tmtp/tmtp_client.h"

enum {
    PUT_ASIDE_MS = 10 * 60 * 1000,
    PUT_ASIDE_MAX = 1000,
    UNREADABLE_MS = 5000, /* until a database that could not be read is asked again */
    NOTE_AGAIN_MS = 1000, /* until what could not be noted is noted again, without asking the silo again; */
    NOTE_AGAIN_MAX = 6,   /* so often, later each time: a minute in all */
};
static const int64_t asked_again_ms = INT64_C(24) * 3600 * 1000;

enum chore_kind {
    CHORE_NONE,
    CHORE_OWN_ALIAS,
    CHORE_GREET,
    CHORE_GREET_ADMIN, /* who is no member */
    CHORE_JOIN,
    CHORE_LEAVE,
    CHORE_ALIAS,
    CHORE_ANNOUNCE,       /* to a member, by a ping */
    CHORE_CONTACT,        /* a member is told of somebody who may not write to them yet (hold.h) */
    CHORE_ANNOUNCE_GROUP, /* by a notice: pings reach single accounts only */
    CHORE_INVITE,         /* by email */
};

/* In the log. What row= numbers is by these a member, a group, a correspondent, a mapping, an entry, or nothing. */
static const char *const chore_names[] = {
    [CHORE_NONE] = "none",       [CHORE_OWN_ALIAS] = "own_alias",
    [CHORE_GREET] = "greet",     [CHORE_GREET_ADMIN] = "greet_admin",
    [CHORE_JOIN] = "join",       [CHORE_LEAVE] = "leave",
    [CHORE_ALIAS] = "alias",     [CHORE_ANNOUNCE] = "announce",
    [CHORE_CONTACT] = "contact", [CHORE_ANNOUNCE_GROUP] = "announce_group",
    [CHORE_INVITE] = "invite",
};

struct chore {
    enum chore_kind kind;
    int64_t id;       /* of the member, group, correspondent or mapping */
    char *from, *to;  /* aliases; for CHORE_ALIAS `to` is the correspondent's address, for those of groups the gid */
    int64_t group_id; /* CHORE_ANNOUNCE_GROUP */
    char *candidate;  /* CHORE_ALIAS: the alias being asked for */
    unsigned form;    /* number of the candidate */
    char *text;       /* CHORE_CONTACT: of the ping */
    struct invitation *invitation; /* CHORE_INVITE */
};

struct silo_chores {
    const struct parts *parts;
    void (*on_notice)(void *ctx);
    void *ctx;
    struct tmtp_client *client;
    bool online;
    struct chore now; /* kind NONE: idle */
    uint64_t request; /* waiting for this answer; 0: none */
    struct timer *timer, *note_timer;
    struct chore_op *unnoted; /* waits for note_timer; NULL: nothing does */
    struct {
        enum chore_kind kind;
        int64_t id;
    } aside[PUT_ASIDE_MAX]; /* refused; not tried again for a while */
    size_t aside_count;
    char *own_alias_error; /* why the silo refused our own alias; NULL */
};

static void chore_clear(struct chore *chore)
{
    free(chore->from);
    free(chore->to);
    free(chore->candidate);
    free(chore->text);
    invitation_free(&chore->invitation);
    *chore = (struct chore){ 0 };
}

static bool is_aside(const struct silo_chores *chores, enum chore_kind kind, int64_t id)
{
    for (size_t i = 0; i < chores->aside_count; i++)
        if (chores->aside[i].kind == kind && chores->aside[i].id == id)
            return true;
    return false;
}

static void put_aside(struct silo_chores *chores, const char *reason)
{
    const struct chore *chore = &chores->now;
    if (chore->kind == CHORE_OWN_ALIAS) {
        static const char hint[] = "members can't reach the gateway without it: choose another silo.alias and restart";
        log_error("silo.alias_refused", "alias=%s reason=%s hint=%s", chore->to, reason, hint);
        struct strbuf text;
        strbuf_init(&text, 1000);
        strbuf_add_fmt(&text, "refused: %.300s; %s", reason, hint);
        free(chores->own_alias_error);
        chores->own_alias_error = strbuf_detach(&text);
    }
    log_warning("silo.chore_refused", "chore=%s row=%" PRId64 " from=%s to=%s reason=%s", chore_names[chore->kind],
                chore->id, chore->from, chore->to, reason);
    if (chores->aside_count < PUT_ASIDE_MAX) {
        chores->aside[chores->aside_count].kind = chore->kind;
        chores->aside[chores->aside_count++].id = chore->id;
    }
    chore_clear(&chores->now);
}

/* Finding the next chore: the first row of each list that is not put aside. */

/* Ours was refused when registering, or is another one in the configuration now. */
static int take_own_alias(struct silo_chores *chores, struct store_db *db)
{
    const struct config *config = chores->parts->config;
    struct store_account account;
    int found = store_account_get(db, config->silo.address, &account);
    if (found != 1)
        return found;
    bool wanted = !account.alias || strcmp(account.alias, config->silo.alias) != 0;
    store_account_free(&account);
    if (wanted && !is_aside(chores, CHORE_OWN_ALIAS, 0))
        chores->now = (struct chore){ .kind = CHORE_OWN_ALIAS, .to = xstrdup(config->silo.alias) };
    return 1;
}

static void take_greeting(const struct store_member *member, void *ctx)
{
    struct silo_chores *chores = ctx;
    if (chores->now.kind != CHORE_NONE || is_aside(chores, CHORE_GREET, member->id))
        return;
    chores->now = (struct chore){ .kind = CHORE_GREET,
                                  .id = member->id,
                                  .from = xstrdup(chores->parts->config->silo.alias),
                                  .to = xstrdup(member->alias) };
}

/* Are they to be asked who they are: for the first time, or again since there is something to tell? 1, 0, -1. */
static int is_to_be_greeted(struct store_db *db, const char *alias, int64_t now)
{
    struct store_member member;
    struct store_admin admin;
    char *uid = NULL;
    int64_t last;
    int known = store_member_find_by_alias(db, alias, &member); /* members are greeted as such */
    store_member_free(&member);
    if (known == 0)
        known = admins_find_uid(db, alias, &uid);
    free(uid);
    if (known != 0)
        return known < 0 ? -1 : 0;
    if (store_admin_get(db, alias, &admin) < 0 || store_admin_last_event(db, &last) < 0)
        return -1;
    bool is_long_ago = now - admin.asked_at >= asked_again_ms || admin.asked_at > now;
    return admin.asked_at == 0 || (is_long_ago && last > admin.told_event);
}

/* Put aside by their number in the list: a reload that changes it makes them be asked a moment later, or earlier. */
static int take_admin(struct silo_chores *chores, struct store_db *db, int64_t now)
{
    const struct config *config = chores->parts->config;
    for (int64_t i = 0; config->policy.admins && config->policy.admins[i]; i++) {
        int greet = is_aside(chores, CHORE_GREET_ADMIN, i) ? 0 : is_to_be_greeted(db, config->policy.admins[i], now);
        if (greet < 0)
            return -1;
        if (greet == 0)
            continue;
        chores->now = (struct chore){ .kind = CHORE_GREET_ADMIN,
                                      .id = i,
                                      .from = xstrdup(config->silo.alias),
                                      .to = xstrdup(config->policy.admins[i]),
                                      .candidate = xstrdup(config->policy.admins[i]) };
        return 1;
    }
    return 1;
}

static void take_alias(const struct store_correspondent *correspondent, void *ctx)
{
    struct silo_chores *chores = ctx;
    char shown[SUBJECT_SHOWN_SIZE];
    if (chores->now.kind != CHORE_NONE || is_aside(chores, CHORE_ALIAS, correspondent->id))
        return;
    subject_show(correspondent->address, shown);
    chores->now = (struct chore){
        .kind = CHORE_ALIAS, .id = correspondent->id, .to = xstrdup(shown), .form = correspondent->alias_form
    };
}

static void take_group(const struct store_group *group, void *ctx)
{
    struct silo_chores *chores = ctx;
    enum chore_kind kind = group->state == STORE_GROUP_ACCEPTED ? CHORE_JOIN : CHORE_LEAVE;
    if (chores->now.kind != CHORE_NONE || is_aside(chores, kind, group->id))
        return;
    chores->now =
        (struct chore){ .kind = kind, .id = group->id, .from = xstrdup(group->own_alias), .to = xstrdup(group->gid) };
}

static void take_announcement(const struct store_mapping *mapping, void *ctx)
{
    struct silo_chores *chores = ctx;
    enum chore_kind kind = mapping->target.group_id ? CHORE_ANNOUNCE_GROUP : CHORE_ANNOUNCE;
    if (chores->now.kind != CHORE_NONE || is_aside(chores, kind, mapping->id))
        return;
    struct store_correspondent correspondent;
    struct store_db *db = store_reader(chores->parts->store);
    char shown[SUBJECT_SHOWN_SIZE];
    subject_show(mapping->subject, shown);
    if (store_correspondent_find(db, mapping->correspondent_id, &correspondent) != 1)
        return;
    chores->now = (struct chore){ .kind = kind,
                                  .id = mapping->id,
                                  .group_id = mapping->target.group_id,
                                  .from = xstrdup(correspondent.alias),
                                  .to = xstrdup(mapping->target_name),
                                  .candidate = xstrdup(shown) };
    store_correspondent_free(&correspondent);
}

static bool is_contact_aside(int64_t inbound_id, void *ctx)
{
    return is_aside(ctx, CHORE_CONTACT, inbound_id);
}

static int take_contact(struct silo_chores *chores, struct store_db *db)
{
    struct hold_contact contact;
    const struct parts *parts = chores->parts;
    int found = parts->hold ? hold_find_contact(parts->hold, db, is_contact_aside, chores, &contact) : 0;
    if (found == 1)
        chores->now = (struct chore){ .kind = CHORE_CONTACT,
                                      .id = contact.inbound_id,
                                      .from = xstrdup(parts->config->silo.alias),
                                      .to = contact.alias,
                                      .text = contact.text };
    return found < 0 ? -1 : 1;
}

static void take_invitation(const struct store_mapping *mapping, void *ctx)
{
    struct silo_chores *chores = ctx;
    if (chores->now.kind != CHORE_NONE || is_aside(chores, CHORE_INVITE, mapping->id))
        return;
    struct invitation *invitation = invitation_new(chores->parts, mapping->id);
    if (invitation)
        chores->now = (struct chore){ .kind = CHORE_INVITE,
                                      .id = mapping->id,
                                      .from = xstrdup(mapping->target_name),
                                      .to = xstrdup(mapping->subject),
                                      .invitation = invitation };
}

static void ask_silo(struct silo_chores *chores)
{
    struct chore *chore = &chores->now;
    struct strbuf text;
    strbuf_init(&text, 1000);
    switch (chore->kind) {
    case CHORE_OWN_ALIAS:
        chore->candidate = xstrdup(chore->to);
        chores->request = tmtp_client_add_alias(chores->client, chore->to);
        break;
    case CHORE_GREET:
        strbuf_add_str(&text, CONCIERGE_GREETING);
        chores->request = tmtp_client_ping(chores->client, chore->from, chore->to, text.data);
        break;
    case CHORE_GREET_ADMIN:
        strbuf_add_str(&text, CONCIERGE_ADMIN_GREETING);
        chores->request = tmtp_client_ping(chores->client, chore->from, chore->to, text.data);
        break;
    case CHORE_JOIN:
        chores->request = tmtp_client_group_edit(chores->client, "join", chore->to, NULL, NULL);
        break;
    case CHORE_LEAVE:
        chores->request = tmtp_client_group_edit(chores->client, "drop", chore->to, chore->from, NULL);
        break;
    case CHORE_ALIAS:
        free(chore->candidate);
        chore->candidate = silo_alias_form(chore->to, chore->form);
        chores->request = tmtp_client_add_alias(chores->client, chore->candidate);
        break;
    case CHORE_ANNOUNCE:
        strbuf_add_fmt(&text, "%s can now write to you by email, and you can write to this alias.", chore->candidate);
        chores->request = tmtp_client_ping(chores->client, chore->from, chore->to, text.data);
        break;
    case CHORE_CONTACT:
        chores->request = tmtp_client_ping(chores->client, chore->from, chore->to, chore->text);
        break;
    case CHORE_ANNOUNCE_GROUP: /* these need no request */
    case CHORE_INVITE:
    case CHORE_NONE:
        break;
    }
    strbuf_free(&text);
    if (!chores->request) /* not online any more: asked again when it is */
        chore_clear(chore);
}

static void submit_done(struct silo_chores *chores);

static void next_chore(void *arg)
{
    struct silo_chores *chores = arg;
    if (!chores->online || chores->now.kind != CHORE_NONE)
        return;
    if (chores->aside_count ==
        PUT_ASIDE_MAX) { /* no more can be remembered: rather wait than ask the silo without end */
        chores->aside_count = 0;
        timer_start(chores->timer, PUT_ASIDE_MS);
        return;
    }
    struct store_db *db = store_reader(chores->parts->store);
    int64_t now = clock_wall_ms(chores->parts->clock);
    int result = take_own_alias(chores, db);
    if (result >= 0 && chores->now.kind == CHORE_NONE)
        result = store_member_list_ungreeted(db, take_greeting, chores);
    if (result >= 0 && chores->now.kind == CHORE_NONE)
        result = take_admin(chores, db, now);
    if (result >= 0 && chores->now.kind == CHORE_NONE)
        result = store_group_list_chores(db, take_group, chores);
    if (result >= 0 && chores->now.kind == CHORE_NONE)
        result = store_correspondent_list_without_alias(db, now, take_alias, chores);
    if (result >= 0 && chores->now.kind == CHORE_NONE)
        result = store_mapping_list_unannounced(db, now, take_announcement, chores);
    if (result >= 0 && chores->now.kind == CHORE_NONE)
        result = take_contact(chores, db);
    if (result >= 0 && chores->now.kind == CHORE_NONE)
        result = store_mapping_list_uninvited(db, now, take_invitation, chores);
    if (result < 0)
        log_error("silo.chores_unknown", "hint=%s", "the database can't be read; asked again later");
    if (chores->now.kind == CHORE_ANNOUNCE_GROUP || chores->now.kind == CHORE_INVITE) {
        submit_done(chores);
    } else if (chores->now.kind != CHORE_NONE) {
        ask_silo(chores);
    } else if (result < 0) {
        timer_start(chores->timer, UNREADABLE_MS);
    } else {
        chores->aside_count = 0; /* what was refused is tried again after a pause */
        timer_start(chores->timer, PUT_ASIDE_MS);
    }
}

/* Noting that a chore is done, or what the silo has said of it. */
struct chore_op {
    struct silo_chores *chores;
    store_operation *note;
    store_done *done;
    unsigned failures;
    enum chore_kind kind;
    int64_t id, group_id, now;
    unsigned form;
    bool is_taken; /* the form before it, by somebody */
    char *alias, *silo;
    struct invitation *invitation;
};

static void submit_op(struct chore_op *op)
{
    store_submit(op->chores->parts->store, op->note, op->done, op);
}

static void free_op(struct chore_op *op)
{
    if (!op)
        return;
    free(op->alias);
    free(op->silo);
    invitation_free(&op->invitation);
    free(op);
}

static void note_again(void *arg)
{
    struct silo_chores *chores = arg;
    struct chore_op *op = chores->unnoted;
    chores->unnoted = NULL;
    submit_op(op);
}

/* The silo is not to be asked for it once more only because a disk was in trouble. */
static bool is_to_be_noted_again(struct chore_op *op, int result)
{
    struct silo_chores *chores = op->chores;
    if (result >= 0 || op->failures >= NOTE_AGAIN_MAX)
        return false;
    chores->unnoted = op;
    timer_start(chores->note_timer, (int64_t)NOTE_AGAIN_MS << op->failures++);
    return true;
}

static int note_own_alias(struct store_db *db, const struct chore_op *op)
{
    struct store_account account;
    int result = store_account_get(db, op->silo, &account);
    if (result == 1 && account.uid)
        result = store_account_set_identity(db, op->silo, account.uid, account.node, op->alias);
    store_account_free(&account);
    return result;
}

/* The notice that the silo sends to the group may have come first. */
static int note_group(struct store_db *db, const struct chore_op *op, enum store_group_state state)
{
    enum store_group_state was;
    return store_group_set_state(db, op->id, state, op->now, &was) < 0 ? -1 : 1;
}

static int announce_to_group(struct store_db *db, const struct chore_op *op)
{
    struct strbuf text;
    strbuf_init(&text, 4000);
    struct notice_list list = { .text = &text };
    notice_list_add(&list, "%s can now write to this group by email, and answers to such messages reach them",
                    op->alias);
    struct notice notice = { .to.group_id = op->group_id, .subject = "A new email correspondent", .text = text.data };
    int result = notice_add(db, &notice, op->now);
    strbuf_free(&text);
    return result == 1 ? store_mapping_set_announced(db, op->id) : -1;
}

static int note_done(struct store_db *db, void *arg)
{
    const struct chore_op *op = arg;
    switch (op->kind) {
    case CHORE_OWN_ALIAS:
        return note_own_alias(db, op);
    case CHORE_GREET:
        return store_member_set_greeted(db, op->id, op->now);
    case CHORE_GREET_ADMIN:
        return store_admin_set_asked(db, op->alias, op->now);
    case CHORE_JOIN:
        return note_group(db, op, STORE_GROUP_JOINED);
    case CHORE_LEAVE:
        return note_group(db, op, STORE_GROUP_LEFT);
    case CHORE_ALIAS:
        return store_correspondent_set_alias(db, op->id, op->alias);
    case CHORE_ANNOUNCE:
        return store_mapping_set_announced(db, op->id);
    case CHORE_CONTACT:
        return store_contact_set_done(db, op->id);
    case CHORE_ANNOUNCE_GROUP:
        return announce_to_group(db, op);
    case CHORE_INVITE: /* or it is not wanted any more */
        return invitation_add(db, op->invitation, op->now) < 0 ? -1 : 1;
    case CHORE_NONE:
        break;
    }
    return -1;
}

static void noted(int result, void *arg)
{
    struct chore_op *op = arg;
    if (is_to_be_noted_again(op, result))
        return;
    if (result == 1 && op->kind == CHORE_ANNOUNCE_GROUP)
        op->chores->on_notice(op->chores->ctx);
    if (result == 1 && op->kind == CHORE_INVITE)
        reporter_poke(op->chores->parts->reporter); /* as for reports: something is in the outbound queue */
    if (result == 1 && op->kind == CHORE_OWN_ALIAS) {
        free(op->chores->own_alias_error);
        op->chores->own_alias_error = NULL;
    }
    if (result == 1)
        chore_clear(&op->chores->now);
    else
        put_aside(op->chores, "could not be noted in the database");
    timer_start(op->chores->timer, 0);
    free_op(op);
}

static void submit_done(struct silo_chores *chores)
{
    struct chore *chore = &chores->now;
    struct chore_op *op = xcalloc(1, sizeof *op);
    *op = (struct chore_op){ .chores = chores,
                             .note = note_done,
                             .done = noted,
                             .kind = chore->kind,
                             .id = chore->id,
                             .group_id = chore->group_id };
    op->now = clock_wall_ms(chores->parts->clock);
    op->silo = xstrdup(chores->parts->config->silo.address);
    if (chore->candidate)
        op->alias = xstrdup(chore->candidate);
    op->invitation = chore->invitation;
    chore->invitation = NULL;
    log_info("silo.chore_done", "chore=%s row=%" PRId64 " from=%s to=%s alias=%s", chore_names[chore->kind], chore->id,
             chore->from, chore->to, op->alias);
    submit_op(op);
}

static int note_form(struct store_db *db, void *arg)
{
    const struct chore_op *op = arg;
    if (op->form == 0 && op->is_taken && departure_note_no_alias(db, op->id, op->now) < 0)
        return -1;
    return store_correspondent_set_alias_form(db, op->id, op->form);
}

/* Nothing else was begun meanwhile: the chore is still this one. */
static void form_noted(int result, void *arg)
{
    struct chore_op *op = arg;
    struct silo_chores *chores = op->chores;
    if (is_to_be_noted_again(op, result))
        return;
    if (result != 1) {
        put_aside(chores, "could not be noted in the database");
    } else if (op->form == 0) {
        put_aside(chores, "every form of it was refused");
    } else if (chores->online) {
        chores->now.form = op->form;
        ask_silo(chores);
    } else {
        chore_clear(&chores->now);
    }
    if (chores->now.kind == CHORE_NONE)
        timer_start(chores->timer, 0);
    free_op(op);
}

/* A refused alias is taken by somebody, or not to the silo's liking: try the next form of it. After the last one begin
 * anew, later: each was refused, so none of them is ours. Only if the last was taken, too, it is not the silo's trouble. */
static void try_next_form(struct silo_chores *chores, const char *refusal)
{
    const struct chore *chore = &chores->now;
    struct chore_op *op = xcalloc(1, sizeof *op);
    *op = (struct chore_op){ .chores = chores,
                             .note = note_form,
                             .done = form_noted,
                             .id = chore->id,
                             .form = (chore->form + 1) % SILO_ALIAS_FORMS,
                             .is_taken = departure_is_taken(refusal, chore->candidate),
                             .now = clock_wall_ms(chores->parts->clock) };
    submit_op(op);
}

bool silo_chores_on_result(struct silo_chores *chores, const struct tmtp_client_result *result)
{
    if (!chores->request || result->request != chores->request)
        return false;
    chores->request = 0;
    struct chore *chore = &chores->now;
    if (result->lost) {
        chore_clear(chore); /* done again when online: at least once */
    } else if (result->error && chore->kind == CHORE_ALIAS) {
        log_info("silo.alias_not_granted", "address=%s alias=%s reason=%s", chore->to, chore->candidate, result->error);
        try_next_form(chores, result->error);
    } else if (result->error) {
        if (chore->kind == CHORE_ANNOUNCE || chore->kind == CHORE_CONTACT)
            departure_on_refused_ping(chores->parts, result->error, chore->to);
        put_aside(chores, result->error);
        timer_start(chores->timer, 0);
    } else {
        submit_done(chores);
    }
    return true;
}

struct silo_chores *silo_chores_new(const struct parts *parts, void (*on_notice)(void *ctx), void *ctx)
{
    struct silo_chores *chores = xcalloc(1, sizeof *chores);
    chores->on_notice = on_notice;
    chores->ctx = ctx;
    chores->parts = parts;
    chores->timer = timer_new(parts->loop, next_chore, chores);
    chores->note_timer = timer_new(parts->loop, note_again, chores);
    return chores;
}

void silo_chores_free(struct silo_chores **chores_in)
{
    struct silo_chores *chores = *chores_in;
    if (!chores)
        return;
    chore_clear(&chores->now);
    timer_free(&chores->timer);
    timer_free(&chores->note_timer);
    free_op(chores->unnoted);
    free(chores->own_alias_error);
    free(chores);
    *chores_in = NULL;
}

void silo_chores_set_client(struct silo_chores *chores, struct tmtp_client *client)
{
    chores->client = client;
}

void silo_chores_set_online(struct silo_chores *chores, bool online)
{
    chores->online = online;
    if (online)
        timer_start(chores->timer, 0);
}

const char *silo_chores_own_alias_error(const struct silo_chores *chores)
{
    return chores->own_alias_error;
}

void silo_chores_poke(struct silo_chores *chores)
{
    chores->aside_count = 0;
    if (chores->now.kind == CHORE_NONE)
        timer_start(chores->timer, 0);
}
