/* why_words.h - what became of a message, in sentences: pure
 *
 * The facts are in the trace (store_trace.h) and in what is noted of refusals (store_refusal.h); here they become a paragraph
 * each, so that who asks need not know what the words of the trace mean. The facts stay beside it.
 */
#pragma once
#include "mapping/store_queue.h"
#include <stdint.h>

struct store_queue_summary;
struct store_refusal;
struct strbuf;

/* One paragraph: where it stands, and what an administrator may do about it. doing: as in the list of the queue; NULL when it has
 * ended. */
void why_words_add_summary(const struct store_queue_summary *summary, const char *doing, struct strbuf *out);
/* One event of the trace. */
void why_words_add_event(enum store_queue queue, int64_t at, const char *event, const char *detail, struct strbuf *out);
/* One refusal. */
void why_words_add_refusal(const struct store_refusal *refusal, struct strbuf *out);
