#include "smtp/smtp_budget.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xmalloc.h"

enum { EIGHTHS = 8 };

struct smtp_budget {
    int64_t max;
    int64_t held;
};

struct smtp_budget *smtp_budget_new(int64_t max)
{
    struct smtp_budget *budget = xcalloc(1, sizeof *budget);
    budget->max = max;
    return budget;
}

void smtp_budget_free(struct smtp_budget **budget)
{
    free(*budget);
    *budget = NULL;
}

void smtp_budget_set_max(struct smtp_budget *budget, int64_t max)
{
    budget->max = max;
}

void smtp_budget_change(struct smtp_budget *budget, int64_t bytes)
{
    budget->held += bytes;
    assert(budget->held >= 0);
}

bool smtp_budget_has_room(const struct smtp_budget *budget, enum smtp_budget_use use)
{
    static const int64_t share[] = {
        [SMTP_BUDGET_SESSION] = 6, [SMTP_BUDGET_MESSAGE] = 7, [SMTP_BUDGET_CONTENT] = EIGHTHS
    };
    return budget->held < budget->max / EIGHTHS * share[use];
}

int64_t smtp_budget_held(const struct smtp_budget *budget)
{
    return budget->held;
}

int64_t smtp_budget_max(const struct smtp_budget *budget)
{
    return budget->max;
}
