/* ctl_completion.h - posternctl completion: what may come next on a command line, for shells
 *
 * packaging/completion/posternctl asks it. All is read from the lines that say how commands are used, so it knows every command,
 * option and word as soon as there is one; ids, members, groups and accounts are asked of the daemon, if it answers within a
 * second.
 */
#pragma once
#include "gateway/ctl.h"

#define CTL_COMPLETION_USAGE "completion -- WORD ..."

/* "completion -- WORD ... LAST": the words behind the program's name, the last of which is being typed and may be empty. Prints what it may
 * become, one a line; a line of a single "/" says that it may be a file.. */
ctl_verb ctl_completion;
