/* hold_open.c - see hold.h: mail that was released is opened, judged once more, and becomes WAITING
 *
 * One at a time, in the order in which it was released and came; the next when the poster has decided the thread of the last, or
 * has put it off: so the silo gets them in order. Mail whose author has no alias yet, or that can't be opened, holds up
 * nobody else's; if what is in its way passes (there is no room), that of the same author waits behind it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/background.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/seal.h"
#include "base/tmpfile.h"
#include "base/xmalloc.h"
#include "gateway/attachment_look.h"
#include "gateway/config.h"
#include "gateway/hold_internal.h"
#include "gateway/parts.h"
#include "gateway/report.h"
#include "mapping/convert.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"
#include "mapping/store_trace.h"

enum {
    LOOKED_AT = 200,             /* released mails, to find the next */
    SKIPPED_MAX = 1000,          /* that can't be opened now */
    SKIPPED_FIRST_MS = 1000,     /* then each is tried again, later each time, */
    SKIPPED_MS = 10 * 60 * 1000, /* up to this */
};

/* One mail. While a store operation runs only the committer touches it, while it is unsealed or kept the background thread. */
struct opening {
    struct hold_opener *opener;
    enum opening_state {
        OPENING_UNSEALING,
        OPENING_LOOKING, /* a worker says what files it has */
        OPENING_KEEPING,
        OPENING_COMMITTING,
    } state;
    struct store_held held;
    struct store_inbound row;
    struct hold_facts facts;
    int sealed_fd, plain_fd;
    int64_t size;
    enum { UNSEALED, UNSEALED_NOT, UNSEALED_NO_ROOM } unsealed;
    char *files_rule;            /* by which its files were judged; NULL: nobody has */
    struct policy_verdict files; /* what it says */
    struct store_draft *draft;
    bool is_kept;
    struct hold_rules rules; /* the configuration's */
    int64_t now;
    enum { OPENED, OPENED_REFUSED, OPENED_HELD_AGAIN, OPENED_LATER } outcome;
    bool is_deferred; /* LATER: by a rule, which may say so for long */
    bool reported;
};

struct hold_opener {
    struct hold *hold;
    bool is_online;
    struct opening *opening; /* NULL: none */
    int64_t last_id;         /* opened last; 0: it is with the poster, or gone */
    size_t seen;             /* released mails, at the last look */
    struct skip {
        int64_t id;
        char *why;
        bool passes; /* what is in its way: those of the same author wait behind it */
        struct backoff pause;
    } skipped[SKIPPED_MAX];
    size_t skipped_count;
};

static void set_state(struct opening *opening, enum opening_state state)
{
    opening->state = state;
}

static void opening_free(struct opening *opening)
{
    opening->opener->opening = NULL;
    store_draft_free(&opening->draft);
    store_held_free(&opening->held);
    store_inbound_free(&opening->row);
    hold_facts_free(&opening->facts);
    if (opening->sealed_fd >= 0)
        close(opening->sealed_fd);
    if (opening->plain_fd >= 0)
        close(opening->plain_fd);
    free(opening->files_rule);
    free(opening);
}

static void discarded(void *arg)
{
    (void)arg; /* the opener frees it */
}

static void end(struct opening *opening)
{
    struct hold *hold = opening->opener->hold;
    opening_free(opening);
    hold_poke(hold);
}

static struct skip *find_skip(struct hold_opener *opener, int64_t id)
{
    for (size_t i = 0; i < opener->skipped_count; i++)
        if (opener->skipped[i].id == id)
            return &opener->skipped[i];
    return NULL;
}

static void forget_skip(struct hold_opener *opener, struct skip *skip)
{
    free(skip->why);
    size_t behind = (size_t)(opener->skipped + opener->skipped_count - (skip + 1));
    memmove(skip, skip + 1, behind * sizeof *skip);
    opener->skipped_count--;
}

/* When there is no place, the oldest gives way: it may be gone, which nobody says when it was dropped. */
static struct skip *add_skip(struct hold_opener *opener)
{
    if (opener->skipped_count == SKIPPED_MAX)
        forget_skip(opener, opener->skipped);
    struct skip *skip = &opener->skipped[opener->skipped_count++];
    *skip = (struct skip){ .pause = { .first_ms = SKIPPED_FIRST_MS, .longest_ms = SKIPPED_MS } };
    return skip;
}

