/* silo_admins.c - see silo_admins.h */
#include "gateway/silo_admins.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admins.h"
#include "gateway/concierge.h"
#include "gateway/concierge_internal.h"
#include "gateway/notice.h"
#include "gateway/parts.h"
#include "mapping/store_admin.h"

enum { LOOK_MS = 10 * 1000, PAUSE_MS = 10 * 60 * 1000, EVENTS_MAX = 1000, TEXT_MAX = 64 * 1024, LINE_MAX_BYTES = 2000 };

struct silo_admins {
    const struct parts *parts;
    void (*on_notice)(void *ctx);
    void *ctx;
    struct timer *timer;
    bool is_under_way; /* an operation */
    int64_t warned_of; /* the event of which nobody could be told, since nobody is known */
};

/* Is it time for this one? 1, 0, -1. Whoever is not known yet has not been told. */
static int is_due(struct store_db *db, const char *alias, int64_t last, int64_t now)
{
    struct store_admin admin;
    if (store_admin_get(db, alias, &admin) < 0)
        return -1;
    if (admin.told_event >= last || (now >= admin.told_at && now - admin.told_at < PAUSE_MS))
        return 0;
    char *uid;
    int known = admins_find_uid(db, alias, &uid);
    free(uid);
    return known;
}

/* The notice. */
struct telling {
    struct silo_admins *admins;
    struct concierge_rules *rules;
    int64_t now;
    unsigned told; /* result */
};

/* Of one domain only some requests are named: whoever makes up addresses must not hide what others ask for. */
enum { OF_A_DOMAIN_MAX = 10 };
struct domain {
    char *name;
    unsigned count;
};

struct news {
    struct store_db *db;
    struct domain *domains; /* of requests */
    size_t domain_count;
    struct notice_list requested, suspended;
    int64_t first_requested, first_suspended; /* for examples */
    bool has_failed;
};

/* Another request: how many of its domain are there now? */
static unsigned count_domain(struct news *news, const char *subject)
{
    const char *at = strrchr(subject, '@');
    const char *name = at ? at + 1 : subject;
    size_t i = 0;
    while (i < news->domain_count && strcmp(news->domains[i].name, name) != 0)
        i++;
    if (i == news->domain_count) {
        news->domains = xreallocarray(news->domains, ++news->domain_count, sizeof *news->domains);
        news->domains[i] = (struct domain){ .name = xstrdup(name) };
    }
    return ++news->domains[i].count;
}

/* Lines for what was left out, and the end of the counting. */
static void end_domains(struct news *news)
{
    for (size_t i = 0; i < news->domain_count; i++) {
        const struct domain *domain = &news->domains[i];
        if (domain->count > OF_A_DOMAIN_MAX)
            notice_list_add(&news->requested, "%u more of %s", domain->count - OF_A_DOMAIN_MAX, domain->name);
        free(domain->name);
    }
    free(news->domains);
    news->domains = NULL;
    news->domain_count = 0;
}

static void add_event(const struct store_admin_event *event, void *ctx)
{
    struct news *news = ctx;
    struct store_mapping mapping;
    struct strbuf line;
    if (news->has_failed || store_mapping_find(news->db, event->mapping_id, &mapping) != 1) {
        news->has_failed = true;
        return;
    }
    bool is_request = event->kind == STORE_ADMIN_REQUESTED;
    int64_t *first = is_request ? &news->first_requested : &news->first_suspended;
    *first = *first ? *first : mapping.id;
    strbuf_init(&line, LINE_MAX_BYTES);
    concierge_describe(&mapping, true, &line);
    if (!is_request || count_domain(news, mapping.subject) <= OF_A_DOMAIN_MAX)
        notice_list_add(is_request ? &news->requested : &news->suspended, "%s", line.data);
    strbuf_free(&line);
    store_mapping_free(&mapping);
}

static void compose(struct news *news, struct strbuf *text)
{
    if (news->requested.count > 0) {
        notice_list_end(&news->requested);
        strbuf_add_fmt(text,
                       "These requests wait for an administrator:\n\n%s\nTo decide, answer here, or with a ping to "
                       "the gateway: `approve %" PRId64 "`, for instance, or `deny %" PRId64
                       " not a partner`. `pending` lists all that wait, `help` says what else can be said.\n",
                       news->requested.text->data, news->first_requested, news->first_requested);
    }
    if (news->suspended.count > 0) {
        notice_list_end(&news->suspended);
        strbuf_add_fmt(
            text, "%sThe gateway has suspended these:\n\n%s\n`resume %" PRId64 "`, for instance, opens one again.\n",
            text->len ? "\n" : "", news->suspended.text->data, news->first_suspended);
    }
}

static int add_notice(struct store_db *db, const char *alias, const char *uid, const struct news *news,
                      const char *text, int64_t now)
{
    struct store_member member;
    int found = store_member_find_by_uid(db, uid, &member);
    struct notice notice = { .to.member_id = member.id,
                             .uid = uid,
                             .alias = alias,
                             .subject = news->requested.count > 0 ? "Waiting for a decision" : "Suspended",
                             .text = text };
    store_member_free(&member);
    return found < 0 ? -1 : notice_add(db, &notice, now);
}

