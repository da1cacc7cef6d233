/* spf_question.h - a question for SPF on one line, as tests and tests/tools/spf_check write it
 *
 * "? CLIENT HELO SENDER": "<>" is the null sender, "-" an empty HELO; \xHH is an octet in either.
 */
#pragma once
#include <stdbool.h>

#include "smtp/spf.h"

enum { SPF_QUESTION_NOW = 1700000000 };

/* Takes the line apart, which the request then points into. false: no such line. */
bool spf_question_parse(char *line, struct spf_request *request_out);
