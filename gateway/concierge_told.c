/* concierge_told.c - a member hears what became of a request; see concierge.h */
#include <string.h>

#include "base/strbuf.h"
#include "gateway/concierge_internal.h"
#include "gateway/notice.h"

enum { TEXT_MAX = 8 * 1024, LINE_MAX_BYTES = 2000 };

static int add_notice(struct store_db *db, const struct store_mapping *mapping, int64_t member_id, int64_t now)
{
    struct strbuf text, line;
    strbuf_init(&text, TEXT_MAX);
    strbuf_init(&line, LINE_MAX_BYTES);
    concierge_describe(mapping, true, &line);
    strbuf_add_str(&text, "An administrator has turned down what you asked for:\n\n");
    struct notice_list list = { .text = &text };
    notice_list_add(&list, "%s", line.data);
    struct notice notice = { .to.member_id = member_id, .subject = "Not granted", .text = text.data };
    int result = notice_add(db, &notice, now);
    strbuf_free(&text);
    strbuf_free(&line);
    return result;
}

int concierge_tell_denied(struct store_db *db, const struct store_mapping *mapping, const struct store_actor *actor,
                          int64_t now)
{
    struct store_member member;
    if (strcmp(mapping->created_via, "silo") != 0)
        return 1;
    /* What members ask for themselves names them for good; they may go by another alias since. */
    int found = mapping->target.member_id ? store_member_find(db, mapping->target.member_id, &member)
                                          : store_member_find_by_alias(db, mapping->created_by, &member);
    bool is_own = found == 1 && actor->uid && member.uid && strcmp(actor->uid, member.uid) == 0;
    int result = found == 1 && member.uid && !is_own ? add_notice(db, mapping, member.id, now) : 1;
    store_member_free(&member);
    return found < 0 ? -1 : result;
}
