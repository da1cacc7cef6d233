/* mapping_import.c - see mapping_import.h */
#include "gateway/mapping_import.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_mapping.h"
#include "gateway/mapping_options.h"

enum { PROBLEM_MAX = 4000, NOTE = MAPPING_IMPORT_LIMITS - 1 };

/* One line, from its words to what it does. */
struct importing {
    struct store_db *db;
    struct mapping_change change; /* with the line's own reason */
    const struct mapping_import_line *line;
    bool reopens;
    struct mapping_import_result *result;
    struct subject subject;
    struct mapping_options options;
    enum store_mapping_state wanted;
    struct store_mapping now; /* id 0: there is none */
};

static int refuse(struct importing *importing, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct importing *importing, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = strbuf_vtext(PROBLEM_MAX, fmt, args);
    va_end(args);
    free(importing->result->problem);
    importing->result->problem = text;
    importing->result->act = "wrong";
    return 0;
}

void mapping_import_result_clear(struct mapping_import_result *result)
{
    free(result->problem);
    free(result->address);
    *result = (struct mapping_import_result){ .act = "none" };
}

/* Words. */

static int read_state(struct importing *importing)
{
    const char *state = importing->line->state;
    importing->wanted = STORE_MAPPING_APPROVED;
    if (!state || !state[0] || store_mapping_state_parse(state, &importing->wanted))
        return 1;
    return refuse(importing, "\"%s\" is not a state: requested, approved, denied, suspended, revoked or expired",
                  state);
}

static int read_limits(struct importing *importing)
{
    struct strbuf wrong;
    int result = 1;
    strbuf_init(&wrong, PROBLEM_MAX);
    for (size_t i = 0; i < MAPPING_IMPORT_LIMITS && result == 1; i++) {
        const char *value = importing->line->limits[i];
        if (!value || (!value[0] && i != NOTE))
            continue;
        /* A time that is past is no mistake here: see the header. */
        if (mapping_options_set(&importing->options, mapping_option_names[i], value, INT64_MIN, &wrong) < 0)
            result = refuse(importing, "%s", strncmp(wrong.data, "--", 2) == 0 ? wrong.data + 2 : wrong.data);
    }
    strbuf_free(&wrong);
    return result;
}

static int read_line(struct importing *importing)
{
    const struct mapping_import_line *line = importing->line;
    const char *wrong;
    if (!line->address || !line->address[0] || !line->member || !line->member[0])
        return refuse(importing, "it lacks an address or a member");
    if (subject_parse(line->address, importing->change.local_case, &importing->subject, &wrong) < 0)
        return refuse(importing, "\"%s\" can't be whom a mapping is about: %s", line->address, wrong);
    importing->result->address = xstrdup(importing->subject.text);
    int found = admin_mapping_target(importing->db, line->member, &importing->result->target);
    if (found == 0)
        return refuse(importing, "there is no member or group \"%s\"", line->member);
    return found < 0 ? -1 : 1;
}

/* What is there. */

/* One whose time is past is over, even if nobody has written that yet. */
static int find_current(struct importing *importing)
{
    int found =
        store_mapping_find_current(importing->db, importing->subject.text, importing->result->target, &importing->now);
    struct store_mapping *now = &importing->now;
    bool may_end = found == 1 && (now->state == STORE_MAPPING_APPROVED || now->state == STORE_MAPPING_SUSPENDED);
    if (may_end && now->expires_at && now->expires_at <= importing->change.now) {
        now->was_suspended = now->state == STORE_MAPPING_SUSPENDED;
        now->state = STORE_MAPPING_EXPIRED;
    }
    return found < 0 ? -1 : 1;
}

static bool is_shut(const struct store_mapping *now)
{
    return now->id &&
           (now->state == STORE_MAPPING_DENIED || now->state == STORE_MAPPING_REVOKED ||
            now->state == STORE_MAPPING_SUSPENDED || (now->state == STORE_MAPPING_EXPIRED && now->was_suspended));
}

static bool changes(const struct store_mapping *now, const struct mapping_limits *limits)
{
    return (limits->has_direction && limits->direction != now->direction) ||
           (limits->has_expiry && limits->expires_at != now->expires_at) ||
           (limits->has_max_size && limits->max_size != now->max_size) ||
           (limits->has_daily && limits->daily != now->daily) ||
           (limits->has_attachments && strcmp(limits->attachments, now->attachments) != 0) ||
           (limits->has_proof && limits->proof != now->proof) ||
           (limits->has_subaddresses && limits->subaddresses != now->subaddresses) ||
           (limits->has_note && strcmp(limits->note, now->note) != 0) ||
           (limits->has_invites && limits->invites != now->invites);
}

/* Steps. */

/* How a change has ended. */
static int settle(struct importing *importing, int done, struct mapping_result *change)
{
    if (done == 0) {
        struct strbuf why;
        strbuf_init(&why, PROBLEM_MAX);
        mapping_result_explain(change, &why);
        refuse(importing, "%s", why.data);
        strbuf_free(&why);
    }
    mapping_result_clear(change);
    return done;
}

typedef int making(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                   struct mapping_result *result_out);

/* id_out: NULL, if it does not matter. */
static int make(struct importing *importing, making *how, const struct mapping_change *change, int64_t *id_out)
{
    const struct mapping_wish wish = { .subject = &importing->subject,
                                       .target = importing->result->target,
                                       .limits = &importing->options.limits };
    struct mapping_result made;
    int done = how(importing->db, change, &wish, &made);
    if (id_out)
        *id_out = made.mapping.id;
    return settle(importing, done, &made);
}

