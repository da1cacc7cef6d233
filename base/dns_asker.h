/* dns_asker.h - how checks in a worker ask for DNS answers: through the worker's pool, whose owner passes them on
 *
 * One asker per job. The same question is asked once: a check sees one answer, and what it does twice costs nothing. After
 * the pool's questions_max (or fewer, see below) answers are DNS_TEMPORARY, so that the job fails and not its worker.
 */
#pragma once
#include "base/dns.h"

struct dns_asker;

/* questions: that may be asked, at most the pool's questions_max. */
struct dns_asker *dns_asker_new(unsigned questions) __attribute__((warn_unused_result));
void dns_asker_free(struct dns_asker **asker); /* and all answers */
dns_ask dns_asker_ask;                         /* ctx: the asker */
