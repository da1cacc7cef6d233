/* attachment_look.c - see attachment_look.h */
#include "gateway/attachment_look.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"

enum { STORY_MAX = 1000 };

/* The first octets of each file. */
bool attachment_look_read(const struct convert_in_result *result, int64_t mail_size, const char *start,
                          size_t start_len, struct attachment_look *out)
{
    char first[ATTACHMENT_START_MAX];
    int64_t offset = result->body_size;
    const struct tmtp_message *message = &result->message;
    out->files = xcalloc(message->attach_count + 1, sizeof *out->files);
    for (size_t i = 0; i < message->attach_count; i++) {
        int64_t size = message->attach[i].size;
        size_t wanted = size < ATTACHMENT_START_MAX ? (size_t)size : ATTACHMENT_START_MAX;
        if (pread(result->content_fd, first, wanted, (off_t)offset) != (ssize_t)wanted)
            return false;
        const char *colon = strchr(message->attach[i].name, ':');
        out->files[out->count++] = attachment_file_make(colon ? colon + 1 : message->attach[i].name, first, wanted);
        if (size == mail_size && wanted <= start_len && memcmp(first, start, wanted) == 0)
            out->original = &out->files[i]; /* it holds what is judged beside it */
        offset += size;
    }
    return true;
}

void attachment_look_free(struct attachment_look *look)
{
    free(look->files);
    *look = (struct attachment_look){ .look = look->look };
}

static void tell_story(struct strbuf *story, const char *name, const char *by)
{
    enum { ONE_MAX = 300 };
    if (story->len + ONE_MAX <= STORY_MAX)
        strbuf_add_fmt(story, "%s\"%.200s\" by %s", story->len ? ", " : "", name, by);
    else if (story->data[story->len - 1] != '.')
        strbuf_add_str(story, ", ...");
}

static void judge_files(struct attachment_ruling *ruling, const struct attachment_rule *rule,
                        const struct attachment_look *look)
{
    struct strbuf story;
    strbuf_init(&story, STORY_MAX);
    for (size_t i = 0; i < look->count && !ruling->refused.name; i++) {
        if (&look->files[i] == look->original)
            continue;
        const char *by;
        const struct attachment_file *file = &look->files[i];
        enum attachment_verdict verdict = attachment_rule_judge(rule, file, &by);
        if (verdict == ATTACHMENT_ALLOWED)
            tell_story(&story, file->name, by);
        else
            ruling->refused = (struct policy_file){ .name = file->name, .verdict = verdict, .format = file->format };
    }
    ruling->story = strbuf_detach(&story);
}

struct attachment_ruling attachment_look_rule(const struct attachment_look *look, const char *allowed)
{
    struct attachment_ruling ruling = { .allowed = allowed, .look = look->look };
    struct strbuf error;
    strbuf_init(&error, STORY_MAX);
    struct attachment_rule *rule = attachment_rule_new(allowed, &error);
    if (!rule) {
        log_error("mapping.unreadable", "attachments=%s reason=%s", allowed, error.data);
        ruling.look = POLICY_LOOK_FAILED;
    } else if (ruling.look == POLICY_LOOK_DONE) {
        judge_files(&ruling, rule, look);
    }
    attachment_rule_free(&rule);
    strbuf_free(&error);
    return ruling;
}

void attachment_ruling_free(struct attachment_ruling *ruling)
{
    free(ruling->story);
    ruling->story = NULL;
}