/* 1 told; 0: there is nothing new any more; -1. */
static int tell(struct store_db *db, struct telling *telling, const char *alias, const char *uid, int64_t last)
{
    struct store_admin admin;
    struct strbuf requested, suspended, text;
    strbuf_init(&requested, TEXT_MAX / 2 - LINE_MAX_BYTES);
    strbuf_init(&suspended, TEXT_MAX / 2 - LINE_MAX_BYTES);
    strbuf_init(&text, TEXT_MAX);
    struct news news = { .db = db, .requested.text = &requested, .suspended.text = &suspended };
    int result = store_admin_get(db, alias, &admin);
    if (result == 1)
        result = store_admin_list_events(db, admin.told_event, EVENTS_MAX, add_event, &news);
    if (result == 1 && news.has_failed)
        result = -1;
    end_domains(&news);
    bool has_news = news.requested.count > 0 || news.suspended.count > 0;
    if (result == 1)
        compose(&news, &text);
    if (result == 1 && has_news)
        result = add_notice(db, alias, uid, &news, text.data, telling->now);
    if (result == 1)
        result = store_admin_set_told(db, alias, last, has_news ? telling->now : admin.told_at);
    strbuf_free(&requested);
    strbuf_free(&suspended);
    strbuf_free(&text);
    return result == 1 ? has_news : -1;
}

/* Somebody may be there under two aliases: they are told once, and both know it. */
static int was_told(struct store_db *db, const struct telling *telling, size_t index, const char *uid, int64_t last)
{
    for (size_t i = 0; i < index; i++) {
        char *other;
        struct store_admin admin;
        int known = admins_find_uid(db, telling->rules->admins[i], &other);
        bool same = known == 1 && strcmp(other, uid) == 0;
        free(other);
        if (known < 0 || store_admin_get(db, telling->rules->admins[i], &admin) < 0)
            return -1;
        if (same && admin.told_event >= last)
            return 1;
    }
    return 0;
}

static int commit_telling(struct store_db *db, void *arg)
{
    struct telling *telling = arg;
    int64_t last;
    telling->told = 0;
    if (store_admin_last_event(db, &last) < 0)
        return -1;
    for (size_t i = 0; telling->rules->admins[i]; i++) {
        const char *alias = telling->rules->admins[i];
        char *uid = NULL;
        int result = is_due(db, alias, last, telling->now);
        if (result == 1)
            result = admins_find_uid(db, alias, &uid);
        int before = result == 1 ? was_told(db, telling, i, uid, last) : 0;
        if (before == 1)
            result = store_admin_set_told(db, alias, last, telling->now) == 1 ? 0 : -1;
        else if (result == 1)
            result = before < 0 ? -1 : tell(db, telling, alias, uid, last);
        free(uid);
        if (result < 0)
            return -1;
        telling->told += result == 1;
    }
    return 1;
}

static void telling_done(int result, void *arg)
{
    struct telling *telling = arg;
    struct silo_admins *admins = telling->admins;
    admins->is_under_way = false;
    if (result == 1 && telling->told > 0) {
        log_info("admins.told", "count=%u", telling->told);
        admins->on_notice(admins->ctx);
    }
    concierge_rules_free(&telling->rules);
    free(telling);
}

/* Requests would wait, and nobody would know why. */
static void warn_of_silence(struct silo_admins *admins, const struct concierge_rules *rules, int64_t last)
{
    struct store_db *db = store_reader(admins->parts->store);
    bool is_known = false;
    for (char **alias = rules->admins; *alias && !is_known; alias++) {
        char *uid;
        is_known = admins_find_uid(db, *alias, &uid) != 0;
        free(uid);
    }
    if (is_known || !rules->admins[0] || admins->warned_of == last)
        return;
    admins->warned_of = last;
    log_warning("admins.unknown", "hint=%s",
                "something waits for a decision, and none of policy.admins has answered the gateway's ping yet; see "
                "posternctl mapping list --state requested");
}

static void look(void *arg)
{
    struct silo_admins *admins = arg;
    struct store_db *db = store_reader(admins->parts->store);
    int64_t now = clock_wall_ms(admins->parts->clock), last;
    bool due = false;
    timer_start(admins->timer, LOOK_MS);
    if (admins->is_under_way || store_admin_last_event(db, &last) != 1)
        return;
    struct concierge_rules *rules = concierge_rules_new(admins->parts->config);
    for (char **alias = rules->admins; *alias && !due; alias++)
        due = is_due(db, *alias, last, now) == 1;
    if (!due) {
        warn_of_silence(admins, rules, last);
        concierge_rules_free(&rules);
        return;
    }
    struct telling *telling = xcalloc(1, sizeof *telling);
    *telling = (struct telling){ .admins = admins, .rules = rules, .now = now };
    admins->is_under_way = true;
    store_submit(admins->parts->store, commit_telling, telling_done, telling);
}

struct silo_admins *silo_admins_new(const struct parts *parts, void (*on_notice)(void *ctx), void *ctx)
{
    struct silo_admins *admins = xcalloc(1, sizeof *admins);
    *admins = (struct silo_admins){ .parts = parts, .on_notice = on_notice, .ctx = ctx };
    admins->timer = timer_new(parts->loop, look, admins);
    timer_start(admins->timer, 0);
    return admins;
}

void silo_admins_free(struct silo_admins **admins)
{
    if (!*admins)
        return;
    timer_free(&(*admins)->timer);
    free(*admins);
    *admins = NULL;
}

void silo_admins_poke(struct silo_admins *admins)
{
    timer_start(admins->timer, 0);
}
