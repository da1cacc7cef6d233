/* tmtp_header_push.c - what a silo tells its clients */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crc32c.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_header_internal.h"

enum { UIDS_MAX = 65536 }; /* more than a frame's header has room for */

static const struct header_field for_fields[] = {
    { "id", HEADER_STRING, offsetof(struct tmtp_for, id) },
    { "type", HEADER_SMALL, offsetof(struct tmtp_for, type) },
};
static const struct header_table for_table = { for_fields, sizeof for_fields / sizeof *for_fields,
                                               sizeof(struct tmtp_for) };

#define AT(member) offsetof(struct tmtp_push, member)

static const struct header_field push_fields[] = {
    { "op", HEADER_TEXT, AT(op_name) },
    { "id", HEADER_BYTES, AT(id), AT(id_len) },
    { "msgid", HEADER_TEXT, AT(msgid) },
    { "posted", HEADER_TEXT, AT(posted) },
    { "error", HEADER_TEXT, AT(error) },
    { "from", HEADER_TEXT, AT(from) },
    { "alias", HEADER_TEXT, AT(alias) },
    { "to", HEADER_TEXT, AT(to) },
    { "gid", HEADER_TEXT, AT(gid) },
    { "act", HEADER_TEXT, AT(act) },
    { "newalias", HEADER_TEXT, AT(newalias) },
    { "newnode", HEADER_TEXT, AT(newnode) },
    { "uid", HEADER_TEXT, AT(uid) },
    { "nodeid", HEADER_TEXT, AT(nodeid) },
    { "name", HEADER_TEXT, AT(name) },
    { "info", HEADER_TEXT, AT(info) },
    { "node", HEADER_TEXT, AT(node) },
    { "type", HEADER_TEXT, AT(type) },
    { "postid", HEADER_TEXT, AT(postid) },
    { "auth", HEADER_OTHER },
    { "authby", HEADER_OTHER },
    { "datalen", HEADER_UINT64, AT(datalen) },
    { "datahead", HEADER_UINT64, AT(datahead) },
    { "datasum", HEADER_UINT64_IF, AT(datasum), AT(has_datasum) },
    { "headsum", HEADER_UINT32_IF, AT(headsum), AT(has_headsum) },
    { "notify", HEADER_INT64, AT(notify) },
    { "status", HEADER_INT64, AT(status) },
    { "ohi", HEADER_TEXTS, AT(ohi), AT(ohi_count), .max = UIDS_MAX },
    { "for", HEADER_LIST, AT(for_list), AT(for_count), 0, &for_table, UIDS_MAX },
};
static const struct header_table push_table = { push_fields, sizeof push_fields / sizeof *push_fields,
                                                sizeof(struct tmtp_push) };

static const char *const op_names[] = {
    [TMTP_PUSH_TMTPREV] = "tmtprev",   [TMTP_PUSH_REGISTERED] = "registered",
    [TMTP_PUSH_INFO] = "info",         [TMTP_PUSH_ACK] = "ack",
    [TMTP_PUSH_QUIT] = "quit",         [TMTP_PUSH_OHI] = "ohi",
    [TMTP_PUSH_DELIVERY] = "delivery", [TMTP_PUSH_NOTIFY] = "notify",
    [TMTP_PUSH_PING] = "ping",         [TMTP_PUSH_INVITE] = "invite",
    [TMTP_PUSH_MEMBER] = "member",     [TMTP_PUSH_USER] = "user",
    [TMTP_PUSH_LOGIN] = "login",       [TMTP_PUSH_OHIEDIT] = "ohiedit",
};

static enum tmtp_push_op op_of(const char *name)
{
    for (size_t i = 0; i < sizeof op_names / sizeof *op_names; i++) {
        if (strcmp(op_names[i], name) == 0)
            return (enum tmtp_push_op)i;
    }
    return TMTP_PUSH_UNKNOWN;
}

/* A silo that offers a way in without OpenID Connect lists it as an entry without a login address. */
static bool is_auth_required(json_t *object)
{
    const json_t *auth = header_find(object, "auth");
    const json_t *services = header_find(object, "authby");
    if (!json_is_integer(auth) || json_integer_value(auth) == 0)
        return false;
    for (size_t i = 0; i < json_array_size(services); i++) {
        json_t *service = json_array_get(services, i);
        if (json_is_object(service) && header_find(service, "login") == NULL)
            return false;
    }
    return true;
}

