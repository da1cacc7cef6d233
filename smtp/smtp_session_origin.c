#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_origin.h"
#include "smtp/smtp_received.h"
#include "smtp/smtp_session.h"

/* What is nearest to the sender and known: an origin with an address, else the client. */
static void describe_client(const struct smtp_session *session, struct smtp_received *received)
{
    const struct smtp_origin *origin = session->facts.origin;
    bool is_forwarded = origin && (origin->address[0] || origin->name[0] || origin->helo[0]);
    bool is_told = strcmp(session->client, session->peer) != 0;
    received->helo = is_forwarded ? origin->helo : session->helo;
    if (is_forwarded)
        received->name = origin->name;
    else if (session->xclient)
        received->name = session->xclient->name;
    received->address = is_forwarded ? origin->address : session->client_address;
    if (is_forwarded)
        received->via = session->client_address;
    else
        received->via = is_told ? session->peer_address : NULL;
}

int smtp_transaction_add_received(struct smtp_transaction *transaction)
{
    const struct smtp_session *session = transaction->session;
    char recipient[SMTP_ADDRESS_MAX + 2];
    struct smtp_received received = {
        .hostname = session->listener->settings.hostname,
        .protocol = session->facts.protocol,
        .tls_version = session->facts.tls_version,
        .id = transaction->id,
        .is_smtputf8 = transaction->params.is_smtputf8,
        .now = clock_wall_ms(loop_clock(session->loop)),
    };
    describe_client(session, &received);
    if (transaction->recipient_count == 1) {
        smtp_address_format(&transaction->recipients[0].address, recipient);
        received.recipient = recipient;
    }
    struct strbuf field;
    strbuf_init(&field, SMTP_RECEIVED_MAX);
    smtp_received_compose(&received, &field);
    int result = spool_add(transaction->content, field.data, field.len);
    transaction->received_size = field.len;
    strbuf_free(&field);
    return result;
}