/* Not now: later each time. The same reason is said once. */
static void put_off_mail(struct hold_opener *opener, int64_t id, const char *why, bool passes)
{
    struct skip *skip = find_skip(opener, id);
    if (!skip)
        skip = add_skip(opener);
    if (!skip->why || strcmp(skip->why, why) != 0) {
        log_error("hold.not_opened", "message=in%" PRId64 " reason=%s", id, why);
        free(skip->why);
        skip->why = xstrdup(why);
    }
    skip->id = id;
    skip->passes = passes;
    (void)backoff_failed(&skip->pause, clock_monotonic_ms(opener->hold->parts->clock));
}

/* passes: the trouble is none of its own. */
static void put_off(struct opening *opening, const char *why, bool passes)
{
    put_off_mail(opening->opener, opening->held.inbound_id, why, passes);
    end(opening);
}

/* It is still the next: the schedule looks again. */
static void try_again_soon(struct opening *opening, const char *why)
{
    log_debug("hold.not_opened_yet", "message=in%" PRId64 " reason=%s", opening->held.inbound_id, why);
    opening_free(opening);
}

/* ---- the operation ---- */

/* 1; -1: the database failed. Refused: the end says why. */
static int judge(struct store_db *db, struct opening *opening, struct hold_judgement *judgement_out)
{
    if (hold_judge(db, &opening->held, &opening->row, &opening->rules, opening->now, judgement_out) != 1)
        return -1;
    const char *rule = judgement_out->attachments;
    struct policy_verdict *verdict = &judgement_out->verdict;
    opening->outcome = OPENED;
    if (judgement_out->is_suspended)
        opening->outcome = OPENED_HELD_AGAIN;
    else if (verdict->decision == POLICY_ACCEPT && rule &&
             (!opening->files_rule || strcmp(opening->files_rule, rule) != 0))
        opening->outcome = OPENED_LATER; /* it has changed since a worker looked */
    else if (verdict->decision == POLICY_ACCEPT && rule && opening->files.decision != POLICY_ACCEPT)
        *verdict = opening->files;
    opening->is_deferred = opening->outcome == OPENED && verdict->decision == POLICY_DEFER;
    if (opening->is_deferred)
        opening->outcome = OPENED_LATER;
    else if (opening->outcome == OPENED && verdict->decision != POLICY_ACCEPT)
        opening->outcome = OPENED_REFUSED;
    return 1;
}

static int refuse(struct store_db *db, struct opening *opening, const struct policy_verdict *verdict)
{
    const struct hold_end refusal = { .event = "refused",
                                      .story = verdict->reason,
                                      .status = verdict->reply.enhanced,
                                      .explanation = verdict->reply.text };
    return hold_drop(db, opening->opener->hold, opening->held.inbound_id, &refusal, opening->now, &opening->reported);
}

static int hold_again(struct store_db *db, const struct opening *opening, const struct policy_verdict *verdict)
{
    if (store_held_take_back(db, opening->held.inbound_id) < 0)
        return -1;
    return store_trace_add(db, STORE_QUEUE_IN, opening->held.inbound_id, opening->now, "held", "again: %s",
                           verdict->reason);
}

static int put_in(struct store_db *db, struct opening *opening, const struct hold_judgement *judgement)
{
    const struct hold_facts *facts = &opening->facts;
    struct store_held_opened opened = { .correspondent_id = judgement->correspondent_id,
                                        .mapping_id = judgement->verdict.mapping_id,
                                        .message_id = facts->message_id,
                                        .references = facts->references,
                                        .digest = facts->has_digest ? facts->digest : NULL,
                                        .draft = opening->draft,
                                        .now = opening->now };
    int64_t id = opening->held.inbound_id;
    if (!opened.correspondent_id &&
        store_correspondent_ensure(db, opening->held.author, opening->now, &opened.correspondent_id) != 1)
        return -1;
    if (store_held_open(db, id, &opened) != 1)
        return -1;
    return store_trace_add(db, STORE_QUEUE_IN, id, opening->now, "opened", "Message-ID <%s>; %s",
                           facts->message_id ? facts->message_id : "", judgement->verdict.reason);
}

