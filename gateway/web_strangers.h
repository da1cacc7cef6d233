/* web_strangers.h - what is written down of those who fail to sign in
 *
 * The audit log grows for ever and strangers must not fill it: their attempts are counted, and the first is written down at once, those of the next
 * ten minutes as one row. The log has a line for each. Loop's thread only.
 */
#pragma once

struct parts;
struct web_strangers;

enum { WEB_STRANGERS_EVERY_MS = 10 * 60 * 1000 };

struct web_strangers *web_strangers_new(const struct parts *parts);
void web_strangers_free(struct web_strangers **strangers); /* writes down what is left, while there is a store */
/* account: NULL: there is none of the name that was tried, which may be anything and is not written. */
void web_strangers_add(struct web_strangers *strangers, const char *account, const char *client);
