/* inbound_look.c - what files a mail carries, and whether its mappings let them in; see inbound_internal.h
 *
 * Only a convert worker can tell what a mail carries: what is attached, what stands inside a winmail.dat, which picture is
 * part of a page. So a mail for whose files somebody must be asked is converted before it is answered (and, when it was taken,
 * once more when it is posted). The workers have more to do: LOOKS_MAX mails are looked at a time, and the others wait,
 * in the order in which they came; one that waits for too long is answered 451. So a flood of such mail holds up itself, and a
 * sender's server never waits longer than senders do (RFC 5321 section 4.5.3.2.6: 10 minutes).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/attachment_rule.h"
#include "gateway/config.h"
#include "gateway/inbound_internal.h"
#include "gateway/parts.h"
#include "mapping/convert.h"

enum {
    LOOKS_MAX = 8, /* what is left of the workers' queue when poster, relay and returns have taken their most */
    LOOK_TIMEOUT_MS = 4 * 60 * 1000,
    STORY_MAX = 1000,
};
static const int64_t looks_budget = INT64_C(256) << 20; /* of the mails' sizes: their converted forms lie on disk */

/* One mail, from the end of its data to its verdicts. */
struct look {
    struct inbound *inbound;
    struct look *next;     /* in the order in which they came */
    struct mail *mail;     /* NULL: it was answered, only the worker is waited for */
    struct timer *timeout; /* NULL likewise */
    int64_t size;
    enum look_state {
        LOOK_WAITING,
        LOOK_UNDER_WAY, /* with the workers */
    } state;
};

/* What a worker has found. */
struct found {
    enum policy_look look;
    struct attachment_file *files;
    size_t count;
    const struct attachment_file *original; /* of them, the mail itself: the converter's doing; NULL */
};

static void set_state(struct look *look, enum look_state state)
{
    look->state = state;
}

static void look_free(struct look *look)
{
    struct look **at = &look->inbound->looks;
    while (*at != look)
        at = &(*at)->next;
    *at = look->next;
    timer_free(&look->timeout);
    free(look);
}

/* ---- verdicts ---- */

/* What a rule says of the files: the same for all recipients who have it. */
struct ruling {
    const char *allowed; /* the rule, as the database has it; the mail's */
    enum policy_look look;
    struct policy_file refused; /* the first that is not let in; name NULL: none */
    char *story;                /* which file came in by what */
};

static void tell_story(struct strbuf *story, const char *name, const char *by)
{
    enum { ONE_MAX = 300 };
    if (story->len + ONE_MAX <= STORY_MAX)
        strbuf_add_fmt(story, "%s\"%.200s\" by %s", story->len ? ", " : "", name, by);
    else if (story->data[story->len - 1] != '.')
        strbuf_add_str(story, ", ...");
}

static void judge_files(struct ruling *ruling, const struct attachment_rule *rule, const struct found *found)
{
    struct strbuf story;
    strbuf_init(&story, STORY_MAX);
    for (size_t i = 0; i < found->count && !ruling->refused.name; i++) {
        if (&found->files[i] == found->original)
            continue;
        const char *by;
        const struct attachment_file *file = &found->files[i];
        enum attachment_verdict verdict = attachment_rule_judge(rule, file, &by);
        if (verdict == ATTACHMENT_ALLOWED)
            tell_story(&story, file->name, by);
        else
            ruling->refused = (struct policy_file){ .name = file->name, .verdict = verdict, .format = file->format };
    }
    ruling->story = strbuf_detach(&story);
}

/* A rule that can't be understood lets nothing in. */
static struct ruling rule_on(const struct mail *mail, const char *allowed, const struct found *found)
{
    struct ruling ruling = { .allowed = allowed, .look = found->look };
    struct strbuf error;
    strbuf_init(&error, STORY_MAX);
    struct attachment_rule *rule = attachment_rule_new(allowed, &error);
    if (!rule) {
        log_error("mapping.unreadable", "from=%s attachments=%s reason=%s", mail->from, allowed, error.data);
        ruling.look = POLICY_LOOK_FAILED;
    } else if (ruling.look == POLICY_LOOK_DONE) {
        judge_files(&ruling, rule, found);
    }
    attachment_rule_free(&rule);
    strbuf_free(&error);
    return ruling;
}