static int commit(struct store_db *db, void *arg)
{
    struct opening *opening = arg;
    struct store_held now;
    struct hold_judgement judgement;
    opening->reported = opening->is_deferred = false;
    opening->outcome = OPENED_LATER; /* it is no longer there, or was taken back */
    int result = store_held_find(db, opening->held.inbound_id, &now);
    bool is_released = result == 1 && now.released_at;
    store_held_free(&now);
    if (!is_released)
        return result < 0 ? -1 : 1;
    if (judge(db, opening, &judgement) < 0)
        return -1;
    if (opening->outcome == OPENED)
        result = put_in(db, opening, &judgement);
    else if (opening->outcome == OPENED_REFUSED)
        result = refuse(db, opening, &judgement.verdict);
    else if (opening->outcome == OPENED_HELD_AGAIN)
        result = hold_again(db, opening, &judgement.verdict);
    hold_judgement_free(&judgement);
    return result == 1 ? 1 : -1;
}

static void committed(int result, void *arg)
{
    static const char *const events[] = { [OPENED] = "hold.opened",
                                          [OPENED_REFUSED] = "hold.refused",
                                          [OPENED_HELD_AGAIN] = "hold.held_again",
                                          [OPENED_LATER] = "hold.not_opened_yet" };
    struct opening *opening = arg;
    struct hold_opener *opener = opening->opener;
    struct hold *hold = opener->hold;
    if (result != 1) {
        put_off(opening, "a database error", true);
        return;
    }
    log_info(events[opening->outcome], "message=in%" PRId64, opening->held.inbound_id);
    if (opening->reported)
        reporter_poke(hold->parts->reporter);
    if (opening->is_deferred) {
        put_off(opening, "it can't be judged now", false);
        return;
    }
    bool is_opened = opening->outcome == OPENED;
    struct skip *skip = find_skip(opener, opening->held.inbound_id);
    if (skip)
        forget_skip(opener, skip);
    if (is_opened)
        opener->last_id = opening->held.inbound_id;
    end(opening);
    if (is_opened)
        hold->callbacks->on_opened(hold->ctx);
}

static void submit(struct opening *opening)
{
    const struct parts *parts = opening->opener->hold->parts;
    set_state(opening, OPENING_COMMITTING);
    opening->now = clock_wall_ms(parts->clock);
    store_submit(parts->store, commit, committed, opening);
}

/* ---- the content ---- */

static void keep(void *arg)
{
    struct opening *opening = arg;
    opening->is_kept = store_draft_keep(opening->draft) == 1;
}

static void kept(void *arg)
{
    struct opening *opening = arg;
    if (opening->is_kept)
        submit(opening);
    else
        put_off(opening, "its content can't be written", true);
}

static void begin_keeping(struct opening *opening)
{
    const struct parts *parts = opening->opener->hold->parts;
    opening->draft = store_draft_new_fd(parts->store, opening->plain_fd, opening->size);
    if (!store_draft_is_large(opening->draft)) {
        submit(opening);
        return;
    }
    set_state(opening, OPENING_KEEPING);
    background_submit(parts->background, keep, kept, discarded, opening);
}

static void judge_files(struct opening *opening, const struct convert_in_result *result)
{
    char start[ATTACHMENT_START_MAX];
    struct attachment_look look = { .look = result->is_doubtful ? POLICY_LOOK_UNREADABLE : POLICY_LOOK_DONE };
    ssize_t len = pread(opening->plain_fd, start, sizeof start, 0);
    if (len < 0 || !attachment_look_read(result, opening->size, start, (size_t)len, &look))
        look.look = POLICY_LOOK_FAILED;
    struct attachment_ruling ruling = attachment_look_rule(&look, opening->files_rule);
    const struct policy_attachment_facts facts = { .from = opening->held.author,
                                                   .recipient = opening->row.recipients[0].address,
                                                   .allowed = ruling.allowed,
                                                   .look = ruling.look,
                                                   .refused = ruling.refused.name ? &ruling.refused : NULL };
    opening->files = policy_judge_attachments(&facts);
    attachment_ruling_free(&ruling);
    attachment_look_free(&look);
}

static void on_converted(struct convert_in_result *result, void *ctx)
{
    struct opening *opening = ctx;
    if (!result->ok) {
        put_off(opening, result->error, false);
        return;
    }
    judge_files(opening, result);
    begin_keeping(opening);
}

