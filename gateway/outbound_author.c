/* outbound_author.c - who wrote a message, and what it claims about people
 *
 * The silo vouches for the uid that a delivery comes from, and for nothing in its header. So the author is found by uid; the
 * alias in the header is a claim, which must not contradict what the silo has vouched for: else a member could write in
 * another's name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admins.h"
#include "gateway/concierge.h"
#include "gateway/config.h"
#include "gateway/consent.h"
#include "gateway/notice.h"
#include "gateway/outbound_internal.h"
#include "gateway/parts.h"
#include "mapping/store_identity.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "tmtp/tmtp_message.h"

void outbound_author_free(struct outbound_author *author)
{
    free(author->alias);
    *author = (struct outbound_author){ 0 };
}

/* An alias of the gateway's own account: its name, or a correspondent's. 1 yes, 0 no, -1 error. */
static int is_ours(struct store_db *db, const struct arrival *arrival, const char *alias)
{
    struct store_correspondent correspondent;
    if (strcmp(alias, arrival->gateway_alias) == 0)
        return 1;
    int found = store_correspondent_find_by_alias(db, alias, &correspondent);
    if (found == 1)
        store_correspondent_free(&correspondent);
    return found;
}

/* Claims are remembered for aliases of our members only: whoever writes to us could fill the database with others. */
static enum store_identity_verdict weigh_claim(struct store_db *db, const struct arrival *arrival, const char *alias,
                                               const char *uid, enum store_identity_source source)
{
    struct store_member member;
    struct store_identity known;
    int ours = strcmp(uid, arrival->own_uid) == 0 ? 0 : is_ours(db, arrival, alias);
    if (ours != 0)
        return ours < 0 ? STORE_IDENTITY_ERROR : STORE_IDENTITY_CONTRADICTS;
    int found = store_member_find_by_alias(db, alias, &member);
    if (found == 1) {
        bool other = member.uid && strcmp(member.uid, uid) != 0;
        store_member_free(&member);
        return other ? STORE_IDENTITY_CONTRADICTS : store_identity_learn(db, alias, uid, source, arrival->now);
    }
    if (found == 0)
        found = store_identity_find(db, alias, &known);
    if (found != 1)
        return found < 0 ? STORE_IDENTITY_ERROR : STORE_IDENTITY_AGREES;
    bool contradicts = store_identity_is_vouched(known.source) && strcmp(known.uid, uid) != 0;
    store_identity_free(&known);
    return contradicts ? STORE_IDENTITY_CONTRADICTS : STORE_IDENTITY_AGREES;
}

/* 1: the author is this member. Consent may come with this very message, when the silo has vouched for the alias before.
 * 0: not a member, or one who is not known to be the author (then they are to be asked). */
static int find_member(struct store_db *db, struct outbound_author *author, int64_t now)
{
    struct store_member member;
    char *alias;
    int found = store_member_find_by_uid(db, author->uid, &member);
    if (found == 0) {
        found = store_member_find_vouched(db, author->uid, &member);
        if (found == 1 && consent_note(db, member.alias, author->uid, now) != 1) {
            store_member_free(&member);
            return -1;
        }
    }
    if (found == 0) {
        found = store_identity_find_alias(db, author->uid, &alias);
        if (found != 1)
            return found;
        free(author->alias);
        author->alias = alias;
        return 0;
    }
    if (found != 1)
        return found;
    author->member_id = member.id;
    author->wants_reports = member.wants_reports;
    free(author->alias);
    author->alias = xstrdup(member.alias);
    store_member_free(&member);
    return 1;
}

/* Nobody has vouched for them, but they name a member's alias who has not answered yet: that one is asked again. */
static int ask_member(struct store_db *db, struct arrival *arrival, const char *alias)
{
    struct store_member member;
    int found = store_member_find_by_alias(db, alias, &member);
    if (found != 1)
        return found;
    if (!member.uid)
        arrival->greet = xstrdup(alias);
    store_member_free(&member);
    return 1;
}

int outbound_find_author(struct store_db *db, struct arrival *arrival, struct outbound_author *author_out,
                         char **problem_out)
{
    const char *claimed = arrival->message.alias;
    *author_out = (struct outbound_author){ .uid = arrival->from_uid, .alias = xstrdup(claimed) };
    *problem_out = NULL;
    int found = find_member(db, author_out, arrival->now);
    int is_admin = found != 0 ? found : admins_include(db, arrival->rules->admins, arrival->from_uid);
    if (is_admin < 0)
        return -1;
    author_out->is_admin = found == 0 && is_admin;
    if (!claimed[0])
        return 1;
    enum store_identity_verdict verdict = weigh_claim(db, arrival, claimed, arrival->from_uid, STORE_IDENTITY_MESSAGE);
    if (verdict == STORE_IDENTITY_ERROR)
        return -1;
    if (verdict == STORE_IDENTITY_CONTRADICTS) {
        struct strbuf text;
        strbuf_init(&text, 1000);
        struct notice_list list = { .text = &text };
        log_warning("identity.contradicted", "alias=%s uid=%s msgid=%s source=message", claimed, arrival->from_uid,
                    arrival->msgid);
        notice_list_add(&list, "it names \"%s\" as its author, which is somebody else's alias", claimed);
        *problem_out = strbuf_detach(&text);
        return 0;
    }
    return author_out->member_id == 0 && ask_member(db, arrival, claimed) < 0 ? -1 : 1;
}

int outbound_note_participants(struct store_db *db, const struct arrival *arrival, struct notice_list *contradicted)
{
    for (size_t i = 0; i < arrival->message.cc_count; i++) {
        const struct tmtp_participant *cc = &arrival->message.cc[i];
        if (strcmp(cc->who, cc->who_uid) == 0)
            continue; /* a group */
        enum store_identity_verdict verdict =
            weigh_claim(db, arrival, cc->who, cc->who_uid, STORE_IDENTITY_PARTICIPANTS);
        if (verdict == STORE_IDENTITY_ERROR)
            return -1;
        if (verdict == STORE_IDENTITY_CONTRADICTS) {
            notice_list_add(contradicted, "%s", cc->who);
            if (contradicted->count <= NOTICE_LINES_MAX) /* anybody can send thousands */
                log_warning("identity.contradicted", "alias=%s uid=%s msgid=%s source=participants", cc->who,
                            cc->who_uid, arrival->msgid);
        }
    }
    notice_list_end(contradicted);
    return 1;
}
