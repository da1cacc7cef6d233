/* relay_mail.c - see relay_mail.h */
#include "gateway/relay_mail.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/answered.h"
#include "gateway/config.h"
#include "gateway/display_name.h"
#include "gateway/pair.h"
#include "gateway/parts.h"
#include "gateway/relay_quotes.h"
#include "gateway/thread_text.h"
#include "mapping/store_content.h"
#include "mapping/store_group.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_thread.h"

enum {
    MAILBOXES_MAX = 1000,
    NAME_MAX_BYTES = 4000,
    MAPPINGS_MAX = 2000, /* looked at for Cc: this runs on the loop */
};

struct mailboxes {
    struct convert_mailbox *list;
    size_t count;
};

struct relay_mail {
    struct convert_out_request request;
    struct tmtp_message message;
    struct mailboxes to, cc;
    char **references; /* oldest first, of what was there before it */
    size_t reference_count;
    char *parent; /* what it answers; NULL: see references */
    char *thread_subject, *subject, *message_id, *loop_mark;
    int content_fd;
    struct relay_quotes *quotes; /* of a forward, or of files that follow one; NULL */
    struct answered answered;    /* quoted under the body */
    const struct parts *parts;
    int64_t author_id, group_id;      /* stand in From, not in Cc */
    const struct store_outbound *row; /* while it is gathered */
    size_t mappings_seen;
};

static bool make_address(const char *local_part, const char *domain, struct smtp_address *out)
{
    struct strbuf text;
    strbuf_init(&text, SMTP_ADDRESS_MAX);
    strbuf_add_fmt(&text, "%s@%s", local_part, domain);
    bool ok = strbuf_ok(&text) && smtp_address_parse(text.data, text.len, out) == 1;
    strbuf_free(&text);
    return ok;
}

static void add_mailbox(struct mailboxes *mailboxes, const char *name, const struct smtp_address *address)
{
    if (mailboxes->count >= MAILBOXES_MAX)
        return; /* only who is shown in the header; the envelope has everybody */
    mailboxes->list = xreallocarray(mailboxes->list, mailboxes->count + 1, sizeof *mailboxes->list);
    mailboxes->list[mailboxes->count].name = xstrdup(name);
    mailboxes->list[mailboxes->count++].address = *address;
}

static void add_named(struct mailboxes *mailboxes, const char *alias, const struct smtp_address *address)
{
    struct strbuf name;
    strbuf_init(&name, NAME_MAX_BYTES);
    display_name_add(&name, alias, DISPLAY_NAME_MAX);
    add_mailbox(mailboxes, name.data, address);
    strbuf_free(&name);
}

static void free_mailboxes(struct mailboxes *mailboxes)
{
    for (size_t i = 0; i < mailboxes->count; i++)
        free((char *)(uintptr_t)mailboxes->list[i].name);
    free(mailboxes->list);
}

static bool may_write(const struct relay_mail *mail, const char *address, struct store_target target)
{
    struct pair pair;
    struct policy_answer answer;
    pair_find(store_reader(mail->parts->store), address, target, &pair);
    pair.facts.now = mail->row->received_at;
    pair.facts.local_case = mail->parts->config->policy.local_parts;
    bool may = policy_allows(&pair.facts, STORE_DIRECTION_IN, &answer);
    pair_free(&pair);
    return may;
}

/* May every recipient write to them? One who may not would have a "reply to all" refused, for everybody. */
static bool may_be_answered(struct relay_mail *mail, struct store_target target)
{
    bool may = mail->mappings_seen + mail->row->recipient_count <= MAPPINGS_MAX;
    for (size_t i = 0; i < mail->row->recipient_count && may; i++) {
        mail->mappings_seen++;
        may = may_write(mail, mail->row->recipients[i].address, target);
    }
    return may;
}

static void add_member(struct relay_mail *mail, int64_t id)
{
    struct store_member member;
    struct smtp_address address;
    if (id == mail->author_id || store_member_find(store_reader(mail->parts->store), id, &member) != 1)
        return;
    bool is_author = id == mail->row->member_id; /* who is shown to those who may answer only them */
    if (!member.removed && (is_author || may_be_answered(mail, (struct store_target){ .member_id = id })) &&
        make_address(member.local_part, mail->parts->config->domain, &address))
        add_named(&mail->cc, member.alias, &address);
    store_member_free(&member);
}

static void add_group(struct relay_mail *mail, int64_t id)
{
    struct store_group group;
    struct smtp_address address;
    if (id == mail->group_id || store_group_find(store_reader(mail->parts->store), id, &group) != 1)
        return;
    if (group.state == STORE_GROUP_JOINED && may_be_answered(mail, (struct store_target){ .group_id = id }) &&
        make_address(group.local_part, mail->parts->config->domain, &address))
        add_named(&mail->cc, group.gid, &address);
    store_group_free(&group);
}