static void begin_looking(struct opening *opening)
{
    const struct parts *parts = opening->opener->hold->parts;
    const struct convert_in_request request = {
        .entry = opening->held.inbound_id,
        .mail_fd = opening->plain_fd,
        .mail_size = opening->size,
        .options = { .is_automatic = opening->row.is_generated,
                     .body = (enum convert_body_choice)parts->config->content.body,
                     .history = (enum convert_history_mode)parts->config->content.quote },
    };
    set_state(opening, OPENING_LOOKING);
    if (convert_mail_in(parts->convert, &request, on_converted, opening) != 1)
        try_again_soon(opening, "the convert workers are busy");
}

static void unseal(void *arg)
{
    struct opening *opening = arg;
    const struct hold *hold = opening->opener->hold;
    int result =
        seal_open_file(hold_key(hold), opening->held.author, opening->sealed_fd, opening->plain_fd, &opening->size);
    opening->unsealed = result == 1 ? UNSEALED : result == 0 ? UNSEALED_NOT : UNSEALED_NO_ROOM;
}

static void unsealed(void *arg)
{
    static const char *const words[] = {
        [UNSEALED_NOT] = "it is damaged, or sealed with another key", [UNSEALED_NO_ROOM] = "there is no room to open it"
    };
    struct opening *opening = arg;
    if (opening->unsealed != UNSEALED)
        put_off(opening, words[opening->unsealed], opening->unsealed == UNSEALED_NO_ROOM);
    else if (opening->files_rule)
        begin_looking(opening);
    else
        begin_keeping(opening);
}

/* ---- whose turn it is ---- */

/* What is worth a word was said: that the content is missing, that the key is. */
static void begin(struct hold_opener *opener, struct opening *opening)
{
    const struct parts *parts = opener->hold->parts;
    int64_t sealed_size;
    opener->opening = opening;
    if (store_content_open(store_reader(parts->store), opening->row.content_id, &opening->sealed_fd, &sealed_size) !=
        1) {
        put_off(opening, "its content is missing from state_dir", false);
        return;
    }
    bool is_small = opening->held.size < STORE_BLOB_MAX;
    opening->plain_fd =
        is_small ? memfd_create("opened", MFD_CLOEXEC) : tmpfile_new(store_content_directory(parts->store));
    if (opening->plain_fd < 0) {
        put_off(opening, "there is no room to open it", true);
        return;
    }
    set_state(opening, OPENING_UNSEALING);
    background_submit(parts->background, unseal, unsealed, discarded, opening);
}

/* In whose name it will be posted has an alias? -1: the database failed. */
static int has_alias(struct store_db *db, const struct store_held *held, int64_t correspondent_id)
{
    struct store_correspondent correspondent;
    int found = correspondent_id ? store_correspondent_find(db, correspondent_id, &correspondent)
                                 : store_correspondent_find_by_address(db, held->author, &correspondent);
    bool has = found == 1 && correspondent.alias;
    if (found == 1)
        store_correspondent_free(&correspondent);
    return found < 0 ? -1 : has;
}

/* What is refused, or held again, needs no alias. -1: the database failed. */
static int is_ready(struct store_db *db, struct opening *opening)
{
    struct hold_judgement judgement;
    if (hold_judge(db, &opening->held, &opening->row, &opening->rules, opening->now, &judgement) != 1)
        return -1;
    bool is_let_in = judgement.verdict.decision == POLICY_ACCEPT && !judgement.is_suspended;
    int ready = !is_let_in ? 1 : has_alias(db, &opening->held, judgement.correspondent_id);
    opening->files_rule = is_let_in && judgement.attachments ? xstrdup(judgement.attachments) : NULL;
    hold_judgement_free(&judgement);
    return ready;
}

/* 1: all is read that is needed to open it; 0: it can't be opened now; -1: the database failed. */
static int read_mail(struct hold *hold, int64_t id, struct opening *opening)
{
    struct store_db *db = store_reader(hold->parts->store);
    char key_id[SEAL_ID_SIZE];
    seal_key_id(hold_key(hold), key_id);
    int result = store_held_find(db, id, &opening->held);
    if (result != 1 || strcmp(opening->held.key_id, key_id) != 0)
        return result < 0 ? -1 : 0;
    result = store_inbound_find(db, id, &opening->row);
    if (result != 1 || opening->row.recipient_count != 1)
        return result < 0 ? -1 : 0;
    result = is_ready(db, opening);
    return result == 1 ? hold_read_facts(hold, &opening->held, &opening->facts) : result;
}