int tmtp_push_decode(const char *json, size_t len, struct tmtp_push *push_out, const char **error_out)
{
    json_t *object = header_parse(json, len, error_out);
    if (object == NULL)
        return -1;
    int rc = header_decode(object, &push_table, push_out, error_out);
    if (rc == 1 && push_out->op_name == NULL) {
        tmtp_push_free(push_out);
        *error_out = "op is missing";
        rc = -1;
    }
    if (rc == 1) {
        push_out->op = op_of(push_out->op_name);
        push_out->auth_required = is_auth_required(object);
    }
    json_decref(object);
    return rc;
}

void tmtp_push_free(struct tmtp_push *push)
{
    header_free(&push_table, push);
}

bool tmtp_push_needs_ack(const struct tmtp_push *push)
{
    return push->op >= TMTP_PUSH_DELIVERY && push->id != NULL;
}

/* The checksum covers the frame head: the digits and the header without its checksum. */
static uint32_t sum_of(const char *header, size_t len)
{
    struct strbuf head;
    strbuf_init(&head, len + 4);
    strbuf_add_fmt(&head, "%04zx", len);
    strbuf_add(&head, header, len);
    uint32_t sum = crc32c(0, head.data, head.len);
    strbuf_free(&head);
    return sum;
}

int tmtp_push_compose(struct strbuf *out, const struct tmtp_push *push, bool with_headsum)
{
    struct tmtp_push named = *push;
    char *name = push->op == TMTP_PUSH_UNKNOWN ? NULL : xstrdup(op_names[push->op]);
    if (name != NULL)
        named.op_name = name;
    named.has_headsum = push->has_headsum && !with_headsum;

    struct strbuf text;
    strbuf_init(&text, TMTP_FRAME_HEADER_MAX);
    json_t *object = json_object();
    /* Clients expect datalen on whatever they must acknowledge, even when there is no data. */
    int rc = !tmtp_push_needs_ack(push) || json_object_set_new(object, "datalen", json_integer(0)) == 0 ? 1 : -1;
    if (rc == 1)
        rc = header_compose(&push_table, &named, object);
    if (rc == 1)
        rc = header_dump(object, true, &text);
    if (rc == 1 && with_headsum) {
        rc = json_object_set_new(object, "headsum", json_integer(sum_of(text.data, text.len))) == 0 ? 1 : -1;
        strbuf_clear(&text);
        if (rc == 1)
            rc = header_dump(object, true, &text);
    }
    if (rc == 1)
        rc = tmtp_frame_compose(out, text.data, text.len);
    json_decref(object);
    strbuf_free(&text);
    free(name);
    return rc;
}

/* Past the string that begins at json[i]; json is known to be valid. */
static size_t skip_string(const char *json, size_t len, size_t i)
{
    for (i++; i < len && json[i] != '"'; i++)
        i += json[i] == '\\';
    return i + 1 < len ? i + 1 : len;
}

/* Finds the member of the outermost object that holds the checksum: [*begin_out, *end_out) is its text with one of the
 * commas around it. json is known to be valid. */
static bool find_headsum(const char *json, size_t len, size_t *begin_out, size_t *end_out)
{
    static const char quoted[] = "\"headsum\"";
    int depth = 0;
    bool is_name = false; /* a string that comes next is a member's name, not its value */
    size_t comma = 0;     /* the latest comma of the outermost object; 0 when there was none */
    for (size_t i = 0; i < len;) {
        char c = json[i];
        if (c == '"') {
            size_t end = skip_string(json, len, i);
            if (depth == 1 && is_name && end - i == sizeof quoted - 1 &&
                strncasecmp(json + i, quoted, sizeof quoted - 1) == 0) {
                while (end < len && json[end] != ',' && json[end] != '}')
                    end++;
                bool followed = end < len && json[end] == ',';
                *begin_out = followed || comma == 0 ? i : comma;
                *end_out = followed ? end + 1 : end;
                return true;
            }
            i = end;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (c == ',' && depth == 1)
            comma = i;
        if (c == '{' || c == ',' || c == ':')
            is_name = c != ':';
        i++;
    }
    return false;
}

bool tmtp_header_sum_matches(const char *json, size_t len, const struct tmtp_push *push)
{
    if (!push->has_headsum)
        return true;
    size_t begin = 0;
    size_t end = 0;
    if (!find_headsum(json, len, &begin, &end))
        return false;
    struct strbuf rest;
    strbuf_init(&rest, len);
    strbuf_add(&rest, json, begin);
    strbuf_add(&rest, json + end, len - end);
    uint32_t sum = sum_of(rest.data, rest.len);
    strbuf_free(&rest);
    return sum == push->headsum;
}
