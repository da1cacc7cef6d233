/* returns.h - what came back to the return addresses of members' messages: read, matched, told to their authors
 *
 * Such mail is in the inbound queue (kind RETURNED), but not for the silo: it is taken from there also while the silo is
 * away. A convert worker reads it; then one commit notes what it says about which recipient, tells the author in the
 * thread, and settles it. So after a crash at any moment it was told, or is read again and told: once.
 *
 *   failed      always told            (RFC 3464 section 2.3.3)
 *   delayed     told once for each recipient
 *   delivered, relayed, expanded       told to whom asked for reports
 *   no report   mostly an automatic answer (RFC 3834). It becomes mail to the author in the thread if its own author may write
 *               to them; else they are told what it says, and that it could be anybody's
 *
 * Limits: returns_most() of them about one message, 3 that are no reports a day; what is beyond is in the trace only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parts;
struct returns;

/* So many that come back about a message with so many recipients are looked at. More are refused at RCPT: whoever has the
 * address can bring any number, and all that were taken are kept track of for ever. */
int64_t returns_most(size_t recipient_count);

/* on_added: something for the silo is in the inbound queue, and committed: a notice, or an answer. Closed at first. */
struct returns *returns_new(const struct parts *parts, void (*on_added)(void *ctx), void *ctx);
void returns_free(struct returns **returns);
void returns_open(struct returns *returns, bool open); /* closed: nothing more is begun */
bool returns_has_under_way(const struct returns *returns, int64_t id);
void returns_poke(struct returns *returns); /* something has come back */
