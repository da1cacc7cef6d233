/* poster.h - the inbound queue: what was accepted is converted, given a thread, and posted to the silo exactly once
 *
 * States of an entry (store_queue.h) and what moves it:
 *
 *   WAITING  --conversion, then one commit that decides the thread-->  ROUTED
 *   ROUTED   --post; ack or echo, whichever comes first; one commit-->  SETTLED
 *   either   --refused by the silo-->  the same state, due later; after retry.give_up: SETTLED, with a report to its
 *            sender, or HELD, for a person (poster_return.h)
 *   WAITING  --the silo is away for longer than retry.give_up-->  SETTLED, likewise (poster_overdue.h)
 *
 * Whether a post was accepted is never guessed: it carries the entry's id as its queue key and is echoed (see
 * tmtp_client.h). While the link is not ONLINE nothing is posted; by the time it is, every echo has been seen and
 * committed.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct parts;
struct poster;
struct tmtp_client;
struct tmtp_client_result;

struct poster *poster_new(const struct parts *parts);
void poster_free(struct poster **poster);
void poster_set_client(struct poster *poster, struct tmtp_client *client);
void poster_set_online(struct poster *poster, bool online);
void poster_poke(struct poster *poster); /* something was added or changed in the queue */
void poster_on_result(struct poster *poster, const struct tmtp_client_result *result);
void poster_on_echo(struct poster *poster, const char *queue_key, const char *msgid, const char *posted,
                    const char *threadid);
bool poster_has_under_way(const struct poster *poster, int64_t id); /* of the queue */
unsigned poster_under_way(const struct poster *poster);
uint64_t poster_posted(const struct poster *poster); /* since start */
