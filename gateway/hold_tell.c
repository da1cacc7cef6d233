/* hold_tell.c - admins in the silo hear that held mail can't be opened; see hold_internal.h */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admins.h"
#include "gateway/config.h"
#include "gateway/hold_internal.h"
#include "gateway/notice.h"
#include "gateway/parts.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"

enum { TEXT_MAX = 6000, MARK_MAX = 400, DAY_MS = 24 * 3600 * 1000 };

struct telling {
    struct hold *hold;
    char **admins; /* NULL-terminated */
    char *text;
    int64_t now;
    unsigned told;
};

/* Once a day, however often the daemon is started. 1 or -1. */
static int tell(struct store_db *db, struct telling *telling, const char *alias, const char *uid)
{
    struct strbuf mark;
    strbuf_init(&mark, MARK_MAX);
    strbuf_add_fmt(&mark, "hold.key_lost %" PRId64 " %s", telling->now / DAY_MS, uid);
    int fresh = store_seen_tmtp(db, mark.data, telling->now);
    strbuf_free(&mark);
    if (fresh != 1)
        return fresh < 0 ? -1 : 1;
    struct store_member member;
    int found = store_member_find_by_uid(db, uid, &member);
    const struct notice notice = { .to.member_id = member.id,
                                   .uid = uid,
                                   .alias = alias,
                                   .subject = "Held mail can't be opened",
                                   .text = telling->text };
    store_member_free(&member);
    telling->told++;
    return found < 0 ? -1 : notice_add(db, &notice, telling->now);
}

static int commit(struct store_db *db, void *arg)
{
    struct telling *telling = arg;
    int result = 1;
    telling->told = 0;
    for (size_t i = 0; telling->admins[i] && result == 1; i++) {
        char *uid;
        int known = admins_find_uid(db, telling->admins[i], &uid);
        if (known == 1)
            result = tell(db, telling, telling->admins[i], uid);
        free(uid);
        if (known < 0)
            result = -1;
    }
    return result;
}

static void committed(int result, void *arg)
{
    struct telling *telling = arg;
    struct hold *hold = telling->hold;
    unsigned told = result == 1 ? telling->told : 0;
    if (result != 1)
        log_error("hold.nobody_told", "text=%s", telling->text);
    for (size_t i = 0; telling->admins[i]; i++)
        free(telling->admins[i]);
    free(telling->admins);
    free(telling->text);
    free(telling);
    if (told > 0)
        hold->callbacks->on_opened(hold->ctx); /* notices wait for the poster, too */
}

void hold_tell_admins(struct hold *hold, const char *problem)
{
    char *const *admins = hold->parts->config->policy.admins;
    struct telling *telling = xcalloc(1, sizeof *telling);
    struct strbuf text;
    size_t count = 0;
    while (admins && admins[count])
        count++;
    *telling = (struct telling){ .hold = hold,
                                 .admins = xcalloc(count + 1, sizeof *telling->admins),
                                 .now = clock_wall_ms(hold->parts->clock) };
    for (size_t i = 0; i < count; i++)
        telling->admins[i] = xstrdup(admins[i]);
    strbuf_init(&text, TEXT_MAX);
    struct notice_list list = { .text = &text };
    strbuf_add_str(&text,
                   "Mail that waits for an approval is sealed with a key that the gateway does not have. It stays "
                   "where it is, until its time is over; nothing that is decided about it can be carried out.\n\n");
    notice_list_add(&list, "%s", problem);
    telling->text = strbuf_detach(&text);
    store_submit(hold->parts->store, commit, committed, telling);
}
