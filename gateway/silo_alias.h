/* silo_alias.h - under which alias a correspondent appears in the silo
 *
 * The address itself, "bob@example.com". When that is shorter than a silo takes, or somebody else's: "bob@example.com
 * (email)", then "bob@example.com (2)", "(3)" and so on. When it is longer than a silo can take (tmtp_alias.h): its
 * beginning, "..." and eight digits of its digest instead. The same address and number always give the same alias.
 */
#pragma once

enum { SILO_ALIAS_FORMS = 20 }; /* tried for one correspondent */

/* The form with that number, 0 being the one that is wanted most. The result is the caller's. */
char *silo_alias_form(const char *address, unsigned form);