static struct policy_verdict apply(const struct ruling *ruling, const struct mail *mail, const char *recipient)
{
    const struct policy_attachment_facts facts = { .from = mail->from,
                                                   .recipient = recipient,
                                                   .allowed = ruling->allowed,
                                                   .look = ruling->look,
                                                   .refused = ruling->refused.name ? &ruling->refused : NULL };
    return policy_judge_attachments(&facts);
}

/* A mail can have a thousand recipients and as many files, but few rules. */
static const struct ruling *find_ruling(const struct mail *mail, const char *allowed, const struct found *found,
                                        struct ruling *rulings, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(rulings[i].allowed, allowed) == 0)
            return &rulings[i];
    rulings[*count] = rule_on(mail, allowed, found);
    return &rulings[(*count)++];
}

static void judge_recipients(struct mail *mail, const struct found *found)
{
    size_t count = 0;
    struct ruling *rulings = xcalloc(mail->count, sizeof *rulings);
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        if (!recipient->attachments || recipient->verdict.decision != POLICY_ACCEPT)
            continue;
        const struct ruling *ruling = find_ruling(mail, recipient->attachments, found, rulings, &count);
        struct policy_verdict verdict = apply(ruling, mail, recipient->address);
        if (verdict.decision == POLICY_ACCEPT) {
            recipient->files_story = xstrdup(ruling->story);
        } else {
            recipient->verdict = verdict;
            recipient->is_about_files = true;
        }
    }
    for (size_t i = 0; i < count; i++)
        free(rulings[i].story);
    free(rulings);
}

/* What came to a return address may still be a report, which needs no mapping. */
static void judge_answer(struct mail *mail, const struct found *found)
{
    struct mail_recipient *returned = &mail->recipients[0];
    struct ruling ruling = rule_on(mail, mail->answer_attachments, found);
    struct policy_verdict verdict = apply(&ruling, mail, returned->address);
    if (verdict.decision == POLICY_DEFER)
        returned->verdict = verdict;
    if (verdict.decision != POLICY_ACCEPT) {
        mail->answer_mapping_id = 0;
        mail->answer_refusal = xstrdup(verdict.reason);
    }
    free(ruling.story);
}

/* The mail goes on with its verdicts. Has its sender gone meanwhile, it comes again, and is known as a repetition. */
static void conclude(struct look *look, const struct found *found)
{
    struct mail *mail = look->mail;
    look->mail = NULL;
    timer_free(&look->timeout);
    if (mail->answer_mapping_id && mail->answer_attachments)
        judge_answer(mail, found);
    judge_recipients(mail, found);
    inbound_decide(mail);
}

static void conclude_failed(struct look *look, const char *reason)
{
    const struct found failed = { .look = POLICY_LOOK_FAILED };
    log_warning("mail.not_looked_at", "from=%s message_id=%s reason=%s", look->mail->from,
                look->mail->header.message_id, reason);
    conclude(look, &failed);
}

/* ---- looking ---- */

/* The mail itself is attached where it is damaged, or signed: it holds what is judged beside it. It begins with our own Received
 * field, whose id its sender can't have known. */
static bool is_original(const struct mail *mail, int64_t size, const char *start, size_t len)
{
    char own[ATTACHMENT_START_MAX];
    return size == spool_size(mail->content) && spool_read(mail->content, 0, own, len) == (int64_t)len &&
           memcmp(own, start, len) == 0;
}

