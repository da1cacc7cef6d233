/* invitation.c - see invitation.h */
#include "gateway/invitation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/invitation_text.h"
#include "gateway/notice.h"
#include "gateway/parts.h"
#include "gateway/signed_id.h"
#include "mapping/convert_utf8.h"
#include "mapping/store_group.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_trace.h"
#include "mapping/subject.h"

enum { SUBJECT_MAX = 500, ADDRESS_MAX = 1000, STEM_MAX = 80 };

struct invitation {
    struct store_mapping mapping;
    char *name, *uid, *local_part; /* of the member or group; uid: "" of a group */
    char *subject, *text;
    char message_id[SIGNED_ID_SIZE];
};

static int find_member(struct store_db *db, struct invitation *invitation)
{
    struct store_member member;
    int found = store_member_find(db, invitation->mapping.target.member_id, &member);
    if (found == 1) {
        invitation->name = xstrdup(member.alias);
        invitation->uid = xstrdup(member.uid ? member.uid : "");
        invitation->local_part = xstrdup(member.local_part);
        store_member_free(&member);
    }
    return found;
}

static int find_group(struct store_db *db, struct invitation *invitation)
{
    struct store_group group;
    int found = store_group_find(db, invitation->mapping.target.group_id, &group);
    if (found == 1) {
        invitation->name = xstrdup(group.gid);
        invitation->uid = xstrdup("");
        invitation->local_part = xstrdup(group.local_part);
        store_group_free(&group);
    }
    return found;
}

static void write_text(const struct parts *parts, struct invitation *invitation)
{
    char guest[SUBJECT_SHOWN_SIZE], remove[SMTP_ADDRESS_MAX + 2], stem[STEM_MAX];
    const struct store_mapping *mapping = &invitation->mapping;
    struct smtp_address removal;
    struct strbuf address, subject, text;
    strbuf_init(&address, ADDRESS_MAX);
    strbuf_init(&subject, INVITATION_FILLED_SUBJECT_MAX);
    strbuf_init(&text, INVITATION_FILLED_BODY_MAX);
    strbuf_add_fmt(&address, "%s@%s", invitation->local_part, parts->config->domain);
    subject_show(mapping->subject, guest);
    signed_id_make_removal(parts->ids, mapping->id, mapping->created_at, &removal);
    smtp_address_format(&removal, remove);
    struct invitation_fields fields = { .member = invitation->name,
                                        .address = address.data,
                                        .guest = guest,
                                        .domain = parts->config->domain,
                                        .remove = remove };
    if (invitation_text_fill(parts->config->invitation.text, &fields, &subject, &text) != 1)
        log_error("invitation.too_long", "mapping=%" PRId64, mapping->id); /* its beginning is sent */
    invitation->subject = convert_utf8_one_line(subject.data, subject.len, SUBJECT_MAX);
    invitation->text = strbuf_detach(&text);
    strbuf_free(&subject);
    strbuf_free(&address);
    snprintf(stem, sizeof stem, "invitation-%" PRId64 "-%" PRIx64, mapping->id, (uint64_t)mapping->created_at);
    signed_id_make_message_id(parts->ids, stem, invitation->message_id);
}

struct invitation *invitation_new(const struct parts *parts, int64_t mapping_id)
{
    struct invitation *invitation = xcalloc(1, sizeof *invitation);
    struct store_db *db = store_reader(parts->store);
    int found = store_mapping_find(db, mapping_id, &invitation->mapping);
    if (found == 1)
        found = invitation->mapping.target.group_id ? find_group(db, invitation) : find_member(db, invitation);
    if (found == 1)
        write_text(parts, invitation);
    else
        invitation_free(&invitation);
    return invitation;
}

void invitation_free(struct invitation **invitation_in)
{
    struct invitation *invitation = *invitation_in;
    if (!invitation)
        return;
    store_mapping_free(&invitation->mapping);
    free(invitation->name);
    free(invitation->uid);
    free(invitation->local_part);
    free(invitation->subject);
    free(invitation->text);
    free(invitation);
    *invitation_in = NULL;
}

/* It may have been decided otherwise since it was looked at. */
static bool is_wanted(const struct store_mapping *mapping, int64_t now)
{
    return mapping->invites && !mapping->invitation_id && mapping->state == STORE_MAPPING_APPROVED &&
           (mapping->direction & STORE_DIRECTION_IN) && (!mapping->expires_at || mapping->expires_at > now);
}

static int add_entry(struct store_db *db, const struct invitation *invitation, int64_t now, int64_t *id_out)
{
    const struct store_mapping *mapping = &invitation->mapping;
    int64_t content_id;
    size_t size = strlen(invitation->text);
    if (notice_add_text(db, invitation->text, size, &content_id) != 1)
        return -1;
    struct store_outbound_new row = {
        .kind = STORE_OUTBOUND_INVITATION,
        .tmtp_msgid = "",
        .member_id = mapping->target.member_id,
        .group_id = mapping->target.group_id,
        .author_uid = invitation->uid,
        .author_alias = invitation->name,
        .message_id = invitation->message_id,
        .head = invitation->subject,
        .content_id = content_id,
        .size = (int64_t)size,
        .posted_at = now,
        .now = now,
    };
    if (store_outbound_add(db, &row, id_out) != 1 ||
        store_outbound_add_recipient(db, *id_out, mapping->correspondent_id, mapping->target.group_id) != 1)
        return -1;
    return store_trace_add(db, STORE_QUEUE_OUT, *id_out, now, "invited", "%s may write to %s, by mapping %" PRId64,
                           mapping->subject, invitation->name, mapping->id);
}

int invitation_add(struct store_db *db, const struct invitation *invitation, int64_t now)
{
    struct store_mapping mapping;
    int64_t id;
    int found = store_mapping_find(db, invitation->mapping.id, &mapping);
    if (found != 1)
        return found;
    bool wanted = is_wanted(&mapping, now);
    store_mapping_free(&mapping);
    if (!wanted)
        return 0;
    if (add_entry(db, invitation, now, &id) != 1)
        return -1;
    return store_mapping_set_invitation(db, invitation->mapping.id, id) == 1 ? 1 : -1;
}