/* NULL: it can't be opened now. */
static struct opening *prepare(struct hold_opener *opener, int64_t id)
{
    struct hold *hold = opener->hold;
    struct opening *opening = xcalloc(1, sizeof *opening);
    *opening = (struct opening){ .opener = opener, .sealed_fd = -1, .plain_fd = -1 };
    opening->rules = hold_rules(hold);
    opening->now = clock_wall_ms(hold->parts->clock);
    int result = read_mail(hold, id, opening);
    if (result == 1)
        return opening;
    opening_free(opening);
    if (result < 0)
        put_off_mail(opener, id, "a database error", true);
    return NULL;
}

/* It was put off, and it is too early to try again. NULL: not so. */
static const struct skip *find_early(struct hold_opener *opener, int64_t id, int64_t monotonic)
{
    const struct skip *skip = find_skip(opener, id);
    return skip && backoff_left(&skip->pause, monotonic) > 0 ? skip : NULL;
}

struct released {
    int64_t ids[LOOKED_AT];
    size_t count;
    int64_t monotonic; /* of the look: who is early for one question is for all */
};

static void collect(int64_t inbound_id, void *ctx)
{
    struct released *released = ctx;
    released->ids[released->count++] = inbound_id;
}

/* Is there one before it, of the same author and for the same member, that waits for what passes? They are to come in order. */
static bool is_behind(struct hold_opener *opener, const struct released *released, size_t index,
                      const struct store_held *held)
{
    bool is = false;
    for (size_t i = 0; i < index && !is; i++) {
        struct store_held other;
        const struct skip *skip = find_early(opener, released->ids[i], released->monotonic);
        if (!skip || !skip->passes)
            continue;
        is = store_held_find(store_reader(opener->hold->parts->store), skip->id, &other) == 1 &&
             strcmp(other.author, held->author) == 0 && store_target_equal(other.target, held->target);
        store_held_free(&other);
    }
    return is;
}

/* Is the last one still to be given its thread? One that was put off waits for something that may take long. */
static bool is_last_on_its_way(struct hold_opener *opener)
{
    struct store_inbound row;
    if (!opener->last_id || store_inbound_find(store_reader(opener->hold->parts->store), opener->last_id, &row) != 1)
        return false;
    bool is = row.state == STORE_QUEUE_WAITING && !row.last_error[0];
    store_inbound_free(&row);
    if (!is)
        opener->last_id = 0;
    return is;
}

int hold_opener_look(struct hold_opener *opener)
{
    struct hold *hold = opener->hold;
    struct released released = { .monotonic = clock_monotonic_ms(hold->parts->clock) };
    if (!opener->is_online || !hold_key(hold))
        return 0;
    if (store_held_list_released(store_reader(hold->parts->store), LOOKED_AT, collect, &released) != 1)
        return -1;
    if (released.count == 0) {
        opener->seen = 0;
        return 0;
    }
    hold->has_chores = hold->has_chores || released.count > opener->seen; /* their authors need aliases */
    opener->seen = released.count;
    if (opener->opening || is_last_on_its_way(opener))
        return 1;
    for (size_t i = 0; i < released.count; i++) {
        int64_t id = released.ids[i];
        struct opening *opening = find_early(opener, id, released.monotonic) ? NULL : prepare(opener, id);
        if (opening && !is_behind(opener, &released, i, &opening->held)) {
            begin(opener, opening);
            return 1;
        }
        if (opening)
            opening_free(opening);
    }
    return 1;
}

void hold_opener_set_online(struct hold_opener *opener, bool online)
{
    opener->is_online = online;
}

struct hold_opener *hold_opener_new(struct hold *hold)
{
    struct hold_opener *opener = xcalloc(1, sizeof *opener);
    opener->hold = hold;
    return opener;
}

void hold_opener_free(struct hold_opener **opener)
{
    if ((*opener)->opening)
        opening_free((*opener)->opening);
    for (size_t i = 0; i < (*opener)->skipped_count; i++)
        free((*opener)->skipped[i].why);
    free(*opener);
    *opener = NULL;
}
