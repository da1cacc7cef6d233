#include "tests/dialogue/smtp_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/spool.h"
#include "base/xmalloc.h"

static void unfold(const char *field, size_t len, struct strbuf *out)
{
    strbuf_clear(out);
    for (size_t i = 0; i < len; i++) {
        if (field[i] == '\n')
            assert_int_equal(field[i + 1], '\t'); /* the field goes on */
        else if (field[i] != '\r')
            strbuf_add_char(out, field[i] == '\t' ? ' ' : field[i]);
    }
}

void smtp_message_read(const struct smtp_transaction *transaction, struct strbuf *content, struct strbuf *received)
{
    struct spool *spool = smtp_transaction_content(transaction);
    assert_non_null(spool);
    size_t size = (size_t)spool_size(spool);
    size_t field = smtp_transaction_received_size(transaction);
    char *bytes = xmalloc(size + 1);
    assert_int_equal(spool_read(spool, 0, bytes, size), size);
    assert_true(field > 2 && field <= size);
    assert_memory_equal(bytes + field - 2, "\r\n", 2);
    unfold(bytes, field - 2, received);
    strbuf_clear(content);
    strbuf_add(content, bytes + field, size - field);
    free(bytes);
    char *id = strstr(received->data, smtp_transaction_id(transaction));
    assert_non_null(id);
    memset(id, 'x', strcspn(id, "-"));
}

void smtp_message_describe_wishes(const struct smtp_transaction *transaction, size_t index, struct strbuf *out)
{
    static const char *const names[] = { "success", "failure", "delay", "never" };
    unsigned notify = smtp_transaction_notify(transaction, index);
    const char *orcpt = smtp_transaction_orcpt(transaction, index);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (notify & (1U << i))
            strbuf_add_fmt(out, " %s", names[i]);
    }
    if (orcpt)
        strbuf_add_fmt(out, " orcpt=%s", orcpt);
}
