/* concierge_list.c - what somebody may know of the mappings: list, who is, pending
 *
 * A member sees what concerns their own door; admins see everything.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "gateway/concierge_internal.h"
#include "gateway/notice.h"

enum { LINE_MAX_BYTES = 2000, LISTED_MAX = 1000 };

static void add_day(struct strbuf *out, const char *before, int64_t at)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(at, time);
    strbuf_add_fmt(out, "%s%.10s", before, time);
}

static void add_story(const struct store_mapping *mapping, struct strbuf *out)
{
    bool is_one_act = mapping->decided_at && strcmp(mapping->created_by, mapping->decided_by) == 0;
    if (mapping->created_by[0])
        strbuf_add_fmt(out, ", %s %s", is_one_act ? "made by" : "asked for by", mapping->created_by);
    add_day(out, mapping->created_by[0] ? " on " : ", since ", mapping->created_at);
    if (mapping->decided_at && mapping->decided_by[0]) {
        strbuf_add_fmt(out, ", %s by %s", store_mapping_state_name(mapping->state), mapping->decided_by);
        add_day(out, " on ", mapping->decided_at);
    }
    if (mapping->reason[0])
        strbuf_add_fmt(out, ": %s", mapping->reason);
}

void concierge_describe(const struct store_mapping *mapping, bool for_whom, struct strbuf *out)
{
    static const char *const ways[] = { [STORE_DIRECTION_IN] = "may write",
                                        [STORE_DIRECTION_OUT] = "may be written to",
                                        [STORE_DIRECTION_BOTH] = "both ways" };
    char shown[SUBJECT_SHOWN_SIZE], spelled[SUBJECT_SHOWN_SIZE];
    subject_show(mapping->subject, shown);
    bool is_all = !mapping->target.member_id && !mapping->target.group_id;
    strbuf_add_fmt(out, "%" PRId64 ": %s", mapping->id, shown);
    if (subject_spell(mapping->subject, spelled)) /* letters of other scripts may look like Latin ones */
        strbuf_add_fmt(out, " (spelled %s)", spelled);
    if (for_whom)
        strbuf_add_fmt(out, " for %s", is_all ? "all members" : mapping->target_name);
    strbuf_add_fmt(out, ", %s, %s", store_mapping_state_name(mapping->state), ways[mapping->direction]);
    if (mapping->expires_at)
        add_day(out, " until ", mapping->expires_at);
    add_story(mapping, out);
}

struct listing {
    struct notice_list list;
    bool for_whom;
};

static void add_mapping(const struct store_mapping *mapping, void *ctx)
{
    struct listing *listing = ctx;
    struct strbuf line;
    strbuf_init(&line, LINE_MAX_BYTES);
    concierge_describe(mapping, listing->for_whom, &line);
    notice_list_add(&listing->list, "%s", line.data);
    strbuf_free(&line);
}

static int list_live(struct concierge_talk *talk, struct store_target target, struct listing *listing)
{
    static const enum store_mapping_state live[] = { STORE_MAPPING_REQUESTED, STORE_MAPPING_APPROVED,
                                                     STORE_MAPPING_SUSPENDED };
    for (size_t i = 0; i < sizeof live / sizeof live[0]; i++) {
        struct store_mapping_filter filter = {
            .by_state = true, .state = live[i], .by_target = true, .target = target, .limit = LISTED_MAX
        };
        if (store_mapping_list(talk->db, &filter, add_mapping, listing) < 0)
            return -1;
    }
    return 1;
}

int concierge_list(struct concierge_talk *talk, const struct concierge_task *task)
{
    struct listing listing = { .list.text = talk->answer, .for_whom = true };
    struct store_target own = { .member_id = talk->member.id }, all = { .member_id = 0 };
    (void)task;
    if (!talk->member.id) {
        strbuf_add_str(talk->answer, "You have no address at this gateway. `pending` shows what waits for you.\n");
        return 1;
    }
    strbuf_add_str(talk->answer, "These concern you:\n\n");
    if (list_live(talk, own, &listing) < 0 || list_live(talk, all, &listing) < 0)
        return -1;
    if (listing.list.count == 0)
        strbuf_add_str(talk->answer, "- nobody, so far: `invite bob@example.com` asks for somebody\n");
    notice_list_end(&listing.list);
    return 1;
}

/* What is about this address, whomever it is for: of itself, and of patterns that it falls under. */
static int list_all_about(struct concierge_talk *talk, const char *address, struct listing *listing)
{
    struct subject_keys keys;
    struct store_mapping_filter filter = { .subject = address, .limit = LISTED_MAX };
    int result = store_mapping_list(talk->db, &filter, add_mapping, listing);
    subject_keys_make(address, &keys);
    for (size_t i = 0; i < keys.count && result >= 0; i++) {
        filter.subject = keys.texts[i];
        if (strcmp(filter.subject, address) != 0)
            result = store_mapping_list(talk->db, &filter, add_mapping, listing);
    }
    return result;
}

int concierge_who(struct concierge_talk *talk, const struct concierge_task *task)
{
    struct listing listing = { .list.text = talk->answer, .for_whom = true };
    struct store_target target = { .member_id = talk->member.id };
    strbuf_add_fmt(talk->answer, "%s:\n\n",
                   talk->is_admin ? "What there is for this address" : "What concerns you and this address");
    int result = talk->is_admin
                     ? list_all_about(talk, task->subject.text, &listing)
                     : store_mapping_list_candidates(talk->db, task->subject.text, target, add_mapping, &listing);
    if (listing.list.count == 0)
        notice_list_add(&listing.list, "%s: nothing is known", task->order->address);
    notice_list_end(&listing.list);
    return result < 0 ? -1 : 1;
}

int concierge_pending(struct concierge_talk *talk, const struct concierge_task *task)
{
    struct listing listing = { .list.text = talk->answer, .for_whom = true };
    struct store_mapping_filter filter = { .by_state = true, .state = STORE_MAPPING_REQUESTED, .limit = LISTED_MAX };
    (void)task;
    strbuf_add_str(talk->answer, "These wait for an administrator:\n\n");
    if (store_mapping_list(talk->db, &filter, add_mapping, &listing) < 0)
        return -1;
    if (listing.list.count == 0)
        strbuf_add_str(talk->answer, "- nothing\n");
    notice_list_end(&listing.list);
    strbuf_add_str(talk->answer, "\nTo decide, say for instance `approve 17`, or `deny 17 not a partner`.\n");
    return 1;
}