static int act_on(struct importing *importing, int64_t id, enum mapping_act act, const struct mapping_limits *limits)
{
    struct mapping_result acted;
    int done = mapping_change_state(importing->db, &importing->change, id, act, limits, &acted);
    return settle(importing, done, &acted);
}

static int change_limits(struct importing *importing)
{
    struct mapping_result changed;
    if (!changes(&importing->now, &importing->options.limits))
        return 1;
    importing->result->act = "change";
    int done = mapping_change_limits(importing->db, &importing->change, importing->now.id, &importing->options.limits,
                                     &changed);
    return settle(importing, done, &changed);
}

static bool is_live(const struct importing *importing)
{
    return importing->now.id && store_mapping_is_live(importing->now.state);
}

/* States. */

static int approve(struct importing *importing)
{
    const struct mapping_limits *limits = &importing->options.limits;
    if (is_live(importing) && importing->now.state == STORE_MAPPING_APPROVED)
        return change_limits(importing);
    if (is_live(importing)) {
        bool is_request = importing->now.state == STORE_MAPPING_REQUESTED;
        importing->result->act = is_request ? "approve" : "resume";
        return act_on(importing, importing->now.id, is_request ? MAPPING_APPROVE : MAPPING_RESUME, limits);
    }
    importing->result->act = "add";
    return make(importing, mapping_change_add, &importing->change, NULL);
}

/* A new one is not open for a moment: mail that is held hears of what becomes of it, and of nothing before. */
static int add_suspended(struct importing *importing)
{
    struct mapping_change quietly = importing->change;
    int64_t id;
    quietly.hold = NULL;
    importing->result->act = "add";
    int done = make(importing, mapping_change_add, &quietly, &id);
    return done == 1 ? act_on(importing, id, MAPPING_SUSPEND, NULL) : done;
}

static int suspend(struct importing *importing)
{
    if (!is_live(importing))
        return add_suspended(importing);
    if (importing->now.state == STORE_MAPPING_REQUESTED)
        return refuse(importing, "mapping %" PRId64 " is requested here, and has to be approved or denied first",
                      importing->now.id);
    int done = change_limits(importing);
    if (done != 1 || importing->now.state == STORE_MAPPING_SUSPENDED)
        return done;
    importing->result->act = "suspend";
    return act_on(importing, importing->now.id, MAPPING_SUSPEND, NULL);
}

static int request(struct importing *importing)
{
    if (is_live(importing))
        return importing->now.state == STORE_MAPPING_REQUESTED ? change_limits(importing) : 1;
    importing->result->act = "request";
    return make(importing, mapping_change_request, &importing->change, NULL);
}

static int block(struct importing *importing)
{
    bool is_done = importing->now.id &&
                   (importing->now.state == STORE_MAPPING_DENIED || importing->now.state == STORE_MAPPING_REVOKED);
    if (is_done)
        return 1;
    importing->result->act = "block";
    return make(importing, mapping_change_block, &importing->change, NULL);
}

static int apply_state(struct importing *importing)
{
    static int (*const states[])(struct importing *) = {
        [STORE_MAPPING_REQUESTED] = request, [STORE_MAPPING_APPROVED] = approve, [STORE_MAPPING_DENIED] = block,
        [STORE_MAPPING_SUSPENDED] = suspend, [STORE_MAPPING_REVOKED] = block,    [STORE_MAPPING_EXPIRED] = NULL,
    };
    const struct mapping_limits *limits = &importing->options.limits;
    bool shuts = importing->wanted == STORE_MAPPING_DENIED || importing->wanted == STORE_MAPPING_REVOKED;
    if (!states[importing->wanted] ||
        (!shuts && limits->has_expiry && limits->expires_at && limits->expires_at <= importing->change.now))
        return 1;
    bool stays_shut = importing->now.state == STORE_MAPPING_SUSPENDED && importing->wanted != STORE_MAPPING_APPROVED;
    if (!shuts && is_shut(&importing->now) && !stays_shut && !importing->reopens)
        return refuse(importing, "%s for %s is %s here (mapping %" PRId64 "); --reopen yes opens it again",
                      importing->subject.text, importing->line->member, store_mapping_state_name(importing->now.state),
                      importing->now.id);
    return states[importing->wanted](importing);
}

int mapping_import_apply(struct store_db *db, const struct mapping_change *change,
                         const struct mapping_import_line *line, bool reopens, struct mapping_import_result *result_out)
{
    struct importing importing = {
        .db = db, .change = *change, .line = line, .reopens = reopens, .result = result_out
    };
    *result_out = (struct mapping_import_result){ .act = "none" };
    if (line->reason && line->reason[0])
        importing.change.reason = line->reason;
    int result = read_line(&importing);
    if (result == 1)
        result = read_state(&importing);
    if (result == 1)
        result = read_limits(&importing);
    if (result == 1)
        result = find_current(&importing);
    if (importing.now.invitation_id) /* who was invited is not to be any more: nothing to undo */
        importing.options.limits.has_invites = false;
    if (result == 1)
        result = apply_state(&importing);
    store_mapping_free(&importing.now);
    mapping_options_clear(&importing.options);
    return result;
}