/* The thread's other members and groups are shown in Cc, so that a "reply to all" reaches them too: those to whom it may
 * go. */
static void add_party(const struct store_party *party, void *ctx)
{
    if (party->member_id)
        add_member(ctx, party->member_id);
    else if (party->group_id)
        add_group(ctx, party->group_id);
}

static void add_reference(const char *message_id, void *ctx)
{
    struct relay_mail *mail = ctx;
    if (strcmp(message_id, mail->message_id) == 0)
        return;
    mail->references = xreallocarray(mail->references, mail->reference_count + 1, sizeof *mail->references);
    mail->references[mail->reference_count++] = xstrdup(message_id);
}

static int find_member(const struct parts *parts, const struct store_outbound *row, struct smtp_address *address_out,
                       struct strbuf *name_out)
{
    struct store_member author;
    if (store_member_find(store_reader(parts->store), row->member_id, &author) != 1)
        return -1;
    bool ok = make_address(author.local_part, parts->config->domain, address_out);
    strbuf_add_str(name_out, author.alias);
    store_member_free(&author);
    return ok ? 1 : -1;
}

/* In whose name it is sent: the author's own address and alias, or those of the group under whose mapping it was taken
 * ("Alice Member (Sales Team)"), to which an answer then comes back. -1: it can't be read, or makes no address. */
static int find_sender(const struct parts *parts, const struct store_outbound *row, struct smtp_address *address_out,
                       struct strbuf *name_out)
{
    struct store_group group;
    bool is_of_group = row->kind == STORE_OUTBOUND_INVITATION; /* as a whole */
    if (!row->group_id)
        return find_member(parts, row, address_out, name_out);
    if (store_group_find(store_reader(parts->store), row->group_id, &group) != 1)
        return -1;
    bool ok = make_address(group.local_part, parts->config->domain, address_out);
    if (is_of_group)
        strbuf_add_str(name_out, group.gid);
    else
        strbuf_add_fmt(name_out, "%s (%s)", row->author_alias[0] ? row->author_alias : "a member", group.gid);
    store_group_free(&group);
    return ok ? 1 : -1;
}

static const char *gather_author(struct relay_mail *mail, const struct store_outbound *row)
{
    const struct config *config = mail->parts->config;
    struct strbuf alias, name;
    strbuf_init(&alias, NAME_MAX_BYTES);
    strbuf_init(&name, NAME_MAX_BYTES);
    int found = find_sender(mail->parts, row, &mail->request.from.address, &alias);
    display_name_add_formatted(&name, config->mail.from_name, alias.data, config->domain);
    mail->request.from.name = strbuf_detach(&name);
    strbuf_free(&alias);
    mail->group_id = row->group_id;
    mail->author_id = row->member_id;
    for (size_t i = 0; row->group_id && i < row->recipient_count; i++)
        if (row->recipients[i].group_id == 0) /* may answer the author only, and not the group in From */
            mail->author_id = 0;
    return found == 1 ? NULL : "its author is not in the database, or has no valid address";
}

static const char *gather_recipients(struct relay_mail *mail, const struct store_outbound *row)
{
    for (size_t i = 0; i < row->recipient_count; i++) {
        struct smtp_address address;
        const char *text = row->recipients[i].address;
        if (smtp_address_parse(text, strlen(text), &address) != 1)
            return "a recipient's address is not valid";
        add_mailbox(&mail->to, "", &address);
    }
    return row->recipient_count ? NULL : "it has no recipients";
}

static const char *gather_thread(struct relay_mail *mail, const struct store_outbound *row)
{
    struct store_db *db = store_reader(mail->parts->store);
    struct store_thread thread;
    if (row->kind == STORE_OUTBOUND_INVITATION) { /* it begins one, when it is answered */
        mail->thread_subject = xstrdup(row->head);
        return NULL;
    }
    if (store_thread_find(db, row->thread_id, &thread) != 1)
        return "its thread is not in the database";
    mail->thread_subject = xstrdup(thread.subject);
    store_thread_free(&thread);
    if (store_thread_list_parties(db, row->thread_id, add_party, mail) < 0)
        return "its thread can't be read from the database";
    if (row->kind == STORE_OUTBOUND_FORWARD) /* who gets it has none of the thread's mails */
        return NULL;
    if (store_message_find_shared(db, row->thread_id, row->id, &mail->parent) < 0)
        return "its thread can't be read from the database";
    if (store_message_list_ids(db, row->thread_id, row->id, CONVERT_REFERENCES_MAX, add_reference, mail) < 0)
        return "its thread can't be read from the database";
    return NULL;
}

static const char *gather_answered(struct relay_mail *mail, const struct store_outbound *row)
{
    if (mail->parts->config->content.quotes_answered &&
        answered_find(store_reader(mail->parts->store), row, &mail->answered) < 0)
        return "what it answers can't be read from the database";
    return NULL;
}

