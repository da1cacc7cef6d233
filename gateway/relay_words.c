/* relay_words.c - what the author of a message is told about it, in the thread */
#include "gateway/relay_internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "gateway/notice.h"
#include "gateway/status_words.h"
#include "mapping/store_trace.h"
#include "mapping/subject.h"

enum { LINES_SIZE = 60 * 1024, DAY_MS = 24 * 3600 * 1000, HOUR_MS = 3600 * 1000 };

/* What is told about a message, and about an invitation. */
enum news { NEWS_FAILED, NEWS_LATE, NEWS_PARKED, NEWS_HANDED_ON, NEWS_STOPPED };
static const struct news_words {
    const char *subject, *intro;
} message_words[] = {
    [NEWS_FAILED] = { "Not delivered by email", "This message could not be delivered by email:" },
    [NEWS_LATE] = { "Delayed", "This message could not be delivered by email yet:" },
    [NEWS_PARKED] = { "Not sent by email yet",
                      "This message could not be sent by email, because something is wrong here:" },
    [NEWS_HANDED_ON] = { "Handed on", "This message was handed on:" },
    [NEWS_STOPPED] = { "Delivered all the same",
                       "An administrator has stopped this message, but it was being handed on just then. "
                       "It was delivered all the same:" },
};
static const struct news_words invitation_words[] = {
    [NEWS_FAILED] = { "Could not be invited",
                      "The invitation by email could not be delivered. Who has the address may write all the same:" },
    [NEWS_LATE] = { "Not invited yet", "The invitation by email could not be delivered yet:" },
    [NEWS_PARKED] = { "Not invited yet",
                      "The invitation by email could not be sent, because something is wrong here:" },
    [NEWS_HANDED_ON] = { "Invited", "The invitation by email was handed on:" },
    [NEWS_STOPPED] = { "Invited all the same",
                       "An administrator has stopped the invitation by email, but it was being handed on just then. "
                       "It was delivered all the same:" },
};

static int tell_author(struct store_db *db, struct relay_job *job, enum news news, const char *lines, const char *end)
{
    const struct news_words *words = relay_is_invitation(job) ? &invitation_words[news] : &message_words[news];
    return relay_tell_author(db, job, words->subject, words->intro, lines, end);
}

int relay_tell_author(struct store_db *db, struct relay_job *job, const char *subject, const char *intro,
                      const char *lines, const char *end)
{
    struct strbuf text;
    strbuf_init(&text, LINES_SIZE + 4 * 1024);
    strbuf_add_fmt(&text, "%s\n\n%s", intro, lines);
    if (end)
        strbuf_add_fmt(&text, "\n%s\n", end);
    struct notice notice = {
        .to.member_id = job->row.member_id,
        .to.group_id = relay_is_invitation(job) ? job->row.group_id : 0, /* nobody's in particular */
        .uid = job->row.author_uid,
        .alias = job->row.author_alias,
        .thread_id = job->row.thread_id,
        .subject = subject,
        .text = text.data,
        .about = job->row.id,
    };
    int result = strbuf_ok(&text) ? notice_add(db, &notice, job->now) : -1;
    strbuf_free(&text);
    job->noticed = true;
    return result;
}

/* "5 days", "90 minutes" */
static void add_span(struct strbuf *out, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = { { DAY_MS, "days" }, { HOUR_MS, "hours" }, { 60 * 1000, "minutes" }, { 1000, "seconds" } };
    size_t i = 0;
    while (i + 1 < sizeof units / sizeof units[0] && ms < 2 * units[i].ms)
        i++;
    strbuf_add_fmt(out, "%lld %s", (long long)(ms / units[i].ms), units[i].name);
}

/* Host or address without the port: who speaks. */
static void add_host(struct strbuf *out, const char *relay)
{
    const char *colon = strrchr(relay, ':');
    bool is_path = strchr(relay, '/') != NULL;
    strbuf_add(out, relay, colon && !is_path ? (size_t)(colon - relay) : strlen(relay));
}

static void add_line(struct notice_list *list, const struct relay_job *job, size_t i)
{
    const struct relay_result *result = &job->results[i];
    struct strbuf words, who;
    char shown[SUBJECT_SHOWN_SIZE];
    subject_show(job->row.recipients[job->waiting[i]].address, shown);
    strbuf_init(&words, 1000);
    strbuf_init(&who, 300);
    if (result->outcome.expired) {
        strbuf_add_str(&words, "given up after ");
        add_span(&words, job->now - job->row.received_at);
        strbuf_add_str(&words, "; ");
    }
    strbuf_add_str(&words, result->words ? result->words : status_words(result->code));
    add_host(&who, result->relay);
    notice_list_add_said(list, &(struct notice_said){
                                   .about = shown,
                                   .words = words.data,
                                   .code = result->words ? "" : result->code,
                                   .who = result->is_said ? who.data : NULL,
                                   .said = result->words ? "" : result->reply,
                               });
    strbuf_free(&words);
    strbuf_free(&who);
}