/* The first octets of each file. false: they can't be read. */
static bool read_files(const struct convert_in_result *result, const struct mail *mail, struct found *found)
{
    char start[ATTACHMENT_START_MAX];
    int64_t offset = result->body_size;
    const struct tmtp_message *message = &result->message;
    found->files = xcalloc(message->attach_count + 1, sizeof *found->files);
    for (size_t i = 0; i < message->attach_count; i++) {
        int64_t size = message->attach[i].size;
        size_t wanted = size < ATTACHMENT_START_MAX ? (size_t)size : ATTACHMENT_START_MAX;
        if (pread(result->content_fd, start, wanted, (off_t)offset) != (ssize_t)wanted)
            return false;
        const char *colon = strchr(message->attach[i].name, ':');
        found->files[found->count++] = attachment_file_make(colon ? colon + 1 : message->attach[i].name, start, wanted);
        if (is_original(mail, size, start, wanted))
            found->original = &found->files[i];
        offset += size;
    }
    return true;
}

static void begin_next(struct inbound *inbound);

static void on_converted(struct convert_in_result *result, void *ctx)
{
    struct look *look = ctx;
    struct inbound *inbound = look->inbound;
    struct found found = { .look = result->is_doubtful ? POLICY_LOOK_UNREADABLE : POLICY_LOOK_DONE };
    if (look->mail && !result->ok)
        conclude_failed(look, result->error);
    else if (look->mail && !read_files(result, look->mail, &found))
        conclude_failed(look, "its files can't be read");
    else if (look->mail)
        conclude(look, &found);
    free(found.files);
    look_free(look);
    begin_next(inbound);
}

static bool begin(struct look *look)
{
    struct mail *mail = look->mail;
    int fd = spool_dup_fd(mail->content);
    if (fd < 0)
        return false;
    const struct parts *parts = look->inbound->parts;
    const struct convert_in_request request = {
        .mail_fd = fd,
        .mail_size = spool_size(mail->content),
        /* as the poster will have it, as far as it is about what is attached */
        .options = { .is_automatic = mail->header.is_generated,
                     .body = (enum convert_body_choice)parts->config->content.body,
                     .history = (enum convert_history_mode)parts->config->content.quote },
    };
    int taken = convert_mail_in(parts->convert, &request, on_converted, look);
    close(fd);
    return taken == 1;
}

/* The first that waits and fits beside those under way. NULL: none. */
static struct look *find_next(const struct inbound *inbound)
{
    unsigned count = 0;
    int64_t sum = 0;
    struct look *next = NULL;
    for (struct look *look = inbound->looks; look; look = look->next) {
        if (look->state == LOOK_UNDER_WAY) {
            count++;
            sum += look->size;
        } else if (!next) {
            next = look;
        }
    }
    return next && count < LOOKS_MAX && (sum == 0 || sum + next->size <= looks_budget) ? next : NULL;
}

static void begin_next(struct inbound *inbound)
{
    struct look *look;
    while ((look = find_next(inbound))) {
        if (begin(look)) {
            set_state(look, LOOK_UNDER_WAY);
            continue;
        }
        conclude_failed(look, "the convert workers are busy");
        look_free(look);
    }
}

static void on_timeout(void *arg)
{
    struct look *look = arg;
    bool is_waiting = look->state == LOOK_WAITING;
    conclude_failed(look, "the convert workers have too much to do");
    if (is_waiting)
        look_free(look); /* else when the worker has answered */
}

bool inbound_look_is_needed(const struct mail *mail)
{
    if (mail->answer_mapping_id && mail->answer_attachments)
        return true;
    for (size_t i = 0; i < mail->count; i++)
        if (mail->recipients[i].attachments && mail->recipients[i].verdict.decision == POLICY_ACCEPT)
            return true;
    return false;
}

void inbound_look_begin(struct mail *mail)
{
    struct inbound *inbound = mail->inbound;
    struct look *look = xcalloc(1, sizeof *look);
    *look = (struct look){ .inbound = inbound, .mail = mail, .size = mail->size };
    look->timeout = timer_new(inbound->parts->loop, on_timeout, look);
    timer_start(look->timeout, LOOK_TIMEOUT_MS);
    struct look **end = &inbound->looks;
    while (*end)
        end = &(*end)->next;
    *end = look;
    begin_next(inbound);
}

void inbound_look_drop_all(struct inbound *inbound)
{
    for (struct look *look = inbound->looks, *next; look; look = next) {
        next = look->next;
        if (look->mail)
            inbound_discard(look->mail);
        look_free(look);
    }
}