static const char *gather_head(struct relay_mail *mail, const struct store_outbound *row)
{
    const char *error;
    struct tmtp_message message;
    if (row->kind == STORE_OUTBOUND_INVITATION)
        return NULL;
    if (tmtp_message_decode(row->head, strlen(row->head), &message, &error) != 1)
        return "its second header is not readable";
    tmtp_message_free(&mail->message);
    mail->message = message;
    return NULL;
}

static const char *gather_content(struct relay_mail *mail, const struct store_outbound *row)
{
    if (store_content_open(store_reader(mail->parts->store), row->content_id, &mail->content_fd,
                           &mail->request.content_size) != 1)
        return "its content is missing, or can't be read";
    if (row->kind == STORE_OUTBOUND_INVITATION)
        return NULL;
    if (row->kind == STORE_OUTBOUND_MESSAGE)
        return gather_answered(mail, row);
    mail->quotes = relay_quotes_new(store_reader(mail->parts->store), row, &mail->message);
    return mail->quotes ? NULL : "what it quotes can't be read from the database";
}

/* The message's own, else the thread's. RFC 5322 says nothing of "Fwd:", but it is what everybody writes. */
static void set_subject(struct relay_mail *mail, const struct store_outbound *row)
{
    const char *own = mail->message.subject, *subject = own && own[0] ? own : mail->thread_subject;
    struct strbuf text;
    strbuf_init(&text, strlen(subject) + 10);
    if (row->kind == STORE_OUTBOUND_FORWARD)
        thread_text_add_forward(&text, subject);
    else if (mail->reference_count > 0)
        thread_text_add_reply(&text, subject);
    else
        strbuf_add_str(&text, subject);
    mail->subject = strbuf_detach(&text);
}

struct relay_mail *relay_mail_new(const struct parts *parts, const struct store_outbound *row, const char **error_out)
{
    struct relay_mail *mail = xcalloc(1, sizeof *mail);
    mail->parts = parts;
    mail->row = row;
    mail->content_fd = -1;
    mail->message_id = xstrdup(row->message_id);
    mail->loop_mark = xstrdup(parts->config->hostname);
    tmtp_message_init(&mail->message);
    *error_out = gather_author(mail, row);
    if (!*error_out)
        *error_out = gather_recipients(mail, row);
    if (!*error_out)
        *error_out = gather_thread(mail, row);
    if (!*error_out)
        *error_out = gather_head(mail, row);
    if (!*error_out)
        *error_out = gather_content(mail, row);
    if (*error_out) {
        relay_mail_free(&mail);
        return NULL;
    }
    set_subject(mail, row);
    struct convert_out_request *request = &mail->request;
    request->entry = row->id;
    request->message = &mail->message;
    request->content_fd = mail->content_fd;
    request->subject = mail->subject;
    if (mail->quotes)
        request->quotes = relay_quotes_list(mail->quotes, &request->quote_count);
    request->answered_intro = mail->answered.intro;
    request->answered_text = mail->answered.text;
    request->reply_to = request->from; /* an answer comes back here, whatever the relay does to From */
    request->to = mail->to.list;
    request->to_count = mail->to.count;
    request->cc = mail->cc.list;
    request->cc_count = mail->cc.count;
    request->message_id = mail->message_id;
    request->references = (const char *const *)mail->references;
    request->reference_count = mail->reference_count;
    request->in_reply_to = mail->parent;
    if (!mail->parent && mail->reference_count)
        request->in_reply_to = mail->references[mail->reference_count - 1];
    request->date_ms = row->posted_at;
    request->loop_mark = mail->loop_mark;
    /* Nobody wrote it: their client sent it again, or we did. */
    request->is_automatic = row->kind == STORE_OUTBOUND_FILES || row->kind == STORE_OUTBOUND_INVITATION;
    return mail;
}

void relay_mail_free(struct relay_mail **mail_in)
{
    struct relay_mail *mail = *mail_in;
    if (!mail)
        return;
    if (mail->content_fd >= 0)
        close(mail->content_fd);
    free((char *)(uintptr_t)mail->request.from.name);
    tmtp_message_free(&mail->message);
    relay_quotes_free(&mail->quotes);
    answered_free(&mail->answered);
    free_mailboxes(&mail->to);
    free_mailboxes(&mail->cc);
    for (size_t i = 0; i < mail->reference_count; i++)
        free(mail->references[i]);
    free(mail->references);
    free(mail->parent);
    free(mail->thread_subject);
    free(mail->subject);
    free(mail->message_id);
    free(mail->loop_mark);
    free(mail);
    *mail_in = NULL;
}

const struct convert_out_request *relay_mail_request(const struct relay_mail *mail)
{
    return &mail->request;
}
