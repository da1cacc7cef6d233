/* postfix_socketmap.c - see postfix_socketmap.h */
#include "gateway/postfix_socketmap.h"

#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/recipient.h"

enum { ANSWER_MAX = 1024 };

struct map {
    const char *name;
    int (*look_up)(const struct parts *parts, const char *key, size_t len, struct strbuf *answer);
};

static int look_up_recipient(const struct parts *parts, const char *key, size_t len, struct strbuf *answer)
{
    struct smtp_address address;
    struct recipient recipient;
    if (smtp_address_parse(key, len, &address) != 1) {
        strbuf_add_str(answer, "NOTFOUND ");
        return 0;
    }
    struct policy_verdict verdict = recipient_judge(parts, NULL, &address, &recipient);
    if (verdict.decision == POLICY_ACCEPT)
        strbuf_add_fmt(answer, "OK %s@%s", address.local, address.domain);
    else if (verdict.decision == POLICY_DEFER)
        strbuf_add_fmt(answer, "TEMP %s", verdict.reply.text);
    else
        strbuf_add_str(answer, "NOTFOUND ");
    log_debug("postfix.recipient", "key=%s code=%d reply=%s", key, verdict.reply.code, verdict.reply.text);
    return verdict.decision == POLICY_ACCEPT ? 1 : verdict.decision == POLICY_REJECT ? 0 : -1;
}

static const struct map maps[] = { { "recipient", look_up_recipient } };

static const struct map *find_map(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        if (strlen(maps[i].name) == len && memcmp(maps[i].name, name, len) == 0)
            return &maps[i];
    return NULL;
}

int postfix_socketmap_answer(const struct parts *parts, const char *request, size_t len, struct strbuf *out)
{
    struct strbuf answer;
    strbuf_init(&answer, ANSWER_MAX);
    const char *space = memchr(request, ' ', len);
    size_t name_len = space ? (size_t)(space - request) : len;
    const struct map *map = space ? find_map(request, name_len) : NULL;
    int result = -1;
    if (map)
        result = map->look_up(parts, space + 1, len - name_len - 1, &answer);
    else
        strbuf_add_str(&answer, "PERM there is no such map; try recipient");
    if (!strbuf_ok(&answer)) {
        strbuf_clear(&answer);
        strbuf_add_str(&answer, "PERM the answer is too long");
        result = -1;
    }
    strbuf_add_fmt(out, "%zu:%s,", answer.len, answer.data);
    strbuf_free(&answer);
    return result;
}
