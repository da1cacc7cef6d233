/* poster_convert.c - the mail becomes a thread message; see poster_internal.h */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/poster_internal.h"
#include "mapping/convert.h"
#include "mapping/store_content.h"

_Static_assert((int)CONFIG_BODY_TEXT == (int)CONVERT_BODY_TEXT, "see convert_options.h");
_Static_assert((int)CONFIG_BODY_HTML == (int)CONVERT_BODY_HTML, "see convert_options.h");
_Static_assert((int)CONFIG_QUOTE_KEEP == (int)CONVERT_HISTORY_KEEP, "see convert_options.h");

/* Bytes of mail with a converted copy on disk at the same time; one mail may exceed it alone. */
static const int64_t content_budget = INT64_C(1) << 30;

/* What the conversion says, besides the message. */
static void take_words(struct poster_job *job, const struct convert_in_result *result)
{
    struct strbuf note;
    strbuf_init(&note, 2000);
    strbuf_add_fmt(&note, "%s%s%.500s", job->note, job->note[0] && result->detail[0] ? "; " : "", result->detail);
    if (result->other_count > 0)
        strbuf_add_fmt(&note, "%snames %zu other people", note.len ? "; " : "", result->other_count);
    free(job->note);
    job->note = strbuf_detach(&note);
    job->others = xcalloc(result->other_count + 1, sizeof *job->others);
    while (job->other_count < result->other_count) {
        job->others[job->other_count] = xstrdup(result->others[job->other_count]);
        job->other_count++;
    }
    if (job->poster->parts->config->content.quotes_answered && !job->row.is_generated) { /* nobody answers a program */
        job->excerpt = xstrdup(result->excerpt);
        job->author_name = xstrdup(result->from_name);
    }
}

static void on_converted(struct convert_in_result *result, void *ctx)
{
    struct poster_job *job = ctx;
    if (!result->ok) {
        poster_put_off(job, result->error);
        return;
    }
    tmtp_message_free(&job->message);
    job->message = result->message;
    tmtp_message_init(&result->message);
    job->content_fd = fcntl(result->content_fd, F_DUPFD_CLOEXEC, 0);
    job->content_size = result->content_size;
    take_words(job, result);
    if (job->content_fd < 0)
        poster_put_off(job, "no file descriptor left");
    else
        poster_go_on(job);
}

/* Converted mail lies on disk until it is posted: many large mails at once would fill it. */
static bool has_room(const struct poster_job *job)
{
    int64_t sum = 0;
    for (const struct poster_job *other = job->poster->jobs; other; other = other->next)
        if (other != job && (other->state == POSTER_CONVERTING || other->content_fd >= 0))
            sum += other->row.size;
    return sum == 0 || sum + job->row.size <= content_budget;
}

/* 1 taken, 0 too busy now, -1 the database can't be read. */
static int submit(struct poster_job *job, int fd, int64_t size)
{
    const struct config *config = job->poster->parts->config;
    struct poster_known known;
    if (poster_known_gather(job, &known) != 1)
        return -1;
    const struct convert_in_request request = {
        .entry = job->row.id,
        .mail_fd = fd,
        .mail_size = size,
        .options = { .is_automatic = job->row.is_generated,
                     .body = (enum convert_body_choice)config->content.body,
                     .history = (enum convert_history_mode)config->content.quote,
                     .known = (const char *const *)known.list,
                     .known_count = known.count,
                     .names_others = config->content.names_others },
    };
    int taken = convert_mail_in(job->poster->parts->convert, &request, on_converted, job);
    poster_known_free(&known);
    return taken;
}

void poster_convert(void *arg)
{
    struct poster_job *job = arg;
    struct poster *poster = job->poster;
    int fd;
    int64_t size;
    if (!has_room(job)) {
        poster_after_pause(job, poster_convert);
        return;
    }
    int found = store_content_open(store_reader(poster->parts->store), job->row.content_id, &fd, &size);
    if (found == 0) { /* for an administrator, who may have a copy of it */
        job->now = clock_wall_ms(poster->parts->clock);
        job->give_up = job->is_for_a_person = true;
        poster_submit_put_off(job, "its content is missing from state_dir");
        return;
    }
    if (found < 0) {
        poster_refused(job, "its content can't be read", NULL);
        return;
    }
    if (job->row.kind == STORE_INBOUND_NOTICE) { /* a notice of our own: the content is the text */
        job->content_fd = fd;
        job->content_size = size;
        tmtp_message_set(&job->message.subject, job->row.subject ? job->row.subject : "");
        poster_go_on(job);
        return;
    }
    int taken = submit(job, fd, size);
    close(fd);
    if (taken == 1)
        poster_set_state(job, POSTER_CONVERTING);
    else
        poster_put_off(job, taken == 0 ? "the convert workers are busy" : "its thread can't be read from the database");
}
