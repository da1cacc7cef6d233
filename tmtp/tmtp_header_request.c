/* tmtp_header_request.c - what clients ask of a silo */
#include <string.h>

#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_header_internal.h"

enum { FOR_MAX = 4096 }; /* more than a frame's header has room for */

static const struct header_field for_fields[] = {
    { "id", HEADER_STRING, offsetof(struct tmtp_for, id) },
    { "type", HEADER_SMALL, offsetof(struct tmtp_for, type) },
};
static const struct header_table for_table = { for_fields, sizeof for_fields / sizeof *for_fields,
                                               sizeof(struct tmtp_for) };

#define AT(member) offsetof(struct tmtp_request, member)

static const struct header_field request_fields[] = {
    { "op", HEADER_OTHER },
    { "id", HEADER_BYTES, AT(id), AT(id_len) },
    { "uid", HEADER_TEXT, AT(uid) },
    { "node", HEADER_TEXT, AT(node) },
    { "newnode", HEADER_TEXT, AT(newnode) },
    { "newalias", HEADER_TEXT, AT(newalias) },
    { "from", HEADER_TEXT, AT(from) },
    { "to", HEADER_TEXT, AT(to) },
    { "gid", HEADER_TEXT, AT(gid) },
    { "act", HEADER_TEXT, AT(act) },
    { "type", HEADER_TEXT, AT(type) },
    { "datalen", HEADER_UINT64, AT(datalen) },
    { "datahead", HEADER_UINT64, AT(datahead) },
    { "datasum", HEADER_UINT64_IF, AT(datasum), AT(has_datasum) },
    { "notelen", HEADER_UINT64, AT(notelen) },
    { "notehead", HEADER_UINT64, AT(notehead) },
    { "notesum", HEADER_UINT64_IF, AT(notesum), AT(has_notesum) },
    { "for", HEADER_LIST, AT(for_list), AT(for_count), AT(has_for), &for_table, FOR_MAX },
    { "notefor", HEADER_LIST, AT(notefor_list), AT(notefor_count), 0, &for_table, FOR_MAX },
    { "fornotself", HEADER_FLAG, AT(fornotself) },
    { "oidc", HEADER_OBJECT, AT(oidc) },
};
static const struct header_table request_table = { request_fields, sizeof request_fields / sizeof *request_fields,
                                                   sizeof(struct tmtp_request) };

int tmtp_request_decode(const char *json, size_t len, struct tmtp_request *request_out, const char **error_out)
{
    json_t *object = header_parse(json, len, error_out);
    if (object == NULL)
        return -1;
    int rc = -1;
    json_t *op = header_find(object, "op");
    if (!json_is_integer(op) || json_integer_value(op) < TMTP_OP_TMTPREV || json_integer_value(op) > TMTP_OP_QUIT) {
        *error_out = "op is missing or unknown";
    } else if (header_decode(object, &request_table, request_out, error_out) == 1) {
        request_out->op = (enum tmtp_op)json_integer_value(op);
        rc = 1;
    }
    json_decref(object);
    return rc;
}

void tmtp_request_free(struct tmtp_request *request)
{
    header_free(&request_table, request);
}

int tmtp_request_compose(struct strbuf *out, const struct tmtp_request *request)
{
    struct strbuf text;
    strbuf_init(&text, TMTP_FRAME_HEADER_MAX);
    json_t *object = json_object();
    int rc = json_object_set_new(object, "op", json_integer((json_int_t)request->op)) == 0 ? 1 : -1;
    if (rc == 1)
        rc = header_compose(&request_table, request, object);
    if (rc == 1)
        rc = header_dump(object, false, &text);
    if (rc == 1)
        rc = tmtp_frame_compose(out, text.data, text.len);
    json_decref(object);
    strbuf_free(&text);
    return rc;
}
