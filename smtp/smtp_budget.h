/* smtp_budget.h - the memory that all sessions of all listeners may hold together
 *
 * An account, no allocator: sessions say what they hold, and are told whether there is room for more. The nearer a mail
 * is to being taken, the more of the budget is open to it, so that those who have come far are not starved by those who
 * come anew: connections have three quarters of it, messages and recipients seven eighths, content all of it.
 * Nobody is cut off to make room.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct smtp_budget;

enum smtp_budget_use { SMTP_BUDGET_SESSION, SMTP_BUDGET_MESSAGE, SMTP_BUDGET_CONTENT };

struct smtp_budget *smtp_budget_new(int64_t max); /* bytes */
void smtp_budget_free(struct smtp_budget **budget);
void smtp_budget_set_max(struct smtp_budget *budget, int64_t max); /* may be less than is held */
/* bytes more, or fewer, are held. */
void smtp_budget_change(struct smtp_budget *budget, int64_t bytes);
/* Is anything left for this? */
bool smtp_budget_has_room(const struct smtp_budget *budget, enum smtp_budget_use use);
int64_t smtp_budget_held(const struct smtp_budget *budget);
int64_t smtp_budget_max(const struct smtp_budget *budget);