/* What one attempt can have to say; each of them is a notice of its own. */
static bool is_failed(const struct relay_job *job, const struct relay_result *result)
{
    (void)job;
    return result->outcome.action == OUTCOME_GIVE_UP;
}

static bool is_late(const struct relay_job *job, const struct relay_result *result)
{
    return result->outcome.action == OUTCOME_RETRY && result->outcome.warn && !job->is_stopped;
}

static bool is_parked(const struct relay_job *job, const struct relay_result *result)
{
    (void)job;
    return result->outcome.action == OUTCOME_PARK;
}

static bool is_unreported(const struct relay_job *job, const struct relay_result *result)
{
    return result->outcome.action == OUTCOME_DELIVERED && job->row.wants_reports && !result->dsn;
}

static size_t list_those(const struct relay_job *job, struct strbuf *text,
                         bool (*is_meant)(const struct relay_job *, const struct relay_result *))
{
    struct notice_list list = { .text = text };
    for (size_t i = 0; i < job->waiting_count; i++)
        if (!job->results[i].is_known && is_meant(job, &job->results[i]))
            add_line(&list, job, i);
    notice_list_end(&list);
    return list.count;
}

static int tell_failures(struct store_db *db, struct relay_job *job, const char *lines)
{
    return tell_author(db, job, NEWS_FAILED, lines, NULL);
}

static int tell_delays(struct store_db *db, struct relay_job *job, const char *lines)
{
    char until[CLOCK_PLAIN_SIZE];
    struct strbuf end;
    strbuf_init(&end, 200);
    clock_format_plain(job->give_up_at, until);
    strbuf_add_fmt(&end, "It is tried again until %s. There is nothing to do.", until);
    int result = store_outbound_set_warned(db, job->row.id, job->now);
    if (result == 1)
        result = store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, "warned",
                                 "the author was told that it is late");
    if (result == 1)
        result = tell_author(db, job, NEWS_LATE, lines, end.data);
    strbuf_free(&end);
    return result == 1 ? 1 : -1;
}

/* Once: after it was released it may be parked again, for the same reason or another. */
static int tell_parking(struct store_db *db, struct relay_job *job, const char *lines)
{
    if (job->row.parking_told_at)
        return 1;
    if (store_outbound_set_parking_told(db, job->row.id, job->now) != 1 ||
        store_trace_add(db, STORE_QUEUE_OUT, job->row.id, job->now, "told", "the author knows that it is parked") != 1)
        return -1;
    return tell_author(db, job, NEWS_PARKED, lines, "An administrator has to look at it. There is nothing to do.");
}

static int tell_deliveries(struct store_db *db, struct relay_job *job, const char *lines)
{
    return tell_author(db, job, NEWS_HANDED_ON, lines,
                       "No reports come from there: what becomes of it after that is not known here.");
}

int relay_tell_results(struct store_db *db, struct relay_job *job)
{
    static const struct {
        bool (*is_meant)(const struct relay_job *, const struct relay_result *);
        int (*tell)(struct store_db *, struct relay_job *, const char *lines);
    } notices[] = {
        { is_failed, tell_failures },
        { is_late, tell_delays },
        { is_parked, tell_parking },
        { is_unreported, tell_deliveries },
    };
    int result = 1;
    for (size_t i = 0; i < sizeof notices / sizeof notices[0] && result == 1; i++) {
        struct strbuf lines;
        strbuf_init(&lines, LINES_SIZE);
        if (list_those(job, &lines, notices[i].is_meant) > 0)
            result = notices[i].tell(db, job, lines.data);
        strbuf_free(&lines);
    }
    return result;
}

static bool is_delivered(const struct relay_job *job, const struct relay_result *result)
{
    (void)job;
    return result->outcome.action == OUTCOME_DELIVERED;
}

int relay_tell_stopped(struct store_db *db, struct relay_job *job)
{
    struct strbuf lines;
    int result = 1;
    strbuf_init(&lines, LINES_SIZE);
    if (list_those(job, &lines, is_delivered) > 0)
        result = tell_author(db, job, NEWS_STOPPED, lines.data, NULL);
    strbuf_free(&lines);
    return result;
}
